//! What a server of a simulated cluster answers, what it refuses and with which exit codes.

use serde_json::Value;

use super::server::{Server, ballast, check_refusal, config, text};

#[test]
fn answers_have_the_contract_s_shape_and_refusals_its_exit_codes() {
    let server = Server::start();
    let brokers = server.json(&["broker", "list"]);
    assert_eq!(brokers.as_array().map(Vec::len), Some(12));
    assert_eq!((&brokers[0]["name"], &brokers[0]["id"], &brokers[0]["state"]), (&"1".into(), &1.into(), &"alive".into()));
    let names = server.run(&["broker", "list", "-o", "name"]);
    assert_eq!(String::from_utf8_lossy(&names.stdout).lines().count(), 12);
    let snapshot: Value = serde_json::from_slice(&server.run(&["cluster", "snapshot"]).stdout).expect("a snapshot is JSON");
    assert_eq!(snapshot["format"], "ballast.snapshot.v1");

    server.check_refused(&["cluster", "get", "nope"], 3, "CLUSTER_NOT_FOUND");
    server.check_refused(&["broker", "get", "99"], 3, "BROKER_NOT_FOUND");
    server.check_refused(&["plan", "create", "--drain", "99"], 3, "BROKER_NOT_FOUND");
    server.check_refused(&["plan", "create", "--topic", "nope:0=1,2,3"], 3, "TOPIC_NOT_FOUND");
    server.check_refused(&["plan", "create", "--evacuate", "3"], 4, "BROKER_ALIVE");
    server.check_refused(&["plan", "show", "plan-aaaaaaaaaaaa"], 3, "PLAN_NOT_FOUND");
    server.check_refused(&["task", "get", "task-aaaaaaaaaaaa"], 3, "TASK_NOT_FOUND");
    server.check_refused(&["task", "create", "--plan", "plan-aaaaaaaaaaaa", "--yes"], 3, "PLAN_NOT_FOUND");
    server.check_refused(&["task", "create", "--plan", "plan-aaaaaaaaaaaa"], 2, "CONFIRMATION_REQUIRED");
    server.check_refused(&["throttle", "freeze"], 2, "CONFIRMATION_REQUIRED");
    server.check_refused(&["audit", "show", "999999"], 3, "EVENT_NOT_FOUND");

    let data_dir = server.data_dir();
    check_refusal(&ballast(&["log", "verify", &data_dir]).output().expect("it runs"), &["log verify"], 4, "DATA_DIR_IN_USE");
    let second = ballast(&["serve", "--config", &text(&server.folder().join("ballast.toml"))]).output().expect("it runs");
    check_refusal(&second, &["serve"], 4, "DATA_DIR_IN_USE");
}

#[test]
fn a_plan_becomes_a_task_that_is_waited_for_and_audited() {
    let mut server = Server::start();
    let dry = server.json(&["plan", "create", "--drain", "5", "--dry-run"]);
    assert_eq!(dry["name"], "");
    let plan = server.json(&["plan", "create", "--drain", "5"]);
    let plan_name = plan["name"].as_str().expect("a plan has a name").to_owned();
    assert_eq!((&plan["format"], &plan["goal"]["kind"]), (&"ballast.plan.v1".into(), &"drain".into()));
    let moves = plan["alternatives"][0]["moves"].as_array().expect("moves are listed").len();
    assert!(moves > 0);
    assert_eq!(server.json(&["plan", "moves", &plan_name]).as_array().map(Vec::len), Some(moves));
    assert_eq!(server.json(&["plan", "export", &plan_name])["partitions"].as_array().map(Vec::len), Some(moves));

    let request = "6f1a7b9c-2f6e-4f0e-9d44-0c6f0e8f7a11";
    let create = ["task", "create", "--plan", &plan_name, "--yes", "--reason", "test", "--request-id", request];
    // Frozen, nothing has moved yet when a second task wants the same partitions.
    assert_eq!(server.json(&["throttle", "freeze", "--yes"])["frozen"], true);
    let task = server.json(&create);
    let name = task["name"].as_str().expect("a task has a name").to_owned();
    assert_eq!(server.json(&create)["name"], task["name"], "the same request id gives the same task");
    server.check_refused(&["task", "create", "--plan", &plan_name, "--yes"], 4, "PARTITIONS_BUSY");
    server.check_refused(&["task", "resume", &name, "--yes"], 4, "ILLEGAL_TRANSITION");
    let waited = server.run(&["task", "wait", &name, "--timeout", "100ms"]);
    assert_eq!(waited.status.code(), Some(8));
    assert_eq!(server.json(&["throttle", "unfreeze", "--yes"])["frozen"], false);

    let done = server.json(&["task", "wait", &name, "--timeout", "60s"]);
    assert_eq!(done["state"], "SUCCEEDED", "{done}");
    assert_eq!(server.run(&["task", "wait", &name, "--for", "CANCELLED"]).status.code(), Some(7));
    server.until("broker 5 is empty", || server.json(&["broker", "get", "5"])["replicas"] == 0);
    server.check_refused(&["task", "create", "--plan", &plan_name, "--yes"], 4, "PLAN_STALE");
    let watched = server.run(&["task", "watch", &name, "-o", "json"]);
    let sequences: Vec<u64> = String::from_utf8_lossy(&watched.stdout)
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("one object a line")["sequence"].as_u64().expect("a place"))
        .collect();
    assert!(sequences.len() > moves && sequences.is_sorted(), "{sequences:?}");
    let logged = server.run(&["audit", "log", "--task", &name, "--type", "task.accepted", "-o", "json"]);
    let accepted: Value = serde_json::from_slice(&logged.stdout).expect("one object");
    assert_eq!((&accepted["type"], &accepted["reason"]), (&"task.accepted".into(), &"test".into()));
    assert_eq!(server.json(&["audit", "verify"])["ok"], true);

    server.stop();
    let data_dir = server.data_dir();
    let verified = ballast(&["log", "verify", &data_dir, "-o", "json"]).output().expect("it runs");
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
}

