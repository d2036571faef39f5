//! What an event changes: the one page with every legal change of state. Must not know why events are recorded.
//!
//! Anything that is not here is a defect, either of the writer or of the log: it is refused, never guessed.

use std::fmt;

use ballast_cluster::Timestamp;

use crate::task::{Activity, Intent, Phase, Step, StepState, Task, Waiting};
use crate::{CancelMode, Decision, Event, StepEvent, StepOutcome, TaskEvent, reason};

/// An event that cannot follow what was folded before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IllegalEvent {
    pub task: String,
    pub step: Option<u32>,
    /// State of the task or step that met the event.
    pub state: String,
    pub event: &'static str,
}

impl fmt::Display for IllegalEvent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.step {
            Some(step) => write!(formatter, "step {step} of {} cannot be {} while {}", self.task, self.event, self.state),
            None => write!(formatter, "{} cannot be {} while {}", self.task, self.event, self.state),
        }
    }
}

impl std::error::Error for IllegalEvent {}

/// The task after `event`, which happened at `at`. `None` is the task before it was accepted.
pub fn apply(task: Option<Task>, event: &Event, at: Timestamp) -> Result<Task, IllegalEvent> {
    match (task, event) {
        (None, Event::Task(accepted @ TaskEvent::Accepted { .. })) => Ok(accept(accepted, at)),
        (None, Event::Task(event)) => Err(illegal("", None, "ABSENT", event.name())),
        (None, Event::Step(event)) => Err(illegal(&event.task, Some(event.step), "ABSENT", event.outcome.name())),
        (Some(mut task), event) => apply_in_place(&mut task, event, at).map(|()| task),
    }
}

/// The same for a task that exists, without moving it: an illegal event leaves it as it was.
pub fn apply_in_place(task: &mut Task, event: &Event, at: Timestamp) -> Result<(), IllegalEvent> {
    match event {
        Event::Task(event) => apply_to_task(task, event, at),
        Event::Step(event) => apply_to_step(task, event, at),
    }
}

fn illegal(task: &str, step: Option<u32>, state: &str, event: &'static str) -> IllegalEvent {
    IllegalEvent { task: task.into(), step, state: state.into(), event }
}

fn accept(event: &TaskEvent, at: Timestamp) -> Task {
    let TaskEvent::Accepted { task, cluster, plan, alternative, goal, brokers, approval_required, rolls_back, body } = event
    else {
        unreachable!("called with an accepted event only");
    };
    Task {
        id: task.clone(),
        cluster: cluster.clone(),
        plan: plan.clone(),
        alternative: *alternative,
        goal: goal.clone(),
        brokers: brokers.clone(),
        rolls_back: rolls_back.clone(),
        body: body.clone(),
        phase: if *approval_required { Phase::Proposed } else { Phase::Queued },
        since: at,
        steps: body.steps.iter().map(|plan| Step::new(plan.clone(), at)).collect(),
    }
}

