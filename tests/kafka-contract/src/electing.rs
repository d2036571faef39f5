//! Statements about preferred leader election among live brokers. Must not kill any.

use ballast_cluster::TopicPartition;
use ballast_kafka::ErrorCode;

use crate::{ClusterUnderTest, scene::Scene};

pub async fn preferred_election_codes(cluster: &dyn ClusterUnderTest) {
    let scene = Scene::set(cluster).await;
    let at = scene.topic("elect", &[0, 1, 2], 20_000_000).await;
    let refused = scene.elect(&at).await.expect_err("the first of the list leads already");
    assert_eq!(refused.code(), Some(ErrorCode::ElectionNotNeeded));

    scene.submit(&at, Some(scene.list(&[2, 0, 1]))).await.expect("reordered");
    let before = scene.settled(&at, &scene.list(&[2, 0, 1])).await;
    scene.elect(&at).await.expect("the first of the list is in sync");
    let seen = scene
        .until("the new leader is seen", async || scene.find(&at).await.filter(|seen| seen.leader == Some(scene.brokers[2])))
        .await;
    assert!(seen.leader_epoch > before.leader_epoch);

    let held = scene.list(&[0, 1, 2]);
    scene.limit(&at, &held, 1).await;
    scene.submit(&at, Some(scene.list(&[3, 2, 0]))).await.expect("accepted");
    scene.stays_pending(&at, 1).await;
    let refused = scene.elect(&at).await.expect_err("the preferred replica is still copying");
    assert_eq!(refused.code(), Some(ErrorCode::PreferredLeaderNotAvailable));
    scene.unlimit(&at, &held).await;
    scene.settled(&at, &scene.list(&[3, 2, 0])).await;
    scene.remove(&at).await;

    let absent = TopicPartition::new(format!("{}-never-made", cluster.name_prefix()), 0);
    let refused = scene.elect(&absent).await.expect_err("nothing to elect for");
    assert_eq!(refused.code(), Some(ErrorCode::UnknownTopicOrPartition));
}
