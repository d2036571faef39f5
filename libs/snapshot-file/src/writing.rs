//! The cluster types as the contract's section 2 prints them, every field present, straight from where they lie. Must not know
//! how they are read.

use std::collections::BTreeSet;
use std::sync::Arc;

use ballast_cluster::{Broker, BrokerId, BrokerState, Capacity, LogDir, LogDirState, Partition, Snapshot, Topic};
use serde::{Serialize, Serializer};

use crate::FORMAT;

#[derive(Serialize)]
pub(crate) struct Document<'a> {
    format: &'static str,
    cluster: &'a str,
    sequence: u64,
    taken_at: Option<String>,
    brokers: Vec<BrokerDocument<'a>>,
    #[serde(serialize_with = "topics")]
    topics: &'a [Topic],
}

#[derive(Serialize)]
struct BrokerDocument<'a> {
    id: u32,
    rack: Option<&'a str>,
    host: Option<&'a str>,
    group: &'a str,
    state: &'static str,
    capacity: CapacityDocument,
    log_dirs: Vec<LogDirDocument<'a>>,
}

#[derive(Serialize)]
struct CapacityDocument {
    cpu_millicores: u64,
    disk_bytes: u64,
    network_in_bytes_per_second: u64,
    network_out_bytes_per_second: u64,
}

#[derive(Serialize)]
struct LogDirDocument<'a> {
    path: &'a str,
    capacity_bytes: u64,
    state: &'static str,
}

#[derive(Serialize)]
struct TopicDocument<'a> {
    name: &'a str,
    id: Option<&'a str>,
    group: &'a str,
    min_insync_replicas: u32,
    #[serde(serialize_with = "partitions")]
    partitions: &'a [Partition],
}

#[derive(Serialize)]
struct PartitionDocument<'a> {
    partition: u32,
    #[serde(serialize_with = "numbers")]
    replicas: &'a [BrokerId],
    leader: Option<u32>,
    #[serde(serialize_with = "numbers")]
    in_sync: &'a [BrokerId],
    #[serde(serialize_with = "texts")]
    log_dirs: &'a [Arc<str>],
    size_bytes: u64,
    produce_bytes_per_second: u64,
    consume_bytes_per_second: Option<u64>,
    leader_cpu_millicores: Option<u64>,
    follower_cpu_millicores: Option<u64>,
    #[serde(serialize_with = "numbers")]
    adding_replicas: &'a [BrokerId],
    #[serde(serialize_with = "numbers")]
    removing_replicas: &'a [BrokerId],
    load_source: Option<&'a str>,
    load_age_seconds: Option<u64>,
}

fn topics<S: Serializer>(topics: &&[Topic], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(topics.iter().map(TopicDocument::of))
}

fn partitions<S: Serializer>(partitions: &&[Partition], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(partitions.iter().map(PartitionDocument::of))
}

fn numbers<S: Serializer>(list: &&[BrokerId], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(list.iter().copied().map(number))
}

fn texts<S: Serializer>(list: &&[Arc<str>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(list.iter().map(AsRef::<str>::as_ref))
}

/// Kafka's ids are not negative.
fn number(id: BrokerId) -> u32 {
    id.0.max(0) as u32
}

impl<'a> Document<'a> {
    /// Brokers that lists name but that are not registered are written as dead ones, so that what is written can be read.
    pub fn of(snapshot: &'a Snapshot) -> Self {
        let mut brokers: Vec<BrokerDocument<'_>> = snapshot.brokers.iter().map(BrokerDocument::of).collect();
        let known: BTreeSet<u32> = brokers.iter().map(|broker| broker.id).collect();
        let mut gone: BTreeSet<u32> = BTreeSet::new();
        for (_, partition) in snapshot.partitions() {
            let others = partition.leader.iter().chain(&partition.in_sync).chain(&partition.adding_replicas);
            let listed = partition.holders().chain(others.copied()).map(number);
            gone.extend(listed.filter(|id| !known.contains(id)));
        }
        brokers.extend(gone.into_iter().map(BrokerDocument::unregistered));
        brokers.sort_by_key(|broker| broker.id);
        let taken_at = snapshot.taken_at.and_then(|at| jiff::Timestamp::from_millisecond(at.milliseconds).ok());
        Document {
            format: FORMAT,
            cluster: &snapshot.cluster,
            sequence: snapshot.sequence,
            taken_at: taken_at.map(|at| at.to_string()),
            brokers,
            topics: &snapshot.topics,
        }
    }
}

impl<'a> BrokerDocument<'a> {
    fn of(broker: &'a Broker) -> Self {
        let state = match broker.state {
            BrokerState::Alive => "alive",
            BrokerState::New => "new",
            BrokerState::Draining => "draining",
            BrokerState::Dead => "dead",
        };
        BrokerDocument {
            id: number(broker.id),
            rack: broker.rack.as_deref(),
            host: broker.host.as_deref(),
            group: &broker.group,
            state,
            capacity: CapacityDocument::of(broker.capacity),
            log_dirs: broker.log_dirs.iter().map(LogDirDocument::of).collect(),
        }
    }

    fn unregistered(id: u32) -> Self {
        let capacity = CapacityDocument::of(Capacity::default());
        BrokerDocument { id, rack: None, host: None, group: "default", state: "dead", capacity, log_dirs: Vec::new() }
    }
}

impl CapacityDocument {
    fn of(capacity: Capacity) -> Self {
        CapacityDocument {
            cpu_millicores: capacity.cpu_millicores,
            disk_bytes: capacity.disk_bytes,
            network_in_bytes_per_second: capacity.network_in_bytes_per_second,
            network_out_bytes_per_second: capacity.network_out_bytes_per_second,
        }
    }
}

impl<'a> LogDirDocument<'a> {
    fn of(dir: &'a LogDir) -> Self {
        let state = match dir.state {
            LogDirState::Online => "online",
            LogDirState::Offline => "offline",
        };
        LogDirDocument { path: &dir.path, capacity_bytes: dir.capacity_bytes, state }
    }
}

impl<'a> TopicDocument<'a> {
    fn of(topic: &'a Topic) -> Self {
        TopicDocument {
            name: &topic.name,
            id: topic.id.as_deref(),
            group: &topic.group,
            min_insync_replicas: topic.min_insync_replicas,
            partitions: &topic.partitions,
        }
    }
}

impl<'a> PartitionDocument<'a> {
    fn of(partition: &'a Partition) -> Self {
        let load = &partition.load;
        PartitionDocument {
            partition: partition.index,
            replicas: &partition.replicas,
            leader: partition.leader.map(number),
            in_sync: &partition.in_sync,
            log_dirs: &partition.log_dirs,
            size_bytes: load.size_bytes,
            produce_bytes_per_second: load.produce_bytes_per_second,
            consume_bytes_per_second: load.consume_bytes_per_second,
            leader_cpu_millicores: load.leader_cpu_millicores,
            follower_cpu_millicores: load.follower_cpu_millicores,
            adding_replicas: &partition.adding_replicas,
            removing_replicas: &partition.removing_replicas,
            load_source: load.source.as_deref(),
            load_age_seconds: load.age_seconds,
        }
    }
}
