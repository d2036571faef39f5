//! Statements about reading: brokers, topics, sizes, offsets, groups, quorum. Must not change more than topics of its own.

use ballast_cluster::TopicPartition;
use ballast_kafka::{ConfigResource, ErrorCode, OffsetQuery};

use crate::{ClusterUnderTest, scene::Scene};

pub async fn the_cluster_lists_its_brokers_alive(cluster: &dyn ClusterUnderTest) {
    let scene = Scene::set(cluster).await;
    let described = scene.admin.describe_cluster(None).await.expect("any broker describes the cluster");
    assert!(!described.cluster_id.is_empty());
    for &broker in &scene.brokers {
        let seen = described.brokers.iter().find(|seen| seen.id == broker).expect("a live broker is listed");
        assert!(!seen.fenced && !seen.host.is_empty() && seen.port > 0, "{seen:?}");
        let via = scene.admin.describe_cluster(Some(broker)).await.expect("a live broker answers for itself");
        assert_eq!(via.answered_by, Some(broker));
        assert_eq!(via.cluster_id, described.cluster_id);
    }
}

pub async fn every_broker_gives_metadata_and_tells_who_answered(cluster: &dyn ClusterUnderTest) {
    let scene = Scene::set(cluster).await;
    let at = scene.topic("metadata", &[0, 1, 2], 0).await;
    for &broker in &scene.brokers {
        let seen = scene
            .until("every broker knows the topic", async || {
                let metadata = scene.admin.metadata(Some(broker), None).await.ok()?;
                assert_eq!(metadata.answered_by, Some(broker));
                metadata.topic(&at.topic).cloned()
            })
            .await;
        assert!(seen.id.as_ref().is_some_and(|id| !id.is_empty()), "{seen:?}");
        assert!(!seen.is_internal);
        assert_eq!(seen.partitions.len(), 1);
    }
    let seen = scene.see(&at).await;
    assert_eq!((seen.replicas, seen.offline), (scene.list(&[0, 1, 2]), Vec::new()));
    scene.remove(&at).await;
}

pub async fn an_unknown_topic_is_left_out_of_metadata(cluster: &dyn ClusterUnderTest) {
    let scene = Scene::set(cluster).await;
    let name = format!("{}-never-made", cluster.name_prefix());
    let metadata = scene.admin.metadata(None, Some(std::slice::from_ref(&name))).await.expect("asking for it is no error");
    assert_eq!(metadata.topic(&name), None);
    let at = TopicPartition::new(name, 0);
    let refused = scene.end_offset(scene.brokers[0], OffsetQuery::LeaderEnd, &at).await.expect_err("it has no offsets");
    assert_eq!(refused.code(), Some(ErrorCode::UnknownTopicOrPartition));
}

pub async fn the_quorum_has_a_leader_among_its_voters(cluster: &dyn ClusterUnderTest) {
    let scene = Scene::set(cluster).await;
    let quorum = scene.admin.describe_quorum().await.expect("the quorum is described");
    assert!(quorum.voters.iter().any(|(voter, _)| *voter == quorum.leader), "{quorum:?}");
}

pub async fn committed_group_offsets_are_listed(cluster: &dyn ClusterUnderTest) {
    let scene = Scene::set(cluster).await;
    let at = scene.topic("groups", &[0, 1, 2], 20_000).await;
    let group = format!("{}-group", cluster.name_prefix());
    for offset in [3, 7] {
        cluster.commit_group_offset(&group, &at, offset).await;
        scene
            .until("the committed offset is listed", async || {
                let listed = scene.admin.group_offsets().await.ok()?;
                listed.iter().find(|entry| entry.group == group && entry.at == at && entry.committed == offset).map(|_| ())
            })
            .await;
    }
    scene.remove(&at).await;
}

pub async fn log_dirs_show_sizes(cluster: &dyn ClusterUnderTest) {
    let scene = Scene::set(cluster).await;
    let at = scene.topic("sizes", &[0, 1], 5_000_000).await;
    for place in [0, 1] {
        let size = size_at(&scene, place, &at).await.expect("a replica is listed on its broker");
        assert!((4_500_000..8_000_000).contains(&size), "about 5 MB were produced, {size} are there");
    }
    assert_eq!(size_at(&scene, 2, &at).await, None, "no other broker lists it");
    let dirs = scene.admin.describe_log_dirs(scene.brokers[0]).await.expect("a live broker describes its directories");
    for dir in dirs {
        assert!(!dir.failed && !dir.path.is_empty(), "{}", dir.path);
        let (total, usable) = (dir.volume_total_bytes.expect("volume size"), dir.volume_usable_bytes.expect("volume space"));
        assert!(usable <= total);
    }
    scene.remove(&at).await;
}

