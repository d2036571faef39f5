//! From plans to wire types, whose JSON form is the plan file of the contract. Must not compute anything that is not a matter of
//! form.

use ballast_cluster::{BrokerId, Reassignment};
use ballast_planner::{Alternative, Balance, Cost, Goal, GoalKind, Outcome, PerResource, Resource, ResourceBalance, Unmet};
use ballast_proto::Timestamp as WireTimestamp;
use ballast_proto::analyzer::v1 as wire;

use crate::view::Plan;

/// The value of the `format` key.
const FORMAT: &str = "ballast.plan.v1";

/// A plan with all its moves, as made without a server: it has no name.
pub fn plan_message(
    cluster: &str,
    base_sequence: u64,
    goal: &Goal,
    seed: u64,
    outcome: &Outcome,
    timings: Option<wire::Timings>,
) -> wire::Plan {
    wire::Plan {
        format: FORMAT.to_owned(),
        name: String::new(),
        cluster: cluster.to_owned(),
        base_sequence,
        goal: Some(plan_goal(goal)),
        seed,
        bounds: Some(wire::Bounds {
            moved_bytes: outcome.bounds.moved_bytes,
            seconds: outcome.bounds.seconds,
            max_utilization: Some(max_utilization(&outcome.bounds.max_utilization)),
        }),
        alternatives: (1..).zip(&outcome.alternatives).map(|(rank, found)| alternative(rank, found)).collect(),
        timings,
        created_at: None,
        sequence: 0,
    }
}

/// A recorded plan with all its moves.
pub fn recorded_plan(plan: &Plan, timings: Option<wire::Timings>) -> wire::Plan {
    wire::Plan {
        name: plan.name.clone(),
        created_at: Some(WireTimestamp::from_milliseconds(plan.drafted_at.milliseconds)),
        sequence: plan.sequence,
        ..plan_message(&plan.cluster, plan.base_sequence, &plan.goal, plan.seed, &plan.outcome, timings)
    }
}

/// The plan, its moves left out when they are more than `moves_max` in all.
pub fn without_many_moves(mut plan: wire::Plan, moves_max: usize) -> wire::Plan {
    if plan.alternatives.iter().map(|alternative| alternative.moves.len()).sum::<usize>() > moves_max {
        plan.alternatives.iter_mut().for_each(|alternative| alternative.moves.clear());
    }
    plan
}

pub fn summary(plan: &Plan) -> wire::PlanSummary {
    let first = plan.outcome.alternatives.first();
    wire::PlanSummary {
        name: plan.name.clone(),
        cluster: plan.cluster.clone(),
        base_sequence: plan.base_sequence,
        goal: Some(plan_goal(&plan.goal)),
        created_at: Some(WireTimestamp::from_milliseconds(plan.drafted_at.milliseconds)),
        sequence: plan.sequence,
        label: first.map(|first| first.label.as_str().to_owned()).unwrap_or_default(),
        cost: first.map(|first| cost(&first.cost)),
        moves_total: first.map_or(0, |first| count(first.moves.len())),
        unmet_total: first.map_or(0, |first| count(first.unmet.len())),
        alternatives_total: count(plan.outcome.alternatives.len()),
    }
}

fn plan_goal(goal: &Goal) -> wire::PlanGoal {
    let kind = match goal.kind {
        GoalKind::Rebalance => wire::GoalKind::Rebalance,
        GoalKind::Evacuate => wire::GoalKind::Evacuate,
        GoalKind::Drain => wire::GoalKind::Drain,
        GoalKind::Demote => wire::GoalKind::Demote,
        GoalKind::Expand => wire::GoalKind::Expand,
        GoalKind::Topic => wire::GoalKind::Topic,
    };
    wire::PlanGoal { kind: kind as i32, brokers: ids(&goal.brokers), band: goal.band.as_fraction() }
}

fn alternative(rank: u32, alternative: &Alternative) -> wire::Alternative {
    wire::Alternative {
        rank,
        label: alternative.label.as_str().to_owned(),
        why: alternative.why.clone(),
        cost: Some(cost(&alternative.cost)),
        balance: Some(balance(&alternative.balance)),
        unmet: alternative.unmet.iter().map(unmet).collect(),
        moves: alternative.moves.iter().map(planned_move).collect(),
        moves_total: count(alternative.moves.len()),
    }
}

fn cost(cost: &Cost) -> wire::Cost {
    wire::Cost {
        moved_bytes: cost.moved_bytes,
        replica_moves: cost.replica_moves,
        leader_moves: cost.leader_moves,
        estimated_seconds: cost.estimated_seconds,
        peak_broker_in_bytes: cost.peak_broker_in_bytes,
    }
}

fn balance(balance: &Balance) -> wire::Balance {
    wire::Balance { before: Some(resources(&balance.before)), after: Some(resources(&balance.after)) }
}

fn resources(balances: &PerResource<ResourceBalance>) -> wire::Resources {
    let of = |resource: Resource| {
        let ResourceBalance { max_over_mean, min_over_mean, outside } = *balances.get(resource);
        Some(wire::ResourceBalance { max_over_mean, min_over_mean, outside })
    };
    wire::Resources {
        disk: of(Resource::Disk),
        network_in: of(Resource::NetworkIn),
        network_out: of(Resource::NetworkOut),
        cpu: of(Resource::Cpu),
    }
}

fn max_utilization(bound: &PerResource<Option<f64>>) -> wire::MaxUtilization {
    wire::MaxUtilization { disk: bound.disk, network_in: bound.network_in, network_out: bound.network_out, cpu: bound.cpu }
}

pub fn unmet(unmet: &Unmet) -> wire::UnmetGoal {
    wire::UnmetGoal {
        goal: unmet.goal.as_str().to_owned(),
        hard: unmet.hard,
        resource: unmet.resource.map(|resource| resource.as_str().to_owned()),
        broker: unmet.broker.map(|broker| broker.0),
        topic: unmet.topic.clone(),
        partition: unmet.partition,
        reason: unmet.reason.clone(),
    }
}

pub fn planned_move(planned: &Reassignment) -> wire::Move {
    wire::Move {
        topic: planned.at.topic.clone(),
        partition: planned.at.partition,
        from: ids(&planned.from),
        to: ids(&planned.to),
        bytes: planned.bytes,
        reason: planned.reason.clone(),
    }
}

pub fn ids(brokers: &[BrokerId]) -> Vec<i32> {
    brokers.iter().map(|broker| broker.0).collect()
}

/// Moves and alternatives of one plan fit into 32 bits.
pub fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
