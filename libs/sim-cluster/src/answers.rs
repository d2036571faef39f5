//! What brokers answer, made from the world as they see it. Must not know mishaps or waiting.

use ballast_cluster::{BrokerId, TopicPartition};
use ballast_kafka::{
    BrokerDescription, ClusterDescription, ConfigEntry, ConfigResource, ConfigSource, ErrorCode, GroupOffset, KafkaError,
    LogDirDescription, Metadata, OffsetQuery, OngoingReassignment, PartitionMetadata, QuorumDescription, ReplicaSize,
    TopicMetadata,
};

use crate::{
    configs::{CORDONED, Resource, Source},
    world::{Broker, Partition, RECORD_BYTES, Topic, World},
};

fn ids(list: &[i32]) -> Vec<BrokerId> {
    list.iter().copied().map(BrokerId).collect()
}

impl World {
    /// The broker that answers: the asked one, or the first that serves.
    pub fn answering(&self, via: Option<BrokerId>) -> Result<i32, KafkaError> {
        let serving = |id: &i32| self.brokers.get(id).is_some_and(Broker::serves);
        let found = match via {
            Some(asked) => Some(asked.0).filter(serving),
            None => self.brokers.keys().copied().find(serving),
        };
        found.ok_or_else(|| {
            let asked = via.and_then(|asked| self.brokers.get(&asked.0));
            let endpoint = asked.map_or("any broker".to_owned(), |broker| format!("{}:{}", broker.host, broker.port));
            KafkaError::Unreachable { endpoint, cause: "connection refused".to_owned() }
        })
    }

    fn describe_brokers(&self, keep: impl Fn(&Broker) -> bool) -> Vec<BrokerDescription> {
        let describe = |(&id, broker): (&i32, &Broker)| BrokerDescription {
            id: BrokerId(id),
            host: broker.host.clone(),
            port: broker.port,
            rack: broker.rack.clone(),
            fenced: broker.fenced,
        };
        self.brokers.iter().filter(|(_, broker)| keep(broker)).map(describe).collect()
    }

    pub fn describe_cluster(&self, via: Option<BrokerId>) -> Result<ClusterDescription, KafkaError> {
        let answered_by = Some(BrokerId(self.answering(via)?));
        let brokers = self.describe_brokers(|broker| !broker.fenced || self.version.lists_fenced_brokers());
        Ok(ClusterDescription { cluster_id: self.cluster_id.clone(), answered_by, brokers })
    }

    pub fn metadata(&self, via: Option<BrokerId>, topics: Option<&[String]>) -> Result<Metadata, KafkaError> {
        let answered_by = Some(BrokerId(self.answering(via)?));
        let fading = self.fading.iter().map(|(name, (_, topic))| (name, topic));
        let present = self.topics.iter().filter(|(name, topic)| topic.seen_from <= self.now && !self.fading.contains_key(*name));
        let mut shown: Vec<(&String, &Topic)> = fading.chain(present).collect();
        shown.retain(|(name, _)| topics.is_none_or(|topics| topics.contains(name)));
        shown.sort_by_key(|(name, _)| *name);
        let topics = shown.into_iter().map(|(name, topic)| self.topic_metadata(name, topic)).collect();
        Ok(Metadata { answered_by, brokers: self.describe_brokers(|broker| !broker.fenced), topics })
    }

    fn topic_metadata(&self, name: &str, topic: &Topic) -> TopicMetadata {
        let partition_metadata = |(index, partition): (u32, &Partition)| {
            let seen = &partition.seen;
            let is_offline = |id: &i32| {
                self.brokers.get(id).is_none_or(|broker| broker.fenced) || partition.copies.get(id).is_some_and(|copy| copy.lost)
            };
            PartitionMetadata {
                partition: index,
                leader: seen.leader.map(BrokerId),
                leader_epoch: seen.leader_epoch,
                replicas: ids(&seen.replicas),
                in_sync: ids(seen.shown_in_sync(self.version)),
                offline: seen.replicas.iter().filter(|id| is_offline(id)).copied().map(BrokerId).collect(),
            }
        };
        TopicMetadata {
            name: name.to_owned(),
            id: Some(topic.id.clone()),
            is_internal: name.starts_with("__"),
            partitions: (0_u32..).zip(&topic.partitions).map(partition_metadata).collect(),
        }
    }

    pub fn describe_log_dirs(&self, broker: BrokerId) -> Result<Vec<LogDirDescription>, KafkaError> {
        let id = self.answering(Some(broker))?;
        let dirs = self.brokers[&id].log_dirs.iter().enumerate();
        Ok(dirs
            .map(|(index, dir)| {
                let used = self.used_bytes(id, index);
                LogDirDescription {
                    path: dir.path.clone(),
                    failed: dir.failed,
                    volume_total_bytes: (!dir.failed).then_some(dir.capacity_bytes),
                    volume_usable_bytes: (!dir.failed).then_some(dir.capacity_bytes.saturating_sub(used)),
                    replicas: if dir.failed { Vec::new() } else { self.replica_sizes(id, index) },
                }
            })
            .collect())
    }

