//! What others do to the cluster meanwhile: each ends in a named, sensible state, and nothing foreign is touched.

use std::sync::Arc;
use std::time::Duration;

use ballast_cluster::{BrokerId, TopicPartition};
use ballast_end_to_end::{ControlCenter, eventually};
use ballast_kafka::{ConfigOperation, ConfigResource};
use serde_json::Value;

use crate::bench::{Bench, LARGE_BYTES, SLOW, SMALL_BYTES};

const MINUTE: Duration = Duration::from_secs(60);
const LEADER_RATE: &str = "leader.replication.throttled.rate";

/// Waits until some step of the task waits (or was withheld, skipped or failed) for this reason.
async fn wait_for_reason(center: &ControlCenter, task: &str, reason: &str) -> Value {
    for _ in 0..300 {
        let found = center.steps(task).into_iter().find(|step| step["reason_code"] == reason);
        if let Some(step) = found {
            return step;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    center.explain(task);
    panic!("no step of {task} gives the reason {reason}");
}

pub async fn foreign_reassignment(bench: Arc<Bench>) {
    let topic = "foreign-reassignment";
    bench.topic(topic, &[(&[2, 1, 3], SMALL_BYTES), (&[3, 2, 1], SMALL_BYTES)]).await;
    let center = bench.control_center().await;
    bench.wait_for_sizes(&center, topic).await;
    // Onto a fenced broker: it hangs until we say otherwise.
    bench.cluster.kill(BrokerId(5)).await;
    eventually("broker 5 counts as lost, so that nothing is planned onto it", MINUTE, || async {
        (center.json(&["broker", "get", "5"])["state"] == "dead").then_some(())
    })
    .await;
    let plan = center.plan(&["--drain", "2"]);
    let foreign = TopicPartition::new(topic, 0);
    // Frozen, so that the stranger comes after the plan was taken and before its step starts.
    center.command(&["throttle", "freeze"]);
    let task = center.task(&plan);
    bench.observer.reassign(&foreign, Some(&[2, 1, 5])).await;
    center.command(&["throttle", "unfreeze"]);
    let step = wait_for_reason(&center, &task, "FOREIGN_REASSIGNMENT").await;
    assert_eq!(step["partition"], 0);
    let pending = bench.observer.admin.list_partition_reassignments().await.expect("the controller answers");
    assert!(
        pending.iter().any(|it| it.at == foreign && it.target() == [2, 1, 5].map(BrokerId)),
        "it was not touched: {pending:?}"
    );
    // Its owner takes it back, list and order too: the step goes on.
    bench.observer.reassign(&foreign, None).await;
    bench.observer.reassign(&foreign, Some(&[2, 1, 3])).await;
    center.wait_for(&task, "SUCCEEDED", MINUTE).await;
    bench.observer.expect_healthy(topic, 3, &[2], 2).await;
    bench.cluster.restart(BrokerId(5)).await;
    bench.observer.expect_alive(BrokerId(5), true).await;
    bench.leave_clean(&[topic]).await;
}

pub async fn cordoned_target(bench: Arc<Bench>) {
    let topic = "cordoned-target";
    bench.topic(topic, &[(&[2, 1, 3], SMALL_BYTES)]).await;
    let center = bench.control_center().await;
    bench.wait_for_sizes(&center, topic).await;
    let added = |plan: &Value| {
        let to = plan["alternatives"][0]["moves"][0]["to"].as_array().cloned().unwrap_or_default();
        to.iter().filter_map(Value::as_i64).find(|broker| ![1, 2, 3].contains(broker)).expect("a broker gets the replica")
    };
    let plan = center.plan(&["--drain", "2"]);
    let target = added(&plan);
    let broker = BrokerId(i32::try_from(target).expect("ids are small"));
    bench.cluster.set_cordoned(broker, true).await;
    let cordoned = || async { (center.json(&["broker", "get", &target.to_string()])["cordoned"] == true).then_some(()) };
    eventually("the Monitor has seen the cordon", MINUTE, cordoned).await;
    center.run(&["plan", "create", "--expand", &target.to_string()]).refused(4, "BROKER_CORDONED");
    assert_ne!(added(&center.plan(&["--drain", "2"])), target, "another plan keeps away from it");
    // The plan from before names it: the step waits, and Kafka is not asked.
    let task = center.task(&plan);
    wait_for_reason(&center, &task, "TARGET_CORDONED").await;
    let pending = bench.observer.admin.list_partition_reassignments().await.expect("the controller answers");
    assert!(pending.is_empty(), "{pending:?}");
    bench.cluster.set_cordoned(broker, false).await;
    center.wait_for(&task, "SUCCEEDED", MINUTE).await;
    bench.observer.expect_healthy(topic, 3, &[2], 2).await;
    bench.leave_clean(&[topic]).await;
}

pub async fn foreign_throttle(bench: Arc<Bench>) {
    let topic = "foreign-throttle";
    bench.topic(topic, &[(&[2, 1, 3], SMALL_BYTES)]).await;
    let center = bench.control_center().await;
    bench.wait_for_sizes(&center, topic).await;
    // Far below what a move needs: the step waits, and the operator's value stays.
    for broker in bench.cluster.brokers() {
        bench.observer.set_config(ConfigResource::Broker(broker), LEADER_RATE, ConfigOperation::Set("1000".into())).await;
    }
    let task = center.task(&center.plan(&["--drain", "2"]));
    wait_for_reason(&center, &task, "FOREIGN_THROTTLE").await;
    let left = bench.observer.throttles(&bench.cluster.brokers(), &[topic]).await;
    assert_eq!(left.len(), bench.cluster.brokers().len(), "only the operator's rates are there: {left:?}");
    // Enough for a move: it runs under the operator's rate.
    for broker in bench.cluster.brokers() {
        bench.observer.set_config(ConfigResource::Broker(broker), LEADER_RATE, ConfigOperation::Set("50000000".into())).await;
    }
    center.wait_for(&task, "SUCCEEDED", MINUTE).await;
    eventually("the operator's rates are all that is left", MINUTE, || async {
        let left = bench.observer.throttles(&bench.cluster.brokers(), &[topic]).await;
        (left.len() == bench.cluster.brokers().len() && left.iter().all(|it| it.contains("50000000"))).then_some(())
    })
    .await;
    for broker in bench.cluster.brokers() {
        bench.observer.set_config(ConfigResource::Broker(broker), LEADER_RATE, ConfigOperation::Delete).await;
    }
    bench.leave_clean(&[topic]).await;
}

pub async fn topics_that_go(bench: Arc<Bench>) {
    let (deleted, recreated, kept) = ("mid-move-deleted", "mid-move-recreated", "mid-move-kept");
    for topic in [deleted, recreated] {
        bench.topic(topic, &[(&[2, 1, 3], LARGE_BYTES)]).await;
    }
    bench.topic(kept, &[(&[3, 2, 1], SMALL_BYTES)]).await;
    let center = bench.control_center().await;
    for topic in [deleted, recreated, kept] {
        bench.wait_for_sizes(&center, topic).await;
    }
    center.command(&["throttle", "set", "--max", SLOW]);
    let task = center.task(&center.plan(&["--drain", "2"]));
    eventually("both large moves are copying", MINUTE, || async {
        let copying =
            center.steps(&task).iter().filter(|step| step["state"] == "ISSUED").filter(|step| step["topic"] != kept).count();
        (copying == 2).then_some(())
    })
    .await;
    bench.cluster.delete_topic(deleted).await;
    bench.cluster.delete_topic(recreated).await;
    bench.topic(recreated, &[(&[2, 1, 3], SMALL_BYTES)]).await;
    wait_for_reason(&center, &task, "TOPIC_GONE").await;
    wait_for_reason(&center, &task, "TOPIC_RECREATED").await;
    eventually("the task has ended", MINUTE, || async {
        ["SUCCEEDED", "PARTIALLY_APPLIED"].contains(&center.task_state(&task).as_str()).then_some(())
    })
    .await;
    assert_eq!(bench.observer.lists(recreated).await[&0].0, [2, 1, 3], "the new topic of the old name is left alone");
    assert!(!bench.observer.lists(kept).await[&0].0.contains(&2), "the others went on");
    bench.leave_clean(&[recreated, kept]).await;
}

pub async fn target_dies(bench: Arc<Bench>) {
    let topic = "target-dies";
    bench.topic(topic, &[(&[2, 1, 3], LARGE_BYTES)]).await;
    let before = bench.observer.lists(topic).await;
    let center = bench.control_center().await;
    bench.wait_for_sizes(&center, topic).await;
    center.command(&["throttle", "set", "--max", SLOW]);
    let task = center.task(&center.plan(&["--topic", &format!("{topic}:0=6,1,3")]));
    eventually("the move is copying", MINUTE, || async {
        center
            .steps(&task)
            .iter()
            .any(|step| step["state"] == "ISSUED" && step["bytes_done"].as_u64().is_some_and(|bytes| bytes > 0))
            .then_some(())
    })
    .await;
    bench.cluster.kill(BrokerId(6)).await;
    wait_for_reason(&center, &task, "TARGET_LOST").await;
    center.wait_for(&task, "NEEDS_OPERATOR", MINUTE).await;
    let answer = center.run(&["task", "wait", &task, "--timeout", "5s"]);
    assert_eq!(answer.code, 9, "{}", answer.stderr);
    let step =
        center.steps(&task).into_iter().find(|step| step["reason_code"] == "TARGET_LOST").expect("the step keeps its reason");
    let step = step["index"].to_string();
    center.command(&["task", "decide", &task, "--step", &step, "roll-back"]);
    center.wait_for(&task, "ROLLED_BACK", MINUTE).await;
    bench.observer.expect_lists(topic, &before).await;
    bench.cluster.restart(BrokerId(6)).await;
    bench.observer.expect_alive(BrokerId(6), true).await;
    bench.leave_clean(&[topic]).await;
}

pub async fn broker_returns(bench: Arc<Bench>) {
    let topic = "broker-returns";
    bench.topic(topic, &[(&[4, 1, 2], SMALL_BYTES), (&[1, 4, 3], LARGE_BYTES), (&[3, 6, 4], LARGE_BYTES)]).await;
    let center = bench.control_center().await;
    bench.wait_for_sizes(&center, topic).await;
    center.command(&["throttle", "set", "--max", SLOW]);
    bench.cluster.kill(BrokerId(4)).await;
    eventually("broker 4 counts as lost", MINUTE, || async {
        (center.json(&["broker", "get", "4"])["state"] == "dead").then_some(())
    })
    .await;
    let task = center.task(&center.plan(&["--evacuate", "4"]));
    bench.wait_half_way(&center, &task).await;
    bench.cluster.restart(BrokerId(4)).await;
    bench.observer.expect_alive(BrokerId(4), true).await;
    center.command(&["throttle", "set", "--auto"]);
    center.wait_for(&task, "SUCCEEDED", 2 * MINUTE).await;
    bench.observer.expect_healthy(topic, 3, &[4], 2).await;
    eventually("the strays of broker 4 are named", MINUTE, || async {
        let broker = center.json(&["broker", "get", "4"]);
        (broker["state"] == "alive" && broker["stray_replicas"].as_u64().is_some_and(|strays| strays > 0)).then_some(())
    })
    .await;
    bench.leave_clean(&[topic]).await;
}
