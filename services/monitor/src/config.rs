//! What the Monitor is told at start: clusters, how to reach them, what their brokers can carry, how often to look. Must not
//! know where the settings come from.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ballast_cluster::{BrokerId, Capacity};
use ballast_kafka::KafkaAdmin;

/// How often each thing is looked at.
#[derive(Clone, Debug)]
pub struct Config {
    /// Topology, and with it liveness; stretched in proportion on clusters of more than [`PARTITIONS_AT_FULL_PACE`] partitions.
    pub topology: Duration,
    /// End offsets of all leaders.
    pub offsets: Duration,
    /// Log directories of each broker: heavy for it, so brokers are asked one after the other over this time.
    pub log_dirs: Duration,
    /// Committed offsets of all consumer groups.
    pub groups: Duration,
    /// `min.insync.replicas` of all topics.
    pub topic_configs: Duration,
    /// A dead broker without replicas that Kafka no longer lists is forgotten after this time; at once where Kafka lists fenced
    /// brokers (4.0 and later).
    pub forget_after: Duration,
}

pub const PARTITIONS_AT_FULL_PACE: usize = 10_000;

impl Default for Config {
    fn default() -> Self {
        Self {
            topology: Duration::from_secs(2),
            offsets: Duration::from_secs(5),
            log_dirs: Duration::from_secs(30),
            groups: Duration::from_secs(15),
            topic_configs: Duration::from_secs(60),
            forget_after: Duration::from_secs(3_600),
        }
    }
}

/// One cluster to watch.
#[derive(Clone)]
pub struct MonitoredCluster {
    pub name: String,
    pub admin: Arc<dyn KafkaAdmin>,
    /// How long a broker must be gone by two witnesses before it counts as lost.
    pub grace: Duration,
    /// Of brokers without an entry of their own; 0 in `disk_bytes` means as their log directories say.
    pub capacity: Capacity,
    pub brokers: BTreeMap<BrokerId, BrokerSettings>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BrokerSettings {
    /// `None`: "default".
    pub group: Option<String>,
    /// Fields that are 0 are taken from the cluster.
    pub capacity: Capacity,
}

impl MonitoredCluster {
    pub(crate) fn group(&self, broker: BrokerId) -> String {
        self.brokers.get(&broker).and_then(|settings| settings.group.clone()).unwrap_or_else(|| "default".into())
    }

    /// The configured capacity, with `disk_bytes` from the volumes where none is configured.
    pub(crate) fn capacity(&self, broker: BrokerId, volumes_bytes: u64) -> Capacity {
        let own = self.brokers.get(&broker).map(|settings| settings.capacity).unwrap_or_default();
        let first = |values: [u64; 3]| values.into_iter().find(|value| *value > 0).unwrap_or(0);
        Capacity {
            cpu_millicores: first([own.cpu_millicores, self.capacity.cpu_millicores, 0]),
            disk_bytes: first([own.disk_bytes, self.capacity.disk_bytes, volumes_bytes]),
            network_in_bytes_per_second: first([own.network_in_bytes_per_second, self.capacity.network_in_bytes_per_second, 0]),
            network_out_bytes_per_second: first([
                own.network_out_bytes_per_second,
                self.capacity.network_out_bytes_per_second,
                0,
            ]),
        }
    }
}
