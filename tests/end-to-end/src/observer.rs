//! Looks at a cluster without Ballast's services: replica lists, in-sync sets, leaders, configs. Must not know tasks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ballast_cluster::{BrokerId, TopicPartition};
use ballast_kafka::{ConfigAlteration, ConfigOperation, ConfigResource, ConfigSource, KafkaAdmin, PartitionMetadata};

use crate::eventually;

/// Partition to its replica list and leader.
pub type Lists = BTreeMap<u32, (Vec<i32>, Option<i32>)>;

const THROTTLE_KEYS: [&str; 4] = [
    "leader.replication.throttled.rate",
    "follower.replication.throttled.rate",
    "leader.replication.throttled.replicas",
    "follower.replication.throttled.replicas",
];

/// Eyes of a test.
#[derive(Clone)]
pub struct Observer {
    pub admin: Arc<dyn KafkaAdmin>,
}

impl Observer {
    pub async fn partitions(&self, topic: &str) -> Vec<PartitionMetadata> {
        let metadata = self.admin.metadata(None, Some(&[topic.to_owned()])).await.expect("a broker answers");
        let mut partitions = metadata.topic(topic).map(|found| found.partitions.clone()).unwrap_or_default();
        partitions.sort_by_key(|partition| partition.partition);
        partitions
    }

    pub async fn lists(&self, topic: &str) -> Lists {
        let entry = |it: PartitionMetadata| (it.partition, (numbers(&it.replicas), it.leader.map(|leader| leader.0)));
        self.partitions(topic).await.into_iter().map(entry).collect()
    }

    /// Waits until lists and leaders are exactly these.
    pub async fn expect_lists(&self, topic: &str, expected: &Lists) {
        let mut last = Lists::new();
        for _ in 0..100 {
            last = self.lists(topic).await;
            if last == *expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(&last, expected, "lists and leaders of {topic}");
    }

    /// Waits until every partition of `topic` has `factor` replicas, all in sync, none on `without`, at most `per_rack_max` in
    /// a rack (odd and even brokers).
    pub async fn expect_healthy(&self, topic: &str, factor: usize, without: &[i32], per_rack_max: usize) {
        eventually(&format!("{topic} is whole"), Duration::from_secs(30), || async {
            let whole = self.partitions(topic).await.iter().all(|partition| {
                let list = numbers(&partition.replicas);
                let odd = list.iter().filter(|broker| *broker % 2 == 1).count();
                list.len() == factor
                    && partition.in_sync.len() == factor
                    && partition.leader.is_some()
                    && list.iter().all(|broker| !without.contains(broker))
                    && odd.max(list.len() - odd) <= per_rack_max
            });
            whole.then_some(())
        })
        .await;
    }

    /// Every throttle key that is set dynamically on a broker or on one of `topics`.
    pub async fn throttles(&self, brokers: &[BrokerId], topics: &[&str]) -> Vec<String> {
        let mut found = Vec::new();
        let resources = brokers
            .iter()
            .map(|broker| ConfigResource::Broker(*broker))
            .chain(topics.iter().map(|topic| ConfigResource::Topic((*topic).to_owned())));
        for resource in resources {
            let answers = match self.admin.describe_configs(std::slice::from_ref(&resource), &THROTTLE_KEYS).await {
                Ok(answers) => answers,
                // A broker that has just started may be listed before it takes connections.
                Err(error) => {
                    found.push(format!("{resource:?} cannot be asked: {error}"));
                    continue;
                }
            };
            for (_, entries) in answers {
                let entries = match entries {
                    Ok(entries) => entries,
                    Err(error) => {
                        found.push(format!("{resource:?} cannot be asked: {error}"));
                        continue;
                    }
                };
                let dynamic = |source| {
                    matches!(
                        source,
                        ConfigSource::DynamicBroker | ConfigSource::DynamicTopic | ConfigSource::DynamicBrokerDefault
                    )
                };
                let set = entries.into_iter().filter(|entry| dynamic(entry.source));
                found.extend(set.map(|entry| format!("{resource:?} {} = {:?}", entry.key, entry.value)));
            }
        }
        found
    }

    /// Waits until nothing of any throttle is left on the brokers and topics. After a write whose answer was lost Flow Control waits
    /// until it cannot land any more, about half a minute.
    pub async fn expect_no_throttles(&self, brokers: &[BrokerId], topics: &[&str]) {
        let mut left = Vec::new();
        for _ in 0..250 {
            left = self.throttles(brokers, topics).await;
            if left.is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("throttles are left: {left:?}");
    }

    /// Deletes every throttle rate of these brokers.
    pub async fn remove_rates(&self, brokers: &[BrokerId]) {
        for broker in brokers {
            for key in &THROTTLE_KEYS[..2] {
                self.set_config(ConfigResource::Broker(*broker), key, ConfigOperation::Delete).await;
            }
        }
    }

    /// Waits until the broker is fenced or gone (`alive` false), or serving.
    pub async fn expect_alive(&self, broker: BrokerId, alive: bool) {
        eventually(&format!("broker {broker} alive: {alive}"), Duration::from_secs(60), || async {
            let metadata = self.admin.metadata(None, Some(&[])).await.ok()?;
            if alive {
                // It may be listed before it takes connections.
                self.admin.describe_log_dirs(broker).await.ok()?;
            }
            (metadata.brokers.iter().any(|it| it.id == broker) == alive).then_some(())
        })
        .await;
    }

    pub async fn set_config(&self, resource: ConfigResource, key: &str, operation: ConfigOperation) {
        let alteration = ConfigAlteration { resource, key: key.to_owned(), operation };
        let answers = self.admin.incremental_alter_configs(&[alteration]).await.expect("the write is answered");
        for (resource, answer) in answers {
            answer.unwrap_or_else(|error| panic!("{resource:?}: {error}"));
        }
    }

    /// Submits a reassignment as somebody else would; `None` cancels.
    pub async fn reassign(&self, at: &TopicPartition, target: Option<&[i32]>) {
        let target = target.map(|list| list.iter().copied().map(BrokerId).collect());
        let answers = self.admin.alter_partition_reassignments(&[(at.clone(), target)]).await.expect("the write is answered");
        for (at, answer) in answers {
            answer.unwrap_or_else(|error| panic!("{at}: {error}"));
        }
    }
}

fn numbers(brokers: &[BrokerId]) -> Vec<i32> {
    brokers.iter().map(|broker| broker.0).collect()
}
