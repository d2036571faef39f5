//! The main job: a broker is killed under load, and Ballast makes its partitions whole again on the others.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use ballast_clock::Clock;
use ballast_cluster::BrokerId;
use ballast_end_to_end::eventually;

use crate::bench::{Bench, LARGE_BYTES};

const TOPIC: &str = "healing";
const LOST: i32 = 4;

pub async fn a_dead_brokers_partitions_are_healed_under_load(bench: Arc<Bench>) {
    let lists: [&[i32]; 6] = [&[4, 1, 3], &[1, 4, 6], &[2, 3, 4], &[5, 4, 2], &[4, 5, 6], &[3, 6, 1]];
    let partitions: Vec<(&[i32], u64)> = lists.iter().map(|list| (*list, LARGE_BYTES)).collect();
    bench.topic(TOPIC, &partitions).await;
    let center = bench.control_center().await;
    bench.wait_for_sizes(&center, TOPIC).await;
    let clock = Clock::system();
    let consumer = bench.cluster.consume_in_background(TOPIC, 6);
    clock.sleep(Duration::from_secs(2)).await;
    let producer = bench.cluster.produce_in_background(TOPIC, 6, 50);

    let killed_at = clock.now();
    bench.cluster.kill(BrokerId(LOST)).await;
    eventually("broker 4 counts as lost", Duration::from_secs(40), || async {
        (center.json(&["broker", "get", "4"])["state"] == "dead").then_some(())
    })
    .await;
    let lost_at = clock.now();
    let plan = center.plan(&["--evacuate", "4"]);
    let bytes = plan["alternatives"][0]["cost"]["moved_bytes"].as_u64().unwrap_or(0);
    let task = center.task(&plan);
    center.wait_for(&task, "SUCCEEDED", Duration::from_secs(120)).await;
    let healed_at = clock.now();
    bench.observer.expect_healthy(TOPIC, 3, &[LOST], 2).await;

    let sent = producer.stop().await;
    let followed: HashSet<Vec<u8>> = consumer.stop(Duration::from_secs(5)).await.into_iter().collect();
    let unseen = sent.acknowledged.iter().filter(|payload| !followed.contains(payload.as_bytes())).count();
    assert_eq!(unseen, 0, "of {} acknowledged records the consumer missed {unseen}", sent.acknowledged.len());
    let held: HashSet<Vec<u8>> = bench.cluster.read_all(TOPIC).await.into_iter().map(|record| record.payload).collect();
    let missing = sent.acknowledged.iter().filter(|payload| !held.contains(payload.as_bytes())).count();
    assert_eq!(missing, 0, "of {} acknowledged records {missing} are not read back", sent.acknowledged.len());
    assert!(sent.acknowledged.len() > 100, "the producer ran through all of it");

    let live: Vec<BrokerId> = bench.cluster.brokers().into_iter().filter(|broker| broker.0 != LOST).collect();
    bench.observer.expect_no_throttles(&live, &[TOPIC]).await;
    bench.cluster.restart(BrokerId(LOST)).await;
    bench.observer.expect_alive(BrokerId(LOST), true).await;
    bench.observer.expect_no_throttles(&bench.cluster.brokers(), &[TOPIC]).await;
    eventually("the returned broker is alive and its strays are named", Duration::from_secs(30), || async {
        let broker = center.json(&["broker", "get", "4"]);
        (broker["state"] == "alive" && broker["stray_replicas"].as_u64().is_some_and(|strays| strays > 0)).then_some(())
    })
    .await;
    let first_issued =
        center.events(&task).iter().find(|event| event["type"] == "step.issued").map(|event| event["recorded_time"].clone());
    eprintln!(
        "healing: lost after {} ms, healed {} ms after that, {bytes} bytes, first reassignment at {first_issued:?} (plan at {}), {} acknowledged, {} failed sends, serve holds {} MB",
        lost_at.milliseconds_since(killed_at),
        healed_at.milliseconds_since(lost_at),
        plan["created_at"],
        sent.acknowledged.len(),
        sent.failed.len(),
        center.resident_bytes() / 1_000_000,
    );
    bench.leave_clean(&[TOPIC]).await;
}
