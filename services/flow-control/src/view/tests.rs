//! The fold: what counts as ours, granted, in flight and over.

use ballast_events::Header;

use super::*;

fn key(attempt: u32) -> StepKey {
    StepKey { task: "task-a".into(), step: 0, attempt }
}

fn step_event(attempt: u32, outcome: StepOutcome) -> Event {
    Event::Step(StepEvent { task: "task-a".into(), step: 0, attempt, outcome })
}

fn ready(attempt: u32) -> Event {
    let (present, adding) = (vec![BrokerId(1), BrokerId(2)], vec![BrokerId(3)]);
    step_event(attempt, StepOutcome::Ready { topic: "t".into(), partition: 0, present, adding, bytes: 1 })
}

fn intended(attempt: u32) -> Event {
    let outcome = StepOutcome::Intended { target: Vec::new(), before: Vec::new(), leader_before: None, admission_epoch: 1 };
    step_event(attempt, outcome)
}

fn failed(attempt: u32) -> Event {
    step_event(attempt, StepOutcome::AttemptFailed { reason_code: "KAFKA_REFUSED".into(), detail: String::new() })
}

fn admitted(attempt: u32) -> Event {
    Event::Admission(AdmissionEvent::Admitted { step: key(attempt), expires_at: Timestamp::from_milliseconds(9) })
}

fn listed(attempt: u32) -> Event {
    let entries = vec![ListEntry { topic: "t".into(), partition: 0, broker: BrokerId(1) }];
    Event::Throttle(ThrottleEvent::ListIntended { step: key(attempt), entries })
}

fn accepted(cluster: &str) -> Event {
    Event::Task(TaskEvent::Accepted {
        task: "task-a".into(),
        cluster: cluster.into(),
        plan: "plan-a".into(),
        alternative: 1,
        goal: "evacuate".into(),
        brokers: Vec::new(),
        approval_required: false,
        rolls_back: None,
        body: Default::default(),
    })
}

fn fold(events: &[Event]) -> View {
    let mut view = View::new("c1");
    for (index, event) in events.iter().enumerate() {
        let stream = match event {
            Event::Task(_) => StreamName::task("task-a"),
            Event::Step(_) => StreamName::task_steps("task-a", 0),
            Event::Throttle(_) => StreamName::throttle("c1"),
            _ => StreamName::admission("c1"),
        };
        let sequence = index as u64 + 1;
        let envelope = Envelope {
            sequence,
            stream,
            version: sequence,
            header: Header::default(),
            payload: Vec::new(),
            previous_hash: [0; 32],
            hash: [0; 32],
        };
        view.apply(&envelope, event);
    }
    view
}

fn phase(view: &View, attempt: u32) -> Option<Phase> {
    view.steps.get(&key(attempt)).map(|step| step.phase)
}

#[test]
fn steps_of_another_cluster_are_not_seen() {
    assert!(fold(&[accepted("c2"), ready(1)]).steps.is_empty());
    assert_eq!(phase(&fold(&[accepted("c1"), ready(1)]), 1), Some(Phase::Ready));
}

#[test]
fn a_start_voids_grants_that_were_not_used() {
    let opened = Event::Admission(AdmissionEvent::Opened);
    let unused = fold(&[accepted("c1"), ready(1), admitted(1), opened.clone()]);
    assert_eq!(phase(&unused, 1), Some(Phase::Ready));
    let used = fold(&[accepted("c1"), ready(1), admitted(1), intended(1), opened]);
    assert_eq!(phase(&used, 1), Some(Phase::InFlight));
}

#[test]
fn a_grant_that_was_used_cannot_be_withdrawn() {
    let withdrawn = Event::Admission(AdmissionEvent::Withdrawn { step: key(1) });
    let view = fold(&[accepted("c1"), ready(1), admitted(1), intended(1), withdrawn]);
    assert_eq!(phase(&view, 1), Some(Phase::InFlight));
}

#[test]
fn a_step_that_ended_unseen_may_still_be_copied() {
    let view = fold(&[accepted("c1"), ready(1), listed(1), admitted(1), intended(1), failed(1), ready(2)]);
    assert_eq!(phase(&view, 1), Some(Phase::Over { may_copy: true }));
    assert_eq!(phase(&view, 2), Some(Phase::Ready));
    assert_eq!(phase(&fold(&[accepted("c1"), ready(1), listed(1), failed(1)]), 1), Some(Phase::Over { may_copy: false }));
}

#[test]
fn a_step_is_forgotten_when_nothing_is_left_of_it() {
    let released = Event::Throttle(ThrottleEvent::ListReleased { step: key(1) });
    let view = fold(&[accepted("c1"), ready(1), listed(1), failed(1), released]);
    assert!(view.steps.is_empty() && view.lists.is_empty());
    assert!(fold(&[accepted("c1"), ready(1), failed(1)]).steps.is_empty());
}

#[test]
fn what_somebody_overwrote_is_theirs() {
    let broker = BrokerId(1);
    let (from, to) = (Rate::new(1), Rate::new(2));
    let intended = ThrottleEvent::RateIntended { broker, from, to, ramp_seconds: 1, reason: String::new() };
    let seen = ThrottleEvent::ForeignThrottleSeen { broker, value: "5".into() };
    let view = fold(&[Event::Throttle(intended), Event::Throttle(seen)]);
    assert!(view.limits.is_empty());
    assert_eq!(view.foreign.get(&broker).map(String::as_str), Some("5"));
}

#[test]
fn the_end_of_a_task_ends_its_steps() {
    let ended = Event::Task(TaskEvent::Ended {
        state: ballast_task::TaskState::Failed,
        reason_code: String::new(),
        detail: String::new(),
    });
    let view = fold(&[accepted("c1"), ready(1), listed(1), admitted(1), intended(1), ended]);
    assert_eq!(phase(&view, 1), Some(Phase::Over { may_copy: true }));
    assert!(!view.expects_steps());
}
