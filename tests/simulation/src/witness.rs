//! The simulated cluster as one process reaches it: a dead process gets no answer, and whatever is asked for although Kafka lists it
//! or has it already is noted. Must not change any call.

use std::sync::{Arc, Mutex, PoisonError};

use ballast_cluster::{BrokerId, TopicPartition};
use ballast_kafka::{
    Batch, ClusterDescription, ConfigAlteration, ConfigEntry, ConfigResource, GroupOffset, KafkaAdmin, KafkaError,
    LogDirDescription, Metadata, OffsetQuery, OngoingReassignment, QuorumDescription,
};
use ballast_sim_cluster::SimCluster;

use crate::mortal::Life;

/// What was asked for twice, by all processes.
pub(crate) type Repetitions = Arc<Mutex<Vec<String>>>;

pub(crate) struct Witness {
    pub sim: SimCluster,
    pub life: Arc<Life>,
    pub repetitions: Repetitions,
    pub mishaps_per_mille: u64,
}

impl Witness {
    async fn live(&self) {
        if self.life.is_over() {
            std::future::pending().await
        }
    }

    /// What is noted is looked up without mishaps.
    async fn note_repetition(&self, at: &TopicPartition, target: &[BrokerId]) {
        self.sim.set_mishap_chance(0);
        let listed = self.sim.list_partition_reassignments().await;
        let metadata = self.sim.metadata(None, Some(std::slice::from_ref(&at.topic))).await;
        self.sim.set_mishap_chance(self.mishaps_per_mille);
        let (Ok(listed), Ok(metadata)) = (listed, metadata) else { return };
        let topic = metadata.topic(&at.topic);
        let shown = topic.and_then(|topic| topic.partitions.iter().find(|known| known.partition == at.partition));
        let has_it = match listed.iter().find(|known| known.at == *at) {
            Some(pending) => pending.target() == target,
            None => shown.is_some_and(|shown| shown.replicas == target),
        };
        if has_it {
            self.repetitions.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{at} to {target:?}"));
        }
    }
}

#[async_trait::async_trait]
impl KafkaAdmin for Witness {
    async fn describe_cluster(&self, via: Option<BrokerId>) -> Result<ClusterDescription, KafkaError> {
        self.live().await;
        self.sim.describe_cluster(via).await
    }

    async fn metadata(&self, via: Option<BrokerId>, topics: Option<&[String]>) -> Result<Metadata, KafkaError> {
        self.live().await;
        self.sim.metadata(via, topics).await
    }

    async fn describe_log_dirs(&self, broker: BrokerId) -> Result<Vec<LogDirDescription>, KafkaError> {
        self.live().await;
        self.sim.describe_log_dirs(broker).await
    }

    async fn list_offsets(
        &self,
        broker: BrokerId,
        query: OffsetQuery,
        partitions: &[TopicPartition],
    ) -> Result<Batch<TopicPartition, i64>, KafkaError> {
        self.live().await;
        self.sim.list_offsets(broker, query, partitions).await
    }

    async fn list_partition_reassignments(&self) -> Result<Vec<OngoingReassignment>, KafkaError> {
        self.live().await;
        self.sim.list_partition_reassignments().await
    }

    async fn alter_partition_reassignments(
        &self,
        targets: &[(TopicPartition, Option<Vec<BrokerId>>)],
    ) -> Result<Batch<TopicPartition>, KafkaError> {
        self.live().await;
        for (at, target) in targets.iter().filter_map(|(at, target)| Some((at, target.as_ref()?))) {
            self.note_repetition(at, target).await;
        }
        self.sim.alter_partition_reassignments(targets).await
    }

    async fn elect_preferred_leaders(&self, partitions: &[TopicPartition]) -> Result<Batch<TopicPartition>, KafkaError> {
        self.live().await;
        self.sim.elect_preferred_leaders(partitions).await
    }

    async fn incremental_alter_configs(&self, alterations: &[ConfigAlteration]) -> Result<Batch<ConfigResource>, KafkaError> {
        self.live().await;
        self.sim.incremental_alter_configs(alterations).await
    }

    async fn describe_configs(
        &self,
        resources: &[ConfigResource],
        keys: &[&str],
    ) -> Result<Batch<ConfigResource, Vec<ConfigEntry>>, KafkaError> {
        self.live().await;
        self.sim.describe_configs(resources, keys).await
    }

    async fn describe_quorum(&self) -> Result<QuorumDescription, KafkaError> {
        self.live().await;
        self.sim.describe_quorum().await
    }

    async fn group_offsets(&self) -> Result<Vec<GroupOffset>, KafkaError> {
        self.live().await;
        self.sim.group_offsets().await
    }

    fn reaches_dead_brokers_configs(&self) -> bool {
        self.sim.reaches_dead_brokers_configs()
    }
}
