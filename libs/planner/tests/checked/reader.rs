//! Reads an outcome as a distrustful colleague would: every figure recomputed, every rule at every prefix.

use std::collections::BTreeSet;

use ballast_cluster::{BrokerId, BrokerState, Reassignment, Snapshot};
use ballast_planner::{Alternative, Goal, GoalKind, Limits, Outcome, Resource, UnmetGoal};

use super::cluster::{
    balance, capacity, carried_out, excess, is_dead, is_open, leader, live_in_sync, loads, measured, racks, role, state,
};

pub fn read(snapshot: &Snapshot, goal: &Goal, limits: &Limits, outcome: &Outcome) {
    assert!(!outcome.alternatives.is_empty());
    let labels: BTreeSet<&str> = outcome.alternatives.iter().map(|alternative| alternative.label.as_str()).collect();
    assert_eq!(labels.len(), outcome.alternatives.len(), "labels repeat");
    for alternative in &outcome.alternatives {
        let after = carried_out(snapshot, &alternative.moves);
        read_moves(snapshot, goal, limits, alternative);
        read_prefixes(snapshot, goal, limits, alternative);
        read_cost(snapshot, goal, limits, alternative);
        read_balance(snapshot, goal, alternative, &after);
        read_unmet(goal, alternative, &after);
        read_bounds(goal, outcome, alternative, &after);
    }
    read_domination(snapshot, goal, outcome);
    if let Some(seconds) = outcome.bounds.seconds {
        assert!(outcome.alternatives[0].cost.estimated_seconds >= seconds);
    }
}

fn read_moves(snapshot: &Snapshot, goal: &Goal, limits: &Limits, alternative: &Alternative) {
    let mut seen = BTreeSet::new();
    for entry in &alternative.moves {
        let topic = snapshot.topic(&entry.at.topic).expect("known topic");
        let partition = topic.partition(entry.at.partition).expect("known partition");
        assert!(seen.insert(&entry.at), "{} twice", entry.at);
        assert_eq!(entry.from, partition.replicas);
        assert_eq!(entry.topic_id, topic.id);
        assert_eq!(entry.to.len(), entry.from.len());
        assert_eq!(entry.to.iter().collect::<BTreeSet<_>>().len(), entry.to.len(), "duplicate replicas");
        assert!(entry.to != entry.from || leader(snapshot, goal, partition) != Some(entry.to[0]), "changes nothing");
        assert_eq!(entry.bytes, partition.load.size_bytes * entry.adding().count() as u64);
        assert!(entry.reason.ends_with('.'));
        assert!(!partition.is_reassigning() && !limits.excluded_topics.contains(&topic.name));
        let in_sync = live_in_sync(snapshot, goal, partition);
        assert!(!in_sync.is_empty(), "moved without a live in-sync replica");
        let leads = entry.to[0];
        let able = in_sync.contains(&leads) || leader(snapshot, goal, partition) == Some(leads) || entry.copies_data();
        assert!(able && !is_dead(snapshot, goal, leads), "{} cannot be led by {leads}", entry.at);
        let dead_kept = entry.to.iter().any(|&id| is_dead(snapshot, goal, id));
        assert!(!entry.copies_data() || !dead_kept, "copies and keeps a dead replica");
        read_scope(snapshot, goal, entry);
        for id in entry.adding() {
            assert!(!limits.excluded_brokers.contains(&id));
            assert!(is_open(snapshot, goal, id), "new replica on {:?}", state(snapshot, goal, id));
            assert_eq!(snapshot.broker(id).expect("known").group, topic.group);
        }
        let (before, _) = racks(snapshot, goal, topic, &entry.from);
        let (after, room) = racks(snapshot, goal, topic, &entry.to);
        for (rack, &count) in &after {
            assert!(count <= room.max(before.get(rack).copied().unwrap_or(0)), "rack {rack} got worse at {}", entry.at);
        }
    }
}

fn read_scope(snapshot: &Snapshot, goal: &Goal, entry: &Reassignment) {
    let named = |id: &BrokerId| goal.brokers.contains(id);
    match goal.kind {
        GoalKind::Evacuate | GoalKind::Drain => assert!(entry.from.iter().any(named)),
        GoalKind::Demote => {
            assert!(entry.from.iter().any(named) && !entry.copies_data());
            let first_named = entry.to.iter().position(named).expect("stays in the list");
            assert!(named(&entry.to[0]) || entry.to[first_named..].iter().all(named));
        }
        GoalKind::Expand => {
            assert!(entry.adding().all(|id| named(&id)));
            let partition = snapshot.partition(&entry.at).expect("known");
            assert!(named(&entry.to[0]) || partition.leader == Some(entry.to[0]));
        }
        GoalKind::Topic => assert!(goal.targets.contains(&(entry.at.clone(), entry.to.clone()))),
        GoalKind::Rebalance => {}
    }
}

