//! Statements about how fast copies go, coarse enough for a loaded machine. Must not kill brokers.

use std::time::Duration;

use ballast_cluster::TopicPartition;
use ballast_kafka::{ConfigResource, OffsetQuery};

use crate::{
    ClusterUnderTest,
    scene::{LEADER_RATE, Scene},
};

const DATA_BYTES: u64 = 24_000_000;

/// Milliseconds from the submission until the partition has settled at `places`.
async fn time_move(scene: &Scene<'_>, at: &TopicPartition, places: &[usize]) -> i64 {
    let started = scene.cluster.clock().now();
    scene.submit(at, Some(scene.list(places))).await.expect("accepted");
    scene.settled(at, &scene.list(places)).await;
    scene.cluster.clock().now().milliseconds_since(started)
}

pub async fn a_rate_without_list_slows_nothing(cluster: &dyn ClusterUnderTest) {
    let scene = Scene::set(cluster).await;
    let at = scene.topic("rate-only", &[0, 1], DATA_BYTES).await;
    for broker in scene.list(&[0, 1]) {
        scene.configure(ConfigResource::Broker(broker), LEADER_RATE, "100000").await;
    }
    let taken = time_move(&scene, &at, &[0, 2]).await;
    assert!(taken < 30_000, "240 s at that rate, and it took {taken} ms");
    for broker in scene.list(&[0, 1]) {
        scene.clear(ConfigResource::Broker(broker), LEADER_RATE).await;
    }
    scene.remove(&at).await;
}

pub async fn rate_with_list_slows_a_copy(cluster: &dyn ClusterUnderTest) {
    let scene = Scene::set(cluster).await;
    let at = scene.topic("rate-and-list", &[0, 1], DATA_BYTES).await;
    let free = time_move(&scene, &at, &[0, 2]).await;
    let holders = scene.list(&[0, 2]);
    scene.limit(&at, &holders, 2_000_000).await;
    let slowed = time_move(&scene, &at, &[0, 3]).await;
    assert!(slowed >= 5_000 && slowed > 2 * free, "24 MB at 2 MB/s took {slowed} ms, unthrottled {free} ms");
    scene.unlimit(&at, &holders).await;
    scene.remove(&at).await;
}

pub async fn replica_end_offset_shows_progress(cluster: &dyn ClusterUnderTest) {
    let scene = Scene::set(cluster).await;
    let at = scene.topic("progress", &[0, 1], DATA_BYTES).await;
    let holders = scene.list(&[0, 1]);
    // Other moves may have used the limiter's window: let it pass, so that the copy does not start with a burst.
    cluster.pause(Duration::from_secs(12)).await;
    scene.limit(&at, &holders, 2_000_000).await;
    scene.submit(&at, Some(scene.list(&[0, 2]))).await.expect("accepted");
    let end = scene.end_offset(scene.brokers[0], OffsetQuery::LeaderEnd, &at).await.expect("the leader answers");
    let progress = async || scene.end_offset(scene.brokers[2], OffsetQuery::ReplicaEnd, &at).await.ok();
    let early = scene.until("the copy has begun", async || progress().await.filter(|&offset| offset > 0)).await;
    assert!(early < end, "{early} of {end} so soon");
    let later = scene.until("the copy goes on", async || progress().await.filter(|&offset| offset > early)).await;
    assert!(later <= end);
    scene.unlimit(&at, &holders).await;
    scene.settled(&at, &scene.list(&[0, 2])).await;
    assert_eq!(progress().await, Some(end));
    scene.remove(&at).await;
}
