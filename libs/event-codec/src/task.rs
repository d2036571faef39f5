//! Task and step events. Must not know what they lead to.

use std::sync::Arc;

use ballast_cluster::BrokerId;
use ballast_events::StreamName;
use ballast_proto::event::v1 as proto;
use ballast_task::{CancelMode, Decision, StepEvent, StepOutcome, TaskBody, TaskEvent, TaskState};

use crate::catalog::EventType;
use crate::large::{self, StreamSets};
use crate::read::{self, Malformed, required};
use crate::task_body::{body_from_proto, body_to_proto, ids, numbers};
use crate::write::Encoded;

pub(crate) const TASK_TYPES: &[EventType] = &[
    EventType::of::<proto::TaskAccepted>("task.accepted"),
    EventType::of::<proto::TaskApproved>("task.approved"),
    EventType::of::<proto::TaskRejected>("task.rejected"),
    EventType::of::<proto::TaskStarted>("task.started"),
    EventType::of::<proto::TaskPauseRequested>("task.pause-requested"),
    EventType::of::<proto::TaskPaused>("task.paused"),
    EventType::of::<proto::TaskResumeRequested>("task.resume-requested"),
    EventType::of::<proto::TaskRevalidated>("task.revalidated"),
    EventType::of::<proto::TaskCancelRequested>("task.cancel-requested"),
    EventType::of::<proto::TaskRollbackPlanned>("task.rollback-planned"),
    EventType::of::<proto::TaskStepsAdded>("task.steps-added"),
    EventType::of::<proto::TaskOperatorNeeded>("task.operator-needed"),
    EventType::of::<proto::TaskOperatorNotNeeded>("task.operator-not-needed"),
    EventType::of::<proto::TaskDecided>("task.decided"),
    EventType::of::<proto::TaskVerificationStarted>("task.verification-started"),
    EventType::of::<proto::TaskEnded>("task.ended"),
];

pub(crate) const STEP_TYPES: &[EventType] = &[
    EventType::of::<proto::StepReady>("step.ready"),
    EventType::of::<proto::StepWaiting>("step.waiting"),
    EventType::of::<proto::StepWaitOver>("step.wait-over"),
    EventType::of::<proto::StepIntended>("step.intended"),
    EventType::of::<proto::StepIssued>("step.issued"),
    EventType::of::<proto::StepOutcomeUnknown>("step.outcome-unknown"),
    EventType::of::<proto::StepStalled>("step.stalled"),
    EventType::of::<proto::StepSucceeded>("step.succeeded"),
    EventType::of::<proto::StepAttemptFailed>("step.attempt-failed"),
    EventType::of::<proto::StepSkipped>("step.skipped"),
    EventType::of::<proto::StepRevertIntended>("step.revert-intended"),
    EventType::of::<proto::StepReverted>("step.reverted"),
    EventType::of::<proto::StepFailed>("step.failed"),
];

