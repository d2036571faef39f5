//! The four services and the log's own on one event log: built, started, drained. The same for `serve` and `demo`. Must not know
//! where configuration or clusters come from.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ballast_analyzer::Analyzer;
use ballast_clock::Clock;
use ballast_cluster::Snapshot;
use ballast_event_codec::{Meta, new_events};
use ballast_event_log::{Append, Context, EventLog};
use ballast_events::{Actor, Event, LeaseEvent, StreamName};
use ballast_flow_control::FlowControl;
use ballast_monitor::Monitor;
use ballast_rpc::{Failure, Reason};
use ballast_task_manager::TaskManager;
use ballast_throttle::Law;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tonic::service::Routes;

use super::clusters::ClusterPorts;

/// Services that do not end by then are dropped: all they did is in the log.
const DRAIN_DEADLINE: Duration = Duration::from_secs(10);

/// What the control center is made of.
pub struct Parts {
    pub log: Arc<dyn EventLog>,
    pub clock: Clock,
    pub clusters: Vec<ClusterPorts>,
    pub monitor: ballast_monitor::Config,
    pub flow: ballast_flow_control::Config,
    pub law: Law,
    pub tasks: ballast_task_manager::Config,
}

/// Running services. Dropping it is a crash: everything goes on from the log at the next start.
pub struct ControlCenter {
    pub monitor: Arc<Monitor>,
    pub analyzer: Arc<Analyzer>,
    pub tasks: TaskManager,
    pub flow: FlowControl,
    loops: JoinSet<Result<(), Failure>>,
    stop: watch::Sender<bool>,
    lease: Lease,
}

/// The right to write, as long as nobody takes it anew.
struct Lease {
    log: Arc<dyn EventLog>,
    clock: Clock,
    executor: String,
    epoch: u64,
}

impl ControlCenter {
    /// Takes the lease, builds the services and starts their loops. Gives them with their wire side.
    pub async fn start(parts: Parts) -> Result<(Self, Routes), Failure> {
        let lease = Lease::take(parts.log.clone(), parts.clock).await?;
        let epoch = Some(lease.epoch);
        let monitored = parts.clusters.iter().map(|cluster| cluster.monitored.clone()).collect();
        let monitor = Arc::new(Monitor::new(parts.monitor.clone(), parts.log.clone(), monitored, parts.clock, epoch));
        let (flow, governors) = ballast_flow_control::build(&parts.log, epoch, flow_ports(&parts, &monitor)?);
        let tasks = TaskManager::new(parts.tasks.clone(), task_ports(&parts, &monitor, epoch)?);
        let analyzer = Arc::new(Analyzer::new(parts.log.clone(), all_snapshots(&parts, &monitor)?, parts.clock, epoch));
        // Queries are answered from here on, so the views must hold all that was recorded before.
        tasks.replay().await?;
        let (stop, stopped) = watch::channel(false);
        let mut loops = JoinSet::new();
        let (watching, until) = (monitor.clone(), stopped.clone());
        loops.spawn(async move { watching.run(stop_asked(until)).await });
        let (planning, until) = (analyzer.clone(), stopped.clone());
        loops.spawn(async move { planning.run(stop_asked(until)).await });
        let (working, until) = (tasks.clone(), stopped.clone());
        loops.spawn(async move { working.run(until).await });
        loops.spawn(
            async move { governors.run(stopped).await.map_err(|error| Failure::new(Reason::LogFailed, error.to_string())) },
        );

        let mut routes = Routes::builder();
        routes.add_service(monitor.service());
        routes.add_service(analyzer.service());
        routes.add_service(tasks.service());
        routes.add_service(flow.service());
        routes.add_service(ballast_event_log_service::service(parts.log.clone(), parts.clock));
        Ok((Self { monitor, analyzer, tasks, flow, loops, stop, lease }, routes.routes()))
    }

    /// Resolves when a service cannot go on: the log failed, or somebody else took the lease.
    pub async fn failed(&mut self) -> Failure {
        while let Some(ended) = self.loops.join_next().await {
            match ended {
                Ok(Ok(())) => {}
                Ok(Err(failure)) => return failure,
                Err(panicked) => return Failure::new(Reason::Internal, format!("a service broke down: {panicked}")),
            }
        }
        Failure::new(Reason::Internal, "all services ended without being asked to")
    }

