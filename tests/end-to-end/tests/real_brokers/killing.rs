//! `kill -9` of the control center at ten moments of one unfinished drain: it always finishes and submits nothing twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ballast_clock::Clock;

use crate::bench::{Bench, LARGE_BYTES, SMALL_BYTES};

const TOPIC: &str = "killing";
const KILLS: u64 = 10;

pub async fn ten_times(bench: Arc<Bench>) {
    let small: [&[i32]; 8] = [&[6, 1, 2], &[1, 6, 4], &[3, 6, 2], &[6, 5, 4], &[5, 6, 1], &[6, 3, 4], &[2, 6, 3], &[4, 6, 5]];
    let mut partitions: Vec<(&[i32], u64)> = small.iter().map(|list| (*list, 10 * SMALL_BYTES)).collect();
    partitions.extend([(&[6, 1, 4][..], LARGE_BYTES), (&[1, 2, 6][..], LARGE_BYTES)]);
    bench.topic(TOPIC, &partitions).await;
    let mut center = bench.control_center().await;
    bench.wait_for_sizes(&center, TOPIC).await;
    center.command(&["throttle", "set", "--max", "4MB/s"]);
    let task = center.task(&center.plan(&["--drain", "6"]));
    let clock = Clock::system();
    for kill in 0..KILLS {
        // Each life is a little longer than the last, so that the kills fall on different moments of the steps.
        clock.sleep(Duration::from_millis(150 + 170 * kill)).await;
        let state = center.task_state(&task);
        assert!(state == "RUNNING" || state == "QUEUED" || state == "VERIFYING", "before kill {kill} the task is {state}");
        assert_ne!(state, "SUCCEEDED", "the drain was to be unfinished at kill {kill}");
        center.kill().await;
        center.resume().await;
    }
    center.command(&["throttle", "set", "--auto"]);
    center.wait_for(&task, "SUCCEEDED", Duration::from_secs(120)).await;
    bench.observer.expect_healthy(TOPIC, 3, &[6], 2).await;

    let mut submitted: BTreeMap<(u64, u64), u32> = BTreeMap::new();
    for event in center.events(&task).iter().filter(|event| event["type"] == "step.issued") {
        let (step, attempt) = (event["payload"]["key"]["step"].as_u64(), event["payload"]["key"]["attempt"].as_u64());
        let key = (step.expect("a step event names its step"), attempt.expect("and its attempt"));
        *submitted.entry(key).or_default() += u32::from(event["payload"]["found"] == false);
        assert_eq!(key.1, 1, "step {} needed another attempt", key.0);
    }
    assert!(submitted.values().all(|count| *count <= 1), "submitted twice: {submitted:?}");
    let answer = center.run(&["audit", "verify"]);
    assert_eq!(answer.code, 0, "the log verifies after {KILLS} kills: {}", answer.stderr);
    bench.leave_clean(&[TOPIC]).await;
}