pub(crate) fn encode_task(event: &TaskEvent) -> Encoded {
    match event.clone() {
        TaskEvent::Accepted { task, cluster, plan, alternative, goal, brokers, approval_required, rolls_back, body } => {
            let body = large::large(&body_to_proto(&body));
            let set = Some(body.set.clone());
            let brokers = numbers(&brokers);
            let message =
                proto::TaskAccepted { task, cluster, plan, alternative, goal, brokers, approval_required, rolls_back, body: set };
            Encoded::closing("task.accepted", body, &message)
        }
        TaskEvent::Approved => Encoded::of("task.approved", &proto::TaskApproved {}),
        TaskEvent::Rejected => Encoded::of("task.rejected", &proto::TaskRejected {}),
        TaskEvent::Started => Encoded::of("task.started", &proto::TaskStarted {}),
        TaskEvent::PauseRequested => Encoded::of("task.pause-requested", &proto::TaskPauseRequested {}),
        TaskEvent::Paused => Encoded::of("task.paused", &proto::TaskPaused {}),
        TaskEvent::ResumeRequested => Encoded::of("task.resume-requested", &proto::TaskResumeRequested {}),
        TaskEvent::Revalidated => Encoded::of("task.revalidated", &proto::TaskRevalidated {}),
        TaskEvent::CancelRequested { mode } => {
            Encoded::of("task.cancel-requested", &proto::TaskCancelRequested { mode: mode_to_proto(mode).into() })
        }
        TaskEvent::RollbackPlanned { steps } => {
            let steps = large::large(&body_to_proto(&TaskBody { partitions: Vec::new(), steps }));
            let message = proto::TaskRollbackPlanned { steps: Some(steps.set.clone()) };
            Encoded::closing("task.rollback-planned", steps, &message)
        }
        TaskEvent::StepsAdded { steps } => {
            let steps = large::large(&body_to_proto(&TaskBody { partitions: Vec::new(), steps }));
            let message = proto::TaskStepsAdded { steps: Some(steps.set.clone()) };
            Encoded::closing("task.steps-added", steps, &message)
        }
        TaskEvent::OperatorNeeded { step, reason_code, detail } => {
            Encoded::of("task.operator-needed", &proto::TaskOperatorNeeded { step, reason_code, detail })
        }
        TaskEvent::OperatorNotNeeded => Encoded::of("task.operator-not-needed", &proto::TaskOperatorNotNeeded {}),
        TaskEvent::Decided { step, decision } => {
            Encoded::of("task.decided", &proto::TaskDecided { step, decision: decision_to_proto(decision).into() })
        }
        TaskEvent::VerificationStarted => Encoded::of("task.verification-started", &proto::TaskVerificationStarted {}),
        TaskEvent::Ended { state, reason_code, detail } => {
            Encoded::of("task.ended", &proto::TaskEnded { state: state.name().into(), reason_code, detail })
        }
    }
}

pub(crate) fn encode_step(event: &StepEvent) -> Encoded {
    let StepEvent { task, step, attempt, outcome } = event.clone();
    let key = Some(proto::StepKey { task, step, attempt });
    match outcome {
        StepOutcome::Ready { topic, partition, present, adding, bytes } => {
            let (present, adding) = (numbers(&present), numbers(&adding));
            Encoded::of("step.ready", &proto::StepReady { key, topic, partition, present, adding, bytes })
        }
        StepOutcome::Waiting { reason_code, detail } => {
            Encoded::of("step.waiting", &proto::StepWaiting { key, reason_code, detail })
        }
        StepOutcome::WaitOver => Encoded::of("step.wait-over", &proto::StepWaitOver { key }),
        StepOutcome::Intended { target, before, leader_before, admission_epoch } => {
            let (target, before, leader_before) = (numbers(&target), numbers(&before), leader_before.map(|BrokerId(id)| id));
            Encoded::of("step.intended", &proto::StepIntended { key, target, before, leader_before, admission_epoch })
        }
        StepOutcome::Issued { found } => Encoded::of("step.issued", &proto::StepIssued { key, found }),
        StepOutcome::OutcomeUnknown { cause } => Encoded::of("step.outcome-unknown", &proto::StepOutcomeUnknown { key, cause }),
        StepOutcome::Stalled { seconds } => Encoded::of("step.stalled", &proto::StepStalled { key, seconds }),
        StepOutcome::Succeeded { replicas, in_sync, leader } => {
            let (replicas, in_sync, leader) = (numbers(&replicas), numbers(&in_sync), leader.map(|BrokerId(id)| id));
            Encoded::of("step.succeeded", &proto::StepSucceeded { key, replicas, in_sync, leader })
        }
        StepOutcome::AttemptFailed { reason_code, detail } => {
            Encoded::of("step.attempt-failed", &proto::StepAttemptFailed { key, reason_code, detail })
        }
        StepOutcome::Skipped { reason_code, detail } => {
            Encoded::of("step.skipped", &proto::StepSkipped { key, reason_code, detail })
        }
        StepOutcome::RevertIntended { restore } => {
            Encoded::of("step.revert-intended", &proto::StepRevertIntended { key, restore: numbers(&restore) })
        }
        StepOutcome::Reverted { replicas, leader } => {
            let (replicas, leader) = (numbers(&replicas), leader.map(|BrokerId(id)| id));
            Encoded::of("step.reverted", &proto::StepReverted { key, replicas, leader })
        }
        StepOutcome::Failed { reason_code, detail } => {
            Encoded::of("step.failed", &proto::StepFailed { key, reason_code, detail })
        }
    }
}