    /// Asks all loops to end, gives back the lease and closes the log.
    pub async fn drain(mut self) {
        // The receivers may be gone already.
        let _ = self.stop.send(true);
        let ended = tokio::time::timeout(DRAIN_DEADLINE, async { while self.loops.join_next().await.is_some() {} }).await;
        if ended.is_err() {
            tracing::warn!("a service did not end in time and is dropped; it goes on from the log at the next start");
        }
        self.lease.release().await;
        self.lease.log.close().await;
    }
}

/// Resolves when `stop` turns true, or its sender is gone.
async fn stop_asked(mut stop: watch::Receiver<bool>) {
    // An error means that the sender is gone: that is a stop too.
    let _ = stop.wait_for(|stop| *stop).await;
}

fn flow_ports(parts: &Parts, monitor: &Monitor) -> Result<BTreeMap<String, ballast_flow_control::ClusterPorts>, Failure> {
    let port = |cluster: &ClusterPorts| {
        let name = cluster.monitored.name.clone();
        let ports = ballast_flow_control::ClusterPorts {
            kafka: cluster.monitored.admin.clone(),
            snapshots: snapshots(monitor, &name)?,
            clock: parts.clock,
            law: parts.law.clone(),
            config: parts.flow.clone(),
        };
        Ok((name, ports))
    };
    parts.clusters.iter().map(port).collect()
}

fn task_ports(parts: &Parts, monitor: &Monitor, epoch: Option<u64>) -> Result<ballast_task_manager::Ports, Failure> {
    let port = |cluster: &ClusterPorts| {
        let name = cluster.monitored.name.clone();
        let (kafka, approval_required) = (cluster.monitored.admin.clone(), cluster.approval_required);
        let snapshots = snapshots(monitor, &name)?;
        Ok((name, ballast_task_manager::Cluster { kafka, snapshots, approval_required }))
    };
    let clusters = parts.clusters.iter().map(port).collect::<Result<_, Failure>>()?;
    Ok(ballast_task_manager::Ports { log: parts.log.clone(), clock: parts.clock, epoch, clusters })
}

fn all_snapshots(parts: &Parts, monitor: &Monitor) -> Result<ballast_analyzer::Snapshots, Failure> {
    let named = |cluster: &ClusterPorts| Ok((cluster.monitored.name.clone(), snapshots(monitor, &cluster.monitored.name)?));
    parts.clusters.iter().map(named).collect()
}

fn snapshots(monitor: &Monitor, cluster: &str) -> Result<watch::Receiver<Option<Arc<Snapshot>>>, Failure> {
    monitor
        .snapshots(cluster)
        .ok_or_else(|| Failure::new(Reason::Internal, format!("the Monitor does not know cluster {cluster}")))
}

impl Lease {
    async fn take(log: Arc<dyn EventLog>, clock: Clock) -> Result<Self, Failure> {
        let executor = format!("ballast-{}-{}", std::process::id(), uuid::Uuid::new_v4().simple());
        let mut lease = Self { log, clock, executor, epoch: 0 };
        lease.epoch = lease.append(LeaseEvent::LeaseTaken { executor: lease.executor.clone() }, None).await?;
        Ok(lease)
    }

    async fn release(&self) {
        let released = self.append(LeaseEvent::LeaseReleased { executor: self.executor.clone() }, Some(self.epoch)).await;
        if let Err(failure) = released {
            tracing::warn!(%failure, "the lease was not given back; the next start takes it anyway");
        }
    }

    async fn append(&self, event: LeaseEvent, epoch: Option<u64>) -> Result<u64, Failure> {
        let context = Context { actor: Actor::ballast("process"), ..Context::default() };
        let events = new_events(&StreamName::lease(), &Event::Lease(event), self.clock.now(), &Meta::default());
        let append = Append::new(context, epoch, events).essential();
        Ok(self.log.append(append).await?.first_sequence)
    }
}
