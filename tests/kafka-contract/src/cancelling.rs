//! Statements about putting a pending move back. Must not kill brokers.

use ballast_kafka::ErrorCode;

use crate::{ClusterUnderTest, scene::Scene};

pub async fn cancel_without_reassignment_is_named(cluster: &dyn ClusterUnderTest) {
    let scene = Scene::set(cluster).await;
    let at = scene.topic("cancel-nothing", &[0, 1], 0).await;
    let refused = scene.submit(&at, None).await.expect_err("nothing is pending");
    assert_eq!(refused.code(), Some(ErrorCode::NoReassignmentInProgress));
    scene.remove(&at).await;
}

pub async fn cancel_restores_members_but_loses_order(cluster: &dyn ClusterUnderTest) {
    let scene = Scene::set(cluster).await;
    for (name, from, to, after) in
        [("cancel-disjoint", [2, 0, 1], [3, 4, 0], [0, 1, 2]), ("cancel-shared", [0, 1, 2], [3, 1, 0], [1, 0, 2])]
    {
        let at = scene.topic(name, &from, 20_000_000).await;
        let held = scene.list(&[0, 1, 2]);
        let before = scene.see(&at).await;
        scene.limit(&at, &held, 1).await;
        scene.submit(&at, Some(scene.list(&to))).await.expect("accepted");
        scene.stays_pending(&at, 1).await;
        scene.submit(&at, None).await.expect("a pending move is cancelled");
        let seen = scene.settled(&at, &scene.list(&after)).await;
        assert_eq!(seen.leader, before.leader, "the leader stays");
        assert!(seen.leader_epoch > before.leader_epoch);
        scene.unlimit(&at, &held).await;
        scene.remove(&at).await;
    }
}

pub async fn explicit_original_list_after_cancel_restores_order(cluster: &dyn ClusterUnderTest) {
    let scene = Scene::set(cluster).await;
    let at = scene.topic("restore-order", &[2, 0, 1], 20_000_000).await;
    let held = scene.list(&[0, 1, 2]);
    scene.limit(&at, &held, 1).await;
    scene.submit(&at, Some(scene.list(&[3, 4, 0]))).await.expect("accepted");
    scene.stays_pending(&at, 1).await;
    scene.submit(&at, None).await.expect("cancelled");
    scene.submit(&at, Some(scene.list(&[2, 0, 1]))).await.expect("the original list is accepted");
    assert_eq!(scene.pending(&at).await, None, "nothing has to be copied");
    let seen = scene.settled(&at, &scene.list(&[2, 0, 1])).await;
    assert_eq!(seen.leader, Some(scene.brokers[2]));
    scene.unlimit(&at, &held).await;
    scene.remove(&at).await;
}

/// From 4.3 on the replica that was being added is adding and removing at once, which never completes; a cancel then gives the
/// exact original list.
pub async fn explicit_original_list_while_copying_is_a_rollback_only_before_4_3(cluster: &dyn ClusterUnderTest) {
    let scene = Scene::set(cluster).await;
    let at = scene.topic("original-while-copying", &[2, 0, 1], 20_000_000).await;
    let held = scene.list(&[0, 1, 2]);
    scene.limit(&at, &held, 1).await;
    scene.submit(&at, Some(scene.list(&[3, 0, 1]))).await.expect("accepted");
    scene.stays_pending(&at, 1).await;
    scene.submit(&at, Some(scene.list(&[2, 0, 1]))).await.expect("the original list is accepted");
    if cluster.version() < (4, 3) {
        scene.settled(&at, &scene.list(&[2, 0, 1])).await;
        let refused = scene.submit(&at, None).await.expect_err("it is done");
        assert_eq!(refused.code(), Some(ErrorCode::NoReassignmentInProgress));
    } else {
        let hanging = scene.stays_pending(&at, 3).await;
        assert_eq!(hanging.replicas, scene.list(&[2, 0, 1, 3]));
        assert_eq!((hanging.adding, hanging.removing), (scene.list(&[3]), scene.list(&[3])));
        scene.submit(&at, None).await.expect("a cancel is the way out");
        scene.settled(&at, &scene.list(&[2, 0, 1])).await;
    }
    scene.unlimit(&at, &held).await;
    scene.remove(&at).await;
}

/// The first target's members stay, so the list has grown, and a list of the original length is then a change of replication
/// factor: never override a move that may have to be cancelled.
pub async fn cancel_after_override_does_not_give_the_original_list(cluster: &dyn ClusterUnderTest) {
    let scene = Scene::set(cluster).await;
    let at = scene.topic("cancel-override", &[0, 1], 20_000_000).await;
    let held = scene.list(&[0, 1]);
    scene.limit(&at, &held, 1).await;
    scene.submit(&at, Some(scene.list(&[2, 3]))).await.expect("accepted");
    scene.stays_pending(&at, 1).await;
    scene.submit(&at, Some(scene.list(&[3, 4]))).await.expect("overridden");
    scene.stays_pending(&at, 1).await;
    scene.submit(&at, None).await.expect("cancelled");
    let grown = scene.list(&[3, 0, 1, 2]);
    scene.until("the list has grown", async || scene.find(&at).await.filter(|seen| seen.replicas == grown)).await;
    assert_eq!(scene.pending(&at).await, None);
    scene.submit(&at, Some(scene.list(&[0, 1]))).await.expect_err("this would change the replication factor");
    scene.unlimit(&at, &held).await;
    scene.settled(&at, &grown).await;
    scene.remove(&at).await;
}