/// The phase that `event` leads `task` to; `None`: it may not happen there.
fn phase_after(task: &Task, event: &TaskEvent) -> Option<Phase> {
    use Activity::{Cancelling, Pausing, Revalidating, RollingBack, Running, Verifying};
    use Phase::{Active, Ended, NeedsOperator, Paused, Proposed, Queued};
    let phase = &task.phase;
    Some(match (phase, event) {
        (Proposed, TaskEvent::Approved) => Queued,
        (Proposed, TaskEvent::Rejected) => ended(crate::TaskState::Rejected),
        (Queued, TaskEvent::Started) => Active(Running),
        (Queued | Active(Running | RollingBack), TaskEvent::PauseRequested) => Active(Pausing),
        (NeedsOperator { interrupted: Running | RollingBack, .. }, TaskEvent::PauseRequested) => Active(Pausing),
        (Active(Pausing), TaskEvent::Paused) => Paused,
        (Paused, TaskEvent::ResumeRequested) => Active(Revalidating),
        (Active(Revalidating), TaskEvent::Revalidated) if task.has_turned_back() => Active(RollingBack),
        (Active(Revalidating), TaskEvent::Revalidated) => Active(Running),
        (Proposed | Queued | Paused | Active(_) | NeedsOperator { .. }, TaskEvent::CancelRequested { mode })
            if may_cancel(task, *mode) =>
        {
            Active(Cancelling(*mode))
        }
        (Active(Cancelling(CancelMode::RollBack)), TaskEvent::RollbackPlanned { .. }) => Active(RollingBack),
        (Active(Verifying), TaskEvent::StepsAdded { .. }) => Active(Running),
        (Active(interrupted), TaskEvent::OperatorNeeded { step, reason_code, detail }) => {
            let (step, reason_code, detail) = (*step, reason_code.clone(), detail.clone());
            NeedsOperator { interrupted: *interrupted, step, reason_code, detail }
        }
        (NeedsOperator { interrupted, .. }, TaskEvent::OperatorNotNeeded | TaskEvent::Decided { .. }) => Active(*interrupted),
        (Active(Running), TaskEvent::VerificationStarted) => Active(Verifying),
        (_, TaskEvent::Ended { state, reason_code, detail }) if may_end(phase, *state) => {
            Ended { state: *state, reason_code: reason_code.clone(), detail: detail.clone() }
        }
        (
            Proposed | Queued | Active(_) | Paused | NeedsOperator { .. } | Ended { .. },
            TaskEvent::Accepted { .. }
            | TaskEvent::Approved
            | TaskEvent::Rejected
            | TaskEvent::Started
            | TaskEvent::PauseRequested
            | TaskEvent::Paused
            | TaskEvent::ResumeRequested
            | TaskEvent::Revalidated
            | TaskEvent::CancelRequested { .. }
            | TaskEvent::RollbackPlanned { .. }
            | TaskEvent::StepsAdded { .. }
            | TaskEvent::OperatorNeeded { .. }
            | TaskEvent::OperatorNotNeeded
            | TaskEvent::Decided { .. }
            | TaskEvent::VerificationStarted
            | TaskEvent::Ended { .. },
        ) => return None,
    })
}

fn ended(state: crate::TaskState) -> Phase {
    Phase::Ended { state, reason_code: String::new(), detail: String::new() }
}

/// A cancellation may only become stronger, and what goes back already can only be stopped on its way.
pub(crate) fn may_cancel(task: &Task, mode: CancelMode) -> bool {
    let strength = |mode| match mode {
        CancelMode::FinishStep => 0,
        CancelMode::StopNow => 1,
        CancelMode::RollBack => 2,
    };
    let turns_back_again = mode == CancelMode::RollBack && task.has_turned_back();
    match (&task.phase, task.phase.activity()) {
        (Phase::Ended { .. }, _) => false,
        (_, Some(Activity::Cancelling(present))) => strength(mode) > strength(present) && !turns_back_again,
        (_, Some(Activity::RollingBack)) => mode != CancelMode::RollBack,
        _ => !turns_back_again,
    }
}

fn may_end(phase: &Phase, state: crate::TaskState) -> bool {
    use crate::TaskState::{Cancelled, Expired, Failed, PartiallyApplied, RolledBack, Succeeded, Superseded};
    match phase {
        Phase::Proposed => matches!(state, Expired | Superseded),
        Phase::Queued => state == Superseded,
        Phase::Active(Activity::Verifying) => matches!(state, Succeeded | PartiallyApplied | Failed),
        Phase::Active(Activity::Cancelling(_)) => matches!(state, Cancelled | PartiallyApplied | RolledBack | Failed),
        Phase::Active(Activity::RollingBack) => matches!(state, RolledBack | PartiallyApplied | Failed),
        // By an operator's decision to abandon it, recorded just before.
        Phase::Active(Activity::Running | Activity::Pausing | Activity::Revalidating) => {
            matches!(state, PartiallyApplied | Failed)
        }
        Phase::Paused | Phase::NeedsOperator { .. } | Phase::Ended { .. } => false,
    }
}

