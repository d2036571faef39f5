//! The Analyzer: turns a snapshot and a goal into several ranked plans, and keeps every plan for ever. Must not know how to talk
//! to Kafka, how snapshots are made, or what becomes of a plan.

mod avoided;
mod commands;
mod patterns;
mod proposer;
mod rpc;
mod view;

pub use patterns::{PatternError, with_matched_topics};
pub use proposer::{Planned, evaluations};
pub use rpc::{AnalyzerRpc, PlanDocument};

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use ballast_clock::Clock;
use ballast_cluster::Snapshot;
use ballast_event_log::{EventLog, LogError};
use ballast_proto::analyzer::v1::analyzer_service_server::AnalyzerServiceServer;
use ballast_rpc::{Failure, Reason};
use tokio::sync::{Mutex, broadcast, watch};

use crate::avoided::Avoided;
use crate::view::Plans;

/// Plans that a listener may be behind before it misses some.
const PLANNED_KEPT: usize = 64;

/// Snapshots by cluster name, as the Monitor hands them out.
pub type Snapshots = BTreeMap<String, watch::Receiver<Option<Arc<Snapshot>>>>;

/// Makes plans for several clusters, one at a time.
pub struct Analyzer {
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) snapshots: Snapshots,
    pub(crate) clock: Clock,
    pub(crate) epoch: Option<u64>,
    pub(crate) plans: Mutex<Plans>,
    pub(crate) avoided: Mutex<Avoided>,
    /// Who measures may listen; nobody has to.
    pub(crate) planned: broadcast::Sender<Planned>,
    /// Held while a plan is made: planning uses whole cores, and two requests with one id shall not both plan.
    pub(crate) planning: Mutex<()>,
}

impl Analyzer {
    /// An analyzer that has read nothing yet. `epoch` is the lease of this process; `None` only on a log without one.
    pub fn new(log: Arc<dyn EventLog>, snapshots: Snapshots, clock: Clock, epoch: Option<u64>) -> Self {
        let plans = Mutex::new(Plans::new(log.clone()));
        let avoided = Mutex::new(Avoided::new(log.clone()));
        Self {
            log,
            snapshots,
            clock,
            epoch,
            plans,
            avoided,
            planned: broadcast::Sender::new(PLANNED_KEPT),
            planning: Mutex::default(),
        }
    }

    /// Keeps the view of plans up to date until `shutdown` resolves. Fails when the log can be used no more.
    pub async fn run(&self, shutdown: impl Future<Output = ()> + Send) -> Result<(), Failure> {
        let follow = async {
            let mut head = self.log.head();
            loop {
                head.mark_unchanged();
                self.plans.lock().await.catch_up().await?;
                self.avoided.lock().await.catch_up().await?;
                if head.changed().await.is_err() {
                    return Err(LogError::Closed.into());
                }
            }
        };
        tokio::select! {
            () = shutdown => Ok(()),
            ended = follow => ended,
        }
    }

    /// Every plan made from now on, validated ones included.
    pub fn planned(&self) -> broadcast::Receiver<Planned> {
        self.planned.subscribe()
    }

    /// Place in the log of the last event that its plans reflect.
    pub async fn folded_until(&self) -> u64 {
        self.plans.lock().await.folded_until()
    }

    /// The wire side, ready to be served.
    pub fn service(self: &Arc<Self>) -> AnalyzerServiceServer<AnalyzerRpc> {
        AnalyzerServiceServer::new(self.rpc())
    }

    /// The wire side, callable in process.
    pub fn rpc(self: &Arc<Self>) -> AnalyzerRpc {
        AnalyzerRpc::new(self.clone())
    }

    /// The name of the cluster meant: the only one when the name is empty.
    pub(crate) fn cluster(&self, name: &str) -> Result<&str, Failure> {
        let names = || self.snapshots.keys().cloned().collect::<Vec<_>>().join(", ");
        if let Some((known, _)) = self.snapshots.get_key_value(name) {
            return Ok(known);
        }
        match self.snapshots.keys().next() {
            Some(only) if name.is_empty() && self.snapshots.len() == 1 => Ok(only),
            _ if name.is_empty() => Err(Failure::invalid(format!("name a cluster; there are: {}", names()))),
            _ => {
                Err(Failure::new(Reason::ClusterNotFound, format!("no cluster {name}; there are: {}", names()))
                    .with("cluster", name))
            }
        }
    }
}
