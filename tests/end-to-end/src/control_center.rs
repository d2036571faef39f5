//! The `ballast` binary as its users run it: `serve` as a process that can be killed, and client commands with their exit codes.
//! Must not know what is asked of it.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use ballast_kafka_harness::RealCluster;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command as AsyncCommand};

use crate::Settings;

/// One data directory and the server on it, running or not.
pub struct ControlCenter {
    dir: TempDir,
    port: u16,
    server: Option<Child>,
}

/// Runs client commands against a server that may come and go.
#[derive(Clone, Debug)]
pub struct Caller {
    port: u16,
}

impl Caller {
    /// Runs a client command, whatever its end.
    pub fn run(&self, arguments: &[&str]) -> Answer {
        let server = format!("http://127.0.0.1:{}", self.port);
        let output = Command::new(binary()).args(arguments).args(["--server", &server]).stdin(Stdio::null()).output();
        Answer::from(output.expect("ballast can be run"))
    }
}

/// What a client command gave back.
#[derive(Debug)]
pub struct Answer {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl ControlCenter {
    /// A fresh data directory and a running server for `cluster`.
    pub async fn start(cluster: &RealCluster, settings: &Settings) -> Self {
        let dir = tempfile::Builder::new().prefix("ballast-e2e-").tempdir().expect("a folder can be made");
        let port = free_port();
        let data_dir = dir.path().join("data");
        let text = settings.toml(cluster, &data_dir.display().to_string(), port);
        std::fs::write(dir.path().join("ballast.toml"), text).expect("the configuration can be written");
        let mut center = Self { dir, port, server: None };
        center.resume().await;
        center
    }

    /// Starts the server on the same data again and waits until it is ready.
    pub async fn resume(&mut self) {
        self.spawn();
        self.wait_ready().await;
    }

    /// Starts the server without waiting for it.
    pub fn spawn(&mut self) {
        assert!(self.server.is_none(), "the server is running already");
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log_path()).expect("the log can be opened");
        let mut command = AsyncCommand::new(binary());
        command.arg("serve").arg("--config").arg(self.dir.path().join("ballast.toml"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).kill_on_drop(true);
        self.server = Some(command.spawn().expect("ballast can be started"));
    }

    pub async fn wait_ready(&self) {
        let clock = ballast_clock::Clock::system();
        for _ in 0..150 {
            if self.run(&["status"]).code == 0 {
                return;
            }
            clock.sleep(Duration::from_millis(200)).await;
        }
        panic!("ballast serve is not ready; its log: {}", std::fs::read_to_string(self.log_path()).unwrap_or_default());
    }

    /// `kill -9`.
    pub async fn kill(&mut self) {
        let mut server = self.server.take().expect("the server is running");
        server.kill().await.expect("a running server can be killed");
    }

    /// SIGTERM; returns the exit code of the drained server.
    pub async fn stop(&mut self) -> i32 {
        let mut server = self.server.take().expect("the server is running");
        let pid = server.id().expect("the server is running").to_string();
        Command::new("kill").args(["-TERM", &pid]).status().expect("kill can be run");
        let status = tokio::time::timeout(Duration::from_secs(20), server.wait()).await.expect("a drain ends");
        status.expect("the server can be waited for").code().unwrap_or(-1)
    }

    pub fn resident_bytes(&self) -> u64 {
        let pid = self.server.as_ref().and_then(Child::id).expect("the server is running");
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|kibibytes| kibibytes.parse::<u64>().ok()).unwrap_or(0) * 1024
    }

    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub fn log_path(&self) -> PathBuf {
        self.dir.path().join("serve.log")
    }

    /// Runs a client command, whatever its end.
    pub fn run(&self, arguments: &[&str]) -> Answer {
        self.caller().run(arguments)
    }

    pub fn caller(&self) -> Caller {
        Caller { port: self.port }
    }