fn apply_to_task(task: &mut Task, event: &TaskEvent, at: Timestamp) -> Result<(), IllegalEvent> {
    let Some(phase) = phase_after(task, event) else {
        return Err(illegal(&task.id, None, task.state().name(), event.name()));
    };
    match event {
        TaskEvent::Decided { step, decision } => {
            let Some(decided) = task.steps.get_mut(*step as usize) else {
                return Err(illegal(&task.id, Some(*step), "ABSENT", event.name()));
            };
            decide_step(decided, *decision, at);
        }
        TaskEvent::RollbackPlanned { steps } => {
            skip_rest(task, at);
            task.steps.extend(steps.iter().map(|plan| Step::new(plan.clone(), at)));
        }
        TaskEvent::StepsAdded { steps } => {
            task.steps.extend(steps.iter().map(|plan| Step::new(plan.clone(), at)));
        }
        TaskEvent::Ended { .. } => skip_rest(task, at),
        _ => {}
    }
    if task.phase != phase {
        task.phase = phase;
        task.since = at;
    }
    Ok(())
}

fn decide_step(step: &mut Step, decision: Decision, at: Timestamp) {
    step.failures = 0;
    step.waiting = None;
    step.vouched |= decision == Decision::MarkDone;
    match &mut step.state {
        StepState::Pending { not_before } => *not_before = None,
        StepState::Unknown(_) | StepState::Issued(_) | StepState::Reverting(_) => step.since = at,
        _ => {}
    }
}

/// Steps that were not started when their task turned back or ended never will be.
fn skip_rest(task: &mut Task, at: Timestamp) {
    for step in task.steps.iter_mut().filter(|step| !step.state.is_over()) {
        step.state = StepState::Skipped { reason_code: reason::TASK_CANCELLED.into() };
        step.since = at;
        step.waiting = None;
    }
}

/// The state that `outcome` leads to from `state`; `None`: it may not happen there.
fn state_after(step: &Step, outcome: &StepOutcome, retry_at: Timestamp, at: Timestamp) -> Option<StepState> {
    use StepState::{Failed, Intended, Issued, Pending, Ready, Reverted, Reverting, Skipped, Succeeded, Unknown};
    let state = &step.state;
    Some(match (state, outcome) {
        (Pending { .. }, StepOutcome::Ready { .. }) => Ready,
        (Ready, StepOutcome::Intended { before, leader_before, .. }) => {
            Intended(Intent { before: before.clone(), leader_before: *leader_before, at })
        }
        (Intended(intent) | Unknown(intent), StepOutcome::Issued { .. }) => Issued(intent.clone()),
        (Intended(intent) | Unknown(intent), StepOutcome::OutcomeUnknown { .. }) => Unknown(intent.clone()),
        (Ready | Intended(_) | Unknown(_) | Issued(_), StepOutcome::AttemptFailed { .. }) => {
            Pending { not_before: Some(retry_at) }
        }
        (Intended(intent) | Unknown(intent) | Issued(intent), StepOutcome::RevertIntended { .. }) => Reverting(intent.clone()),
        (Reverting(_), StepOutcome::Reverted { .. }) => Reverted,
        // An attempt that was given up may have been what did it.
        (Pending { .. } | Ready, StepOutcome::Succeeded { .. }) => Succeeded { applied: step.was_asked },
        (Intended(_) | Unknown(_) | Issued(_) | Reverting(_), StepOutcome::Succeeded { .. }) => Succeeded { applied: true },
        (
            Pending { .. } | Ready | Intended(_) | Unknown(_) | Issued(_) | Reverting(_),
            StepOutcome::Skipped { reason_code, .. },
        ) => Skipped { reason_code: reason_code.clone() },
        (
            Pending { .. } | Ready | Intended(_) | Unknown(_) | Issued(_) | Reverting(_),
            StepOutcome::Failed { reason_code, .. },
        ) => Failed { reason_code: reason_code.clone() },
        (Unknown(_) | Issued(_) | Reverting(_), StepOutcome::Stalled { .. }) => state.clone(),
        (
            Pending { .. } | Ready | Intended(_) | Unknown(_) | Issued(_) | Reverting(_),
            StepOutcome::Waiting { .. } | StepOutcome::WaitOver,
        ) => state.clone(),
        (
            Pending { .. }
            | Ready
            | Intended(_)
            | Unknown(_)
            | Issued(_)
            | Reverting(_)
            | Succeeded { .. }
            | Skipped { .. }
            | Reverted
            | Failed { .. },
            StepOutcome::Ready { .. }
            | StepOutcome::Waiting { .. }
            | StepOutcome::WaitOver
            | StepOutcome::Intended { .. }
            | StepOutcome::Issued { .. }
            | StepOutcome::OutcomeUnknown { .. }
            | StepOutcome::Stalled { .. }
            | StepOutcome::Succeeded { .. }
            | StepOutcome::AttemptFailed { .. }
            | StepOutcome::Skipped { .. }
            | StepOutcome::RevertIntended { .. }
            | StepOutcome::Reverted { .. }
            | StepOutcome::Failed { .. },
        ) => return None,
    })
}

