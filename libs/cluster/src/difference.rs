//! What changed between two snapshots, as facts to record. Loads are measurements, not facts: they never make a difference.

use crate::{Broker, Partition, Snapshot, Topic, TopicPartition};

/// One difference. Applying all of them in order to the older snapshot gives the newer one, loads apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    BrokerSeen(Broker),
    BrokerGone(crate::BrokerId),
    /// A topic that was not there, or came back with another id: with all its partitions.
    TopicSeen(Topic),
    TopicGone(String),
    /// A partition whose list, leader, in-sync set or reassignment changed, or that was added.
    PartitionSeen {
        topic: String,
        partition: Partition,
    },
    MinInsyncReplicasChanged {
        topic: String,
        min_insync_replicas: u32,
    },
}

/// The differences from `old` to `new`, brokers first, then topics by name. Both must be sorted ([`Snapshot::sort`]).
pub fn diff(old: &Snapshot, new: &Snapshot) -> Vec<Change> {
    let mut changes = Vec::new();
    for broker in &new.brokers {
        if old.broker(broker.id) != Some(broker) {
            changes.push(Change::BrokerSeen(broker.clone()));
        }
    }
    changes
        .extend(old.brokers.iter().filter(|broker| new.broker(broker.id).is_none()).map(|broker| Change::BrokerGone(broker.id)));
    for topic in &new.topics {
        match old.topic(&topic.name) {
            Some(before) if before.id == topic.id && before.partitions.len() <= topic.partitions.len() => {
                diff_topic(before, topic, &mut changes);
            }
            _ => changes.push(Change::TopicSeen(without_loads(topic))),
        }
    }
    let gone = old.topics.iter().filter(|topic| new.topic(&topic.name).is_none());
    changes.extend(gone.map(|topic| Change::TopicGone(topic.name.clone())));
    changes
}

fn diff_topic(old: &Topic, new: &Topic, changes: &mut Vec<Change>) {
    if old.min_insync_replicas != new.min_insync_replicas {
        let (topic, min_insync_replicas) = (new.name.clone(), new.min_insync_replicas);
        changes.push(Change::MinInsyncReplicasChanged { topic, min_insync_replicas });
    }
    for partition in &new.partitions {
        let same = old.partition(partition.index).is_some_and(|before| same_placement(before, partition));
        if !same {
            changes.push(Change::PartitionSeen { topic: new.name.clone(), partition: without_load(partition) });
        }
    }
}

fn same_placement(a: &Partition, b: &Partition) -> bool {
    a.replicas == b.replicas
        && a.leader == b.leader
        && same_members(&a.in_sync, &b.in_sync)
        && a.adding_replicas == b.adding_replicas
        && a.removing_replicas == b.removing_replicas
}

/// Kafka reports the in-sync set in no stable order.
fn same_members(a: &[crate::BrokerId], b: &[crate::BrokerId]) -> bool {
    a.len() == b.len() && a.iter().all(|broker| b.contains(broker))
}

fn without_load(partition: &Partition) -> Partition {
    Partition { load: crate::Load::default(), log_dirs: Vec::new(), ..partition.clone() }
}

fn without_loads(topic: &Topic) -> Topic {
    Topic { partitions: topic.partitions.iter().map(without_load).collect(), ..topic.clone() }
}

impl Snapshot {
    /// Applies one recorded difference; the fold behind every view of a cluster.
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::BrokerSeen(broker) => match self.brokers.binary_search_by_key(&broker.id, |known| known.id) {
                Ok(index) => self.brokers[index] = broker,
                Err(index) => self.brokers.insert(index, broker),
            },
            Change::BrokerGone(id) => self.brokers.retain(|broker| broker.id != id),
            Change::TopicSeen(topic) => match self.topics.binary_search_by(|known| known.name.cmp(&topic.name)) {
                Ok(index) => self.topics[index] = topic,
                Err(index) => self.topics.insert(index, topic),
            },
            Change::TopicGone(name) => self.topics.retain(|topic| topic.name != name),
            Change::PartitionSeen { topic, partition } => {
                if let Some(topic) = self.topic_mut(&topic) {
                    match topic.partitions.binary_search_by_key(&partition.index, |known| known.index) {
                        Ok(index) => {
                            let load = std::mem::take(&mut topic.partitions[index].load);
                            topic.partitions[index] = Partition { load, ..partition };
                        }
                        Err(index) => topic.partitions.insert(index, partition),
                    }
                }
            }
            Change::MinInsyncReplicasChanged { topic, min_insync_replicas } => {
                if let Some(topic) = self.topic_mut(&topic) {
                    topic.min_insync_replicas = min_insync_replicas;
                }
            }
        }
    }

    fn topic_mut(&mut self, name: &str) -> Option<&mut Topic> {
        self.topics.binary_search_by(|topic| topic.name.as_str().cmp(name)).ok().map(|index| &mut self.topics[index])
    }
}

impl Change {
    /// The partition that this change is about, if it is about one.
    pub fn partition(&self) -> Option<TopicPartition> {
        match self {
            Change::PartitionSeen { topic, partition } => Some(TopicPartition::new(topic.clone(), partition.index)),
            _ => None,
        }
    }
}