pub(crate) fn decode_task(event_type: &str, payload: &[u8], sets: &mut StreamSets<'_>) -> Result<TaskEvent, Malformed> {
    Ok(match event_type {
        "task.accepted" => {
            let message: proto::TaskAccepted = read::message(payload)?;
            TaskEvent::Accepted {
                task: message.task,
                cluster: message.cluster,
                plan: message.plan,
                alternative: message.alternative,
                goal: message.goal,
                brokers: ids(&message.brokers),
                approval_required: message.approval_required,
                rolls_back: message.rolls_back,
                body: Arc::new(body_from_proto(sets.close(message.body.as_ref())?)?),
            }
        }
        "task.approved" => TaskEvent::Approved,
        "task.rejected" => TaskEvent::Rejected,
        "task.started" => TaskEvent::Started,
        "task.pause-requested" => TaskEvent::PauseRequested,
        "task.paused" => TaskEvent::Paused,
        "task.resume-requested" => TaskEvent::ResumeRequested,
        "task.revalidated" => TaskEvent::Revalidated,
        "task.cancel-requested" => {
            let proto::TaskCancelRequested { mode } = read::message(payload)?;
            TaskEvent::CancelRequested { mode: mode_from_proto(mode)? }
        }
        "task.rollback-planned" => {
            let proto::TaskRollbackPlanned { steps } = read::message(payload)?;
            TaskEvent::RollbackPlanned { steps: body_from_proto(sets.close(steps.as_ref())?)?.steps }
        }
        "task.steps-added" => {
            let proto::TaskStepsAdded { steps } = read::message(payload)?;
            TaskEvent::StepsAdded { steps: body_from_proto(sets.close(steps.as_ref())?)?.steps }
        }
        "task.operator-needed" => {
            let proto::TaskOperatorNeeded { step, reason_code, detail } = read::message(payload)?;
            TaskEvent::OperatorNeeded { step, reason_code, detail }
        }
        "task.operator-not-needed" => TaskEvent::OperatorNotNeeded,
        "task.decided" => {
            let proto::TaskDecided { step, decision } = read::message(payload)?;
            TaskEvent::Decided { step, decision: decision_from_proto(decision)? }
        }
        "task.verification-started" => TaskEvent::VerificationStarted,
        "task.ended" => {
            let proto::TaskEnded { state, reason_code, detail } = read::message(payload)?;
            let state = TaskState::from_name(&state).ok_or_else(|| Malformed(format!("{state:?} is no task state")))?;
            TaskEvent::Ended { state, reason_code, detail }
        }
        other => return Err(read::unlisted(other)),
    })
}

pub(crate) fn decode_step(event_type: &str, payload: &[u8]) -> Result<StepEvent, Malformed> {
    let (key, outcome) = match event_type {
        "step.ready" => {
            let proto::StepReady { key, topic, partition, present, adding, bytes } = read::message(payload)?;
            (key, StepOutcome::Ready { topic, partition, present: ids(&present), adding: ids(&adding), bytes })
        }
        "step.waiting" => {
            let proto::StepWaiting { key, reason_code, detail } = read::message(payload)?;
            (key, StepOutcome::Waiting { reason_code, detail })
        }
        "step.wait-over" => (read::message::<proto::StepWaitOver>(payload)?.key, StepOutcome::WaitOver),
        "step.intended" => {
            let proto::StepIntended { key, target, before, leader_before, admission_epoch } = read::message(payload)?;
            let (target, before, leader_before) = (ids(&target), ids(&before), leader_before.map(BrokerId));
            (key, StepOutcome::Intended { target, before, leader_before, admission_epoch })
        }
        "step.issued" => {
            let proto::StepIssued { key, found } = read::message(payload)?;
            (key, StepOutcome::Issued { found })
        }
        "step.outcome-unknown" => {
            let proto::StepOutcomeUnknown { key, cause } = read::message(payload)?;
            (key, StepOutcome::OutcomeUnknown { cause })
        }
        "step.stalled" => {
            let proto::StepStalled { key, seconds } = read::message(payload)?;
            (key, StepOutcome::Stalled { seconds })
        }
        "step.succeeded" => {
            let proto::StepSucceeded { key, replicas, in_sync, leader } = read::message(payload)?;
            (key, StepOutcome::Succeeded { replicas: ids(&replicas), in_sync: ids(&in_sync), leader: leader.map(BrokerId) })
        }
        _ => decode_step_end(event_type, payload)?,
    };
    let proto::StepKey { task, step, attempt } = required(key, "the step's key")?;
    Ok(StepEvent { task, step, attempt, outcome })
}