/// Whether a step of a task in `phase` may have this outcome at all.
fn phase_allows(phase: &Phase, outcome: &StepOutcome) -> bool {
    use Activity::{Cancelling, Pausing, Revalidating, RollingBack, Running, Verifying};
    match (phase.activity(), outcome) {
        (Some(Running | RollingBack), _) => true,
        // Nothing new starts.
        (Some(Pausing | Cancelling(_)), StepOutcome::Ready { .. } | StepOutcome::Intended { .. }) => false,
        (Some(Pausing | Cancelling(_)), _) => true,
        (Some(Revalidating), StepOutcome::Waiting { .. } | StepOutcome::WaitOver) => true,
        // An operator's decisions.
        (Some(Revalidating), StepOutcome::Skipped { .. } | StepOutcome::Succeeded { .. } | StepOutcome::Failed { .. }) => true,
        (Some(Revalidating), _) | (Some(Verifying), _) | (None, _) => false,
    }
}

fn apply_to_step(task: &mut Task, event: &StepEvent, at: Timestamp) -> Result<(), IllegalEvent> {
    let refused = |state: &str| illegal(&event.task, Some(event.step), state, event.outcome.name());
    if !phase_allows(&task.phase, &event.outcome) {
        return Err(refused(task.state().name()));
    }
    let Some(step) = task.steps.get_mut(event.step as usize) else {
        return Err(refused("ABSENT"));
    };
    if step.attempt != event.attempt {
        return Err(refused("IN ANOTHER ATTEMPT"));
    }
    let retry_at = at.plus_milliseconds(retry_delay_milliseconds(step.failures));
    let Some(state) = state_after(step, &event.outcome, retry_at, at) else {
        return Err(refused(step.state.name()));
    };
    // A repeated call without answer and the end of a wait start the clock anew.
    let starts_anew = matches!(event.outcome, StepOutcome::OutcomeUnknown { .. } | StepOutcome::WaitOver);
    step.was_asked |= step.state.is_in_flight() && matches!(event.outcome, StepOutcome::AttemptFailed { .. });
    if step.state != state || starts_anew {
        step.state = state;
        step.since = at;
    }
    let waits = |reason_code: &str, detail: String| Some(Waiting { reason_code: reason_code.into(), detail, since: at });
    step.waiting = match &event.outcome {
        StepOutcome::Waiting { reason_code, detail } => waits(reason_code, detail.clone()),
        StepOutcome::Stalled { seconds } => waits(reason::STALLED, format!("no progress for {seconds} s")),
        _ => None,
    };
    if let StepOutcome::AttemptFailed { reason_code, .. } = &event.outcome {
        step.attempt += 1;
        let is_failure = [reason::KAFKA_REFUSED, reason::MOVE_VANISHED].contains(&reason_code.as_str());
        step.failures += u32::from(is_failure);
    }
    Ok(())
}

/// 1 s, doubling to at most a minute.
fn retry_delay_milliseconds(failures: u32) -> i64 {
    (1_000_i64 << failures.min(6)).min(60_000)
}

#[cfg(test)]
mod tests;