    /// Runs a client command that must succeed, and reads its JSON.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        let answer = self.run(&[arguments, &["-o", "json"]].concat());
        assert_eq!(answer.code, 0, "ballast {}: {}", arguments.join(" "), answer.stderr);
        serde_json::from_str(&answer.stdout)
            .unwrap_or_else(|error| panic!("ballast {}: {error}: {}", arguments.join(" "), answer.stdout))
    }

    /// Runs a client command that must succeed and prints one JSON object a line.
    #[track_caller]
    pub fn json_lines(&self, arguments: &[&str]) -> Vec<Value> {
        let answer = self.run(&[arguments, &["-o", "jsonl"]].concat());
        assert_eq!(answer.code, 0, "ballast {}: {}", arguments.join(" "), answer.stderr);
        answer.stdout.lines().map(|line| serde_json::from_str(line).expect("each line is a JSON object")).collect()
    }

    /// Makes a plan for `goal` flags and gives it back.
    #[track_caller]
    pub fn plan(&self, goal: &[&str]) -> Value {
        self.json(&[&["plan", "create", "--yes"], goal].concat())
    }

    /// Makes a task from the best alternative of a plan; gives its id.
    #[track_caller]
    pub fn task(&self, plan: &Value) -> String {
        let plan = plan["name"].as_str().expect("a plan has a name");
        let task = self.json(&["task", "create", "--plan", plan, "--yes", "--reason", "end-to-end test"]);
        task["name"].as_str().expect("a task has a name").to_owned()
    }

    /// A command on a task that must be taken.
    #[track_caller]
    pub fn command(&self, arguments: &[&str]) -> Value {
        self.json(&[arguments, &["--yes", "--reason", "end-to-end test"]].concat())
    }

    pub fn task_state(&self, task: &str) -> String {
        self.json(&["task", "get", task])["state"].as_str().unwrap_or_default().to_owned()
    }

    /// All steps of a task.
    pub fn steps(&self, task: &str) -> Vec<Value> {
        self.json_lines(&["task", "steps", task])
    }

    /// All events of a task, in order.
    pub fn events(&self, task: &str) -> Vec<Value> {
        self.json_lines(&["audit", "log", "--task", task])
    }

    /// Waits until the task is in `state`.
    pub async fn wait_for(&self, task: &str, state: &str, deadline: Duration) {
        let clock = ballast_clock::Clock::system();
        let give_up = clock.now().plus_milliseconds(i64::try_from(deadline.as_millis()).unwrap_or(i64::MAX));
        loop {
            let now = self.json(&["task", "get", task]);
            if now["state"] == state {
                return;
            }
            if clock.now() > give_up {
                self.explain(task);
                panic!(
                    "task {task} is {} ({} {}), not {state} within {deadline:?}",
                    now["state"], now["reason_code"], now["detail"]
                );
            }
            clock.sleep(Duration::from_millis(200)).await;
        }
    }

    /// Prints what is known of a task, for a test that is about to fail.
    pub fn explain(&self, task: &str) {
        for arguments in
            [&["task", "get", task][..], &["task", "steps", task], &["throttle", "show"], &["audit", "log", "--task", task]]
        {
            let answer = self.run(arguments);
            eprintln!("$ ballast {}\n{}{}", arguments.join(" "), answer.stdout, answer.stderr);
        }
        let log = std::fs::read_to_string(self.log_path()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        eprintln!("end of the server's log:\n{}", lines[lines.len().saturating_sub(40)..].join("\n"));
    }
}

impl Answer {
    pub fn ok(self) -> Option<Self> {
        (self.code == 0).then_some(self)
    }

    /// Checks the exit code and that the error names its reason.
    #[track_caller]
    pub fn refused(&self, code: i32, reason: &str) {
        assert!(
            self.code == code && self.stderr.contains(reason),
            "expected exit {code} and {reason}, got {} and {}",
            self.code,
            self.stderr
        );
    }
}

impl From<Output> for Answer {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// The binary beside the test's own: cargo puts both under the same profile folder.
fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("a running program has a path");
    let profile = test.parent().and_then(std::path::Path::parent).expect("tests lie in <profile>/deps");
    let binary = profile.join("ballast");
    assert!(binary.exists(), "{} is not built: run `cargo build -p ballast` first", binary.display());
    binary
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("a bound listener has an address").port()
}
