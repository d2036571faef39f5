//! A cluster as seen at one place in the log: brokers, topics, replica lists, loads. Must not know how it was observed.

use std::sync::Arc;

use crate::{BrokerId, Timestamp, TopicPartition};

/// Everything the planner and the executor look at. Brokers are sorted by id, topics by name, partitions by number.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Snapshot {
    pub cluster: String,
    /// Place in the event log that this snapshot reflects; 0 when it came from a file without one.
    pub sequence: u64,
    pub taken_at: Option<Timestamp>,
    pub brokers: Vec<Broker>,
    pub topics: Vec<Topic>,
}

impl Snapshot {
    pub fn broker(&self, id: BrokerId) -> Option<&Broker> {
        self.brokers.binary_search_by_key(&id, |broker| broker.id).ok().map(|index| &self.brokers[index])
    }

    pub fn topic(&self, name: &str) -> Option<&Topic> {
        self.topics.binary_search_by(|topic| topic.name.as_str().cmp(name)).ok().map(|index| &self.topics[index])
    }

    pub fn partition(&self, at: &TopicPartition) -> Option<&Partition> {
        self.topic(&at.topic)?.partition(at.partition)
    }

    /// Whether `id` is registered and not dead.
    pub fn is_alive(&self, id: BrokerId) -> bool {
        self.broker(id).is_some_and(|broker| broker.state != BrokerState::Dead)
    }

    /// The rack of a broker; a broker without one is a rack of its own, written as its id with a leading NUL so that it cannot
    /// be mistaken for a configured name.
    pub fn rack(&self, id: BrokerId) -> String {
        match self.broker(id).and_then(|broker| broker.rack.clone()) {
            Some(rack) => rack,
            None => format!("\0{id}"),
        }
    }

    /// Bytes of all replicas, wherever they are.
    pub fn data_bytes(&self) -> u64 {
        let bytes = |partition: &Partition| partition.load.size_bytes.saturating_mul(partition.replicas.len() as u64);
        self.partitions().fold(0, |sum, (_, partition)| sum.saturating_add(bytes(partition)))
    }

    /// Every partition with its topic, in snapshot order.
    pub fn partitions(&self) -> impl Iterator<Item = (&Topic, &Partition)> {
        self.topics.iter().flat_map(|topic| topic.partitions.iter().map(move |partition| (topic, partition)))
    }

    /// Puts brokers, topics and partitions into the order that look-ups rely on.
    pub fn sort(&mut self) {
        self.brokers.sort_by_key(|broker| broker.id);
        self.topics.sort_by(|a, b| a.name.cmp(&b.name));
        for topic in &mut self.topics {
            topic.partitions.sort_by_key(|partition| partition.index);
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broker {
    pub id: BrokerId,
    /// `None`: the broker is a rack of its own.
    pub rack: Option<String>,
    pub host: Option<String>,
    /// Resource group; "default" unless configured.
    pub group: String,
    pub state: BrokerState,
    pub capacity: Capacity,
    pub log_dirs: Vec<LogDir>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum BrokerState {
    Alive,
    /// Alive and meant to be filled.
    New,
    /// Alive and to be emptied: gets no new replica.
    Draining,
    Dead,
}

/// What a broker can carry. 0 means unknown or none: the broker is left out of that resource.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Capacity {
    pub cpu_millicores: u64,
    pub disk_bytes: u64,
    pub network_in_bytes_per_second: u64,
    pub network_out_bytes_per_second: u64,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogDir {
    pub path: String,
    pub capacity_bytes: u64,
    pub state: LogDirState,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LogDirState {
    Online,
    Offline,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Topic {
    pub name: String,
    /// Kafka's topic id as it prints it (base64url); `None` when unknown.
    pub id: Option<String>,
    pub group: String,
    pub min_insync_replicas: u32,
    pub partitions: Vec<Partition>,
}

impl Topic {
    pub fn partition(&self, index: u32) -> Option<&Partition> {
        self.partitions.binary_search_by_key(&index, |partition| partition.index).ok().map(|at| &self.partitions[at])
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Partition {
    pub index: u32,
    /// The replica list in order, `replicas[0]` preferred. While a reassignment is pending this is its *target* list, without
    /// the replicas that are being removed.
    pub replicas: Vec<BrokerId>,
    pub leader: Option<BrokerId>,
    pub in_sync: Vec<BrokerId>,
    /// Log directory per replica, parallel to `replicas`; empty when unknown. Paths are few and shared.
    pub log_dirs: Vec<Arc<str>>,
    /// Pending reassignment: brokers of `replicas` that are still copying.
    pub adding_replicas: Vec<BrokerId>,
    /// Pending reassignment: brokers that leave when it completes; not in `replicas`.
    pub removing_replicas: Vec<BrokerId>,
    pub load: Load,
}

impl Partition {
    pub fn is_reassigning(&self) -> bool {
        !self.adding_replicas.is_empty() || !self.removing_replicas.is_empty()
    }

    /// Every broker that holds or will hold data of this partition: targets, then those being removed.
    pub fn holders(&self) -> impl Iterator<Item = BrokerId> + '_ {
        self.replicas.iter().chain(&self.removing_replicas).copied()
    }
}

/// Load of one partition. `None` means not measured, which differs from zero.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Load {
    pub size_bytes: u64,
    pub produce_bytes_per_second: u64,
    pub consume_bytes_per_second: Option<u64>,
    pub leader_cpu_millicores: Option<u64>,
    pub follower_cpu_millicores: Option<u64>,
    /// Where the figures come from, e.g. "offsets+log-dirs"; `None` when unknown. Sources are few and shared.
    pub source: Option<Arc<str>>,
    pub age_seconds: Option<u64>,
}
