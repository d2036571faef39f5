//! Serde twins of the cluster types, field by field as the contract's section 2. Must not check what lists mean.

use std::collections::BTreeSet;

use ballast_cluster::{
    Broker, BrokerId, BrokerState, Capacity, Load, LogDir, LogDirState, Partition, Snapshot, Timestamp, Topic,
};
use serde::{Deserialize, Serialize, Serializer};

use crate::{FORMAT, SnapshotError};

/// Just enough to tell another format from a damaged file.
#[derive(Deserialize)]
pub(crate) struct Header {
    pub format: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Document {
    pub format: String,
    cluster: String,
    #[serde(default)]
    sequence: u64,
    taken_at: Option<String>,
    brokers: Vec<BrokerDocument>,
    topics: Vec<TopicDocument>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BrokerDocument {
    id: u32,
    rack: Option<String>,
    host: Option<String>,
    #[serde(default = "default_group")]
    group: String,
    state: StateDocument,
    capacity: CapacityDocument,
    #[serde(default)]
    log_dirs: Vec<LogDirDocument>,
}

#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum StateDocument {
    Alive,
    New,
    Draining,
    Dead,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CapacityDocument {
    cpu_millicores: u64,
    disk_bytes: u64,
    network_in_bytes_per_second: u64,
    network_out_bytes_per_second: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LogDirDocument {
    path: String,
    capacity_bytes: u64,
    state: LogDirStateDocument,
}

#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum LogDirStateDocument {
    Online,
    Offline,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TopicDocument {
    name: String,
    id: Option<String>,
    #[serde(default = "default_group")]
    group: String,
    #[serde(default = "one")]
    min_insync_replicas: u32,
    partitions: Vec<PartitionDocument>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PartitionDocument {
    partition: u32,
    replicas: Vec<u32>,
    leader: Option<u32>,
    /// Absent: every replica on a broker that is not dead.
    in_sync: Option<Vec<u32>>,
    #[serde(default)]
    log_dirs: Vec<String>,
    size_bytes: u64,
    produce_bytes_per_second: u64,
    /// Absent is 0, null is not measured; so for cpu.
    #[serde(default = "zero")]
    consume_bytes_per_second: Option<u64>,
    #[serde(default = "zero")]
    leader_cpu_millicores: Option<u64>,
    #[serde(default = "zero")]
    follower_cpu_millicores: Option<u64>,
    #[serde(default)]
    adding_replicas: Vec<u32>,
    #[serde(default)]
    removing_replicas: Vec<u32>,
    load_source: Option<String>,
    load_age_seconds: Option<u64>,
}

fn default_group() -> String {
    "default".to_owned()
}

fn one() -> u32 {
    1
}

fn zero() -> Option<u64> {
    Some(0)
}

impl Document {
    pub fn into_snapshot(self) -> Result<Snapshot, SnapshotError> {
        let taken_at = self.taken_at.map(|text| {
            let instant: jiff::Timestamp = text.parse().map_err(|error| SnapshotError::at("taken_at", format!("{error}")))?;
            Ok(Timestamp::from_milliseconds(instant.as_millisecond()))
        });
        let brokers = self.brokers.into_iter().map(BrokerDocument::into_broker).collect::<Result<Vec<Broker>, _>>()?;
        let alive: BTreeSet<BrokerId> =
            brokers.iter().filter(|broker| broker.state != BrokerState::Dead).map(|broker| broker.id).collect();
        let topics = self.topics.into_iter().map(|topic| topic.into_topic(&alive)).collect::<Result<Vec<Topic>, _>>()?;
        Ok(Snapshot { cluster: self.cluster, sequence: self.sequence, taken_at: taken_at.transpose()?, brokers, topics })
    }
}

/// A snapshot being written: the keys of [`Document`], topic by topic, without a copy of the whole.
#[derive(Serialize)]
pub(crate) struct Written<'a> {
    format: &'static str,
    cluster: &'a str,
    sequence: u64,
    taken_at: Option<String>,
    brokers: Vec<BrokerDocument>,
    #[serde(serialize_with = "one_by_one")]
    topics: &'a [Topic],
}

fn one_by_one<S: Serializer>(topics: &&[Topic], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(topics.iter().map(TopicDocument::from_topic))
}

impl<'a> Written<'a> {
    pub fn of(snapshot: &'a Snapshot) -> Self {
        let mut brokers: Vec<BrokerDocument> = snapshot.brokers.iter().map(BrokerDocument::from_broker).collect();
        let known: BTreeSet<u32> = brokers.iter().map(|broker| broker.id).collect();
        let mut gone: BTreeSet<u32> = BTreeSet::new();
        for (_, partition) in snapshot.partitions() {
            let others = partition.leader.iter().chain(&partition.in_sync).chain(&partition.adding_replicas);
            let listed = partition.holders().chain(others.copied()).map(number);
            gone.extend(listed.filter(|id| !known.contains(id)));
        }
        brokers.extend(gone.into_iter().map(BrokerDocument::unregistered));
        brokers.sort_by_key(|broker| broker.id);
        Written {
            format: FORMAT,
            cluster: &snapshot.cluster,
            sequence: snapshot.sequence,
            taken_at: snapshot
                .taken_at
                .and_then(|at| jiff::Timestamp::from_millisecond(at.milliseconds).ok())
                .map(|at| at.to_string()),
            brokers,
            topics: &snapshot.topics,
        }
    }
}

impl BrokerDocument {
    fn into_broker(self) -> Result<Broker, SnapshotError> {
        let state = match self.state {
            StateDocument::Alive => BrokerState::Alive,
            StateDocument::New => BrokerState::New,
            StateDocument::Draining => BrokerState::Draining,
            StateDocument::Dead => BrokerState::Dead,
        };
        let log_dir = |dir: LogDirDocument| {
            let state = match dir.state {
                LogDirStateDocument::Online => LogDirState::Online,
                LogDirStateDocument::Offline => LogDirState::Offline,
            };
            LogDir { path: dir.path, capacity_bytes: dir.capacity_bytes, state }
        };
        Ok(Broker {
            id: broker_id(self.id, "brokers")?,
            rack: self.rack,
            host: self.host,
            group: self.group,
            state,
            capacity: Capacity {
                cpu_millicores: self.capacity.cpu_millicores,
                disk_bytes: self.capacity.disk_bytes,
                network_in_bytes_per_second: self.capacity.network_in_bytes_per_second,
                network_out_bytes_per_second: self.capacity.network_out_bytes_per_second,
            },
            log_dirs: self.log_dirs.into_iter().map(log_dir).collect(),
        })
    }

    fn from_broker(broker: &Broker) -> Self {
        let log_dir = |dir: &LogDir| {
            let state = match dir.state {
                LogDirState::Online => LogDirStateDocument::Online,
                LogDirState::Offline => LogDirStateDocument::Offline,
            };
            LogDirDocument { path: dir.path.clone(), capacity_bytes: dir.capacity_bytes, state }
        };
        let state = match broker.state {
            BrokerState::Alive => StateDocument::Alive,
            BrokerState::New => StateDocument::New,
            BrokerState::Draining => StateDocument::Draining,
            BrokerState::Dead => StateDocument::Dead,
        };
        BrokerDocument {
            id: number(broker.id),
            rack: broker.rack.clone(),
            host: broker.host.clone(),
            group: broker.group.clone(),
            state,
            capacity: CapacityDocument::from_capacity(broker.capacity),
            log_dirs: broker.log_dirs.iter().map(log_dir).collect(),
        }
    }

    fn unregistered(id: u32) -> Self {
        let capacity = CapacityDocument::from_capacity(Capacity::default());
        let (state, group) = (StateDocument::Dead, default_group());
        BrokerDocument { id, rack: None, host: None, group, state, capacity, log_dirs: Vec::new() }
    }
}

impl CapacityDocument {
    fn from_capacity(capacity: Capacity) -> Self {
        CapacityDocument {
            cpu_millicores: capacity.cpu_millicores,
            disk_bytes: capacity.disk_bytes,
            network_in_bytes_per_second: capacity.network_in_bytes_per_second,
            network_out_bytes_per_second: capacity.network_out_bytes_per_second,
        }
    }
}

impl TopicDocument {
    fn into_topic(self, alive: &BTreeSet<BrokerId>) -> Result<Topic, SnapshotError> {
        let name = self.name;
        let partitions = self.partitions.into_iter().map(|partition| partition.into_partition(&name, alive));
        let partitions = partitions.collect::<Result<Vec<Partition>, _>>()?;
        Ok(Topic { id: self.id, group: self.group, min_insync_replicas: self.min_insync_replicas, partitions, name })
    }

    fn from_topic(topic: &Topic) -> Self {
        TopicDocument {
            name: topic.name.clone(),
            id: topic.id.clone(),
            group: topic.group.clone(),
            min_insync_replicas: topic.min_insync_replicas,
            partitions: topic.partitions.iter().map(PartitionDocument::from_partition).collect(),
        }
    }
}

impl PartitionDocument {
    fn into_partition(self, topic: &str, alive: &BTreeSet<BrokerId>) -> Result<Partition, SnapshotError> {
        let place = format!("topic {topic}, partition {}", self.partition);
        let ids = |list: Vec<u32>| list.into_iter().map(|id| broker_id(id, &place)).collect::<Result<Vec<BrokerId>, _>>();
        let replicas = ids(self.replicas)?;
        let in_sync = match self.in_sync {
            Some(in_sync) => ids(in_sync)?,
            None => replicas.iter().copied().filter(|id| alive.contains(id)).collect(),
        };
        Ok(Partition {
            index: self.partition,
            replicas,
            leader: self.leader.map(|id| broker_id(id, &place)).transpose()?,
            in_sync,
            log_dirs: self.log_dirs,
            adding_replicas: ids(self.adding_replicas)?,
            removing_replicas: ids(self.removing_replicas)?,
            load: Load {
                size_bytes: self.size_bytes,
                produce_bytes_per_second: self.produce_bytes_per_second,
                consume_bytes_per_second: self.consume_bytes_per_second,
                leader_cpu_millicores: self.leader_cpu_millicores,
                follower_cpu_millicores: self.follower_cpu_millicores,
                source: self.load_source,
                age_seconds: self.load_age_seconds,
            },
        })
    }

    fn from_partition(partition: &Partition) -> Self {
        let numbers = |list: &[BrokerId]| list.iter().copied().map(number).collect::<Vec<u32>>();
        let load = &partition.load;
        PartitionDocument {
            partition: partition.index,
            replicas: numbers(&partition.replicas),
            leader: partition.leader.map(number),
            in_sync: Some(numbers(&partition.in_sync)),
            log_dirs: partition.log_dirs.clone(),
            size_bytes: load.size_bytes,
            produce_bytes_per_second: load.produce_bytes_per_second,
            consume_bytes_per_second: load.consume_bytes_per_second,
            leader_cpu_millicores: load.leader_cpu_millicores,
            follower_cpu_millicores: load.follower_cpu_millicores,
            adding_replicas: numbers(&partition.adding_replicas),
            removing_replicas: numbers(&partition.removing_replicas),
            load_source: load.source.clone(),
            load_age_seconds: load.age_seconds,
        }
    }
}

/// Kafka's ids are not negative.
fn number(id: BrokerId) -> u32 {
    id.0.max(0) as u32
}

fn broker_id(number: u32, place: &str) -> Result<BrokerId, SnapshotError> {
    let id = i32::try_from(number).map_err(|_| SnapshotError::at(place, format!("{number} is no broker id")))?;
    Ok(BrokerId(id))
}

/// A leader on a dead broker counts as none, and dead brokers are not in sync.
pub(crate) fn settle(snapshot: &mut Snapshot) {
    let dead: BTreeSet<BrokerId> =
        snapshot.brokers.iter().filter(|broker| broker.state == BrokerState::Dead).map(|broker| broker.id).collect();
    for partition in snapshot.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
        partition.leader = partition.leader.filter(|leader| !dead.contains(leader));
        partition.in_sync.retain(|id| !dead.contains(id));
    }
}
