//! The simulated cluster with a witness before it: notes every write, and whether it asked for what Kafka listed or had already.
//! Must not change any call.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use ballast_cluster::{BrokerId, TopicPartition};
use ballast_kafka::{
    Batch, ClusterDescription, ConfigAlteration, ConfigEntry, ConfigResource, GroupOffset, KafkaAdmin, KafkaError,
    LogDirDescription, Metadata, OffsetQuery, OngoingReassignment, QuorumDescription,
};
use ballast_sim_cluster::SimCluster;

pub(super) struct Witness {
    sim: SimCluster,
    asked: Mutex<Vec<String>>,
    repeated: Mutex<Vec<String>>,
    described: Mutex<BTreeSet<BrokerId>>,
}

impl Witness {
    pub fn new(sim: SimCluster) -> Self {
        Self { sim, asked: Mutex::default(), repeated: Mutex::default(), described: Mutex::default() }
    }

    /// Every write so far.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes of what Kafka listed or had already.
    pub fn repeated(&self) -> Vec<String> {
        self.repeated.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Brokers that were asked for their directories.
    pub fn described(&self) -> Vec<i32> {
        self.described.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|broker| broker.0).collect()
    }

    fn note(&self, write: String) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(write);
    }

    async fn note_repetition(&self, at: &TopicPartition, target: &[BrokerId]) -> Result<(), KafkaError> {
        let listed = self.sim.list_partition_reassignments().await?;
        let metadata = self.sim.metadata(None, Some(std::slice::from_ref(&at.topic))).await?;
        let topic = metadata.topic(&at.topic);
        let shown = topic.and_then(|topic| topic.partitions.iter().find(|known| known.partition == at.partition));
        let pending = listed.iter().find(|known| known.at == *at);
        let has_it =
            pending.map_or_else(|| shown.is_some_and(|shown| shown.replicas == target), |known| known.target() == target);
        if has_it {
            self.repeated.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{at}={target:?}"));
        }
        Ok(())
    }
}

#[async_trait::async_trait]
impl KafkaAdmin for Witness {
    async fn describe_cluster(&self, via: Option<BrokerId>) -> Result<ClusterDescription, KafkaError> {
        self.sim.describe_cluster(via).await
    }

    async fn metadata(&self, via: Option<BrokerId>, topics: Option<&[String]>) -> Result<Metadata, KafkaError> {
        self.sim.metadata(via, topics).await
    }

    async fn describe_log_dirs(&self, broker: BrokerId) -> Result<Vec<LogDirDescription>, KafkaError> {
        self.described.lock().unwrap_or_else(PoisonError::into_inner).insert(broker);
        self.sim.describe_log_dirs(broker).await
    }

    async fn list_offsets(
        &self,
        broker: BrokerId,
        query: OffsetQuery,
        partitions: &[TopicPartition],
    ) -> Result<Batch<TopicPartition, i64>, KafkaError> {
        self.sim.list_offsets(broker, query, partitions).await
    }

    async fn list_partition_reassignments(&self) -> Result<Vec<OngoingReassignment>, KafkaError> {
        self.sim.list_partition_reassignments().await
    }

    async fn alter_partition_reassignments(
        &self,
        targets: &[(TopicPartition, Option<Vec<BrokerId>>)],
    ) -> Result<Batch<TopicPartition>, KafkaError> {
        for (at, target) in targets {
            match target {
                Some(target) => {
                    self.note_repetition(at, target).await?;
                    let list: Vec<String> = target.iter().map(ToString::to_string).collect();
                    self.note(format!("{}={}", at.partition, list.join(",")));
                }
                None => self.note(format!("{}=cancel", at.partition)),
            }
        }
        self.sim.alter_partition_reassignments(targets).await
    }

    async fn elect_preferred_leaders(&self, partitions: &[TopicPartition]) -> Result<Batch<TopicPartition>, KafkaError> {
        for at in partitions {
            self.note(format!("{}=elect", at.partition));
        }
        self.sim.elect_preferred_leaders(partitions).await
    }

    async fn incremental_alter_configs(&self, alterations: &[ConfigAlteration]) -> Result<Batch<ConfigResource>, KafkaError> {
        self.sim.incremental_alter_configs(alterations).await
    }

    async fn describe_configs(
        &self,
        resources: &[ConfigResource],
        keys: &[&str],
    ) -> Result<Batch<ConfigResource, Vec<ConfigEntry>>, KafkaError> {
        self.sim.describe_configs(resources, keys).await
    }

    async fn describe_quorum(&self) -> Result<QuorumDescription, KafkaError> {
        self.sim.describe_quorum().await
    }

    async fn group_offsets(&self) -> Result<Vec<GroupOffset>, KafkaError> {
        self.sim.group_offsets().await
    }

    fn reaches_dead_brokers_configs(&self) -> bool {
        self.sim.reaches_dead_brokers_configs()
    }
}
