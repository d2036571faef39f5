//! The Monitor's events. Must not know how clusters are observed.

use ballast_cluster::{BrokerId, Change};
use ballast_events::ClusterEvent;
use ballast_proto::event::v1 as proto;

use crate::catalog::EventType;
use crate::large::{self, StreamSets};
use crate::read::{self, Malformed, required};
use crate::topology::{
    Loads, change_from_proto, change_to_proto, snapshot_from_proto, snapshot_to_proto, time_from_proto, time_to_proto,
};
use crate::write::Encoded;

pub(crate) const TYPES: &[EventType] = &[
    EventType::of::<proto::ClusterTopologyObserved>("cluster.topology-observed"),
    EventType::of::<proto::ClusterTopologyChanged>("cluster.topology-changed"),
    EventType::of::<proto::ClusterBrokerSuspected>("cluster.broker-suspected"),
    EventType::of::<proto::ClusterSuspicionCleared>("cluster.suspicion-cleared"),
    EventType::of::<proto::ClusterBrokerLost>("cluster.broker-lost"),
    EventType::of::<proto::ClusterBrokerReturned>("cluster.broker-returned"),
    EventType::of::<proto::ClusterBrokerDraining>("cluster.broker-draining"),
    EventType::of::<proto::ClusterBrokerRestored>("cluster.broker-restored"),
    EventType::of::<proto::ClusterBrokerCordoned>("cluster.broker-cordoned"),
    EventType::of::<proto::ClusterBrokerUncordoned>("cluster.broker-uncordoned"),
];

/// Differences of at most this many encoded bytes stay in their event.
const INLINE_BYTES_MAX: usize = 32 * 1024;

pub(crate) fn encode(event: &ClusterEvent) -> Encoded {
    match event.clone() {
        ClusterEvent::TopologyObserved { cluster_id, topology } => {
            let topology = large::large(&snapshot_to_proto(&topology, Loads::LeftOut));
            let message = proto::ClusterTopologyObserved { cluster_id, topology: Some(topology.set.clone()) };
            Encoded::closing("cluster.topology-observed", topology, &message)
        }
        ClusterEvent::TopologyChanged { changes } => encode_changes(&changes),
        ClusterEvent::BrokerSuspected { broker: BrokerId(broker), witnesses, since } => Encoded::of(
            "cluster.broker-suspected",
            &proto::ClusterBrokerSuspected { broker, witnesses, since: Some(time_to_proto(since)) },
        ),
        ClusterEvent::SuspicionCleared { broker: BrokerId(broker) } => {
            Encoded::of("cluster.suspicion-cleared", &proto::ClusterSuspicionCleared { broker })
        }
        ClusterEvent::BrokerLost { broker: BrokerId(broker), witnesses, since, replicas } => Encoded::of(
            "cluster.broker-lost",
            &proto::ClusterBrokerLost { broker, witnesses, since: Some(time_to_proto(since)), replicas },
        ),
        ClusterEvent::BrokerReturned { broker: BrokerId(broker), moved_away } => {
            Encoded::of("cluster.broker-returned", &proto::ClusterBrokerReturned { broker, moved_away })
        }
        ClusterEvent::BrokerDraining { broker: BrokerId(broker), task } => {
            Encoded::of("cluster.broker-draining", &proto::ClusterBrokerDraining { broker, task })
        }
        ClusterEvent::BrokerRestored { broker: BrokerId(broker) } => {
            Encoded::of("cluster.broker-restored", &proto::ClusterBrokerRestored { broker })
        }
        ClusterEvent::BrokerCordoned { broker: BrokerId(broker) } => {
            Encoded::of("cluster.broker-cordoned", &proto::ClusterBrokerCordoned { broker })
        }
        ClusterEvent::BrokerUncordoned { broker: BrokerId(broker) } => {
            Encoded::of("cluster.broker-uncordoned", &proto::ClusterBrokerUncordoned { broker })
        }
    }
}

fn encode_changes(changes: &[Change]) -> Encoded {
    let changes = changes.iter().map(change_to_proto).collect();
    let inline = proto::ClusterTopologyChanged { changes, changes_set: None };
    if prost::Message::encoded_len(&inline) <= INLINE_BYTES_MAX {
        return Encoded::of("cluster.topology-changed", &inline);
    }
    let all = large::large(&inline);
    let message = proto::ClusterTopologyChanged { changes: Vec::new(), changes_set: Some(all.set.clone()) };
    Encoded::closing("cluster.topology-changed", all, &message)
}

pub(crate) fn decode(event_type: &str, payload: &[u8], sets: &mut StreamSets<'_>) -> Result<ClusterEvent, Malformed> {
    Ok(match event_type {
        "cluster.topology-observed" => {
            let message: proto::ClusterTopologyObserved = read::message(payload)?;
            let topology = snapshot_from_proto(sets.close(message.topology.as_ref())?)?;
            ClusterEvent::TopologyObserved { cluster_id: message.cluster_id, topology: topology.into() }
        }
        "cluster.topology-changed" => {
            let mut message: proto::ClusterTopologyChanged = read::message(payload)?;
            if let Some(set) = &message.changes_set {
                message = sets.close(Some(set))?;
            }
            let changes = message.changes.into_iter().map(change_from_proto).collect::<Result<_, _>>()?;
            ClusterEvent::TopologyChanged { changes }
        }
        "cluster.broker-suspected" => {
            let proto::ClusterBrokerSuspected { broker, witnesses, since } = read::message(payload)?;
            ClusterEvent::BrokerSuspected {
                broker: BrokerId(broker),
                witnesses,
                since: time_from_proto(required(since, "since")?),
            }
        }
        "cluster.suspicion-cleared" => {
            let proto::ClusterSuspicionCleared { broker } = read::message(payload)?;
            ClusterEvent::SuspicionCleared { broker: BrokerId(broker) }
        }
        "cluster.broker-lost" => {
            let proto::ClusterBrokerLost { broker, witnesses, since, replicas } = read::message(payload)?;
            let since = time_from_proto(required(since, "since")?);
            ClusterEvent::BrokerLost { broker: BrokerId(broker), witnesses, since, replicas }
        }
        "cluster.broker-returned" => {
            let proto::ClusterBrokerReturned { broker, moved_away } = read::message(payload)?;
            ClusterEvent::BrokerReturned { broker: BrokerId(broker), moved_away }
        }
        "cluster.broker-draining" => {
            let proto::ClusterBrokerDraining { broker, task } = read::message(payload)?;
            ClusterEvent::BrokerDraining { broker: BrokerId(broker), task }
        }
        "cluster.broker-restored" => {
            let proto::ClusterBrokerRestored { broker } = read::message(payload)?;
            ClusterEvent::BrokerRestored { broker: BrokerId(broker) }
        }
        "cluster.broker-cordoned" => {
            let proto::ClusterBrokerCordoned { broker } = read::message(payload)?;
            ClusterEvent::BrokerCordoned { broker: BrokerId(broker) }
        }
        "cluster.broker-uncordoned" => {
            let proto::ClusterBrokerUncordoned { broker } = read::message(payload)?;
            ClusterEvent::BrokerUncordoned { broker: BrokerId(broker) }
        }
        other => return Err(read::unlisted(other)),
    })
}
