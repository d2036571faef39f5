//! What the log says about one cluster's throttle: limits and list entries of ours, steps that are due or under way, grants,
//! freeze. A pure fold. Must not know what the brokers say at the moment.

use std::collections::{BTreeMap, BTreeSet};

use ballast_cluster::{BrokerId, StepKey, Timestamp, TopicPartition};
use ballast_events::{Envelope, Event, StreamName};
use ballast_task::{StepEvent, StepOutcome, TaskEvent};
use ballast_throttle::{AdmissionEvent, GoalClass, ListEntry, Rate, ThrottleEvent};

/// Values of a ramp may show so long after its start, even where its end was seen.
const LATE_MILLISECONDS: i64 = 60_000;

#[derive(Clone, PartialEq, Debug)]
pub(crate) struct View {
    pub(crate) cluster: String,
    /// Sequence of the last event that was folded in.
    pub(crate) sequence: u64,
    /// Version of `admission/<c>`.
    pub(crate) admission_version: u64,
    pub(crate) frozen: bool,
    pub(crate) rate_max: Option<Rate>,
    pub(crate) tasks: BTreeMap<String, Task>,
    /// From when they are due until nothing is left of them.
    pub(crate) steps: BTreeMap<StepKey, Step>,
    pub(crate) lists: BTreeMap<StepKey, Listing>,
    pub(crate) limits: BTreeMap<BrokerId, Limit>,
    /// Limits that somebody else set, as configured.
    pub(crate) foreign: BTreeMap<BrokerId, String>,
    throttle: StreamName,
    admission: StreamName,
}

/// An open task of this cluster.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Task {
    pub(crate) class: GoalClass,
    /// It starts nothing until it is resumed.
    pub(crate) is_paused: bool,
    /// It starts nothing any more.
    pub(crate) is_verifying: bool,
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Step {
    pub(crate) at: TopicPartition,
    pub(crate) present: Vec<BrokerId>,
    pub(crate) adding: Vec<BrokerId>,
    pub(crate) class: GoalClass,
    /// Sequence of the event that said it is due.
    pub(crate) ready_at: u64,
    pub(crate) phase: Phase,
    /// Reason code and detail of the last refusal.
    pub(crate) withheld: Option<(String, String)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    Ready,
    Granted {
        expires_at: Timestamp,
    },
    InFlight,
    /// `may_copy`: it ended while Kafka may still be carrying it out.
    Over {
        may_copy: bool,
    },
}

/// Entries of ours for one step.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Listing {
    pub(crate) entries: Vec<ListEntry>,
    pub(crate) is_confirmed: bool,
}

/// A limit of ours on a broker: the last ramp.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Limit {
    pub(crate) from: Rate,
    pub(crate) to: Rate,
    /// Between these are all values that were written lately.
    pub(crate) low: Rate,
    pub(crate) high: Rate,
    pub(crate) ramp_seconds: u32,
    pub(crate) began_at: Timestamp,
    /// The broker showed `to`.
    pub(crate) is_confirmed: bool,
    /// Not needed any more, and the broker could not be told.
    pub(crate) is_owed: bool,
    pub(crate) reason: String,
}

impl Limit {
    /// Whether a ramp that may still show passes through `value`.
    pub(crate) fn covers(&self, value: u64) -> bool {
        (self.low.bytes_per_second..=self.high.bytes_per_second).contains(&value)
    }
}

impl Step {
    /// Every broker that may lead its partition before the copy is complete.
    pub(crate) fn involves(&self, broker: BrokerId) -> bool {
        self.present.contains(&broker) || self.adding.contains(&broker)
    }
}

impl View {
    pub(crate) fn new(cluster: &str) -> Self {
        Self {
            cluster: cluster.to_owned(),
            sequence: 0,
            admission_version: 0,
            frozen: false,
            rate_max: None,
            tasks: BTreeMap::new(),
            steps: BTreeMap::new(),
            lists: BTreeMap::new(),
            limits: BTreeMap::new(),
            foreign: BTreeMap::new(),
            throttle: StreamName::throttle(cluster),
            admission: StreamName::admission(cluster),
        }
    }

    /// Whether events of `stream` have to be decoded for this view.
    pub(crate) fn follows(&self, stream: &StreamName) -> bool {
        stream.family() == "task" || *stream == self.throttle || *stream == self.admission
    }

