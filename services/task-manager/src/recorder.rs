//! Appends the executor's own events, under the conditions that they were decided on. Must not know when they are due.

use std::sync::Arc;

use ballast_clock::Clock;
use ballast_event_codec::{Meta, append_events, new_events, step_stream};
use ballast_event_log::{Append, Context, EVENTS_MAX, EventLog, ExpectedVersion, LogError, NewEvent};
use ballast_events::{Actor, Event, Fencing, StreamName};
use ballast_task::StepOutcome;

use crate::view::{AdmissionRecord, TaskRecord};

#[derive(Clone)]
pub(crate) struct Recorder {
    pub log: Arc<dyn EventLog>,
    pub clock: Clock,
    /// Sequence of the lease event of this process.
    pub epoch: Option<u64>,
}

/// Whether it was taken; if not, somebody wrote first: fold and decide again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Taken {
    Yes,
    OutOfDate,
}

impl Recorder {
    /// Records events of one task as it was folded at `task_version`.
    pub async fn record(
        &self,
        record: &TaskRecord,
        task_version: u64,
        events: &[ballast_task::Event],
    ) -> Result<Taken, LogError> {
        self.append_all(record, task_version, None, events).await
    }

    /// Records intents, refused also when any admission changed.
    pub async fn intend(
        &self,
        record: &TaskRecord,
        task_version: u64,
        admission: &AdmissionRecord,
        events: &[ballast_task::Event],
    ) -> Result<Taken, LogError> {
        self.append_all(record, task_version, Some(admission), events).await
    }

    async fn append_all(
        &self,
        record: &TaskRecord,
        task_version: u64,
        admission: Option<&AdmissionRecord>,
        events: &[ballast_task::Event],
    ) -> Result<Taken, LogError> {
        let context = Context { actor: Actor::ballast("task-manager"), ..Context::default() };
        // What closes running work goes first and alone: a full volume takes nothing else.
        let (closing, starting): (Vec<_>, Vec<_>) = events.iter().cloned().partition(closes_work);
        // Half the limit: an event of the task may bring chunks of its own.
        for part in closing.chunks(EVENTS_MAX / 2).chain(starting.chunks(EVENTS_MAX / 2)) {
            let stored = part.iter().flat_map(|event| self.stored(record, admission, event)).collect();
            let essential = part.iter().all(closes_work);
            let mut append = Append { essential, ..Append::new(context.clone(), self.epoch, stored) }
                .expecting(StreamName::task(&record.task.id), ExpectedVersion::Exactly(task_version));
            if let Some(admission) = admission {
                append =
                    append.expecting(StreamName::admission(&record.task.cluster), ExpectedVersion::Exactly(admission.version));
            }
            match append_events(self.log.as_ref(), append).await {
                Ok(_) => {}
                Err(LogError::VersionConflict { .. }) => return Ok(Taken::OutOfDate),
                Err(error) => return Err(error),
            }
            // An event of the task itself ends what was decided on its former state.
            if part.iter().any(|event| matches!(event, ballast_task::Event::Task(_))) {
                break;
            }
        }
        Ok(Taken::Yes)
    }

    fn stored(&self, record: &TaskRecord, admission: Option<&AdmissionRecord>, event: &ballast_task::Event) -> Vec<NewEvent> {
        let id = &record.task.id;
        let fencing = |attempt| self.epoch.map(|epoch| Fencing { epoch, executor: "task-manager".into(), attempt });
        let meta = |causation, attempt| Meta {
            cluster: Some(record.task.cluster.clone()),
            correlation_id: Some(id.clone()),
            causation: Some(causation),
            fencing: fencing(attempt),
            basis: None,
        };
        let now = self.clock.now();
        match event {
            ballast_task::Event::Task(event) => {
                new_events(&StreamName::task(id), &Event::Task(event.clone()), now, &meta(record.sequence, 0))
            }
            ballast_task::Event::Step(event) => {
                let before = record.steps.get(&event.step).map_or(record.accepted_sequence, |step| step.sequence);
                let granted = admission.and_then(|admission| {
                    let step = record.task.step(event.step)?;
                    admission.granted_at.get(&record.task.key(step)).copied()
                });
                let meta = meta(granted.unwrap_or(before), event.attempt);
                new_events(&step_stream(id, event.step), &Event::Step(event.clone()), now, &meta)
            }
        }
    }
}

/// Whether the event ends or follows what runs already, as against starting something.
fn closes_work(event: &ballast_task::Event) -> bool {
    match event {
        ballast_task::Event::Task(_) => true,
        ballast_task::Event::Step(event) => {
            !matches!(event.outcome, StepOutcome::Ready { .. } | StepOutcome::Intended { .. } | StepOutcome::Waiting { .. })
        }
    }
}
