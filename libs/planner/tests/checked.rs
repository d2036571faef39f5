//! Every plan for some hundreds of generated clusters, checked by a slow reader of its own that shares no code with the planner.

#[path = "checked/cluster.rs"]
mod cluster;
#[path = "checked/generator.rs"]
mod generator;
#[path = "checked/reader.rs"]
mod reader;

use ballast_cluster::{BrokerId, BrokerState, Snapshot, TopicPartition};
use ballast_planner::{Goal, GoalKind, Label, Limits, plan, validate};
use generator::Lcg;

/// Plans, has the plan read, and plans again on its result and on the same input in another order.
#[track_caller]
fn check(snapshot: &Snapshot, goal: &Goal, limits: &Limits, seed: u64) {
    validate(snapshot, goal, limits).expect("generated goals are valid");
    let outcome = plan(snapshot, goal, limits, seed);
    reader::read(snapshot, goal, limits, &outcome);
    assert_eq!(outcome, plan(&generator::shuffled(snapshot, seed), goal, limits, seed), "input order shows in the plan");
    if limits.bytes_max.is_none() && limits.moves_max.is_none() && limits.leader_moves_max.is_none() {
        let settled = cluster::carried_out(snapshot, &outcome.alternatives[0].moves);
        let again = plan(&settled, goal, limits, seed);
        assert_eq!(again.alternatives[0].moves, [], "planning again is not empty: {snapshot:#?} {:#?}", outcome.alternatives[0]);
        assert_eq!(again.alternatives.len(), 1);
        assert_eq!(again.alternatives[0].label, Label::Only);
    }
}

fn goal_for(kind: GoalKind, snapshot: &Snapshot, dice: &mut Lcg) -> Option<Goal> {
    let wants_dead = kind == GoalKind::Evacuate && dice.below(2) == 0;
    let fit = |state: BrokerState| match kind {
        GoalKind::Evacuate if wants_dead => state == BrokerState::Dead,
        GoalKind::Drain | GoalKind::Expand | GoalKind::Demote => state != BrokerState::Dead,
        _ => true,
    };
    let able: Vec<BrokerId> = snapshot.brokers.iter().filter(|broker| fit(broker.state)).map(|broker| broker.id).collect();
    let mut goal = Goal::new(kind, Vec::new());
    match kind {
        GoalKind::Rebalance => {}
        GoalKind::Topic => {
            for (topic, partition) in snapshot.partitions() {
                if dice.below(3) > 0 {
                    continue;
                }
                let mut list: Vec<BrokerId> = snapshot.brokers.iter().map(|broker| broker.id).collect();
                dice.shuffle(&mut list);
                list.truncate(partition.replicas.len());
                goal.targets.push((TopicPartition::new(topic.name.clone(), partition.index), list));
            }
            return (!goal.targets.is_empty()).then_some(goal);
        }
        _ => {
            goal.brokers.push(*able.get(dice.below(able.len().max(1) as u64) as usize)?);
            if let Some(&second) = able.iter().find(|id| !goal.brokers.contains(id)).filter(|_| dice.below(4) == 0) {
                goal.brokers.push(second);
            }
        }
    }
    Some(goal)
}

#[track_caller]
fn check_many(kind: GoalKind, clusters: u64) {
    let mut planned = 0;
    for seed in 0..clusters {
        let mut dice = Lcg::new(seed * 31 + kind as u64);
        let snapshot = generator::cluster(&mut dice);
        let Some(goal) = goal_for(kind, &snapshot, &mut dice) else { continue };
        let limits = match dice.below(4) {
            0 => generator::limits(&mut dice, &snapshot, &goal),
            _ => Limits::default(),
        };
        check(&snapshot, &goal, &limits, seed % 3);
        planned += 1;
    }
    assert!(planned > clusters / 2, "too few goals were planned: {planned}");
}

#[test]
fn rebalances_hold_what_they_promise() {
    check_many(GoalKind::Rebalance, 150);
}

#[test]
fn evacuations_hold_what_they_promise() {
    check_many(GoalKind::Evacuate, 150);
}

#[test]
fn drains_hold_what_they_promise() {
    check_many(GoalKind::Drain, 150);
}

#[test]
fn demotions_hold_what_they_promise() {
    check_many(GoalKind::Demote, 150);
}

#[test]
fn expansions_hold_what_they_promise() {
    check_many(GoalKind::Expand, 150);
}

#[test]
fn explicit_lists_hold_what_they_promise() {
    check_many(GoalKind::Topic, 150);
}
