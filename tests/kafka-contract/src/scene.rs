//! What statements share: brokers to play with, topics that are set up and removed, waiting until lagging views agree, and a brake
//! that holds a copy for as long as a statement looks at it. Must not know any statement.

use std::{sync::Arc, time::Duration};

use ballast_cluster::{BrokerId, TopicPartition};
use ballast_kafka::{
    Batch, ConfigAlteration, ConfigOperation, ConfigResource, KafkaAdmin, KafkaError, OffsetQuery, OngoingReassignment,
    PartitionMetadata,
};

use crate::ClusterUnderTest;

pub const LEADER_LIST: &str = "leader.replication.throttled.replicas";
pub const LEADER_RATE: &str = "leader.replication.throttled.rate";
const POLL: Duration = Duration::from_millis(250);
/// Longest wait for anything: two default sessions and a restart, with room for a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Scene<'a> {
    pub cluster: &'a dyn ClusterUnderTest,
    pub admin: Arc<dyn KafkaAdmin>,
    /// Live brokers at the start, by id.
    pub brokers: Vec<BrokerId>,
}

impl<'a> Scene<'a> {
    pub async fn set(cluster: &'a dyn ClusterUnderTest) -> Scene<'a> {
        let admin = cluster.admin();
        let metadata = admin.metadata(None, Some(&[])).await.expect("the cluster answers before a statement begins");
        let mut brokers: Vec<BrokerId> =
            metadata.brokers.iter().filter(|broker| !broker.fenced).map(|broker| broker.id).collect();
        brokers.sort();
        assert!(brokers.len() >= 5, "the suite needs five live brokers and found {brokers:?}");
        Scene { cluster, admin, brokers }
    }

    /// The brokers at these places of the sorted list.
    pub fn list(&self, places: &[usize]) -> Vec<BrokerId> {
        places.iter().map(|&place| self.brokers[place]).collect()
    }

    /// A new topic of one partition with its replicas at these places, all in sync; `bytes` are produced to it.
    pub async fn topic(&self, name: &str, places: &[usize], bytes: u64) -> TopicPartition {
        let at = TopicPartition::new(format!("{}-{name}", self.cluster.name_prefix()), 0);
        let list = self.list(places);
        self.cluster.create_topic(&at.topic, std::slice::from_ref(&list), &[]).await;
        self.until("the new topic is in sync", async || {
            let seen = self.find(&at).await?;
            (seen.replicas == list && seen.in_sync.len() == list.len() && seen.leader == Some(list[0])).then_some(())
        })
        .await;
        if bytes > 0 {
            self.cluster.produce(&at, bytes).await;
        }
        at
    }

    pub async fn remove(&self, at: &TopicPartition) {
        self.cluster.delete_topic(&at.topic).await;
        self.until("the deleted topic is gone", async || self.find(at).await.is_none().then_some(())).await;
    }

    /// The partition as some broker sees it now.
    pub async fn find(&self, at: &TopicPartition) -> Option<PartitionMetadata> {
        let metadata = self.admin.metadata(None, Some(std::slice::from_ref(&at.topic))).await.ok()?;
        metadata.topic(&at.topic)?.partitions.iter().find(|partition| partition.partition == at.partition).cloned()
    }

    pub async fn see(&self, at: &TopicPartition) -> PartitionMetadata {
        self.until("the partition is seen", async || self.find(at).await).await
    }

    pub async fn pending(&self, at: &TopicPartition) -> Option<OngoingReassignment> {
        let listed = self.admin.list_partition_reassignments().await.expect("the controller lists reassignments");
        listed.into_iter().find(|ongoing| ongoing.at == *at)
    }

    /// Asks for one list, or cancels, and gives the item's result.
    pub async fn submit(&self, at: &TopicPartition, target: Option<Vec<BrokerId>>) -> Result<(), KafkaError> {
        only(self.admin.alter_partition_reassignments(&[(at.clone(), target)]).await?)
    }

    pub async fn elect(&self, at: &TopicPartition) -> Result<(), KafkaError> {
        only(self.admin.elect_preferred_leaders(std::slice::from_ref(at)).await?)
    }

    /// Waits until nothing is pending and brokers show exactly `list`, all of it in sync.
    pub async fn settled(&self, at: &TopicPartition, list: &[BrokerId]) -> PartitionMetadata {
        self.until(&format!("{at} settles at {list:?}"), async || {
            if self.pending(at).await.is_some() {
                return None;
            }
            self.find(at).await.filter(|seen| seen.replicas == list && list.iter().all(|broker| seen.in_sync.contains(broker)))
        })
        .await
    }

    /// Asserts that the partition is still pending after `seconds`.
    pub async fn stays_pending(&self, at: &TopicPartition, seconds: u64) -> OngoingReassignment {
        self.cluster.pause(Duration::from_secs(seconds)).await;
        self.pending(at).await.unwrap_or_else(|| panic!("{at} should still be pending after {seconds} s"))
    }

    pub async fn end_offset(&self, broker: BrokerId, query: OffsetQuery, at: &TopicPartition) -> Result<i64, KafkaError> {
        only(self.admin.list_offsets(broker, query, std::slice::from_ref(at)).await?)
    }

    pub async fn alter(&self, resource: ConfigResource, key: &str, operation: ConfigOperation) -> Result<(), KafkaError> {
        only(self.admin.incremental_alter_configs(&[ConfigAlteration { resource, key: key.to_owned(), operation }]).await?)
    }

    /// The value of one key as read back; `None` when it is not set and has no default.
    pub async fn config(&self, resource: &ConfigResource, key: &str) -> Option<String> {
        let entries = only(self.admin.describe_configs(std::slice::from_ref(resource), &[key]).await.ok()?).ok()?;
        entries.into_iter().find(|entry| entry.key == key)?.value
    }

    /// Writes one key and waits until it reads back so.
    pub async fn configure(&self, resource: ConfigResource, key: &str, value: &str) {
        self.alter(resource.clone(), key, ConfigOperation::Set(value.to_owned())).await.expect("the config is accepted");
        self.until(&format!("{key} reads {value}"), async || {
            (self.config(&resource, key).await.as_deref() == Some(value)).then_some(())
        })
        .await;
    }

    /// Deletes one key and waits until its former value is gone.
    pub async fn clear(&self, resource: ConfigResource, key: &str) {
        let before = self.config(&resource, key).await;
        self.alter(resource.clone(), key, ConfigOperation::Delete).await.expect("deleting a config is accepted");
        self.until(&format!("{key} is deleted"), async || {
            let now = self.config(&resource, key).await;
            (now != before || now.as_deref().unwrap_or("").is_empty()).then_some(())
        })
        .await;
    }

    /// Limits what `holders` send of this partition to followers that are not in sync. 1 byte per second is a full stop.
    pub async fn limit(&self, at: &TopicPartition, holders: &[BrokerId], rate_bytes_per_second: u64) {
        for &broker in holders {
            self.configure(ConfigResource::Broker(broker), LEADER_RATE, &rate_bytes_per_second.to_string()).await;
        }
        let entries: Vec<String> = holders.iter().map(|broker| format!("{}:{broker}", at.partition)).collect();
        self.configure(ConfigResource::Topic(at.topic.clone()), LEADER_LIST, &entries.join(",")).await;
    }

    /// Takes the limit of [`Scene::limit`] away: list first, then rates.
    pub async fn unlimit(&self, at: &TopicPartition, holders: &[BrokerId]) {
        self.clear(ConfigResource::Topic(at.topic.clone()), LEADER_LIST).await;
        for &broker in holders {
            self.clear(ConfigResource::Broker(broker), LEADER_RATE).await;
        }
    }

    /// Kills a broker and waits until the cluster has noticed.
    pub async fn kill(&self, broker: BrokerId) {
        self.cluster.kill(broker).await;
        self.until(&format!("broker {broker} is fenced"), async || {
            let metadata = self.admin.metadata(None, Some(&[])).await.ok()?;
            metadata.brokers.iter().all(|seen| seen.id != broker || seen.fenced).then_some(())
        })
        .await;
    }

    /// Restarts a broker and waits until it serves again.
    pub async fn restart(&self, broker: BrokerId) {
        self.cluster.restart(broker).await;
        self.until(&format!("broker {broker} is back"), async || {
            let metadata = self.admin.metadata(None, Some(&[])).await.ok()?;
            metadata.brokers.iter().find(|seen| seen.id == broker && !seen.fenced)?;
            self.admin.describe_log_dirs(broker).await.ok().map(|_| ())
        })
        .await;
    }

    /// Polls until `look` gives something; panics after [`PATIENCE`] with `what` was waited for.
    pub async fn until<T>(&self, what: &str, look: impl AsyncFn() -> Option<T>) -> T {
        let started = self.cluster.clock().now();
        loop {
            if let Some(found) = look().await {
                return found;
            }
            let waited = self.cluster.clock().now().milliseconds_since(started);
            assert!(waited < PATIENCE.as_millis() as i64, "waited {waited} ms in vain until {what}");
            self.cluster.pause(POLL).await;
        }
    }
}

/// The result of a batch of one.
pub fn only<K, V>(batch: Batch<K, V>) -> Result<V, KafkaError> {
    assert_eq!(batch.len(), 1, "a batch of one is answered by one item");
    batch.into_iter().next().expect("length was just checked").1
}
