//! Carries out the open tasks of one cluster: fold, look, ask `next`, record, perform, again. Must not know how targets were
//! chosen or how fast data may move.

mod deeds;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use ballast_clock::Clock;
use ballast_cluster::{BrokerId, Snapshot, StepKey, Timestamp, TopicPartition};
use ballast_event_log::LogError;
use ballast_kafka::KafkaAdmin;
use ballast_rpc::{Failure, Reason};
use ballast_task::{Activity, Effect, Event, Sight, Slots, Task, next};
use tokio::sync::watch;

use crate::config::Config;
use crate::failures::failure_of_kafka;
use crate::gates::Gates;
use crate::look;
use crate::progress::{TaskProgress, measure};
use crate::recorder::{Recorder, Taken};
use crate::view::{Projection, TaskRecord};

/// How long the end of a task waits for the Monitor to have seen what it did.
const END_HELD_MILLISECONDS_MAX: i64 = 10_000;
/// Older lists are not acted on.
const LOOK_AGE_MILLISECONDS_MAX: i64 = 500;

/// What is measured of the open tasks of all clusters, for those who ask.
#[derive(Default)]
pub(crate) struct Gauges {
    tasks: Mutex<BTreeMap<String, TaskProgress>>,
    /// Why not everything that is due in a cluster is done.
    troubles: Mutex<BTreeMap<String, String>>,
}

impl Gauges {
    pub fn progress(&self, task: &str) -> TaskProgress {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).get(task).cloned().unwrap_or_default()
    }

    pub fn trouble(&self, cluster: &str) -> String {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner).get(cluster).cloned().unwrap_or_default()
    }

    fn set_progress(&self, task: &str, progress: TaskProgress) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).insert(task.into(), progress);
    }

    fn forget_tasks(&self, cluster_tasks: &BTreeSet<String>, open: &BTreeSet<String>) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.retain(|task, _| !cluster_tasks.contains(task) || open.contains(task));
    }

    /// True when it is another one than before.
    fn set_trouble(&self, cluster: &str, trouble: Option<String>) -> bool {
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = troubles.get(cluster) != trouble.as_ref();
        match trouble {
            Some(trouble) => drop(troubles.insert(cluster.into(), trouble)),
            None => drop(troubles.remove(cluster)),
        }
        is_new
    }
}

pub(crate) struct Executor {
    pub cluster: String,
    pub config: Config,
    pub clock: Clock,
    pub kafka: Arc<dyn KafkaAdmin>,
    pub snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    pub projection: Arc<Projection>,
    pub recorder: Recorder,
    pub gauges: Arc<Gauges>,
    /// When this executor began to look.
    pub since: Timestamp,
    pub gates: Gates,
    pub measured_at: Option<Timestamp>,
    pub measured_tasks: BTreeSet<String>,
    /// Since when the end of a task is held back, by task.
    pub held_since: BTreeMap<String, Timestamp>,
}

/// What a look gave.
struct Look {
    seen: Snapshot,
    /// When `seen` was asked for.
    at: Timestamp,
    free_bytes: BTreeMap<BrokerId, u64>,
    copies: Option<BTreeSet<(TopicPartition, BrokerId)>>,
}

impl Executor {
    /// Until `shutdown` turns true, the log refuses, or another process took over. Stops between two rounds only.
    pub async fn run(mut self, mut shutdown: watch::Receiver<bool>) -> Result<(), Failure> {
        let mut head = self.recorder.log.head();
        loop {
            if *shutdown.borrow() {
                return Ok(());
            }
            // What is recorded from here on wakes the next wait.
            head.mark_unchanged();
            let is_busy = match self.round().await {
                Ok(is_busy) => {
                    self.gauges.set_trouble(&self.cluster, None);
                    is_busy
                }
                Err(failure) if is_final(&failure) => return Err(failure),
                Err(failure) => {
                    if self.gauges.set_trouble(&self.cluster, Some(failure.to_string())) {
                        tracing::warn!(cluster = self.cluster, %failure, "not all that is due is done");
                    }
                    false
                }
            };
            if is_busy {
                continue;
            }
            tokio::select! {
                biased;
                _ = shutdown.changed() => {}
                changed = head.changed() => if changed.is_err() { return Ok(()) },
                () = self.clock.sleep(self.config.look_interval) => {}
            }
        }
    }

