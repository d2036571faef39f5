//! Measures one cluster: offsets, disks, groups and topic settings, each at its own pace. A broker that does not answer leaves
//! its figures to age. Must not know topology changes or verdicts.

use std::collections::BTreeMap;

use ballast_cluster::{BrokerId, TopicPartition};
use ballast_kafka::{ConfigResource, KafkaError, Metadata, OffsetQuery, is_cordoned};
use futures::StreamExt as _;
use futures::future::{join, join_all};

use crate::disks::Disks;
use crate::sampler::Sampler;

/// Brokers that are asked for their log directories at the same time.
const DISKS_IN_FLIGHT: usize = 4;
/// Topics in one request for configs.
const TOPICS_PER_REQUEST: usize = 500;
const MIN_INSYNC_REPLICAS: &str = "min.insync.replicas";

impl Sampler {
    /// Asks every leader for its end offsets, for ever.
    pub async fn watch_offsets(&self) {
        self.wait_for_contact().await;
        loop {
            let calls = self.led_partitions().await.into_iter().map(|(broker, partitions)| async move {
                let asked_at = self.clock.now();
                let ends = self.offsets(broker, OffsetQuery::LeaderEnd, &partitions).await;
                (asked_at, ends)
            });
            for (asked_at, ends) in join_all(calls).await {
                self.watched.state().measured.see_ends(asked_at, ends);
            }
            self.watched.state().offsets_seen = true;
            self.publish().await;
            self.clock.sleep(self.config.offsets).await;
        }
    }

    /// Asks every broker for its log directories once per round, spread over the round so that only few read at a time.
    pub async fn watch_disks(&self) {
        self.wait_for_contact().await;
        self.read_disks(self.serving()).await;
        self.watched.state().sizes_seen = true;
        self.publish().await;
        loop {
            let brokers = self.serving();
            let share = self.config.log_dirs / u32::try_from(brokers.len()).unwrap_or(u32::MAX).max(1);
            if brokers.is_empty() {
                self.clock.sleep(share).await;
            }
            for broker in brokers {
                self.clock.sleep(share).await;
                self.read_disks(vec![broker]).await;
            }
        }
    }

    /// Reads the committed offsets of all groups, for ever.
    pub async fn watch_groups(&self) {
        self.wait_for_contact().await;
        loop {
            let asked_at = self.clock.now();
            match self.watched.config.admin.group_offsets().await {
                Ok(offsets) => self.watched.state().measured.see_groups(asked_at, offsets),
                Err(error) => {
                    tracing::debug!(cluster = self.watched.name(), %error, "consumer groups are not known");
                    self.watched.state().measured.miss_groups();
                }
            }
            self.clock.sleep(self.config.groups).await;
        }
    }

    /// Reads the settings of all topics anew, for ever.
    pub async fn watch_topic_configs(&self) {
        self.wait_for_contact().await;
        loop {
            self.clock.sleep(self.config.topic_configs).await;
            let journal = self.journal.lock().await;
            let topics = journal.view(self.watched.name()).topology.topics.iter().map(|topic| topic.name.clone()).collect();
            drop(journal);
            self.read_topic_configs(topics).await;
        }
    }

    /// The settings of topics that were not there before.
    pub(crate) async fn read_new_topic_configs(&self, metadata: &Metadata) {
        let known = self.watched.state().min_insync_replicas.keys().cloned().collect::<std::collections::BTreeSet<_>>();
        let new = metadata.topics.iter().map(|topic| topic.name.clone()).filter(|topic| !known.contains(topic)).collect();
        self.read_topic_configs(new).await;
    }

