//! From plans to wire types, whose JSON form is the plan file of the contract. Must not compute anything that is not a matter of
//! form.

use ballast_cluster::{BrokerId, Reassignment};
use ballast_planner::{Alternative, Balance, Bounds, Cost, Goal, GoalKind, PerResource, Resource, ResourceBalance, Unmet};
use ballast_proto::Timestamp as WireTimestamp;
use ballast_proto::analyzer::v1 as wire;

use crate::rpc::document::PlanDocument;
use crate::view::Plan;

/// The value of the `format` key.
pub const FORMAT: &str = "ballast.plan.v1";

/// A recorded plan, its moves left out when they are more than `moves_max` in all.
pub fn recorded_plan(plan: &Plan, timings: Option<wire::Timings>, moves_max: usize) -> wire::Plan {
    let document = PlanDocument {
        cluster: &plan.cluster,
        base_sequence: plan.base_sequence,
        data_bytes: plan.data_bytes,
        goal: &plan.goal,
        seed: plan.seed,
        outcome: &plan.outcome,
        timings,
    };
    wire::Plan {
        name: plan.name.clone(),
        created_at: Some(WireTimestamp::from_milliseconds(plan.drafted_at.milliseconds)),
        sequence: plan.sequence,
        ..without_many_moves(&document, moves_max)
    }
}

/// The plan, its moves left out when they are more than `moves_max` in all.
pub fn without_many_moves(document: &PlanDocument<'_>, moves_max: usize) -> wire::Plan {
    let moves_total: usize = document.outcome.alternatives.iter().map(|alternative| alternative.moves.len()).sum();
    document.message(if moves_total > moves_max { 0 } else { moves_max })
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

pub fn plan_goal(goal: &Goal) -> wire::PlanGoal {
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

pub fn bounds(bounds: &Bounds) -> wire::Bounds {
    wire::Bounds {
        moved_bytes: bounds.moved_bytes,
        seconds: bounds.seconds,
        max_utilization: Some(max_utilization(&bounds.max_utilization)),
    }
}

/// With its first `moves_max` moves.
pub fn alternative(rank: u32, alternative: &Alternative, moves_max: usize) -> wire::Alternative {
    wire::Alternative {
        unmet: alternative.unmet.iter().map(unmet).collect(),
        moves: alternative.moves.iter().take(moves_max).map(planned_move).collect(),
        ..alternative_head(rank, alternative)
    }
}

/// Without its lists.
pub fn alternative_head(rank: u32, alternative: &Alternative) -> wire::Alternative {
    wire::Alternative {
        rank,
        label: alternative.label.as_str().to_owned(),
        why: alternative.why.clone(),
        cost: Some(cost(&alternative.cost)),
        balance: Some(balance(&alternative.balance)),
        unmet: Vec::new(),
        moves: Vec::new(),
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
