//! The other goals on a live cluster, each planned again on the settled cluster: then it plans nothing.

use std::sync::Arc;
use std::time::Duration;

use ballast_end_to_end::{ControlCenter, eventually};
use serde_json::Value;

use crate::bench::{Bench, SMALL_BYTES};

const MINUTE: Duration = Duration::from_secs(60);

fn moves(plan: &Value) -> usize {
    plan["alternatives"][0]["moves"].as_array().map_or(0, Vec::len)
}

/// Carries a plan out and waits until planning the same again finds nothing to do.
async fn carry_out(bench: &Bench, center: &ControlCenter, topic: &str, goal: &[&str]) {
    let plan = center.plan(goal);
    assert!(moves(&plan) > 0, "there was something to do for {goal:?}");
    let task = center.task(&plan);
    center.wait_for(&task, "SUCCEEDED", 2 * MINUTE).await;
    bench.observer.expect_no_throttles(&bench.cluster.brokers(), &[topic]).await;
    // The Monitor measures the new sizes with its next samples; nothing else is allowed to change.
    eventually(&format!("{goal:?} planned again plans nothing"), MINUTE, || async {
        (moves(&center.plan(goal)) == 0).then_some(())
    })
    .await;
}

pub async fn expand_fills_an_empty_broker(bench: Arc<Bench>) {
    let topic = "expand";
    let lists: [&[i32]; 8] = [&[1, 3, 2], &[2, 1, 5], &[3, 2, 6], &[5, 6, 1], &[6, 5, 3], &[1, 2, 3], &[3, 6, 5], &[2, 5, 1]];
    let partitions: Vec<(&[i32], u64)> = lists.iter().map(|list| (*list, 20 * SMALL_BYTES)).collect();
    bench.topic(topic, &partitions).await;
    let before = bench.observer.lists(topic).await;
    let center = bench.control_center().await;
    bench.wait_for_sizes(&center, topic).await;
    carry_out(&bench, &center, topic, &["--expand", "4"]).await;
    let after = bench.observer.lists(topic).await;
    assert!(after.values().any(|(list, _)| list.contains(&4)), "broker 4 got something");
    for (partition, (list, _)) in &after {
        let joined: Vec<i32> = list.iter().filter(|broker| !before[partition].0.contains(broker)).copied().collect();
        assert!(joined.is_empty() || joined == [4], "nothing moves between old brokers: {partition} {joined:?}");
    }
    bench.leave_clean(&[topic]).await;
}

pub async fn drain_empties_a_live_broker(bench: Arc<Bench>) {
    let topic = "drain";
    bench
        .topic(
            topic,
            &[(&[5, 1, 2], SMALL_BYTES), (&[3, 5, 4], SMALL_BYTES), (&[6, 4, 5], SMALL_BYTES), (&[1, 2, 3], SMALL_BYTES)],
        )
        .await;
    let center = bench.control_center().await;
    bench.wait_for_sizes(&center, topic).await;
    carry_out(&bench, &center, topic, &["--drain", "5"]).await;
    bench.observer.expect_healthy(topic, 3, &[5], 2).await;
    assert_eq!(center.json(&["broker", "get", "5"])["state"], "draining", "it stays out of later plans");
    let rebalance = center.plan(&["--rebalance"]);
    for alternative in rebalance["alternatives"].as_array().into_iter().flatten() {
        for planned in alternative["moves"].as_array().into_iter().flatten() {
            assert!(
                !planned["to"].as_array().is_some_and(|to| to.contains(&5.into())),
                "nothing goes back to a drained broker: {planned}"
            );
        }
    }
    center.command(&["broker", "restore", "5"]);
    eventually("broker 5 may be filled again", MINUTE, || async {
        (center.json(&["broker", "get", "5"])["state"] == "alive").then_some(())
    })
    .await;
    bench.leave_clean(&[topic]).await;
}

pub async fn demote_takes_leadership(bench: Arc<Bench>) {
    let topic = "demote";
    bench.topic(topic, &[(&[1, 2, 3], SMALL_BYTES), (&[1, 4, 5], SMALL_BYTES), (&[6, 1, 2], SMALL_BYTES)]).await;
    let center = bench.control_center().await;
    bench.wait_for_sizes(&center, topic).await;
    carry_out(&bench, &center, topic, &["--demote", "1"]).await;
    for (partition, (list, leader)) in bench.observer.lists(topic).await {
        assert!(leader != Some(1) && list.last() == Some(&1), "partition {partition}: {list:?} led by {leader:?}");
    }
    bench.leave_clean(&[topic]).await;
}

pub async fn rebalance_levels_skewed_topics(bench: Arc<Bench>) {
    let topic = "rebalance";
    let skewed: Vec<(&[i32], u64)> =
        (0..12).map(|at| (if at % 2 == 0 { &[1, 2, 3][..] } else { &[2, 1, 3][..] }, 20 * SMALL_BYTES)).collect();
    bench.topic(topic, &skewed).await;
    let center = bench.control_center().await;
    bench.wait_for_sizes(&center, topic).await;
    let goal = ["--rebalance", "--band", "0.25"];
    let plan = center.plan(&goal);
    assert!(plan["alternatives"].as_array().map_or(0, Vec::len) >= 2, "there is a choice");
    carry_out(&bench, &center, topic, &goal).await;
    bench.observer.expect_healthy(topic, 3, &[], 2).await;
    let lists = bench.observer.lists(topic).await;
    for broker in 1..=6 {
        let held = lists.values().filter(|(list, _)| list.contains(&broker)).count();
        assert!((4..=8).contains(&held), "broker {broker} holds {held} of 36 replicas");
    }
    bench.leave_clean(&[topic]).await;
}
