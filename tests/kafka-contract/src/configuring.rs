//! Statements about configs of topics and live brokers. Must not kill any.

use ballast_kafka::{ConfigAlteration, ConfigOperation, ConfigResource, ConfigSource, ErrorCode};

use crate::{
    ClusterUnderTest,
    scene::{LEADER_LIST, LEADER_RATE, Scene, only},
};

pub async fn config_append_subtract_and_delete(cluster: &dyn ClusterUnderTest) {
    let scene = Scene::set(cluster).await;
    let at = scene.topic("list", &[0, 1], 0).await;
    let resource = ConfigResource::Topic(at.topic.clone());
    let entries = async |value: &[&str]| {
        scene
            .until(&format!("the list reads {value:?}"), async || {
                let text = scene.config(&resource, LEADER_LIST).await.unwrap_or_default();
                let mut seen: Vec<&str> = text.split(',').filter(|entry| !entry.is_empty()).collect();
                seen.sort_unstable();
                (seen == value).then_some(())
            })
            .await;
    };
    let steps: [(ConfigOperation, &[&str]); 5] = [
        (ConfigOperation::Append("0:1,0:2".to_owned()), &["0:1", "0:2"]),
        (ConfigOperation::Append("0:2,0:3".to_owned()), &["0:1", "0:2", "0:3"]),
        (ConfigOperation::Subtract("0:1".to_owned()), &["0:2", "0:3"]),
        (ConfigOperation::Subtract("0:2,0:3,0:9".to_owned()), &[]),
        (ConfigOperation::Delete, &[]),
    ];
    for (operation, after) in steps {
        scene.alter(resource.clone(), LEADER_LIST, operation).await.expect("accepted");
        entries(after).await;
    }
    scene
        .until("the deleted key is back at its default", async || {
            let entries = only(scene.admin.describe_configs(std::slice::from_ref(&resource), &[LEADER_LIST]).await.ok()?).ok()?;
            let entry = entries.into_iter().find(|entry| entry.key == LEADER_LIST);
            entry.is_none_or(|entry| entry.source == ConfigSource::Default).then_some(())
        })
        .await;
    scene.remove(&at).await;
}

pub async fn broker_rates_are_set_read_and_deleted(cluster: &dyn ClusterUnderTest) {
    let scene = Scene::set(cluster).await;
    let set = |resource: &ConfigResource, value: &str| ConfigAlteration {
        resource: resource.clone(),
        key: LEADER_RATE.to_owned(),
        operation: ConfigOperation::Set(value.to_owned()),
    };
    let resources: Vec<ConfigResource> = scene.brokers[..2].iter().map(|&broker| ConfigResource::Broker(broker)).collect();
    let batch: Vec<ConfigAlteration> = resources.iter().map(|resource| set(resource, "12000000")).collect();
    let results = scene.admin.incremental_alter_configs(&batch).await.expect("several brokers in one batch");
    assert_eq!(results.len(), 2);
    assert!(results.iter().all(|(_, result)| result.is_ok()), "{results:?}");
    let source_of = async |resource: &ConfigResource| {
        let entries = only(scene.admin.describe_configs(std::slice::from_ref(resource), &[LEADER_RATE]).await.ok()?).ok()?;
        entries.into_iter().find(|entry| entry.key == LEADER_RATE).and_then(|entry| Some((entry.value?, entry.source)))
    };
    for resource in &resources {
        let own = ("12000000".to_owned(), ConfigSource::DynamicBroker);
        scene.until("the broker's rate is read", async || (source_of(resource).await.as_ref() == Some(&own)).then_some(())).await;
    }
    scene
        .alter(ConfigResource::BrokerDefault, LEADER_RATE, ConfigOperation::Set("9000000".to_owned()))
        .await
        .expect("default set");
    scene.clear(resources[0].clone(), LEADER_RATE).await;
    let inherited = ("9000000".to_owned(), ConfigSource::DynamicBrokerDefault);
    scene
        .until("the default shows through", async || (source_of(&resources[0]).await.as_ref() == Some(&inherited)).then_some(()))
        .await;
    scene.alter(ConfigResource::BrokerDefault, LEADER_RATE, ConfigOperation::Delete).await.expect("default deleted");
    scene.clear(resources[1].clone(), LEADER_RATE).await;
    for resource in &resources {
        scene
            .until("no rate is left", async || {
                source_of(resource).await.is_none_or(|(_, source)| source == ConfigSource::Default).then_some(())
            })
            .await;
    }
}

