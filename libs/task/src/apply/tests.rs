//! Every pair of state and event, held against tables that list all legal ones: what is not listed must be refused.

use std::sync::Arc;

use ballast_cluster::TopicPartition;

use super::*;
use crate::test_world::ids;
use crate::{StepKind, StepPlan, TaskBody, TaskState};

fn body() -> Arc<TaskBody> {
    let kind = StepKind::Move { from: ids(&[1, 2]), to: ids(&[3, 2]) };
    let step = StepPlan { index: 0, at: TopicPartition::new("t", 0), topic_id: None, kind, bytes: 1, is_undo: false };
    Arc::new(TaskBody { partitions: Vec::new(), steps: vec![step] })
}

fn accepted() -> TaskEvent {
    TaskEvent::Accepted {
        task: "task-1".into(),
        cluster: "c".into(),
        plan: "p".into(),
        alternative: 1,
        goal: "drain".into(),
        brokers: Vec::new(),
        approval_required: false,
        rolls_back: None,
        body: body(),
    }
}

const ACTIVITIES: [(&str, Activity); 8] = [
    ("running", Activity::Running),
    ("pausing", Activity::Pausing),
    ("revalidating", Activity::Revalidating),
    ("finishing", Activity::Cancelling(CancelMode::FinishStep)),
    ("stopping", Activity::Cancelling(CancelMode::StopNow)),
    ("turning", Activity::Cancelling(CancelMode::RollBack)),
    ("rolling-back", Activity::RollingBack),
    ("verifying", Activity::Verifying),
];

fn phases() -> Vec<(String, Phase)> {
    let mut phases =
        vec![("proposed".into(), Phase::Proposed), ("queued".into(), Phase::Queued), ("paused".into(), Phase::Paused)];
    for (name, activity) in ACTIVITIES {
        phases.push((name.into(), Phase::Active(activity)));
        let needs = Phase::NeedsOperator { interrupted: activity, step: Some(0), reason_code: "R".into(), detail: String::new() };
        phases.push((format!("needs/{name}"), needs));
    }
    for state in TaskState::ALL.into_iter().filter(|state| state.is_end()) {
        phases.push((state.name().into(), Phase::Ended { state, reason_code: String::new(), detail: String::new() }));
    }
    phases
}

fn task_events() -> Vec<(String, TaskEvent)> {
    let cancel = |mode| TaskEvent::CancelRequested { mode };
    let mut events: Vec<(String, TaskEvent)> = [
        accepted(),
        TaskEvent::Approved,
        TaskEvent::Rejected,
        TaskEvent::Started,
        TaskEvent::PauseRequested,
        TaskEvent::Paused,
        TaskEvent::ResumeRequested,
        TaskEvent::Revalidated,
        TaskEvent::RollbackPlanned { steps: Vec::new() },
        TaskEvent::StepsAdded { steps: Vec::new() },
        TaskEvent::OperatorNeeded { step: Some(0), reason_code: "R".into(), detail: String::new() },
        TaskEvent::OperatorNotNeeded,
        TaskEvent::Decided { step: 0, decision: Decision::Retry },
        TaskEvent::VerificationStarted,
    ]
    .into_iter()
    .map(|event| (event.name().to_owned(), event))
    .collect();
    events.push(("cancel:finish-step".into(), cancel(CancelMode::FinishStep)));
    events.push(("cancel:stop-now".into(), cancel(CancelMode::StopNow)));
    events.push(("cancel:roll-back".into(), cancel(CancelMode::RollBack)));
    for state in TaskState::ALL {
        let ended = TaskEvent::Ended { state, reason_code: String::new(), detail: String::new() };
        events.push((format!("ended:{}", state.name()), ended));
    }
    events
}

fn task_in(phase: Phase) -> Task {
    Task { phase, ..accept(&accepted(), Timestamp::default()) }
}

