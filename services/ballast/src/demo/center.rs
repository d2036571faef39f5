//! A control center in a runtime of its own, so that it can be lost as a whole: tasks, connections, memory, without a word of
//! farewell. Must not know the story that is told about it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ballast_clock::Clock;
use ballast_cluster::Capacity;
use ballast_event_log::EventLog;
use ballast_event_log_sled::{OpenError, Options, SledLog};
use ballast_monitor::MonitoredCluster;
use ballast_rpc::{Failure, Reason};
use ballast_sim_cluster::{SimCluster, SimOptions};
use ballast_throttle::Law;
use tokio::sync::oneshot;

use crate::cli::exit::{CliError, Exit};
use crate::cli::log_offline::refused;
use crate::serve::clusters::ClusterPorts;
use crate::serve::control_center::{ControlCenter, Parts};
use crate::serve::front::Front;

/// After a crash the operating system frees the directory at once; within one process the last thread must let go of it first.
const RELEASE_ATTEMPTS: u32 = 100;
const RELEASE_INTERVAL: Duration = Duration::from_millis(50);

pub const CLUSTER: &str = "demo";

/// A running control center.
pub struct Center {
    stop: oneshot::Sender<()>,
    ended: oneshot::Receiver<()>,
    pub address: SocketAddr,
    runtime: Threads,
}

/// Its threads. Dropping them takes everything that runs on them along, without a word of farewell.
struct Threads(Option<tokio::runtime::Runtime>);

impl Drop for Threads {
    fn drop(&mut self) {
        // A runtime that is dropped the plain way waits for its threads, which an asynchronous caller must not.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Center {
    /// Starts on the log in `data_dir`, wherever that log ends.
    pub async fn start(cluster: &SimCluster, data_dir: &Path, clock: Clock) -> Result<Self, CliError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|error| CliError::new(Exit::Error, Reason::Internal, format!("cannot start threads: {error}")))?;
        let (stop, stopped) = oneshot::channel();
        let (over, ended) = oneshot::channel();
        let (started, listening) = oneshot::channel();
        let (cluster, data_dir) = (cluster.clone(), data_dir.to_path_buf());
        runtime.spawn(async move {
            live(cluster, data_dir, clock, started, stopped).await;
            // Nobody may be waiting for it.
            let _ = over.send(());
        });
        let broken = |_| CliError::new(Exit::Error, Reason::Internal, "the control center broke down at its start");
        let runtime = Threads(Some(runtime));
        let address = listening.await.map_err(broken)??;
        Ok(Self { stop, ended, address, runtime })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything of it is gone in the middle of whatever it did.
    pub fn crash(self) {
        drop(self.runtime);
    }

    /// It ends as by SIGTERM.
    pub async fn drain(self) {
        // An error means that it is over already.
        let _ = self.stop.send(());
        let _ = self.ended.await;
    }
}

async fn live(
    cluster: SimCluster,
    data_dir: PathBuf,
    clock: Clock,
    started: oneshot::Sender<Result<SocketAddr, CliError>>,
    stopped: oneshot::Receiver<()>,
) {
    let (front, mut center) = match open(cluster, data_dir, clock).await {
        Ok(open) => open,
        Err(error) => {
            // Nobody waits any more only when the demo itself is over.
            let _ = started.send(Err(error));
            return;
        }
    };
    let _ = started.send(Ok(front.address));
    tokio::select! {
        // A dropped sender is the demo's end.
        _ = stopped => {}
        failure = center.failed() => eprintln!("the control center failed: {failure}"),
    }
    front.drain().await;
    center.drain().await;
}

async fn open(cluster: SimCluster, data_dir: PathBuf, clock: Clock) -> Result<(Front, ControlCenter), CliError> {
    let log: Arc<dyn EventLog> = Arc::new(open_log(&data_dir, clock).await?);
    let local: SocketAddr = ([127, 0, 0, 1], 0).into();
    let front = Front::open(local, Arc::new(String::new)).await.map_err(CliError::from)?;
    let (center, routes) =
        ControlCenter::start(parts(cluster, log, clock)).await.map_err(|failure: Failure| CliError::from(failure))?;
    front.admit(routes).await;
    Ok((front, center))
}

async fn open_log(data_dir: &Path, clock: Clock) -> Result<SledLog, CliError> {
    for _ in 0..RELEASE_ATTEMPTS {
        match SledLog::open(data_dir, clock, Options::default()).await {
            Err(OpenError::InUse(_)) => tokio::time::sleep(RELEASE_INTERVAL).await,
            opened => return opened.map_err(refused),
        }
    }
    Err(refused(OpenError::InUse(data_dir.to_path_buf())))
}

fn parts(cluster: SimCluster, log: Arc<dyn EventLog>, clock: Clock) -> Parts {
    let network = SimOptions::default().network_bytes_per_second;
    let capacity =
        Capacity { network_in_bytes_per_second: network, network_out_bytes_per_second: network, ..Capacity::default() };
    let monitored = MonitoredCluster {
        name: CLUSTER.into(),
        admin: Arc::new(cluster),
        grace: Duration::from_secs(10),
        capacity,
        brokers: Default::default(),
    };
    Parts {
        log,
        clock,
        clusters: vec![ClusterPorts { monitored, approval_required: false }],
        monitor: ballast_monitor::Config { log_dirs: Duration::from_secs(10), ..ballast_monitor::Config::default() },
        flow: ballast_flow_control::Config::default(),
        law: Law::default(),
        tasks: ballast_task_manager::Config::default(),
    }
}
