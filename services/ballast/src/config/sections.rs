//! The configuration key by key, with every default. Must not know where a value came from, nor the services' own configurations.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::quantity::Span;

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Event log, views and simulated clusters live here; one process at a time.
    pub data_dir: PathBuf,
    /// gRPC, health and metrics on one port.
    pub listen: String,
    pub event_log: EventLogSection,
    pub logging: LoggingSection,
    pub telemetry: TelemetrySection,
    pub monitor: MonitorSection,
    pub tasks: TasksSection,
    pub throttle: ThrottleSection,
    pub cluster: Vec<ClusterSection>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: "/var/lib/ballast".into(),
            listen: "127.0.0.1:7420".into(),
            event_log: EventLogSection::default(),
            logging: LoggingSection::default(),
            telemetry: TelemetrySection::default(),
            monitor: MonitorSection::default(),
            tasks: TasksSection::default(),
            throttle: ThrottleSection::default(),
            cluster: Vec::new(),
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventLogSection {
    pub engine: Engine,
    /// Kept free on the volume: below it new work is refused, so that what runs can still be closed.
    pub reserve_bytes: u64,
}

impl Default for EventLogSection {
    fn default() -> Self {
        Self { engine: Engine::Sled, reserve_bytes: 64 << 20 }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    Sled,
    Kafka,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoggingSection {
    /// Directives such as "info,ballast_monitor=debug".
    pub filter: String,
    pub format: LoggingFormat,
}

impl Default for LoggingSection {
    fn default() -> Self {
        // sled tells the start of every one of its threads.
        Self { filter: "info,sled=warn".into(), format: LoggingFormat::Text }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LoggingFormat {
    Text,
    Json,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetrySection {
    /// OTLP over gRPC for traces, e.g. `http://127.0.0.1:4317`; empty: none are sent.
    pub otlp_endpoint: String,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterSection {
    pub name: String,
    pub driver: Driver,
    #[serde(default)]
    pub bootstrap_servers: Vec<String>,
    /// With them the configs of dead brokers can be written.
    #[serde(default)]
    pub controller_bootstrap_servers: Vec<String>,
    /// How long a broker must be gone before it counts as lost.
    #[serde(default = "ten_seconds")]
    pub broker_session_grace: Span,
    #[serde(default)]
    pub approval: Approval,
    /// Of every broker that has no capacity of its own below.
    #[serde(default)]
    pub capacity: CapacitySection,
    #[serde(default)]
    pub broker: Vec<BrokerSection>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub simulated: Option<SimulatedSection>,
}

fn ten_seconds() -> Span {
    Span::seconds(10)
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Driver {
    Kafka,
    Simulated,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Approval {
    #[default]
    None,
    Required,
}

/// What a broker can carry. 0: unknown; for the network `throttle.capacity_bytes_per_second_when_unknown` stands in, the disk is
/// what Kafka tells of its volumes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CapacitySection {
    pub cpu_millicores: u64,
    pub disk_bytes: u64,
    pub network_in_bytes_per_second: u64,
    pub network_out_bytes_per_second: u64,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrokerSection {
    pub id: i32,
    #[serde(default = "default_group")]
    pub group: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<CapacitySection>,
}

fn default_group() -> String {
    "default".into()
}

/// How often each thing is looked at.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MonitorSection {
    /// Brokers, partitions and who is alive.
    pub topology_interval: Span,
    /// End offsets of all leaders.
    pub offsets_interval: Span,
    /// Log directories of all brokers, one after the other over this time.
    pub log_dirs_interval: Span,
    /// Committed offsets of all consumer groups.
    pub groups_interval: Span,
    /// Configurations of topics that plans depend on.
    pub topic_configs_interval: Span,
    /// A dead broker without replicas that Kafka no longer lists is forgotten after this time.
    pub forget_after: Span,
}

impl Default for MonitorSection {
    fn default() -> Self {
        Self {
            topology_interval: Span::seconds(2),
            offsets_interval: Span::seconds(5),
            log_dirs_interval: Span::seconds(30),
            groups_interval: Span::seconds(15),
            topic_configs_interval: Span::seconds(60),
            forget_after: Span::seconds(3_600),
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TasksSection {
    /// Copying moves at once that a broker gives or takes a replica in.
    pub moves_per_broker: u32,
    pub moves_per_cluster: u32,
    /// Elections and changes of order at once in a cluster.
    pub elections: u32,
    /// A step without progress for this long is named as stalled.
    pub stall_after: Span,
}

impl Default for TasksSection {
    fn default() -> Self {
        Self { moves_per_broker: 5, moves_per_cluster: 100, elections: 200, stall_after: Span::seconds(300) }
    }
}

/// Shares are of a broker's network capacity, in percent: what users and moves together may use.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ThrottleSection {
    pub share_percent_rebalance: u64,
    /// Drain, expand, demote, explicit lists, rollback.
    pub share_percent_relocate: u64,
    /// Evacuate.
    pub share_percent_repair: u64,
    /// Stands in for a capacity that is not configured.
    pub capacity_bytes_per_second_when_unknown: u64,
    /// Where consumption is not measured: consumed bytes per 100 produced bytes.
    pub fan_out_percent: u64,
    /// A broker that has something to copy gets at least this.
    pub broker_floor_bytes_per_second: u64,
    /// How often limits are decided anew.
    pub sample_interval: Span,
}

impl Default for ThrottleSection {
    fn default() -> Self {
        Self {
            share_percent_rebalance: 75,
            share_percent_relocate: 80,
            share_percent_repair: 90,
            capacity_bytes_per_second_when_unknown: 125_000_000,
            fan_out_percent: 100,
            broker_floor_bytes_per_second: 1_000_000,
            sample_interval: Span::seconds(5),
        }
    }
}

/// The cluster of `driver = "simulated"` as it is made at its first start.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimulatedSection {
    pub brokers: u32,
    pub racks: u32,
    pub topics: u32,
    pub partitions_per_topic: u32,
    pub replication_factor: u32,
    pub seed: u64,
    pub mean_partition_bytes: u64,
    /// Mean per partition.
    pub produce_bytes_per_second: u64,
    /// How many times as fast as real time the process and its clusters live.
    pub speed: f64,
}

impl Default for SimulatedSection {
    fn default() -> Self {
        Self {
            brokers: 12,
            racks: 3,
            topics: 14,
            partitions_per_topic: 12,
            replication_factor: 3,
            seed: 1,
            mean_partition_bytes: 200_000_000,
            produce_bytes_per_second: 150_000,
            speed: 1.0,
        }
    }
}

impl Config {
    /// What types cannot say. The message names the key.
    pub fn check(&self) -> Result<(), String> {
        if self.event_log.engine == Engine::Kafka {
            return Err("event_log.engine = \"kafka\" is not supported yet: use \"sled\"".into());
        }
        self.listen_address()?;
        self.check_services()?;
        if self.cluster.is_empty() {
            return Err("there is no [[cluster]]: add at least one".into());
        }
        let mut names = BTreeSet::new();
        for cluster in &self.cluster {
            cluster.check().map_err(|problem| format!("cluster {:?}: {problem}", cluster.name))?;
            if !names.insert(&cluster.name) {
                return Err(format!("cluster {:?} is there twice: names are unique", cluster.name));
            }
        }
        Ok(())
    }

    pub fn listen_address(&self) -> Result<std::net::SocketAddr, String> {
        self.listen.parse().map_err(|_| format!("listen = {:?} is no address: write e.g. 127.0.0.1:7420", self.listen))
    }
}

impl ClusterSection {
    /// How many times as fast as real time it lives.
    pub fn speed(&self) -> f64 {
        self.simulated.as_ref().map_or(1.0, |simulated| simulated.speed)
    }

    fn check(&self) -> Result<(), String> {
        let letters = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
        if self.name.is_empty() || self.name.len() > 64 || !self.name.chars().all(letters) {
            return Err("name has 1 to 64 letters, digits, dots, dashes and underscores".into());
        }
        match self.driver {
            Driver::Kafka if self.bootstrap_servers.is_empty() => {
                return Err("bootstrap_servers is empty: name at least one broker as host:port".into());
            }
            Driver::Kafka if self.simulated.is_some() => return Err("simulated is for driver = \"simulated\" only".into()),
            Driver::Simulated if !self.bootstrap_servers.is_empty() || !self.controller_bootstrap_servers.is_empty() => {
                return Err("a simulated cluster has no bootstrap servers".into());
            }
            _ => {}
        }
        for server in self.bootstrap_servers.iter().chain(&self.controller_bootstrap_servers) {
            let legal = server
                .rsplit_once(':')
                .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0));
            if !legal {
                return Err(format!("{server:?} is no server: write host:port"));
            }
        }
        let mut ids = BTreeSet::new();
        if let Some(twice) = self.broker.iter().find(|broker| !ids.insert(broker.id)) {
            return Err(format!("broker {} is there twice", twice.id));
        }
        let Some(simulated) = &self.simulated else { return Ok(()) };
        if simulated.brokers == 0 || simulated.racks == 0 || simulated.racks > simulated.brokers {
            return Err("simulated.brokers is at least 1, and simulated.racks between 1 and that".into());
        }
        if simulated.replication_factor == 0 || simulated.replication_factor > simulated.brokers {
            return Err("simulated.replication_factor is between 1 and simulated.brokers".into());
        }
        if !(simulated.speed >= 0.1 && simulated.speed <= 100.0) {
            return Err(format!("simulated.speed is 0.1 to 100, not {}", simulated.speed));
        }
        Ok(())
    }
}

impl Config {
    fn check_services(&self) -> Result<(), String> {
        let positive = |name: &str, span: Span| {
            if span.0.is_zero() { Err(format!("{name} must be above zero")) } else { Ok(()) }
        };
        positive("monitor.topology_interval", self.monitor.topology_interval)?;
        positive("monitor.offsets_interval", self.monitor.offsets_interval)?;
        positive("monitor.log_dirs_interval", self.monitor.log_dirs_interval)?;
        positive("monitor.groups_interval", self.monitor.groups_interval)?;
        positive("monitor.topic_configs_interval", self.monitor.topic_configs_interval)?;
        positive("tasks.stall_after", self.tasks.stall_after)?;
        positive("throttle.sample_interval", self.throttle.sample_interval)?;
        if [self.tasks.moves_per_broker, self.tasks.moves_per_cluster, self.tasks.elections].contains(&0) {
            return Err("tasks.moves_per_broker, tasks.moves_per_cluster and tasks.elections are at least 1".into());
        }
        let shares = [
            ("share_percent_rebalance", self.throttle.share_percent_rebalance),
            ("share_percent_relocate", self.throttle.share_percent_relocate),
            ("share_percent_repair", self.throttle.share_percent_repair),
        ];
        if let Some((name, share)) = shares.into_iter().find(|(_, share)| !(1..=100).contains(share)) {
            return Err(format!("throttle.{name} is 1 to 100, not {share}"));
        }
        if self.throttle.broker_floor_bytes_per_second == 0 || self.throttle.capacity_bytes_per_second_when_unknown == 0 {
            return Err(
                "throttle.broker_floor_bytes_per_second and throttle.capacity_bytes_per_second_when_unknown are at least 1"
                    .into(),
            );
        }
        let speeds: Vec<f64> = self.cluster.iter().map(ClusterSection::speed).collect();
        if let Some(other) = speeds.iter().find(|speed| **speed != speeds[0]) {
            return Err(format!(
                "simulated.speed is one for all clusters, not {} and {other}: time is one for the whole process",
                speeds[0]
            ));
        }
        Ok(())
    }
}
