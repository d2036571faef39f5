//! What happens in the world of a seed: a task, what somebody does to it, what breaks meanwhile, until it has ended. Must not know
//! how an end is judged.

use ballast_cluster::BrokerId;
use ballast_event_log::EventLog;
use ballast_proto::analyzer::v1::analyzer_service_client::AnalyzerServiceClient;
use ballast_proto::analyzer::v1::create_plan_request::Goal;
use ballast_proto::analyzer::v1::{CreatePlanRequest, DrainGoal, EvacuateGoal};
use ballast_proto::flow::v1::flow_control_service_client::FlowControlServiceClient;
use ballast_proto::flow::v1::{FreezeClusterRequest, UnfreezeClusterRequest};
use ballast_proto::task::v1::task_manager_service_client::TaskManagerServiceClient;
use ballast_proto::task::v1::{
    CancelMode, CancelTaskRequest, CreateTaskRequest, GetTaskRequest, ListStepsRequest, PauseTaskRequest, ResumeTaskRequest,
    RollbackTaskRequest, Task, TaskState,
};

use crate::center::CLUSTER;
use crate::judge::{self, Promise};
use crate::mortal::Death;
use crate::world::{BROKERS, World};

/// What came of one seed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Told {
    /// In the order of the log.
    pub event_types: Vec<String>,
    /// How the tasks ended.
    pub ends: Vec<&'static str>,
    pub deaths: usize,
    pub seconds: i64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Plot {
    Drain,
    /// A broker dies for good.
    Evacuate,
    Cancel(CancelMode),
    Pause,
    Freeze,
    /// The finished task is rolled back by another.
    RollBack,
    /// A broker that has nothing to do with the goal is away for a while.
    Absence,
}

const PLOTS: [Plot; 9] = [
    Plot::Drain,
    Plot::Evacuate,
    Plot::Cancel(CancelMode::FinishStep),
    Plot::Cancel(CancelMode::StopNow),
    Plot::Cancel(CancelMode::RollBack),
    Plot::Pause,
    Plot::Freeze,
    Plot::RollBack,
    Plot::Absence,
];

/// Lives through the world of `seed` and checks every promise at its end; panics with a diary where one is broken.
pub async fn tell(seed: u64) -> Told {
    let mut world = World::new(seed);
    let plot = PLOTS[(seed % PLOTS.len() as u64) as usize];
    let mishaps = world.dice.pick(&[0, 0, 20, 60]);
    let deaths = world.dice.pick(&[0, 1, 3, 8]);
    for _ in 0..deaths {
        let death = Death { append: 1 + world.dice.below(70), is_taken: world.dice.below(2) == 0 };
        world.deaths.push_back(death);
    }
    world.note(format!("seed {seed}: {plot:?}, {mishaps} of 1000 calls fail, up to {deaths} deaths"));
    let before = judge::lists(&world).await;
    world.build().await;
    // Beside the beat of the services: what falls into one instant has no order.
    world.pass(15_300).await;
    let mut ends = Vec::new();
    let promise = act(&mut world, plot, mishaps, &mut ends).await;
    world.set_mishaps(0);
    judge::judge(&mut world, &before, &promise).await;
    let recorded = world.log.read(1, usize::MAX).await.expect("it reads");
    Told {
        event_types: recorded.iter().map(|envelope| envelope.header.event_type.clone()).collect(),
        ends,
        deaths: deaths as usize - world.deaths.len(),
        seconds: (world.clock.now().milliseconds - 1_700_000_000_000) / 1_000,
    }
}

