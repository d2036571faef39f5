//! Brokers that get nothing new from a plan although they live: a fold of what the Monitor records. Must not know why a broker is
//! suspected or cordoned.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ballast_cluster::{BrokerId, Snapshot, TopicPartition};
use ballast_event_codec::Decoder;
use ballast_event_log::{EventLog, Follower};
use ballast_events::{ClusterEvent, Event};
use ballast_planner::{Goal, GoalKind};
use ballast_rpc::{Failure, Reason};

/// The events that say so; the others, some of them large, are not read.
const TYPES: [&str; 6] = [
    "cluster.broker-suspected",
    "cluster.suspicion-cleared",
    "cluster.broker-lost",
    "cluster.broker-returned",
    "cluster.broker-cordoned",
    "cluster.broker-uncordoned",
];

pub(crate) struct Avoided {
    follower: Follower,
    decoder: Decoder,
    clusters: BTreeMap<String, Marks>,
}

#[derive(Default)]
struct Marks {
    /// Gone by all witnesses, but not yet for the grace time.
    suspected: BTreeSet<BrokerId>,
    cordoned: BTreeSet<BrokerId>,
}

impl Avoided {
    /// A view that has read nothing yet.
    pub fn new(log: Arc<dyn EventLog>) -> Self {
        Self { follower: Follower::new(log, 1), decoder: Decoder::new(), clusters: BTreeMap::new() }
    }

    /// Folds what was recorded since. An event that cannot be read is final.
    pub async fn catch_up(&mut self) -> Result<(), Failure> {
        while let Some(envelope) = self.follower.next_recorded().await? {
            if !TYPES.contains(&envelope.header.event_type.as_str()) {
                continue;
            }
            let event =
                self.decoder.decode(&envelope).map_err(|error| Failure::new(Reason::EventUnreadable, error.to_string()))?;
            if let Some(Event::Cluster(event)) = event {
                self.clusters.entry(envelope.header.cluster.clone().unwrap_or_default()).or_default().apply(&event);
            }
        }
        Ok(())
    }

    /// Live brokers of the snapshot that a plan for `goal` keeps away from. Refused is a goal that wants them filled.
    pub fn brokers(&self, snapshot: &Snapshot, goal: &Goal) -> Result<Vec<BrokerId>, Failure> {
        let Some(marks) = self.clusters.get(&snapshot.cluster) else { return Ok(Vec::new()) };
        let wanted = filled(goal, snapshot);
        let find = |marked: &BTreeSet<BrokerId>| wanted.iter().find(|broker| marked.contains(broker)).copied();
        if let Some(broker) = find(&marks.suspected) {
            let message = format!("broker {broker} is suspected to be gone: wait until it is back or counts as dead");
            return Err(Failure::new(Reason::BrokerSuspected, message).with("broker", broker.to_string()));
        }
        if let Some(broker) = find(&marks.cordoned) {
            let message = format!("broker {broker} is cordoned: uncordon it first");
            return Err(Failure::new(Reason::BrokerCordoned, message).with("broker", broker.to_string()));
        }
        let marked = marks.suspected.union(&marks.cordoned).copied();
        Ok(marked.filter(|broker| snapshot.is_alive(*broker) && !goal.brokers.contains(broker)).collect())
    }
}

impl Marks {
    fn apply(&mut self, event: &ClusterEvent) {
        match event {
            ClusterEvent::BrokerSuspected { broker, .. } => drop(self.suspected.insert(*broker)),
            ClusterEvent::SuspicionCleared { broker }
            | ClusterEvent::BrokerLost { broker, .. }
            | ClusterEvent::BrokerReturned { broker, .. } => drop(self.suspected.remove(broker)),
            ClusterEvent::BrokerCordoned { broker } => drop(self.cordoned.insert(*broker)),
            ClusterEvent::BrokerUncordoned { broker } => drop(self.cordoned.remove(broker)),
            _ => {}
        }
    }
}

/// Brokers that the goal itself wants new replicas on, or leaders.
fn filled(goal: &Goal, snapshot: &Snapshot) -> BTreeSet<BrokerId> {
    let has =
        |at: &TopicPartition, broker: &BrokerId| snapshot.partition(at).is_some_and(|found| found.replicas.contains(broker));
    match goal.kind {
        GoalKind::Expand => goal.brokers.iter().copied().collect(),
        GoalKind::Topic => {
            let leads = |at: &TopicPartition, broker| snapshot.partition(at).is_some_and(|found| found.leader == Some(broker));
            let wanted = |(at, list): &(TopicPartition, Vec<BrokerId>)| -> Vec<BrokerId> {
                let anew = list.first().copied().filter(|&first| !leads(at, first));
                list.iter().copied().filter(|broker| !has(at, broker)).chain(anew).collect()
            };
            goal.targets.iter().flat_map(wanted).collect()
        }
        GoalKind::Rebalance | GoalKind::Evacuate | GoalKind::Drain | GoalKind::Demote => BTreeSet::new(),
    }
}
