//! Statements about moving replica lists between live brokers. Must not kill any.

use ballast_cluster::{BrokerId, TopicPartition};
use ballast_kafka::{ErrorCode, KafkaError};

use crate::{ClusterUnderTest, describing::size_at, scene::Scene};

pub async fn reassignment_moves_a_partition(cluster: &dyn ClusterUnderTest) {
    let scene = Scene::set(cluster).await;
    let at = scene.topic("moves", &[0, 1, 2], 20_000_000).await;
    scene.submit(&at, Some(scene.list(&[3, 1, 4]))).await.expect("live registered targets are accepted");
    let seen = scene.settled(&at, &scene.list(&[3, 1, 4])).await;
    assert!(seen.leader.is_some_and(|leader| seen.replicas.contains(&leader)), "{seen:?}");
    scene
        .until("the data is on the new brokers and off the old", async || {
            let full = |size: Option<u64>| size.is_some_and(|bytes| bytes >= 18_000_000);
            let arrived = full(size_at(&scene, 3, &at).await) && full(size_at(&scene, 4, &at).await);
            let gone = size_at(&scene, 0, &at).await.is_none() && size_at(&scene, 2, &at).await.is_none();
            (arrived && gone).then_some(())
        })
        .await;
    scene.remove(&at).await;
}

pub async fn an_idle_partition_moves_at_once(cluster: &dyn ClusterUnderTest) {
    let scene = Scene::set(cluster).await;
    let at = scene.topic("idle", &[0, 1], 0).await;
    scene.limit(&at, &scene.list(&[0, 1]), 0).await;
    scene.submit(&at, Some(scene.list(&[2, 3]))).await.expect("accepted");
    scene.settled(&at, &scene.list(&[2, 3])).await;
    scene.unlimit(&at, &scene.list(&[0, 1])).await;
    scene.remove(&at).await;
}

pub async fn reorder_is_instant_and_leader_stays(cluster: &dyn ClusterUnderTest) {
    let scene = Scene::set(cluster).await;
    let at = scene.topic("reorder", &[0, 1, 2], 1_000_000).await;
    scene.submit(&at, Some(scene.list(&[2, 0, 1]))).await.expect("accepted");
    assert_eq!(scene.pending(&at).await, None, "a reorder completes within its request");
    let seen = scene.settled(&at, &scene.list(&[2, 0, 1])).await;
    assert_eq!(seen.leader, Some(scene.brokers[0]));
    scene.remove(&at).await;
}

pub async fn a_pending_reassignment_is_listed_until_it_completes(cluster: &dyn ClusterUnderTest) {
    let scene = Scene::set(cluster).await;
    let at = scene.topic("listed", &[2, 0, 1], 20_000_000).await;
    let held = scene.list(&[0, 1, 2]);
    scene.limit(&at, &held, 1).await;
    scene.submit(&at, Some(scene.list(&[3, 0, 4]))).await.expect("accepted");
    let listed = scene.stays_pending(&at, 2).await;
    assert_eq!(listed.replicas, scene.list(&[3, 0, 4, 1, 2]), "the target, then those leaving by id");
    assert_eq!((listed.adding.clone(), listed.removing.clone()), (scene.list(&[3, 4]), scene.list(&[1, 2])));
    assert_eq!(listed.target(), scene.list(&[3, 0, 4]));
    scene
        .until("brokers show the same union", async || {
            let seen = scene.find(&at).await?;
            (seen.replicas == listed.replicas && seen.leader == Some(scene.brokers[2])).then_some(())
        })
        .await;
    scene.unlimit(&at, &held).await;
    scene.settled(&at, &scene.list(&[3, 0, 4])).await;
    scene.remove(&at).await;
}

pub async fn submitting_the_same_target_twice_changes_nothing(cluster: &dyn ClusterUnderTest) {
    let scene = Scene::set(cluster).await;
    let at = scene.topic("twice", &[0, 1, 2], 20_000_000).await;
    let held = scene.list(&[0, 1, 2]);
    scene.limit(&at, &held, 1).await;
    scene.submit(&at, Some(scene.list(&[3, 1, 2]))).await.expect("accepted");
    let first = scene.stays_pending(&at, 1).await;
    scene.submit(&at, Some(scene.list(&[3, 1, 2]))).await.expect("the same target again is no error");
    assert_eq!(scene.stays_pending(&at, 1).await, first);
    scene.unlimit(&at, &held).await;
    scene.settled(&at, &scene.list(&[3, 1, 2])).await;
    scene.submit(&at, Some(scene.list(&[3, 1, 2]))).await.expect("nor is it when it has been reached");
    assert_eq!(scene.pending(&at).await, None);
    scene.remove(&at).await;
}