async fn act(world: &mut World, plot: Plot, mishaps: u64, ends: &mut Vec<&'static str>) -> Promise {
    let broker = 1 + world.dice.below(u64::from(BROKERS)) as i32;
    let goal = match plot {
        Plot::Evacuate => {
            world.note(format!("broker {broker} dies"));
            world.sim.kill(BrokerId(broker));
            Goal::Evacuate(EvacuateGoal { brokers: vec![broker] })
        }
        _ => Goal::Drain(DrainGoal { brokers: vec![broker] }),
    };
    let plan = plan(world, goal).await;
    world.set_mishaps(mishaps);
    let task = create(world, &plan).await;
    let pause = world.dice.below(20_000);
    let mut promise = Promise { task: task.clone(), undoes: None, leaders: true, throttled: mishaps == 0 };
    match plot {
        Plot::Drain | Plot::Evacuate => {}
        Plot::Cancel(mode) => {
            world.pass(pause).await;
            cancel(world, &task, mode).await;
        }
        Plot::Pause => {
            world.pass(pause).await;
            halt_for_a_while(world, &task).await;
        }
        Plot::Freeze => {
            world.pass(pause).await;
            freeze_for_a_while(world).await;
        }
        Plot::Absence => {
            let other = 1 + (broker + world.dice.below(5) as i32) % BROKERS as i32;
            world.pass(pause).await;
            world.note(format!("broker {other} is away"));
            world.sim.kill(BrokerId(other));
            let away = 2_000 + world.dice.below(40_000);
            world.pass(away).await;
            world.sim.revive(BrokerId(other));
            world.note(format!("broker {other} returns"));
            promise.leaders = false;
        }
        Plot::RollBack => {
            ends.push(end_of(world, &task, &promise).await);
            let Some(undo) = roll_back(world, &task).await else { return promise };
            promise = Promise { task: undo.clone(), undoes: Some(task), ..promise };
            ends.push(end_of(world, &undo, &promise).await);
            return promise;
        }
    }
    ends.push(end_of(world, &task, &promise).await);
    promise
}

/// A plan, as soon as there can be one.
async fn plan(world: &mut World, goal: Goal) -> String {
    for _ in 0..120 {
        let request_id = world.request_id();
        let request = CreatePlanRequest {
            cluster: CLUSTER.into(),
            goal: Some(goal.clone()),
            time_budget_milliseconds: Some(50),
            request_id,
            ..CreatePlanRequest::default()
        };
        let answer = world.ask(|routes| {
            let request = request.clone();
            async move { AnalyzerServiceClient::new(routes).create_plan(request).await }
        });
        match answer.await {
            Ok(answer) => {
                let plan = answer.into_inner().plan.expect("a plan").name;
                world.note(format!("planned {plan}"));
                return plan;
            }
            // The broker is not known to be dead yet.
            Err(_) => world.pass(1_000).await,
        }
    }
    panic!("no plan:\n{}", world.diary.join("\n"));
}

async fn create(world: &mut World, plan: &str) -> String {
    let request = CreateTaskRequest { plan: plan.into(), request_id: world.request_id(), ..CreateTaskRequest::default() };
    let answer = world.ask(|routes| {
        let request = request.clone();
        async move { TaskManagerServiceClient::new(routes).create_task(request).await }
    });
    let task = answer.await.expect("a task").into_inner().task.expect("a task").name;
    world.note(format!("created {task}"));
    task
}

/// `None`: it changed nothing.
async fn roll_back(world: &mut World, task: &str) -> Option<String> {
    let request = RollbackTaskRequest { task: task.into(), request_id: world.request_id(), ..RollbackTaskRequest::default() };
    let answer = world.ask(|routes| {
        let request = request.clone();
        async move { TaskManagerServiceClient::new(routes).rollback_task(request).await }
    });
    let undo = match answer.await {
        Ok(answer) => Some(answer.into_inner().task.expect("a task").name),
        Err(status) if status.message().ends_with("changed nothing") => None,
        Err(status) => panic!("{status}"),
    };
    world.note(format!("rolls back with {undo:?}"));
    undo
}

