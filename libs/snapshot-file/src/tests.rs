//! Every refusal by its place, the defaults, and that what is written is read back as it was.

use std::io::Write;

use ballast_cluster::{BrokerId, BrokerState, Partition, Snapshot, Timestamp};
use serde_json::{Value, json};

use super::{SnapshotError, read, read_path, write};

fn example() -> Value {
    let capacity = json!({"cpu_millicores": 8000, "disk_bytes": 4000, "network_in_bytes_per_second": 1000,
                          "network_out_bytes_per_second": 1000});
    json!({"format": "ballast.snapshot.v1", "cluster": "c1",
        "brokers": [
            {"id": 2, "rack": "b", "state": "new", "capacity": capacity},
            {"id": 1, "rack": "a", "host": "h1", "state": "alive", "capacity": capacity,
             "log_dirs": [{"path": "/d0", "capacity_bytes": 2000, "state": "offline"}]},
            {"id": 3, "rack": null, "group": "g", "state": "dead", "capacity": capacity}],
        "topics": [
            {"name": "t", "partitions": [
                {"partition": 1, "replicas": [1, 2], "leader": 2, "size_bytes": 10, "produce_bytes_per_second": 1,
                 "consume_bytes_per_second": null},
                {"partition": 0, "replicas": [3, 1], "leader": 3, "size_bytes": 10, "produce_bytes_per_second": 1}]}]})
}

fn parsed(value: &Value) -> Result<Snapshot, SnapshotError> {
    read(value.to_string().as_bytes())
}

/// The same by way of a file, which is never in memory as a whole.
fn from_file(value: &Value) -> Result<Snapshot, SnapshotError> {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), value.to_string()).expect("written");
    read_path(file.path())
}

/// Changes the value at a JSON pointer and expects a refusal that says all of `words`.
#[track_caller]
fn check_refused(pointer: &str, value: Value, words: &[&str]) {
    let mut document = example();
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    match document.pointer_mut(parent).expect("a place in the example") {
        Value::Object(object) => {
            object.insert(key.to_owned(), value);
        }
        Value::Array(array) => array.push(value),
        other => panic!("{other} holds nothing"),
    }
    let error = parsed(&document).expect_err("must be refused");
    let text = error.to_string();
    // The column may be that of the next byte.
    let by_file = from_file(&document).expect_err("must be refused").to_string();
    let problem = |text: &str| text.split_once(": ").map(|(_, problem)| problem.to_owned());
    assert_eq!((problem(&by_file), by_file.contains("line")), (problem(&text), text.contains("line")));
    assert!(words.iter().all(|word| text.contains(word)), "{text} should say {words:?}");
    assert_eq!(error.reason(), "SNAPSHOT_MALFORMED");
}

#[test]
fn what_a_file_leaves_out_has_the_stated_defaults() {
    let snapshot = parsed(&example()).expect("the example is fine");
    let ids: Vec<i32> = snapshot.brokers.iter().map(|broker| broker.id.0).collect();
    assert_eq!(ids, [1, 2, 3]);
    assert_eq!(snapshot.sequence, 0);
    assert_eq!(snapshot.taken_at, None);
    assert_eq!(snapshot.brokers[0].group, "default");
    assert_eq!(snapshot.brokers[1].state, BrokerState::New);
    let topic = &snapshot.topics[0];
    assert_eq!((topic.group.as_str(), topic.min_insync_replicas, &topic.id), ("default", 1, &None));
    assert_eq!(topic.partitions[1].in_sync, [BrokerId(1), BrokerId(2)]);
    assert_eq!(topic.partitions[1].load.consume_bytes_per_second, None);
    assert_eq!(topic.partitions[0].load.consume_bytes_per_second, Some(0));
    assert_eq!(topic.partitions[0].load.leader_cpu_millicores, Some(0));
}