#[test]
fn what_needs_no_server_is_refused_by_name_too() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let check =
        |words: &[&str], exit: i32, reason: &str| check_refusal(&ballast(words).output().expect("it runs"), words, exit, reason);
    check(&["status", "--server", "http://127.0.0.1:1"], 6, "SERVER_UNREACHABLE");
    check(&["status", "--server", "nonsense"], 2, "INVALID_ARGUMENT");
    check(&["config", "check", "/nowhere.toml"], 2, "CONFIG_INVALID");
    let good = text(&config(folder.path(), ""));
    assert!(ballast(&["config", "check", &good]).output().expect("it runs").status.success());
    check(&["serve", "--config", &good, "--listen", "0.0.0.0:0"], 2, "INSECURE_LISTENER");
    check(&["serve", "--config", &good, "--roles", "monitor"], 2, "INVALID_ARGUMENT");
    let foreign = folder.path().join("foreign");
    std::fs::create_dir(&foreign).expect("a folder");
    std::fs::write(foreign.join("file"), "x").expect("a file");
    check(&["serve", "--config", &good, "--data-dir", &text(&foreign)], 1, "NOT_A_DATA_DIR");
    check(&["log", "info", &text(&foreign)], 1, "NOT_A_DATA_DIR");
    let bad = text(&config(folder.path(), "lisen = 1"));
    check(&["config", "check", &bad], 2, "CONFIG_INVALID");
    let snapshot = folder.path().join("snapshot.json");
    std::fs::write(&snapshot, "{\"format\": \"ballast.snapshot.v1\", \"clutser\": 1}").expect("a file");
    check(&["plan", "offline", "--snapshot", &text(&snapshot), "--rebalance"], 2, "SNAPSHOT_MALFORMED");
    let environment = ballast(&["config", "check", &text(&config(folder.path(), ""))])
        .env("BALLAST_EVENT_LOG__ENGIN", "sled")
        .output()
        .expect("it runs");
    check_refusal(&environment, &["config check"], 2, "CONFIG_INVALID");
    assert!(
        String::from_utf8_lossy(&environment.stderr).contains("BALLAST_"),
        "{}",
        String::from_utf8_lossy(&environment.stderr)
    );
}

#[test]
fn a_generated_cluster_is_the_same_each_time_and_can_be_planned_on() {
    let flags = ["lab", "cluster", "--brokers", "6", "--topics", "9", "--partitions", "60", "--seed", "4", "--dead", "1"];
    let printed = ballast(&flags).output().expect("it runs").stdout;
    assert_eq!(ballast(&flags).output().expect("it runs").stdout, printed);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("snapshot.json");
    std::fs::write(&file, printed).expect("a file");
    let planned = ballast(&["plan", "offline", "--snapshot", &text(&file), "--rebalance"]).output().expect("it runs");
    let plan: Value = serde_json::from_slice(&planned.stdout).expect("a plan");
    assert!(plan["alternatives"][0]["cost"]["moved_bytes"].as_u64().is_some_and(|bytes| bytes > 0));
    for wrong in [&["--preset", "none"][..], &["--preset", "mixed-60", "--new", "61"], &["--preset", "mixed-60", "--kill", "61"]]
    {
        let words = [&["lab", "cluster"], wrong].concat();
        check_refusal(&ballast(&words).output().expect("it runs"), &words, 2, "INVALID_ARGUMENT");
    }
}
