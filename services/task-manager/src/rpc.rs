//! The gRPC service: from wire to command or query and back. Must not decide anything.

mod from_proto;
mod to_proto;
mod watch;

use std::pin::Pin;
use std::sync::Arc;

use ballast_proto::task::v1 as proto;
use ballast_proto::task::v1::task_manager_service_server::TaskManagerService;
use ballast_rpc::{Failure, RequestContext, mutation, page, page_size, page_token};
use ballast_task::Command;
use prost::Message;
use tonic::{Request, Response, Status};

use crate::Parts;
use crate::commands::{Answer, Asked};
use crate::view::TaskRecord;

pub struct TaskManagerRpc {
    parts: Arc<Parts>,
}

/// The fields that every mutation has.
struct MutationFields {
    request_id: String,
    reason: String,
    validate_only: bool,
}

impl TaskManagerRpc {
    pub(crate) fn new(parts: Arc<Parts>) -> Self {
        Self { parts }
    }

    async fn command(
        &self,
        id: &str,
        command: Command,
        asked: Result<Asked, Failure>,
    ) -> Result<(Option<proto::Task>, Answer), Status> {
        let answer = self.parts.command(id, command, &asked?).await?;
        Ok(self.shown(answer))
    }

    fn shown(&self, answer: Answer) -> (Option<proto::Task>, Answer) {
        (Some(self.task(&answer.record)), answer)
    }

    fn task(&self, record: &TaskRecord) -> proto::Task {
        task_to_proto(&self.parts, record)
    }
}

pub(crate) fn task_to_proto(parts: &Parts, record: &TaskRecord) -> proto::Task {
    let task = &record.task;
    to_proto::task(record, &parts.gauges.progress(&task.id), parts.gauges.trouble(&task.cluster))
}

/// Reads what every mutation carries; `clear` takes the request id out of a copy of the message, so that the hash is of the
/// command alone.
fn asked<M: Message + Clone>(
    method: &'static str,
    request: &Request<M>,
    fields: MutationFields,
    clear: impl FnOnce(&mut M),
) -> Result<Asked, Failure> {
    let mut body = request.get_ref().clone();
    clear(&mut body);
    let MutationFields { request_id, reason, validate_only } = fields;
    let reference = mutation(method, &request_id, &body)?;
    Ok(Asked { method, caller: RequestContext::of(request), request: reference, reason, validate_only })
}

/// `asked` of a message with the usual field names.
macro_rules! asked {
    ($method:literal, $request:expr) => {{
        let message = $request.get_ref();
        let fields = MutationFields {
            request_id: message.request_id.clone(),
            reason: message.reason.clone(),
            validate_only: message.validate_only,
        };
        asked(concat!("ballast.task.v1.TaskManagerService/", $method), &$request, fields, |body| body.request_id.clear())
    }};
}

#[tonic::async_trait]
impl TaskManagerService for TaskManagerRpc {
    async fn create_task(
        &self,
        request: Request<proto::CreateTaskRequest>,
    ) -> Result<Response<proto::CreateTaskResponse>, Status> {
        let asked = asked!("CreateTask", request)?;
        let message = request.into_inner();
        let (task, answer) = self.shown(self.parts.create(&message.plan, message.alternative, &asked).await?);
        Ok(Response::new(proto::CreateTaskResponse { task, sequence: answer.sequence, replayed: answer.replayed }))
    }

    async fn get_task(&self, request: Request<proto::GetTaskRequest>) -> Result<Response<proto::GetTaskResponse>, Status> {
        let record = self.parts.projection.fresh().await?.task(&request.get_ref().task)?.clone();
        Ok(Response::new(proto::GetTaskResponse { task: Some(self.task(&record)) }))
    }

    async fn list_tasks(&self, request: Request<proto::ListTasksRequest>) -> Result<Response<proto::ListTasksResponse>, Status> {
        let message = request.into_inner();
        let before = page_token::<u64>(&message.page_token)?;
        let view = self.parts.projection.fresh().await?;
        let wanted = |record: &&TaskRecord| {
            (message.cluster.is_empty() || record.task.cluster == message.cluster)
                && !(message.open_only && record.task.is_over())
                && before.is_none_or(|before| record.accepted_sequence < before)
        };
        let mut records: Vec<&TaskRecord> = view.tasks.values().filter(wanted).collect();
        records.sort_by_key(|record| std::cmp::Reverse(record.accepted_sequence));
        let key = |record: &&TaskRecord| record.accepted_sequence.to_string();
        let (records, next_page_token) = page(records.into_iter(), page_size(message.page_size, 100), key);
        let tasks = records.into_iter().map(|record| self.task(record)).collect();
        Ok(Response::new(proto::ListTasksResponse { tasks, next_page_token }))
    }

