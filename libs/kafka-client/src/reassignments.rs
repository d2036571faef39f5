//! ListPartitionReassignments and AlterPartitionReassignments. Must not know why a replica list is wanted; guards only that the
//! number of replicas stays.

use std::collections::BTreeMap;

use ballast_cluster::{BrokerId, TopicPartition};
use ballast_kafka::{Batch, ErrorCode, KafkaError, OngoingReassignment};
use kafka_protocol::messages::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
use kafka_protocol::messages::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, ListPartitionReassignmentsRequest,
};

use crate::batch::{Gathered, ITEMS_PER_REQUEST_MAX, in_order};
use crate::call::Call;
use crate::cluster::Cluster;
use crate::refusal::check;
use crate::{topology, wire};

/// First version that can tell the broker not to change the number of replicas (Kafka 4.1).
const GUARDED_VERSION: i16 = 1;
const ALTER: &str = "AlterPartitionReassignments";

type Target = (TopicPartition, Option<Vec<BrokerId>>);

pub(crate) async fn list(cluster: &Cluster) -> Result<Vec<OngoingReassignment>, KafkaError> {
    let call = cluster.read("ListPartitionReassignments");
    let request = ListPartitionReassignmentsRequest::default().with_timeout_ms(call.allowed_milliseconds()).with_topics(None);
    let response = call.run(cluster.ask_for_controller(&call, &request, 0, |response| response.error_code)).await?.response;
    check(call.operation, response.error_code, response.error_message.as_ref())?;
    let mut ongoing: Vec<OngoingReassignment> = Vec::new();
    for topic in &response.topics {
        ongoing.extend(topic.partitions.iter().map(|partition| OngoingReassignment {
            at: wire::at(&topic.name, partition.partition_index),
            replicas: wire::brokers(&partition.replicas),
            adding: wire::brokers(&partition.adding_replicas),
            removing: wire::brokers(&partition.removing_replicas),
        }));
    }
    ongoing.sort_by(|a, b| a.at.cmp(&b.at));
    Ok(ongoing)
}

pub(crate) async fn alter(cluster: &Cluster, targets: &[Target]) -> Result<Batch<TopicPartition>, KafkaError> {
    let call = cluster.write(ALTER);
    let mut gathered = Gathered::new();
    for piece in targets.chunks(ITEMS_PER_REQUEST_MAX) {
        let outcome = match gathered.not_sent() {
            Some(error) => Err(error),
            None => call.run(alter_piece(cluster, &call, piece)).await,
        };
        gathered.add(piece.iter().map(|(at, _)| at.clone()), outcome);
    }
    gathered.finish()
}

async fn alter_piece(cluster: &Cluster, call: &Call, targets: &[Target]) -> Result<Batch<TopicPartition>, KafkaError> {
    match submit(cluster, call, targets, GUARDED_VERSION).await {
        Err(KafkaError::Unsupported { .. }) => alter_unguarded(cluster, call, targets).await,
        result => result,
    }
}

/// For brokers that cannot be told to keep the number of replicas: what would change it is refused here and not sent.
async fn alter_unguarded(cluster: &Cluster, call: &Call, targets: &[Target]) -> Result<Batch<TopicPartition>, KafkaError> {
    let lengths = present_lengths(cluster, targets).await?;
    let (kept, changed): (Vec<Target>, Vec<Target>) = targets.iter().cloned().partition(|target| keeps_length(&lengths, target));
    let mut results = if kept.is_empty() { Vec::new() } else { submit(cluster, call, &kept, 0).await? };
    results.extend(changed.into_iter().map(|(at, _)| {
        let message = Some("The replication factor is changed".to_owned());
        (at, Err(KafkaError::Refused { operation: ALTER, code: ErrorCode::InvalidReplicationFactor, message }))
    }));
    let missing = KafkaError::Malformed { endpoint: "the cluster".into(), cause: "the answer leaves out a partition".into() };
    Ok(in_order(targets.iter().map(|(at, _)| at.clone()), results, &missing))
}

