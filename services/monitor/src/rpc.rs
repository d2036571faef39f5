//! `ballast.monitor.v1.MonitorService`. Wire types stop here; must not decide anything.

mod to_proto;

use std::pin::Pin;
use std::sync::Arc;

use ballast_cluster::{BrokerId, Snapshot, TopicPartition};
use ballast_proto::monitor::v1 as wire;
use ballast_proto::monitor::v1::monitor_service_server::MonitorService;
use ballast_rpc::{Failure, Reason, RequestContext, mutation, page, page_size, page_token};
use tonic::{Request, Response, Status};

use crate::Monitor;
use crate::commands::unknown_broker;
use crate::counts::{Counts, is_under_replicated};
use crate::journal::Journal;
use crate::watched::Watched;

/// Pieces of a snapshot, well below the size of a message.
const SNAPSHOT_CHUNK_BYTES: usize = 256 * 1024;

/// The service over a monitor.
pub struct MonitorRpc {
    monitor: Arc<Monitor>,
}

impl MonitorRpc {
    pub(crate) fn new(monitor: Arc<Monitor>) -> Self {
        Self { monitor }
    }

    fn cluster(&self, watched: &Watched, journal: &Journal) -> wire::Cluster {
        to_proto::cluster(watched, journal.view(watched.name()), self.monitor.clock.now())
    }

    /// The brokers of a cluster by id, with what they carry.
    async fn brokers(&self, watched: &Watched) -> Result<Vec<wire::Broker>, Failure> {
        let journal = self.monitor.journal.lock().await;
        let view = journal.view(watched.name());
        let snapshot = model(watched, &journal)?;
        Ok(snapshot.brokers.iter().map(|broker| to_proto::broker(broker, &snapshot, view)).collect())
    }

    async fn broker(&self, watched: &Watched, id: BrokerId) -> Result<wire::Broker, Failure> {
        let brokers = self.brokers(watched).await?;
        brokers.into_iter().find(|broker| broker.id == id.0).ok_or_else(|| unknown_broker(watched.name(), id))
    }
}

/// The snapshot that is handed out or, before there is one, the recorded topology.
fn model(watched: &Watched, journal: &Journal) -> Result<Arc<Snapshot>, Failure> {
    let published = watched.snapshot.borrow().clone();
    let view = journal.view(watched.name());
    match published {
        Some(snapshot) => Ok(snapshot),
        None if view.is_known() => Ok(Arc::new(view.topology.clone())),
        None => Err(not_ready(watched)),
    }
}

/// Why there is nothing to show: the cluster's own failure where it has one.
fn not_ready(watched: &Watched) -> Failure {
    let failure = watched.state().failure.clone();
    failure.unwrap_or_else(|| {
        Failure::new(
            Reason::ModelNotReady,
            format!("{} was not looked at completely yet: try again in some seconds", watched.name()),
        )
    })
}

type Pieces = Pin<Box<dyn tokio_stream::Stream<Item = Result<wire::GetSnapshotResponse, Status>> + Send>>;

#[tonic::async_trait]
impl MonitorService for MonitorRpc {
    type GetSnapshotStream = Pieces;

    async fn list_clusters(
        &self,
        request: Request<wire::ListClustersRequest>,
    ) -> Result<Response<wire::ListClustersResponse>, Status> {
        let request = request.into_inner();
        let after: Option<String> = page_token(&request.page_token)?;
        let journal = self.monitor.journal.lock().await;
        let rest = self.monitor.clusters.values().filter(|watched| after.as_deref().is_none_or(|after| watched.name() > after));
        let (clusters, next_page_token) =
            page(rest.map(|watched| self.cluster(watched, &journal)), page_size(request.page_size, 1_000), |cluster| {
                cluster.name.clone()
            });
        Ok(Response::new(wire::ListClustersResponse { clusters, next_page_token }))
    }

    async fn get_cluster(&self, request: Request<wire::GetClusterRequest>) -> Result<Response<wire::GetClusterResponse>, Status> {
        let watched = self.monitor.watched(&request.get_ref().cluster)?;
        let cluster = self.cluster(watched, &*self.monitor.journal.lock().await);
        Ok(Response::new(wire::GetClusterResponse { cluster: Some(cluster) }))
    }

    async fn get_snapshot(&self, request: Request<wire::GetSnapshotRequest>) -> Result<Response<Pieces>, Status> {
        let watched = self.monitor.watched(&request.get_ref().cluster)?;
        let snapshot = watched.snapshot.borrow().clone();
        let snapshot = snapshot.ok_or_else(|| not_ready(watched))?;
        let written = tokio::task::spawn_blocking(move || ballast_snapshot_file::write(&snapshot)).await;
        let text = written.map_err(|error| Failure::new(Reason::Internal, error.to_string()))?;
        let pieces: Vec<_> = text
            .as_bytes()
            .chunks(SNAPSHOT_CHUNK_BYTES)
            .map(|chunk| Ok(wire::GetSnapshotResponse { chunk: chunk.to_vec() }))
            .collect();
        Ok(Response::new(Box::pin(tokio_stream::iter(pieces))))
    }

