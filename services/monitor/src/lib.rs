//! The Monitor: what each cluster is and does. Looks at clusters, records only what differs, detects lost and returned brokers,
//! marks draining ones, and hands out snapshots with loads. Must not know goals, plans, steps or throttles.

mod commands;
mod config;
mod counts;
mod disks;
mod drains;
mod gauges;
mod journal;
mod liveness;
mod rates;
mod rpc;
mod sampler;
mod topology;
mod view;
mod watched;
mod witnesses;

pub use config::{BrokerSettings, Config, MonitoredCluster};
pub use counts::Counts;
pub use rpc::MonitorRpc;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use ballast_clock::Clock;
use ballast_cluster::Snapshot;
use ballast_event_log::EventLog;
use ballast_proto::monitor::v1::monitor_service_server::MonitorServiceServer;
use ballast_rpc::{Failure, Reason};
use tokio::sync::{Mutex, watch};

use crate::journal::{Journal, is_final};
use crate::sampler::Sampler;
use crate::watched::Watched;

/// Watches several clusters.
pub struct Monitor {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) journal: Arc<Mutex<Journal>>,
    pub(crate) clusters: BTreeMap<String, Arc<Watched>>,
}

/// One cluster in numbers, for metrics.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClusterFigures {
    pub cluster: String,
    pub reachable: bool,
    /// Age of the last successful look; `None` before the first.
    pub model_age_milliseconds: Option<u64>,
    pub counts: Counts,
}

impl Monitor {
    /// A monitor that has looked at nothing yet. `epoch` is the lease of this process; `None` only on a log without one.
    pub fn new(
        config: Config,
        log: Arc<dyn EventLog>,
        clusters: Vec<MonitoredCluster>,
        clock: Clock,
        epoch: Option<u64>,
    ) -> Self {
        let clusters: BTreeMap<String, Arc<Watched>> =
            clusters.into_iter().map(|cluster| (cluster.name.clone(), Arc::new(Watched::new(cluster)))).collect();
        let journal = Journal::new(log.clone(), clusters.keys().cloned(), clock, epoch);
        Self { config, clock, log, journal: Arc::new(Mutex::new(journal)), clusters }
    }

    /// Folds the log, then watches all clusters until `shutdown` resolves. Fails when the log can be used no more.
    pub async fn run(&self, shutdown: impl Future<Output = ()> + Send) -> Result<(), Failure> {
        self.journal.lock().await.catch_up().await?;
        let samplers: Vec<Sampler> = self.clusters.values().map(|watched| self.sampler(watched)).collect();
        let loops = samplers.iter().map(|sampler| async move {
            tokio::select! {
                biased;
                ended = sampler.watch_topology() => ended,
                () = sampler.watch_offsets() => Ok(()),
                () = sampler.watch_disks() => Ok(()),
                () = sampler.watch_groups() => Ok(()),
                () = sampler.watch_topic_configs() => Ok(()),
            }
        });
        tokio::select! {
            biased;
            () = shutdown => Ok(()),
            ended = futures::future::try_join_all(loops), if !samplers.is_empty() => ended.map(|_| ()),
            ended = self.follow_tasks() => ended,
        }
    }

    /// The latest snapshot of a cluster with loads; `None` inside until sizes and offsets were looked at once, and outside for a
    /// cluster that is not watched.
    pub fn snapshots(&self, cluster: &str) -> Option<watch::Receiver<Option<Arc<Snapshot>>>> {
        self.clusters.get(cluster).map(|watched| watched.snapshot.subscribe())
    }

    /// The wire side, ready to be served.
    pub fn service(self: &Arc<Self>) -> MonitorServiceServer<MonitorRpc> {
        MonitorServiceServer::new(self.rpc())
    }

    /// The wire side, callable in process.
    pub fn rpc(self: &Arc<Self>) -> MonitorRpc {
        MonitorRpc::new(self.clone())
    }

    /// Place in the log of the last event that its views reflect.
    pub async fn folded_until(&self) -> u64 {
        self.journal.lock().await.folded_until()
    }

    /// Every cluster in numbers.
    pub async fn figures(&self) -> Vec<ClusterFigures> {
        let journal = self.journal.lock().await;
        let now = self.clock.now();
        let figures = self.clusters.values().map(|watched| {
            let state = watched.state();
            let age = state.seen_at.map(|seen_at| u64::try_from(now.milliseconds_since(seen_at)).unwrap_or(0));
            ClusterFigures {
                cluster: watched.name().to_owned(),
                reachable: state.failure.is_none() && state.seen_at.is_some(),
                model_age_milliseconds: age,
                counts: Counts::of(journal.view(watched.name())),
            }
        });
        figures.collect()
    }

    fn sampler(&self, watched: &Arc<Watched>) -> Sampler {
        Sampler { watched: watched.clone(), journal: self.journal.clone(), config: self.config.clone(), clock: self.clock }
    }

    /// Marks and unmarks draining brokers as soon as a task event calls for it.
    async fn follow_tasks(&self) -> Result<(), Failure> {
        let mut head = self.log.head();
        loop {
            head.mark_unchanged();
            for watched in self.clusters.values() {
                if let Err(failure) = self.mark_drains(watched).await {
                    if is_final(&failure) {
                        return Err(failure);
                    }
                    tracing::error!(cluster = watched.name(), %failure, "drain marks are not recorded");
                }
            }
            if head.changed().await.is_err() {
                return Err(ballast_event_log::LogError::Closed.into());
            }
        }
    }

    async fn mark_drains(&self, watched: &Watched) -> Result<(), Failure> {
        let mut journal = self.journal.lock().await;
        journal.catch_up().await?;
        let marks = journal.due_marks(watched.name());
        if marks.is_empty() {
            return Ok(());
        }
        journal.observe(watched.name(), marks).await?;
        watched.publish(journal.view(watched.name()), self.clock.now());
        Ok(())
    }

    /// The cluster of that name; the only one when the name is empty.
    pub(crate) fn watched(&self, cluster: &str) -> Result<&Arc<Watched>, Failure> {
        if cluster.is_empty() && self.clusters.len() == 1 {
            return Ok(self.clusters.values().next().expect("there is exactly one"));
        }
        let names = self.clusters.keys().cloned().collect::<Vec<_>>().join(", ");
        if cluster.is_empty() {
            return Err(Failure::invalid(format!("name a cluster; there are: {names}")));
        }
        let unknown = || Failure::new(Reason::ClusterNotFound, format!("no cluster {cluster}; there are: {names}"));
        self.clusters.get(cluster).ok_or_else(|| unknown().with("cluster", cluster))
    }
}
