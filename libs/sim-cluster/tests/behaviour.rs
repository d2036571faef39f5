//! What the simulated cluster does beyond the contract: its default shape, throttles as live brokers showed them, mishaps,
//! persistence and repeatability. Must not know its inside.

use std::time::Duration;

use ballast_clock::Clock;
use ballast_cluster::{BrokerId, Timestamp, TopicPartition};
use ballast_kafka::{ConfigAlteration, ConfigOperation, ConfigResource, KafkaAdmin, KafkaError, OffsetQuery};
use ballast_sim_cluster::{Call, Fault, Mishap, SimCluster, SimOptions};

const LEADER_RATE: &str = "leader.replication.throttled.rate";
const FOLLOWER_RATE: &str = "follower.replication.throttled.rate";

fn clock() -> Clock {
    Clock::starting_at(Timestamp::from_milliseconds(1_700_000_000_000))
}

fn ids(list: &[i32]) -> Vec<BrokerId> {
    list.iter().copied().map(BrokerId).collect()
}

/// Brokers 1 to 5 without any topic.
fn empty_cluster(clock: Clock) -> SimCluster {
    SimCluster::new(&SimOptions { brokers: 5, topics: 0, ..SimOptions::default() }, clock)
}

/// One partition of `bytes` on brokers 1 and 2.
fn with_topic(cluster: &SimCluster, bytes: u64) -> TopicPartition {
    assert!(cluster.create_topic("t", &[ids(&[1, 2])], &[]) && !cluster.create_topic("t", &[ids(&[1, 2])], &[]));
    let at = TopicPartition::new("t", 0);
    assert!(cluster.produce(&at, bytes));
    at
}

async fn set(cluster: &SimCluster, resource: ConfigResource, key: &str, value: &str) {
    let operation = ConfigOperation::Set(value.to_owned());
    let alteration = ConfigAlteration { resource, key: key.to_owned(), operation };
    let results = cluster.incremental_alter_configs(&[alteration]).await.expect("answered");
    assert!(results.iter().all(|(_, result)| result.is_ok()), "{results:?}");
}

async fn move_to(cluster: &SimCluster, at: &TopicPartition, list: &[i32]) {
    let results = cluster.alter_partition_reassignments(&[(at.clone(), Some(ids(list)))]).await.expect("answered");
    assert!(results[0].1.is_ok(), "{results:?}");
}

/// Megabytes (of 1000 records of 1 kB) that `broker` gets of `at` in each of the coming seconds.
async fn megabytes_per_second(cluster: &SimCluster, clock: Clock, broker: i32, at: &TopicPartition, seconds: usize) -> Vec<i64> {
    let end = async || {
        let batch =
            cluster.list_offsets(BrokerId(broker), OffsetQuery::ReplicaEnd, std::slice::from_ref(at)).await.expect("answered");
        *batch[0].1.as_ref().expect("a replica knows its end")
    };
    let mut before = end().await;
    let mut rates = Vec::new();
    for _ in 0..seconds {
        clock.sleep(Duration::from_secs(1)).await;
        let now = end().await;
        rates.push((now - before) / 1_000);
        before = now;
    }
    rates
}

#[tokio::test(start_paused = true)]
async fn the_default_cluster_is_healthy_uneven_and_rack_aware() {
    let cluster = SimCluster::new(&SimOptions::default(), clock());
    let metadata = cluster.metadata(None, None).await.expect("answered");
    assert_eq!((metadata.brokers.len(), metadata.topics.len()), (12, 14));
    let rack_of = |broker: &BrokerId| metadata.brokers.iter().find(|seen| seen.id == *broker).and_then(|seen| seen.rack.clone());
    for partition in metadata.topics.iter().flat_map(|topic| &topic.partitions) {
        let racks: std::collections::BTreeSet<_> = partition.replicas.iter().map(rack_of).collect();
        assert_eq!((partition.in_sync.len(), racks.len()), (3, 3), "{partition:?}");
    }
    let mut sizes = Vec::new();
    for broker in &metadata.brokers {
        let dirs = cluster.describe_log_dirs(broker.id).await.expect("answered");
        sizes.push(dirs.iter().flat_map(|dir| &dir.replicas).map(|replica| replica.size_bytes).sum::<u64>());
    }
    let mean = sizes.iter().sum::<u64>() / 12;
    assert!((5_000_000_000..20_000_000_000).contains(&mean), "{sizes:?}");
    assert!(sizes.iter().filter(|&&size| size > mean * 13 / 10 || size < mean * 7 / 10).count() >= 4, "{sizes:?}");
}

