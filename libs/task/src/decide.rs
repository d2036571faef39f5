//! What a command decides: the events it leads to, or a rejection. Must not know who asked, nor what the cluster looks like now.

use std::fmt;

use crate::apply::may_cancel;
use crate::task::{Activity, Phase, Step, StepState, Task};
use crate::{CancelMode, Decision, Event, StepEvent, StepKind, StepOutcome, TaskEvent, TaskState, reason};

/// A command to a task that exists. Its creation is decided by whoever has the plan (see `steps`) or the task to undo
/// (see `undo`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command {
    Approve,
    Reject,
    Pause,
    Resume,
    Cancel(CancelMode),
    Decide { step: u32, decision: Decision },
}

/// A command that was understood and refused. Nothing changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rejection {
    /// UPPER_SNAKE, stable.
    pub reason_code: &'static str,
    pub message: String,
}

impl fmt::Display for Rejection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.message, self.reason_code)
    }
}

impl std::error::Error for Rejection {}

impl Rejection {
    pub fn new(reason_code: &'static str, message: impl Into<String>) -> Self {
        Self { reason_code, message: message.into() }
    }
}

/// The events that `command` leads to, in order; at least one.
pub fn decide(task: &Task, command: Command) -> Result<Vec<Event>, Rejection> {
    let refused = |verb: &str| {
        let state = task.state();
        Err(Rejection::new(reason::ILLEGAL_TRANSITION, format!("task {} is {state}: it cannot be {verb}", task.id)))
    };
    let event = match (command, &task.phase) {
        (Command::Approve, Phase::Proposed) => TaskEvent::Approved,
        (Command::Approve, _) => return refused("approved"),
        (Command::Reject, Phase::Proposed) => TaskEvent::Rejected,
        (Command::Reject, _) => return refused("rejected"),
        (Command::Pause, Phase::Queued | Phase::Active(Activity::Running | Activity::RollingBack)) => TaskEvent::PauseRequested,
        (Command::Pause, Phase::NeedsOperator { interrupted: Activity::Running | Activity::RollingBack, .. }) => {
            TaskEvent::PauseRequested
        }
        (Command::Pause, _) => return refused("paused"),
        (Command::Resume, Phase::Paused) => TaskEvent::ResumeRequested,
        (Command::Resume, _) => return refused("resumed"),
        (Command::Cancel(mode), _) if may_cancel(task, mode) => TaskEvent::CancelRequested { mode },
        (Command::Cancel(_), Phase::Ended { .. }) if task.applied_anything() => {
            return refused("cancelled any more; roll it back instead");
        }
        (Command::Cancel(_), Phase::Ended { .. }) => return refused("cancelled any more"),
        (Command::Cancel(_), _) if task.has_turned_back() => return refused("rolled back once more, only stopped"),
        (Command::Cancel(_), _) => return refused("cancelled more gently than it is already"),
        (Command::Decide { step, decision }, Phase::NeedsOperator { interrupted, .. }) => {
            return decide_step(task, *interrupted, step, decision);
        }
        (Command::Decide { .. }, _) => return refused("decided on: it does not need an operator"),
    };
    Ok(vec![Event::Task(event)])
}

fn decide_step(task: &Task, interrupted: Activity, index: u32, decision: Decision) -> Result<Vec<Event>, Rejection> {
    let Some(step) = task.step(index) else {
        return Err(Rejection::new(reason::STEP_NOT_FOUND, format!("task {} has no step {index}", task.id)));
    };
    let verifying = interrupted == Activity::Verifying;
    if step.state.is_over() && !verifying {
        let state = step.state.name();
        return Err(Rejection::new(
            reason::STEP_NOT_WAITING,
            format!("step {index} of {} is {state}: nothing to decide", task.id),
        ));
    }
    let mut events = vec![Event::Task(TaskEvent::Decided { step: index, decision })];
    match decision {
        Decision::Retry => {}
        Decision::MarkDone | Decision::Skip if verifying => {
            // The comparison goes on without this partition: `apply` notes who vouched for it.
            events = vec![Event::Task(TaskEvent::Decided { step: index, decision: Decision::MarkDone })];
        }
        Decision::MarkDone => events.push(event(task, step, mark_done(step))),
        Decision::Skip => events.push(event(task, step, skip(step))),
        Decision::RollBack => {
            if !may_cancel(task, CancelMode::RollBack) {
                let message = format!("task {} is already being rolled back", task.id);
                return Err(Rejection::new(reason::ILLEGAL_TRANSITION, message));
            }
            events.push(Event::Task(TaskEvent::CancelRequested { mode: CancelMode::RollBack }));
        }
        Decision::Abandon => events.extend(abandon(task)),
    }
    Ok(events)
}

fn event(task: &Task, step: &Step, outcome: StepOutcome) -> Event {
    Event::Step(StepEvent { task: task.id.clone(), step: step.plan.index, attempt: step.attempt, outcome })
}

fn mark_done(step: &Step) -> StepOutcome {
    match &step.plan.kind {
        StepKind::Move { to, .. } => StepOutcome::Succeeded { replicas: to.clone(), in_sync: Vec::new(), leader: None },
        StepKind::Elect { leader } => StepOutcome::Succeeded { replicas: Vec::new(), in_sync: Vec::new(), leader: Some(*leader) },
    }
}

/// A move that Kafka may have is taken back first; everything else is simply not done.
fn skip(step: &Step) -> StepOutcome {
    match (&step.plan.kind, &step.state) {
        (StepKind::Move { .. }, StepState::Intended(intent) | StepState::Unknown(intent) | StepState::Issued(intent)) => {
            StepOutcome::RevertIntended { restore: intent.before.clone() }
        }
        _ => StepOutcome::Skipped { reason_code: reason::OPERATOR_DECISION.into(), detail: "skipped by an operator".into() },
    }
}

/// Everything open is left as it stands and the task ends.
fn abandon(task: &Task) -> Vec<Event> {
    let failed =
        || StepOutcome::Failed { reason_code: reason::OPERATOR_DECISION.into(), detail: "abandoned by an operator".into() };
    let started = task.steps.iter().filter(|step| step.state.holds_a_place());
    let mut events: Vec<Event> = started.map(|step| event(task, step, failed())).collect();
    let touched = task.applied_anything() || task.steps.iter().any(|step| step.state.is_in_flight());
    let state = if touched { TaskState::PartiallyApplied } else { TaskState::Failed };
    let (reason_code, detail) = (reason::OPERATOR_DECISION.into(), "abandoned by an operator".into());
    events.push(Event::Task(TaskEvent::Ended { state, reason_code, detail }));
    events
}

#[cfg(test)]
mod tests;
