//! `task create | list | get | steps | wait | approve | reject | pause | resume | cancel | rollback | decide | watch`. Must not know
//! how tasks go on.

use ballast_proto::task::v1 as wire;
use ballast_proto::task::v1::task_manager_service_client::TaskManagerServiceClient;
use ballast_proto::task::v1::watch_task_response::Kind;
use ballast_proto::task::v1::{Step, Task, TaskState};
use clap::{Subcommand, ValueEnum};

use super::client::{ANSWER_BYTES_MAX, Transport, connect, unary};
use super::confirm::confirm;
use super::exit::{CliError, Exit};
use super::output::{self, Format};
use super::plan::{self, is_whole, unique};
use super::task_progress::{Stream, wait};
use super::{ClientOptions, task_view};
use crate::quantity::Span;

#[derive(Subcommand, Debug)]
pub enum TaskCommand {
    /// Carry out one alternative of a plan.
    Create {
        /// The plan, as `plan create` named it.
        #[arg(long, value_name = "ID")]
        plan: String,
        /// Rank of the alternative.
        #[arg(long, value_name = "K", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        alternative: u32,
    },
    /// All tasks, the newest first.
    List,
    /// One task in full.
    Get {
        /// The task.
        id: String,
    },
    /// Its steps: what was asked of Kafka, and how it went.
    Steps {
        /// The task.
        id: String,
    },
    /// Wait until it is in a state.
    Wait {
        /// The task.
        id: String,
        /// State to wait for, e.g. PAUSED.
        #[arg(long = "for", value_name = "STATE", default_value = "SUCCEEDED", value_parser = parse_state)]
        wanted: TaskState,
        /// How long to wait, e.g. 10m; for ever unless given.
        #[arg(long, value_name = "SPAN")]
        timeout: Option<Span>,
    },
    /// Let a proposed task start.
    Approve {
        /// The task.
        id: String,
    },
    /// End a proposed task before it starts.
    Reject {
        /// The task.
        id: String,
    },
    /// Start nothing new; moves in flight finish.
    Pause {
        /// The task.
        id: String,
    },
    /// Look whether the plan still fits, and go on.
    Resume {
        /// The task.
        id: String,
    },
    /// Stop it for good; the mode says what becomes of what was moved.
    Cancel {
        /// The task.
        id: String,
        /// What becomes of moves in flight and of finished ones.
        #[arg(long, value_enum, default_value_t = Mode::FinishStep)]
        mode: Mode,
    },
    /// Undo a finished task by a new one.
    Rollback {
        /// The task.
        id: String,
    },
    /// Decide on a step of a task that needs an operator.
    Decide {
        /// The task.
        id: String,
        /// Number of the step, as `task steps` shows it.
        #[arg(long, value_name = "N")]
        step: u32,
        /// What to do about it.
        #[arg(value_enum)]
        decision: Decision,
    },
    /// Print its events as they come, until it ends.
    Watch {
        /// The task.
        id: String,
        /// From this sequence on.
        #[arg(long, value_name = "SEQUENCE")]
        from: Option<u64>,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Mode {
    /// Moves in flight finish.
    FinishStep,
    /// Moves in flight go back to their recorded lists, finished ones stay.
    StopNow,
    /// Moves in flight and finished ones go back.
    RollBack,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Decision {
    /// Another attempt.
    Retry,
    /// Leave this step and the later ones of its partition undone.
    Skip,
    /// It is done, whatever was observed.
    MarkDone,
    /// Take the whole task back.
    RollBack,
    /// Leave everything as it stands and end the task.
    Abandon,
}

fn parse_state(text: &str) -> Result<TaskState, String> {
    task_view::state_named(text).ok_or_else(|| "no state of a task: write e.g. RUNNING, PAUSED, SUCCEEDED".to_owned())
}

type Client = TaskManagerServiceClient<Transport>;

pub async fn task_manager(options: &ClientOptions) -> Result<Client, CliError> {
    Ok(TaskManagerServiceClient::new(connect(&options.server).await?).max_decoding_message_size(ANSWER_BYTES_MAX))
}

pub async fn run(options: &ClientOptions, command: TaskCommand) -> Result<(), CliError> {
    match command {
        TaskCommand::Create { plan, alternative } => create(options, &plan, alternative).await,
        TaskCommand::List => {
            let tasks = list(&mut task_manager(options).await?, options.cluster()).await?;
            options.output().many(&tasks, |task| task.name.clone(), |output| task_view::list(output, &tasks))
        }
        TaskCommand::Get { id } => {
            let mut client = task_manager(options).await?;
            let task = full_name(&mut client, &id).await?;
            let answer = client.get_task(unary(wire::GetTaskRequest { task })).await?.into_inner();
            print(options, answer.task)
        }
        TaskCommand::Steps { id } => {
            let mut client = task_manager(options).await?;
            let task = full_name(&mut client, &id).await?;
            let steps = steps(&mut client, task).await?;
            options.output().many(&steps, |step| step.index.to_string(), |output| task_view::steps(output, &steps))
        }
        TaskCommand::Wait { id, wanted, timeout } => {
            let name = full_name(&mut task_manager(options).await?, &id).await?;
            let waited = wait(options, &name, wanted, timeout.map(|span| span.0)).await;
            match &waited.task {
                Some(task) => print(options, Some(task.clone()))?,
                None if options.output().format == Format::Name => output::line(&name)?,
                None => {}
            }
            waited.result
        }
        TaskCommand::Watch { id, from } => watch(options, &id, from).await,
        other => command_task(options, other).await,
    }
}

async fn create(options: &ClientOptions, plan: &str, alternative: u32) -> Result<(), CliError> {
    confirm(
        options,
        &format!("A task will carry out alternative {alternative} of {plan} on {}: replicas will move.", options.cluster_named()),
    )?;
    let plan = plan::full_name(&mut plan::analyzer(options).await?, plan).await?;
    let request = wire::CreateTaskRequest {
        plan,
        alternative,
        request_id: options.request_id(),
        reason: options.reason(),
        validate_only: options.dry_run,
    };
    let answer = task_manager(options).await?.create_task(unary(request)).await?.into_inner();
    print(options, answer.task)
}

/// Every command on one task: same fields, same answer.
async fn command_task(options: &ClientOptions, command: TaskCommand) -> Result<(), CliError> {
    let (id, deed) = match &command {
        TaskCommand::Approve { id } => (id, format!("{id} will start to move replicas")),
        TaskCommand::Reject { id } => (id, format!("{id} will never start")),
        TaskCommand::Pause { id } => (id, format!("{id} will start nothing new; moves in flight finish")),
        TaskCommand::Resume { id } => (id, format!("{id} will move replicas again")),
        TaskCommand::Cancel { id, mode } => (id, format!("{id} will stop: {}", mode.told())),
        TaskCommand::Rollback { id } => (id, format!("a new task will put back what {id} moved")),
        TaskCommand::Decide { id, step, decision } => (id, format!("step {step} of {id}: {}", decision.told())),
        _ => return Err(CliError::usage("this command has no task")),
    };
    confirm(options, &format!("On {}, {deed}.", options.cluster_named()))?;
    let mut client = task_manager(options).await?;
    let task = full_name(&mut client, id).await?;
    let (request_id, reason, validate_only) = (options.request_id(), options.reason(), options.dry_run);
    let answered = match command {
        TaskCommand::Approve { .. } => {
            client
                .approve_task(unary(wire::ApproveTaskRequest { task, request_id, reason, validate_only }))
                .await?
                .into_inner()
                .task
        }
        TaskCommand::Reject { .. } => {
            client
                .reject_task(unary(wire::RejectTaskRequest { task, request_id, reason, validate_only }))
                .await?
                .into_inner()
                .task
        }
        TaskCommand::Pause { .. } => {
            client.pause_task(unary(wire::PauseTaskRequest { task, request_id, reason, validate_only })).await?.into_inner().task
        }
        TaskCommand::Resume { .. } => {
            client
                .resume_task(unary(wire::ResumeTaskRequest { task, request_id, reason, validate_only }))
                .await?
                .into_inner()
                .task
        }
        TaskCommand::Cancel { mode, .. } => {
            let mode = mode.to_wire().into();
            client
                .cancel_task(unary(wire::CancelTaskRequest { task, mode, request_id, reason, validate_only }))
                .await?
                .into_inner()
                .task
        }
        TaskCommand::Rollback { .. } => {
            client
                .rollback_task(unary(wire::RollbackTaskRequest { task, request_id, reason, validate_only }))
                .await?
                .into_inner()
                .task
        }
        TaskCommand::Decide { step, decision, .. } => {
            let decision = decision.to_wire().into();
            let request = wire::DecideStepRequest { task, step, decision, request_id, reason, validate_only };
            client.decide_step(unary(request)).await?.into_inner().task
        }
        _ => return Err(CliError::usage("this command has no task")),
    };
    print(options, answered)
}

impl Mode {
    fn to_wire(self) -> wire::CancelMode {
        match self {
            Mode::FinishStep => wire::CancelMode::FinishStep,
            Mode::StopNow => wire::CancelMode::StopNow,
            Mode::RollBack => wire::CancelMode::RollBack,
        }
    }

    fn told(self) -> &'static str {
        match self {
            Mode::FinishStep => "moves in flight finish, finished ones stay; the cluster may be less balanced than before",
            Mode::StopNow => "moves in flight go back to their recorded lists, finished ones stay",
            Mode::RollBack => "moves in flight and finished ones go back to their recorded lists",
        }
    }
}

impl Decision {
    fn to_wire(self) -> wire::Decision {
        match self {
            Decision::Retry => wire::Decision::Retry,
            Decision::Skip => wire::Decision::Skip,
            Decision::MarkDone => wire::Decision::MarkDone,
            Decision::RollBack => wire::Decision::RollBack,
            Decision::Abandon => wire::Decision::Abandon,
        }
    }

    fn told(self) -> &'static str {
        match self {
            Decision::Retry => "it is tried again",
            Decision::Skip => "it and the later steps of its partition are left undone",
            Decision::MarkDone => "it counts as done, whatever was observed",
            Decision::RollBack => "the whole task is taken back",
            Decision::Abandon => "the task ends as it stands",
        }
    }
}

fn print(options: &ClientOptions, task: Option<Task>) -> Result<(), CliError> {
    let task = task.ok_or_else(|| CliError::incomplete("task"))?;
    options.output().one(&task, &task.name, |output| task_view::get(output, &task))
}

async fn list(client: &mut Client, cluster: String) -> Result<Vec<Task>, CliError> {
    let mut request = wire::ListTasksRequest { cluster, open_only: false, page_size: 1_000, page_token: String::new() };
    let mut tasks = Vec::new();
    loop {
        let page = client.list_tasks(unary(request.clone())).await?.into_inner();
        tasks.extend(page.tasks);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return Ok(tasks);
        }
    }
}

