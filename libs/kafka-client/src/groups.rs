//! ListGroups and OffsetFetch: what every consumer group has committed. Must not know consumption rates.

use ballast_cluster::BrokerId;
use ballast_kafka::{GroupOffset, KafkaError};
use futures::future::join_all;
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use kafka_protocol::messages::offset_fetch_response::OffsetFetchResponseGroup;
use kafka_protocol::messages::{GroupId, ListGroupsRequest, OffsetFetchRequest};

use crate::cluster::Cluster;
use crate::refusal::check;
use crate::{topology, wire};

/// First version of OffsetFetch that takes several groups (Kafka 3.0).
const MANY_GROUPS_VERSION: i16 = 8;
const GROUPS_PER_REQUEST_MAX: usize = 100;
/// Share groups keep no committed offsets.
const SHARE: &str = "share";

/// Each broker lists the groups that it coordinates, so it is the one to ask for their offsets. A broker that does not answer
/// takes its groups out of the result, and so do groups that are just moving to another coordinator.
pub(crate) async fn offsets(cluster: &Cluster) -> Result<Vec<GroupOffset>, KafkaError> {
    let brokers = topology::metadata(cluster, None, Some(&[])).await?.brokers;
    let answers = join_all(brokers.iter().map(|broker| offsets_at(cluster, broker.id))).await;
    let mut offsets = Vec::new();
    let mut failure = None;
    let mut answered = false;
    for (broker, answer) in brokers.iter().zip(answers) {
        match answer {
            Ok(found) => {
                answered = true;
                offsets.extend(found);
            }
            Err(error) => {
                tracing::warn!(broker = broker.id.0, %error, "the consumer groups of a broker are left out");
                failure.get_or_insert(error);
            }
        }
    }
    match failure {
        Some(error) if !answered => Err(error),
        _ => {
            offsets.sort_by(|a, b| (&a.group, &a.at).cmp(&(&b.group, &b.at)));
            Ok(offsets)
        }
    }
}

async fn offsets_at(cluster: &Cluster, broker: BrokerId) -> Result<Vec<GroupOffset>, KafkaError> {
    let call = cluster.read("ListGroups");
    let response = call.run(cluster.ask_broker(&call, broker, &ListGroupsRequest::default(), 0)).await?.response;
    check(call.operation, response.error_code, None)?;
    let listed = response.groups.into_iter().filter(|group| group.group_type.as_str() != SHARE);
    let groups: Vec<GroupId> = listed.map(|group| group.group_id).collect();
    let mut offsets = Vec::new();
    for piece in groups.chunks(GROUPS_PER_REQUEST_MAX) {
        let call = cluster.read("OffsetFetch");
        let group = |id: &GroupId| OffsetFetchRequestGroup::default().with_group_id(id.clone()).with_topics(None);
        let request = OffsetFetchRequest::default().with_groups(piece.iter().map(group).collect());
        let response = call.run(cluster.ask_broker(&call, broker, &request, MANY_GROUPS_VERSION)).await?.response;
        offsets.extend(response.groups.iter().flat_map(committed));
    }
    Ok(offsets)
}

/// A group with an error of its own has just been deleted or is moving to another coordinator.
fn committed(group: &OffsetFetchResponseGroup) -> Vec<GroupOffset> {
    let mut offsets = Vec::new();
    for topic in group.topics.iter().filter(|_| group.error_code == 0) {
        let known = topic.partitions.iter().filter(|partition| partition.error_code == 0 && partition.committed_offset >= 0);
        offsets.extend(known.map(|partition| GroupOffset {
            group: group.group_id.to_string(),
            at: wire::at(&topic.name, partition.partition_index),
            committed: partition.committed_offset,
        }));
    }
    offsets
}
