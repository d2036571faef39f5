//! From the configuration's sections to what each service calls its own configuration. Must not know files or environments.

use std::sync::Arc;

use ballast_clock::Clock;
use ballast_event_log::EventLog;
use ballast_event_log_sled::Options;
use ballast_throttle::Law;

use super::clusters::ClusterPorts;
use super::control_center::Parts;
use crate::config::Config;

pub fn log_options(config: &Config) -> Options {
    Options { reserve_bytes: config.event_log.reserve_bytes, ..Options::default() }
}

pub fn parts(config: &Config, log: Arc<dyn EventLog>, clock: Clock, clusters: Vec<ClusterPorts>) -> Parts {
    let monitor = &config.monitor;
    let monitor = ballast_monitor::Config {
        topology: monitor.topology_interval.0,
        offsets: monitor.offsets_interval.0,
        log_dirs: monitor.log_dirs_interval.0,
        groups: monitor.groups_interval.0,
        topic_configs: monitor.topic_configs_interval.0,
        forget_after: monitor.forget_after.0,
    };
    let throttle = &config.throttle;
    let flow =
        ballast_flow_control::Config { sample_interval: throttle.sample_interval.0, ..ballast_flow_control::Config::default() };
    let law = Law {
        share_percent_rebalance: throttle.share_percent_rebalance,
        share_percent_relocate: throttle.share_percent_relocate,
        share_percent_repair: throttle.share_percent_repair,
        capacity_bytes_per_second_when_unknown: throttle.capacity_bytes_per_second_when_unknown,
        fan_out_percent: throttle.fan_out_percent,
        broker_floor_bytes_per_second: throttle.broker_floor_bytes_per_second,
        ..Law::default()
    };
    let section = &config.tasks;
    let limits = ballast_task::Limits {
        moves_per_broker_max: section.moves_per_broker,
        moves_per_cluster_max: section.moves_per_cluster,
        elections_max: section.elections,
        stall_seconds: section.stall_after.0.as_secs().max(1),
        ..ballast_task::Limits::default()
    };
    let tasks = ballast_task_manager::Config { limits, ..ballast_task_manager::Config::default() };
    Parts { log, clock, clusters, monitor, flow, law, tasks }
}