/// How many replicas each partition has, or shall have where a reassignment is pending.
async fn present_lengths(cluster: &Cluster, targets: &[Target]) -> Result<BTreeMap<TopicPartition, usize>, KafkaError> {
    let mut topics: Vec<String> = targets.iter().map(|(at, _)| at.topic.clone()).collect();
    topics.sort();
    topics.dedup();
    let metadata = topology::metadata(cluster, None, Some(&topics)).await?;
    let mut lengths = BTreeMap::new();
    for topic in &metadata.topics {
        lengths.extend(topic.partitions.iter().map(|it| (TopicPartition::new(&topic.name, it.partition), it.replicas.len())));
    }
    lengths.extend(list(cluster).await?.into_iter().map(|ongoing| (ongoing.at.clone(), ongoing.target().len())));
    Ok(lengths)
}

/// Cancelling, and what does not exist, is for the broker to judge.
fn keeps_length(lengths: &BTreeMap<TopicPartition, usize>, (at, target): &Target) -> bool {
    match (target, lengths.get(at)) {
        (Some(target), Some(length)) => target.is_empty() || target.len() == *length,
        _ => true,
    }
}

async fn submit(cluster: &Cluster, call: &Call, targets: &[Target], lowest: i16) -> Result<Batch<TopicPartition>, KafkaError> {
    let request = request(targets, call.allowed_milliseconds(), lowest < GUARDED_VERSION);
    let answer = cluster.ask_for_controller(call, &request, lowest, |response| response.error_code).await?;
    let response = answer.response;
    check(ALTER, response.error_code, response.error_message.as_ref())?;
    let missing = call.malformed(&answer.endpoint, "the answer leaves out a partition".into());
    Ok(in_order(targets.iter().map(|(at, _)| at.clone()), results(&response), &missing))
}

fn request(targets: &[Target], timeout_milliseconds: i32, may_change_length: bool) -> AlterPartitionReassignmentsRequest {
    let partition = |(index, target): (i32, &Option<Vec<BrokerId>>)| {
        let replicas = target.as_ref().map(|brokers| wire::wire_brokers(brokers));
        ReassignablePartition::default().with_partition_index(index).with_replicas(replicas)
    };
    let topics = wire::by_topic(targets.iter().map(|(at, target)| (at, target))).into_iter().map(|(topic, partitions)| {
        let partitions = partitions.into_iter().map(partition).collect();
        ReassignableTopic::default().with_name(wire::topic_name(topic)).with_partitions(partitions)
    });
    AlterPartitionReassignmentsRequest::default()
        .with_timeout_ms(timeout_milliseconds)
        .with_allow_replication_factor_change(may_change_length)
        .with_topics(topics.collect())
}

fn results(response: &AlterPartitionReassignmentsResponse) -> Batch<TopicPartition> {
    let mut results = Vec::new();
    for topic in &response.responses {
        results.extend(topic.partitions.iter().map(|partition| {
            let result = check(ALTER, partition.error_code, partition.error_message.as_ref());
            (wire::at(&topic.name, partition.partition_index), result)
        }));
    }
    results
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_known_partition_with_another_number_of_replicas_is_refused() {
        let at = TopicPartition::new("orders", 0);
        let lengths = BTreeMap::from([(at.clone(), 3)]);
        let list = |length: i32| Some((1..=length).map(BrokerId).collect::<Vec<_>>());
        let cases = [(list(3), true), (list(2), false), (list(4), false), (None, true), (list(0), true)];
        for (target, expected) in cases {
            assert_eq!(keeps_length(&lengths, &(at.clone(), target.clone())), expected, "{target:?}");
        }
        assert!(keeps_length(&lengths, &(TopicPartition::new("gone", 0), list(1))));
    }

    #[test]
    fn a_guarded_request_says_so_and_an_unguarded_one_cannot() {
        use kafka_protocol::protocol::Encodable;
        let targets = [(TopicPartition::new("orders", 0), None)];
        let guarded = request(&targets, 1_000, false);
        assert!(guarded.encode(&mut bytes::BytesMut::new(), 0).is_err(), "a version without the guard must not swallow it");
        assert!(guarded.encode(&mut bytes::BytesMut::new(), GUARDED_VERSION).is_ok());
        assert!(request(&targets, 1_000, true).encode(&mut bytes::BytesMut::new(), 0).is_ok());
    }
}
