//! What the demo asks of a control center: an ordinary client of its port. Must not know the story.

use std::collections::BTreeMap;
use std::time::Duration;

use ballast_proto::analyzer::v1::analyzer_service_client::AnalyzerServiceClient;
use ballast_proto::analyzer::v1::create_plan_request::Goal;
use ballast_proto::analyzer::v1::{CreatePlanRequest, Plan};
use ballast_proto::event::v1::event_log_service_client::EventLogServiceClient;
use ballast_proto::event::v1::{Event, EventFilter, ExplainEventRequest, ReadEventsRequest, VerifyLogRequest, VerifyLogResponse};
use ballast_proto::flow::v1::flow_control_service_client::FlowControlServiceClient;
use ballast_proto::flow::v1::{GetThrottleRequest, Throttle};
use ballast_proto::monitor::v1::monitor_service_client::MonitorServiceClient;
use ballast_proto::monitor::v1::{Broker, Cluster, GetBrokerRequest, GetClusterRequest, ListPartitionsRequest};
use ballast_proto::task::v1::task_manager_service_client::TaskManagerServiceClient;
use ballast_proto::task::v1::{CancelMode, CancelTaskRequest, CreateTaskRequest, GetTaskRequest, ListStepsRequest, Step, Task};

use super::center::CLUSTER;
use crate::cli::client::{ANSWER_BYTES_MAX, Transport, connect, unary};
use crate::cli::exit::CliError;

pub struct Clients {
    monitor: MonitorServiceClient<Transport>,
    analyzer: AnalyzerServiceClient<Transport>,
    tasks: TaskManagerServiceClient<Transport>,
    flow: FlowControlServiceClient<Transport>,
    log: EventLogServiceClient<Transport>,
}

impl Clients {
    pub async fn connect(url: &str) -> Result<Self, CliError> {
        let transport = connect(url).await?;
        Ok(Self {
            monitor: MonitorServiceClient::new(transport.clone()).max_decoding_message_size(ANSWER_BYTES_MAX),
            analyzer: AnalyzerServiceClient::new(transport.clone()).max_decoding_message_size(ANSWER_BYTES_MAX),
            tasks: TaskManagerServiceClient::new(transport.clone()).max_decoding_message_size(ANSWER_BYTES_MAX),
            flow: FlowControlServiceClient::new(transport.clone()),
            log: EventLogServiceClient::new(transport).max_decoding_message_size(ANSWER_BYTES_MAX),
        })
    }

    pub async fn cluster(&mut self) -> Result<Cluster, CliError> {
        let answer = self.monitor.get_cluster(unary(GetClusterRequest { cluster: CLUSTER.into() })).await?.into_inner();
        answer.cluster.ok_or_else(|| CliError::incomplete("cluster"))
    }

    pub async fn broker(&mut self, broker: i32) -> Result<Broker, CliError> {
        let answer = self.monitor.get_broker(unary(GetBrokerRequest { cluster: CLUSTER.into(), broker })).await?.into_inner();
        answer.broker.ok_or_else(|| CliError::incomplete("broker"))
    }

    /// Every replica list by partition.
    pub async fn replica_lists(&mut self) -> Result<BTreeMap<String, Vec<i32>>, CliError> {
        let mut request = ListPartitionsRequest { cluster: CLUSTER.into(), page_size: 1_000, ..ListPartitionsRequest::default() };
        let mut lists = BTreeMap::new();
        loop {
            let page = self.monitor.list_partitions(unary(request.clone())).await?.into_inner();
            lists.extend(page.partitions.into_iter().map(|partition| (partition.name, partition.replicas)));
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() {
                return Ok(lists);
            }
        }
    }

    pub async fn plan(&mut self, goal: Goal, reason: &str) -> Result<Plan, CliError> {
        let request = CreatePlanRequest {
            cluster: CLUSTER.into(),
            goal: Some(goal),
            request_id: request_id(),
            reason: reason.into(),
            ..CreatePlanRequest::default()
        };
        self.analyzer.create_plan(unary(request)).await?.into_inner().plan.ok_or_else(|| CliError::incomplete("plan"))
    }

    pub async fn start(&mut self, plan: &str, reason: &str) -> Result<Task, CliError> {
        let request = CreateTaskRequest {
            plan: plan.into(),
            alternative: 1,
            request_id: request_id(),
            reason: reason.into(),
            validate_only: false,
        };
        self.tasks.create_task(unary(request)).await?.into_inner().task.ok_or_else(|| CliError::incomplete("task"))
    }

    pub async fn task(&mut self, task: &str) -> Result<Task, CliError> {
        let answer = self.tasks.get_task(unary(GetTaskRequest { task: task.into() })).await?.into_inner();
        answer.task.ok_or_else(|| CliError::incomplete("task"))
    }

    pub async fn steps(&mut self, task: &str) -> Result<Vec<Step>, CliError> {
        let request = ListStepsRequest { task: task.into(), page_size: 1_000, page_token: String::new() };
        Ok(self.tasks.list_steps(unary(request)).await?.into_inner().steps)
    }

    pub async fn roll_back(&mut self, task: &str, reason: &str) -> Result<(), CliError> {
        let mode = CancelMode::RollBack.into();
        let request =
            CancelTaskRequest { task: task.into(), mode, request_id: request_id(), reason: reason.into(), validate_only: false };
        self.tasks.cancel_task(unary(request)).await?;
        Ok(())
    }

    pub async fn throttle(&mut self) -> Result<Throttle, CliError> {
        let answer = self.flow.get_throttle(unary(GetThrottleRequest { cluster: CLUSTER.into() })).await?.into_inner();
        answer.throttle.ok_or_else(|| CliError::incomplete("throttle"))
    }

    /// The last event of this type that belongs to the task.
    pub async fn last_event(&mut self, task: &str, event_type: &str) -> Result<Option<Event>, CliError> {
        let filter = EventFilter { task: task.into(), r#type: event_type.into(), ..EventFilter::default() };
        let request = ReadEventsRequest { filter: Some(filter), page_size: 1_000, ..ReadEventsRequest::default() };
        Ok(self.log.read_events(unary(request)).await?.into_inner().events.pop())
    }

    /// The event, then each one's cause.
    pub async fn explain(&mut self, sequence: u64) -> Result<Vec<Event>, CliError> {
        Ok(self.log.explain_event(unary(ExplainEventRequest { sequence })).await?.into_inner().events)
    }

    pub async fn verify(&mut self) -> Result<VerifyLogResponse, CliError> {
        Ok(self.log.verify_log(unary(VerifyLogRequest {})).await?.into_inner())
    }
}

fn request_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// Between two looks at something that changes.
pub const LOOK_INTERVAL: Duration = Duration::from_millis(100);
