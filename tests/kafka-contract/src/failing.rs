//! Statements about brokers that die, are missed and return. Each restarts the broker it killed.

use ballast_kafka::{ConfigOperation, ConfigResource, ErrorCode};

use crate::{
    ClusterUnderTest,
    describing::size_at,
    scene::{LEADER_RATE, Scene, only},
};

pub async fn killed_broker_is_fenced_and_listed(cluster: &dyn ClusterUnderTest) {
    let scene = Scene::set(cluster).await;
    let at = scene.topic("killed", &[0, 1, 2], 1_000_000).await;
    let dead = scene.brokers[0];
    scene.kill(dead).await;
    let seen = scene
        .until("another replica leads", async || scene.find(&at).await.filter(|seen| seen.leader == Some(scene.brokers[1])))
        .await;
    assert_eq!((seen.replicas.clone(), seen.offline.clone()), (scene.list(&[0, 1, 2]), vec![dead]));
    assert!(!seen.in_sync.contains(&dead), "{seen:?}");

    let described = scene.admin.describe_cluster(None).await.expect("the others answer");
    let entry = described.brokers.iter().find(|broker| broker.id == dead);
    match cluster.version() {
        version if version < (4, 0) => assert_eq!(entry, None, "brokers before 4.0 leave it out"),
        _ => assert!(entry.is_some_and(|broker| broker.fenced && !broker.host.is_empty()), "{entry:?}"),
    }
    assert!(scene.admin.metadata(Some(dead), None).await.is_err());
    assert!(scene.admin.describe_log_dirs(dead).await.is_err());
    let refused = scene.elect(&at).await.expect_err("its preferred leader is dead");
    assert_eq!(refused.code(), Some(ErrorCode::PreferredLeaderNotAvailable));

    let resource = ConfigResource::Broker(dead);
    let unreadable = scene.admin.describe_configs(std::slice::from_ref(&resource), &[LEADER_RATE]).await.map(only);
    assert!(!matches!(unreadable, Ok(Ok(_))), "configs of a dead broker cannot be read: {unreadable:?}");
    let written = scene.alter(resource.clone(), LEADER_RATE, ConfigOperation::Set("5000000".to_owned())).await;
    assert_eq!(written.is_ok(), scene.admin.reaches_dead_brokers_configs(), "{written:?}");

    scene.restart(dead).await;
    scene.settled(&at, &scene.list(&[0, 1, 2])).await;
    if written.is_ok() {
        scene
            .until("the rate written while it was dead holds", async || {
                (scene.config(&resource, LEADER_RATE).await.as_deref() == Some("5000000")).then_some(())
            })
            .await;
        scene.clear(resource, LEADER_RATE).await;
    }
    scene.elect(&at).await.expect("it is in sync again");
    scene.remove(&at).await;
}

pub async fn a_fenced_target_is_accepted_and_hangs(cluster: &dyn ClusterUnderTest) {
    let scene = Scene::set(cluster).await;
    let at = scene.topic("fenced-target", &[0, 1], 1_000_000).await;
    let dead = scene.brokers[4];
    scene.kill(dead).await;
    scene.submit(&at, Some(scene.list(&[0, 4]))).await.expect("a registered broker is accepted, dead or not");
    let listed = scene.stays_pending(&at, 3).await;
    assert_eq!((listed.adding, listed.removing), (vec![dead], scene.list(&[1])));
    scene.restart(dead).await;
    scene.settled(&at, &scene.list(&[0, 4])).await;
    scene.remove(&at).await;
}

pub async fn a_dead_target_is_overridden_by_a_live_one(cluster: &dyn ClusterUnderTest) {
    let scene = Scene::set(cluster).await;
    let at = scene.topic("dead-target", &[0, 1], 1_000_000).await;
    let dead = scene.brokers[4];
    scene.kill(dead).await;
    scene.submit(&at, Some(scene.list(&[0, 4]))).await.expect("accepted");
    scene.stays_pending(&at, 1).await;
    scene.submit(&at, Some(scene.list(&[0, 3]))).await.expect("overridden");
    scene.settled(&at, &scene.list(&[0, 3])).await;
    scene.restart(dead).await;
    scene.remove(&at).await;
}

pub async fn a_dead_replica_kept_in_the_target_blocks_before_4_3_and_not_after(cluster: &dyn ClusterUnderTest) {
    let scene = Scene::set(cluster).await;
    let at = scene.topic("dead-kept", &[4, 0, 1], 1_000_000).await;
    let dead = scene.brokers[4];
    scene.kill(dead).await;
    scene
        .until("another replica leads", async || scene.find(&at).await.filter(|seen| seen.leader == Some(scene.brokers[0])))
        .await;
    scene.submit(&at, Some(scene.list(&[4, 0, 2]))).await.expect("accepted");
    if cluster.version() < (4, 3) {
        scene.stays_pending(&at, 4).await;
    } else {
        scene.until("it completes without the dead one", async || scene.pending(&at).await.is_none().then_some(())).await;
        let seen = scene
            .until("brokers show the target", async || {
                let target = scene.list(&[4, 0, 2]);
                scene.find(&at).await.filter(|seen| seen.replicas == target)
            })
            .await;
        let mut in_sync = seen.in_sync;
        in_sync.sort();
        assert_eq!(in_sync, scene.list(&[0, 2]));
    }
    scene.restart(dead).await;
    scene.settled(&at, &scene.list(&[4, 0, 2])).await;
    scene.remove(&at).await;
}

/// What it still has on disk is a stray replica, which no answer of Kafka's shows.
pub async fn a_replaced_broker_returns_without_the_replica(cluster: &dyn ClusterUnderTest) {
    let scene = Scene::set(cluster).await;
    let at = scene.topic("replaced", &[0, 4], 5_000_000).await;
    let dead = scene.brokers[4];
    scene.kill(dead).await;
    scene.submit(&at, Some(scene.list(&[0, 3]))).await.expect("accepted");
    scene.settled(&at, &scene.list(&[0, 3])).await;
    scene.restart(dead).await;
    assert_eq!(size_at(&scene, 4, &at).await, None);
    assert_eq!(scene.see(&at).await.replicas, scene.list(&[0, 3]));
    scene.remove(&at).await;
}

pub async fn a_leaderless_partition_cannot_be_moved_and_heals_when_its_leader_returns(cluster: &dyn ClusterUnderTest) {
    let scene = Scene::set(cluster).await;
    let at = scene.topic("leaderless", &[4], 1_000_000).await;
    let dead = scene.brokers[4];
    scene.kill(dead).await;
    scene.until("it has no leader", async || scene.find(&at).await.filter(|seen| seen.leader.is_none())).await;
    scene.submit(&at, Some(scene.list(&[3]))).await.expect("Kafka accepts the trap");
    scene.stays_pending(&at, 3).await;
    if cluster.version() >= (4, 1) {
        let refused = scene.submit(&at, None).await.expect_err("a cancel would need an unclean election");
        assert_eq!(refused.code(), Some(ErrorCode::InvalidReplicaAssignment));
    }
    scene.restart(dead).await;
    scene.settled(&at, &scene.list(&[3])).await;
    scene.remove(&at).await;
}
