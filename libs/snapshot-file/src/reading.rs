//! Serde twins of the cluster types for reading, field by field as the contract's section 2. Must not check what lists mean.
//!
//! Each broker, topic and partition becomes the cluster's type as soon as it is read: of millions there is never a second copy.

use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use ballast_cluster::{
    Broker, BrokerId, BrokerState, Capacity, Load, LogDir, LogDirState, Partition, Snapshot, Timestamp, Topic,
};
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::SnapshotError;

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
    #[serde(deserialize_with = "each::<BrokerDocument, _, _>")]
    brokers: Vec<Broker>,
    #[serde(deserialize_with = "each::<TopicDocument, _, _>")]
    topics: Vec<Topic>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BrokerDocument {
    id: Id,
    rack: Option<String>,
    host: Option<String>,
    #[serde(default = "default_group")]
    group: String,
    state: StateDocument,
    capacity: CapacityDocument,
    #[serde(default)]
    log_dirs: Vec<LogDirDocument>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum StateDocument {
    Alive,
    New,
    Draining,
    Dead,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CapacityDocument {
    cpu_millicores: u64,
    disk_bytes: u64,
    network_in_bytes_per_second: u64,
    network_out_bytes_per_second: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogDirDocument {
    path: String,
    capacity_bytes: u64,
    state: LogDirStateDocument,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum LogDirStateDocument {
    Online,
    Offline,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TopicDocument {
    name: String,
    id: Option<String>,
    #[serde(default = "default_group")]
    group: String,
    #[serde(default = "one")]
    min_insync_replicas: u32,
    #[serde(deserialize_with = "each::<PartitionDocument, _, _>")]
    partitions: Vec<Partition>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PartitionDocument {
    partition: u32,
    replicas: Vec<Id>,
    leader: Option<Id>,
    /// Absent: all replicas; whoever is dead among them is dropped once all brokers are known ([`settle`]).
    in_sync: Option<Vec<Id>>,
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
    adding_replicas: Vec<Id>,
    #[serde(default)]
    removing_replicas: Vec<Id>,
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

/// A broker's id: Kafka's are not negative.
#[derive(Deserialize)]
#[serde(try_from = "u32")]
struct Id(BrokerId);

impl TryFrom<u32> for Id {
    type Error = String;

    fn try_from(number: u32) -> Result<Id, String> {
        i32::try_from(number).map(|id| Id(BrokerId(id))).map_err(|_| format!("{number} is no broker id"))
    }
}

fn ids(list: Vec<Id>) -> Vec<BrokerId> {
    list.into_iter().map(|id| id.0).collect::<Box<[BrokerId]>>().into_vec()
}

/// A list whose items are read as one type and kept as another.
fn each<'de, Twin, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    Twin: Deserialize<'de> + Into<T>,
    D: Deserializer<'de>,
{
    deserializer.deserialize_seq(Each::<Twin, T>(PhantomData))
}

struct Each<Twin, T>(PhantomData<(Twin, T)>);

impl<'de, Twin: Deserialize<'de> + Into<T>, T> Visitor<'de> for Each<Twin, T> {
    type Value = Vec<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<Twin>()? {
            list.push(item.into());
        }
        list.shrink_to_fit();
        Ok(list)
    }
}

impl Document {
    pub fn into_snapshot(self) -> Result<Snapshot, SnapshotError> {
        let taken_at = self.taken_at.map(|text| {
            let instant: jiff::Timestamp = text.parse().map_err(|error| SnapshotError::at("taken_at", format!("{error}")))?;
            Ok(Timestamp::from_milliseconds(instant.as_millisecond()))
        });
        let Document { cluster, sequence, brokers, topics, .. } = self;
        Ok(Snapshot { cluster, sequence, taken_at: taken_at.transpose()?, brokers, topics })
    }
}

impl From<BrokerDocument> for Broker {
    fn from(broker: BrokerDocument) -> Broker {
        let state = match broker.state {
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
        Broker {
            id: broker.id.0,
            rack: broker.rack,
            host: broker.host,
            group: broker.group,
            state,
            capacity: Capacity {
                cpu_millicores: broker.capacity.cpu_millicores,
                disk_bytes: broker.capacity.disk_bytes,
                network_in_bytes_per_second: broker.capacity.network_in_bytes_per_second,
                network_out_bytes_per_second: broker.capacity.network_out_bytes_per_second,
            },
            log_dirs: broker.log_dirs.into_iter().map(log_dir).collect(),
        }
    }
}

impl From<TopicDocument> for Topic {
    fn from(topic: TopicDocument) -> Topic {
        let TopicDocument { name, id, group, min_insync_replicas, mut partitions } = topic;
        share_texts(&mut partitions);
        Topic { name, id, group, min_insync_replicas, partitions }
    }
}

/// A topic's partitions name the same few directories and sources over and over: they share them.
fn share_texts(partitions: &mut [Partition]) {
    let mut known: BTreeSet<Arc<str>> = BTreeSet::new();
    for text in partitions.iter_mut().flat_map(|partition| partition.log_dirs.iter_mut().chain(&mut partition.load.source)) {
        match known.get(text) {
            Some(same) => *text = same.clone(),
            None => drop(known.insert(text.clone())),
        }
    }
}

impl From<PartitionDocument> for Partition {
    fn from(partition: PartitionDocument) -> Partition {
        let replicas = ids(partition.replicas);
        Partition {
            index: partition.partition,
            leader: partition.leader.map(|id| id.0),
            in_sync: partition.in_sync.map_or_else(|| replicas.clone(), ids),
            replicas,
            log_dirs: partition.log_dirs.into_iter().map(Arc::from).collect(),
            adding_replicas: ids(partition.adding_replicas),
            removing_replicas: ids(partition.removing_replicas),
            load: Load {
                size_bytes: partition.size_bytes,
                produce_bytes_per_second: partition.produce_bytes_per_second,
                consume_bytes_per_second: partition.consume_bytes_per_second,
                leader_cpu_millicores: partition.leader_cpu_millicores,
                follower_cpu_millicores: partition.follower_cpu_millicores,
                source: partition.load_source.map(Arc::from),
                age_seconds: partition.load_age_seconds,
            },
        }
    }
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
