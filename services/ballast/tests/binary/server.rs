//! The binary as a process: a server of a simulated cluster that is killed when its test ends, and commands against it. Must not
//! hold anything that only one test needs.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

const DEADLINE: Duration = Duration::from_secs(60);

/// A running server.
pub struct Server {
    process: Child,
    folder: tempfile::TempDir,
    command: Vec<String>,
    environment: Vec<(String, String)>,
    pub url: String,
    logs: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub fn start() -> Self {
        let server = Self::start_with(&[]);
        server.until("the cluster is known", || server.json(&["cluster", "get"])["model_ready"] == true);
        server
    }

    /// With these variables in the environment; returns when it is ready.
    pub fn start_with(environment: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        config(folder.path(), "");
        let config = text(&folder.path().join("ballast.toml"));
        let command = [env!("CARGO_BIN_EXE_ballast"), "serve", "--config", &config].map(str::to_owned);
        Self::start_in(folder, &command, environment)
    }

    /// Another command line that serves, on a data directory of its own.
    pub fn start_command(command: &[String], environment: &[(&str, &str)]) -> Self {
        Self::start_in(tempfile::tempdir().expect("a temporary folder"), command, environment)
    }

    fn start_in(folder: tempfile::TempDir, command: &[String], environment: &[(&str, &str)]) -> Self {
        let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let mut environment: Vec<(String, String)> = environment.iter().map(own).collect();
        environment.push(("BALLAST_DATA_DIR".into(), text(&folder.path().join("data"))));
        let (process, url, logs) = spawn(command, &environment);
        Self { process, folder, command: command.to_vec(), environment, url, logs }
    }

    /// Asks it to end, and starts another one on the same data with one more variable.
    pub fn restart_with(&mut self, key: &str, value: &str) {
        self.stop();
        self.start_again(key, value);
    }

    /// After it ended: another one on the same data with one more variable.
    pub fn start_again(&mut self, key: &str, value: &str) {
        self.environment.retain(|(known, _)| known != key);
        self.environment.push((key.to_owned(), value.to_owned()));
        (self.process, self.url, self.logs) = spawn(&self.command, &self.environment);
    }

    /// As an init system would.
    pub fn stop(&mut self) {
        self.terminate();
        self.wait();
    }

    /// Until it has ended as it was asked to.
    pub fn wait(&mut self) {
        let ended = self.process.wait().expect("it ends");
        assert_eq!(ended.code(), Some(0), "SIGTERM drains: {:?}", self.logs());
    }

    /// Sends SIGTERM and does not wait.
    pub fn terminate(&self) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill runs").success());
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn data_dir(&self) -> String {
        text(&self.folder.path().join("data"))
    }

    /// What it wrote to standard error so far, line by line.
    pub fn logs(&self) -> Vec<String> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn run(&self, words: &[&str]) -> Output {
        ballast(words).env("BALLAST_SERVER", &self.url).output().expect("the command runs")
    }

    pub fn json(&self, words: &[&str]) -> Value {
        let answer = self.run(&[words, &["-o", "json"]].concat());
        let printed = String::from_utf8_lossy(&answer.stdout).into_owned();
        assert!(answer.status.success(), "{words:?}: {}", String::from_utf8_lossy(&answer.stderr));
        serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{words:?} printed no JSON ({error}): {printed}"))
    }

    /// The ids that a command prints.
    pub fn name(&self, words: &[&str]) -> String {
        let answer = self.run(&[words, &["-o", "name"]].concat());
        assert!(answer.status.success(), "{words:?}: {}", String::from_utf8_lossy(&answer.stderr));
        String::from_utf8_lossy(&answer.stdout).trim().to_owned()
    }

    pub fn check_refused(&self, words: &[&str], exit: i32, reason: &str) {
        check_refusal(&self.run(words), words, exit, reason);
    }

    #[expect(clippy::disallowed_methods, reason = "waits for a process of its own, in real time")]
    pub fn until(&self, what: &str, done: impl Fn() -> bool) {
        let started = Instant::now();
        while !done() {
            assert!(started.elapsed() < DEADLINE, "not in time: {what}; {:?}", self.logs().last());
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts a server and reads its logs until it is ready.
fn spawn(command: &[String], environment: &[(String, String)]) -> (Child, String, Arc<Mutex<Vec<String>>>) {
    let mut process = Command::new(&command[0])
        .args(&command[1..])
        .envs(environment.iter().cloned())
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(process.stderr.take().expect("standard error is piped")).lines().map_while(Result::ok);
    let logs: Arc<Mutex<Vec<String>>> = Arc::default();
    let keep = |logs: &Mutex<Vec<String>>, line: String| logs.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    let mut address = None;
    for line in lines.by_ref() {
        address = address.or_else(|| listening_at(&line));
        let is_ready = line.contains("ready");
        keep(&logs, line);
        if is_ready {
            break;
        }
    }
    // Somebody must read on, or the server blocks on a full pipe.
    let kept = logs.clone();
    std::thread::spawn(move || lines.for_each(|line| keep(&kept, line)));
    (process, format!("http://{}", address.expect("it says where it listens")), logs)
}

/// From a line of text, `address=127.0.0.1:1`, or of JSON, `"address":"127.0.0.1:1"`.
fn listening_at(line: &str) -> Option<String> {
    let rest = line.split("address").nth(1)?.trim_start_matches(['"', '=', ':']);
    rest.split(['"', ' ']).next().map(str::to_owned)
}

pub fn ballast(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ballast"));
    command.args(words).stdin(Stdio::null());
    command
}

pub fn text(path: &Path) -> String {
    path.display().to_string()
}

/// Writes the configuration of a small simulated cluster, with `more` before it.
pub fn config(folder: &Path, more: &str) -> PathBuf {
    let file = folder.join("ballast.toml");
    let data_dir = folder.join("data");
    let text = format!(
        "data_dir = {data_dir:?}\nlisten = \"127.0.0.1:0\"\n{more}\n[[cluster]]\nname = \"c1\"\ndriver = \"simulated\"\n\
         [cluster.simulated]\ntopics = 4\npartitions_per_topic = 6\nmean_partition_bytes = 20000000\nspeed = 10.0\n"
    );
    std::fs::write(&file, text).expect("the configuration is written");
    file
}

/// One line on standard error that ends with the reason code, and nothing on standard output.
pub fn check_refusal(answer: &Output, words: &[&str], exit: i32, reason: &str) {
    let complaint = String::from_utf8_lossy(&answer.stderr);
    assert_eq!(answer.status.code(), Some(exit), "{words:?}: {complaint}");
    let last = complaint.lines().last().unwrap_or_default();
    assert!(last.starts_with("error: ") && last.ends_with(&format!("({reason})")), "{words:?}: {complaint}");
    assert!(answer.stdout.is_empty(), "{words:?} printed on standard output");
}
