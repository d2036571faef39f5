//! The whole service on a simulated cluster: what happens to a cluster and to its tasks, from the outside.

mod witness;
mod world;

use std::time::Duration;

use ballast_cluster::BrokerId;
use ballast_event_log::EventLog;
use ballast_kafka::{ConfigAlteration, ConfigOperation, ConfigResource, KafkaAdmin};
use ballast_proto::task::v1 as proto;
use ballast_proto::task::v1::TaskState;
use ballast_proto::task::v1::task_manager_service_server::TaskManagerService;
use ballast_proto::task::v1::watch_task_response::Kind;
use ballast_sim_cluster::{Call, Fault, Mishap};
use tokio_stream::StreamExt as _;
use tonic::{Request, Status};
use tonic_types::StatusExt as _;

use world::{World, ids, partition};

fn reason(status: &Status) -> String {
    status.get_error_details().error_info().map(|info| info.reason.clone()).unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_dead_broker_is_evacuated() {
    let world = World::new(&[&[1, 2, 3], &[2, 3, 4], &[3, 1, 2]]).await;
    world.sim.kill(BrokerId(1));
    world.seconds(15).await;
    let task = world.create("evacuate", &[(0, &[1, 2, 3], &[4, 2, 3]), (2, &[3, 1, 2], &[3, 4, 2])]).await;
    let task = world.wait_for(&task, TaskState::Succeeded).await;
    assert_eq!(world.lists().await, "4,2,3@4 2,3,4@2 3,4,2@3");
    assert_eq!((task.steps_done, task.bytes_done, task.bytes_total), (3, 2 * world::PARTITION_BYTES, 2 * world::PARTITION_BYTES));
    assert!(world.kafka.repeated().is_empty());
}

/// Three partitions leave broker 1 one after the other; cancelled when the first is done and the second copies.
async fn check_cancel(mode: proto::CancelMode, state: TaskState, lists: &str) {
    let mut world = World::new(&[&[1, 2, 3], &[3, 1, 2], &[1, 2, 3]]).await;
    world.config.limits.moves_per_cluster_max = 1;
    world.crash().await;
    let moves: [(u32, &[i32], &[i32]); 3] =
        [(0, &[1, 2, 3], &[4, 2, 3]), (1, &[3, 1, 2], &[3, 5, 2]), (2, &[1, 2, 3], &[1, 2, 6])];
    let task = world.create("drain", &moves).await;
    world.sim.set_speed(BrokerId(5), 20);
    let of_second = |steps: &[proto::Step]| steps.iter().any(|step| step.partition == 1 && step.bytes_done > 0);
    while !of_second(&world.steps(&task).await) {
        world.clock.sleep(Duration::from_millis(100)).await;
    }
    world.cancel(&task, mode).await;
    world.wait_for(&task, state).await;
    assert_eq!(world.lists().await, lists, "{:?}", world.kafka.asked());
}

#[tokio::test(start_paused = true)]
async fn finish_step_lets_the_move_in_flight_finish() {
    check_cancel(proto::CancelMode::FinishStep, TaskState::PartiallyApplied, "4,2,3@4 3,5,2@3 1,2,3@1").await;
}

#[tokio::test(start_paused = true)]
async fn stop_now_puts_the_move_in_flight_back() {
    check_cancel(proto::CancelMode::StopNow, TaskState::PartiallyApplied, "4,2,3@4 3,1,2@3 1,2,3@1").await;
}

#[tokio::test(start_paused = true)]
async fn roll_back_puts_everything_back() {
    check_cancel(proto::CancelMode::RollBack, TaskState::RolledBack, "1,2,3@1 3,1,2@3 1,2,3@1").await;
}

#[tokio::test(start_paused = true)]
async fn a_finished_task_is_rolled_back_by_a_new_one() {
    let world = World::new(&[&[1, 2, 3], &[3, 1, 2]]).await;
    let task = world.create("drain", &[(0, &[1, 2, 3], &[4, 5, 3]), (1, &[3, 1, 2], &[2, 3, 6])]).await;
    world.wait_for(&task, TaskState::Succeeded).await;
    assert_eq!(world.lists().await, "4,5,3@4 2,3,6@2");
    let undo = world.roll_back(&task).await.unwrap();
    assert_eq!((undo.rolls_back.as_deref(), undo.goal.as_str()), (Some(task.as_str()), "rollback"));
    world.wait_for(&undo.name, TaskState::Succeeded).await;
    assert_eq!(world.lists().await, "1,2,3@1 3,1,2@3");
    assert_eq!(world.task(&task).await.state(), TaskState::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_rollback_to_a_dead_broker_is_rejected() {
    let world = World::new(&[&[1, 2, 3]]).await;
    let task = world.create("drain", &[(0, &[1, 2, 3], &[4, 2, 3])]).await;
    world.wait_for(&task, TaskState::Succeeded).await;
    world.sim.kill(BrokerId(1));
    world.seconds(15).await;
    assert_eq!(reason(&world.roll_back(&task).await.unwrap_err()), "ROLLBACK_TARGET_DEAD");
}

#[tokio::test(start_paused = true)]
async fn after_crashes_at_every_event_nothing_is_asked_twice() {
    let mut crashes = 0;
    loop {
        let mut world = World::new(&[&[1, 2, 3], &[3, 1, 2]]).await;
        let task = world.create("drain", &[(0, &[1, 2, 3], &[4, 5, 3]), (1, &[3, 1, 2], &[3, 6, 2])]).await;
        let accepted = world.task(&task).await.sequence;
        let mut head = world.log.head();
        let moment = accepted + crashes;
        let reached = async { head.wait_for(|head| head.sequence >= moment).await.map(drop) };
        let finished = world.wait_for(&task, TaskState::Succeeded);
        tokio::select! {
            biased;
            _ = reached => {}
            _ = finished => break,
        }
        world.crash().await;
        world.wait_for(&task, TaskState::Succeeded).await;
        assert_eq!(world.lists().await, "4,5,3@4 3,6,2@3", "crash {crashes}");
        assert_eq!(world.kafka.repeated(), Vec::<String>::new(), "crash {crashes}: {:?}", world.kafka.asked());
        crashes += 1;
    }
    assert!(crashes > 20, "{crashes}");
}

#[tokio::test(start_paused = true)]
async fn a_foreign_reassignment_is_waited_for_and_left_alone() {
    let world = World::new(&[&[1, 2, 3], &[1, 2, 3]]).await;
    let plan = world.plan("drain", &[(0, &[1, 2, 3], &[4, 2, 3]), (1, &[1, 2, 3], &[4, 2, 3])]).await;
    world.sim.kill(BrokerId(6));
    world.seconds(15).await;
    let task = world.try_create(&plan, 1, &world.request_id()).await.unwrap().task.unwrap().name;
    // Onto a dead broker: it hangs.
    world.sim.alter_partition_reassignments(&[(partition(0), Some(ids(&[1, 2, 6])))]).await.unwrap();
    world.wait_until(&task, |task| task.steps_done >= 1).await;
    world.seconds(400).await;
    let steps = world.steps(&task).await;
    assert!(steps.iter().any(|step| step.reason_code == "FOREIGN_REASSIGNMENT"), "{steps:#?}");
    assert_eq!(world.task(&task).await.state(), TaskState::Running);
    assert!(world.lists().await.starts_with("1,2,6@1? 4,2,3@4"));
}

#[tokio::test(start_paused = true)]
async fn a_topic_deleted_while_it_moves_ends_the_task_with_its_name() {
    let world = World::new(&[&[1, 2, 3]]).await;
    world.sim.set_speed(BrokerId(4), 5);
    let task = world.create("drain", &[(0, &[1, 2, 3], &[4, 2, 3])]).await;
    world.wait_until(&task, |task| task.moves_in_flight == 1).await;
    world.seconds(2).await;
    assert!(world.sim.delete_topic("t"));
    let task = world.wait_for(&task, TaskState::Failed).await;
    assert_eq!(task.reason_code, "TOPIC_GONE");
}

#[tokio::test(start_paused = true)]
async fn a_target_that_dies_while_it_copies_needs_an_operator_until_it_returns() {
    let world = World::new(&[&[1, 2, 3]]).await;
    world.sim.set_speed(BrokerId(4), 5);
    let task = world.create("drain", &[(0, &[1, 2, 3], &[4, 2, 3])]).await;
    world.wait_until(&task, |task| task.bytes_done > 0).await;
    world.sim.kill(BrokerId(4));
    let needs = world.wait_for(&task, TaskState::NeedsOperator).await;
    assert_eq!(needs.reason_code, "TARGET_LOST");
    world.sim.set_speed(BrokerId(4), 1_000);
    world.sim.revive(BrokerId(4));
    world.wait_for(&task, TaskState::Succeeded).await;
    assert!(world.kafka.repeated().is_empty());
}

#[tokio::test(start_paused = true)]
async fn lost_requests_and_answers_are_resolved_by_looking() {
    for mishap in [Mishap::LoseRequest, Mishap::LoseAnswer, Mishap::Unreachable, Mishap::Duplicate] {
        let world = World::new(&[&[1, 2, 3]]).await;
        for call in [Call::AlterReassignments, Call::ElectLeaders] {
            world.sim.inject(Fault { call, mishap, times: 2 });
        }
        let task = world.create("drain", &[(0, &[1, 2, 3], &[2, 4, 3])]).await;
        world.wait_for(&task, TaskState::Succeeded).await;
        assert_eq!(world.lists().await, "2,4,3@2", "{mishap:?}");
        assert!(world.kafka.repeated().is_empty(), "{mishap:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_request_id_makes_one_task_however_often_it_is_asked() {
    let mut world = World::new(&[&[1, 2, 3]]).await;
    let plan = world.plan("drain", &[(0, &[1, 2, 3], &[4, 2, 3])]).await;
    let request = world.request_id();
    let answers = futures::future::join_all((0..50).map(|_| world.try_create(&plan, 1, &request))).await;
    world.crash().await;
    let later = futures::future::join_all((0..50).map(|_| world.try_create(&plan, 1, &request))).await;
    let answers: Vec<_> = answers.into_iter().chain(later).map(Result::unwrap).collect();
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    assert!(answers.iter().all(|answer| answer.task.as_ref().unwrap().name == answers[0].task.as_ref().unwrap().name));
    assert!(answers.iter().all(|answer| answer.sequence == answers[0].sequence));
    let other = world.try_create("plan-other", 1, &request).await.unwrap_err();
    assert_eq!(reason(&other), "REQUEST_ID_CONFLICT");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_done_is_rejected_with_its_reason_and_recorded() {
    let world = World::new(&[&[1, 2, 3], &[1, 2, 3]]).await;
    let plan = world.plan("drain", &[(0, &[1, 2, 3], &[4, 2, 3])]).await;
    let stale = world.plan("drain", &[(1, &[2, 1, 3], &[4, 2, 3])]).await;
    let refused = |answer: Result<proto::CreateTaskResponse, Status>| reason(&answer.unwrap_err());
    assert_eq!(refused(world.try_create("plan-none", 1, &world.request_id()).await), "PLAN_NOT_FOUND");
    assert_eq!(refused(world.try_create(&plan, 7, &world.request_id()).await), "ALTERNATIVE_NOT_FOUND");
    assert_eq!(refused(world.try_create(&stale, 1, &world.request_id()).await), "PLAN_STALE");
    assert_eq!(refused(world.try_create(&plan, 1, "no uuid").await), "REQUEST_ID_REQUIRED");
    let task = world.try_create(&plan, 1, &world.request_id()).await.unwrap().task.unwrap().name;
    assert_eq!(refused(world.try_create(&plan, 1, &world.request_id()).await), "PARTITIONS_BUSY");
    let resume = proto::ResumeTaskRequest { task, request_id: world.request_id(), ..proto::ResumeTaskRequest::default() };
    assert_eq!(reason(&world.rpc().resume_task(Request::new(resume)).await.unwrap_err()), "ILLEGAL_TRANSITION");
    let unknown = proto::GetTaskRequest { task: "task-none".into() };
    assert_eq!(reason(&world.rpc().get_task(Request::new(unknown)).await.unwrap_err()), "TASK_NOT_FOUND");
    let recorded = world.log.read_stream(&ballast_events::StreamName::audit(), 1, 100).await.unwrap();
    assert_eq!(recorded.len(), 5, "malformed commands and queries are not recorded");
}

#[tokio::test(start_paused = true)]
async fn validation_changes_nothing() {
    let world = World::new(&[&[1, 2, 3]]).await;
    let plan = world.plan("drain", &[(0, &[1, 2, 3], &[4, 2, 3])]).await;
    let before = world.log.head().borrow().sequence;
    let request = proto::CreateTaskRequest {
        plan,
        request_id: world.request_id(),
        validate_only: true,
        ..proto::CreateTaskRequest::default()
    };
    let answer = world.rpc().create_task(Request::new(request)).await.unwrap().into_inner();
    assert_eq!((answer.sequence, answer.task.unwrap().steps_total), (0, 2));
    world.seconds(10).await;
    assert_eq!(world.log.head().borrow().sequence, before);
}

#[tokio::test(start_paused = true)]
async fn a_watch_tells_everything_and_ends_with_the_task() {
    let world = World::new(&[&[1, 2, 3]]).await;
    let task = world.create("drain", &[(0, &[1, 2, 3], &[4, 2, 3])]).await;
    let watch = async |after_sequence| {
        let request = proto::WatchTaskRequest { task: task.clone(), after_sequence };
        let stream = world.rpc().watch_task(Request::new(request)).await.unwrap().into_inner();
        stream.map(|answer| answer.unwrap().kind.unwrap()).collect::<Vec<Kind>>().await
    };
    let whole = watch(0).await;
    let events = |kinds: &[Kind]| {
        let only = kinds.iter().filter_map(|kind| if let Kind::Event(event) = kind { Some(event.clone()) } else { None });
        only.collect::<Vec<_>>()
    };
    let types: Vec<String> = events(&whole).into_iter().map(|event| event.r#type).collect();
    assert_eq!((types[0].as_str(), types.last().unwrap().as_str()), ("task.accepted", "task.ended"));
    assert!(matches!(&whole[0], Kind::Task(_)), "the state comes first");
    assert!(whole.iter().any(|kind| matches!(kind, Kind::Task(shown) if shown.state() == TaskState::Succeeded)));
    assert!(matches!(whole.last(), Some(Kind::Bookmark(_))));
    let middle = events(&whole)[3].sequence;
    assert_eq!(events(&watch(middle).await), events(&whole)[4..]);
}

#[tokio::test(start_paused = true)]
async fn a_paused_task_starts_nothing_until_it_is_resumed() {
    let world = World::new(&[&[1, 2, 3]]).await;
    let task = world.create("drain", &[(0, &[1, 2, 3], &[4, 5, 3])]).await;
    let pause = proto::PauseTaskRequest { task: task.clone(), request_id: world.request_id(), ..Default::default() };
    world.wait_until(&task, |task| task.moves_in_flight == 1).await;
    world.rpc().pause_task(Request::new(pause)).await.unwrap();
    world.wait_for(&task, TaskState::Paused).await;
    world.seconds(60).await;
    assert_eq!(world.lists().await.split('@').next(), Some("4,2,3"));
    let resume = proto::ResumeTaskRequest { task: task.clone(), request_id: world.request_id(), ..Default::default() };
    world.rpc().resume_task(Request::new(resume)).await.unwrap();
    world.wait_for(&task, TaskState::Succeeded).await;
    assert_eq!(world.lists().await, "4,5,3@4");
}

#[tokio::test(start_paused = true)]
async fn a_command_that_comes_before_kafkas_answer_does_not_make_it_forgotten() {
    let world = World::new(&[&[1, 2, 3]]).await;
    // Not answered within the deadline, and carried out after it.
    let mishap = Mishap::LateRequest { milliseconds: 8_000 };
    world.sim.inject(Fault { call: Call::AlterReassignments, mishap, times: 1 });
    let task = world.create("drain", &[(0, &[1, 2, 3], &[4, 2, 3])]).await;
    while world.kafka.asked().is_empty() {
        world.clock.sleep(Duration::from_millis(100)).await;
    }
    world.seconds(1).await;
    world.cancel(&task, proto::CancelMode::StopNow).await;
    world.wait_for(&task, TaskState::Cancelled).await;
    assert_eq!(world.lists().await, "1,2,3@1");
    world.seconds(30).await;
    assert_eq!(world.lists().await, "1,2,3@1", "{:?}", world.kafka.asked());
}

#[tokio::test(start_paused = true)]
async fn a_cordoned_target_and_a_move_between_directories_are_seen_before_a_step_and_waited_for() {
    let world = World::new(&[&[1, 2, 3], &[1, 2, 3]]).await;
    let cordon = |operation| ConfigAlteration {
        resource: ConfigResource::Broker(BrokerId(5)),
        key: "cordoned.log.dirs".into(),
        operation,
    };
    world.sim.incremental_alter_configs(&[cordon(ConfigOperation::Set("*".into()))]).await.unwrap();
    assert!(world.sim.move_between_log_dirs(&partition(0), BrokerId(2), Duration::from_secs(400)));
    world.seconds(2).await;
    let task = world.create("drain", &[(0, &[1, 2, 3], &[4, 2, 3]), (1, &[1, 2, 3], &[5, 2, 3])]).await;
    world.seconds(20).await;
    let waits: Vec<String> = world.steps(&task).await.into_iter().map(|step| step.reason_code).collect();
    assert_eq!(waits, ["LOG_DIR_MOVE", "", "TARGET_CORDONED", ""]);
    assert!(world.kafka.asked().is_empty());
    let needs = world.wait_until(&task, |task| task.state() == TaskState::NeedsOperator).await;
    assert_eq!(needs.reason_code, "TARGET_CORDONED");
    world.sim.incremental_alter_configs(&[cordon(ConfigOperation::Delete)]).await.unwrap();
    world.wait_for(&task, TaskState::Succeeded).await;
    assert_eq!(world.lists().await, "4,2,3@4 5,2,3@5");
}

#[tokio::test(start_paused = true)]
async fn only_brokers_of_steps_that_are_about_to_start_are_asked_for_their_directories() {
    let mut world = World::new(&[&[1, 2, 3], &[1, 2, 3]]).await;
    world.config.limits.moves_per_cluster_max = 1;
    world.crash().await;
    world.sim.set_speed(BrokerId(4), 20);
    let task = world.create("drain", &[(0, &[1, 2, 3], &[4, 2, 3]), (1, &[1, 2, 3], &[1, 2, 6])]).await;
    world.wait_until(&task, |task| task.moves_in_flight == 1).await;
    world.seconds(5).await;
    assert_eq!(world.kafka.described(), [1, 2, 3, 4]);
    world.wait_for(&task, TaskState::Succeeded).await;
    assert!(world.kafka.described().contains(&6));
}

#[tokio::test(start_paused = true)]
async fn a_rollback_is_paused_resumed_and_cancelled_like_any_other_work() {
    let mut world = World::new(&[&[1, 2, 3], &[1, 2, 3], &[1, 2, 3]]).await;
    world.config.limits.moves_per_cluster_max = 1;
    world.crash().await;
    world.sim.set_speed(BrokerId(6), 20);
    let moves: [(u32, &[i32], &[i32]); 3] =
        [(0, &[1, 2, 3], &[4, 2, 3]), (1, &[1, 2, 3], &[5, 2, 3]), (2, &[1, 2, 3], &[6, 2, 3])];
    let task = world.create("drain", &moves).await;
    world.wait_until(&task, |task| task.steps_done >= 4).await;
    world.sim.set_speed(BrokerId(1), 20);
    world.cancel(&task, proto::CancelMode::RollBack).await;
    world.wait_until(&task, |task| task.state() == TaskState::RollingBack && task.moves_in_flight == 1).await;
    let pause = proto::PauseTaskRequest { task: task.clone(), request_id: world.request_id(), ..Default::default() };
    world.rpc().pause_task(Request::new(pause)).await.unwrap();
    world.wait_for(&task, TaskState::Paused).await;
    let resume = proto::ResumeTaskRequest { task: task.clone(), request_id: world.request_id(), ..Default::default() };
    world.rpc().resume_task(Request::new(resume)).await.unwrap();
    world.wait_until(&task, |task| task.state() == TaskState::RollingBack).await;
    world.cancel(&task, proto::CancelMode::FinishStep).await;
    world.wait_for(&task, TaskState::PartiallyApplied).await;
    assert_eq!(world.kafka.repeated(), Vec::<String>::new(), "{:?}", world.kafka.asked());
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_is_to_lead_and_is_away_for_a_while_needs_no_operator() {
    let world = World::new(&[&[1, 2, 3]]).await;
    let task = world.create("demote", &[(0, &[1, 2, 3], &[2, 3, 1])]).await;
    // Metadata shows it in sync until its session is over; the controller refuses to let it lead already.
    world.sim.kill(BrokerId(2));
    world.seconds(30).await;
    assert_eq!(world.task(&task).await.state(), TaskState::Running, "{:#?}", world.steps(&task).await);
    world.sim.revive(BrokerId(2));
    world.wait_for(&task, TaskState::Succeeded).await;
    assert_eq!(world.lists().await, "2,3,1@2");
}
