//! A cluster's brokers, topics, partitions and loads as protobuf: for topology events and the snapshots of plans. Must not know
//! when one is recorded.

use std::sync::Arc;

use ballast_cluster::{
    Broker, BrokerId, BrokerState, Capacity, Change, Load, LogDir, LogDirState, Partition, Snapshot, Timestamp, Topic,
};
use ballast_proto::Timestamp as WireTime;
use ballast_proto::event::v1 as proto;
use proto::cluster_change::Change as WireChange;

use crate::read::{Malformed, required};

pub(crate) fn time_to_proto(time: Timestamp) -> WireTime {
    WireTime::from_milliseconds(time.milliseconds)
}

pub(crate) fn time_from_proto(time: WireTime) -> Timestamp {
    Timestamp::from_milliseconds(time.to_milliseconds())
}

pub(crate) fn brokers_to_proto(brokers: &[BrokerId]) -> Vec<i32> {
    brokers.iter().map(|broker| broker.0).collect()
}

pub(crate) fn brokers_from_proto(brokers: Vec<i32>) -> Vec<BrokerId> {
    brokers.into_iter().map(BrokerId).collect()
}

/// Whether measured loads are kept with the partitions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loads {
    Kept,
    LeftOut,
}

pub(crate) fn snapshot_to_proto(snapshot: &Snapshot, loads: Loads) -> proto::ClusterTopology {
    proto::ClusterTopology {
        cluster: snapshot.cluster.clone(),
        sequence: snapshot.sequence,
        taken_at: snapshot.taken_at.map(time_to_proto),
        brokers: snapshot.brokers.iter().map(broker_to_proto).collect(),
        topics: snapshot.topics.iter().map(|topic| topic_to_proto(topic, loads)).collect(),
    }
}

pub(crate) fn snapshot_from_proto(topology: proto::ClusterTopology) -> Result<Snapshot, Malformed> {
    Ok(Snapshot {
        cluster: topology.cluster,
        sequence: topology.sequence,
        taken_at: topology.taken_at.map(time_from_proto),
        brokers: topology.brokers.into_iter().map(broker_from_proto).collect::<Result<_, _>>()?,
        topics: topology.topics.into_iter().map(topic_from_proto).collect(),
    })
}

pub(crate) fn change_to_proto(change: &Change) -> proto::ClusterChange {
    let change = match change {
        Change::BrokerSeen(broker) => WireChange::BrokerSeen(broker_to_proto(broker)),
        Change::BrokerGone(BrokerId(broker)) => WireChange::BrokerGone(*broker),
        Change::TopicSeen(topic) => WireChange::TopicSeen(topic_to_proto(topic, Loads::LeftOut)),
        Change::TopicGone(topic) => WireChange::TopicGone(topic.clone()),
        Change::PartitionSeen { topic, partition } => {
            let partition = Some(partition_to_proto(partition, Loads::LeftOut));
            WireChange::PartitionSeen(proto::ClusterPartitionSeen { topic: topic.clone(), partition })
        }
        Change::MinInsyncReplicasChanged { topic, min_insync_replicas } => {
            let (topic, min_insync_replicas) = (topic.clone(), *min_insync_replicas);
            WireChange::MinInsyncReplicasChanged(proto::ClusterMinInsyncReplicasChanged { topic, min_insync_replicas })
        }
    };
    proto::ClusterChange { change: Some(change) }
}

pub(crate) fn change_from_proto(change: proto::ClusterChange) -> Result<Change, Malformed> {
    Ok(match required(change.change, "a kind of change that this version knows")? {
        WireChange::BrokerSeen(broker) => Change::BrokerSeen(broker_from_proto(broker)?),
        WireChange::BrokerGone(broker) => Change::BrokerGone(BrokerId(broker)),
        WireChange::TopicSeen(topic) => Change::TopicSeen(topic_from_proto(topic)),
        WireChange::TopicGone(topic) => Change::TopicGone(topic),
        WireChange::PartitionSeen(proto::ClusterPartitionSeen { topic, partition }) => {
            Change::PartitionSeen { topic, partition: partition_from_proto(required(partition, "partition")?) }
        }
        WireChange::MinInsyncReplicasChanged(proto::ClusterMinInsyncReplicasChanged { topic, min_insync_replicas }) => {
            Change::MinInsyncReplicasChanged { topic, min_insync_replicas }
        }
    })
}

