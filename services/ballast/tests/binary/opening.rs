//! A server that is killed while it opens its log, and one whose volume has no place for the copy that is checked first.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use super::server::{Server, ballast, text};

/// The sequence at which the log of a stopped server ends; all of it was verified.
fn verified(data_dir: &str) -> u64 {
    let answer = ballast(&["log", "verify", data_dir, "-o", "json"]).output().expect("it runs");
    assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
    let report: Value = serde_json::from_slice(&answer.stdout).expect("JSON");
    report["sequence"].as_u64().expect("a sequence")
}

#[test]
#[expect(clippy::disallowed_methods, reason = "kills a process at moments of real time")]
fn killed_at_any_moment_of_opening_the_log_is_whole() {
    let mut server = Server::start();
    server.name(&["plan", "create", "--drain", "3"]);
    server.stop();
    let data_dir = server.data_dir();
    let config = text(&server.folder().join("ballast.toml"));
    let trial = Path::new(&data_dir).join("log.trial");
    let (mut acknowledged, mut left) = (verified(&data_dir), 0);
    for pause in [0, 1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 150] {
        let mut command = ballast(&["serve", "--config", &config]);
        let mut process = command.stderr(Stdio::null()).spawn().expect("it starts");
        // A copy that an earlier round left goes first: either way it has begun to open.
        while !trial.exists() && process.try_wait().expect("it can be asked").is_none() {
            std::thread::sleep(Duration::from_micros(200));
        }
        std::thread::sleep(Duration::from_millis(pause));
        process.kill().expect("it can be killed");
        process.wait().expect("it ends");
        left += u32::from(trial.exists());
        let now = verified(&data_dir);
        assert!(now >= acknowledged, "{pause} ms: sequence {acknowledged} was acknowledged, now it ends at {now}");
        acknowledged = now;
    }
    assert!(left > 0, "none was killed during the check");
    server.start_again("BALLAST_LOGGING__FORMAT", "text");
    assert!(!trial.exists());
    assert_eq!(server.json(&["audit", "verify"])["ok"], true);
    server.until("the cluster is known", || server.json(&["cluster", "get"])["model_ready"] == true);
    assert!(!server.name(&["plan", "create", "--drain", "5"]).is_empty());
}

#[test]
fn a_log_without_place_for_a_copy_is_opened_and_the_logs_say_so() {
    let mut server = Server::start();
    server.stop();
    // Sparse, and larger than what any test machine has free.
    let large = std::fs::File::create(Path::new(&server.data_dir()).join("log/large")).expect("create");
    large.set_len(1 << 43).expect("a sparse file");
    server.start_again("BALLAST_LOGGING__FORMAT", "text");
    assert!(server.logs().iter().any(|line| line.contains("no place for a copy of the event log")), "{:?}", server.logs());
    assert_eq!(server.json(&["audit", "verify"])["ok"], true);
}
