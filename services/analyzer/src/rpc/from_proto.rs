//! From a request to what is asked for. Refuses what is malformed; must not judge what is merely unwise.

use std::time::Duration;

use ballast_cluster::{BrokerId, TopicPartition};
use ballast_planner::{Band, Goal, GoalKind, Limits};
use ballast_proto::analyzer::v1 as wire;
use ballast_proto::analyzer::v1::create_plan_request::Goal as WireGoal;
use ballast_rpc::Failure;

use crate::commands::Draft;
use crate::proposer::evaluations;

pub fn draft(request: wire::CreatePlanRequest) -> Result<Draft, Failure> {
    let goal =
        request.goal.ok_or_else(|| Failure::invalid("name a goal: evacuate, drain, demote, expand, rebalance or topic"))?;
    let mut goal = plan_goal(goal);
    if let Some(parts_per_million) = request.band_parts_per_million {
        goal.band = Band::from_parts_per_million(parts_per_million);
    }
    let limits = Limits {
        excluded_brokers: ids(&request.exclude_brokers),
        bytes_max: request.max_bytes,
        moves_max: request.max_moves,
        leader_moves_max: request.max_leader_moves,
        evaluations_max: request.time_budget_milliseconds.map(|milliseconds| evaluations(Duration::from_millis(milliseconds))),
        ..Limits::default()
    };
    let (cluster, exclude_patterns) = (request.cluster, request.exclude_topics);
    Ok(Draft { cluster, goal, limits, exclude_patterns, seed: request.seed, validate_only: request.validate_only })
}

fn plan_goal(goal: WireGoal) -> Goal {
    match goal {
        WireGoal::Evacuate(goal) => Goal::new(GoalKind::Evacuate, ids(&goal.brokers)),
        WireGoal::Drain(goal) => Goal::new(GoalKind::Drain, ids(&goal.brokers)),
        WireGoal::Demote(goal) => Goal::new(GoalKind::Demote, ids(&goal.brokers)),
        WireGoal::Expand(goal) => Goal::new(GoalKind::Expand, ids(&goal.brokers)),
        WireGoal::Rebalance(_) => Goal::new(GoalKind::Rebalance, Vec::new()),
        WireGoal::Topic(goal) => {
            let target = |list: wire::ReplicaList| (TopicPartition::new(list.topic, list.partition), ids(&list.replicas));
            let targets = goal.targets.into_iter().map(target).collect();
            Goal { targets, ..Goal::new(GoalKind::Topic, Vec::new()) }
        }
    }
}

fn ids(brokers: &[i32]) -> Vec<BrokerId> {
    brokers.iter().copied().map(BrokerId).collect()
}