    pub(crate) fn apply(&mut self, envelope: &Envelope, event: &Event) {
        match event {
            Event::Task(event) => self.apply_task(&envelope.stream, event),
            Event::Step(event) => self.apply_step(envelope.sequence, event),
            Event::Throttle(event) => self.apply_throttle(envelope.header.occurred_at, event),
            Event::Admission(event) => self.apply_admission(envelope.version, event),
            Event::Cluster(_) | Event::Plan(_) | Event::Lease(_) | Event::Audit(_) | Event::Chunk(_) => {}
        }
    }

    fn apply_task(&mut self, stream: &StreamName, event: &TaskEvent) {
        let Some(id) = stream.segments().next() else { return };
        if let TaskEvent::Accepted { cluster, goal, .. } = event {
            if *cluster == self.cluster {
                let task = Task { class: GoalClass::of_goal(goal), is_paused: false, is_verifying: false };
                self.tasks.insert(id.to_owned(), task);
            }
            return;
        }
        let Some(task) = self.tasks.get_mut(id) else { return };
        match event {
            TaskEvent::PauseRequested | TaskEvent::Paused => task.is_paused = true,
            TaskEvent::ResumeRequested | TaskEvent::Revalidated | TaskEvent::CancelRequested { .. } => task.is_paused = false,
            TaskEvent::RollbackPlanned { .. } | TaskEvent::StepsAdded { .. } | TaskEvent::Decided { .. } => {
                (task.is_paused, task.is_verifying) = (false, false);
            }
            TaskEvent::VerificationStarted => task.is_verifying = true,
            TaskEvent::Ended { .. } => {
                self.tasks.remove(id);
                let left: Vec<StepKey> = self.steps.keys().filter(|step| step.task == id).cloned().collect();
                for step in left {
                    self.end(&step);
                }
            }
            TaskEvent::Accepted { .. }
            | TaskEvent::Approved
            | TaskEvent::Rejected
            | TaskEvent::Started
            | TaskEvent::OperatorNeeded { .. }
            | TaskEvent::OperatorNotNeeded => {}
        }
    }

    fn apply_step(&mut self, sequence: u64, event: &StepEvent) {
        let StepEvent { task, step, attempt, outcome } = event;
        let Some(class) = self.tasks.get(task).map(|task| task.class) else { return };
        let key = StepKey { task: task.clone(), step: *step, attempt: *attempt };
        match outcome {
            StepOutcome::Ready { topic, partition, present, adding, .. } => {
                let phase = self.steps.get(&key).map(|step| step.phase).filter(|phase| !matches!(phase, Phase::Over { .. }));
                let step = Step {
                    at: TopicPartition::new(topic.clone(), *partition),
                    present: present.clone(),
                    adding: adding.clone(),
                    class,
                    ready_at: sequence,
                    phase: phase.unwrap_or(Phase::Ready),
                    withheld: None,
                };
                self.steps.insert(key, step);
            }
            StepOutcome::Intended { .. } | StepOutcome::Issued { .. } | StepOutcome::RevertIntended { .. } => {
                if let Some(step) = self.steps.get_mut(&key) {
                    (step.phase, step.withheld) = (Phase::InFlight, None);
                }
            }
            StepOutcome::Succeeded { .. } | StepOutcome::Reverted { .. } => self.close(&key, false),
            StepOutcome::AttemptFailed { .. } | StepOutcome::Skipped { .. } | StepOutcome::Failed { .. } => self.end(&key),
            StepOutcome::Waiting { .. }
            | StepOutcome::WaitOver
            | StepOutcome::OutcomeUnknown { .. }
            | StepOutcome::Stalled { .. } => {}
        }
    }

    /// The step is over without having been seen done: what was asked of Kafka may still go on there.
    fn end(&mut self, key: &StepKey) {
        let may_copy = self.steps.get(key).is_some_and(|step| {
            !step.adding.is_empty() && matches!(step.phase, Phase::InFlight | Phase::Over { may_copy: true })
        });
        self.close(key, may_copy);
    }

    fn close(&mut self, key: &StepKey, may_copy: bool) {
        if !self.lists.contains_key(key) {
            self.steps.remove(key);
        } else if let Some(step) = self.steps.get_mut(key) {
            (step.phase, step.withheld) = (Phase::Over { may_copy }, None);
        }
    }

