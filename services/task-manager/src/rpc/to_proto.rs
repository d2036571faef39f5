//! To the wire: tasks, steps, events. Must not look anything up.

use ballast_cluster::{BrokerId, Timestamp};
use ballast_events::{Actor, Envelope, Event};
use ballast_proto::Timestamp as ProtoTimestamp;
use ballast_proto::common::v1 as common;
use ballast_proto::task::v1 as proto;
use ballast_task::{Phase, Step, StepEvent, StepKind, StepOutcome, StepState, TaskEvent, TaskState, reason};

use crate::progress::TaskProgress;
use crate::view::{AdmissionRecord, TaskRecord};

fn time(at: Timestamp) -> ProtoTimestamp {
    ProtoTimestamp::from_milliseconds(at.milliseconds)
}

fn numbers(brokers: &[BrokerId]) -> Vec<i32> {
    brokers.iter().map(|&BrokerId(id)| id).collect()
}

fn actor(actor: &Actor) -> common::Actor {
    let Actor { principal, method, role, source } = actor.clone();
    common::Actor { principal, method, role, source }
}

fn state(state: TaskState) -> proto::TaskState {
    match state {
        TaskState::Proposed => proto::TaskState::Proposed,
        TaskState::Queued => proto::TaskState::Queued,
        TaskState::Running => proto::TaskState::Running,
        TaskState::Pausing => proto::TaskState::Pausing,
        TaskState::Paused => proto::TaskState::Paused,
        TaskState::Revalidating => proto::TaskState::Revalidating,
        TaskState::Cancelling => proto::TaskState::Cancelling,
        TaskState::RollingBack => proto::TaskState::RollingBack,
        TaskState::NeedsOperator => proto::TaskState::NeedsOperator,
        TaskState::Verifying => proto::TaskState::Verifying,
        TaskState::Succeeded => proto::TaskState::Succeeded,
        TaskState::PartiallyApplied => proto::TaskState::PartiallyApplied,
        TaskState::Cancelled => proto::TaskState::Cancelled,
        TaskState::RolledBack => proto::TaskState::RolledBack,
        TaskState::Failed => proto::TaskState::Failed,
        TaskState::Rejected => proto::TaskState::Rejected,
        TaskState::Expired => proto::TaskState::Expired,
        TaskState::Superseded => proto::TaskState::Superseded,
    }
}

pub(super) fn task(record: &TaskRecord, progress: &TaskProgress, executor_trouble: String) -> proto::Task {
    let task = &record.task;
    let totals = task.totals();
    let (mut reason_code, mut detail) = match &task.phase {
        Phase::NeedsOperator { reason_code, detail, .. } | Phase::Ended { reason_code, detail, .. } => {
            (reason_code.clone(), detail.clone())
        }
        _ => Default::default(),
    };
    if let Some(why) = &record.broken {
        (reason_code, detail) = ("EVENT_UNREADABLE".into(), why.clone());
    }
    let bytes_done = progress.bytes_done(task);
    let rate = if task.is_over() { 0 } else { progress.bytes_per_second() };
    let left = totals.bytes.saturating_sub(bytes_done);
    proto::Task {
        name: task.id.clone(),
        cluster: task.cluster.clone(),
        plan: task.plan.clone(),
        alternative: task.alternative,
        goal: task.goal.clone(),
        brokers: numbers(&task.brokers),
        state: state(task.state()).into(),
        reason_code,
        detail,
        create_time: Some(time(record.created_at)),
        update_time: Some(time(record.updated_at)),
        end_time: task.is_over().then(|| time(task.since)),
        creator: Some(actor(&record.creator)),
        reason: record.reason.clone(),
        rolls_back: task.rolls_back.clone(),
        partitions: u32::try_from(task.body.partitions.len()).unwrap_or(u32::MAX),
        steps_total: totals.steps,
        steps_done: totals.succeeded,
        steps_skipped: totals.skipped,
        steps_reverted: totals.reverted,
        steps_failed: totals.failed,
        moves_in_flight: totals.moves_in_flight,
        bytes_total: totals.bytes,
        bytes_done,
        bytes_per_second: rate,
        remaining_seconds: if task.is_over() { Some(0) } else { left.checked_div(rate) },
        sequence: record.sequence,
        executor_trouble: if task.is_over() { String::new() } else { executor_trouble },
    }
}

pub(super) fn step(
    record: &TaskRecord,
    step: &Step,
    admission: &AdmissionRecord,
    progress: &TaskProgress,
    now: Timestamp,
) -> proto::Step {
    let key = record.task.key(step);
    let is_admitted = admission.admission.grant(&key, now).is_some();
    let (kind, from, to) = match &step.plan.kind {
        StepKind::Move { from, to } => (proto::StepKind::Move, numbers(from), numbers(to)),
        StepKind::Elect { leader } => (proto::StepKind::Elect, Vec::new(), numbers(&[*leader])),
    };
    let known = record.steps.get(&step.plan.index).cloned().unwrap_or_default();
    let withheld = if step.state == StepState::Ready { admission.withheld.get(&key).cloned() } else { None };
    let (reason_code, detail) = match (&step.waiting, withheld) {
        (Some(waiting), _) => (waiting.reason_code.clone(), waiting.detail.clone()),
        (None, Some(withheld)) => withheld,
        (None, None) => (known.reason_code.clone(), known.detail.clone()),
    };
    let bytes_done = match step.state {
        StepState::Succeeded { .. } => step.plan.bytes,
        _ if step.state.is_in_flight() => progress.steps.get(&step.plan.index).map_or(0, |step| step.bytes_done),
        _ => 0,
    };
    proto::Step {
        task: record.task.id.clone(),
        index: step.plan.index,
        topic: step.plan.at.topic.clone(),
        partition: step.plan.at.partition,
        kind: kind.into(),
        from,
        to,
        is_undo: step.plan.is_undo,
        state: step_state(step, is_admitted).into(),
        attempt: step.attempt,
        reason_code,
        detail,
        bytes: step.plan.bytes,
        bytes_done: bytes_done.min(step.plan.bytes),
        start_time: known.started_at.map(time),
        end_time: known.ended_at.map(time),
        sequence: known.sequence,
    }
}