/// All legal changes of a task: from, event, to. Everything else is refused.
const TASK_TABLE: &str = "
proposed      approved              queued
proposed      rejected              REJECTED
proposed      cancel:finish-step    finishing
proposed      cancel:stop-now       stopping
proposed      cancel:roll-back      turning
proposed      ended:EXPIRED         EXPIRED
proposed      ended:SUPERSEDED      SUPERSEDED
queued        started               running
queued        pause-requested       pausing
queued        cancel:finish-step    finishing
queued        cancel:stop-now       stopping
queued        cancel:roll-back      turning
queued        ended:SUPERSEDED      SUPERSEDED
paused        resume-requested      revalidating
paused        cancel:finish-step    finishing
paused        cancel:stop-now       stopping
paused        cancel:roll-back      turning
running       pause-requested       pausing
running       verification-started  verifying
running       cancel:finish-step    finishing
running       cancel:stop-now       stopping
running       cancel:roll-back      turning
running       operator-needed       needs/running
running       ended:PARTIALLY_APPLIED PARTIALLY_APPLIED
running       ended:FAILED          FAILED
pausing       paused                paused
pausing       cancel:finish-step    finishing
pausing       cancel:stop-now       stopping
pausing       cancel:roll-back      turning
pausing       operator-needed       needs/pausing
pausing       ended:PARTIALLY_APPLIED PARTIALLY_APPLIED
pausing       ended:FAILED          FAILED
revalidating  revalidated           running
revalidating  cancel:finish-step    finishing
revalidating  cancel:stop-now       stopping
revalidating  cancel:roll-back      turning
revalidating  operator-needed       needs/revalidating
revalidating  ended:PARTIALLY_APPLIED PARTIALLY_APPLIED
revalidating  ended:FAILED          FAILED
finishing     cancel:stop-now       stopping
finishing     cancel:roll-back      turning
finishing     operator-needed       needs/finishing
finishing     ended:CANCELLED       CANCELLED
finishing     ended:PARTIALLY_APPLIED PARTIALLY_APPLIED
finishing     ended:ROLLED_BACK     ROLLED_BACK
finishing     ended:FAILED          FAILED
stopping      cancel:roll-back      turning
stopping      operator-needed       needs/stopping
stopping      ended:CANCELLED       CANCELLED
stopping      ended:PARTIALLY_APPLIED PARTIALLY_APPLIED
stopping      ended:ROLLED_BACK     ROLLED_BACK
stopping      ended:FAILED          FAILED
turning       rollback-planned      rolling-back
turning       operator-needed       needs/turning
turning       ended:CANCELLED       CANCELLED
turning       ended:PARTIALLY_APPLIED PARTIALLY_APPLIED
turning       ended:ROLLED_BACK     ROLLED_BACK
turning       ended:FAILED          FAILED
rolling-back  pause-requested       pausing
rolling-back  cancel:finish-step    finishing
rolling-back  cancel:stop-now       stopping
rolling-back  operator-needed       needs/rolling-back
rolling-back  ended:ROLLED_BACK     ROLLED_BACK
rolling-back  ended:PARTIALLY_APPLIED PARTIALLY_APPLIED
rolling-back  ended:FAILED          FAILED
verifying     cancel:finish-step    finishing
verifying     cancel:stop-now       stopping
verifying     cancel:roll-back      turning
verifying     operator-needed       needs/verifying
verifying     steps-added           running
verifying     ended:SUCCEEDED       SUCCEEDED
verifying     ended:PARTIALLY_APPLIED PARTIALLY_APPLIED
verifying     ended:FAILED          FAILED
needs/running pause-requested       pausing
needs/rolling-back pause-requested  pausing
";

/// What every task that needs an operator may do beside: go on as it was, or be cancelled as the activity allows.
fn legal(from: &str, event: &str) -> Option<String> {
    let row = |from: &str| {
        let rows = TASK_TABLE.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        rows.filter(|row| row.len() == 3).find(|row| row[0] == from && row[1] == event).map(|row| row[2].to_owned())
    };
    match from.strip_prefix("needs/") {
        Some(activity) if ["operator-not-needed", "decided"].contains(&event) => Some(activity.to_owned()),
        Some(activity) if event.starts_with("cancel:") => row(activity),
        _ => row(from),
    }
}

#[test]
fn a_task_changes_exactly_as_its_table_says() {
    let names: Vec<(String, Phase)> = phases();
    let mut legal_pairs = 0;
    for (from, phase) in &names {
        for (name, event) in task_events() {
            let after = apply(Some(task_in(phase.clone())), &Event::Task(event), Timestamp::default());
            let reached = after.ok().map(|task| names.iter().find(|(_, known)| *known == task.phase).unwrap().0.clone());
            assert_eq!(reached, legal(from, &name), "{from} + {name}");
            legal_pairs += usize::from(reached.is_some());
        }
    }
    // 16 decisions and ends of need, 17 cancellations while an operator is needed.
    assert_eq!(legal_pairs, TASK_TABLE.lines().filter(|line| !line.is_empty()).count() + 16 + 17);
}

#[test]
fn what_has_turned_back_goes_on_turning_back_and_never_turns_again() {
    let check = |phase: Phase, event: TaskEvent, wanted: Option<Phase>| {
        let mut task = task_in(phase);
        let undo = StepPlan { index: 1, is_undo: true, ..task.steps[0].plan.clone() };
        task.steps.push(Step::new(undo, Timestamp::default()));
        let text = format!("{:?} {event:?}", task.phase);
        assert_eq!(apply(Some(task), &Event::Task(event), Timestamp::default()).ok().map(|task| task.phase), wanted, "{text}");
    };
    check(Phase::Active(Activity::Revalidating), TaskEvent::Revalidated, Some(Phase::Active(Activity::RollingBack)));
    let mode = CancelMode::StopNow;
    check(Phase::Paused, TaskEvent::CancelRequested { mode }, Some(Phase::Active(Activity::Cancelling(mode))));
    let mode = CancelMode::RollBack;
    let stopping = Phase::Active(Activity::Cancelling(CancelMode::StopNow));
    for phase in [Phase::Paused, Phase::Active(Activity::Pausing), Phase::Active(Activity::RollingBack), stopping] {
        check(phase, TaskEvent::CancelRequested { mode }, None);
    }
}

