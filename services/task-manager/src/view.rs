//! The tasks and admissions as the log tells them: a fold, brought up to the head whenever it is read. Must not know how tasks
//! are carried out.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ballast_cluster::{Admission, Grant, StepKey, Timestamp};
use ballast_event_codec::Decoder;
use ballast_event_log::{EventLog, Follower};
use ballast_events::{Actor, Envelope, Event, StreamName};
use ballast_rpc::{Failure, Reason};
use ballast_task::{StepEvent, StepOutcome, Task, apply, apply_in_place};
use ballast_throttle::AdmissionEvent;
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

#[derive(Default)]
pub(crate) struct View {
    pub tasks: BTreeMap<String, TaskRecord>,
    admissions: BTreeMap<String, AdmissionRecord>,
    /// Last event of every task and admission stream, chunks included: what an append expects.
    versions: HashMap<StreamName, u64>,
    /// Sequence of the last event folded.
    pub position: u64,
}

/// A task with what is known about it beside its state.
#[derive(Clone)]
pub(crate) struct TaskRecord {
    pub task: Arc<Task>,
    pub accepted_sequence: u64,
    /// Of its last event.
    pub sequence: u64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub creator: Actor,
    pub reason: String,
    pub steps: BTreeMap<u32, StepRecord>,
    /// An event that could not be read or may not follow: the task is left alone.
    pub broken: Option<String>,
}

#[derive(Clone, Default)]
pub(crate) struct StepRecord {
    /// Of its last event.
    pub sequence: u64,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    /// Why its last attempt failed or it was not done.
    pub reason_code: String,
    pub detail: String,
}

#[derive(Clone, Default)]
pub(crate) struct AdmissionRecord {
    pub admission: Admission,
    /// Of the stream.
    pub version: u64,
    epoch: u64,
    /// Sequence of the event that granted.
    pub granted_at: BTreeMap<StepKey, u64>,
    /// Why a step is not admitted, with a sentence.
    pub withheld: BTreeMap<StepKey, (String, String)>,
}

impl View {
    pub fn admission(&self, cluster: &str) -> AdmissionRecord {
        self.admissions.get(cluster).cloned().unwrap_or_default()
    }

    /// Version of a task or admission stream; 0 before its first event.
    pub fn version(&self, stream: &StreamName) -> u64 {
        self.versions.get(stream).copied().unwrap_or(0)
    }

    pub fn task(&self, id: &str) -> Result<&TaskRecord, Failure> {
        self.tasks.get(id).ok_or_else(|| Failure::new(Reason::TaskNotFound, format!("there is no task {id}")).with("task", id))
    }

    /// Tasks of a cluster that are not over and can be carried out, in the order in which they go first: evacuations, then the
    /// older ones.
    pub fn open_tasks(&self, cluster: &str) -> Vec<TaskRecord> {
        let mut tasks: Vec<TaskRecord> = self.open(cluster).cloned().collect();
        tasks.sort_by_key(|record| (record.task.goal != "evacuate", record.accepted_sequence));
        tasks
    }

    /// The same in no particular order.
    pub fn open(&self, cluster: &str) -> impl Iterator<Item = &TaskRecord> {
        let open =
            move |record: &&TaskRecord| record.task.cluster == cluster && !record.task.is_over() && record.broken.is_none();
        self.tasks.values().filter(open)
    }

    fn fold(&mut self, decoder: &mut Decoder, envelope: &Envelope) -> Result<(), Failure> {
        self.position = envelope.sequence;
        let family = envelope.stream.family();
        if family != "task" && family != "admission" {
            return Ok(());
        }
        self.versions.insert(envelope.stream.clone(), envelope.version);
        let decoded = decoder.decode(envelope);
        let owner = envelope.stream.segments().next().unwrap_or_default();
        match decoded {
            Ok(None) => {}
            Ok(Some(Event::Task(event))) => self.fold_task(owner, &ballast_task::Event::Task(event), envelope),
            Ok(Some(Event::Step(event))) => self.fold_task(owner, &ballast_task::Event::Step(event), envelope),
            Ok(Some(Event::Admission(event))) => self.admissions.entry(owner.into()).or_default().fold(event, envelope),
            Ok(Some(_)) => {}
            Err(error) if family == "task" => self.mark_broken(owner, error.to_string()),
            Err(error) => return Err(Failure::new(Reason::EventUnreadable, error.to_string())),
        }
        Ok(())
    }

    fn mark_broken(&mut self, id: &str, why: String) {
        tracing::error!(task = id, why, "a task's events cannot be followed: it is left alone");
        if let Some(record) = self.tasks.get_mut(id) {
            record.broken = Some(why);
        }
    }