fn step_state(step: &Step, is_admitted: bool) -> proto::StepState {
    match &step.state {
        StepState::Pending { .. } => proto::StepState::Pending,
        StepState::Ready if is_admitted => proto::StepState::Admitted,
        StepState::Ready => proto::StepState::Ready,
        StepState::Intended(_) => proto::StepState::Intended,
        StepState::Unknown(_) => proto::StepState::Unknown,
        StepState::Issued(_) if step.waiting.as_ref().is_some_and(|waiting| waiting.reason_code == reason::STALLED) => {
            proto::StepState::Stalled
        }
        StepState::Issued(_) => proto::StepState::Issued,
        StepState::Reverting(_) => proto::StepState::Reverting,
        StepState::Succeeded { .. } => proto::StepState::Succeeded,
        StepState::Skipped { .. } => proto::StepState::Skipped,
        StepState::Reverted => proto::StepState::Reverted,
        StepState::Failed { .. } => proto::StepState::Failed,
    }
}

/// `event` is `None` where the payload cannot be read from here, e.g. after a resume within a set of chunks.
pub(super) fn event(envelope: &Envelope, event: Option<&Event>, record: &TaskRecord) -> proto::TaskEvent {
    let header = &envelope.header;
    let mut shown = proto::TaskEvent {
        sequence: envelope.sequence,
        r#type: header.event_type.clone(),
        time: Some(time(header.occurred_at)),
        actor: Some(actor(&header.actor)),
        reason: header.reason.clone(),
        ..proto::TaskEvent::default()
    };
    match event {
        Some(Event::Task(event)) => (shown.reason_code, shown.detail) = describe_task(event),
        Some(Event::Step(event)) => {
            shown.step = Some(event.step);
            if let Some(step) = record.task.step(event.step) {
                (shown.topic, shown.partition) = (step.plan.at.topic.clone(), Some(step.plan.at.partition));
            }
            (shown.reason_code, shown.detail) = describe_step(event);
        }
        _ => {}
    }
    shown
}

fn describe_task(event: &TaskEvent) -> (String, String) {
    match event {
        TaskEvent::Accepted { plan, alternative, body, .. } => {
            let (partitions, steps) = (body.partitions.len(), body.steps.len());
            (String::new(), format!("{plan} alternative {alternative}: {partitions} partitions in {steps} steps"))
        }
        TaskEvent::CancelRequested { mode } => (String::new(), format!("{mode:?}")),
        TaskEvent::RollbackPlanned { steps } => (String::new(), format!("{} steps back", steps.len())),
        TaskEvent::StepsAdded { steps } => (String::new(), format!("{} leaders to elect again", steps.len())),
        TaskEvent::OperatorNeeded { reason_code, detail, .. } => (reason_code.clone(), detail.clone()),
        TaskEvent::Decided { decision, .. } => (String::new(), format!("{decision:?}")),
        TaskEvent::Ended { state, reason_code, detail } => (reason_code.clone(), format!("{state}: {detail}")),
        _ => Default::default(),
    }
}

fn describe_step(event: &StepEvent) -> (String, String) {
    let list = |brokers: &[BrokerId]| format!("{:?}", numbers(brokers));
    match &event.outcome {
        StepOutcome::Waiting { reason_code, detail }
        | StepOutcome::AttemptFailed { reason_code, detail }
        | StepOutcome::Skipped { reason_code, detail }
        | StepOutcome::Failed { reason_code, detail } => (reason_code.clone(), detail.clone()),
        StepOutcome::Ready { present, adding, bytes, .. } => {
            (String::new(), format!("{} gets {}, {bytes} bytes", list(present), list(adding)))
        }
        StepOutcome::Intended { target, before, .. } => (String::new(), format!("{} to {}", list(before), list(target))),
        StepOutcome::Issued { found: true } => (String::new(), "found with Kafka".into()),
        StepOutcome::OutcomeUnknown { cause } => (String::new(), cause.clone()),
        StepOutcome::Stalled { seconds } => (reason::STALLED.into(), format!("no progress for {seconds} s")),
        StepOutcome::Succeeded { replicas, leader, .. } => {
            let leader = leader.map_or_else(|| "nobody".to_owned(), |leader| leader.to_string());
            (String::new(), format!("{}, led by {leader}", list(replicas)))
        }
        StepOutcome::RevertIntended { restore } => (String::new(), format!("back to {}", list(restore))),
        StepOutcome::Reverted { replicas, .. } => (String::new(), list(replicas)),
        StepOutcome::WaitOver | StepOutcome::Issued { found: false } => Default::default(),
    }
}