    /// Takes every open task on by what is due now. True when something was recorded, so that more may be due at once.
    async fn round(&mut self) -> Result<bool, Failure> {
        let (tasks, granted) = {
            let view = self.projection.fresh().await?;
            let granted: BTreeSet<StepKey> = view.admission(&self.cluster).admission.grants.into_keys().collect();
            (view.open_tasks(&self.cluster), granted)
        };
        let open: BTreeSet<String> = tasks.iter().map(|record| record.task.id.clone()).collect();
        self.gauges.forget_tasks(&self.measured_tasks, &open);
        self.measured_tasks = open;
        if tasks.iter().all(|record| record.task.phase.activity().is_none() && record.task.phase != ballast_task::Phase::Queued) {
            return Ok(false);
        }
        let Some(known) = self.snapshots.borrow().clone() else {
            return Err(Failure::new(Reason::ModelNotReady, "the Monitor has not seen the whole cluster yet"));
        };
        let mut look = self.look(&tasks, &granted, &known).await.map_err(|error| failure_of_kafka(&error))?;
        self.measure(&tasks, &look.seen).await;
        let (mut is_busy, mut failed) = (false, None);
        for record in &tasks {
            self.renew(&mut look, &tasks, &known).await.map_err(|error| failure_of_kafka(&error))?;
            match self.take_on(&record.task.id, &granted, &look).await {
                Ok(was_busy) => is_busy |= was_busy,
                Err(failure) if is_final(&failure) => return Err(failure),
                // The other tasks need not suffer.
                Err(failure) => failed = failed.or(Some(failure)),
            }
        }
        failed.map_or(Ok(is_busy), Err)
    }

    async fn look(
        &mut self,
        tasks: &[TaskRecord],
        granted: &BTreeSet<StepKey>,
        known: &Snapshot,
    ) -> Result<Look, ballast_kafka::KafkaError> {
        let at = self.clock.now();
        let seen = look::look(self.kafka.as_ref(), &topics_of(tasks), known).await?;
        let (open, now) = (tasks.iter().map(|record| record.task.as_ref()), self.clock.now());
        self.gates.look(self.kafka.as_ref(), open, granted, &seen, now, self.config.progress_interval).await;
        let emptied = emptied_brokers(tasks, &seen);
        let copies = match emptied {
            Some(brokers) => look::copies(self.kafka.as_ref(), &brokers).await,
            None => None,
        };
        Ok(Look { free_bytes: look::free_bytes(known), seen, at, copies })
    }

    /// Looks at the lists again when brokers kept the other questions waiting: a request of ours that was never answered may have
    /// arrived meanwhile, and must not be made a second time.
    async fn renew(&self, look: &mut Look, tasks: &[TaskRecord], known: &Snapshot) -> Result<(), ballast_kafka::KafkaError> {
        let at = self.clock.now();
        if at.milliseconds_since(look.at) > LOOK_AGE_MILLISECONDS_MAX {
            look.seen = look::look(self.kafka.as_ref(), &topics_of(tasks), known).await?;
            look.at = at;
        }
        Ok(())
    }

    async fn measure(&mut self, tasks: &[TaskRecord], seen: &Snapshot) {
        let now = self.clock.now();
        let interval = i64::try_from(self.config.progress_interval.as_millis()).unwrap_or(i64::MAX);
        if self.measured_at.is_some_and(|at| now.milliseconds_since(at) < interval) {
            return;
        }
        self.measured_at = Some(now);
        for record in tasks {
            let mut progress = self.gauges.progress(&record.task.id);
            measure(self.kafka.as_ref(), &record.task, seen, &mut progress, now).await;
            self.gauges.set_progress(&record.task.id, progress);
        }
    }