pub async fn override_with_another_target_completes_there(cluster: &dyn ClusterUnderTest) {
    let scene = Scene::set(cluster).await;
    let at = scene.topic("override", &[0, 1], 20_000_000).await;
    let held = scene.list(&[0, 1]);
    scene.limit(&at, &held, 1).await;
    scene.submit(&at, Some(scene.list(&[0, 2]))).await.expect("accepted");
    scene.stays_pending(&at, 1).await;
    scene.submit(&at, Some(scene.list(&[0, 3]))).await.expect("an override is accepted at any time");
    let listed = scene.stays_pending(&at, 1).await;
    assert_eq!(listed.replicas, scene.list(&[0, 3, 1, 2]));
    assert_eq!((listed.adding, listed.removing), (scene.list(&[3]), scene.list(&[1, 2])));
    scene.unlimit(&at, &held).await;
    scene.settled(&at, &scene.list(&[0, 3])).await;
    scene.remove(&at).await;
}

pub async fn replication_factor_change_is_refused(cluster: &dyn ClusterUnderTest) {
    let scene = Scene::set(cluster).await;
    let at = scene.topic("factor", &[0, 1, 2], 0).await;
    for places in [&[0, 1][..], &[0, 1, 2, 3][..]] {
        let refused = scene.submit(&at, Some(scene.list(places))).await.expect_err("a list of another length");
        let named =
            refused.code() == Some(ErrorCode::InvalidReplicationFactor) || matches!(refused, KafkaError::Unsupported { .. });
        assert!(named, "{refused:?}");
    }
    assert_eq!(scene.pending(&at).await, None);
    assert_eq!(scene.see(&at).await.replicas, scene.list(&[0, 1, 2]));
    scene.remove(&at).await;
}

/// Refused items do not keep the good ones of the same batch from being carried out.
pub async fn bad_targets_are_refused_one_by_one(cluster: &dyn ClusterUnderTest) {
    let scene = Scene::set(cluster).await;
    let at = scene.topic("bad", &[0, 1], 0).await;
    let unregistered = BrokerId(scene.brokers.iter().map(|broker| broker.0).max().expect("brokers were counted") + 4_711);
    for target in [vec![scene.brokers[0], unregistered], scene.list(&[2, 2])] {
        let refused = scene.submit(&at, Some(target)).await.expect_err("not a possible list");
        assert_eq!(refused.code(), Some(ErrorCode::InvalidReplicaAssignment));
    }
    scene.submit(&at, Some(Vec::new())).await.expect_err("an empty list is no list");

    let absent =
        [TopicPartition::new(format!("{}-never-made", cluster.name_prefix()), 0), TopicPartition::new(at.topic.clone(), 9)];
    let mut batch: Vec<_> = absent.iter().map(|absent| (absent.clone(), Some(scene.list(&[2, 3])))).collect();
    batch.push((at.clone(), Some(scene.list(&[2, 3]))));
    let results = scene.admin.alter_partition_reassignments(&batch).await.expect("items fail one by one");
    assert_eq!(results.len(), 3);
    for (item, result) in results {
        match result {
            Ok(()) => assert_eq!(item, at),
            Err(refused) => {
                assert_eq!(refused.code(), Some(ErrorCode::UnknownTopicOrPartition), "{item}");
                assert!(absent.contains(&item));
            }
        }
    }
    scene.settled(&at, &scene.list(&[2, 3])).await;
    scene.remove(&at).await;
}

pub async fn a_topic_deleted_while_moving_vanishes_from_the_list(cluster: &dyn ClusterUnderTest) {
    let scene = Scene::set(cluster).await;
    let at = scene.topic("void", &[0, 1], 20_000_000).await;
    let held = scene.list(&[0, 1]);
    scene.limit(&at, &held, 1).await;
    scene.submit(&at, Some(scene.list(&[2, 3]))).await.expect("accepted");
    scene.stays_pending(&at, 1).await;
    scene.remove(&at).await;
    assert_eq!(scene.pending(&at).await, None);
    let refused = scene.submit(&at, None).await.expect_err("there is nothing left to cancel");
    assert_eq!(refused.code(), Some(ErrorCode::UnknownTopicOrPartition));
    for &broker in &held {
        let resource = ballast_kafka::ConfigResource::Broker(broker);
        assert_eq!(
            scene.config(&resource, crate::scene::LEADER_RATE).await.as_deref(),
            Some("1"),
            "broker rates outlive the topic"
        );
        scene.clear(resource, crate::scene::LEADER_RATE).await;
    }
}
