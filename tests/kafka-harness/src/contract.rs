//! A real cluster as the contract suite wants it. Must not know the suite's statements.

use std::sync::Arc;

use async_trait::async_trait;
use ballast_clock::Clock;
use ballast_cluster::{BrokerId, TopicPartition};
use ballast_kafka::KafkaAdmin;
use ballast_kafka_contract::ClusterUnderTest;

use crate::RealCluster;

/// Records of the suite: small enough that offsets show progress, large enough to be sent quickly.
const RECORD_BYTES: u64 = 10_000;

pub struct RealClusterUnderTest {
    cluster: Arc<RealCluster>,
    admin: Arc<dyn KafkaAdmin>,
    clock: Clock,
}

impl RealClusterUnderTest {
    /// Puts `cluster` under test through `admin`.
    pub fn new(cluster: Arc<RealCluster>, admin: Arc<dyn KafkaAdmin>) -> Self {
        Self { cluster, admin, clock: Clock::system() }
    }
}

#[async_trait]
impl ClusterUnderTest for RealClusterUnderTest {
    fn admin(&self) -> Arc<dyn KafkaAdmin> {
        self.admin.clone()
    }

    fn version(&self) -> (u32, u32) {
        let mut numbers = self.cluster.options().version.split('.').map(|number| number.parse().expect("versions are numbers"));
        (numbers.next().expect("a major version"), numbers.next().expect("a minor version"))
    }

    fn clock(&self) -> Clock {
        self.clock
    }

    async fn create_topic(&self, name: &str, assignment: &[Vec<BrokerId>], configs: &[(&str, &str)]) {
        self.cluster.create_topic(name, assignment, configs).await;
    }

    async fn delete_topic(&self, name: &str) {
        self.cluster.delete_topic(name).await;
    }

    async fn produce(&self, at: &TopicPartition, bytes: u64) {
        let size_bytes = usize::try_from(bytes.min(RECORD_BYTES)).expect("records are small");
        self.cluster.produce(at, bytes.div_ceil(RECORD_BYTES), size_bytes).await;
    }

    async fn commit_group_offset(&self, group: &str, at: &TopicPartition, offset: i64) {
        self.cluster.commit_group_offset(group, at, offset).await;
    }

    async fn set_cordoned(&self, broker: BrokerId, cordoned: bool) {
        self.cluster.set_cordoned(broker, cordoned).await;
    }

    async fn move_between_log_dirs(&self, at: &TopicPartition, broker: BrokerId) -> bool {
        self.cluster.move_between_log_dirs(at, broker).await
    }

    async fn kill(&self, broker: BrokerId) {
        self.cluster.kill(broker).await;
    }

    async fn restart(&self, broker: BrokerId) {
        self.cluster.restart(broker).await;
    }
}
