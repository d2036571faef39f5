//! The Task Manager: carries out approved plans as recorded, cancellable, reversible steps. Must not know how targets are chosen
//! (the plan has said so) nor how fast data may move (Flow Control says so).

mod commands;
mod config;
mod executor;
mod failures;
mod gates;
mod look;
mod progress;
mod recorder;
mod rpc;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ballast_clock::Clock;
use ballast_cluster::Snapshot;
use ballast_event_log::EventLog;
use ballast_kafka::KafkaAdmin;
use ballast_proto::task::v1::task_manager_service_server::TaskManagerServiceServer;
use ballast_rpc::Failure;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;

pub use config::Config;

use crate::executor::{Executor, Gauges};
use crate::recorder::Recorder;
use crate::view::Projection;

/// One cluster as the Task Manager needs it.
#[derive(Clone)]
pub struct Cluster {
    pub kafka: Arc<dyn KafkaAdmin>,
    /// The Monitor's latest snapshot; `None` until it has seen the whole cluster.
    pub snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    /// Tasks wait for approval.
    pub approval_required: bool,
}

/// What the Task Manager is built from.
#[derive(Clone)]
pub struct Ports {
    pub log: Arc<dyn EventLog>,
    pub clock: Clock,
    /// Sequence of the lease event of this process; `None` on a log without leases.
    pub epoch: Option<u64>,
    /// By name.
    pub clusters: BTreeMap<String, Cluster>,
}

/// Cheap to clone; clones are the same Task Manager.
#[derive(Clone)]
pub struct TaskManager {
    parts: Arc<Parts>,
}

pub(crate) struct Parts {
    config: Config,
    log: Arc<dyn EventLog>,
    clock: Clock,
    epoch: Option<u64>,
    clusters: BTreeMap<String, Cluster>,
    projection: Arc<Projection>,
    gauges: Arc<Gauges>,
    creating: Mutex<()>,
}

impl TaskManager {
    pub fn new(config: Config, ports: Ports) -> Self {
        let Ports { log, clock, epoch, clusters } = ports;
        let projection = Arc::new(Projection::new(log.clone()));
        let creating = Mutex::new(());
        Self { parts: Arc::new(Parts { config, log, clock, epoch, clusters, projection, gauges: Arc::default(), creating }) }
    }

    /// Folds the log up to its head: afterwards queries answer at once.
    pub async fn replay(&self) -> Result<(), Failure> {
        self.parts.projection.fresh().await.map(drop)
    }

    /// Place in the log of the last event that its view of tasks reflects.
    pub async fn folded_until(&self) -> u64 {
        self.parts.projection.folded_until().await
    }

    /// Carries out tasks, all clusters side by side, until `shutdown` turns true or the log takes nothing more from this process.
    pub async fn run(&self, shutdown: watch::Receiver<bool>) -> Result<(), Failure> {
        let mut executors = JoinSet::new();
        for (name, cluster) in &self.parts.clusters {
            executors.spawn(self.executor(name, cluster).run(shutdown.clone()));
        }
        while let Some(ended) = executors.join_next().await {
            // A panic in one executor is a defect: it ends the run, the log tells the next process where to go on.
            ended.map_err(|error| Failure::new(ballast_rpc::Reason::Internal, error.to_string()))??;
        }
        Ok(())
    }

    /// The gRPC service.
    pub fn service(&self) -> TaskManagerServiceServer<rpc::TaskManagerRpc> {
        TaskManagerServiceServer::new(rpc::TaskManagerRpc::new(self.parts.clone()))
    }

    fn executor(&self, name: &str, cluster: &Cluster) -> Executor {
        let parts = &self.parts;
        Executor {
            cluster: name.into(),
            config: parts.config.clone(),
            clock: parts.clock,
            kafka: cluster.kafka.clone(),
            snapshots: cluster.snapshots.clone(),
            projection: parts.projection.clone(),
            recorder: Recorder { log: parts.log.clone(), clock: parts.clock, epoch: parts.epoch },
            gauges: parts.gauges.clone(),
            since: parts.clock.now(),
            gates: gates::Gates::default(),
            measured_at: None,
            measured_tasks: BTreeSet::new(),
            held_since: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests;
