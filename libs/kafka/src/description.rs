//! What Kafka tells about itself, in plain data. Must not know protocol versions: what a version leaves out is `None`.

use ballast_cluster::{BrokerId, TopicPartition};

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ClusterDescription {
    pub cluster_id: String,
    /// The broker that gave this answer; `None` when it cannot be told (a bootstrap address that is not in the list).
    pub answered_by: Option<BrokerId>,
    pub brokers: Vec<BrokerDescription>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BrokerDescription {
    pub id: BrokerId,
    pub host: String,
    pub port: u16,
    pub rack: Option<String>,
    /// Registered but not serving: dead, starting or shutting down. Brokers before 4.0 leave fenced ones out instead.
    pub fenced: bool,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Metadata {
    pub answered_by: Option<BrokerId>,
    /// Unfenced brokers only.
    pub brokers: Vec<BrokerDescription>,
    pub topics: Vec<TopicMetadata>,
}

impl Metadata {
    pub fn topic(&self, name: &str) -> Option<&TopicMetadata> {
        self.topics.iter().find(|topic| topic.name == name)
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TopicMetadata {
    pub name: String,
    /// Kafka's printed form (base64url without padding).
    pub id: Option<String>,
    pub is_internal: bool,
    pub partitions: Vec<PartitionMetadata>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionMetadata {
    pub partition: u32,
    pub leader: Option<BrokerId>,
    pub leader_epoch: i32,
    /// As Kafka lists them: while a reassignment is pending the target list followed by the replicas being removed.
    pub replicas: Vec<BrokerId>,
    pub in_sync: Vec<BrokerId>,
    pub offline: Vec<BrokerId>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogDirDescription {
    pub path: String,
    /// The directory has failed; its replicas are unknown.
    pub failed: bool,
    /// Of the volume that holds the directory; several directories may share one volume.
    pub volume_total_bytes: Option<u64>,
    pub volume_usable_bytes: Option<u64>,
    pub replicas: Vec<ReplicaSize>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReplicaSize {
    pub at: TopicPartition,
    pub size_bytes: u64,
    /// A copy that a move between directories of the same broker is filling.
    pub is_future: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OffsetQuery {
    /// First offset the leader still has.
    LeaderStart,
    /// One past the last record, as consumers see it, at the leader.
    LeaderEnd,
    /// One past the last record in the asked broker's own copy, leader or not (debugging replica id -2).
    ReplicaEnd,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OngoingReassignment {
    pub at: TopicPartition,
    /// Target list followed by the replicas being removed.
    pub replicas: Vec<BrokerId>,
    pub adding: Vec<BrokerId>,
    pub removing: Vec<BrokerId>,
}

impl OngoingReassignment {
    /// The list that the partition will have when the reassignment completes.
    pub fn target(&self) -> Vec<BrokerId> {
        self.replicas.iter().filter(|broker| !self.removing.contains(broker)).copied().collect()
    }
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ConfigResource {
    Topic(String),
    Broker(BrokerId),
    /// The dynamic default of all brokers.
    BrokerDefault,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigAlteration {
    pub resource: ConfigResource,
    pub key: String,
    pub operation: ConfigOperation,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ConfigOperation {
    Set(String),
    /// Back to the default.
    Delete,
    /// Adds entries (comma separated) to a list; entries already there stay single.
    Append(String),
    /// Takes entries out of a list; taking the last leaves an empty value, not a deleted key.
    Subtract(String),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigEntry {
    pub key: String,
    /// `None` for secrets.
    pub value: Option<String>,
    pub source: ConfigSource,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConfigSource {
    /// Set on this topic.
    DynamicTopic,
    /// Set on this broker.
    DynamicBroker,
    /// Set as default of all brokers.
    DynamicBrokerDefault,
    /// From the broker's file.
    StaticBroker,
    Default,
    Other,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QuorumDescription {
    pub leader: i32,
    pub leader_epoch: i32,
    /// Voter id and how many log entries it is behind the leader.
    pub voters: Vec<(i32, u64)>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupOffset {
    pub group: String,
    pub at: TopicPartition,
    pub committed: i64,
}
