//! A drain cancelled half-way in each of the three modes, and a finished task rolled back: lists, their order and the leaders are as
//! promised, and the audit shows it.

use std::sync::Arc;
use std::time::Duration;

use ballast_end_to_end::{ControlCenter, Lists, Settings, eventually};
use serde_json::Value;

use crate::bench::{Bench, LARGE_BYTES, SLOW, SMALL_BYTES};

const MINUTE: Duration = Duration::from_secs(60);

/// A slow drain of broker 2, half-way: the small partition is moved, a large one is copying, another waits or copies.
struct HalfWay {
    center: ControlCenter,
    task: String,
    before: Lists,
}

async fn half_way(bench: &Bench, topic: &str) -> HalfWay {
    bench.topic(topic, &[(&[3, 2, 1], SMALL_BYTES), (&[2, 5, 4], LARGE_BYTES), (&[6, 2, 3], LARGE_BYTES)]).await;
    let before = bench.observer.lists(topic).await;
    let center = bench.control_center().await;
    bench.wait_for_sizes(&center, topic).await;
    center.command(&["throttle", "set", "--max", SLOW]);
    let plan = center.plan(&["--drain", "2"]);
    let task = center.task(&plan);
    bench.wait_half_way(&center, &task).await;
    HalfWay { center, task, before }
}

fn audit_has(center: &ControlCenter, task: &str, kinds: &[&str]) {
    let events = center.events(task);
    for kind in kinds {
        assert!(events.iter().any(|event| event["type"] == *kind), "the audit of {task} lacks {kind}");
    }
    let sequences: Vec<u64> = events.iter().filter_map(|event| event["sequence"].as_u64()).collect();
    assert!(sequences.is_sorted() && sequences.len() == events.len(), "the audit is in order");
}

pub async fn finish_step(bench: Arc<Bench>) {
    let topic = "cancel-finish-step";
    let HalfWay { center, task, before } = half_way(&bench, topic).await;
    let in_flight: Vec<u64> = center
        .steps(&task)
        .iter()
        .filter(|step| step["state"] == "ISSUED")
        .filter_map(|step| step["partition"].as_u64())
        .collect();
    center.command(&["task", "cancel", &task]);
    center.command(&["throttle", "set", "--auto"]);
    center.wait_for(&task, "PARTIALLY_APPLIED", MINUTE).await;
    // What was asked of Kafka by then has finished, and nothing else was touched.
    let done: Vec<u64> = center
        .steps(&task)
        .iter()
        .filter(|step| step["state"] == "SUCCEEDED")
        .filter_map(|step| step["partition"].as_u64())
        .collect();
    assert!(in_flight.iter().all(|partition| done.contains(partition)), "in flight {in_flight:?}, done {done:?}");
    for (partition, (list, _)) in bench.observer.lists(topic).await {
        let moved = done.contains(&u64::from(partition));
        assert_eq!(list.contains(&2), !moved, "partition {partition} is {list:?}");
        assert!(moved || list == before[&partition].0, "partition {partition} was not to be touched");
    }
    audit_has(&center, &task, &["task.accepted", "task.cancel-requested", "step.succeeded", "task.ended"]);
    bench.leave_clean(&[topic]).await;
}

pub async fn stop_now(bench: Arc<Bench>) {
    let topic = "cancel-stop-now";
    let HalfWay { center, task, before } = half_way(&bench, topic).await;
    center.command(&["task", "cancel", &task, "--mode", "stop-now"]);
    center.wait_for(&task, "PARTIALLY_APPLIED", MINUTE).await;
    let after = bench.observer.lists(topic).await;
    assert!(!after[&0].0.contains(&2), "the finished move stays: {:?}", after[&0]);
    for partition in [1, 2] {
        assert_eq!(after[&partition], before[&partition], "partition {partition} is as it was, order and leader too");
    }
    audit_has(&center, &task, &["task.cancel-requested", "step.revert-intended", "step.reverted", "task.ended"]);
    bench.leave_clean(&[topic]).await;
}

