//! From a request to what is asked for. Refuses what is malformed; must not judge what is merely unwise.

use std::time::Duration;

use ballast_cluster::{BrokerId, TopicPartition};
use ballast_events::TopicPatterns;
use ballast_planner::{Band, CapacityShares, FailureRoom, Goal, GoalKind, Limits};
use ballast_proto::analyzer::v1 as wire;
use ballast_proto::analyzer::v1::create_plan_request::Goal as WireGoal;
use ballast_rpc::{Failure, Reason};

use crate::commands::Draft;
use crate::proposer::evaluations;

pub fn draft(mut request: wire::CreatePlanRequest) -> Result<Draft, Failure> {
    let goal = request
        .goal
        .take()
        .ok_or_else(|| Failure::invalid("name a goal: evacuate, drain, demote, expand, rebalance or topic"))?;
    let mut goal = plan_goal(goal);
    if let Some(parts_per_million) = request.band_parts_per_million {
        goal.band = Band::from_parts_per_million(parts_per_million);
    }
    let limits = limits(&request)?;
    // Told from those that are merely outdone by a higher one for the same topic.
    if let Some(zero) = request.min_leaders.iter().find(|least| least.leaders == 0) {
        let message = format!("min_leaders of {:?} must be at least 1", zero.topics);
        return Err(Failure::new(Reason::GoalInvalid, message));
    }
    let leaders_min = request.min_leaders.into_iter().map(|least| (least.topics, least.leaders)).collect();
    let patterns = TopicPatterns { exclude: request.exclude_topics, only: request.only_topics, leaders_min };
    let (cluster, seed, validate_only) = (request.cluster, request.seed, request.validate_only);
    Ok(Draft { cluster, goal, limits, patterns, seed, validate_only })
}

/// Without topics, which only a snapshot can name.
fn limits(request: &wire::CreatePlanRequest) -> Result<Limits, Failure> {
    let default = Limits::default();
    let partition = |at: &wire::TopicPartition| TopicPartition::new(at.topic.clone(), at.partition);
    let failure_room = match wire::FailureRoom::try_from(request.failure_room) {
        Ok(wire::FailureRoom::Unspecified) => FailureRoom::None,
        Ok(wire::FailureRoom::Broker) => FailureRoom::Broker,
        Ok(wire::FailureRoom::Rack) => FailureRoom::Rack,
        Err(_) => return Err(Failure::invalid(format!("failure_room: {} is not known", request.failure_room))),
    };
    Ok(Limits {
        capacity: CapacityShares {
            disk_parts_per_million: request
                .max_utilization_disk_parts_per_million
                .unwrap_or(default.capacity.disk_parts_per_million),
            network_parts_per_million: request
                .max_utilization_network_parts_per_million
                .unwrap_or(default.capacity.network_parts_per_million),
            cpu_parts_per_million: request
                .max_utilization_cpu_parts_per_million
                .unwrap_or(default.capacity.cpu_parts_per_million),
        },
        replicas_per_broker_max: request.max_replicas_per_broker.unwrap_or(default.replicas_per_broker_max),
        excluded_brokers: ids(&request.exclude_brokers),
        only_partitions: request.only_partitions.iter().map(partition).collect(),
        only_to_brokers: ids(&request.only_to_brokers),
        across_groups: request.across_groups,
        spread_topics: request.spread_topics,
        keep_spread_topics: request.keep_spread_topics,
        ignore_idle_topics: request.ignore_idle_topics,
        failure_room,
        bytes_max: request.max_bytes,
        moves_max: request.max_moves,
        leader_moves_max: request.max_leader_moves,
        evaluations_max: request.time_budget_milliseconds.map(|milliseconds| evaluations(Duration::from_millis(milliseconds))),
        ..default
    })
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
