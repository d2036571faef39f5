//! `ballast.analyzer.v1.AnalyzerService`. Wire types stop here; must not decide anything.

mod document;
mod explanation;
mod from_proto;
mod to_proto;
mod utilization;

pub use document::PlanDocument;

use std::sync::Arc;

use ballast_cluster::TopicPartition;
use ballast_event_codec::read_snapshot;
use ballast_proto::analyzer::v1 as wire;
use ballast_proto::analyzer::v1::analyzer_service_server::AnalyzerService;
use ballast_rpc::{Failure, Reason, RequestContext, mutation, page, page_size, page_token};
use tonic::{Request, Response, Status};

use crate::Analyzer;
use crate::commands::Drafted;
use crate::view::Plan;

/// Plans with more moves in all come without them: the moves are listed in pages.
const MOVES_INLINE_MAX: usize = 500;

/// The service over an analyzer.
pub struct AnalyzerRpc {
    analyzer: Arc<Analyzer>,
}

impl AnalyzerRpc {
    pub(crate) fn new(analyzer: Arc<Analyzer>) -> Self {
        Self { analyzer }
    }

    async fn plan(&self, name: &str) -> Result<Arc<Plan>, Failure> {
        let mut plans = self.analyzer.plans.lock().await;
        plans.catch_up().await?;
        plans.get(name)
    }

    async fn message(&self, plan: &Plan) -> wire::Plan {
        let timings = self.analyzer.plans.lock().await.timings(&plan.name);
        to_proto::recorded_plan(plan, timings, MOVES_INLINE_MAX)
    }
}

#[tonic::async_trait]
impl AnalyzerService for AnalyzerRpc {
    async fn create_plan(&self, request: Request<wire::CreatePlanRequest>) -> Result<Response<wire::CreatePlanResponse>, Status> {
        let context = RequestContext::of(&request);
        let request = request.into_inner();
        let body = wire::CreatePlanRequest { request_id: String::new(), ..request.clone() };
        let asked = mutation("CreatePlan", &request.request_id, &body)?;
        let context = context.for_command(asked.clone(), &request.reason);
        let drafted = self.analyzer.create_plan(from_proto::draft(request)?, asked, context).await?;
        let (plan, replayed) = match drafted {
            Drafted::Recorded { plan, replayed } => (self.message(&plan).await, replayed),
            Drafted::Validated(made) => {
                let document = PlanDocument {
                    cluster: &made.cluster,
                    base_sequence: made.base_sequence,
                    data_bytes: Some(made.data_bytes),
                    goal: &made.goal,
                    seed: made.seed,
                    outcome: &made.outcome,
                    timings: Some(made.timings),
                };
                (to_proto::without_many_moves(&document, MOVES_INLINE_MAX), false)
            }
        };
        Ok(Response::new(wire::CreatePlanResponse { plan: Some(plan), replayed }))
    }

    async fn get_plan(&self, request: Request<wire::GetPlanRequest>) -> Result<Response<wire::GetPlanResponse>, Status> {
        let plan = self.plan(&request.get_ref().plan).await?;
        Ok(Response::new(wire::GetPlanResponse { plan: Some(self.message(&plan).await) }))
    }

    async fn list_plans(&self, request: Request<wire::ListPlansRequest>) -> Result<Response<wire::ListPlansResponse>, Status> {
        let request = request.into_inner();
        let before: Option<u64> = page_token(&request.page_token)?;
        if !request.cluster.is_empty() {
            self.analyzer.cluster(&request.cluster)?;
        }
        let mut plans = self.analyzer.plans.lock().await;
        plans.catch_up().await?;
        let rest = plans.newest_first().filter(|plan| {
            before.is_none_or(|before| plan.sequence < before) && (request.cluster.is_empty() || plan.cluster == request.cluster)
        });
        let rest = rest.map(|plan| to_proto::summary(plan));
        let (plans, next_page_token) = page(rest, page_size(request.page_size, 100), |plan| plan.sequence.to_string());
        Ok(Response::new(wire::ListPlansResponse { plans, next_page_token }))
    }

    async fn list_plan_moves(
        &self,
        request: Request<wire::ListPlanMovesRequest>,
    ) -> Result<Response<wire::ListPlanMovesResponse>, Status> {
        let request = request.into_inner();
        // Moves have no key of their own: the token counts those given.
        let given: usize = page_token(&request.page_token)?.unwrap_or(0);
        let plan = self.plan(&request.plan).await?;
        let rank = request.alternative.max(1);
        let alternatives = &plan.outcome.alternatives;
        let alternative = alternatives.get(rank as usize - 1).ok_or_else(|| {
            let message = format!("{} has alternatives 1 to {}, not {rank}", plan.name, alternatives.len());
            Failure::new(Reason::AlternativeNotFound, message).with("plan", &plan.name)
        })?;
        let rest = alternative.moves.iter().enumerate().skip(given);
        let (moves, next_page_token) = page(rest, page_size(request.page_size, 500), |(index, _)| (index + 1).to_string());
        let moves = moves.into_iter().map(|(_, planned)| to_proto::planned_move(planned)).collect();
        let moves_total = to_proto::count(alternative.moves.len());
        Ok(Response::new(wire::ListPlanMovesResponse { moves, next_page_token, moves_total }))
    }

    async fn explain_move(
        &self,
        request: Request<wire::ExplainMoveRequest>,
    ) -> Result<Response<wire::ExplainMoveResponse>, Status> {
        let request = request.into_inner();
        let plan = self.plan(&request.plan).await?;
        let snapshot = read_snapshot(self.analyzer.log.as_ref(), &plan.snapshot).await;
        let snapshot = snapshot.map_err(|error| Failure::new(Reason::EventUnreadable, error.to_string()))?;
        if snapshot.topic(&request.topic).is_none() {
            let message = format!("there was no topic {} when {} was made", request.topic, plan.name);
            return Err(Failure::new(Reason::TopicNotFound, message).with("topic", &request.topic).into());
        }
        let at = TopicPartition::new(request.topic, request.partition);
        let partition = snapshot.partition(&at).ok_or_else(|| {
            Failure::new(Reason::PartitionNotFound, format!("there was no partition {at} when {} was made", plan.name))
                .with("partition", &at)
        })?;
        Ok(Response::new(wire::ExplainMoveResponse {
            plan: plan.name.clone(),
            topic: at.topic.clone(),
            partition: at.partition,
            replicas: to_proto::ids(&partition.replicas),
            leader: partition.leader.map(|leader| leader.0),
            in_sync: to_proto::ids(&partition.in_sync),
            size_bytes: partition.load.size_bytes,
            explanations: explanation::explanations(&plan, &snapshot, &at, partition),
        }))
    }
}
