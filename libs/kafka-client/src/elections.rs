//! ElectLeaders, preferred only: an unclean election may choose an empty replica and is not offered.

use ballast_cluster::TopicPartition;
use ballast_kafka::{Batch, KafkaError};
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::{ElectLeadersRequest, ElectLeadersResponse};

use crate::batch::{Gathered, ITEMS_PER_REQUEST_MAX, in_order};
use crate::call::Call;
use crate::cluster::Cluster;
use crate::refusal::check;
use crate::wire;

const PREFERRED: i8 = 0;

pub(crate) async fn elect_preferred(
    cluster: &Cluster,
    partitions: &[TopicPartition],
) -> Result<Batch<TopicPartition>, KafkaError> {
    let call = cluster.write("ElectLeaders");
    let mut gathered = Gathered::new();
    for piece in partitions.chunks(ITEMS_PER_REQUEST_MAX) {
        let outcome = match gathered.not_sent() {
            Some(error) => Err(error),
            None => call.run(elect(cluster, &call, piece)).await,
        };
        gathered.add(piece.iter().cloned(), outcome);
    }
    gathered.finish()
}

async fn elect(cluster: &Cluster, call: &Call, partitions: &[TopicPartition]) -> Result<Batch<TopicPartition>, KafkaError> {
    let topics = wire::by_topic(partitions.iter().map(|at| (at, ()))).into_iter().map(|(topic, partitions)| {
        let partitions = partitions.into_iter().map(|(index, ())| index).collect();
        TopicPartitions::default().with_topic(wire::topic_name(topic)).with_partitions(partitions)
    });
    let request = ElectLeadersRequest::default()
        .with_election_type(PREFERRED)
        .with_topic_partitions(Some(topics.collect()))
        .with_timeout_ms(call.allowed_milliseconds());
    let answer = cluster.ask_for_controller(call, &request, 1, |response| response.error_code).await?;
    check(call.operation, answer.response.error_code, None)?;
    let missing = call.malformed(&answer.endpoint, "the answer leaves out a partition".into());
    Ok(in_order(partitions.iter().cloned(), results(call.operation, &answer.response), &missing))
}

fn results(operation: &'static str, response: &ElectLeadersResponse) -> Batch<TopicPartition> {
    let mut results = Vec::new();
    for topic in &response.replica_election_results {
        results.extend(topic.partition_result.iter().map(|partition| {
            let result = check(operation, partition.error_code, partition.error_message.as_ref());
            (wire::at(&topic.topic, partition.partition_id), result)
        }));
    }
    results
}