fn decode_step_end(event_type: &str, payload: &[u8]) -> Result<(Option<proto::StepKey>, StepOutcome), Malformed> {
    Ok(match event_type {
        "step.attempt-failed" => {
            let proto::StepAttemptFailed { key, reason_code, detail } = read::message(payload)?;
            (key, StepOutcome::AttemptFailed { reason_code, detail })
        }
        "step.skipped" => {
            let proto::StepSkipped { key, reason_code, detail } = read::message(payload)?;
            (key, StepOutcome::Skipped { reason_code, detail })
        }
        "step.revert-intended" => {
            let proto::StepRevertIntended { key, restore } = read::message(payload)?;
            (key, StepOutcome::RevertIntended { restore: ids(&restore) })
        }
        "step.reverted" => {
            let proto::StepReverted { key, replicas, leader } = read::message(payload)?;
            (key, StepOutcome::Reverted { replicas: ids(&replicas), leader: leader.map(BrokerId) })
        }
        "step.failed" => {
            let proto::StepFailed { key, reason_code, detail } = read::message(payload)?;
            (key, StepOutcome::Failed { reason_code, detail })
        }
        other => return Err(read::unlisted(other)),
    })
}

fn mode_to_proto(mode: CancelMode) -> proto::TaskCancelMode {
    match mode {
        CancelMode::FinishStep => proto::TaskCancelMode::FinishStep,
        CancelMode::StopNow => proto::TaskCancelMode::StopNow,
        CancelMode::RollBack => proto::TaskCancelMode::RollBack,
    }
}

fn mode_from_proto(mode: i32) -> Result<CancelMode, Malformed> {
    match proto::TaskCancelMode::try_from(mode) {
        Ok(proto::TaskCancelMode::FinishStep) => Ok(CancelMode::FinishStep),
        Ok(proto::TaskCancelMode::StopNow) => Ok(CancelMode::StopNow),
        Ok(proto::TaskCancelMode::RollBack) => Ok(CancelMode::RollBack),
        Ok(proto::TaskCancelMode::Unspecified) | Err(_) => Err(Malformed(format!("{mode} is no cancel mode"))),
    }
}

fn decision_to_proto(decision: Decision) -> proto::TaskDecision {
    match decision {
        Decision::Retry => proto::TaskDecision::Retry,
        Decision::Skip => proto::TaskDecision::Skip,
        Decision::MarkDone => proto::TaskDecision::MarkDone,
        Decision::RollBack => proto::TaskDecision::RollBack,
        Decision::Abandon => proto::TaskDecision::Abandon,
    }
}

fn decision_from_proto(decision: i32) -> Result<Decision, Malformed> {
    match proto::TaskDecision::try_from(decision) {
        Ok(proto::TaskDecision::Retry) => Ok(Decision::Retry),
        Ok(proto::TaskDecision::Skip) => Ok(Decision::Skip),
        Ok(proto::TaskDecision::MarkDone) => Ok(Decision::MarkDone),
        Ok(proto::TaskDecision::RollBack) => Ok(Decision::RollBack),
        Ok(proto::TaskDecision::Abandon) => Ok(Decision::Abandon),
        Ok(proto::TaskDecision::Unspecified) | Err(_) => Err(Malformed(format!("{decision} is no decision"))),
    }
}

/// The stream that an event of a step belongs to: at most 500 steps in each.
pub fn step_stream(task: &str, step: u32) -> StreamName {
    StreamName::task_steps(task, step / 500)
}

#[cfg(test)]
mod tests;