fn read_prefixes(snapshot: &Snapshot, goal: &Goal, limits: &Limits, alternative: &Alternative) {
    let shares = [limits.capacity.disk_parts_per_million, 800_000, 800_000, limits.capacity.cpu_parts_per_million];
    let measured = measured(snapshot);
    let mut before = loads(snapshot, goal);
    let mut state = snapshot.clone();
    for entry in &alternative.moves {
        state = carried_out(&state, std::slice::from_ref(entry));
        let after = loads(&state, goal);
        for broker in snapshot.brokers.iter().filter(|broker| !is_dead(snapshot, goal, broker.id)) {
            for r in (0..4).filter(|&r| measured[r] && capacity(broker)[r] > 0) {
                let (was, is) = (before[&broker.id][r], after[&broker.id][r]);
                let over = is * 1_000_000 > capacity(broker)[r] * u128::from(shares[r]);
                let may_exceed = matches!(goal.kind, GoalKind::Evacuate | GoalKind::Drain) && r != 0;
                assert!(!over || is <= was || may_exceed, "{} puts broker {} over its limit on {r}", entry.at, broker.id);
                let named =
                    alternative.unmet.iter().any(|unmet| unmet.goal == UnmetGoal::Capacity && unmet.broker == Some(broker.id));
                assert!(!over || is <= was || named, "exceeded without a word");
            }
            let holds = |replicas: &[BrokerId]| replicas.contains(&broker.id);
            let count = state.partitions().filter(|(_, partition)| holds(&partition.replicas)).count() as u32;
            // A broker above the cap may take as many as it gave.
            let first = snapshot.partitions().filter(|(_, partition)| holds(&partition.replicas)).count() as u32;
            assert!(count <= limits.replicas_per_broker_max.max(first));
        }
        before = after;
    }
}

fn read_cost(snapshot: &Snapshot, goal: &Goal, limits: &Limits, alternative: &Alternative) {
    let cost = &alternative.cost;
    let moves = &alternative.moves;
    assert_eq!(cost.moved_bytes, moves.iter().map(|entry| entry.bytes).sum::<u64>());
    assert_eq!(cost.replica_moves, moves.iter().map(|entry| entry.adding().count() as u64).sum::<u64>());
    let led_anew =
        |entry: &&Reassignment| leader(snapshot, goal, snapshot.partition(&entry.at).expect("known")) != Some(entry.to[0]);
    assert_eq!(cost.leader_moves, moves.iter().filter(led_anew).count() as u64);
    let received = |id: BrokerId| -> u64 {
        let gets = moves.iter().filter(|entry| entry.adding().any(|added| added == id));
        gets.map(|entry| snapshot.partition(&entry.at).expect("known").load.size_bytes).sum()
    };
    assert_eq!(cost.peak_broker_in_bytes, snapshot.brokers.iter().map(|broker| received(broker.id)).max().unwrap_or(0));
    assert!(limits.bytes_max.is_none_or(|cap| cost.moved_bytes <= cap));
    assert!(limits.moves_max.is_none_or(|cap| cost.replica_moves <= cap && moves.len() as u64 <= cap));
    assert!(limits.leader_moves_max.is_none_or(|cap| cost.leader_moves <= cap));
}

fn read_balance(snapshot: &Snapshot, goal: &Goal, alternative: &Alternative, after: &Snapshot) {
    for (given, found) in
        [(&alternative.balance.before, balance(snapshot, goal).0), (&alternative.balance.after, balance(after, goal).0)]
    {
        for resource in Resource::ALL {
            let given = given.get(resource);
            match found[resource as usize] {
                None => assert!(given.max_over_mean.is_none() && given.min_over_mean.is_none() && given.outside.is_none()),
                Some((most, least, outside)) => {
                    assert!((given.max_over_mean.expect("given") - most).abs() < 1e-9 * most.max(1.0));
                    assert!((given.min_over_mean.expect("given") - least).abs() < 1e-9);
                    assert_eq!(given.outside, Some(outside));
                }
            }
        }
    }
}

