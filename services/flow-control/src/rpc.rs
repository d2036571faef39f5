//! The gRPC side: checks requests, calls commands, shapes answers. Must not know Kafka or the control law.

mod from_proto;
mod sentences;
mod to_proto;

use std::sync::Arc;

use ballast_event_log::Context;
use ballast_proto::flow::v1 as proto;
use ballast_proto::flow::v1::flow_control_service_server::FlowControlService;
use ballast_rpc::{Failure, RequestContext, mutation};
use tonic::{Request, Response, Status};

use crate::commands::{Cluster, Clusters};

/// The service `ballast.flow.v1.FlowControlService`.
pub struct Rpc {
    clusters: Arc<Clusters>,
}

impl Rpc {
    pub(crate) fn new(clusters: Arc<Clusters>) -> Self {
        Self { clusters }
    }
}

/// The context of a mutation, checked: `body` is the request without its id.
fn context<M: prost::Message>(
    method: &str,
    transport: RequestContext,
    request_id: &str,
    reason: &str,
    body: &M,
) -> Result<Context, Failure> {
    Ok(transport.for_command(mutation(method, request_id, body)?, reason))
}

async fn throttle(cluster: &Cluster) -> Result<Option<proto::Throttle>, Failure> {
    let (view, status) = cluster.throttle().await?;
    Ok(Some(to_proto::throttle(&view, &status)))
}

#[tonic::async_trait]
impl FlowControlService for Rpc {
    async fn get_throttle(
        &self,
        request: Request<proto::GetThrottleRequest>,
    ) -> Result<Response<proto::GetThrottleResponse>, Status> {
        let cluster = self.clusters.find(&request.get_ref().cluster)?;
        Ok(Response::new(proto::GetThrottleResponse { throttle: throttle(cluster).await? }))
    }

    async fn list_throttle_decisions(
        &self,
        request: Request<proto::ListThrottleDecisionsRequest>,
    ) -> Result<Response<proto::ListThrottleDecisionsResponse>, Status> {
        let request = request.into_inner();
        let cluster = self.clusters.find(&request.cluster)?;
        let from = from_proto::page_token(&request.page_token)?;
        let (decisions, next) = cluster.decisions(from, from_proto::page_size(request.page_size)).await?;
        Ok(Response::new(proto::ListThrottleDecisionsResponse {
            decisions: decisions.iter().map(|(envelope, event)| to_proto::decision(envelope, event)).collect(),
            next_page_token: next.map(to_proto::page_token).unwrap_or_default(),
        }))
    }

    async fn set_throttle(
        &self,
        request: Request<proto::SetThrottleRequest>,
    ) -> Result<Response<proto::SetThrottleResponse>, Status> {
        let transport = RequestContext::of(&request);
        let mut request = request.into_inner();
        let id = std::mem::take(&mut request.request_id);
        let context = context("SetThrottle", transport, &id, &request.reason, &request)?;
        let cluster = self.clusters.find(&request.cluster)?;
        let rate_max = from_proto::rate_max(request.limit)?;
        if !request.validate_only {
            cluster.set_limit(context, rate_max).await?;
        }
        Ok(Response::new(proto::SetThrottleResponse { throttle: throttle(cluster).await? }))
    }

    async fn sweep_throttles(
        &self,
        request: Request<proto::SweepThrottlesRequest>,
    ) -> Result<Response<proto::SweepThrottlesResponse>, Status> {
        let transport = RequestContext::of(&request);
        let mut request = request.into_inner();
        let id = std::mem::take(&mut request.request_id);
        let context = context("SweepThrottles", transport, &id, &request.reason, &request)?;
        let cluster = self.clusters.find(&request.cluster)?;
        let swept = cluster.sweep(context, request.validate_only).await?;
        Ok(Response::new(to_proto::swept(&cluster.recorder.cluster, swept)))
    }

    async fn freeze_cluster(
        &self,
        request: Request<proto::FreezeClusterRequest>,
    ) -> Result<Response<proto::FreezeClusterResponse>, Status> {
        let transport = RequestContext::of(&request);
        let mut request = request.into_inner();
        let id = std::mem::take(&mut request.request_id);
        let context = context("FreezeCluster", transport, &id, &request.reason, &request)?;
        let cluster = self.clusters.find(&request.cluster)?;
        if !request.validate_only {
            cluster.freeze(context).await?;
        }
        Ok(Response::new(proto::FreezeClusterResponse { throttle: throttle(cluster).await? }))
    }

    async fn unfreeze_cluster(
        &self,
        request: Request<proto::UnfreezeClusterRequest>,
    ) -> Result<Response<proto::UnfreezeClusterResponse>, Status> {
        let transport = RequestContext::of(&request);
        let mut request = request.into_inner();
        let id = std::mem::take(&mut request.request_id);
        let context = context("UnfreezeCluster", transport, &id, &request.reason, &request)?;
        let cluster = self.clusters.find(&request.cluster)?;
        if !request.validate_only {
            cluster.unfreeze(context).await?;
        }
        Ok(Response::new(proto::UnfreezeClusterResponse { throttle: throttle(cluster).await? }))
    }
}