    async fn list_steps(&self, request: Request<proto::ListStepsRequest>) -> Result<Response<proto::ListStepsResponse>, Status> {
        let message = request.into_inner();
        let after = page_token::<u32>(&message.page_token)?;
        let (record, admission) = {
            let view = self.parts.projection.fresh().await?;
            let record = view.task(&message.task)?.clone();
            let admission = view.admission(&record.task.cluster);
            (record, admission)
        };
        let progress = self.parts.gauges.progress(&message.task);
        let rest = record.task.steps.iter().filter(|step| after.is_none_or(|after| step.plan.index > after));
        let key = |step: &&ballast_task::Step| step.plan.index.to_string();
        let (steps, next_page_token) = page(rest, page_size(message.page_size, 500), key);
        let now = self.parts.clock.now();
        let steps = steps.into_iter().map(|step| to_proto::step(&record, step, &admission, &progress, now)).collect();
        Ok(Response::new(proto::ListStepsResponse { steps, next_page_token }))
    }

    async fn approve_task(
        &self,
        request: Request<proto::ApproveTaskRequest>,
    ) -> Result<Response<proto::ApproveTaskResponse>, Status> {
        let asked = asked!("ApproveTask", request);
        let (task, answer) = self.command(&request.get_ref().task, Command::Approve, asked).await?;
        Ok(Response::new(proto::ApproveTaskResponse { task, sequence: answer.sequence, replayed: answer.replayed }))
    }

    async fn reject_task(
        &self,
        request: Request<proto::RejectTaskRequest>,
    ) -> Result<Response<proto::RejectTaskResponse>, Status> {
        let asked = asked!("RejectTask", request);
        let (task, answer) = self.command(&request.get_ref().task, Command::Reject, asked).await?;
        Ok(Response::new(proto::RejectTaskResponse { task, sequence: answer.sequence, replayed: answer.replayed }))
    }

    async fn pause_task(&self, request: Request<proto::PauseTaskRequest>) -> Result<Response<proto::PauseTaskResponse>, Status> {
        let asked = asked!("PauseTask", request);
        let (task, answer) = self.command(&request.get_ref().task, Command::Pause, asked).await?;
        Ok(Response::new(proto::PauseTaskResponse { task, sequence: answer.sequence, replayed: answer.replayed }))
    }

    async fn resume_task(
        &self,
        request: Request<proto::ResumeTaskRequest>,
    ) -> Result<Response<proto::ResumeTaskResponse>, Status> {
        let asked = asked!("ResumeTask", request);
        let (task, answer) = self.command(&request.get_ref().task, Command::Resume, asked).await?;
        Ok(Response::new(proto::ResumeTaskResponse { task, sequence: answer.sequence, replayed: answer.replayed }))
    }

    async fn cancel_task(
        &self,
        request: Request<proto::CancelTaskRequest>,
    ) -> Result<Response<proto::CancelTaskResponse>, Status> {
        let asked = asked!("CancelTask", request);
        let mode = from_proto::cancel_mode(request.get_ref().mode)?;
        let (task, answer) = self.command(&request.get_ref().task, Command::Cancel(mode), asked).await?;
        Ok(Response::new(proto::CancelTaskResponse { task, sequence: answer.sequence, replayed: answer.replayed }))
    }

    async fn rollback_task(
        &self,
        request: Request<proto::RollbackTaskRequest>,
    ) -> Result<Response<proto::RollbackTaskResponse>, Status> {
        let asked = asked!("RollbackTask", request)?;
        let (task, answer) = self.shown(self.parts.roll_back(&request.get_ref().task, &asked).await?);
        Ok(Response::new(proto::RollbackTaskResponse { task, sequence: answer.sequence, replayed: answer.replayed }))
    }

    async fn decide_step(
        &self,
        request: Request<proto::DecideStepRequest>,
    ) -> Result<Response<proto::DecideStepResponse>, Status> {
        let asked = asked!("DecideStep", request);
        let message = request.get_ref();
        let command = Command::Decide { step: message.step, decision: from_proto::decision(message.decision)? };
        let (task, answer) = self.command(&message.task, command, asked).await?;
        Ok(Response::new(proto::DecideStepResponse { task, sequence: answer.sequence, replayed: answer.replayed }))
    }

    type WatchTaskStream = Pin<Box<dyn futures::Stream<Item = Result<proto::WatchTaskResponse, Status>> + Send>>;

    async fn watch_task(&self, request: Request<proto::WatchTaskRequest>) -> Result<Response<Self::WatchTaskStream>, Status> {
        let message = request.into_inner();
        let watched = watch::start(self.parts.clone(), message.task, message.after_sequence).await?;
        Ok(Response::new(Box::pin(tokio_stream::wrappers::ReceiverStream::new(watched))))
    }
}