#[test]
fn a_dead_broker_neither_leads_nor_is_in_sync() {
    let mut document = example();
    document["topics"][0]["partitions"][1]["in_sync"] = json!([3, 1]);
    let snapshot = parsed(&document).expect("fine");
    let partition = &snapshot.topics[0].partitions[0];
    assert_eq!((partition.leader, partition.in_sync.as_slice()), (None, &[BrokerId(1)][..]));
}

#[test]
fn unknown_keys_and_wrong_numbers_are_refused_by_line() {
    check_refused("/surprise", json!(1), &["line 1", "surprise"]);
    check_refused("/brokers/0/surprise", json!(1), &["line", "column", "surprise"]);
    check_refused("/brokers/0/capacity/surprise", json!(1), &["surprise"]);
    check_refused("/topics/0/surprise", json!(1), &["surprise"]);
    check_refused("/topics/0/partitions/0/surprise", json!(1), &["surprise"]);
    check_refused("/topics/0/partitions/0/size_bytes", json!(-1), &["line", "-1"]);
    check_refused("/topics/0/partitions/0/size_bytes", json!(1.5), &["line", "1.5"]);
    check_refused("/topics/0/partitions/0/size_bytes", json!("10"), &["line"]);
    check_refused("/brokers/0/id", json!(-3), &["line"]);
    check_refused("/brokers/0/state", json!("asleep"), &["asleep"]);
    check_refused("/brokers/0/id", json!(3_000_000_000_u32), &["line", "3000000000 is no broker id"]);
    check_refused("/topics/0/partitions/0/replicas/-", json!(3_000_000_000_u32), &["line", "3000000000 is no broker id"]);
    check_refused("/taken_at", json!("yesterday"), &["taken_at"]);
}

#[test]
fn contradictions_are_refused_by_topic_and_partition() {
    let partition = "topic t, partition 1";
    check_refused("/topics/0/partitions/0/replicas", json!([1, 9]), &[partition, "broker 9"]);
    check_refused("/topics/0/partitions/0/in_sync", json!([1, 9]), &[partition, "in_sync", "broker 9"]);
    check_refused("/topics/0/partitions/0/adding_replicas", json!([9]), &[partition, "adding_replicas"]);
    check_refused("/topics/0/partitions/0/removing_replicas", json!([9]), &[partition, "removing_replicas"]);
    check_refused("/topics/0/partitions/0/replicas", json!([2, 2]), &[partition, "broker 2 twice"]);
    check_refused("/topics/0/partitions/0/replicas", json!([]), &[partition, "replicas is empty"]);
    check_refused("/topics/0/partitions/0/leader", json!(3), &[partition, "leader 3"]);
    check_refused("/brokers/0/capacity/disk_bytes", json!(0), &[partition, "broker 2", "capacity 0", "disk_bytes"]);
    check_refused("/brokers/0/capacity/network_out_bytes_per_second", json!(0), &[partition, "broker 2", "network_out"]);
    let repeated = example();
    check_refused("/brokers/-", repeated["brokers"][0].clone(), &["broker 2", "twice"]);
    check_refused("/topics/-", repeated["topics"][0].clone(), &["topic t", "twice"]);
    check_refused("/topics/0/partitions/-", repeated["topics"][0]["partitions"][0].clone(), &[partition, "twice"]);
}

#[test]
fn another_format_and_half_a_file_are_refused() {
    check_refused("/format", json!("ballast.snapshot.v2"), &["ballast.snapshot.v2"]);
    let plan = json!({"format": "ballast.plan.v1", "goal": {}});
    for other in [parsed(&plan), from_file(&plan)] {
        assert!(other.expect_err("another format").to_string().contains("ballast.plan.v1"));
    }
    let text = example().to_string();
    for broken in [&text.as_bytes()[..text.len() - 9], b"", b"null", format!("{text} x").as_bytes()] {
        assert!(matches!(read(broken), Err(SnapshotError::Syntax { .. })));
    }
}