pub async fn roll_back(bench: Arc<Bench>) {
    let topic = "cancel-roll-back";
    let HalfWay { center, task, before } = half_way(&bench, topic).await;
    center.command(&["task", "cancel", &task, "--mode", "roll-back"]);
    center.wait_for(&task, "ROLLED_BACK", MINUTE).await;
    bench.observer.expect_lists(topic, &before).await;
    audit_has(&center, &task, &["task.cancel-requested", "step.reverted", "task.rollback-planned", "task.ended"]);
    bench.leave_clean(&[topic]).await;
}

pub async fn rollback_paused(bench: Arc<Bench>) {
    let topic = "rollback-paused";
    bench.topic(topic, &[(&[2, 5, 4], LARGE_BYTES), (&[6, 2, 3], LARGE_BYTES)]).await;
    let before = bench.observer.lists(topic).await;
    let settings = Settings { moves_per_cluster: 1, ..Settings::default() };
    let center = ControlCenter::start(&bench.cluster, &settings).await;
    bench.wait_for_model(&center).await;
    bench.wait_for_sizes(&center, topic).await;
    let task = center.task(&center.plan(&["--drain", "2"]));
    // The first move is done quickly; slowed down, the second is taken back and the first one's way back takes a while.
    let moved = |step: &Value| step["kind"] == "MOVE" && step["state"] == "SUCCEEDED";
    eventually("one partition has moved", MINUTE, || async { center.steps(&task).iter().any(moved).then_some(()) }).await;
    center.command(&["throttle", "set", "--max", SLOW]);
    center.command(&["task", "cancel", &task, "--mode", "roll-back"]);
    let copies_back =
        |step: &Value| step["is_undo"] == true && step["state"] == "ISSUED" && step["bytes_done"].as_u64() > Some(0);
    eventually("it copies back", MINUTE, || async { center.steps(&task).iter().any(copies_back).then_some(()) }).await;
    assert_eq!(center.command(&["task", "pause", &task])["state"], "PAUSING");
    center.run(&["task", "cancel", &task, "--mode", "roll-back", "--yes"]).refused(4, "ILLEGAL_TRANSITION");
    center.command(&["throttle", "set", "--auto"]);
    center.wait_for(&task, "PAUSED", MINUTE).await;
    center.command(&["task", "resume", &task]);
    center.wait_for(&task, "ROLLED_BACK", MINUTE).await;
    bench.observer.expect_lists(topic, &before).await;
    audit_has(&center, &task, &["task.rollback-planned", "task.pause-requested", "task.resume-requested", "task.ended"]);
    bench.leave_clean(&[topic]).await;
}

pub async fn rollback_of_a_finished_task(bench: Arc<Bench>) {
    let topic = "rollback-finished";
    bench.topic(topic, &[(&[3, 2, 1], SMALL_BYTES), (&[2, 5, 4], SMALL_BYTES), (&[6, 2, 3], SMALL_BYTES)]).await;
    let before = bench.observer.lists(topic).await;
    let center = bench.control_center().await;
    bench.wait_for_sizes(&center, topic).await;
    let task = center.task(&center.plan(&["--drain", "2"]));
    center.wait_for(&task, "SUCCEEDED", MINUTE).await;
    assert!(bench.observer.lists(topic).await.values().all(|(list, _)| !list.contains(&2)));
    let back = center.command(&["task", "rollback", &task]);
    assert_eq!(back["rolls_back"], task.as_str());
    let back = back["name"].as_str().expect("a task has a name").to_owned();
    assert_ne!(back, task, "a rollback is a task of its own");
    center.wait_for(&back, "SUCCEEDED", MINUTE).await;
    bench.observer.expect_lists(topic, &before).await;
    assert_eq!(center.task_state(&task), "SUCCEEDED", "the old task keeps its state");
    audit_has(&center, &back, &["task.accepted", "task.ended"]);
    bench.leave_clean(&[topic]).await;
}