    fn fold_task(&mut self, id: &str, event: &ballast_task::Event, envelope: &Envelope) {
        let at = envelope.header.occurred_at;
        let Some(record) = self.tasks.get_mut(id) else {
            match apply(None, event, at) {
                Ok(task) => drop(self.tasks.insert(id.into(), TaskRecord::new(task, envelope))),
                Err(illegal) => self.mark_broken(id, illegal.to_string()),
            }
            return;
        };
        record.sequence = envelope.sequence;
        record.updated_at = at;
        if record.broken.is_some() {
            return;
        }
        // Copies the task only while somebody still looks at the state before.
        if let Err(illegal) = apply_in_place(Arc::make_mut(&mut record.task), event, at) {
            return self.mark_broken(id, illegal.to_string());
        }
        if let ballast_task::Event::Step(event) = event {
            record.note_step(event, envelope);
            if matches!(event.outcome, StepOutcome::Intended { .. }) || event.outcome.ends_attempt() {
                let key = StepKey { task: event.task.clone(), step: event.step, attempt: event.attempt };
                self.admissions.entry(record.task.cluster.clone()).or_default().forget(&key);
            }
        }
        if record.task.is_over() {
            // A grant may have met the end of its step.
            self.admissions.entry(record.task.cluster.clone()).or_default().forget_task(id);
        }
    }
}

impl TaskRecord {
    fn new(task: Task, envelope: &Envelope) -> Self {
        Self {
            task: Arc::new(task),
            accepted_sequence: envelope.sequence,
            sequence: envelope.sequence,
            created_at: envelope.header.occurred_at,
            updated_at: envelope.header.occurred_at,
            creator: envelope.header.actor.clone(),
            reason: envelope.header.reason.clone(),
            steps: BTreeMap::new(),
            broken: None,
        }
    }

    fn note_step(&mut self, event: &StepEvent, envelope: &Envelope) {
        let at = envelope.header.occurred_at;
        let step = self.steps.entry(event.step).or_default();
        step.sequence = envelope.sequence;
        match &event.outcome {
            StepOutcome::Intended { .. } => {
                step.started_at.get_or_insert(at);
            }
            StepOutcome::Skipped { reason_code, detail }
            | StepOutcome::Failed { reason_code, detail }
            | StepOutcome::AttemptFailed { reason_code, detail } => {
                (step.reason_code, step.detail) = (reason_code.clone(), detail.clone());
            }
            StepOutcome::Succeeded { .. } | StepOutcome::Reverted { .. } => {
                (step.reason_code, step.detail) = (String::new(), String::new());
            }
            _ => {}
        }
        if event.outcome.ends_step() {
            step.ended_at = Some(at);
        }
    }
}

impl AdmissionRecord {
    /// A grant that is used or withdrawn, or a refusal of what is over.
    fn forget(&mut self, step: &StepKey) {
        self.withheld.remove(step);
        self.granted_at.remove(step);
        self.admission.grants.remove(step);
    }

    fn forget_task(&mut self, task: &str) {
        self.withheld.retain(|step, _| step.task != task);
        self.granted_at.retain(|step, _| step.task != task);
        self.admission.grants.retain(|step, _| step.task != task);
    }

    fn fold(&mut self, event: AdmissionEvent, envelope: &Envelope) {
        self.version = envelope.version;
        match event {
            AdmissionEvent::Opened => {
                self.epoch = envelope.sequence;
                self.admission.grants.clear();
                self.granted_at.clear();
            }
            AdmissionEvent::Admitted { step, expires_at } => {
                self.withheld.remove(&step);
                self.granted_at.insert(step.clone(), envelope.sequence);
                self.admission.grants.insert(step, Grant { epoch: self.epoch, expires_at });
            }
            AdmissionEvent::Withheld { step, reason_code, detail } => {
                self.withheld.insert(step, (reason_code, detail));
            }
            AdmissionEvent::Withdrawn { step } => self.forget(&step),
            AdmissionEvent::Frozen => self.admission.frozen = true,
            AdmissionEvent::Unfrozen => self.admission.frozen = false,
        }
    }
}

/// The view and its place in the log.
pub(crate) struct Projection {
    state: Mutex<Folded>,
}

struct Folded {
    view: View,
    decoder: Decoder,
    follower: Follower,
}

impl Projection {
    pub fn new(log: Arc<dyn EventLog>) -> Self {
        Self { state: Mutex::new(Folded { view: View::default(), decoder: Decoder::new(), follower: Follower::new(log, 1) }) }
    }

    /// Place in the log of the last event that was folded.
    pub async fn folded_until(&self) -> u64 {
        self.state.lock().await.follower.position() - 1
    }

    /// The view of everything recorded until now. Keep it only for a look: nobody else can look meanwhile.
    pub async fn fresh(&self) -> Result<MappedMutexGuard<'_, View>, Failure> {
        let mut folded = self.state.lock().await;
        let Folded { view, decoder, follower } = &mut *folded;
        while let Some(envelope) = follower.next_recorded().await? {
            view.fold(decoder, &envelope)?;
        }
        Ok(MutexGuard::map(folded, |folded| &mut folded.view))
    }
}
