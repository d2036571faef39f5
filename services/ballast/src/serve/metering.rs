//! Fills the metrics that no service records itself: the log's, the clusters', the throttles' and the tasks'. Must not know how they
//! are exported. Losing a figure loses no fact: all of them are read anew.

mod model;
mod recorded;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ballast_analyzer::{Analyzer, Planned};
use ballast_clock::Clock;
use ballast_event_log::{Append, Appended, EventLog, Head, LogError};
use ballast_events::{Envelope, StreamName};
use ballast_flow_control::FlowControl;
use ballast_monitor::Monitor;
use ballast_task_manager::TaskManager;
use ballast_telemetry::Instruments;
use opentelemetry::KeyValue;
use tokio::sync::{broadcast, watch};

use recorded::Recorded;

const INTERVAL: Duration = Duration::from_secs(5);

/// A log whose appends are timed.
pub struct MeteredLog {
    log: Arc<dyn EventLog>,
    instruments: Instruments,
}

impl MeteredLog {
    pub fn new(log: Arc<dyn EventLog>, instruments: Instruments) -> Self {
        Self { log, instruments }
    }
}

#[async_trait::async_trait]
impl EventLog for MeteredLog {
    #[expect(clippy::disallowed_methods, reason = "measures real elapsed time of an append, decides nothing")]
    async fn append(&self, append: Append) -> Result<Appended, LogError> {
        let started = std::time::Instant::now();
        let appended = self.log.append(append).await;
        self.instruments.append_duration_seconds.record(started.elapsed().as_secs_f64(), &[]);
        appended
    }

    async fn read(&self, from: u64, limit: usize) -> Result<Vec<Arc<Envelope>>, LogError> {
        self.log.read(from, limit).await
    }

    async fn read_stream(&self, stream: &StreamName, from_version: u64, limit: usize) -> Result<Vec<Arc<Envelope>>, LogError> {
        self.log.read_stream(stream, from_version, limit).await
    }

    async fn stream_version(&self, stream: &StreamName) -> Result<u64, LogError> {
        self.log.stream_version(stream).await
    }

    async fn request(&self, id: &str) -> Result<Option<(Appended, [u8; 32])>, LogError> {
        self.log.request(id).await
    }

    fn head(&self) -> watch::Receiver<Head> {
        self.log.head()
    }

    async fn close(&self) {
        self.log.close().await;
    }
}

/// What figures are read from.
pub struct Sources {
    pub log: Arc<dyn EventLog>,
    pub data_dir: PathBuf,
    pub monitor: Arc<Monitor>,
    pub analyzer: Arc<Analyzer>,
    pub tasks: TaskManager,
    pub flow: FlowControl,
    pub clock: Clock,
}

/// Records until dropped.
pub async fn observe(sources: Sources, instruments: Instruments) {
    instruments.build_info.record(1, &[KeyValue::new("version", env!("CARGO_PKG_VERSION"))]);
    let counting = Recorded::follow(sources.log.clone(), sources.clock, instruments.clone());
    let sampling = async {
        loop {
            sample(&sources, &instruments).await;
            tokio::time::sleep(INTERVAL).await;
        }
    };
    tokio::join!(counting, sampling, time_plans(sources.analyzer.planned(), &instruments));
}

/// Until the Analyzer is gone. Plans that came faster than they could be counted are missed.
async fn time_plans(mut planned: broadcast::Receiver<Planned>, instruments: &Instruments) {
    loop {
        match planned.recv().await {
            Ok(Planned { kind, milliseconds }) => {
                let label = KeyValue::new("kind", kind.as_str());
                instruments.plan_duration_seconds.record(milliseconds as f64 / 1_000.0, &[label]);
            }
            Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}

/// How far each service is behind the log; of several clusters the one furthest behind.
async fn sample_projections(sources: &Sources, head: u64, instruments: &Instruments) {
    let flow = sources.flow.statuses().into_values().map(|status| status.borrow().folded_until).min();
    for (projection, folded_until) in [
        ("monitor", sources.monitor.folded_until().await),
        ("analyzer", sources.analyzer.folded_until().await),
        ("task-manager", sources.tasks.folded_until().await),
        ("flow-control", flow.unwrap_or(head)),
    ] {
        let lag = head.saturating_sub(folded_until);
        instruments.projection_lag.record(lag, &[KeyValue::new("projection", projection)]);
    }
}

async fn sample(sources: &Sources, instruments: &Instruments) {
    let head = sources.log.head().borrow().sequence;
    instruments.head_sequence.record(head, &[]);
    sample_projections(sources, head, instruments).await;
    let data_dir = sources.data_dir.clone();
    if let Ok(bytes) = tokio::task::spawn_blocking(move || folder_bytes(&data_dir)).await {
        instruments.log_size.record(bytes, &[]);
    }
    for figures in sources.monitor.figures().await {
        sample_model(&sources.monitor, &figures.cluster, instruments);
        let cluster = KeyValue::new("cluster", figures.cluster.clone());
        if let Some(age) = figures.model_age_milliseconds {
            instruments.model_age_seconds.record(age as f64 / 1_000.0, std::slice::from_ref(&cluster));
        }
        for (state, count) in [
            ("alive", figures.counts.brokers_alive),
            ("draining", figures.counts.brokers_draining),
            ("suspected", figures.counts.brokers_suspected),
            ("dead", figures.counts.brokers_dead),
        ] {
            instruments.brokers.record(u64::from(count), &[cluster.clone(), KeyValue::new("state", state)]);
        }
        for (state, count) in [
            ("all", figures.counts.partitions),
            ("under_replicated", figures.counts.under_replicated),
            ("offline", figures.counts.offline),
            ("reassigning", figures.counts.reassigning),
        ] {
            instruments.partitions.record(u64::from(count), &[cluster.clone(), KeyValue::new("state", state)]);
        }
    }
    sample_throttles(&sources.flow, instruments);
}

fn sample_throttles(flow: &FlowControl, instruments: &Instruments) {
    for (name, status) in flow.statuses() {
        let status = status.borrow();
        let cluster = KeyValue::new("cluster", name);
        instruments.stale_throttles.record(status.stale_throttles, std::slice::from_ref(&cluster));
        for (broker, state) in &status.brokers {
            let labels = [cluster.clone(), KeyValue::new("broker", i64::from(broker.0)), KeyValue::new("direction", "out")];
            // A limit that is gone stays visible as 0: gauges have no way to end.
            let limit = state.limit.map_or(0, |limit| limit.bytes_per_second);
            instruments.throttle_limit.record(limit, &labels);
            if let Some(utilization) = state.utilization_ratio() {
                instruments.throttle_utilization.record(utilization, &labels);
            }
        }
    }
}

fn sample_model(monitor: &Monitor, cluster: &str, instruments: &Instruments) {
    let Some(Some(snapshot)) = monitor.snapshots(cluster).map(|latest| latest.borrow().clone()) else { return };
    let cluster = KeyValue::new("cluster", cluster.to_owned());
    if let Some(share) = model::measured_share(&snapshot) {
        instruments.model_valid.record(share, std::slice::from_ref(&cluster));
    }
    for (resource, ratio) in model::max_to_mean(&snapshot) {
        instruments.balance_max_to_mean.record(ratio, &[cluster.clone(), KeyValue::new("resource", resource)]);
    }
}

fn folder_bytes(folder: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => folder_bytes(&entry.path()),
        Ok(metadata) => metadata.len(),
        // Gone between listing and looking.
        Err(_) => 0,
    };
    entries.map(size).sum()
}
