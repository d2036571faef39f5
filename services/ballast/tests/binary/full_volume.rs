//! A volume that fills up: new work is refused before the log has to stop, and what runs can be stopped and closed.

use super::server::Server;

#[test]
fn a_full_volume_stops_admission_before_it_stops_the_log() {
    let mut server = Server::start();
    let plan = server.name(&["plan", "create", "--drain", "3"]);
    let other = server.name(&["plan", "create", "--rebalance"]);
    server.json(&["throttle", "set", "--max", "2MB/s", "--yes"]);
    let task = server.name(&["task", "create", "--plan", &plan, "--yes"]);
    let shown = |server: &Server, key: &str| server.json(&["task", "get", &task])[key].clone();
    server.until("moves are in flight", || shown(&server, "moves_in_flight").as_u64() > Some(0));

    // The volume of the data directory now seems to have less left than shall be kept free, but more than half of that.
    let free = fs4::available_space(server.folder()).expect("the volume tells its free space");
    server.restart_with("BALLAST_EVENT_LOG__RESERVE_BYTES", &(free / 2 * 3).to_string());
    server.until("the cluster is known", || server.json(&["cluster", "get"])["model_ready"] == true);
    server.check_refused(&["plan", "create", "--drain", "5"], 1, "VOLUME_FULL");
    server.check_refused(&["task", "create", "--plan", &other, "--yes"], 4, "PARTITIONS_BUSY");
    server.json(&["task", "pause", &task, "--yes"]);
    // What is in flight goes on and is seen done.
    server.until("the moves in flight are done", || shown(&server, "state") == "PAUSED");
    assert!(shown(&server, "steps_done").as_u64() > Some(0));
    assert_eq!(server.json(&["throttle", "freeze", "--yes"])["frozen"], true);
    server.json(&["task", "cancel", &task, "--yes"]);
    server.until("the task is closed", || shown(&server, "state") == "PARTIALLY_APPLIED");
    assert_eq!(server.json(&["audit", "verify"])["ok"], true);

    server.restart_with("BALLAST_EVENT_LOG__RESERVE_BYTES", "0");
    server.until("the cluster is known", || server.json(&["cluster", "get"])["model_ready"] == true);
    assert!(!server.name(&["plan", "create", "--drain", "5"]).is_empty(), "there is room again");
}