    async fn list_brokers(
        &self,
        request: Request<wire::ListBrokersRequest>,
    ) -> Result<Response<wire::ListBrokersResponse>, Status> {
        let request = request.into_inner();
        let after: Option<i32> = page_token(&request.page_token)?;
        let brokers = self.brokers(self.monitor.watched(&request.cluster)?).await?;
        let rest = brokers.into_iter().filter(|broker| after.is_none_or(|after| broker.id > after));
        let (brokers, next_page_token) = page(rest, page_size(request.page_size, 1_000), |broker| broker.name.clone());
        Ok(Response::new(wire::ListBrokersResponse { brokers, next_page_token }))
    }

    async fn get_broker(&self, request: Request<wire::GetBrokerRequest>) -> Result<Response<wire::GetBrokerResponse>, Status> {
        let request = request.into_inner();
        let broker = self.broker(self.monitor.watched(&request.cluster)?, BrokerId(request.broker)).await?;
        Ok(Response::new(wire::GetBrokerResponse { broker: Some(broker) }))
    }

    async fn restore_broker(
        &self,
        request: Request<wire::RestoreBrokerRequest>,
    ) -> Result<Response<wire::RestoreBrokerResponse>, Status> {
        let context = RequestContext::of(&request);
        let request = request.into_inner();
        let body = wire::RestoreBrokerRequest { request_id: String::new(), ..request.clone() };
        let context = context.for_command(mutation("RestoreBroker", &request.request_id, &body)?, &request.reason);
        let broker = BrokerId(request.broker);
        let restored = self.monitor.restore_broker(&request.cluster, broker, context, request.validate_only).await?;
        let broker = self.broker(self.monitor.watched(&request.cluster)?, broker).await?;
        let (sequence, replayed) = (restored.sequence, restored.replayed);
        Ok(Response::new(wire::RestoreBrokerResponse { broker: Some(broker), sequence, replayed }))
    }

    async fn list_partitions(
        &self,
        request: Request<wire::ListPartitionsRequest>,
    ) -> Result<Response<wire::ListPartitionsResponse>, Status> {
        let request = request.into_inner();
        let after = page_token::<PartitionToken>(&request.page_token)?.map(|token| token.0);
        let watched = self.monitor.watched(&request.cluster)?;
        let snapshot = model(watched, &*self.monitor.journal.lock().await)?;
        check_filters(&request, watched.name(), &snapshot)?;
        let rest = snapshot.partitions().filter(|(topic, partition)| {
            let is_later = after
                .as_ref()
                .is_none_or(|after| (topic.name.as_str(), partition.index) > (after.topic.as_str(), after.partition));
            is_later
                && (request.topic.is_empty() || topic.name == request.topic)
                && (!request.under_replicated || is_under_replicated(partition))
                && (!request.offline || partition.leader.is_none())
                && (!request.reassigning || partition.is_reassigning())
                && request.broker.is_none_or(|broker| partition.holders().any(|holder| holder == BrokerId(broker)))
        });
        let rest = rest.map(|(topic, partition)| to_proto::partition(topic, partition));
        let (partitions, next_page_token) = page(rest, page_size(request.page_size, 500), |partition| partition.name.clone());
        Ok(Response::new(wire::ListPartitionsResponse { partitions, next_page_token }))
    }

    async fn get_status(&self, _request: Request<wire::GetStatusRequest>) -> Result<Response<wire::GetStatusResponse>, Status> {
        let journal = self.monitor.journal.lock().await;
        let clusters = self.monitor.clusters.values().map(|watched| self.cluster(watched, &journal)).collect();
        let counts = self.monitor.clusters.keys().map(|name| Counts::of(journal.view(name)));
        let totals = to_proto::counts(counts.fold(Counts::default(), Counts::plus));
        Ok(Response::new(wire::GetStatusResponse { clusters, totals: Some(totals) }))
    }
}

/// A topic or broker that is not there is an error, not an empty list.
fn check_filters(request: &wire::ListPartitionsRequest, cluster: &str, snapshot: &Snapshot) -> Result<(), Failure> {
    if !request.topic.is_empty() && snapshot.topic(&request.topic).is_none() {
        return Err(Failure::new(Reason::TopicNotFound, format!("{cluster} has no topic {}", request.topic))
            .with("topic", &request.topic));
    }
    match request.broker.map(BrokerId) {
        Some(broker) if snapshot.broker(broker).is_none() => Err(unknown_broker(cluster, broker)),
        _ => Ok(()),
    }
}

/// The last partition of the page before, as `topic:partition`.
struct PartitionToken(TopicPartition);

impl std::str::FromStr for PartitionToken {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (topic, partition) = text.rsplit_once(':').ok_or(())?;
        Ok(Self(TopicPartition::new(topic, partition.parse().map_err(|_| ())?)))
    }
}