    /// Records and performs what is due for one task, as it is folded now.
    async fn take_on(&mut self, id: &str, granted: &BTreeSet<StepKey>, look: &Look) -> Result<bool, Failure> {
        let (record, version, mut admission, slots) = {
            let view = self.projection.fresh().await?;
            let record = view.task(id)?.clone();
            let slots = Slots::of(view.open(&self.cluster).map(|open| open.task.as_ref()), &look.seen);
            (record, view.version(&ballast_events::StreamName::task(id)), view.admission(&self.cluster), slots)
        };
        // What was admitted since the look starts after the next one: its brokers were not asked yet.
        admission.admission.grants.retain(|step, _| granted.contains(step));
        let grown_at = self.gauges.progress(id).grown_at();
        let sight = Sight {
            cluster: &look.seen,
            since: self.since,
            progressed_at: &grown_at,
            free_bytes: &look.free_bytes,
            cordoned: &self.gates.cordoned,
            moving_on_disk: &self.gates.moving_on_disk,
            copies: look.copies.as_ref(),
        };
        let due = next(&record.task, &sight, &admission.admission, &slots, &self.config.limits, self.clock.now());
        let (mut records, intents, deeds) = sort(due);
        if self.holds_end_back(&record.task, &records, &look.seen) {
            records.retain(|event| !is_end(event));
        }
        log_events(&record.task, records.iter().chain(&intents));
        let mut recorded = match records.is_empty() {
            true => Ok(Taken::Yes),
            false => self.recorder.record(&record, version, &records).await,
        };
        if recorded == Ok(Taken::OutOfDate) {
            return Ok(true);
        }
        if recorded.is_ok() && !intents.is_empty() {
            // A refused intent is decided anew at the next round, which begins at once.
            recorded = self.recorder.intend(&record, version, &admission, &intents).await;
        }
        // A full log keeps steps from starting, not from being carried out or taken back.
        if let Err(error) = &recorded
            && !matches!(error, LogError::VolumeFull { .. })
        {
            return Err(error.clone().into());
        }
        let performed = self.perform(&record, version, deeds).await?;
        recorded?;
        Ok(performed || !records.is_empty() || !intents.is_empty())
    }
}

impl Executor {
    /// Whoever waits for a task and then plans again must not get a plan made from what was before: a task ends once the Monitor
    /// shows its partitions as they are now, or has had the time to.
    fn holds_end_back(&mut self, task: &Task, records: &[Event], seen: &Snapshot) -> bool {
        if !records.iter().any(is_end) {
            return false;
        }
        let shown = self.snapshots.borrow().clone();
        let is_shown = |at: &TopicPartition| match (shown.as_ref().and_then(|shown| shown.partition(at)), seen.partition(at)) {
            (Some(shown), Some(seen)) => {
                shown.replicas == seen.replicas && shown.leader == seen.leader && shown.is_reassigning() == seen.is_reassigning()
            }
            (shown, seen) => shown.is_none() == seen.is_none(),
        };
        let now = self.clock.now();
        let since = *self.held_since.entry(task.id.clone()).or_insert(now);
        let is_held = now.milliseconds_since(since) < END_HELD_MILLISECONDS_MAX
            && !task.body.partitions.iter().all(|recorded| is_shown(&recorded.at));
        if !is_held {
            self.held_since.remove(&task.id);
        }
        is_held
    }
}

fn topics_of(tasks: &[TaskRecord]) -> Vec<String> {
    let partitions = tasks.iter().flat_map(|record| &record.task.body.partitions);
    let topics: BTreeSet<String> = partitions.map(|recorded| recorded.at.topic.clone()).collect();
    topics.into_iter().collect()
}

fn is_end(event: &Event) -> bool {
    matches!(event, Event::Task(ballast_task::TaskEvent::Ended { .. }))
}

/// Live brokers that lose a replica by a task that is being verified; `None` when no task is.
fn emptied_brokers(tasks: &[TaskRecord], seen: &Snapshot) -> Option<BTreeSet<BrokerId>> {
    let verifying: Vec<&TaskRecord> =
        tasks.iter().filter(|record| record.task.phase.activity() == Some(Activity::Verifying)).collect();
    let partitions = verifying.iter().flat_map(|record| &record.task.body.partitions);
    let leaving = partitions.flat_map(|recorded| recorded.replicas.iter().filter(|broker| !recorded.target.contains(broker)));
    let brokers = leaving.copied().filter(|broker| seen.is_alive(*broker)).collect();
    (!verifying.is_empty()).then_some(brokers)
}

fn sort(due: Vec<Effect>) -> (Vec<Event>, Vec<Event>, Vec<Effect>) {
    let (mut records, mut intents, mut deeds) = (Vec::new(), Vec::new(), Vec::new());
    for effect in due {
        match effect {
            Effect::Record(event) => records.push(event),
            Effect::Intend(event) => intents.push(event),
            deed => deeds.push(deed),
        }
    }
    (records, intents, deeds)
}

fn log_events<'a>(task: &Task, events: impl Iterator<Item = &'a Event>) {
    for event in events {
        match event {
            Event::Task(event) => tracing::info!(task = task.id, event = event.name(), "task"),
            Event::Step(event) => {
                tracing::info!(task = task.id, step = event.step, attempt = event.attempt, event = event.outcome.name(), "step");
            }
        }
    }
}

/// The log takes nothing more from this process.
fn is_final(failure: &Failure) -> bool {
    matches!(
        failure.reason,
        Reason::NotActive | Reason::LogFailed | Reason::LogDamaged | Reason::Draining | Reason::EventUnreadable
    )
}
