//! Commands to tasks: load, decide, append, answer. Must not know the wire, nor how tasks are carried out.

mod create;

use std::sync::Arc;

use ballast_event_codec::{Meta, append_events, new_events, step_stream};
use ballast_event_log::{Append, Context, ExpectedVersion, LogError, NewEvent};
use ballast_events::{Actor, AuditEvent, Event, RequestRef, StreamName};
use ballast_rpc::{Failure, Reason, RequestContext, reason_name, resource_id};
use ballast_task::{Command, apply_in_place, decide};

use crate::Parts;
use crate::failures::failure_of;
use crate::view::TaskRecord;

/// What every command carries beside itself.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Full gRPC method name.
    pub method: &'static str,
    pub caller: RequestContext,
    pub request: RequestRef,
    pub reason: String,
    pub validate_only: bool,
}

impl Asked {
    fn context(&self) -> Context {
        self.caller.clone().for_command(self.request.clone(), &self.reason)
    }
}

/// The task after the command.
pub(crate) struct Answer {
    pub record: TaskRecord,
    /// Of the last event that the command led to; 0 when it was only validated.
    pub sequence: u64,
    pub replayed: bool,
}

/// So often a command is decided again when somebody wrote at the same time.
const TRIES: usize = 10;

/// What is asked for.
#[derive(Clone, Copy)]
enum Ask<'a> {
    /// A command to the task itself.
    Task(Command),
    /// A task of one alternative of a plan.
    Create { plan: &'a str, rank: u32 },
    /// A task that undoes a finished one.
    RollBack { finished: &'a str },
}

/// What a decision wants appended.
struct Decided {
    events: Vec<NewEvent>,
    expected: Vec<(StreamName, ExpectedVersion)>,
    /// The task as it will be.
    after: TaskRecord,
}

impl Parts {
    /// Carries out a command to a task that exists.
    pub(crate) async fn command(&self, id: &str, command: Command, asked: &Asked) -> Result<Answer, Failure> {
        let answer = self.answer(id, Ask::Task(command), asked).await;
        self.audited(answer, id, asked).await
    }

    /// The stored answer, or what is decided, appended; decided anew as often as somebody else wrote first. `id` is the task that
    /// the answer shows.
    async fn answer(&self, id: &str, ask: Ask<'_>, asked: &Asked) -> Result<Answer, Failure> {
        if let Some((place, body_hash)) = self.log.request(&asked.request.id).await? {
            if body_hash != asked.request.body_hash {
                return Err(LogError::RequestIdConflict { id: asked.request.id.clone() }.into());
            }
            let record = self.projection.fresh().await?.task(id)?.clone();
            return Ok(Answer { record, sequence: place.last_sequence, replayed: true });
        }
        for _ in 0..TRIES {
            let decided = match ask {
                Ask::Task(command) => self.decide(id, command).await?,
                Ask::Create { plan, rank } => self.decide_creation(id, plan, rank, asked).await?,
                Ask::RollBack { finished } => self.decide_rollback(id, finished, asked).await?,
            };
            if asked.validate_only {
                return Ok(Answer { record: decided.after, sequence: 0, replayed: false });
            }
            let mut append = Append::new(asked.context(), self.epoch, decided.events);
            append.expected = decided.expected;
            // Who stops something must be able to on a full volume too.
            append.essential = matches!(ask, Ask::Task(Command::Pause | Command::Cancel(_) | Command::Reject));
            match append_events(self.log.as_ref(), append).await {
                Ok(place) => {
                    let record = self.projection.fresh().await?.task(id)?.clone();
                    return Ok(Answer { record, sequence: place.last_sequence, replayed: place.replayed });
                }
                Err(LogError::VersionConflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Failure::new(Reason::ConcurrentWrites, format!("task {id} changes too fast: try again")))
    }

    async fn decide(&self, id: &str, command: Command) -> Result<Decided, Failure> {
        let view = self.projection.fresh().await?;
        let record = view.task(id)?;
        if let Some(why) = &record.broken {
            return Err(Failure::new(Reason::EventUnreadable, format!("task {id} cannot be followed: {why}")));
        }
        let decided = decide(&record.task, command).map_err(|rejection| failure_of(&rejection).with("task", id))?;
        let now = self.clock.now();
        let mut after = record.clone();
        let mut events = Vec::new();
        let mut expected = vec![(StreamName::task(id), ExpectedVersion::Exactly(view.version(&StreamName::task(id))))];
        let meta = Meta {
            cluster: Some(record.task.cluster.clone()),
            correlation_id: Some(id.into()),
            causation: Some(record.sequence),
            ..Meta::default()
        };
        for event in &decided {
            // The core's own tests hold that what it decides can be applied.
            apply_in_place(Arc::make_mut(&mut after.task), event, now)
                .map_err(|illegal| Failure::new(Reason::Internal, illegal.to_string()))?;
            match event {
                ballast_task::Event::Task(event) => {
                    events.extend(new_events(&StreamName::task(id), &Event::Task(event.clone()), now, &meta));
                }
                ballast_task::Event::Step(event) => {
                    let stream = step_stream(id, event.step);
                    if expected.iter().all(|(known, _)| *known != stream) {
                        expected.push((stream.clone(), ExpectedVersion::Exactly(view.version(&stream))));
                    }
                    events.extend(new_events(&stream, &Event::Step(event.clone()), now, &meta));
                }
            }
        }
        Ok(Decided { events, expected, after })
    }

    /// Records a rejection. A request id that is refused is not used up; a malformed request never gets here.
    async fn audited(&self, answer: Result<Answer, Failure>, subject: &str, asked: &Asked) -> Result<Answer, Failure> {
        let failure = match answer {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure,
        };
        let (reason_code, message) = (reason_name(failure.reason).to_owned(), failure.message.clone());
        tracing::info!(method = asked.method, subject, reason_code, why = message, "command rejected");
        if asked.validate_only {
            return Err(failure);
        }
        let rejected = AuditEvent::CommandRejected {
            method: asked.method.into(),
            request_id: asked.request.id.clone(),
            subject: subject.into(),
            reason_code,
            message,
        };
        let meta = Meta { correlation_id: Some(subject.into()), ..Meta::default() };
        let events = new_events(&StreamName::audit(), &Event::Audit(rejected), self.clock.now(), &meta);
        let context = Context { request: None, ..asked.context() };
        if let Err(error) = self.log.append(Append::new(context, self.epoch, events)).await {
            tracing::warn!(%error, "a rejection could not be recorded");
        }
        Err(failure)
    }
}

/// The id of the task that this request makes.
pub(crate) fn task_id(request: &RequestRef) -> String {
    resource_id("task", &request.id)
}

/// A task that is only validated, as it would be.
fn unrecorded(task: ballast_task::Task, caller: &Actor, reason: &str) -> TaskRecord {
    let at = task.since;
    TaskRecord {
        task: Arc::new(task),
        accepted_sequence: 0,
        sequence: 0,
        created_at: at,
        updated_at: at,
        creator: caller.clone(),
        reason: reason.into(),
        steps: std::collections::BTreeMap::new(),
        broken: None,
    }
}
