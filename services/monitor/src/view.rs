//! The fold of one cluster's stream: its topology, who is suspected, lost, returned or draining. Living and recovering are the
//! same `apply`. Must not know where events come from, nor loads, which are not events.

use std::collections::{BTreeMap, BTreeSet};

use ballast_cluster::{BrokerId, BrokerState, Change, Snapshot, Timestamp, TopicPartition};
use ballast_events::ClusterEvent;

use crate::liveness::Standing;

#[derive(Clone, PartialEq, Debug, Default)]
pub struct ClusterView {
    /// Place in the log of the last event of the stream.
    pub sequence: u64,
    /// Place in the stream of that event.
    pub version: u64,
    /// Kafka's id of the cluster; `None` until it was seen.
    pub cluster_id: Option<String>,
    /// Without loads; broker states are those recorded.
    pub topology: Snapshot,
    pub suspected: BTreeMap<BrokerId, Absence>,
    pub lost: BTreeMap<BrokerId, Absence>,
    /// Returned brokers, and how many of their replicas were moved away meanwhile.
    pub strays: BTreeMap<BrokerId, u32>,
    /// Marked brokers, and the task whose drain marked them.
    pub draining: BTreeMap<BrokerId, String>,
    /// Brokers on which Kafka places nothing new.
    pub cordoned: BTreeSet<BrokerId>,
    /// Every mark ever made, so that one that was taken back is not made again.
    pub marked: BTreeSet<(String, BrokerId)>,
}

/// A broker that is gone: since when, and what it held then (with topic ids, so that a topic made anew is another).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Absence {
    pub since: Timestamp,
    pub held: BTreeSet<(TopicPartition, Option<String>)>,
}

impl ClusterView {
    pub fn is_known(&self) -> bool {
        self.cluster_id.is_some()
    }

    pub fn standing(&self, broker: BrokerId) -> Standing {
        match (self.lost.contains_key(&broker), self.suspected.get(&broker)) {
            (true, _) => Standing::Lost,
            (false, Some(absence)) => Standing::Suspected { since: absence.since },
            (false, None) => Standing::Present,
        }
    }

    /// The state that the records give a broker.
    pub fn state(&self, broker: BrokerId) -> BrokerState {
        if self.lost.contains_key(&broker) {
            BrokerState::Dead
        } else if self.draining.contains_key(&broker) {
            BrokerState::Draining
        } else {
            BrokerState::Alive
        }
    }

    /// How many of the replicas that a lost broker held were moved off it since.
    pub fn moved_away(&self, broker: BrokerId) -> u32 {
        let Some(absence) = self.lost.get(&broker) else { return 0 };
        let is_moved = |(at, topic_id): &&(TopicPartition, Option<String>)| {
            let Some(topic) = self.topology.topic(&at.topic).filter(|topic| topic.id == *topic_id) else { return false };
            topic.partition(at.partition).is_some_and(|partition| !partition.holders().any(|holder| holder == broker))
        };
        count(absence.held.iter().filter(is_moved))
    }

    /// Replicas on a broker, those being added or removed included.
    pub fn replicas(&self, broker: BrokerId) -> u32 {
        count(self.topology.partitions().filter(|(_, partition)| partition.holders().any(|holder| holder == broker)))
    }

    /// Takes in one event of the stream.
    pub fn apply(&mut self, event: ClusterEvent) {
        match event {
            ClusterEvent::TopologyObserved { cluster_id, topology } => {
                self.cluster_id = Some(cluster_id);
                self.topology = Snapshot::clone(&topology);
            }
            ClusterEvent::TopologyChanged { changes } => {
                for change in changes {
                    if let Change::BrokerGone(broker) = &change {
                        // What it held stays known: if it ever comes back, so may its strays.
                        self.draining.remove(broker);
                        self.strays.remove(broker);
                        self.suspected.remove(broker);
                        self.cordoned.remove(broker);
                    }
                    self.topology.apply(change);
                }
            }
            ClusterEvent::BrokerSuspected { broker, since, .. } => {
                let held = self.held(broker);
                self.suspected.insert(broker, Absence { since, held });
            }
            ClusterEvent::SuspicionCleared { broker } => {
                self.suspected.remove(&broker);
            }
            ClusterEvent::BrokerLost { broker, since, .. } => {
                let held = self.suspected.remove(&broker).map_or_else(|| self.held(broker), |absence| absence.held);
                self.lost.insert(broker, Absence { since, held });
            }
            ClusterEvent::BrokerReturned { broker, moved_away } => {
                self.lost.remove(&broker);
                if moved_away > 0 {
                    self.strays.insert(broker, moved_away);
                }
            }
            ClusterEvent::BrokerDraining { broker, task } => {
                self.marked.insert((task.clone(), broker));
                self.draining.insert(broker, task);
            }
            ClusterEvent::BrokerCordoned { broker } => {
                self.cordoned.insert(broker);
            }
            ClusterEvent::BrokerUncordoned { broker } => {
                self.cordoned.remove(&broker);
            }
            ClusterEvent::BrokerRestored { broker } => {
                self.draining.remove(&broker);
            }
        }
        self.set_states();
    }

