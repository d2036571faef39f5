//! Rates and sizes from made-up answers.

use ballast_kafka::{LogDirDescription, ReplicaSize};

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_milliseconds(seconds * 1_000)
}

fn tp() -> TopicPartition {
    TopicPartition::new("t", 0)
}

fn partition(leader: Option<i32>) -> Partition {
    Partition { replicas: vec![BrokerId(1), BrokerId(2)], leader: leader.map(BrokerId), ..Partition::default() }
}

fn disks(size_bytes: u64, seconds: i64) -> Disks {
    let replicas = vec![ReplicaSize { at: tp(), size_bytes, is_future: false }];
    let dir = LogDirDescription {
        path: "/d0".into(),
        failed: false,
        volume_total_bytes: Some(1_000_000),
        volume_usable_bytes: Some(1),
        replicas,
    };
    Disks::of(vec![dir], at(seconds))
}

/// Two brokers' disks, records of 100 bytes, 50 records a second.
fn measured() -> Measurements {
    let mut measurements = Measurements::default();
    measurements.see_disks(BrokerId(1), disks(10_000, 0));
    measurements.see_disks(BrokerId(2), disks(9_000, 0));
    measurements.see_extent(tp(), 0, 100, 10_000);
    measurements.see_ends(at(0), [(tp(), 100)]);
    measurements.see_ends(at(5), [(tp(), 350)]);
    measurements
}

#[test]
fn a_produce_rate_is_records_per_second_times_record_size() {
    let load = measured().load(&tp(), &partition(Some(1)), at(7));
    assert_eq!(load.produce_bytes_per_second, 5_000);
    assert_eq!((load.size_bytes, load.age_seconds, load.source.as_deref()), (10_000, Some(7), Some("offsets+log-dirs")));
    assert_eq!((load.leader_cpu_millicores, load.follower_cpu_millicores), (None, None));
}

#[test]
fn a_partition_without_leader_has_the_largest_size_and_produces_nothing() {
    let load = measured().load(&tp(), &partition(None), at(7));
    assert_eq!((load.size_bytes, load.produce_bytes_per_second), (10_000, 0));
    assert_eq!(load.source.as_deref(), Some("log-dirs"));
}

#[test]
fn a_log_that_was_truncated_starts_anew() {
    let mut measurements = measured();
    measurements.see_ends(at(10), [(tp(), 10)]);
    assert_eq!(measurements.load(&tp(), &partition(Some(1)), at(10)).produce_bytes_per_second, 0);
    measurements.see_ends(at(15), [(tp(), 20)]);
    assert_eq!(measurements.load(&tp(), &partition(Some(1)), at(15)).produce_bytes_per_second, 200);
}

#[test]
fn consumption_is_null_until_groups_were_read_twice_and_zero_without_a_consumer() {
    let mut measurements = measured();
    let consume = |measurements: &Measurements, at_: &TopicPartition| {
        measurements.load(at_, &partition(Some(1)), at(60)).consume_bytes_per_second
    };
    let committed = |committed: i64| vec![GroupOffset { group: "g".into(), at: tp(), committed }];
    assert_eq!(consume(&measurements, &tp()), None);
    measurements.see_groups(at(0), committed(0));
    assert_eq!(consume(&measurements, &tp()), None);
    measurements.see_groups(at(10), committed(200));
    assert_eq!(consume(&measurements, &tp()), Some(2_000));
    assert_eq!(consume(&measurements, &TopicPartition::new("t", 1)), Some(0));
    measurements.miss_groups();
    assert_eq!(consume(&measurements, &tp()), None);
}

#[test]
fn a_group_that_left_fades_out() {
    let mut measurements = measured();
    measurements.see_groups(at(0), vec![GroupOffset { group: "g".into(), at: tp(), committed: 0 }]);
    measurements.see_groups(at(10), vec![GroupOffset { group: "g".into(), at: tp(), committed: 200 }]);
    for step in 2..30 {
        measurements.see_groups(at(10 * step), Vec::new());
    }
    assert_eq!(measurements.load(&tp(), &partition(Some(1)), at(300)).consume_bytes_per_second, Some(0));
}

#[test]
fn a_topic_made_anew_has_nothing_of_the_old_one() {
    let mut measurements = measured();
    measurements.forget_topic("t");
    assert_eq!(measurements.load(&tp(), &partition(Some(1)), at(7)), Load::default());
}
