//! The one cluster that all scenarios share, and what they set up on it. Must not know what a scenario shows.

use std::sync::Arc;
use std::time::Duration;

use ballast_cluster::{BrokerId, TopicPartition};
use ballast_end_to_end::{ControlCenter, Observer, Settings, eventually};
use ballast_kafka_harness::{Options, RealCluster};
use serde_json::Value;

/// Slow enough to act half-way through a partition of [`LARGE_BYTES`].
pub const SLOW: &str = "2MB/s";
pub const LARGE_BYTES: u64 = 60_000_000;
pub const SMALL_BYTES: u64 = 300_000;
const RECORD_BYTES: u64 = 100_000;

pub struct Bench {
    pub cluster: RealCluster,
    pub observer: Observer,
}

impl Bench {
    pub async fn start() -> Self {
        let options = Options {
            brokers: 6,
            session_milliseconds: 6_000,
            port_base: 23_000,
            broker_properties: "replication.quota.window.num=3\nreplica.fetch.backoff.ms=100\n".into(),
            ..Options::default()
        };
        let cluster = RealCluster::start(options).await;
        let observer = Observer { admin: Arc::new(cluster.client().await) };
        Self { cluster, observer }
    }

    /// Takes away what a scenario that failed has left: dead brokers, topics, throttles. Does nothing after one that passed.
    pub async fn reset(&self) {
        let metadata = self.observer.admin.metadata(None, None).await.expect("a broker answers");
        for broker in self.cluster.brokers() {
            if !metadata.brokers.iter().any(|alive| alive.id == broker) {
                self.cluster.restart(broker).await;
                self.observer.expect_alive(broker, true).await;
            }
        }
        for topic in metadata.topics.iter().filter(|topic| !topic.is_internal) {
            self.cluster.delete_topic(&topic.name).await;
        }
        self.observer.remove_rates(&self.cluster.brokers()).await;
    }

    /// A server with the settings that most scenarios share.
    pub async fn control_center(&self) -> ControlCenter {
        let center = ControlCenter::start(&self.cluster, &Settings::default()).await;
        self.wait_for_model(&center).await;
        center
    }

    /// Waits until the Monitor has seen brokers, topics and sizes.
    pub async fn wait_for_model(&self, center: &ControlCenter) {
        let brokers = self.cluster.brokers().len();
        eventually("the model is ready", Duration::from_secs(30), || async {
            let answer = center.run(&["cluster", "get", "c1", "-o", "json"]);
            let cluster: Value = serde_json::from_str(&answer.stdout).ok()?;
            (cluster["model_ready"] == true && cluster["counts"]["brokers_alive"] == brokers).then_some(())
        })
        .await;
    }

    /// A topic with these lists, each partition led by its first broker and filled with so many bytes.
    pub async fn topic(&self, name: &str, partitions: &[(&[i32], u64)]) {
        let lists: Vec<Vec<BrokerId>> = partitions.iter().map(|(list, _)| list.iter().copied().map(BrokerId).collect()).collect();
        self.cluster.create_topic(name, &lists, &[("min.insync.replicas", "2")]).await;
        eventually(&format!("{name} has leaders"), Duration::from_secs(20), || async {
            let found = self.observer.partitions(name).await;
            (found.len() == lists.len() && found.iter().all(|it| it.leader.is_some() && it.in_sync.len() == it.replicas.len()))
                .then_some(())
        })
        .await;
        for (index, (_, bytes)) in partitions.iter().enumerate() {
            let at = TopicPartition::new(name, u32::try_from(index).expect("a test has few partitions"));
            self.cluster.produce(&at, bytes / RECORD_BYTES, usize::try_from(RECORD_BYTES).expect("small")).await;
        }
    }

    /// Waits until the Monitor has measured the topic's sizes.
    pub async fn wait_for_sizes(&self, center: &ControlCenter, topic: &str) {
        eventually(&format!("sizes of {topic} are known"), Duration::from_secs(60), || async {
            let partitions = center.json_lines(&["partition", "list", "--topic", topic]);
            (!partitions.is_empty()
                && partitions.iter().all(|it| it["size_bytes"].as_u64().is_some_and(|size| size >= SMALL_BYTES / 2)))
            .then_some(())
        })
        .await;
    }

    /// Waits until one step of the task is done and another is copying; gives the copying one.
    pub async fn wait_half_way(&self, center: &ControlCenter, task: &str) -> Value {
        for _ in 0..300 {
            let steps = center.steps(task);
            let done = steps.iter().any(|step| step["state"] == "SUCCEEDED");
            let copying =
                steps.iter().find(|step| step["state"] == "ISSUED" && step["bytes_done"].as_u64().is_some_and(|bytes| bytes > 0));
            if let (true, Some(copying)) = (done, copying) {
                return copying.clone();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        center.explain(task);
        panic!("no moment was seen with one step done and another copying");
    }

    /// Deletes the topics and checks that no throttle is left anywhere.
    pub async fn leave_clean(&self, topics: &[&str]) {
        self.observer.expect_no_throttles(&self.cluster.brokers(), topics).await;
        for topic in topics {
            self.cluster.delete_topic(topic).await;
        }
    }
}