#[test]
fn what_is_written_is_read_back_as_it_was() {
    let mut document = example();
    document["sequence"] = json!(77);
    document["taken_at"] = json!("2026-11-21T10:00:00.5Z");
    document["topics"][0]["partitions"][0]["adding_replicas"] = json!([2]);
    document["topics"][0]["partitions"][0]["removing_replicas"] = json!([3]);
    document["topics"][0]["partitions"][0]["load_source"] = json!("offsets");
    document["topics"][0]["partitions"][0]["load_age_seconds"] = json!(4);
    let snapshot = parsed(&document).expect("fine");
    assert_eq!(snapshot.taken_at, Some(Timestamp::from_milliseconds(1_795_255_200_500)));
    let text = write(&snapshot);
    assert_eq!(read(text.as_bytes()).expect("written"), snapshot);
    let value: Value = serde_json::from_str(&text).expect("JSON");
    for key in ["in_sync", "log_dirs", "consume_bytes_per_second", "adding_replicas", "load_source", "load_age_seconds"] {
        assert!(value["topics"][0]["partitions"][0].get(key).is_some(), "{key} is missing");
    }
}

#[test]
fn a_broker_that_is_only_listed_is_written_as_dead() {
    let mut snapshot = parsed(&example()).expect("fine");
    snapshot.topics[0].partitions.push(Partition { index: 2, replicas: vec![BrokerId(1), BrokerId(8)], ..Partition::default() });
    let back = read(write(&snapshot).as_bytes()).expect("can be read");
    assert_eq!(back.broker(BrokerId(8)).map(|broker| broker.state), Some(BrokerState::Dead));
}

#[test]
fn keys_may_come_in_any_order_and_repeated_texts_are_shared() {
    let mut document = example();
    let partitions = document["topics"][0]["partitions"].as_array_mut().expect("a list");
    for partition in partitions {
        partition["log_dirs"] = json!(["/d0", "/d0"]);
        partition["load_source"] = json!("offsets");
    }
    let (brokers, topics) = (document["brokers"].to_string(), document["topics"].to_string());
    let text = format!(r#"{{"topics":{topics},"cluster":"c1","brokers":{brokers},"format":"ballast.snapshot.v1"}}"#);
    let snapshot = read(text.as_bytes()).expect("fine");
    assert_eq!(snapshot, parsed(&document).expect("fine"));
    let [first, second] = &snapshot.topics[0].partitions[..] else { panic!("two partitions") };
    assert!(std::sync::Arc::ptr_eq(&first.log_dirs[0], &second.log_dirs[1]));
    assert_eq!(second.in_sync, [BrokerId(1), BrokerId(2)]);
    assert_eq!(first.in_sync, [BrokerId(1)], "broker 3 is dead, whenever that is read");
}

#[test]
fn packed_files_are_read_by_their_name() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    let text = example().to_string();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(text.as_bytes()).expect("in memory");
    let packed = [
        ("s.json", text.clone().into_bytes()),
        ("s.json.gz", gz.finish().expect("in memory")),
        ("s.json.zst", zstd::stream::encode_all(text.as_bytes(), 1).expect("in memory")),
    ];
    for (name, bytes) in packed {
        std::fs::write(folder.join(name), bytes).expect("written");
        assert_eq!(read_path(&folder.join(name)).expect(name), parsed(&example()).expect("fine"), "{name}");
    }
    assert!(matches!(read_path(&folder.join("missing")), Err(SnapshotError::Unreadable { .. })));
    // Half a packed file: unreadable, not malformed JSON.
    let half = zstd::stream::encode_all(text.as_bytes(), 1).expect("in memory");
    std::fs::write(folder.join("half.zst"), &half[..half.len() / 2]).expect("written");
    assert!(matches!(read_path(&folder.join("half.zst")), Err(SnapshotError::Unreadable { .. })));
}