fn states() -> Vec<(&'static str, StepState)> {
    let intent = Intent { before: ids(&[1, 2]), leader_before: None, at: Timestamp::default() };
    vec![
        ("pending", StepState::Pending { not_before: None }),
        ("ready", StepState::Ready),
        ("intended", StepState::Intended(intent.clone())),
        ("unknown", StepState::Unknown(intent.clone())),
        ("issued", StepState::Issued(intent.clone())),
        ("reverting", StepState::Reverting(intent)),
        ("succeeded", StepState::Succeeded { applied: true }),
        ("skipped", StepState::Skipped { reason_code: "R".into() }),
        ("reverted", StepState::Reverted),
        ("failed", StepState::Failed { reason_code: "R".into() }),
    ]
}

fn outcomes() -> Vec<StepOutcome> {
    let (reason_code, detail) = (String::from("R"), String::new());
    vec![
        StepOutcome::Ready { topic: "t".into(), partition: 0, present: ids(&[1, 2]), adding: ids(&[3]), bytes: 1 },
        StepOutcome::Waiting { reason_code: reason_code.clone(), detail: detail.clone() },
        StepOutcome::WaitOver,
        StepOutcome::Intended { target: ids(&[3, 2]), before: ids(&[1, 2]), leader_before: None, admission_epoch: 1 },
        StepOutcome::Issued { found: false },
        StepOutcome::OutcomeUnknown { cause: String::new() },
        StepOutcome::Stalled { seconds: 1 },
        StepOutcome::Succeeded { replicas: Vec::new(), in_sync: Vec::new(), leader: None },
        StepOutcome::AttemptFailed { reason_code: reason_code.clone(), detail: detail.clone() },
        StepOutcome::Skipped { reason_code: reason_code.clone(), detail: detail.clone() },
        StepOutcome::RevertIntended { restore: ids(&[1, 2]) },
        StepOutcome::Reverted { replicas: Vec::new(), leader: None },
        StepOutcome::Failed { reason_code, detail },
    ]
}

/// All legal outcomes of a step by its state, while its task runs.
const STEP_TABLE: [(&str, &str); 10] = [
    ("pending", "ready waiting wait-over succeeded skipped failed"),
    ("ready", "waiting wait-over intended succeeded attempt-failed skipped failed"),
    ("intended", "waiting wait-over issued outcome-unknown succeeded attempt-failed skipped revert-intended failed"),
    ("unknown", "waiting wait-over issued outcome-unknown stalled succeeded attempt-failed skipped revert-intended failed"),
    ("issued", "waiting wait-over stalled succeeded attempt-failed skipped revert-intended failed"),
    ("reverting", "waiting wait-over stalled succeeded skipped reverted failed"),
    ("succeeded", ""),
    ("skipped", ""),
    ("reverted", ""),
    ("failed", ""),
];

fn step_applies(phase: Phase, state: StepState, outcome: StepOutcome) -> bool {
    let mut task = task_in(phase);
    task.steps[0].state = state;
    let event = StepEvent { task: "task-1".into(), step: 0, attempt: 1, outcome };
    apply(Some(task), &Event::Step(event), Timestamp::default()).is_ok()
}

#[test]
fn a_step_changes_exactly_as_its_table_says() {
    for (from, state) in states() {
        let row = STEP_TABLE.iter().find(|(name, _)| *name == from).unwrap().1;
        let expected: Vec<&str> = row.split_whitespace().collect();
        for outcome in outcomes() {
            let name = outcome.name();
            let applies = step_applies(Phase::Active(Activity::Running), state.clone(), outcome);
            assert_eq!(applies, expected.contains(&name), "{from} + {name}");
        }
    }
}

#[test]
fn steps_move_only_while_their_task_allows_it() {
    let check = |phase: Phase, outcome: StepOutcome, state: StepState, allowed: bool| {
        let text = format!("{phase:?} {outcome:?}");
        assert_eq!(step_applies(phase, state, outcome), allowed, "{text}");
    };
    for (_, phase) in phases() {
        let starts = matches!(phase.activity(), Some(Activity::Running | Activity::RollingBack));
        let [ready, intended] = [0, 3].map(|at| outcomes()[at].clone());
        check(phase.clone(), ready, StepState::Pending { not_before: None }, starts);
        check(phase.clone(), intended, StepState::Ready, starts);
        let watched = starts || matches!(phase.activity(), Some(Activity::Pausing | Activity::Cancelling(_)));
        check(phase, outcomes()[4].clone(), states()[2].1.clone(), watched);
    }
}

#[test]
fn an_event_of_another_attempt_or_step_is_refused() {
    for (step, attempt) in [(0, 2), (1, 1)] {
        let event = StepEvent { task: "task-1".into(), step, attempt, outcome: StepOutcome::WaitOver };
        let running = task_in(Phase::Active(Activity::Running));
        assert!(apply(Some(running), &Event::Step(event), Timestamp::default()).is_err());
    }
}

#[test]
fn nothing_happens_to_a_task_before_it_is_accepted() {
    for (name, event) in task_events() {
        let applies = apply(None, &Event::Task(event), Timestamp::default()).is_ok();
        assert_eq!(applies, name == "accepted", "{name}");
    }
}
