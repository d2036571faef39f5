//! One real cluster: its processes, ports and folder. Must not know what tests do with it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use ballast_cluster::{BrokerId, TopicPartition};
use ballast_kafka::{ConfigAlteration, ConfigOperation, ConfigResource, KafkaAdmin as _};
use ballast_kafka_client::{KafkaClient, KafkaClientConfig};
use tempfile::TempDir;

/// Where the recipe lies, next to this crate.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../kafka-cluster/cluster.sh");
const CONTROLLER_PORT_OFFSET: u16 = 100;
/// Node id of the only controller.
const CONTROLLER: u32 = 100;

/// What the cluster shall be like.
#[derive(Clone, Debug)]
pub struct Options {
    /// Kafka version; 3.9.x and 4.x are known.
    pub version: String,
    /// Brokers 1 to this number, alternately in racks `r1` and `r2`, each with two log directories.
    pub brokers: u16,
    /// A broker that is silent for so long is fenced.
    pub session_milliseconds: u32,
    /// Broker n listens at `port_base + n`, the controller at `port_base + 100`: leave 200 ports to the next cluster.
    pub port_base: u16,
    /// More lines for `server.properties`; `@ID@` becomes the node id, `@DATA@` the folder.
    pub broker_properties: String,
    pub controller_properties: String,
    /// Folder under which the cluster's own is made and removed; the system's for temporary files unless given.
    pub parent_dir: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            version: "4.3.1".into(),
            brokers: 3,
            session_milliseconds: 6_000,
            port_base: 21_000,
            broker_properties: String::new(),
            controller_properties: String::new(),
            parent_dir: None,
        }
    }
}

/// A running cluster. Dropping it kills every process and removes the folder; when the test itself is killed, a watching process
/// does the same.
pub struct RealCluster {
    options: Options,
    dir: TempDir,
}

impl RealCluster {
    /// What is missing on this machine, if anything: a JDK, and Maven unless the jars are there.
    pub fn available() -> Result<(), String> {
        runs("java", "-version")?;
        let jars = Path::new(SCRIPT).with_file_name(format!("lib-{}", Options::default().version)).join(".complete");
        if jars.exists() { Ok(()) } else { runs("mvn", "-version") }
    }

