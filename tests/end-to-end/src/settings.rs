//! The configuration that a scenario starts `ballast serve` with. Must not know processes.

use ballast_kafka_harness::RealCluster;

/// What scenarios vary; the rest is quick polling so that they end soon.
#[derive(Clone, Debug)]
pub struct Settings {
    pub moves_per_broker: u32,
    pub moves_per_cluster: u32,
    pub stall_after_seconds: u32,
    pub grace_seconds: u32,
    /// Whether Ballast is told of the controller endpoint, by which dead brokers' configs are reached.
    pub knows_controller: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { moves_per_broker: 2, moves_per_cluster: 2, stall_after_seconds: 20, grace_seconds: 2, knows_controller: true }
    }
}

impl Settings {
    /// The TOML for a server on `port` with its data in `data_dir`, for one cluster named `c1`.
    pub fn toml(&self, cluster: &RealCluster, data_dir: &str, port: u16) -> String {
        let quoted = |servers: Vec<String>| servers.iter().map(|server| format!("{server:?}")).collect::<Vec<_>>().join(", ");
        let brokers = quoted(cluster.bootstrap_servers());
        let controllers = if self.knows_controller { quoted(cluster.controller_bootstrap_servers()) } else { String::new() };
        format!(
            r#"data_dir = {data_dir:?}
listen = "127.0.0.1:{port}"
[logging]
filter = "info,sled=warn"
[monitor]
topology_interval = "500ms"
offsets_interval = "2s"
log_dirs_interval = "3s"
groups_interval = "5s"
[tasks]
moves_per_broker = {per_broker}
moves_per_cluster = {per_cluster}
stall_after = "{stall}s"
[throttle]
sample_interval = "2s"
[[cluster]]
name = "c1"
driver = "kafka"
bootstrap_servers = [{brokers}]
controller_bootstrap_servers = [{controllers}]
broker_session_grace = "{grace}s"
capacity = {{ cpu_millicores = 8000, network_in_bytes_per_second = 125000000, network_out_bytes_per_second = 125000000 }}
"#,
            grace = self.grace_seconds,
            per_broker = self.moves_per_broker,
            per_cluster = self.moves_per_cluster,
            stall = self.stall_after_seconds,
        )
    }
}
