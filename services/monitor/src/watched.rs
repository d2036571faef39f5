//! What the Monitor knows of one cluster beyond what is recorded: whether it can be reached, what was measured, and the snapshot
//! that is handed out. Must not know how any of it was asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ballast_cluster::{BrokerId, Snapshot, Timestamp, TopicPartition};
use ballast_kafka::KafkaError;
use ballast_rpc::{Failure, Reason};
use tokio::sync::watch;

use crate::config::MonitoredCluster;
use crate::rates::Measurements;
use crate::view::ClusterView;

pub(crate) struct Watched {
    pub config: MonitoredCluster,
    pub snapshot: watch::Sender<Option<Arc<Snapshot>>>,
    /// Becomes true with the first successful look.
    pub contact: watch::Sender<bool>,
    state: Mutex<State>,
}

#[derive(Default)]
pub(crate) struct State {
    /// Why the last look failed; `None` when it succeeded, or when there was none yet.
    pub failure: Option<Failure>,
    /// Time of the last successful look.
    pub seen_at: Option<Timestamp>,
    /// Brokers that serve, as of that look.
    pub serving: Vec<BrokerId>,
    /// Brokers that did not answer in that look.
    pub silent: BTreeSet<BrokerId>,
    /// Whether each broker is cordoned, as of when its directories were read last.
    pub cordoned: BTreeMap<BrokerId, bool>,
    pub measured: Measurements,
    pub min_insync_replicas: BTreeMap<String, u32>,
    /// Kafka was seen to list fenced brokers.
    pub lists_fenced: bool,
    pub sizes_seen: bool,
    pub offsets_seen: bool,
}

impl Watched {
    pub fn new(config: MonitoredCluster) -> Self {
        let (snapshot, contact) = (watch::Sender::new(None), watch::Sender::new(false));
        Self { config, snapshot, contact, state: Mutex::default() }
    }

    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// A panic while the lock was held leaves measurements at worst older: they are replaced whole.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands out the recorded topology with the loads measured, once both sizes and offsets were looked at: before, every
    /// partition would seem empty.
    pub fn publish(&self, view: &ClusterView, now: Timestamp) {
        let state = self.state();
        if !(state.sizes_seen && state.offsets_seen && view.is_known()) {
            return;
        }
        let mut snapshot = view.topology.clone();
        snapshot.sequence = view.sequence;
        snapshot.taken_at = state.seen_at;
        for topic in &mut snapshot.topics {
            let mut at = TopicPartition::new(topic.name.clone(), 0);
            for partition in &mut topic.partitions {
                at.partition = partition.index;
                partition.load = state.measured.load(&at, partition, now);
                partition.log_dirs = state.measured.log_dirs(&at, partition);
            }
        }
        drop(state);
        self.snapshot.send_replace(Some(Arc::new(snapshot)));
    }
}

/// The failure that clients see of a cluster that does not answer.
pub(crate) fn failure_of(error: &KafkaError) -> Failure {
    let reason = match error {
        KafkaError::Unreachable { .. } => Reason::KafkaUnreachable,
        KafkaError::TimedOut { .. } | KafkaError::Unknown { .. } => Reason::KafkaTimeout,
        KafkaError::Refused { .. } => Reason::KafkaRefused,
        KafkaError::Unsupported { .. } => Reason::KafkaUnsupported,
        KafkaError::SecurityRequired { .. } => Reason::KafkaSecurityRequired,
        KafkaError::Malformed { .. } => Reason::KafkaMalformedAnswer,
    };
    Failure::new(reason, error.to_string())
}