    fn set_states(&mut self) {
        for index in 0..self.topology.brokers.len() {
            self.topology.brokers[index].state = self.state(self.topology.brokers[index].id);
        }
    }

    fn held(&self, broker: BrokerId) -> BTreeSet<(TopicPartition, Option<String>)> {
        let holds = self.topology.partitions().filter(|(_, partition)| partition.holders().any(|holder| holder == broker));
        holds.map(|(topic, partition)| (TopicPartition::new(topic.name.clone(), partition.index), topic.id.clone())).collect()
    }
}

/// Partitions and brokers of one cluster fit into 32 bits.
fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use ballast_cluster::{Broker, Capacity, Partition, Topic};

    use super::*;

    fn broker(id: i32) -> Broker {
        let (rack, host, group) = (None, None, "default".to_owned());
        Broker {
            id: BrokerId(id),
            rack,
            host,
            group,
            state: BrokerState::Alive,
            capacity: Capacity::default(),
            log_dirs: Vec::new(),
        }
    }

    fn partition(index: u32, replicas: &[i32]) -> Partition {
        Partition { index, replicas: replicas.iter().copied().map(BrokerId).collect(), ..Partition::default() }
    }

    fn view() -> ClusterView {
        let partitions = vec![partition(0, &[1, 2]), partition(1, &[2, 3])];
        let topic = Topic { name: "t".into(), id: Some("A".into()), group: "default".into(), min_insync_replicas: 1, partitions };
        let topology = Snapshot { brokers: vec![broker(1), broker(2), broker(3)], topics: vec![topic], ..Snapshot::default() };
        let mut view = ClusterView::default();
        view.apply(ClusterEvent::TopologyObserved { cluster_id: "c".into(), topology: topology.into() });
        view
    }

    fn lose(view: &mut ClusterView, id: i32) {
        let (broker, since) = (BrokerId(id), Timestamp::from_milliseconds(1));
        view.apply(ClusterEvent::BrokerSuspected { broker, witnesses: Vec::new(), since });
        view.apply(ClusterEvent::BrokerLost { broker, witnesses: Vec::new(), since, replicas: 2 });
    }

    #[test]
    fn a_broker_that_returns_after_its_replicas_moved_holds_strays() {
        let mut view = view();
        lose(&mut view, 2);
        assert_eq!(view.topology.broker(BrokerId(2)).map(|broker| broker.state), Some(BrokerState::Dead));
        let moved = Change::PartitionSeen { topic: "t".into(), partition: partition(0, &[1, 3]) };
        view.apply(ClusterEvent::TopologyChanged { changes: vec![moved] });
        assert_eq!(view.moved_away(BrokerId(2)), 1);
        view.apply(ClusterEvent::BrokerReturned { broker: BrokerId(2), moved_away: 1 });
        assert_eq!(view.strays.get(&BrokerId(2)), Some(&1));
        assert_eq!(view.state(BrokerId(2)), BrokerState::Alive);
    }

    #[test]
    fn a_drain_mark_lasts_through_death_and_ends_when_the_broker_leaves() {
        let mut view = view();
        view.apply(ClusterEvent::BrokerDraining { broker: BrokerId(2), task: "task-a".into() });
        assert_eq!(view.state(BrokerId(2)), BrokerState::Draining);
        lose(&mut view, 2);
        view.apply(ClusterEvent::BrokerReturned { broker: BrokerId(2), moved_away: 0 });
        assert_eq!(view.state(BrokerId(2)), BrokerState::Draining);
        view.apply(ClusterEvent::TopologyChanged { changes: vec![Change::BrokerGone(BrokerId(2))] });
        view.apply(ClusterEvent::TopologyChanged { changes: vec![Change::BrokerSeen(broker(2))] });
        assert_eq!(view.state(BrokerId(2)), BrokerState::Alive);
    }
}