    async fn read_topic_configs(&self, topics: Vec<String>) {
        let resources: Vec<ConfigResource> = topics.into_iter().map(ConfigResource::Topic).collect();
        for some in resources.chunks(TOPICS_PER_REQUEST) {
            let answer = match self.watched.config.admin.describe_configs(some, &[MIN_INSYNC_REPLICAS]).await {
                Ok(answer) => answer,
                Err(error) => {
                    tracing::debug!(cluster = self.watched.name(), %error, "topic settings are not known");
                    return;
                }
            };
            let mut state = self.watched.state();
            for (resource, entries) in answer {
                let (ConfigResource::Topic(topic), Ok(entries)) = (resource, entries) else { continue };
                let value =
                    entries.iter().find(|entry| entry.key == MIN_INSYNC_REPLICAS).and_then(|entry| entry.value.as_deref());
                if let Some(replicas) = value.and_then(|value| value.parse().ok()) {
                    state.min_insync_replicas.insert(topic, replicas);
                }
            }
        }
    }

    /// Reads these brokers' log directories, a few at a time, and what the partitions led there extend over.
    pub(crate) async fn read_disks(&self, brokers: Vec<BrokerId>) {
        let reads = brokers.into_iter().map(|broker| self.read_disks_of(broker));
        futures::stream::iter(reads).buffer_unordered(DISKS_IN_FLIGHT).collect::<Vec<()>>().await;
    }

    async fn read_disks_of(&self, broker: BrokerId) {
        let seen_at = self.clock.now();
        let admin = self.watched.config.admin.as_ref();
        let described = match admin.describe_log_dirs(broker).await {
            Ok(described) => described,
            Err(error) => {
                tracing::debug!(cluster = self.watched.name(), %broker, %error, "log directories are not known");
                return;
            }
        };
        // What is not told leaves the broker as it was.
        if let Ok(cordoned) = is_cordoned(admin, broker, &described).await {
            self.watched.state().cordoned.insert(broker, cordoned);
        }
        let disks = Disks::of(described, seen_at);
        let led = self.led_partitions().await.remove(&broker).unwrap_or_default();
        let (starts, ends) =
            join(self.offsets(broker, OffsetQuery::LeaderStart, &led), self.offsets(broker, OffsetQuery::LeaderEnd, &led)).await;
        let starts: BTreeMap<TopicPartition, i64> = starts.into_iter().collect();
        let mut state = self.watched.state();
        for (partition, end) in ends {
            if let (Some(start), Some((size, _))) = (starts.get(&partition), disks.replicas.get(&partition)) {
                state.measured.see_extent(partition, *start, end, *size);
            }
        }
        state.measured.see_disks(broker, disks);
    }

    /// Partitions by the broker that leads them.
    async fn led_partitions(&self) -> BTreeMap<BrokerId, Vec<TopicPartition>> {
        let journal = self.journal.lock().await;
        let mut led: BTreeMap<BrokerId, Vec<TopicPartition>> = BTreeMap::new();
        for (topic, partition) in journal.view(self.watched.name()).topology.partitions() {
            if let Some(leader) = partition.leader {
                led.entry(leader).or_default().push(TopicPartition::new(topic.name.clone(), partition.index));
            }
        }
        led
    }

    /// The offsets that the broker gave; what it refused is left out.
    async fn offsets(&self, broker: BrokerId, query: OffsetQuery, partitions: &[TopicPartition]) -> Vec<(TopicPartition, i64)> {
        if partitions.is_empty() {
            return Vec::new();
        }
        let answer: Result<_, KafkaError> = self.watched.config.admin.list_offsets(broker, query, partitions).await;
        match answer {
            Ok(batch) => batch.into_iter().filter_map(|(partition, offset)| Some((partition, offset.ok()?))).collect(),
            Err(error) => {
                tracing::debug!(cluster = self.watched.name(), %broker, %error, "offsets are not known");
                Vec::new()
            }
        }
    }

    async fn wait_for_contact(&self) {
        // The sender lives in `self.watched`: it cannot be gone.
        let _ = self.watched.contact.subscribe().wait_for(|contact| *contact).await;
    }

    pub(crate) async fn publish(&self) {
        let journal = self.journal.lock().await;
        self.watched.publish(journal.view(self.watched.name()), self.clock.now());
    }
}