    /// Replicas in one sound directory.
    fn replica_sizes(&self, id: i32, log_dir: usize) -> Vec<ReplicaSize> {
        let mut sizes = Vec::new();
        for (name, topic) in &self.topics {
            for (index, partition) in (0_u32..).zip(&topic.partitions) {
                let Some(copy) = partition.copies.get(&id).filter(|copy| !copy.lost) else { continue };
                let is_future = copy.future.is_some_and(|(future, _)| future == log_dir);
                if is_future || copy.log_dir == log_dir {
                    let at = TopicPartition::new(name.clone(), index);
                    sizes.push(ReplicaSize { at, size_bytes: copy.size_bytes(), is_future });
                }
            }
        }
        sizes
    }

    pub fn offset(&self, broker: i32, query: OffsetQuery, at: &TopicPartition) -> Result<i64, KafkaError> {
        let refused = |code| KafkaError::Refused { operation: "ListOffsets", code, message: None };
        let partition = self.partition(&at.topic, at.partition).ok_or_else(|| refused(ErrorCode::UnknownTopicOrPartition))?;
        let state = &partition.state;
        let copy = partition.copies.get(&broker);
        if copy.is_some_and(|copy| copy.lost) {
            return Err(refused(ErrorCode::KafkaStorageError));
        }
        let bytes = match query {
            OffsetQuery::ReplicaEnd if state.replicas.contains(&broker) => copy.map_or(0, |copy| copy.end),
            OffsetQuery::LeaderEnd if state.leader == Some(broker) => partition.high_watermark(),
            OffsetQuery::LeaderStart if state.leader == Some(broker) => copy.map_or(0, |copy| copy.start),
            _ => return Err(refused(ErrorCode::NotLeaderOrFollower)),
        };
        Ok(i64::try_from(bytes / RECORD_BYTES).unwrap_or(i64::MAX))
    }

    pub fn ongoing_reassignments(&self) -> Vec<OngoingReassignment> {
        let mut ongoing = Vec::new();
        for (name, topic) in &self.topics {
            for (index, partition) in (0_u32..).zip(&topic.partitions).filter(|(_, partition)| partition.state.is_reassigning()) {
                let state = &partition.state;
                let at = TopicPartition::new(name.clone(), index);
                let (replicas, adding, removing) = (ids(&state.replicas), ids(&state.adding), ids(&state.removing));
                ongoing.push(OngoingReassignment { at, replicas, adding, removing });
            }
        }
        ongoing
    }

    pub fn describe_configs(&self, resource: &ConfigResource, keys: &[&str]) -> Result<Vec<ConfigEntry>, KafkaError> {
        let place = match resource {
            ConfigResource::Topic(name) if !self.topics.contains_key(name) => {
                let code = ErrorCode::UnknownTopicOrPartition;
                return Err(KafkaError::Refused { operation: "DescribeConfigs", code, message: None });
            }
            ConfigResource::Topic(name) => Resource::Topic(name.clone()),
            ConfigResource::Broker(id) => Resource::Broker(self.answering(Some(*id))?),
            ConfigResource::BrokerDefault => Resource::BrokerDefault,
        };
        let is_known = |key: &&&str| **key != CORDONED || self.version.can_cordon();
        let entry = |key: &&str| {
            let (value, source) = self.seen_configs.read(&place, key)?;
            let source = match source {
                Source::Topic => ConfigSource::DynamicTopic,
                Source::Broker => ConfigSource::DynamicBroker,
                Source::BrokerDefault => ConfigSource::DynamicBrokerDefault,
                Source::File => ConfigSource::StaticBroker,
                Source::Default => ConfigSource::Default,
            };
            Some(ConfigEntry { key: (*key).to_owned(), value: Some(value), source })
        };
        Ok(keys.iter().filter(is_known).filter_map(entry).collect())
    }

    /// One controller beside the brokers.
    pub fn quorum(&self) -> QuorumDescription {
        QuorumDescription { leader: 100, leader_epoch: 1, voters: vec![(100, 0)] }
    }

    pub fn group_offsets(&self) -> Vec<GroupOffset> {
        let mut offsets = Vec::new();
        for group in &self.groups {
            for (index, committed) in (0_u32..).zip(&group.committed) {
                if let Some(committed) = *committed {
                    let at = TopicPartition::new(group.topic.clone(), index);
                    offsets.push(GroupOffset { group: group.name.clone(), at, committed });
                }
            }
        }
        offsets
    }
}
