//! What a plan was made from as protobuf: targets, limits, patterns. Must not know how limits are kept to.

use ballast_cluster::{BrokerId, TopicPartition};
use ballast_events::{PlanInput, TopicPatterns};
use ballast_planner::{CapacityShares, FailureRoom, Limits};
use ballast_proto::event::v1 as proto;

use crate::read::{Malformed, required};
use crate::topology::{brokers_from_proto, brokers_to_proto};

pub(crate) fn input_to_proto(input: &PlanInput) -> proto::PlanInput {
    let target = |(at, replicas): &(TopicPartition, Vec<BrokerId>)| proto::PlanTarget {
        at: Some(partition_to_proto(at)),
        replicas: brokers_to_proto(replicas),
    };
    let TopicPatterns { exclude, only, leaders_min } = &input.patterns;
    proto::PlanInput {
        targets: input.targets.iter().map(target).collect(),
        limits: Some(limits_to_proto(&input.limits)),
        patterns: Some(proto::PlanTopicPatterns {
            exclude: exclude.clone(),
            only: only.clone(),
            leaders_min: leaders_min_to_proto(leaders_min),
        }),
        data_bytes: input.data_bytes,
    }
}

pub(crate) fn input_from_proto(input: proto::PlanInput) -> Result<PlanInput, Malformed> {
    let target = |target: proto::PlanTarget| {
        let at = required(target.at, "the partition of a target")?;
        Ok((partition_from_proto(at), brokers_from_proto(target.replicas)))
    };
    let patterns = required(input.patterns, "patterns")?;
    Ok(PlanInput {
        targets: input.targets.into_iter().map(target).collect::<Result<_, Malformed>>()?,
        limits: limits_from_proto(required(input.limits, "limits")?)?,
        patterns: TopicPatterns {
            exclude: patterns.exclude,
            only: patterns.only,
            leaders_min: leaders_min_from_proto(patterns.leaders_min),
        },
        data_bytes: input.data_bytes,
    })
}

fn limits_to_proto(limits: &Limits) -> proto::PlanLimits {
    proto::PlanLimits {
        capacity_disk_parts_per_million: limits.capacity.disk_parts_per_million,
        capacity_network_parts_per_million: limits.capacity.network_parts_per_million,
        capacity_cpu_parts_per_million: limits.capacity.cpu_parts_per_million,
        replicas_per_broker_max: limits.replicas_per_broker_max,
        excluded_topics: limits.excluded_topics.clone(),
        excluded_brokers: brokers_to_proto(&limits.excluded_brokers),
        only_topics: limits.only_topics.clone(),
        only_partitions: limits.only_partitions.iter().map(partition_to_proto).collect(),
        only_to_brokers: brokers_to_proto(&limits.only_to_brokers),
        across_groups: limits.across_groups,
        leaders_min: leaders_min_to_proto(&limits.leaders_min),
        spread_topics: limits.spread_topics,
        keep_spread_topics: limits.keep_spread_topics,
        ignore_idle_topics: limits.ignore_idle_topics,
        failure_room: match limits.failure_room {
            FailureRoom::None => proto::PlanFailureRoom::Unspecified,
            FailureRoom::Broker => proto::PlanFailureRoom::Broker,
            FailureRoom::Rack => proto::PlanFailureRoom::Rack,
        }
        .into(),
        bytes_max: limits.bytes_max,
        moves_max: limits.moves_max,
        leader_moves_max: limits.leader_moves_max,
        evaluations_max: limits.evaluations_max,
    }
}

fn limits_from_proto(limits: proto::PlanLimits) -> Result<Limits, Malformed> {
    let failure_room = match proto::PlanFailureRoom::try_from(limits.failure_room) {
        Ok(proto::PlanFailureRoom::Unspecified) => FailureRoom::None,
        Ok(proto::PlanFailureRoom::Broker) => FailureRoom::Broker,
        Ok(proto::PlanFailureRoom::Rack) => FailureRoom::Rack,
        Err(_) => return Err(Malformed(format!("failure_room {} is not known", limits.failure_room))),
    };
    Ok(Limits {
        capacity: CapacityShares {
            disk_parts_per_million: limits.capacity_disk_parts_per_million,
            network_parts_per_million: limits.capacity_network_parts_per_million,
            cpu_parts_per_million: limits.capacity_cpu_parts_per_million,
        },
        replicas_per_broker_max: limits.replicas_per_broker_max,
        excluded_topics: limits.excluded_topics,
        excluded_brokers: brokers_from_proto(limits.excluded_brokers),
        only_topics: limits.only_topics,
        only_partitions: limits.only_partitions.into_iter().map(partition_from_proto).collect(),
        only_to_brokers: brokers_from_proto(limits.only_to_brokers),
        across_groups: limits.across_groups,
        leaders_min: leaders_min_from_proto(limits.leaders_min),
        spread_topics: limits.spread_topics,
        keep_spread_topics: limits.keep_spread_topics,
        ignore_idle_topics: limits.ignore_idle_topics,
        failure_room,
        bytes_max: limits.bytes_max,
        moves_max: limits.moves_max,
        leader_moves_max: limits.leader_moves_max,
        evaluations_max: limits.evaluations_max,
        // Not recorded: the plan is the same whatever their number.
        threads: Limits::default().threads,
    })
}

fn partition_to_proto(at: &TopicPartition) -> proto::TopicPartition {
    proto::TopicPartition { topic: at.topic.clone(), partition: at.partition }
}

fn partition_from_proto(at: proto::TopicPartition) -> TopicPartition {
    TopicPartition { topic: at.topic, partition: at.partition }
}

fn leaders_min_to_proto(topics: &[(String, u32)]) -> Vec<proto::PlanLeadersMin> {
    topics.iter().map(|(topic, leaders)| proto::PlanLeadersMin { topic: topic.clone(), leaders: *leaders }).collect()
}

fn leaders_min_from_proto(topics: Vec<proto::PlanLeadersMin>) -> Vec<(String, u32)> {
    topics.into_iter().map(|least| (least.topic, least.leaders)).collect()
}