pub async fn bad_rates_and_unknown_topics_are_refused(cluster: &dyn ClusterUnderTest) {
    let scene = Scene::set(cluster).await;
    let rate = ConfigResource::Broker(scene.brokers[0]);
    for value in ["-1", "fast"] {
        match scene.alter(rate.clone(), LEADER_RATE, ConfigOperation::Set(value.to_owned())).await {
            Err(refused) => {
                assert!(matches!(refused.code(), Some(ErrorCode::InvalidRequest | ErrorCode::InvalidConfig)), "{refused:?}");
            }
            // Brokers check the values of their configs, the controller stores what it is told; the broker then ignores it and
            // reads as if nothing were set.
            Ok(()) => {
                assert!(scene.admin.reaches_dead_brokers_configs(), "{value} is not a rate");
                assert_eq!(scene.config(&rate, LEADER_RATE).await, None);
                scene.clear(rate.clone(), LEADER_RATE).await;
            }
        }
    }
    let absent = ConfigResource::Topic(format!("{}-never-made", cluster.name_prefix()));
    let refused =
        scene.alter(absent.clone(), LEADER_LIST, ConfigOperation::Append("0:1".to_owned())).await.expect_err("no topic");
    assert_eq!(refused.code(), Some(ErrorCode::UnknownTopicOrPartition));
    let read = only(scene.admin.describe_configs(&[absent], &[LEADER_LIST]).await.expect("items fail one by one"));
    assert_eq!(read.expect_err("no topic").code(), Some(ErrorCode::UnknownTopicOrPartition));
}

pub async fn stock_configs_tell_their_source(cluster: &dyn ClusterUnderTest) {
    let scene = Scene::set(cluster).await;
    let at = scene.topic("sources", &[0, 1], 0).await;
    let topic = ConfigResource::Topic(at.topic.clone());
    scene.configure(topic.clone(), "min.insync.replicas", "2").await;
    let entries = only(scene.admin.describe_configs(&[topic], &["min.insync.replicas"]).await.expect("read")).expect("read");
    assert_eq!(entries.len(), 1, "only the named keys are given");
    assert_eq!((entries[0].value.as_deref(), entries[0].source), (Some("2"), ConfigSource::DynamicTopic));

    let broker = ConfigResource::Broker(scene.brokers[0]);
    let keys = ["replication.quota.window.num", "replica.fetch.backoff.ms"];
    let entries = only(scene.admin.describe_configs(&[broker], &keys).await.expect("read")).expect("read");
    for key in keys {
        let entry = entries.iter().find(|entry| entry.key == key).expect("a key with a default is given");
        let number: u64 = entry.value.as_deref().unwrap_or_default().parse().expect("it is a number");
        assert!(number > 0);
        assert!(matches!(entry.source, ConfigSource::Default | ConfigSource::StaticBroker), "{entry:?}");
    }
    scene.remove(&at).await;
}

pub async fn a_cordon_is_read_and_keeps_no_explicit_target_away(cluster: &dyn ClusterUnderTest) {
    let scene = Scene::set(cluster).await;
    let key = "cordoned.log.dirs";
    let broker = scene.brokers[2];
    let resource = ConfigResource::Broker(broker);
    if cluster.version() < (4, 3) {
        assert_eq!(scene.config(&resource, key).await, None, "brokers before 4.3 do not know it");
        return;
    }
    assert_eq!(scene.config(&resource, key).await.as_deref(), Some(""));
    cluster.set_cordoned(broker, true).await;
    scene.until("the cordon is read", async || (scene.config(&resource, key).await.as_deref() == Some("*")).then_some(())).await;
    let at = scene.topic("cordoned", &[0, 1], 10_000).await;
    let target = scene.list(&[0, 2]);
    scene.submit(&at, Some(target.clone())).await.expect("whoever moves must look for himself");
    scene.settled(&at, &target).await;
    cluster.set_cordoned(broker, false).await;
    scene.until("the cordon is gone", async || (scene.config(&resource, key).await.as_deref() == Some("")).then_some(())).await;
    scene.remove(&at).await;
}