async fn cancel(world: &mut World, task: &str, mode: CancelMode) {
    let request = CancelTaskRequest {
        task: task.into(),
        mode: mode.into(),
        request_id: world.request_id(),
        ..CancelTaskRequest::default()
    };
    let answer = world.ask(|routes| {
        let request = request.clone();
        async move { TaskManagerServiceClient::new(routes).cancel_task(request).await }
    });
    // It may have ended already.
    let refusal = answer.await.err().map(|status| status.message().to_owned());
    world.note(format!("cancels, {mode:?}, refused: {refusal:?}"));
}

async fn halt_for_a_while(world: &mut World, task: &str) {
    let request = PauseTaskRequest { task: task.into(), request_id: world.request_id(), ..PauseTaskRequest::default() };
    let answer = world.ask(|routes| {
        let request = request.clone();
        async move { TaskManagerServiceClient::new(routes).pause_task(request).await }
    });
    let refusal = answer.await.err().map(|status| status.message().to_owned());
    world.note(format!("pauses, refused: {refusal:?}"));
    if refusal.is_some() {
        return;
    }
    while state(world, task).await.state() != TaskState::Paused {
        world.pass(500).await;
    }
    let (asked, wait) = (judge::lists(world).await, world.dice.below(60_000));
    world.pass(wait).await;
    assert_eq!(asked, judge::lists(world).await, "a paused task does nothing:\n{}", world.diary.join("\n"));
    let request = ResumeTaskRequest { task: task.into(), request_id: world.request_id(), ..ResumeTaskRequest::default() };
    let answer = world.ask(|routes| {
        let request = request.clone();
        async move { TaskManagerServiceClient::new(routes).resume_task(request).await }
    });
    answer.await.expect("it resumes");
    world.note("resumes");
}

async fn freeze_for_a_while(world: &mut World) {
    let request = FreezeClusterRequest { cluster: CLUSTER.into(), request_id: world.request_id(), ..Default::default() };
    let answer = world.ask(|routes| {
        let request = request.clone();
        async move { FlowControlServiceClient::new(routes).freeze_cluster(request).await }
    });
    answer.await.expect("it freezes");
    let wait = world.dice.below(100_000);
    world.note("freezes");
    world.pass(wait).await;
    let request = UnfreezeClusterRequest { cluster: CLUSTER.into(), request_id: world.request_id(), ..Default::default() };
    let answer = world.ask(|routes| {
        let request = request.clone();
        async move { FlowControlServiceClient::new(routes).unfreeze_cluster(request).await }
    });
    answer.await.expect("it goes on");
    world.note("unfreezes");
}

pub(crate) async fn state(world: &mut World, task: &str) -> Task {
    let request = GetTaskRequest { task: task.into() };
    let answer = world.ask(|routes| {
        let request = request.clone();
        async move { TaskManagerServiceClient::new(routes).get_task(request).await }
    });
    answer.await.expect("it is there").into_inner().task.expect("a task")
}

/// The state that the task ends in, within two hours.
async fn end_of(world: &mut World, task: &str, promise: &Promise) -> &'static str {
    let mut known = TaskState::Unspecified;
    for _ in 0..14_400 {
        let now = state(world, task).await;
        if now.state() != known {
            known = now.state();
            world.note(format!("{} {} {}", known.as_str_name(), now.reason_code, now.detail));
        }
        if now.end_time.is_some() {
            return known.as_str_name();
        }
        if promise.throttled {
            judge::every_copy_is_throttled(world).await;
        }
        world.pass(500).await;
    }
    let request = ListStepsRequest { task: task.into(), ..ListStepsRequest::default() };
    let answer = world.ask(|routes| {
        let request = request.clone();
        async move { TaskManagerServiceClient::new(routes).list_steps(request).await }
    });
    let steps = answer.await.expect("it lists").into_inner().steps;
    let diary = world.diary.join("\n");
    panic!("the task does not end: {steps:#?}\n{diary}\n{}", judge::throttle_events(world).await);
}
