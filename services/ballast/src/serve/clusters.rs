//! From the configuration to clusters that can be asked: real ones over the Kafka protocol, simulated ones in this process. Must not
//! know what is asked of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ballast_clock::Clock;
use ballast_cluster::{BrokerId, Capacity};
use ballast_kafka::KafkaAdmin;
use ballast_kafka_client::{KafkaClient, KafkaClientConfig};
use ballast_monitor::{BrokerSettings, MonitoredCluster};
use ballast_rpc::{Failure, Reason};
use ballast_sim_cluster::{SimCluster, SimOptions};

use crate::config::{Approval, CapacitySection, ClusterSection, Config, Driver, SimulatedSection};

/// One configured cluster, ready to be asked.
#[derive(Clone)]
pub struct ClusterPorts {
    pub monitored: MonitoredCluster,
    pub approval_required: bool,
}

/// A simulated cluster and the file that it lives in between two runs.
#[derive(Clone)]
pub struct Simulated {
    pub cluster: SimCluster,
    pub file: PathBuf,
}

/// All clusters of the configuration. Real ones are not contacted yet: one that cannot be reached does not stop the others.
pub fn open(config: &Config, clock: Clock) -> Result<(Vec<ClusterPorts>, Vec<Simulated>), Failure> {
    let (mut ports, mut simulated) = (Vec::new(), Vec::new());
    for section in &config.cluster {
        let kafka: Arc<dyn KafkaAdmin> = match section.driver {
            Driver::Kafka => Arc::new(KafkaClient::unconnected(KafkaClientConfig {
                controller_bootstrap_servers: section.controller_bootstrap_servers.clone(),
                ..KafkaClientConfig::new(section.bootstrap_servers.clone())
            })),
            Driver::Simulated => {
                let one = restore_or_make(section, &config.data_dir, clock)?;
                simulated.push(one.clone());
                Arc::new(one.cluster)
            }
        };
        ports.push(ClusterPorts {
            monitored: monitored(section, config.throttle.capacity_bytes_per_second_when_unknown, kafka),
            approval_required: section.approval == Approval::Required,
        });
    }
    Ok((ports, simulated))
}

fn monitored(section: &ClusterSection, network_when_unknown: u64, admin: Arc<dyn KafkaAdmin>) -> MonitoredCluster {
    let brokers: BTreeMap<BrokerId, BrokerSettings> = section
        .broker
        .iter()
        .map(|broker| {
            let capacity = broker.capacity.map(capacity).unwrap_or_default();
            (BrokerId(broker.id), BrokerSettings { group: Some(broker.group.clone()), capacity })
        })
        .collect();
    let mut whole = capacity(section.capacity);
    // Plans and limits must stand on the same figure.
    for unset in [&mut whole.network_in_bytes_per_second, &mut whole.network_out_bytes_per_second] {
        if *unset == 0 {
            *unset = network_when_unknown;
        }
    }
    MonitoredCluster { name: section.name.clone(), admin, grace: section.broker_session_grace.0, capacity: whole, brokers }
}

fn capacity(section: CapacitySection) -> Capacity {
    Capacity {
        cpu_millicores: section.cpu_millicores,
        disk_bytes: section.disk_bytes,
        network_in_bytes_per_second: section.network_in_bytes_per_second,
        network_out_bytes_per_second: section.network_out_bytes_per_second,
    }
}

fn restore_or_make(section: &ClusterSection, data_dir: &Path, clock: Clock) -> Result<Simulated, Failure> {
    let file = data_dir.join(format!("simulated-{}.json", section.name));
    let cluster = match std::fs::read(&file) {
        Ok(bytes) => SimCluster::restore(&bytes, clock)
            .map_err(|error| Failure::new(Reason::LogDamaged, format!("the simulated cluster in {}: {error}", file.display())))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            SimCluster::new(&sim_options(&section.simulated.clone().unwrap_or_default()), clock)
        }
        Err(error) => return Err(Failure::new(Reason::LogFailed, format!("cannot read {}: {error}", file.display()))),
    };
    Ok(Simulated { cluster, file })
}

fn sim_options(section: &SimulatedSection) -> SimOptions {
    SimOptions {
        seed: section.seed,
        brokers: section.brokers,
        racks: section.racks,
        topics: section.topics,
        partitions_per_topic: section.partitions_per_topic,
        replication_factor: section.replication_factor,
        min_insync_replicas: section.replication_factor.min(2),
        mean_partition_bytes: section.mean_partition_bytes,
        produce_bytes_per_second: section.produce_bytes_per_second,
        ..SimOptions::default()
    }
}
