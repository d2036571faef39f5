//! The Kafka port on real clusters: kafka-protocol for the bytes, tokio for the sockets. Must not know what the answers are used
//! for; no other crate imports kafka-protocol.
//!
//! Every call ends within the deadline of its kind, connecting included. Reads may be asked again of another broker; a write is
//! sent again only where it provably was not applied (not connected, or the answering node is not the controller).

mod batch;
mod call;
mod cluster;
mod configs;
mod connection;
mod elections;
mod groups;
mod log_dirs;
mod offsets;
mod quorum;
mod reassignments;
mod refusal;
mod security;
mod topology;
mod wire;

use std::time::Duration;

use async_trait::async_trait;
use ballast_cluster::{BrokerId, TopicPartition};
use ballast_kafka::{
    Batch, ClusterDescription, ConfigAlteration, ConfigEntry, ConfigResource, GroupOffset, KafkaAdmin, KafkaError,
    LogDirDescription, Metadata, OffsetQuery, OngoingReassignment, QuorumDescription,
};
use cluster::Cluster;

/// Where a cluster is and how long it may take to answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KafkaClientConfig {
    /// `host:port` of plaintext listeners of brokers; one that answers is enough, the others are learnt.
    pub bootstrap_servers: Vec<String>,
    /// `host:port` of plaintext listeners of controllers; empty when they cannot be reached. With them, configs of dead brokers
    /// can be written.
    pub controller_bootstrap_servers: Vec<String>,
    /// Name that brokers see in their request logs and client quotas.
    pub client_id: String,
    /// For opening one connection, version negotiation included.
    pub connect_deadline: Duration,
    /// For one whole read.
    pub read_deadline: Duration,
    /// For one whole write.
    pub write_deadline: Duration,
}

impl KafkaClientConfig {
    /// A config with the deadlines that suit a cluster near by: 2 s to connect, 5 s for reads, 10 s for writes.
    pub fn new(bootstrap_servers: Vec<String>) -> Self {
        Self {
            bootstrap_servers,
            controller_bootstrap_servers: Vec::new(),
            client_id: "ballast".into(),
            connect_deadline: Duration::from_secs(2),
            read_deadline: Duration::from_secs(5),
            write_deadline: Duration::from_secs(10),
        }
    }
}

/// A connected cluster. Calls may run side by side: each takes a connection of its own.
pub struct KafkaClient {
    cluster: Cluster,
}

impl KafkaClient {
    /// A client that reaches the cluster with its first call: for clusters that may be unreachable now.
    pub fn unconnected(config: KafkaClientConfig) -> Self {
        Self { cluster: Cluster::new(config) }
    }

    /// Reaches the cluster and learns the addresses of its brokers.
    ///
    /// # Errors
    /// `Unreachable` or `TimedOut` when no bootstrap server answers, `SecurityRequired` when their listener wants TLS or SASL.
    pub async fn connect(config: KafkaClientConfig) -> Result<Self, KafkaError> {
        let client = Self { cluster: Cluster::new(config) };
        topology::describe_cluster(&client.cluster, None).await?;
        Ok(client)
    }
}

#[async_trait]
impl KafkaAdmin for KafkaClient {
    async fn describe_cluster(&self, via: Option<BrokerId>) -> Result<ClusterDescription, KafkaError> {
        topology::describe_cluster(&self.cluster, via).await
    }

    async fn metadata(&self, via: Option<BrokerId>, topics: Option<&[String]>) -> Result<Metadata, KafkaError> {
        topology::metadata(&self.cluster, via, topics).await
    }

    async fn describe_log_dirs(&self, broker: BrokerId) -> Result<Vec<LogDirDescription>, KafkaError> {
        log_dirs::describe(&self.cluster, broker).await
    }

    async fn list_offsets(
        &self,
        broker: BrokerId,
        query: OffsetQuery,
        partitions: &[TopicPartition],
    ) -> Result<Batch<TopicPartition, i64>, KafkaError> {
        offsets::list(&self.cluster, broker, query, partitions).await
    }

    async fn list_partition_reassignments(&self) -> Result<Vec<OngoingReassignment>, KafkaError> {
        reassignments::list(&self.cluster).await
    }

    async fn alter_partition_reassignments(
        &self,
        targets: &[(TopicPartition, Option<Vec<BrokerId>>)],
    ) -> Result<Batch<TopicPartition>, KafkaError> {
        reassignments::alter(&self.cluster, targets).await
    }

    async fn elect_preferred_leaders(&self, partitions: &[TopicPartition]) -> Result<Batch<TopicPartition>, KafkaError> {
        elections::elect_preferred(&self.cluster, partitions).await
    }

    async fn incremental_alter_configs(&self, alterations: &[ConfigAlteration]) -> Result<Batch<ConfigResource>, KafkaError> {
        configs::alter(&self.cluster, alterations).await
    }

    async fn describe_configs(
        &self,
        resources: &[ConfigResource],
        keys: &[&str],
    ) -> Result<Batch<ConfigResource, Vec<ConfigEntry>>, KafkaError> {
        configs::describe(&self.cluster, resources, keys).await
    }

    async fn describe_quorum(&self) -> Result<QuorumDescription, KafkaError> {
        quorum::describe(&self.cluster).await
    }

    async fn group_offsets(&self) -> Result<Vec<GroupOffset>, KafkaError> {
        groups::offsets(&self.cluster).await
    }

    fn reaches_dead_brokers_configs(&self) -> bool {
        self.cluster.has_controllers()
    }
}

#[cfg(test)]
mod tests;