#[tokio::test(start_paused = true)]
async fn evacuating_a_broker_of_the_default_cluster_without_limits_takes_tens_of_seconds() {
    let clock = clock();
    let cluster = SimCluster::new(&SimOptions::default(), clock);
    let dead = BrokerId(1);
    cluster.kill(dead);
    clock.sleep(Duration::from_secs(10)).await;
    let metadata = cluster.metadata(None, None).await.expect("answered");
    assert_eq!(metadata.brokers.len(), 11);
    let mut targets = Vec::new();
    for topic in &metadata.topics {
        for partition in topic.partitions.iter().filter(|partition| partition.replicas.contains(&dead)) {
            let free = |id: &i32| !partition.replicas.contains(&BrokerId(*id));
            let candidates: Vec<i32> = (2..=12).filter(free).collect();
            let chosen = BrokerId(candidates[targets.len() % candidates.len()]);
            let list = partition.replicas.iter().map(|&broker| if broker == dead { chosen } else { broker }).collect();
            targets.push((TopicPartition::new(topic.name.clone(), partition.partition), Some(list)));
        }
    }
    assert!(targets.len() > 40, "{}", targets.len());
    let results = cluster.alter_partition_reassignments(&targets).await.expect("answered");
    assert!(results.iter().all(|(_, result)| result.is_ok()));
    let mut seconds = 0;
    while !cluster.list_partition_reassignments().await.expect("answered").is_empty() {
        clock.sleep(Duration::from_secs(1)).await;
        seconds += 1;
        assert!(seconds < 300);
    }
    assert!((8..120).contains(&seconds), "{seconds} s");
    cluster.revive(dead);
    clock.sleep(Duration::from_secs(5)).await;
    assert!(cluster.stray_bytes(dead) > 5_000_000_000);
}

#[tokio::test(start_paused = true)]
async fn in_sync_bytes_of_a_listed_partition_use_up_the_leaders_limit() {
    let clock = clock();
    let cluster = empty_cluster(clock);
    assert!(cluster.create_topic("t", &[ids(&[1, 2, 3])], &[]));
    let at = TopicPartition::new("t", 0);
    assert!(cluster.produce(&at, 500_000_000) && cluster.set_produce_rate(&at, 2_000_000));
    set(&cluster, ConfigResource::Topic("t".to_owned()), "leader.replication.throttled.replicas", "0:1,0:2,0:3").await;
    clock.sleep(Duration::from_secs(15)).await;
    set(&cluster, ConfigResource::Broker(BrokerId(1)), LEADER_RATE, "5000000").await;
    move_to(&cluster, &at, &[1, 2, 4]).await;
    clock.sleep(Duration::from_secs(30)).await;
    let rates = megabytes_per_second(&cluster, clock, 4, &at, 44).await;
    let mean = rates.iter().sum::<i64>() * 10 / 44;
    assert!((5..=15).contains(&mean), "5 less twice 2 MB/s of in-sync bytes leaves about 1 MB/s: {rates:?}");
}