    fn apply_throttle(&mut self, occurred_at: Timestamp, event: &ThrottleEvent) {
        match event.clone() {
            ThrottleEvent::RateIntended { broker, from, to, ramp_seconds, reason } => {
                let (is_confirmed, is_owed, began_at) = (false, false, occurred_at);
                let may_show =
                    |before: &&Limit| !before.is_confirmed || occurred_at.milliseconds_since(before.began_at) < LATE_MILLISECONDS;
                let before = self.limits.get(&broker).filter(may_show);
                let low = before.map_or(from, |before| before.low).min(from).min(to);
                let high = before.map_or(from, |before| before.high).max(from).max(to);
                self.limits.insert(broker, Limit { from, to, low, high, ramp_seconds, began_at, is_confirmed, is_owed, reason });
            }
            ThrottleEvent::RateConfirmed { broker, .. } => {
                if let Some(limit) = self.limits.get_mut(&broker) {
                    limit.is_confirmed = true;
                }
            }
            ThrottleEvent::ListIntended { step, entries } => {
                self.lists.insert(step, Listing { entries, is_confirmed: false });
            }
            ThrottleEvent::ListConfirmed { step } => {
                if let Some(listing) = self.lists.get_mut(&step) {
                    listing.is_confirmed = true;
                }
            }
            ThrottleEvent::ListReleased { step } => {
                self.lists.remove(&step);
                if matches!(self.steps.get(&step), Some(Step { phase: Phase::Over { .. }, .. })) {
                    self.steps.remove(&step);
                }
            }
            ThrottleEvent::RateReleased { broker } | ThrottleEvent::DebtPaid { broker } => {
                self.limits.remove(&broker);
            }
            ThrottleEvent::DebtRecorded { broker } => {
                if let Some(limit) = self.limits.get_mut(&broker) {
                    limit.is_owed = true;
                }
            }
            ThrottleEvent::ForeignThrottleSeen { broker, value } => {
                // What was ours there was overwritten: it is theirs now, and nothing of ours is left to take away.
                self.limits.remove(&broker);
                self.foreign.insert(broker, value);
            }
            ThrottleEvent::ForeignThrottleGone { broker } => {
                self.foreign.remove(&broker);
            }
            ThrottleEvent::LimitSet { rate_max } => self.rate_max = rate_max,
            ThrottleEvent::ListReleaseIntended { .. }
            | ThrottleEvent::RateReleaseIntended { .. }
            | ThrottleEvent::Swept { .. } => {}
        }
    }

    fn apply_admission(&mut self, version: u64, event: &AdmissionEvent) {
        self.admission_version = version;
        match event {
            AdmissionEvent::Opened => {
                for step in self.steps.values_mut() {
                    if matches!(step.phase, Phase::Granted { .. }) {
                        step.phase = Phase::Ready;
                    }
                }
            }
            AdmissionEvent::Admitted { step, expires_at } => {
                if let Some(step) = self.steps.get_mut(step).filter(|step| step.phase == Phase::Ready) {
                    (step.phase, step.withheld) = (Phase::Granted { expires_at: *expires_at }, None);
                }
            }
            AdmissionEvent::Withheld { step, reason_code, detail } => {
                if let Some(step) = self.steps.get_mut(step) {
                    step.withheld = Some((reason_code.clone(), detail.clone()));
                }
            }
            AdmissionEvent::Withdrawn { step } => {
                // A grant that was used just before stays used.
                if let Some(step) = self.steps.get_mut(step).filter(|step| matches!(step.phase, Phase::Granted { .. })) {
                    step.phase = Phase::Ready;
                }
            }
            AdmissionEvent::Frozen => self.frozen = true,
            AdmissionEvent::Unfrozen => self.frozen = false,
        }
    }

    pub(crate) fn is_paused(&self, key: &StepKey) -> bool {
        self.tasks.get(&key.task).is_none_or(|task| task.is_paused)
    }

    /// Whether any task may still make steps due.
    pub(crate) fn expects_steps(&self) -> bool {
        self.tasks.values().any(|task| !task.is_paused && !task.is_verifying)
    }

    /// Steps that hold list entries and are not over.
    pub(crate) fn listed_steps(&self) -> impl Iterator<Item = (&StepKey, &Step)> {
        let live = |step: &Step| !matches!(step.phase, Phase::Over { may_copy: false });
        self.lists.keys().filter_map(|key| self.steps.get_key_value(key)).filter(move |(_, step)| live(step))
    }

    /// All entries of ours.
    pub(crate) fn entries(&self) -> BTreeSet<&ListEntry> {
        self.lists.values().flat_map(|listing| &listing.entries).collect()
    }

    /// Whether a step that is listed, or due and about to be, involves the broker.
    pub(crate) fn needs_limit(&self, broker: BrokerId) -> bool {
        let due = self.steps.iter().filter(|(key, step)| step.phase == Phase::Ready && !self.is_paused(key));
        let involved = |step: &Step| !step.adding.is_empty() && step.involves(broker);
        self.lists.keys().filter_map(|key| self.steps.get(key)).chain(due.map(|(_, step)| step)).any(involved)
    }
}

#[cfg(test)]
mod tests;
