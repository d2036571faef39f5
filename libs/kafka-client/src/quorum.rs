//! DescribeQuorum: who leads the controllers and how far the others are behind. Must not know what follows from it.

use ballast_kafka::{KafkaError, QuorumDescription};
use kafka_protocol::messages::DescribeQuorumRequest;
use kafka_protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use kafka_protocol::messages::describe_quorum_response::PartitionData as QuorumState;

use crate::cluster::Cluster;
use crate::refusal::check;
use crate::wire;

/// The log that the controllers replicate among themselves: one partition, number 0.
const METADATA_TOPIC: &str = "__cluster_metadata";

pub(crate) async fn describe(cluster: &Cluster) -> Result<QuorumDescription, KafkaError> {
    let call = cluster.read("DescribeQuorum");
    let topic =
        TopicData::default().with_topic_name(wire::topic_name(METADATA_TOPIC)).with_partitions(vec![PartitionData::default()]);
    let request = DescribeQuorumRequest::default().with_topics(vec![topic]);
    let answer = call.run(cluster.ask_any(&call, &request, 0)).await?;
    check(call.operation, answer.response.error_code, answer.response.error_message.as_ref())?;
    let state = answer.response.topics.first().and_then(|topic| topic.partitions.first());
    let state = state.ok_or_else(|| call.malformed(&answer.endpoint, "the answer has no quorum".into()))?;
    check(call.operation, state.error_code, state.error_message.as_ref())?;
    Ok(quorum(state))
}

fn quorum(state: &QuorumState) -> QuorumDescription {
    let ends = state.current_voters.iter().map(|voter| (voter.replica_id.0, voter.log_end_offset));
    let leader_end = ends.clone().find(|(id, _)| *id == state.leader_id.0).map_or(state.high_watermark, |(_, end)| end);
    let behind = |end: i64| u64::try_from(leader_end.saturating_sub(end.max(0))).unwrap_or(0);
    let mut voters: Vec<(i32, u64)> = ends.map(|(id, end)| (id, behind(end))).collect();
    voters.sort_unstable();
    QuorumDescription { leader: state.leader_id.0, leader_epoch: state.leader_epoch, voters }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::BrokerId;
    use kafka_protocol::messages::describe_quorum_response::ReplicaState;

    #[test]
    fn voters_are_measured_against_the_end_of_the_leaders_log() {
        let voter = |id: i32, end: i64| ReplicaState::default().with_replica_id(BrokerId(id)).with_log_end_offset(end);
        let state = QuorumState::default()
            .with_leader_id(BrokerId(102))
            .with_leader_epoch(7)
            .with_high_watermark(90)
            .with_current_voters(vec![voter(102, 100), voter(100, 95), voter(101, -1)]);
        let expected = QuorumDescription { leader: 102, leader_epoch: 7, voters: vec![(100, 5), (101, 100), (102, 0)] };
        assert_eq!(quorum(&state), expected);
    }
}