#[tokio::test(start_paused = true)]
async fn a_raise_bursts_and_a_cut_stalls_and_a_ramp_over_the_window_does_neither() {
    let clock = clock();
    let cluster = empty_cluster(clock);
    let at = with_topic(&cluster, 3_000_000_000);
    set(&cluster, ConfigResource::Topic("t".to_owned()), "leader.replication.throttled.replicas", "0:1").await;
    let rate = async |megabytes: u64| {
        set(&cluster, ConfigResource::Broker(BrokerId(1)), LEADER_RATE, &(megabytes * 1_000_000).to_string()).await;
    };
    rate(10).await;
    move_to(&cluster, &at, &[1, 3]).await;
    let steady = megabytes_per_second(&cluster, clock, 3, &at, 30).await;
    assert!(steady.iter().all(|&megabytes| megabytes <= 30), "{steady:?}");
    assert!((250..=320).contains(&steady.iter().sum::<i64>()), "close to the limit on the leader's side: {steady:?}");
    rate(40).await;
    let raised = megabytes_per_second(&cluster, clock, 3, &at, 2).await;
    assert!(raised[0] >= 100, "{raised:?}");
    clock.sleep(Duration::from_secs(15)).await;
    rate(10).await;
    let cut = megabytes_per_second(&cluster, clock, 3, &at, 6).await;
    assert!(cut[1..5].iter().all(|&megabytes| megabytes == 0), "{cut:?}");
    clock.sleep(Duration::from_secs(40)).await;

    let other = empty_cluster(clock);
    let at = with_topic(&other, 3_000_000_000);
    set(&other, ConfigResource::Topic("t".to_owned()), "leader.replication.throttled.replicas", "0:1").await;
    move_to(&other, &at, &[1, 3]).await;
    for second in 0..30_u64 {
        let megabytes = 1 + 19 * second.min(11) / 11;
        set(&other, ConfigResource::Broker(BrokerId(1)), LEADER_RATE, &(megabytes * 1_000_000).to_string()).await;
        let passed = megabytes_per_second(&other, clock, 3, &at, 1).await[0];
        assert!(passed <= 45, "second {second}: {passed} MB under {megabytes} MB/s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_limited_follower_trickles_where_a_limited_leader_stops() {
    for (key, list, listed, stops) in [
        (LEADER_RATE, "leader.replication.throttled.replicas", "0:1,0:2", true),
        (FOLLOWER_RATE, "follower.replication.throttled.replicas", "0:3", false),
    ] {
        let clock = clock();
        let cluster = empty_cluster(clock);
        let at = with_topic(&cluster, 200_000_000);
        set(&cluster, ConfigResource::BrokerDefault, key, "1").await;
        set(&cluster, ConfigResource::Topic("t".to_owned()), list, listed).await;
        move_to(&cluster, &at, &[1, 3]).await;
        clock.sleep(Duration::from_secs(60)).await;
        let end =
            cluster.list_offsets(BrokerId(3), OffsetQuery::ReplicaEnd, &[at]).await.expect("answered")[0].1.clone().expect("end");
        assert_eq!(end == 0, stops, "{key}: {end}");
        assert!(end < 10_000, "{key}: {end}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_broker_slows_its_copies() {
    let clock = clock();
    let cluster = empty_cluster(clock);
    let at = with_topic(&cluster, 400_000_000);
    cluster.set_speed(BrokerId(3), 40);
    move_to(&cluster, &at, &[1, 3]).await;
    let rates = megabytes_per_second(&cluster, clock, 3, &at, 5).await;
    assert!(rates.iter().all(|rate| (4..=6).contains(rate)), "{rates:?}");
}

#[tokio::test(start_paused = true)]
async fn a_saved_cluster_goes_on_where_it_stopped_and_equal_calls_give_equal_states() {
    let clock = clock();
    let options = SimOptions { seed: 5, ..SimOptions::default() };
    let (first, second) = (SimCluster::new(&options, clock), SimCluster::new(&options, clock));
    let start = first.save();
    assert_eq!(start, second.save());
    assert_ne!(start, SimCluster::new(&SimOptions { seed: 6, ..options.clone() }, clock).save());

    let at = TopicPartition::new("orders", 0);
    let list = first.metadata(None, None).await.expect("answered").topic("orders").expect("there").partitions[0].replicas.clone();
    let other = (1..=12).map(BrokerId).find(|id| !list.contains(id)).expect("twelve brokers").0;
    move_to(&first, &at, &[list[0].0, list[1].0, other]).await;
    let key = "leader.replication.throttled.replicas";
    set(&first, ConfigResource::Topic("orders".to_owned()), key, &format!("0:{}", list[0])).await;
    set(&first, ConfigResource::Broker(list[0]), LEADER_RATE, "1").await;
    let bytes = first.save();
    clock.sleep(Duration::from_secs(1_000)).await;
    let restored = SimCluster::restore(&bytes, clock).expect("what was saved is read");
    assert_eq!(restored.save(), bytes, "no time has passed for it");
    assert_eq!(restored.list_partition_reassignments().await.expect("answered").len(), 1);
    clock.sleep(Duration::from_secs(10)).await;
    assert_eq!(restored.list_partition_reassignments().await.expect("answered").len(), 1, "its throttle holds");
    let twin = SimCluster::restore(&restored.save(), clock).expect("read");
    restored.kill(BrokerId(2));
    twin.kill(BrokerId(2));
    clock.sleep(Duration::from_secs(12)).await;
    assert!(restored.save() == twin.save(), "the same state and the same calls give the same state");

    for damaged in [&b"{}"[..], b"{\"format\": \"other\", \"world\": 1}", &bytes[..bytes.len() / 2]] {
        assert!(SimCluster::restore(damaged, clock).is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn lost_late_and_doubled_answers_are_told_apart() {
    let clock = clock();
    for (mishap, applied_at_once, applied_later) in [
        (Mishap::LoseRequest, false, false),
        (Mishap::LoseAnswer, true, true),
        (Mishap::LateAnswer { milliseconds: 20_000 }, true, true),
        (Mishap::LateRequest { milliseconds: 8_000 }, false, true),
    ] {
        let cluster = empty_cluster(clock);
        let at = with_topic(&cluster, 0);
        cluster.inject(Fault { call: Call::AlterReassignments, mishap, times: 1 });
        let result = cluster.alter_partition_reassignments(&[(at, Some(ids(&[2, 1])))]).await;
        assert!(result.is_err_and(|error| error.is_unknown()), "{mishap:?}");
        let seen = async || cluster.metadata(None, None).await.expect("answered").topics[0].partitions[0].replicas.clone();
        assert_eq!(seen().await == ids(&[2, 1]), applied_at_once, "{mishap:?}");
        clock.sleep(Duration::from_secs(5)).await;
        assert_eq!(seen().await == ids(&[2, 1]), applied_later, "{mishap:?}");
    }
    let cluster = empty_cluster(clock);
    let at = with_topic(&cluster, 0);
    move_to(&cluster, &at, &[2, 1]).await;
    cluster.inject(Fault { call: Call::ElectLeaders, mishap: Mishap::Duplicate, times: 1 });
    let results = cluster.elect_preferred_leaders(&[at]).await.expect("answered");
    assert_eq!(results[0].1.as_ref().map_err(KafkaError::code), Err(Some(ballast_kafka::ErrorCode::ElectionNotNeeded)));
    cluster.inject(Fault { call: Call::Metadata, mishap: Mishap::LoseAnswer, times: 1 });
    assert!(matches!(cluster.metadata(None, None).await, Err(KafkaError::TimedOut { .. })));
    assert!(cluster.metadata(None, None).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn without_its_controller_data_flows_and_nothing_is_decided() {
    let clock = clock();
    let cluster = empty_cluster(clock);
    let at = with_topic(&cluster, 100_000_000);
    move_to(&cluster, &at, &[1, 3]).await;
    cluster.set_controller_down(true);
    clock.sleep(Duration::from_secs(10)).await;
    assert!(matches!(cluster.list_partition_reassignments().await, Err(KafkaError::TimedOut { .. })));
    assert!(cluster.alter_partition_reassignments(&[(at.clone(), None)]).await.is_err_and(|error| error.is_unknown()));
    let end = cluster.list_offsets(BrokerId(3), OffsetQuery::ReplicaEnd, std::slice::from_ref(&at)).await.expect("answered");
    assert_eq!(end[0].1, Ok(100_000));
    cluster.set_controller_down(false);
    clock.sleep(Duration::from_millis(200)).await;
    assert_eq!(cluster.list_partition_reassignments().await.expect("answered"), []);
}

#[tokio::test(start_paused = true)]
async fn a_failed_log_dir_takes_its_replicas_offline_and_frees_leadership() {
    let clock = clock();
    let cluster = empty_cluster(clock);
    let at = with_topic(&cluster, 1_000_000);
    cluster.fail_log_dir(BrokerId(1), 0);
    clock.sleep(Duration::from_secs(1)).await;
    let seen = cluster.metadata(None, None).await.expect("answered").topics[0].partitions[0].clone();
    assert_eq!((seen.leader, seen.offline, seen.in_sync), (Some(BrokerId(2)), ids(&[1]), ids(&[2])));
    let dirs = cluster.describe_log_dirs(BrokerId(1)).await.expect("the broker lives");
    assert!(dirs[0].failed && !dirs[1].failed);
    move_to(&cluster, &at, &[3, 2]).await;
    clock.sleep(Duration::from_secs(1)).await;
    assert_eq!(cluster.metadata(None, None).await.expect("answered").topics[0].partitions[0].in_sync.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn deleted_replicas_give_their_space_back_a_minute_later() {
    let clock = clock();
    let cluster = empty_cluster(clock);
    let at = with_topic(&cluster, 50_000_000);
    let used = async || {
        let dirs = cluster.describe_log_dirs(BrokerId(2)).await.expect("answered");
        dirs.iter().map(|dir| dir.volume_total_bytes.unwrap_or(0) - dir.volume_usable_bytes.unwrap_or(0)).sum::<u64>()
    };
    assert_eq!(used().await, 50_000_000);
    move_to(&cluster, &at, &[1, 3]).await;
    clock.sleep(Duration::from_secs(30)).await;
    assert_eq!(used().await, 50_000_000);
    clock.sleep(Duration::from_secs(35)).await;
    assert_eq!(used().await, 0);
}

#[tokio::test(start_paused = true)]
async fn groups_of_the_default_cluster_commit_what_is_produced() {
    let clock = clock();
    let cluster = SimCluster::new(&SimOptions::default(), clock);
    clock.sleep(Duration::from_secs(10)).await;
    let before = cluster.group_offsets().await.expect("answered");
    clock.sleep(Duration::from_secs(10)).await;
    let after = cluster.group_offsets().await.expect("answered");
    let consumed: i64 = after.iter().zip(&before).map(|(after, before)| after.committed - before.committed).sum();
    assert!(before.len() >= 168 && consumed > 50_000, "{} offsets, {consumed} records", before.len());
}

#[tokio::test(start_paused = true)]
async fn a_copy_survives_the_death_of_its_target_and_of_its_leader() {
    let clock = clock();
    let cluster = empty_cluster(clock);
    let at = with_topic(&cluster, 600_000_000);
    cluster.set_speed(BrokerId(3), 100);
    move_to(&cluster, &at, &[1, 3]).await;
    let end = async || {
        let batch =
            cluster.list_offsets(BrokerId(3), OffsetQuery::ReplicaEnd, std::slice::from_ref(&at)).await.expect("answered");
        *batch[0].1.as_ref().expect("a replica knows its end")
    };
    clock.sleep(Duration::from_secs(10)).await;
    let before = end().await;
    cluster.kill(BrokerId(3));
    clock.sleep(Duration::from_secs(20)).await;
    cluster.revive(BrokerId(3));
    clock.sleep(Duration::from_millis(3_200)).await;
    assert!((before..before + 10_000).contains(&end().await), "what it had is kept, and it goes on");

    let before = end().await;
    cluster.kill(BrokerId(1));
    clock.sleep(Duration::from_secs(5)).await;
    assert!(end().await <= before + 2_000, "nobody to copy from until the session ends");
    clock.sleep(Duration::from_secs(60)).await;
    let seen = cluster.metadata(None, None).await.expect("answered").topics[0].partitions[0].clone();
    assert_eq!((seen.replicas, seen.in_sync), (ids(&[1, 3]), ids(&[3])), "4.3 completes although the kept replica is dead");
    assert_eq!(end().await, 600_000);
}

#[tokio::test(start_paused = true)]
async fn brokers_show_new_and_deleted_topics_a_little_late() {
    let clock = clock();
    let cluster = empty_cluster(clock);
    let at = with_topic(&cluster, 0);
    let shown = async || cluster.metadata(None, None).await.expect("answered").topic("t").map(|topic| topic.id.clone());
    assert_eq!(shown().await, None);
    clock.sleep(Duration::from_secs(1)).await;
    let first = shown().await.expect("shown by now");
    assert!(cluster.delete_topic(&at.topic) && cluster.create_topic("t", &[ids(&[1, 2])], &[]));
    assert_eq!(shown().await, Some(first.clone()), "still the old one");
    clock.sleep(Duration::from_secs(1)).await;
    assert!(shown().await.is_some_and(|id| id != first));
}

#[tokio::test(start_paused = true)]
async fn mishaps_by_chance_repeat_with_the_seed() {
    let clock = clock();
    let run = async |seed: u64| {
        let cluster = SimCluster::new(&SimOptions { seed, brokers: 3, topics: 0, ..SimOptions::default() }, clock);
        cluster.set_mishap_chance(300);
        let mut failed = Vec::new();
        for _ in 0..200 {
            failed.push(cluster.metadata(None, None).await.is_err());
        }
        failed
    };
    let first = run(3).await;
    assert!((20..90).contains(&first.iter().filter(|failed| **failed).count()));
    assert_eq!(run(3).await, first);
    assert_ne!(run(4).await, first);
}