fn read_unmet(goal: &Goal, alternative: &Alternative, after: &Snapshot) {
    let (_, outside) = balance(after, goal);
    let named: BTreeSet<BrokerId> =
        alternative.unmet.iter().filter(|unmet| unmet.goal == UnmetGoal::Band).filter_map(|unmet| unmet.broker).collect();
    assert_eq!(named, outside);
    let has = |unmet_goal: UnmetGoal, topic: &str, partition: u32| {
        let same = |unmet: &&ballast_planner::Unmet| {
            unmet.goal == unmet_goal && unmet.topic.as_deref() == Some(topic) && unmet.partition == Some(partition)
        };
        alternative.unmet.iter().find(same).is_some()
    };
    for (topic, partition) in after.partitions() {
        let in_scope = match goal.kind {
            GoalKind::Rebalance => true,
            GoalKind::Evacuate | GoalKind::Drain => partition.replicas.iter().any(|id| goal.brokers.contains(id)),
            _ => false,
        };
        if !in_scope {
            continue;
        }
        if live_in_sync(after, goal, partition).is_empty() {
            assert!(has(UnmetGoal::Offline, &topic.name, partition.index));
            continue;
        }
        let leaves = |&id: &BrokerId| match state(after, goal, id) {
            BrokerState::Dead => true,
            BrokerState::Draining => goal.kind == GoalKind::Rebalance || goal.brokers.contains(&id),
            _ => false,
        };
        let stays = partition.replicas.iter().any(leaves);
        assert!(!stays || has(UnmetGoal::Liveness, &topic.name, partition.index));
        if goal.kind == GoalKind::Rebalance && excess(after, goal, topic, &partition.replicas) > 0 {
            assert!(has(UnmetGoal::Rack, &topic.name, partition.index));
        }
    }
    for unmet in &alternative.unmet {
        assert_eq!(unmet.hard, unmet.goal.is_hard_by_contract());
        assert!(unmet.reason.ends_with('.'));
    }
}

trait HardByContract {
    fn is_hard_by_contract(&self) -> bool;
}

impl HardByContract for UnmetGoal {
    fn is_hard_by_contract(&self) -> bool {
        ["liveness", "offline", "rack", "group", "capacity", "replica-cap"].contains(&self.as_str())
    }
}

fn read_bounds(goal: &Goal, outcome: &Outcome, alternative: &Alternative, after: &Snapshot) {
    let unmet = |goals: &[UnmetGoal]| alternative.unmet.iter().any(|unmet| goals.contains(&unmet.goal));
    let short = match goal.kind {
        GoalKind::Rebalance => {
            unmet(&[UnmetGoal::Liveness, UnmetGoal::Offline, UnmetGoal::Rack, UnmetGoal::Group, UnmetGoal::Band])
        }
        GoalKind::Expand => unmet(&[UnmetGoal::Band]),
        _ => unmet(&[UnmetGoal::Liveness, UnmetGoal::Offline]),
    };
    read_utilization(goal, outcome, after);
    if short {
        return;
    }
    assert!(outcome.bounds.moved_bytes <= alternative.cost.moved_bytes, "bound above a plan that reaches the goal");
    if matches!(goal.kind, GoalKind::Evacuate | GoalKind::Drain) {
        assert_eq!(outcome.bounds.moved_bytes, alternative.cost.moved_bytes, "what must be copied is known exactly");
    }
}

/// Holds for plans that stop short too.
fn read_utilization(goal: &Goal, outcome: &Outcome, after: &Snapshot) {
    let loads = loads(after, goal);
    for resource in Resource::ALL {
        let r = resource as usize;
        if let Some(bound) = outcome.bounds.max_utilization.get(resource) {
            let open = after.brokers.iter().filter(|broker| is_open(after, goal, broker.id) && capacity(broker)[r] > 0);
            let most = open.map(|broker| loads[&broker.id][r] as f64 / capacity(broker)[r] as f64).fold(0.0, f64::max);
            assert!(*bound <= most * (1.0 + 1e-9), "{} bound {bound} above {most}", resource.as_str());
        }
    }
}

fn read_domination(snapshot: &Snapshot, goal: &Goal, outcome: &Outcome) {
    let measure = |alternative: &Alternative, summed: bool| {
        let after = carried_out(snapshot, &alternative.moves);
        let (balance, outside) = balance(&after, goal);
        let sum: u64 = balance.iter().flatten().map(|(_, _, count)| u64::from(*count)).sum();
        let hard = alternative.unmet.iter().filter(|unmet| unmet.hard).count() as u64;
        let outside = if summed { sum } else { outside.len() as u64 };
        [alternative.cost.moved_bytes, alternative.cost.leader_moves, hard, outside]
    };
    for summed in [false, true] {
        for (at, one) in outcome.alternatives.iter().enumerate() {
            for other in outcome.alternatives.iter().skip(at + 1) {
                let (one, other) = (measure(one, summed), measure(other, summed));
                assert!((0..4).any(|d| one[d] < other[d]) && (0..4).any(|d| other[d] < one[d]), "{one:?} beside {other:?}");
            }
        }
    }
}

/// Keeps the role table honest beside the loads: a follower never sends.
#[test]
fn a_follower_sends_nothing() {
    let mut partition = ballast_cluster::Partition { replicas: vec![BrokerId(1), BrokerId(2)], ..Default::default() };
    partition.load.produce_bytes_per_second = 5;
    partition.load.consume_bytes_per_second = Some(7);
    assert_eq!((role(&partition, false)[2], role(&partition, true)[2]), (0, 12));
}
