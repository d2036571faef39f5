//! Every task and step event comes back from its stored form as it went in.

use ballast_cluster::{Timestamp, TopicPartition};
use ballast_events::Event;
use ballast_task::{RecordedPartition, StepKind, StepPlan};

use super::*;
use crate::Encoded;
use crate::large::OpenSets;

fn broker_list(numbers: &[i32]) -> Vec<BrokerId> {
    ids(numbers)
}

fn body() -> TaskBody {
    let at = TopicPartition::new("orders", 3);
    let recorded = RecordedPartition {
        at: at.clone(),
        topic_id: Some("rmCaX1".into()),
        replicas: broker_list(&[3, 1, 2]),
        leader: Some(BrokerId(1)),
        target: broker_list(&[4, 1, 2]),
    };
    let step =
        |index, kind, is_undo| StepPlan { index, at: at.clone(), topic_id: Some("rmCaX1".into()), kind, bytes: 7, is_undo };
    let steps = vec![
        step(0, StepKind::Move { from: broker_list(&[3, 1, 2]), to: broker_list(&[4, 1, 2]) }, false),
        step(1, StepKind::Elect { leader: BrokerId(4) }, true),
    ];
    TaskBody { partitions: vec![recorded], steps }
}

fn task_events() -> Vec<TaskEvent> {
    let accepted = |rolls_back: Option<&str>| TaskEvent::Accepted {
        task: "task-1".into(),
        cluster: "c1".into(),
        plan: "plan-1".into(),
        alternative: 2,
        goal: "drain".into(),
        brokers: broker_list(&[3]),
        approval_required: rolls_back.is_none(),
        rolls_back: rolls_back.map(str::to_owned),
        body: Arc::new(body()),
    };
    let mut events = vec![
        accepted(None),
        accepted(Some("task-0")),
        TaskEvent::Approved,
        TaskEvent::Rejected,
        TaskEvent::Started,
        TaskEvent::PauseRequested,
        TaskEvent::Paused,
        TaskEvent::ResumeRequested,
        TaskEvent::Revalidated,
        TaskEvent::RollbackPlanned { steps: body().steps },
        TaskEvent::StepsAdded { steps: body().steps },
        TaskEvent::OperatorNeeded { step: Some(0), reason_code: "STALLED".into(), detail: "no byte for 300 s".into() },
        TaskEvent::OperatorNeeded { step: None, reason_code: "STALLED".into(), detail: String::new() },
        TaskEvent::OperatorNotNeeded,
        TaskEvent::VerificationStarted,
        TaskEvent::Ended { state: TaskState::PartiallyApplied, reason_code: "TASK_CANCELLED".into(), detail: "d".into() },
    ];
    let modes = [CancelMode::FinishStep, CancelMode::StopNow, CancelMode::RollBack];
    events.extend(modes.map(|mode| TaskEvent::CancelRequested { mode }));
    let decisions = [Decision::Retry, Decision::Skip, Decision::MarkDone, Decision::RollBack, Decision::Abandon];
    events.extend(decisions.map(|decision| TaskEvent::Decided { step: 4, decision }));
    events
}

fn outcomes() -> Vec<StepOutcome> {
    let (reason_code, detail) = (String::from("NO_LEADER"), String::from("why"));
    vec![
        StepOutcome::Ready {
            topic: "orders".into(),
            partition: 3,
            present: broker_list(&[3, 1, 2]),
            adding: broker_list(&[4]),
            bytes: 7,
        },
        StepOutcome::Waiting { reason_code: reason_code.clone(), detail: detail.clone() },
        StepOutcome::WaitOver,
        StepOutcome::Intended {
            target: broker_list(&[4, 1, 2]),
            before: broker_list(&[3, 1, 2]),
            leader_before: Some(BrokerId(0)),
            admission_epoch: 9,
        },
        StepOutcome::Issued { found: true },
        StepOutcome::OutcomeUnknown { cause: "no answer".into() },
        StepOutcome::Stalled { seconds: 300 },
        StepOutcome::Succeeded { replicas: broker_list(&[4, 1, 2]), in_sync: broker_list(&[1, 2, 4]), leader: None },
        StepOutcome::AttemptFailed { reason_code: reason_code.clone(), detail: detail.clone() },
        StepOutcome::Skipped { reason_code: reason_code.clone(), detail: detail.clone() },
        StepOutcome::RevertIntended { restore: broker_list(&[3, 1, 2]) },
        StepOutcome::Reverted { replicas: broker_list(&[3, 1, 2]), leader: Some(BrokerId(3)) },
        StepOutcome::Failed { reason_code, detail },
    ]
}

fn decode(stream: &StreamName, encoded: Encoded) -> Event {
    let mut open = OpenSets::default();
    for chunk in encoded.chunks {
        open.keep(stream, chunk);
    }
    match encoded.event_type.split_once('.') {
        Some(("task", _)) => Event::Task(decode_task(encoded.event_type, &encoded.payload, &mut open.of(stream)).unwrap()),
        _ => Event::Step(decode_step(encoded.event_type, &encoded.payload).unwrap()),
    }
}

#[test]
fn every_event_comes_back_as_it_was_and_every_type_is_covered() {
    let stream = StreamName::task("task-1");
    let mut types = Vec::new();
    for event in task_events() {
        let encoded = encode_task(&event);
        assert_eq!(encoded.event_type, format!("task.{}", event.name()));
        types.push(encoded.event_type);
        assert_eq!(decode(&stream, encoded), Event::Task(event));
    }
    for outcome in outcomes() {
        let event = StepEvent { task: "task-1".into(), step: 501, attempt: 2, outcome };
        let encoded = encode_step(&event);
        assert_eq!(encoded.event_type, format!("step.{}", event.outcome.name()));
        types.push(encoded.event_type);
        assert_eq!(decode(&stream, encoded), Event::Step(event));
    }
    for listed in TASK_TYPES.iter().chain(STEP_TYPES) {
        assert!(types.contains(&listed.name), "{} has no example here", listed.name);
    }
}

#[test]
fn a_step_event_belongs_to_the_stream_of_its_five_hundred() {
    assert_eq!(step_stream("task-1", 499).as_str(), "task/task-1/0");
    assert_eq!(step_stream("task-1", 500).as_str(), "task/task-1/1");
}

#[test]
fn stored_bytes_of_a_step_event_do_not_change() {
    let outcome = StepOutcome::Skipped { reason_code: "TOPIC_GONE".into(), detail: String::new() };
    let event = Event::Step(StepEvent { task: "t".into(), step: 1, attempt: 1, outcome });
    let stored = crate::new_events(&step_stream("t", 1), &event, Timestamp::default(), &crate::Meta::default());
    assert_eq!(stored[0].payload, b"\x0a\x07\x0a\x01t\x10\x01\x18\x01\x12\x0aTOPIC_GONE");
}