fn broker_to_proto(broker: &Broker) -> proto::ClusterBroker {
    let state = match broker.state {
        BrokerState::Alive => proto::ClusterBrokerState::Alive,
        BrokerState::New => proto::ClusterBrokerState::New,
        BrokerState::Draining => proto::ClusterBrokerState::Draining,
        BrokerState::Dead => proto::ClusterBrokerState::Dead,
    };
    let log_dirs = broker.log_dirs.iter().map(|dir| proto::ClusterLogDir {
        path: dir.path.clone(),
        capacity_bytes: dir.capacity_bytes,
        online: dir.state == LogDirState::Online,
    });
    proto::ClusterBroker {
        id: broker.id.0,
        rack: broker.rack.clone(),
        host: broker.host.clone(),
        group: broker.group.clone(),
        state: state.into(),
        capacity_cpu_millicores: broker.capacity.cpu_millicores,
        capacity_disk_bytes: broker.capacity.disk_bytes,
        capacity_network_in_bytes_per_second: broker.capacity.network_in_bytes_per_second,
        capacity_network_out_bytes_per_second: broker.capacity.network_out_bytes_per_second,
        log_dirs: log_dirs.collect(),
    }
}

fn broker_from_proto(broker: proto::ClusterBroker) -> Result<Broker, Malformed> {
    let state = match broker.state() {
        proto::ClusterBrokerState::Alive => BrokerState::Alive,
        proto::ClusterBrokerState::New => BrokerState::New,
        proto::ClusterBrokerState::Draining => BrokerState::Draining,
        proto::ClusterBrokerState::Dead => BrokerState::Dead,
        proto::ClusterBrokerState::Unspecified => {
            return Err(Malformed(format!("the state {} of broker {} is unknown", broker.state, broker.id)));
        }
    };
    let log_dirs = broker.log_dirs.into_iter().map(|dir| LogDir {
        path: dir.path,
        capacity_bytes: dir.capacity_bytes,
        state: if dir.online { LogDirState::Online } else { LogDirState::Offline },
    });
    Ok(Broker {
        id: BrokerId(broker.id),
        rack: broker.rack,
        host: broker.host,
        group: broker.group,
        state,
        capacity: Capacity {
            cpu_millicores: broker.capacity_cpu_millicores,
            disk_bytes: broker.capacity_disk_bytes,
            network_in_bytes_per_second: broker.capacity_network_in_bytes_per_second,
            network_out_bytes_per_second: broker.capacity_network_out_bytes_per_second,
        },
        log_dirs: log_dirs.collect(),
    })
}

fn topic_to_proto(topic: &Topic, loads: Loads) -> proto::ClusterTopic {
    proto::ClusterTopic {
        name: topic.name.clone(),
        id: topic.id.clone(),
        group: topic.group.clone(),
        min_insync_replicas: topic.min_insync_replicas,
        partitions: topic.partitions.iter().map(|partition| partition_to_proto(partition, loads)).collect(),
    }
}

fn topic_from_proto(topic: proto::ClusterTopic) -> Topic {
    Topic {
        name: topic.name,
        id: topic.id,
        group: topic.group,
        min_insync_replicas: topic.min_insync_replicas,
        partitions: topic.partitions.into_iter().map(partition_from_proto).collect(),
    }
}

fn partition_to_proto(partition: &Partition, loads: Loads) -> proto::ClusterPartition {
    proto::ClusterPartition {
        index: partition.index,
        replicas: brokers_to_proto(&partition.replicas),
        leader: partition.leader.map(|leader| leader.0),
        in_sync: brokers_to_proto(&partition.in_sync),
        log_dirs: partition.log_dirs.iter().map(ToString::to_string).collect(),
        adding_replicas: brokers_to_proto(&partition.adding_replicas),
        removing_replicas: brokers_to_proto(&partition.removing_replicas),
        load: (loads == Loads::Kept).then(|| load_to_proto(&partition.load)),
    }
}

fn partition_from_proto(partition: proto::ClusterPartition) -> Partition {
    Partition {
        index: partition.index,
        replicas: brokers_from_proto(partition.replicas),
        leader: partition.leader.map(BrokerId),
        in_sync: brokers_from_proto(partition.in_sync),
        log_dirs: partition.log_dirs.into_iter().map(Arc::from).collect(),
        adding_replicas: brokers_from_proto(partition.adding_replicas),
        removing_replicas: brokers_from_proto(partition.removing_replicas),
        load: partition.load.map(load_from_proto).unwrap_or_default(),
    }
}

fn load_to_proto(load: &Load) -> proto::ClusterLoad {
    let Load { size_bytes, produce_bytes_per_second, consume_bytes_per_second, .. } = *load;
    let Load { leader_cpu_millicores, follower_cpu_millicores, age_seconds, .. } = *load;
    proto::ClusterLoad {
        size_bytes,
        produce_bytes_per_second,
        consume_bytes_per_second,
        leader_cpu_millicores,
        follower_cpu_millicores,
        source: load.source.as_deref().map(str::to_owned),
        age_seconds,
    }
}

fn load_from_proto(load: proto::ClusterLoad) -> Load {
    Load {
        size_bytes: load.size_bytes,
        produce_bytes_per_second: load.produce_bytes_per_second,
        consume_bytes_per_second: load.consume_bytes_per_second,
        leader_cpu_millicores: load.leader_cpu_millicores,
        follower_cpu_millicores: load.follower_cpu_millicores,
        source: load.source.map(Arc::from),
        age_seconds: load.age_seconds,
    }
}
