//! From what the Monitor knows to wire types. Must not compute anything that is not a matter of form.

use ballast_cluster::{Broker, BrokerId, BrokerState, LogDirState, Partition, Snapshot, Timestamp, Topic};
use ballast_proto::Timestamp as WireTimestamp;
use ballast_proto::monitor::v1 as wire;
use ballast_rpc::reason_name;

use crate::counts::{BrokerFigures, Counts, is_under_replicated};
use crate::view::ClusterView;
use crate::watched::Watched;

pub fn cluster(watched: &Watched, view: &ClusterView, now: Timestamp) -> wire::Cluster {
    let model_ready = watched.snapshot.borrow().is_some();
    let state = watched.state();
    wire::Cluster {
        name: watched.name().to_owned(),
        cluster_id: view.cluster_id.clone(),
        reachable: state.failure.is_none() && state.seen_at.is_some(),
        failure_reason: state.failure.as_ref().map(|failure| reason_name(failure.reason).to_owned()),
        failure_message: state.failure.as_ref().map(|failure| failure.message.clone()),
        model_ready,
        model_age_seconds: state.seen_at.map(|seen_at| u64::try_from(now.milliseconds_since(seen_at) / 1_000).unwrap_or(0)),
        taken_at: state.seen_at.map(time),
        sequence: view.sequence,
        counts: Some(counts(Counts::of(view))),
    }
}

pub fn counts(counts: Counts) -> wire::ClusterCounts {
    wire::ClusterCounts {
        brokers: counts.brokers,
        brokers_alive: counts.brokers_alive,
        brokers_draining: counts.brokers_draining,
        brokers_suspected: counts.brokers_suspected,
        brokers_dead: counts.brokers_dead,
        topics: counts.topics,
        partitions: counts.partitions,
        replicas: counts.replicas,
        leaders: counts.leaders,
        preferred_leaders: counts.preferred_leaders,
        under_replicated: counts.under_replicated,
        offline: counts.offline,
        reassigning: counts.reassigning,
    }
}

pub fn broker(broker: &Broker, snapshot: &Snapshot, view: &ClusterView) -> wire::Broker {
    let figures = BrokerFigures::of(broker, snapshot);
    wire::Broker {
        name: broker.id.to_string(),
        id: broker.id.0,
        cluster: snapshot.cluster.clone(),
        rack: broker.rack.clone(),
        host: broker.host.clone(),
        group: broker.group.clone(),
        state: match broker.state {
            BrokerState::Alive => wire::BrokerState::Alive,
            BrokerState::New => wire::BrokerState::New,
            BrokerState::Draining => wire::BrokerState::Draining,
            BrokerState::Dead => wire::BrokerState::Dead,
        } as i32,
        suspected_since: view.suspected.get(&broker.id).map(|absence| time(absence.since)),
        dead_since: view.lost.get(&broker.id).map(|absence| time(absence.since)),
        draining_task: view.draining.get(&broker.id).cloned(),
        stray_replicas: view.strays.get(&broker.id).copied().unwrap_or(0),
        cordoned: view.cordoned.contains(&broker.id),
        capacity: Some(wire::Capacity {
            cpu_millicores: broker.capacity.cpu_millicores,
            disk_bytes: broker.capacity.disk_bytes,
            network_in_bytes_per_second: broker.capacity.network_in_bytes_per_second,
            network_out_bytes_per_second: broker.capacity.network_out_bytes_per_second,
        }),
        log_dirs: broker.log_dirs.iter().map(log_dir).collect(),
        replicas: figures.replicas,
        leaders: figures.leaders,
        out_of_sync: figures.out_of_sync,
        disk_bytes: figures.disk_bytes,
        network_in_bytes_per_second: figures.network_in_bytes_per_second,
        network_out_bytes_per_second: figures.network_out_bytes_per_second,
    }
}

fn log_dir(dir: &ballast_cluster::LogDir) -> wire::LogDir {
    let state = match dir.state {
        LogDirState::Online => wire::LogDirState::Online,
        LogDirState::Offline => wire::LogDirState::Offline,
    };
    wire::LogDir { path: dir.path.clone(), capacity_bytes: dir.capacity_bytes, state: state as i32 }
}

pub fn partition(topic: &Topic, partition: &Partition) -> wire::Partition {
    wire::Partition {
        name: format!("{}:{}", topic.name, partition.index),
        topic: topic.name.clone(),
        partition: partition.index,
        topic_id: topic.id.clone(),
        replicas: ids(&partition.replicas),
        leader: partition.leader.map(|leader| leader.0),
        in_sync: ids(&partition.in_sync),
        adding_replicas: ids(&partition.adding_replicas),
        removing_replicas: ids(&partition.removing_replicas),
        min_insync_replicas: topic.min_insync_replicas,
        under_replicated: is_under_replicated(partition),
        offline: partition.leader.is_none(),
        reassigning: partition.is_reassigning(),
        size_bytes: partition.load.size_bytes,
        produce_bytes_per_second: partition.load.produce_bytes_per_second,
        consume_bytes_per_second: partition.load.consume_bytes_per_second,
        load_source: partition.load.source.as_deref().map(str::to_owned),
        load_age_seconds: partition.load.age_seconds,
    }
}

fn ids(brokers: &[BrokerId]) -> Vec<i32> {
    brokers.iter().map(|broker| broker.0).collect()
}

fn time(at: Timestamp) -> WireTimestamp {
    WireTimestamp::from_milliseconds(at.milliseconds)
}
