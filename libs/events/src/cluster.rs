//! What the Monitor records of a cluster: differences, and brokers lost and found. Must not know plans or tasks beyond their ids.

use std::sync::Arc;

use ballast_cluster::{BrokerId, Change, Snapshot, Timestamp};

#[derive(Clone, PartialEq, Debug)]
pub enum ClusterEvent {
    /// The whole topology (loads left out), so that a view can be built without the past. Stored as chunks.
    TopologyObserved {
        cluster_id: String,
        topology: Arc<Snapshot>,
    },
    /// Differences since the last event of this stream.
    TopologyChanged {
        changes: Vec<Change>,
    },
    /// Gone by both witnesses, but not yet for the grace time.
    BrokerSuspected {
        broker: BrokerId,
        witnesses: Vec<String>,
        since: Timestamp,
    },
    /// A suspicion that did not last.
    SuspicionCleared {
        broker: BrokerId,
    },
    /// Gone by both witnesses for the grace time: it counts as dead.
    BrokerLost {
        broker: BrokerId,
        witnesses: Vec<String>,
        since: Timestamp,
        replicas: u32,
    },
    /// Alive again. `moved_away` replicas that it held were moved off while it was gone: their data may be left on its disks as
    /// stray directories that Kafka neither lists nor deletes.
    BrokerReturned {
        broker: BrokerId,
        moved_away: u32,
    },
    /// A drain of this broker was accepted: it gets nothing new from other plans.
    BrokerDraining {
        broker: BrokerId,
        task: String,
    },
    /// An operator of Kafka wants nothing new on it.
    BrokerCordoned {
        broker: BrokerId,
    },
    BrokerUncordoned {
        broker: BrokerId,
    },
    /// It may be filled again: restored by command, or its drain ended without success or was rolled back.
    BrokerRestored {
        broker: BrokerId,
    },
}
