//! How things stood at a sequence: a fold from the first event, with the same functions that the services live by. Must not keep
//! anything between two questions.

use std::collections::BTreeMap;

use ballast_cluster::{BrokerId, BrokerState, Snapshot, Timestamp};
use ballast_event_codec::Decoder;
use ballast_event_log::EventLog;
use ballast_events::{ClusterEvent, Envelope, Event, PlanEvent};
use ballast_rpc::{Failure, Reason};
use ballast_task::Task;
use ballast_throttle::{AdmissionEvent, ThrottleEvent};

const PAGE: usize = 512;

#[derive(Default)]
pub(crate) struct StateAt {
    pub(crate) sequence: u64,
    pub(crate) recorded_at: Timestamp,
    pub(crate) clusters: BTreeMap<String, ClusterAt>,
    pub(crate) plans: Vec<PlanAt>,
    pub(crate) tasks: BTreeMap<String, Task>,
}

#[derive(Default)]
pub(crate) struct ClusterAt {
    pub(crate) observed_sequence: u64,
    pub(crate) topology: Snapshot,
    pub(crate) frozen: bool,
    /// Intended and confirmed rate of each broker that has one of ours.
    pub(crate) throttles: BTreeMap<BrokerId, (u64, u64)>,
}

pub(crate) struct PlanAt {
    pub(crate) name: String,
    pub(crate) cluster: String,
    pub(crate) goal: String,
    pub(crate) sequence: u64,
}

/// Folds the events up to and including `sequence`, which must exist.
pub(crate) async fn state_at(log: &dyn EventLog, sequence: u64) -> Result<StateAt, Failure> {
    let (mut state, mut decoder) = (StateAt::default(), Decoder::new());
    while state.sequence < sequence {
        let limit = PAGE.min((sequence - state.sequence) as usize);
        for envelope in log.read(state.sequence + 1, limit).await? {
            let unreadable = |error: ballast_event_codec::DecodeError| Failure::new(Reason::EventUnreadable, error.to_string());
            if let Some(event) = decoder.decode(&envelope).map_err(unreadable)? {
                state.apply(&envelope, event)?;
            }
            state.sequence = envelope.sequence;
            state.recorded_at = envelope.header.recorded_at;
        }
    }
    Ok(state)
}

impl StateAt {
    fn apply(&mut self, envelope: &Envelope, event: Event) -> Result<(), Failure> {
        match event {
            Event::Cluster(event) => self.apply_to_cluster(envelope, event),
            Event::Plan(PlanEvent::PlanDrafted { plan, goal, .. }) => {
                let cluster = envelope.header.cluster.clone().unwrap_or_default();
                self.plans.push(PlanAt { name: plan, cluster, goal, sequence: envelope.sequence });
            }
            Event::Task(event) => self.apply_to_task(envelope, ballast_task::Event::Task(event))?,
            Event::Step(event) => self.apply_to_task(envelope, ballast_task::Event::Step(event))?,
            Event::Throttle(event) => self.cluster_of(envelope).apply_throttle(&event),
            Event::Admission(AdmissionEvent::Frozen) => self.cluster_of(envelope).frozen = true,
            Event::Admission(AdmissionEvent::Unfrozen) => self.cluster_of(envelope).frozen = false,
            Event::Admission(_) | Event::Lease(_) | Event::Audit(_) | Event::Chunk(_) => {}
        }
        Ok(())
    }

    /// The cluster that the event's stream names.
    fn cluster_of(&mut self, envelope: &Envelope) -> &mut ClusterAt {
        let name = envelope.stream.segments().next().unwrap_or_default();
        self.clusters.entry(name.to_owned()).or_default()
    }

    fn apply_to_cluster(&mut self, envelope: &Envelope, event: ClusterEvent) {
        let cluster = self.cluster_of(envelope);
        cluster.observed_sequence = envelope.sequence;
        match event {
            ClusterEvent::TopologyObserved { topology, .. } => cluster.topology = topology.as_ref().clone(),
            ClusterEvent::TopologyChanged { changes } => {
                changes.into_iter().for_each(|change| cluster.topology.apply(change));
            }
            ClusterEvent::BrokerLost { broker, .. } => cluster.set_state(broker, BrokerState::Dead),
            ClusterEvent::BrokerDraining { broker, .. } => cluster.set_state(broker, BrokerState::Draining),
            ClusterEvent::BrokerReturned { broker, .. } | ClusterEvent::BrokerRestored { broker } => {
                cluster.set_state(broker, BrokerState::Alive);
            }
            ClusterEvent::BrokerSuspected { .. }
            | ClusterEvent::SuspicionCleared { .. }
            | ClusterEvent::BrokerCordoned { .. }
            | ClusterEvent::BrokerUncordoned { .. } => {}
        }
    }

    fn apply_to_task(&mut self, envelope: &Envelope, event: ballast_task::Event) -> Result<(), Failure> {
        let id = envelope.stream.segments().next().unwrap_or_default();
        let task = ballast_task::apply(self.tasks.remove(id), &event, envelope.header.recorded_at)
            .map_err(|error| Failure::new(Reason::EventUnreadable, format!("event {}: {error}", envelope.sequence)))?;
        self.tasks.insert(id.to_owned(), task);
        Ok(())
    }
}

impl ClusterAt {
    fn set_state(&mut self, id: BrokerId, state: BrokerState) {
        if let Some(broker) = self.topology.brokers.iter_mut().find(|broker| broker.id == id) {
            broker.state = state;
        }
    }

    fn apply_throttle(&mut self, event: &ThrottleEvent) {
        match event {
            ThrottleEvent::RateIntended { broker, to, .. } => {
                self.throttles.entry(*broker).or_default().0 = to.bytes_per_second;
            }
            ThrottleEvent::RateConfirmed { broker, rate } => {
                self.throttles.entry(*broker).or_default().1 = rate.bytes_per_second;
            }
            ThrottleEvent::RateReleased { broker } | ThrottleEvent::DebtPaid { broker } => {
                self.throttles.remove(broker);
            }
            ThrottleEvent::Swept { brokers, .. } => self.throttles.retain(|broker, _| !brokers.contains(broker)),
            ThrottleEvent::ListIntended { .. }
            | ThrottleEvent::ListConfirmed { .. }
            | ThrottleEvent::ListReleaseIntended { .. }
            | ThrottleEvent::ListReleased { .. }
            | ThrottleEvent::RateReleaseIntended { .. }
            | ThrottleEvent::DebtRecorded { .. }
            | ThrottleEvent::ForeignThrottleSeen { .. }
            | ThrottleEvent::ForeignThrottleGone { .. }
            | ThrottleEvent::LimitSet { .. } => {}
        }
    }
}
