//! What is damaged or cannot be reached is named and left as it was. Unknown names and illegal commands stand in `command_line`.

use std::collections::BTreeMap;
use std::path::Path;

use super::server::{Server, ballast, check_refusal, text};

/// Every file under a folder with its content.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("the folder can be listed") {
        let path = entry.expect("the folder can be listed").path();
        if path.is_dir() {
            all.extend(contents(&path));
        } else {
            all.insert(text(&path), std::fs::read(&path).expect("the file can be read"));
        }
    }
    all
}

#[test]
fn a_damaged_log_is_refused_by_everything_that_opens_it() {
    let mut server = Server::start();
    server.stop();
    let data_dir = server.data_dir();
    let check = |words: &[&str], exit: i32, reason: &str| {
        let mut command = ballast(words);
        let answer = command.output().expect("it runs");
        let complaint = String::from_utf8_lossy(&answer.stderr);
        assert_eq!(answer.status.code(), Some(exit), "{words:?}: {complaint}");
        assert!(complaint.trim_end().ends_with(&format!("({reason})")), "{words:?}: {complaint}");
    };
    let file = Path::new(&data_dir).join("log/db");
    let sound = std::fs::read(&file).expect("the log's file is there");
    let record = sound.windows(12).position(|bytes| bytes == b"lease/active").expect("the first event is in it");
    let mut damaged = sound.clone();
    damaged[record] ^= 1;
    std::fs::write(&file, &damaged).expect("the file can be written");
    let before = contents(Path::new(&data_dir));
    check(&["log", "verify", &data_dir], 1, "LOG_SHORTER_THAN_HEAD");
    check(&["log", "info", &data_dir], 1, "LOG_SHORTER_THAN_HEAD");
    assert!(contents(Path::new(&data_dir)) == before, "looking changed something");
    check(&["serve", "--config", &text(&server.folder().join("ballast.toml"))], 1, "LOG_SHORTER_THAN_HEAD");
    assert!(contents(Path::new(&data_dir)) == before, "serve changed a log that it refused");
    let head = Path::new(&data_dir).join("head");
    std::fs::remove_file(&head).expect("the head file is there");
    let before = contents(Path::new(&data_dir));
    check(&["log", "verify", &data_dir], 1, "LOG_DAMAGED");
    check(&["serve", "--config", &text(&server.folder().join("ballast.toml"))], 1, "LOG_DAMAGED");
    assert!(contents(Path::new(&data_dir)) == before, "serve changed a log that it refused");
}

#[test]
fn an_unreachable_cluster_is_named_and_nothing_is_planned_on_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("ballast.toml");
    let data_dir = folder.path().join("data");
    // Nobody listens on the discard port of a test machine.
    let config = format!(
        "data_dir = {data_dir:?}\nlisten = \"127.0.0.1:0\"\n[[cluster]]\nname = \"k1\"\ndriver = \"kafka\"\n\
         bootstrap_servers = [\"127.0.0.1:9\"]\n"
    );
    std::fs::write(&file, config).expect("the configuration is written");
    let command = [env!("CARGO_BIN_EXE_ballast"), "serve", "--config", &text(&file)].map(str::to_owned);
    let server = Server::start_command(&command, &[]);
    server.until("it was tried", || server.json(&["status"])["clusters"][0]["failure_reason"] == "KAFKA_UNREACHABLE");
    for words in [&["broker", "list"][..], &["partition", "list"], &["cluster", "snapshot"]] {
        server.check_refused(words, 6, "KAFKA_UNREACHABLE");
    }
    server.check_refused(&["plan", "create", "--rebalance"], 6, "MODEL_NOT_READY");
    let status = server.run(&["status"]);
    assert!(status.status.success() && String::from_utf8_lossy(&status.stdout).contains("UNREACHABLE"));
    let logged = server.run(&["audit", "log", "-o", "json"]);
    assert!(!String::from_utf8_lossy(&logged.stdout).contains("plan.drafted"));
}

#[test]
fn a_wrong_command_line_ends_with_its_reason_code_too() {
    for words in [
        &["plan", "create"][..],
        &["plan", "create", "--rebalance", "--drain", "3"],
        &["plan", "create", "--rebalance", "--band", "2"],
        &["task", "cancel", "task-1", "--mode", "soon"],
        &["throttle", "set", "--max", "fast"],
        &["plan", "create", "--rebalance", "--request-id", "7"],
    ] {
        let answer = ballast(words).output().expect("it runs");
        let complaint = String::from_utf8_lossy(&answer.stderr);
        assert_eq!(answer.status.code(), Some(2), "{words:?}: {complaint}");
        assert!(complaint.starts_with("error: ") && complaint.contains(" (INVALID_ARGUMENT)\n"), "{words:?}: {complaint}");
        assert!(answer.stdout.is_empty(), "{words:?}");
    }
}

#[test]
fn malformed_snapshots_name_the_place() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("snapshot.json");
    let broker = "\"id\": 1, \"state\": \"alive\", \"capacity\": {\"cpu_millicores\": 0, \"disk_bytes\": 0, \
                  \"network_in_bytes_per_second\": 0, \"network_out_bytes_per_second\": 0}";
    let around = |brokers: &str, partition: &str| {
        format!(
            "{{\"format\": \"ballast.snapshot.v1\", \"cluster\": \"c\", \"brokers\": [{{{brokers}}}],\n\"topics\": \
             [{{\"name\": \"t\", \"partitions\": [{{\"partition\": 0, {partition}}}]}}]}}"
        )
    };
    let load = "\"size_bytes\": 0, \"produce_bytes_per_second\": 0";
    let cases = [
        (String::new(), "line"),
        ("{".into(), "line"),
        ("{\"format\": \"other\"}".into(), "format"),
        (around(&broker.replace("alive", "sleepy"), load), "line 1"),
        (around(broker, &format!("\"replicas\": [2], \"leader\": 2, {load}")), "topic t, partition 0"),
        (around(broker, &format!("\"replicas\": [1, 1], \"leader\": 1, {load}")), "topic t, partition 0"),
        (around(broker, "\"replicas\": [1], \"leader\": 1, \"size_bytes\": -1"), "line 2"),
    ];
    for (snapshot, place) in cases {
        std::fs::write(&file, &snapshot).expect("a file");
        let words = ["plan", "offline", "--snapshot", &text(&file), "--rebalance"];
        let answer = ballast(&words).output().expect("it runs");
        check_refusal(&answer, &words, 2, "SNAPSHOT_MALFORMED");
        let complaint = String::from_utf8_lossy(&answer.stderr);
        assert!(complaint.contains(place), "{snapshot}: {complaint}");
    }
}
