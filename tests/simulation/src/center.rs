//! One process of the control center: all services on one log, answering in process. Must not know the story around it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ballast_analyzer::Analyzer;
use ballast_clock::Clock;
use ballast_cluster::Capacity;
use ballast_event_codec::{Meta, new_events};
use ballast_event_log::{Append, Context, EventLog, LogError};
use ballast_events::{Actor, Event, LeaseEvent, StreamName};
use ballast_kafka::KafkaAdmin;
use ballast_monitor::{Monitor, MonitoredCluster};
use ballast_rpc::Failure;
use ballast_task_manager::TaskManager;
use ballast_throttle::Law;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tonic::service::Routes;

pub(crate) const CLUSTER: &str = "c1";
pub(crate) const NETWORK_BYTES_PER_SECOND: u64 = 100_000_000;

/// Dropping it ends everything that runs in it.
pub(crate) struct Center {
    pub routes: Routes,
    loops: JoinSet<Result<(), Failure>>,
    /// Kept open as long as the process lives: nobody asks it to stop.
    _stop: watch::Sender<bool>,
}

impl Center {
    /// Takes the lease, builds the services, starts their loops.
    pub async fn start(log: Arc<dyn EventLog>, kafka: Arc<dyn KafkaAdmin>, clock: Clock) -> Result<Self, Failure> {
        let epoch = Some(take_lease(log.as_ref(), clock).await?);
        let network = NETWORK_BYTES_PER_SECOND;
        let capacity =
            Capacity { network_in_bytes_per_second: network, network_out_bytes_per_second: network, ..Capacity::default() };
        let grace = Duration::from_secs(10);
        let monitored =
            MonitoredCluster { name: CLUSTER.into(), admin: kafka.clone(), grace, capacity, brokers: BTreeMap::new() };
        let monitor = Arc::new(Monitor::new(monitor_config(), log.clone(), vec![monitored], clock, epoch));
        let snapshots = || monitor.snapshots(CLUSTER).expect("the cluster is watched");
        let flow_ports = ballast_flow_control::ClusterPorts {
            kafka: kafka.clone(),
            snapshots: snapshots(),
            clock,
            law: Law::default(),
            config: ballast_flow_control::Config::default(),
        };
        let (flow, governors) = ballast_flow_control::build(&log, epoch, BTreeMap::from([(CLUSTER.to_owned(), flow_ports)]));
        let carried = ballast_task_manager::Cluster { kafka, snapshots: snapshots(), approval_required: false };
        let ports = ballast_task_manager::Ports {
            log: log.clone(),
            clock,
            epoch,
            clusters: BTreeMap::from([(CLUSTER.to_owned(), carried)]),
        };
        let tasks = TaskManager::new(ballast_task_manager::Config::default(), ports);
        let analyzer = Arc::new(Analyzer::new(log.clone(), BTreeMap::from([(CLUSTER.to_owned(), snapshots())]), clock, epoch));
        tasks.replay().await?;

        let (stop, stopped) = watch::channel(false);
        let mut loops = JoinSet::new();
        let watching = monitor.clone();
        loops.spawn(async move { watching.run(std::future::pending()).await });
        let planning = analyzer.clone();
        loops.spawn(async move { planning.run(std::future::pending()).await });
        let (working, until) = (tasks.clone(), stopped.clone());
        loops.spawn(async move { working.run(until).await });
        let failure = |error: ballast_flow_control::FollowError| Failure::new(ballast_rpc::Reason::LogFailed, error.to_string());
        loops.spawn(async move { governors.run(stopped).await.map_err(failure) });

        let mut routes = Routes::builder();
        routes.add_service(analyzer.service());
        routes.add_service(tasks.service());
        routes.add_service(flow.service());
        routes.add_service(ballast_event_log_service::service(log, clock));
        Ok(Self { routes: routes.routes(), loops, _stop: stop })
    }

    /// A service that ended on its own broke its promise.
    pub fn check(&mut self) {
        if let Some(ended) = self.loops.try_join_next() {
            panic!("a service ended: {ended:?}");
        }
    }
}

fn monitor_config() -> ballast_monitor::Config {
    ballast_monitor::Config { log_dirs: Duration::from_secs(10), ..ballast_monitor::Config::default() }
}

async fn take_lease(log: &dyn EventLog, clock: Clock) -> Result<u64, LogError> {
    let context = Context { actor: Actor::ballast("process"), ..Context::default() };
    let taken = Event::Lease(LeaseEvent::LeaseTaken { executor: "simulated".into() });
    let events = new_events(&StreamName::lease(), &taken, clock.now(), &Meta::default());
    Ok(log.append(Append::new(context, None, events).essential()).await?.first_sequence)
}
