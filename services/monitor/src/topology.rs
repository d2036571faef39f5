//! Puts the answers of one look together: the topology that Kafka describes now. Pure: must not know how it was asked, nor loads.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ballast_cluster::{Broker, BrokerId, BrokerState, Partition, Snapshot, Timestamp, Topic, TopicPartition};
use ballast_kafka::{BrokerDescription, ClusterDescription, Metadata, OngoingReassignment, PartitionMetadata, TopicMetadata};

use crate::config::MonitoredCluster;
use crate::rates::Measurements;
use crate::view::ClusterView;

/// The answers of one look, and what was learned before.
pub struct Seen<'a> {
    pub config: &'a MonitoredCluster,
    pub registered: &'a ClusterDescription,
    pub metadata: &'a Metadata,
    /// `None`: the controller did not answer; what was pending is taken to be so still.
    pub ongoing: Option<&'a [OngoingReassignment]>,
    pub min_insync_replicas: &'a BTreeMap<String, u32>,
    pub measured: &'a Measurements,
    /// What the stream has recorded so far.
    pub before: &'a ClusterView,
    /// A lost broker that Kafka does not list, gone since before this, is forgotten.
    pub forget_before: Timestamp,
    /// Kafka was seen to list fenced brokers: one that it does not list has left.
    pub lists_fenced: bool,
}

impl Seen<'_> {
    /// The topology, with the broker states that are recorded. Brokers and controller lag each other: a partition whose number of
    /// replicas changes without a pending reassignment is put into `deferred` and kept as it was, once.
    pub fn assemble(&self, deferred: &mut BTreeSet<TopicPartition>) -> Snapshot {
        let deferred_before = std::mem::take(deferred);
        let ongoing: HashMap<&TopicPartition, &OngoingReassignment> =
            self.ongoing.unwrap_or_default().iter().map(|entry| (&entry.at, entry)).collect();
        let mut topics = Vec::with_capacity(self.metadata.topics.len());
        for described in &self.metadata.topics {
            let mut topic = self.topic(described);
            for partition in &described.partitions {
                let at = TopicPartition::new(described.name.clone(), partition.partition);
                let mut seen = self.partition(&at, partition, ongoing.get(&at).copied(), described);
                if let Some(before) = self.recorded(&at, described)
                    && !seen.is_reassigning()
                    && seen.replicas.len() != before.replicas.len()
                    && !deferred_before.contains(&at)
                {
                    seen = before.clone();
                    deferred.insert(at);
                }
                topic.partitions.push(seen);
            }
            topics.push(topic);
        }
        let mut snapshot =
            Snapshot { cluster: self.config.name.clone(), sequence: 0, taken_at: None, brokers: Vec::new(), topics };
        snapshot.brokers = self.brokers(&snapshot);
        snapshot.sort();
        snapshot
    }

    fn topic(&self, described: &TopicMetadata) -> Topic {
        let recorded = self.before.topology.topic(&described.name).map(|topic| topic.min_insync_replicas);
        let min_insync_replicas = self.min_insync_replicas.get(&described.name).copied().or(recorded).unwrap_or(1);
        let (name, id) = (described.name.clone(), described.id.clone());
        Topic {
            name,
            id,
            group: "default".into(),
            min_insync_replicas,
            partitions: Vec::with_capacity(described.partitions.len()),
        }
    }

    fn partition(
        &self,
        at: &TopicPartition,
        seen: &PartitionMetadata,
        ongoing: Option<&OngoingReassignment>,
        topic: &TopicMetadata,
    ) -> Partition {
        let is_dead = |broker: &BrokerId| self.before.state(*broker) == BrokerState::Dead;
        let mut partition = Partition {
            index: seen.partition,
            replicas: seen.replicas.clone(),
            leader: seen.leader.filter(|leader| !is_dead(leader)),
            in_sync: seen.in_sync.iter().filter(|broker| !is_dead(broker)).copied().collect(),
            ..Partition::default()
        };
        partition.in_sync.sort_unstable();
        if let Some(ongoing) = ongoing {
            partition.replicas = ongoing.target();
            partition.adding_replicas = ongoing.adding.clone();
            partition.removing_replicas = ongoing.removing.clone();
        } else if let (None, Some(before)) = (self.ongoing, self.recorded(at, topic)) {
            let held: BTreeSet<BrokerId> = before.holders().collect();
            if before.is_reassigning() && held == seen.replicas.iter().copied().collect() {
                partition.replicas = before.replicas.clone();
                partition.adding_replicas = before.adding_replicas.clone();
                partition.removing_replicas = before.removing_replicas.clone();
            }
        }
        partition
    }

    /// The partition as recorded, of the same topic id.
    fn recorded(&self, at: &TopicPartition, topic: &TopicMetadata) -> Option<&Partition> {
        self.before.topology.topic(&at.topic).filter(|known| known.id == topic.id)?.partition(at.partition)
    }

    /// Brokers that are registered, hold replicas or were known, except those that left for good.
    fn brokers(&self, snapshot: &Snapshot) -> Vec<Broker> {
        let holders: BTreeSet<BrokerId> = snapshot.partitions().flat_map(|(_, partition)| partition.holders()).collect();
        let described: BTreeMap<BrokerId, &BrokerDescription> =
            self.registered.brokers.iter().chain(&self.metadata.brokers).map(|broker| (broker.id, broker)).collect();
        let known = self.before.topology.brokers.iter().map(|broker| broker.id);
        let left = |id: BrokerId| !described.contains_key(&id) && !holders.contains(&id) && self.has_left(id);
        let ids: BTreeSet<BrokerId> =
            known.filter(|id| !left(*id)).chain(described.keys().copied()).chain(holders.iter().copied()).collect();
        ids.into_iter().map(|id| self.broker(id, described.get(&id).copied())).collect()
    }

    fn has_left(&self, id: BrokerId) -> bool {
        self.before.lost.get(&id).is_some_and(|absence| self.lists_fenced || absence.since <= self.forget_before)
    }

    fn broker(&self, id: BrokerId, described: Option<&BrokerDescription>) -> Broker {
        let before = self.before.topology.broker(id);
        let (rack, host) = match (described, before) {
            (Some(described), _) => (described.rack.clone(), Some(described.host.clone())),
            (None, Some(before)) => (before.rack.clone(), before.host.clone()),
            (None, None) => (None, None),
        };
        let (log_dirs, volumes_bytes) = match (self.measured.disks(id), before) {
            (Some(disks), _) => (disks.log_dirs.clone(), disks.volumes_bytes),
            (None, Some(before)) => (before.log_dirs.clone(), before.capacity.disk_bytes),
            (None, None) => (Vec::new(), 0),
        };
        let capacity = self.config.capacity(id, volumes_bytes);
        Broker { id, rack, host, group: self.config.group(id), state: self.before.state(id), capacity, log_dirs }
    }
}

#[cfg(test)]
mod tests;
