//! ListOffsets: where a replica's log begins and ends, asked of the broker that holds it. Must not know progress or rates.

use ballast_cluster::{BrokerId, TopicPartition};
use ballast_kafka::{Batch, KafkaError, OffsetQuery};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{BrokerId as WireBrokerId, ListOffsetsRequest, ListOffsetsResponse};

use crate::batch::in_order;
use crate::cluster::Cluster;
use crate::refusal::check;
use crate::wire;

/// Timestamps that stand for the ends of the log.
const EARLIEST: i64 = -2;
const LATEST: i64 = -1;
/// Replica ids: of a consumer, and of a debugging tool, which any replica answers with all that it has.
const CONSUMER: i32 = -1;
const DEBUGGING: i32 = -2;
const READ_UNCOMMITTED: i8 = 0;
/// 1000 take 45 ms, so the answer to a request of this size comes in well under a second.
const PARTITIONS_PER_REQUEST_MAX: usize = 5_000;

pub(crate) async fn list(
    cluster: &Cluster,
    broker: BrokerId,
    query: OffsetQuery,
    partitions: &[TopicPartition],
) -> Result<Batch<TopicPartition, i64>, KafkaError> {
    let call = cluster.read("ListOffsets");
    let mut results = Vec::with_capacity(partitions.len());
    for piece in partitions.chunks(PARTITIONS_PER_REQUEST_MAX) {
        let request = request(query, piece, call.allowed_milliseconds());
        let answer = call.run(cluster.ask_broker(&call, broker, &request, 2)).await?;
        let missing = call.malformed(&answer.endpoint, "the answer leaves out a partition".into());
        results.extend(in_order(piece.iter().cloned(), offsets(call.operation, &answer.response), &missing));
    }
    Ok(results)
}

fn request(query: OffsetQuery, partitions: &[TopicPartition], timeout_milliseconds: i32) -> ListOffsetsRequest {
    let (replica_id, timestamp) = match query {
        OffsetQuery::LeaderStart => (CONSUMER, EARLIEST),
        OffsetQuery::LeaderEnd => (CONSUMER, LATEST),
        OffsetQuery::ReplicaEnd => (DEBUGGING, LATEST),
    };
    let partition = |(index, ())| ListOffsetsPartition::default().with_partition_index(index).with_timestamp(timestamp);
    let topics = wire::by_topic(partitions.iter().map(|at| (at, ()))).into_iter().map(|(topic, partitions)| {
        let partitions = partitions.into_iter().map(partition).collect();
        ListOffsetsTopic::default().with_name(wire::topic_name(topic)).with_partitions(partitions)
    });
    ListOffsetsRequest::default()
        .with_replica_id(WireBrokerId(replica_id))
        .with_isolation_level(READ_UNCOMMITTED)
        .with_topics(topics.collect())
        .with_timeout_ms(timeout_milliseconds)
}

fn offsets(operation: &'static str, response: &ListOffsetsResponse) -> Batch<TopicPartition, i64> {
    let mut offsets = Vec::new();
    for topic in &response.topics {
        offsets.extend(topic.partitions.iter().map(|partition| {
            let result = check(operation, partition.error_code, None).map(|()| partition.offset);
            (wire::at(&topic.name, partition.partition_index), result)
        }));
    }
    offsets
}
