//! The loop that governs one cluster: follows the log, decides limits with each sample, sets and removes throttles, grants steps.
//! Must not know why a step exists. Everything is recorded before it is done, so that stopping anywhere is harmless.

mod admitting;
mod deciding;
mod listing;
mod ramping;
mod releasing;
mod reporting;
mod sweeping;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use ballast_cluster::{BrokerId, Snapshot, StepKey, Timestamp};
use ballast_event_log::LogError;
use ballast_events::Event;
use ballast_kafka::KafkaError;
use ballast_throttle::{AdmissionEvent, BrokerUse, Flow, Law, ListEntry, Rate, Rates, Sample, ThrottleEvent, measure};
use tokio::sync::{mpsc, watch};

use crate::actuator::{Actuator, BrokerLimit};
use crate::config::{Config, milliseconds};
use crate::projection::{FollowError, Projection};
use crate::recorder::{Recorder, throttle};
use crate::status::Status;
use crate::view::{Step, View};

pub(crate) use sweeping::{SweepError, SweepOrder, Swept};

/// The longest wait between two looks at what is due; also the step of a ramp.
const BEAT: Duration = Duration::from_secs(1);
/// Brokers learn of a new value a little late: what was written this recently may read as the value before.
const LAG_MILLISECONDS: i64 = 3_000;
/// What a process wrote just before it died may arrive so much later.
const LEGACY_MILLISECONDS: i64 = 10_000;

pub(crate) struct Governor {
    pub(crate) config: Config,
    pub(crate) law: Law,
    pub(crate) actuator: Actuator,
    pub(crate) recorder: Recorder,
    pub(crate) projection: Projection,
    pub(crate) snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    pub(crate) orders: mpsc::Receiver<SweepOrder>,
    pub(crate) status: watch::Sender<Status>,
    pub(crate) hands: Hands,
}

/// What is known beside the log, and may be forgotten at any time: it is read from the brokers again.
#[derive(Default)]
pub(crate) struct Hands {
    /// Values of ours that a broker may show and until when they were in force, the last one at the end.
    written: BTreeMap<BrokerId, VecDeque<(Timestamp, u64)>>,
    written_at: BTreeMap<BrokerId, Timestamp>,
    /// Until when a broker may show what the process before this one wrote.
    legacy_limits_until: BTreeMap<BrokerId, Timestamp>,
    /// Until when a write that was not answered, or not seen to be, may still change a limit or a topic's list.
    late_limits_until: BTreeMap<BrokerId, Timestamp>,
    late_lists_until: BTreeMap<String, Timestamp>,
    windows: BTreeMap<BrokerId, u32>,
    /// The snapshot that `used` was measured on.
    measured: Option<Arc<Snapshot>>,
    used: BTreeMap<BrokerId, BrokerUse>,
    decisions: Rates,
    decided_at: Option<Timestamp>,
    decided_on: Option<Grounds>,
    unlisted_since: BTreeMap<BrokerId, Timestamp>,
    /// Releases whose intent is recorded.
    releasing_lists: BTreeSet<StepKey>,
    releasing_limits: BTreeSet<BrokerId>,
    retry_steps_at: BTreeMap<StepKey, Timestamp>,
    retry_release_at: Option<Timestamp>,
    retry_limits_at: BTreeMap<BrokerId, Timestamp>,
    last_error: Option<String>,
    /// The log takes nothing but what closes running work.
    is_log_full: bool,
    granted: u64,
    ramps: u64,
}

/// What a decision was made on: when it changes, decide at once.
#[derive(Clone, PartialEq, Debug)]
struct Grounds {
    listed: Vec<StepKey>,
    rate_max: Option<Rate>,
    frozen: bool,
}

/// What a broker shows.
#[derive(Clone, PartialEq, Debug)]
enum Reading {
    Free,
    Ours(u64),
    Foreign(String),
    Unreachable(KafkaError),
}

