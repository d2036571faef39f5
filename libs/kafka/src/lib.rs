//! The port to a Kafka cluster: what Ballast asks of it and how answers can fail. Must not know sockets, protocol versions or
//! simulation; `libs/kafka-client` and `libs/sim-cluster` are its two implementations and obey one contract suite.
//!
//! Three rules hold for every implementation:
//! - a call ends within its own deadline: brokers are known to ignore theirs while the controller is away;
//! - a write that was sent and not answered is [`KafkaError::Unknown`], never retried inside: the caller looks and compares;
//! - nothing is cached: each answer is what a broker said just now. Answers of different brokers may lag each other.

mod cordon;
mod description;
mod error;

pub use cordon::is_cordoned;
pub use description::{
    BrokerDescription, ClusterDescription, ConfigAlteration, ConfigEntry, ConfigOperation, ConfigResource, ConfigSource,
    GroupOffset, LogDirDescription, Metadata, OffsetQuery, OngoingReassignment, PartitionMetadata, QuorumDescription,
    ReplicaSize, TopicMetadata,
};
pub use error::{ErrorCode, KafkaError};

use ballast_cluster::{BrokerId, TopicPartition};

/// The result for each item of a batch: items fail one by one, the call as a whole only when no broker answered.
pub type Batch<K, V = ()> = Vec<(K, Result<V, KafkaError>)>;

/// Everything Ballast does to a Kafka cluster.
#[async_trait::async_trait]
pub trait KafkaAdmin: Send + Sync {
    /// Brokers registered with the cluster, fenced ones included where the broker can tell (4.0 and later), as `via` sees them;
    /// `None` asks any reachable broker.
    async fn describe_cluster(&self, via: Option<BrokerId>) -> Result<ClusterDescription, KafkaError>;

    /// Live brokers and all topics (or the named ones), as one broker sees them.
    async fn metadata(&self, via: Option<BrokerId>, topics: Option<&[String]>) -> Result<Metadata, KafkaError>;

    /// Log directories of one broker with the size of every replica in them, asked of that broker.
    async fn describe_log_dirs(&self, broker: BrokerId) -> Result<Vec<LogDirDescription>, KafkaError>;

    /// Offsets as `broker` itself holds them. [`OffsetQuery::ReplicaEnd`] works on any replica, the others on the leader only.
    async fn list_offsets(
        &self,
        broker: BrokerId,
        query: OffsetQuery,
        partitions: &[TopicPartition],
    ) -> Result<Batch<TopicPartition, i64>, KafkaError>;

    /// Reassignments that the controller has pending.
    async fn list_partition_reassignments(&self) -> Result<Vec<OngoingReassignment>, KafkaError>;

    /// Write. `None` as target cancels. A target of another length than the present list is refused unless the broker can be told
    /// not to allow it: the implementation must never let a replication factor change silently.
    async fn alter_partition_reassignments(
        &self,
        targets: &[(TopicPartition, Option<Vec<BrokerId>>)],
    ) -> Result<Batch<TopicPartition>, KafkaError>;

    /// Write. Preferred election only: an unclean one may elect an empty replica and is not offered.
    async fn elect_preferred_leaders(&self, partitions: &[TopicPartition]) -> Result<Batch<TopicPartition>, KafkaError>;

    /// Write. Changes only the named keys. Configs of a broker are sent to that broker, or to the controller endpoint when one is
    /// configured, which also takes those of dead brokers.
    async fn incremental_alter_configs(&self, alterations: &[ConfigAlteration]) -> Result<Batch<ConfigResource>, KafkaError>;

    /// Values of the named keys that are set or have a default. A dead broker's cannot be read.
    async fn describe_configs(
        &self,
        resources: &[ConfigResource],
        keys: &[&str],
    ) -> Result<Batch<ConfigResource, Vec<ConfigEntry>>, KafkaError>;

    /// State of the controller quorum.
    async fn describe_quorum(&self) -> Result<QuorumDescription, KafkaError>;

    /// Committed offsets of every consumer group: the agentless source of consumption rates.
    async fn group_offsets(&self) -> Result<Vec<GroupOffset>, KafkaError>;

    /// Whether dead brokers' configs can be written (a controller endpoint is configured).
    fn reaches_dead_brokers_configs(&self) -> bool;
}