async fn steps(client: &mut Client, task: String) -> Result<Vec<Step>, CliError> {
    let mut request = wire::ListStepsRequest { task, page_size: 1_000, page_token: String::new() };
    let mut steps = Vec::new();
    loop {
        let page = client.list_steps(unary(request.clone())).await?.into_inner();
        steps.extend(page.steps);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return Ok(steps);
        }
    }
}

/// A whole id as it is; the start of one if it is the start of only one.
async fn full_name(client: &mut Client, id: &str) -> Result<String, CliError> {
    if is_whole(id, "task-") {
        return Ok(id.to_owned());
    }
    let tasks = list(client, String::new()).await?;
    Ok(unique(id, "task-", tasks.iter().map(|task| task.name.as_str())))
}

async fn watch(options: &ClientOptions, id: &str, from: Option<u64>) -> Result<(), CliError> {
    let name = full_name(&mut task_manager(options).await?, id).await?;
    let output = options.output();
    let mut stream = Stream { name: name.clone(), after_sequence: from.unwrap_or(0).saturating_sub(1), failures: 0 };
    let followed = stream.follow(options, |seen| {
        if let Some(Kind::Event(event)) = seen.kind {
            output.record(&event, &event.sequence.to_string(), |_| task_view::event(&event))?;
        }
        Ok(false)
    });
    tokio::select! {
        ended = followed => ended,
        _ = tokio::signal::ctrl_c() => Err(CliError::ended(Exit::Interrupted, "INTERRUPTED", format!("stopped watching; {name} goes on"))),
    }
}
