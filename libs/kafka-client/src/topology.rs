//! DescribeCluster and Metadata: brokers, topics and partitions as one broker sees them. Must not know why they are asked for.

use ballast_cluster::BrokerId;
use ballast_kafka::{BrokerDescription, ClusterDescription, KafkaError, Metadata, PartitionMetadata, TopicMetadata};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{MetadataResponsePartition, MetadataResponseTopic};
use kafka_protocol::messages::{DescribeClusterRequest, MetadataRequest};

use crate::cluster::Cluster;
use crate::refusal::check;
use crate::wire;

/// First version of DescribeCluster that can list fenced brokers (Kafka 4.0).
const FENCED_BROKERS_VERSION: i16 = 2;
/// First version of Metadata with topic ids (Kafka 2.8).
const TOPIC_IDS_VERSION: i16 = 10;

pub(crate) async fn describe_cluster(cluster: &Cluster, via: Option<BrokerId>) -> Result<ClusterDescription, KafkaError> {
    let call = cluster.read("DescribeCluster");
    let answer = call
        .run(async {
            let request = DescribeClusterRequest::default().with_include_fenced_brokers(true);
            match cluster.ask(&call, via, &request, FENCED_BROKERS_VERSION).await {
                Err(KafkaError::Unsupported { .. }) => cluster.ask(&call, via, &DescribeClusterRequest::default(), 0).await,
                result => result,
            }
        })
        .await?;
    let response = answer.response;
    check(call.operation, response.error_code, response.error_message.as_ref())?;
    let listed = response.brokers.iter();
    let brokers = listed.filter_map(|it| broker(it.broker_id.0, &it.host, it.port, it.rack.as_deref(), it.is_fenced));
    let brokers = sorted(brokers.collect());
    learn(cluster, &brokers);
    let answered_by = via.or_else(|| at_endpoint(&brokers, &answer.endpoint));
    Ok(ClusterDescription { cluster_id: response.cluster_id.to_string(), answered_by, brokers })
}

pub(crate) async fn metadata(
    cluster: &Cluster,
    via: Option<BrokerId>,
    topics: Option<&[String]>,
) -> Result<Metadata, KafkaError> {
    let call = cluster.read("Metadata");
    let named = |name: &String| MetadataRequestTopic::default().with_name(Some(wire::topic_name(name)));
    let request = MetadataRequest::default()
        .with_topics(topics.map(|names| names.iter().map(named).collect()))
        .with_allow_auto_topic_creation(false);
    let answer = call.run(cluster.ask(&call, via, &request, TOPIC_IDS_VERSION)).await?;
    let response = answer.response;
    check(call.operation, response.error_code, None)?;
    let listed = response.brokers.iter();
    let brokers = sorted(listed.filter_map(|it| broker(it.node_id.0, &it.host, it.port, it.rack.as_deref(), false)).collect());
    learn(cluster, &brokers);
    let answered_by = via.or_else(|| at_endpoint(&brokers, &answer.endpoint));
    let mut topics: Vec<TopicMetadata> = response.topics.iter().filter_map(topic).collect();
    topics.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Metadata { answered_by, brokers, topics })
}

/// A topic with an error of its own does not exist or may not be seen: it is left out.
fn topic(wire: &MetadataResponseTopic) -> Option<TopicMetadata> {
    if wire.error_code != 0 {
        return None;
    }
    let mut partitions: Vec<PartitionMetadata> = wire.partitions.iter().map(partition).collect();
    partitions.sort_by_key(|partition| partition.partition);
    let name = wire.name.as_ref()?.to_string();
    Some(TopicMetadata { name, id: wire::topic_id(wire.topic_id), is_internal: wire.is_internal, partitions })
}

/// A partition's error (no leader) shows in its fields.
fn partition(wire: &MetadataResponsePartition) -> PartitionMetadata {
    PartitionMetadata {
        partition: u32::try_from(wire.partition_index).unwrap_or(u32::MAX),
        leader: (wire.leader_id.0 >= 0).then_some(BrokerId(wire.leader_id.0)),
        leader_epoch: wire.leader_epoch,
        replicas: wire::brokers(&wire.replica_nodes),
        in_sync: wire::brokers(&wire.isr_nodes),
        offline: wire::brokers(&wire.offline_replicas),
    }
}

/// `None` for an address that cannot be dialled.
fn broker(id: i32, host: &str, port: i32, rack: Option<&str>, fenced: bool) -> Option<BrokerDescription> {
    let port = u16::try_from(port).ok()?;
    Some(BrokerDescription { id: BrokerId(id), host: host.to_owned(), port, rack: rack.map(str::to_owned), fenced })
}

fn sorted(mut brokers: Vec<BrokerDescription>) -> Vec<BrokerDescription> {
    brokers.sort_by_key(|broker| broker.id);
    brokers
}

fn learn(cluster: &Cluster, brokers: &[BrokerDescription]) {
    cluster.learn(brokers.iter().map(|broker| (broker.id, wire::endpoint(&broker.host, broker.port))));
}

fn at_endpoint(brokers: &[BrokerDescription], endpoint: &str) -> Option<BrokerId> {
    brokers.iter().find(|broker| wire::endpoint(&broker.host, broker.port) == endpoint).map(|broker| broker.id)
}