    /// Fetches the jars if needed, formats, starts and waits until all brokers are there.
    ///
    /// # Panics
    /// When the cluster does not come up: it is the test bench, not under test.
    pub async fn start(options: Options) -> Self {
        let mut builder = tempfile::Builder::new();
        builder.prefix("ballast-kafka-");
        let dir = match &options.parent_dir {
            Some(parent) => builder.tempdir_in(parent),
            None => builder.tempdir(),
        };
        let dir = dir.expect("a folder for the cluster can be made");
        for (name, lines) in [("broker", &options.broker_properties), ("controller", &options.controller_properties)] {
            std::fs::write(dir.path().join(format!("{name}.properties")), lines).expect("properties can be written");
        }
        let cluster = Self { options, dir };
        cluster.run(&["up"]).await;
        cluster.wait_for_listeners().await;
        cluster
    }

    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The folder of the cluster: node n's logs and data are in `n<id>`.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub fn brokers(&self) -> Vec<BrokerId> {
        (1..=self.options.brokers).map(|id| BrokerId(i32::from(id))).collect()
    }

    pub fn bootstrap_servers(&self) -> Vec<String> {
        (1..=self.options.brokers).map(|id| format!("127.0.0.1:{}", self.options.port_base + id)).collect()
    }

    pub fn controller_bootstrap_servers(&self) -> Vec<String> {
        vec![format!("127.0.0.1:{}", self.options.port_base + CONTROLLER_PORT_OFFSET)]
    }

    /// Config of a client that knows the brokers only.
    pub fn client_config(&self) -> KafkaClientConfig {
        KafkaClientConfig::new(self.bootstrap_servers())
    }

    /// A client that knows brokers and controllers.
    pub async fn client(&self) -> KafkaClient {
        let controller_bootstrap_servers = self.controller_bootstrap_servers();
        let config = KafkaClientConfig { controller_bootstrap_servers, ..self.client_config() };
        KafkaClient::connect(config).await.expect("a started cluster answers")
    }

    /// `kill -9`. Returns at once; the cluster notices after the session.
    pub async fn kill(&self, broker: BrokerId) {
        self.run(&["kill", &broker.to_string()]).await;
    }

    /// Starts a killed broker on its old data. Returns at once.
    pub async fn restart(&self, broker: BrokerId) {
        self.run(&["startnode", &broker.to_string()]).await;
    }

    /// `kill -9` of the only controller: reads of brokers go on, writes do not.
    pub async fn kill_controller(&self) {
        self.run(&["kill", &CONTROLLER.to_string()]).await;
    }

    pub async fn restart_controller(&self) {
        self.run(&["startnode", &CONTROLLER.to_string()]).await;
    }

    /// Cordons all directories of a broker, or none. Through the broker itself: controllers only let cordons be taken away.
    pub async fn set_cordoned(&self, broker: BrokerId, cordoned: bool) {
        let operation = if cordoned { ConfigOperation::Set("*".into()) } else { ConfigOperation::Delete };
        let (resource, key) = (ConfigResource::Broker(broker), "cordoned.log.dirs".to_owned());
        let plain = KafkaClient::connect(self.client_config()).await.expect("a started cluster answers");
        let asked = plain.incremental_alter_configs(&[ConfigAlteration { resource, key, operation }]).await;
        let results = asked.expect("the broker answers");
        assert!(results.iter().all(|(_, result)| result.is_ok()), "{results:?}");
    }

    /// Begins to move the replica that `broker` has of a topic's only partition to the other of its two directories, at 1 MB/s.
    /// `false`: this version's tools are not there.
    pub async fn move_between_log_dirs(&self, at: &TopicPartition, broker: BrokerId) -> bool {
        if !self.options.version.starts_with("4.4") {
            self.run(&["movedir", &at.topic, &at.partition.to_string(), &broker.to_string(), "1000000"]).await;
            return true;
        }
        false
    }

    /// Brokers say that they are started a moment before they take connections.
    async fn wait_for_listeners(&self) {
        for server in self.bootstrap_servers().iter().chain(&self.controller_bootstrap_servers()) {
            let mut attempts = 0;
            while tokio::net::TcpStream::connect(server).await.is_err() {
                attempts += 1;
                assert!(attempts < 100, "{server} takes no connections");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }

    async fn run(&self, arguments: &[&str]) {
        let mut command = self.command(arguments);
        let output = tokio::task::spawn_blocking(move || command.output()).await.expect("the script is not cancelled");
        let output = output.expect("the script can be run");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "cluster.sh {} failed: {told}{}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stdout)
        );
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let options = &self.options;
        let mut command = Command::new(SCRIPT);
        command.args(arguments).stdin(Stdio::null()).env_remove("LIB");
        command.env("VERSION", &options.version).env("DATA", self.data_dir()).env("NB", options.brokers.to_string());
        command.env("PORT", options.port_base.to_string()).env("SESSION_MS", options.session_milliseconds.to_string());
        command.env("EXTRA_B", self.dir.path().join("broker.properties"));
        command.env("EXTRA_C", self.dir.path().join("controller.properties"));
        command.env("HEARTBEAT_MS", (options.session_milliseconds / 4).min(2_000).to_string());
        command.env("OWNER_PID", std::process::id().to_string());
        command
    }
}

impl Drop for RealCluster {
    fn drop(&mut self) {
        // Also reached while a test panics, and when `start` failed half-way. There is nobody to tell of a failure here.
        let _ = self.command(&["clean"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

fn runs(program: &str, argument: &str) -> Result<(), String> {
    let status = Command::new(program).arg(argument).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{program} {argument}` ended with {status}")),
        Err(error) => Err(format!("`{program}` cannot be run: {error}")),
    }
}