/// Size of the replica on the broker at `place`, when that broker lists it.
pub(crate) async fn size_at(scene: &Scene<'_>, place: usize, at: &TopicPartition) -> Option<u64> {
    let dirs = scene.admin.describe_log_dirs(scene.brokers[place]).await.expect("a live broker describes its directories");
    dirs.iter()
        .flat_map(|dir| &dir.replicas)
        .find(|replica| replica.at == *at && !replica.is_future)
        .map(|replica| replica.size_bytes)
}

pub async fn a_replica_that_moves_between_directories_shows_as_future(cluster: &dyn ClusterUnderTest) {
    let scene = Scene::set(cluster).await;
    let at = scene.topic("directories", &[0, 1], 30_000_000).await;
    let broker = scene.brokers[1];
    // Directory and whether the copy there is still being filled.
    let copies = async || {
        let dirs = scene.admin.describe_log_dirs(broker).await.expect("a live broker describes its directories");
        let here = dirs.iter().flat_map(|dir| dir.replicas.iter().map(|replica| (dir.path.clone(), replica.clone())));
        let mut here: Vec<(String, bool)> =
            here.filter(|(_, replica)| replica.at == at).map(|(path, replica)| (path, replica.is_future)).collect();
        here.sort_by_key(|(_, is_future)| *is_future);
        here
    };
    let before = copies().await;
    assert_eq!(before.iter().map(|(_, is_future)| *is_future).collect::<Vec<_>>(), [false]);
    if cluster.move_between_log_dirs(&at, broker).await {
        let filling = scene
            .until("the replica is in two directories", async || {
                let copies = copies().await;
                (copies.len() == 2).then_some(copies)
            })
            .await;
        assert_eq!((&filling[0], filling[1].1), (&before[0], true), "{filling:?}");
        let seen = scene.see(&at).await;
        assert_eq!((seen.replicas, seen.in_sync.len()), (scene.list(&[0, 1]), 2), "the partition does not show it");
        scene.clear(ConfigResource::Broker(broker), "replica.alter.log.dirs.io.max.bytes.per.second").await;
        let after = scene
            .until("the replica is in its new directory only", async || {
                let copies = copies().await;
                (copies.len() == 1).then_some(copies)
            })
            .await;
        assert_eq!(after, [(filling[1].0.clone(), false)]);
    }
    scene.remove(&at).await;
}

pub async fn leaders_and_replicas_tell_their_end_offsets(cluster: &dyn ClusterUnderTest) {
    let scene = Scene::set(cluster).await;
    let at = scene.topic("offsets", &[0, 1], 2_000_000).await;
    let [leader, follower, outsider] = [scene.brokers[0], scene.brokers[1], scene.brokers[2]];
    let end = scene.end_offset(leader, OffsetQuery::LeaderEnd, &at).await.expect("the leader knows its end");
    assert!(end > 0);
    assert_eq!(scene.end_offset(leader, OffsetQuery::LeaderStart, &at).await.expect("the leader knows its start"), 0);
    for broker in [leader, follower] {
        assert_eq!(scene.end_offset(broker, OffsetQuery::ReplicaEnd, &at).await.expect("a replica knows its end"), end);
    }
    for (broker, query) in [(follower, OffsetQuery::LeaderEnd), (outsider, OffsetQuery::ReplicaEnd)] {
        let refused = scene.end_offset(broker, query, &at).await.expect_err("only the leader, only replicas");
        assert_eq!(refused.code(), Some(ErrorCode::NotLeaderOrFollower), "{query:?}");
    }
    scene.remove(&at).await;
}

pub async fn a_deleted_topic_vanishes_and_its_name_comes_back_with_another_id(cluster: &dyn ClusterUnderTest) {
    let scene = Scene::set(cluster).await;
    let first = scene.topic("again", &[0, 1], 0).await;
    let id_of = async |at: &TopicPartition| {
        scene
            .until("the topic has an id", async || {
                let metadata = scene.admin.metadata(None, Some(std::slice::from_ref(&at.topic))).await.ok()?;
                metadata.topic(&at.topic)?.id.clone()
            })
            .await
    };
    let before = id_of(&first).await;
    scene.remove(&first).await;
    let second = scene.topic("again", &[1, 2], 0).await;
    assert_ne!(id_of(&second).await, before);
    scene.remove(&second).await;
}