impl Governor {
    /// Governs until `stop` turns true or the log ends.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) -> Result<(), FollowError> {
        let stopped = async move {
            // A sender that is gone stops as well.
            let _ = stop.wait_for(|stop| *stop).await;
        };
        tokio::select! {
            biased;
            () = stopped => Ok(()),
            ended = self.live() => ended,
        }
    }

    async fn live(&mut self) -> Result<(), FollowError> {
        let mut head = self.recorder.log.head();
        self.open().await?;
        loop {
            head.borrow_and_update();
            self.tick().await?;
            let order = tokio::select! {
                biased;
                Some(order) = self.orders.recv() => Some(order),
                changed = head.changed() => match changed {
                    Ok(()) => None,
                    Err(_) => return Err(LogError::Closed.into()),
                },
                () = self.recorder.clock.sleep(BEAT) => None,
            };
            if let Some(order) = order {
                self.sweep(order).await?;
            }
        }
    }

    /// Voids grants that nobody used, and reads what the brokers show of the limits that the log knows.
    pub(crate) async fn open(&mut self) -> Result<(), FollowError> {
        self.recorder.record_closing(vec![(Event::Admission(AdmissionEvent::Opened), None)]).await?;
        self.projection.catch_up().await?;
        self.expect_late_writes();
        let known: Vec<BrokerId> = self.view().limits.keys().copied().collect();
        let readings = self.probe(known).await;
        self.note_foreign(&readings).await
    }

    /// What the process before this one wrote last may not show yet, or still be on its way.
    fn expect_late_writes(&mut self) {
        let now = self.now();
        let (view, hands) = (&self.projection.view, &mut self.hands);
        for (broker, limit) in &view.limits {
            let wait = if limit.is_confirmed { LAG_MILLISECONDS } else { LEGACY_MILLISECONDS };
            hands.late_limits_until.insert(*broker, now.plus_milliseconds(wait));
            hands.legacy_limits_until.insert(*broker, now.plus_milliseconds(3 * wait));
        }
        for entry in view.lists.values().filter(|listing| !listing.is_confirmed).flat_map(|listing| &listing.entries) {
            hands.late_lists_until.insert(entry.topic.clone(), now.plus_milliseconds(LEGACY_MILLISECONDS));
        }
    }

    pub(crate) async fn tick(&mut self) -> Result<(), FollowError> {
        self.projection.catch_up().await?;
        self.look();
        let now = self.now();
        let was_full = std::mem::take(&mut self.hands.is_log_full);
        let done = self.expire_grants(now).await;
        self.tolerate(done)?;
        let done = self.release_lists(now).await;
        self.tolerate(done)?;
        let done = self.decide(now).await;
        self.tolerate(done)?;
        let done = self.ramp(now).await;
        self.tolerate(done)?;
        let done = self.admit(now).await;
        self.tolerate(done)?;
        let done = self.release_limits(now).await;
        self.tolerate(done)?;
        if self.hands.is_log_full && !was_full {
            tracing::warn!(cluster = self.recorder.cluster, "the log is full: throttles are only taken back");
        }
        self.publish(now);
        Ok(())
    }

    /// A full log refuses what would start something; what is to be taken back must go on.
    fn tolerate(&mut self, done: Result<(), FollowError>) -> Result<(), FollowError> {
        match done {
            Err(FollowError::Log(error @ LogError::VolumeFull { .. })) => {
                self.hands.last_error = Some(error.to_string());
                self.hands.is_log_full = true;
                Ok(())
            }
            other => other,
        }
    }

    /// Measures what users take, once per snapshot.
    fn look(&mut self) {
        let now = self.now();
        self.hands.late_limits_until.retain(|_, until| *until > now);
        self.hands.legacy_limits_until.retain(|_, until| *until > now);
        self.hands.late_lists_until.retain(|_, until| *until > now);
        let seen = self.seen();
        let is_known = match (&seen, &self.hands.measured) {
            (Some(seen), Some(measured)) => Arc::ptr_eq(seen, measured),
            (None, None) => true,
            _ => false,
        };
        if !is_known {
            self.hands.used = seen.as_ref().map(|seen| measure(seen, &self.law)).unwrap_or_default();
            self.hands.measured = seen;
        }
    }

    fn view(&self) -> &View {
        &self.projection.view
    }

    fn now(&self) -> Timestamp {
        self.recorder.clock.now()
    }

    fn seen(&self) -> Option<Arc<Snapshot>> {
        self.snapshots.borrow().clone()
    }

    /// Whether to count on the broker to answer. Before the first snapshot every broker is worth a try.
    fn is_alive(&self, broker: BrokerId) -> bool {
        self.snapshots.borrow().as_ref().is_none_or(|seen| seen.is_alive(broker))
    }

    fn retry_at(&self, now: Timestamp) -> Timestamp {
        now.plus_milliseconds(milliseconds(self.config.retry_interval))
    }

    /// Asks brokers for their limits and tells ours from others'.
    async fn probe(&mut self, brokers: impl IntoIterator<Item = BrokerId>) -> BTreeMap<BrokerId, Reading> {
        let alive: Vec<BrokerId> = brokers.into_iter().filter(|broker| self.is_alive(*broker)).collect();
        let mut readings = BTreeMap::new();
        for (broker, answer) in self.actuator.limits(alive).await {
            let reading = match answer {
                Ok(limit) => {
                    self.hands.windows.insert(broker, limit.window_seconds);
                    self.classify(broker, limit)
                }
                Err(error) => {
                    self.hands.last_error = Some(error.to_string());
                    Reading::Unreachable(error)
                }
            };
            if let Reading::Ours(value) = reading {
                let now = self.now();
                let written = self.hands.written.entry(broker).or_default();
                if written.is_empty() {
                    written.push_back((now, value));
                }
            }
            readings.insert(broker, reading);
        }
        readings
    }

    /// A value is ours if we wrote it lately; after a start, and while a write may still arrive, if the ramp that the log knows
    /// passes through it.
    fn classify(&self, broker: BrokerId, shown: BrokerLimit) -> Reading {
        let Some(text) = shown.value else { return Reading::Free };
        let written = self.hands.written.get(&broker).filter(|written| !written.is_empty());
        let is_legacy = self.hands.legacy_limits_until.get(&broker).is_some_and(|until| *until > self.now());
        let is_ours = |value: &u64| match (written, self.view().limits.get(&broker)) {
            (Some(written), Some(limit)) => {
                written.iter().any(|(_, known)| known == value) || (self.is_late(broker) || is_legacy) && limit.covers(*value)
            }
            (None, Some(limit)) => limit.covers(*value),
            (_, None) => false,
        };
        match text.parse().ok().filter(is_ours) {
            Some(value) if shown.is_own => Reading::Ours(value),
            _ => Reading::Foreign(text),
        }
    }

    /// Records limits of others that appeared, changed or went.
    async fn note_foreign(&mut self, readings: &BTreeMap<BrokerId, Reading>) -> Result<(), FollowError> {
        let mut events = Vec::new();
        for (&broker, reading) in readings {
            match (reading, self.view().foreign.get(&broker)) {
                (Reading::Foreign(value), known) if known != Some(value) => {
                    tracing::info!(cluster = self.recorder.cluster, %broker, value, "a limit that is not ours");
                    events.push(throttle(ThrottleEvent::ForeignThrottleSeen { broker, value: value.clone() }));
                    self.hands.written.remove(&broker);
                }
                (Reading::Free | Reading::Ours(_), Some(_)) => {
                    events.push(throttle(ThrottleEvent::ForeignThrottleGone { broker }));
                }
                _ => {}
            }
        }
        if !events.is_empty() {
            self.recorder.record_closing(events).await?;
            self.projection.catch_up().await?;
        }
        Ok(())
    }

    /// Writes limits of ours and remembers what was written.
    async fn write_limits(&mut self, limits: &BTreeMap<BrokerId, u64>, now: Timestamp) {
        let late = milliseconds(self.config.late_write);
        for (broker, value) in limits {
            let written = self.hands.written.entry(*broker).or_default();
            // Until now the last one was in force.
            if let Some((until, _)) = written.back_mut() {
                *until = now;
            }
            written.retain(|(until, known)| now.milliseconds_since(*until) <= late && known != value);
            written.push_back((now, *value));
            self.hands.written_at.insert(*broker, now);
        }
        for (broker, error) in self.actuator.set_limits(limits).await {
            if error.is_unknown() {
                self.hands.late_limits_until.insert(broker, now.plus_milliseconds(late));
            } else {
                tracing::warn!(cluster = self.recorder.cluster, %broker, %error, "a limit could not be set");
            }
            self.hands.last_error = Some(error.to_string());
        }
    }

    /// Adds entries and remembers which topics may get theirs late.
    async fn write_entries(&mut self, entries: &BTreeSet<&ListEntry>) {
        let until = self.now().plus_milliseconds(milliseconds(self.config.late_write));
        for (topic, error) in self.actuator.append_entries(entries).await {
            self.hands.last_error = Some(error.to_string());
            if error.is_unknown() {
                self.hands.late_lists_until.insert(topic, until);
            } else {
                tracing::warn!(cluster = self.recorder.cluster, topic, %error, "a throttle list could not be set");
            }
        }
    }

    /// Whether a write of ours may still arrive at the broker.
    fn is_late(&self, broker: BrokerId) -> bool {
        self.hands.late_limits_until.get(&broker).is_some_and(|until| *until > self.now())
    }

    fn last_written(&self, broker: BrokerId) -> Option<u64> {
        Some(self.hands.written.get(&broker)?.back()?.1)
    }

    /// The sample to decide on, with the copies of all listed steps.
    fn sample(&self, seen: Option<&Snapshot>) -> Sample {
        let flows = self.view().listed_steps().filter(|(_, step)| !step.adding.is_empty());
        Sample {
            taken_at: seen.and_then(|seen| seen.taken_at),
            brokers: self.hands.used.clone(),
            flows: flows.map(|(_, step)| flow(step, seen)).collect(),
            rate_max: self.view().rate_max,
            frozen: self.view().frozen,
        }
    }
}

/// The copy that a step makes. Unseen, every broker that it names takes part.
fn flow(step: &Step, seen: Option<&Snapshot>) -> Flow {
    match seen {
        Some(seen) => Flow::new(&step.at, step.class, &step.present, &step.adding, seen),
        None => Flow {
            at: step.at.clone(),
            class: step.class,
            leader: None,
            may_lead: step.present.iter().chain(&step.adding).copied().collect(),
            targets: step.adding.clone(),
            produce_bytes_per_second: 0,
            in_sync_followers: 0,
        },
    }
}
