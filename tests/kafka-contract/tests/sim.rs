//! The contract suite on the simulated cluster, in virtual time. Must not know how the simulation works inside.

use std::sync::Arc;
use std::time::Duration;

use ballast_clock::Clock;
use ballast_cluster::{BrokerId, Timestamp, TopicPartition};
use ballast_kafka::{ConfigAlteration, ConfigOperation, ConfigResource, KafkaAdmin};
use ballast_kafka_contract::{ClusterUnderTest, run_all};
use ballast_sim_cluster::{KafkaVersion, SimCluster, SimOptions};

struct Simulated {
    cluster: SimCluster,
    clock: Clock,
}

#[async_trait::async_trait]
impl ClusterUnderTest for Simulated {
    fn admin(&self) -> Arc<dyn KafkaAdmin> {
        Arc::new(self.cluster.clone())
    }

    fn version(&self) -> (u32, u32) {
        let version = self.cluster.version();
        (version.major, version.minor)
    }

    fn clock(&self) -> Clock {
        self.clock
    }

    async fn create_topic(&self, name: &str, assignment: &[Vec<BrokerId>], configs: &[(&str, &str)]) {
        assert!(self.cluster.create_topic(name, assignment, configs), "{name} exists");
    }

    async fn delete_topic(&self, name: &str) {
        assert!(self.cluster.delete_topic(name), "there is no {name}");
    }

    async fn produce(&self, at: &TopicPartition, bytes: u64) {
        assert!(self.cluster.produce(at, bytes), "{at} has no leader");
    }

    async fn commit_group_offset(&self, group: &str, at: &TopicPartition, offset: i64) {
        self.cluster.commit_group_offset(group, at, offset);
    }

    async fn set_cordoned(&self, broker: BrokerId, cordoned: bool) {
        let operation = if cordoned { ConfigOperation::Set("*".into()) } else { ConfigOperation::Delete };
        let (resource, key) = (ConfigResource::Broker(broker), "cordoned.log.dirs".to_owned());
        let asked = self.cluster.incremental_alter_configs(&[ConfigAlteration { resource, key, operation }]).await;
        assert!(asked.expect("it answers").iter().all(|(_, result)| result.is_ok()));
    }

    async fn move_between_log_dirs(&self, at: &TopicPartition, broker: BrokerId) -> bool {
        self.cluster.move_between_log_dirs(at, broker, Duration::from_secs(10))
    }

    async fn kill(&self, broker: BrokerId) {
        self.cluster.kill(broker);
    }

    async fn restart(&self, broker: BrokerId) {
        self.cluster.revive(broker);
    }
}

async fn check(version: KafkaVersion, reaches_dead_brokers_configs: bool) {
    let clock = Clock::starting_at(Timestamp::from_milliseconds(1_700_000_000_000));
    let options = SimOptions { version, brokers: 6, racks: 2, topics: 0, reaches_dead_brokers_configs, ..SimOptions::default() };
    run_all(&Simulated { cluster: SimCluster::new(&options, clock), clock }).await;
}

#[tokio::test(start_paused = true)]
async fn a_simulated_3_9_keeps_the_contract() {
    check(KafkaVersion::new(3, 9), true).await;
}

#[tokio::test(start_paused = true)]
async fn a_simulated_4_2_keeps_the_contract() {
    check(KafkaVersion::new(4, 2), false).await;
}

#[tokio::test(start_paused = true)]
async fn a_simulated_4_3_keeps_the_contract() {
    check(KafkaVersion::new(4, 3), true).await;
}
