//! Flow Control on a simulated cluster: what is set before a step may start, how limits change, and that nothing is left behind.

mod commands;
mod crash;
mod world;

use ballast_cluster::BrokerId;
use ballast_events::Event;
use ballast_sim_cluster::{Call, Fault, Mishap, SimOptions};
use ballast_task::{StepOutcome, TaskEvent, TaskState};
use ballast_throttle::{AdmissionEvent, ThrottleEvent};

use world::{TOPIC, World, key, options};

async fn granted(world: &World, step: u32) -> bool {
    let key = key(step);
    world.has(|event| matches!(event, Event::Admission(AdmissionEvent::Admitted { step, .. }) if *step == key)).await
}

async fn withheld(world: &World, step: u32, reason: &str) -> bool {
    let key = key(step);
    let is_it = |event: &Event| matches!(event, Event::Admission(AdmissionEvent::Withheld { step, reason_code, .. }) if *step == key && reason_code == reason);
    world.has(is_it).await
}

async fn end_task(world: &World) {
    world.task(TaskEvent::VerificationStarted).await;
    let (reason_code, detail) = (String::new(), String::new());
    world.task(TaskEvent::Ended { state: TaskState::Succeeded, reason_code, detail }).await;
}

/// From ready to granted to copied to clean.
async fn carry_out(world: &mut World, step: u32) {
    world.ready(step).await;
    world.pass_until("granted", async |world| granted(world, step).await).await;
    world.start(step).await;
    world.pass_until("copied", async |world| world.is_copied(step).await).await;
    world.succeed(step).await;
}

#[tokio::test(start_paused = true)]
async fn limits_and_list_are_there_before_a_step_is_granted_and_gone_after_it() {
    let mut world = World::new(&options()).await;
    world.ready(0).await;
    world.pass_until("granted", async |world| granted(world, 0).await).await;
    let (limits, list) = world.configured().await;
    assert_eq!(limits.keys().copied().collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(list, ["0:1", "0:2", "0:3", "0:4"]);
    world.start(0).await;
    world.pass_until("copied", async |world| world.is_copied(0).await).await;
    world.succeed(0).await;
    end_task(&world).await;
    world.pass(2).await;
    assert!(world.is_clean().await, "{:?}", world.configured().await);
    let released = |event: &Event| matches!(event, Event::Throttle(ThrottleEvent::ListReleased { step }) if *step == key(0));
    assert!(world.has(released).await);
}

#[tokio::test(start_paused = true)]
async fn a_first_limit_rises_in_a_straight_line_over_the_window() {
    let mut world = World::new(&options()).await;
    world.ready(0).await;
    world.pass_until("granted", async |world| granted(world, 0).await).await;
    world.start(0).await;
    let mut seen: Vec<u64> = Vec::new();
    for _ in 0..160 {
        let value = world.configured().await.0[&1].parse().unwrap();
        if seen.last() != Some(&value) {
            seen.push(value);
        }
        world.clock.sleep(std::time::Duration::from_millis(100)).await;
    }
    // 11 steps from near nothing to 80 % of 100 MB/s less users (0.2 MB/s consumed and 0.4 replicated, from 4 partitions), plus the
    // 0.4 MB/s of in-sync followers.
    assert_eq!((seen[0], seen[11], seen.len()), (300_000, 78_000_000, 12));
    for pair in seen.windows(2) {
        assert!((pair[1] - pair[0]).abs_diff(77_700_000 / 11) <= 1, "{seen:?}");
    }
    let confirmed =
        |event: &Event| matches!(event, Event::Throttle(ThrottleEvent::RateConfirmed { broker, .. }) if broker.0 == 1);
    world.pass(2).await;
    assert!(world.has(confirmed).await);
}

#[tokio::test(start_paused = true)]
async fn a_restart_in_the_middle_of_a_ramp_goes_on_from_what_brokers_show() {
    let mut world = World::new(&options()).await;
    world.ready(0).await;
    world.pass_until("granted", async |world| granted(world, 0).await).await;
    world.pass(4).await;
    let shown: u64 = world.configured().await.0[&1].parse().unwrap();
    assert!((20_000_000..50_000_000).contains(&shown), "{shown}");
    world.stop();
    world.pass(30).await;
    let log = world.log.clone();
    world.restart(&log);
    world.pass(1).await;
    let resumed: u64 = world.configured().await.0[&1].parse().unwrap();
    assert!(resumed.abs_diff(shown) <= 2 * 78_000_000 / 11, "{shown} {resumed}");
    world.pass(13).await;
    assert_eq!(world.configured().await.0[&1], "78000000");
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_somebody_else_is_named_used_and_kept() {
    let mut world = World::new(&options()).await;
    world.set_by_hand(1, "100000").await;
    world.ready(0).await;
    world.pass_until("withheld", async |world| withheld(world, 0, "FOREIGN_THROTTLE").await).await;
    world.pass(10).await;
    assert_eq!(world.configured().await.0, [(1, "100000".to_owned())].into());
    world.set_by_hand(1, "50000000").await;
    world.pass_until("granted", async |world| granted(world, 0).await).await;
    world.start(0).await;
    world.pass_until("copied", async |world| world.is_copied(0).await).await;
    world.succeed(0).await;
    end_task(&world).await;
    world.pass(10).await;
    assert_eq!(world.configured().await, ([(1, "50000000".to_owned())].into(), Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn a_limit_set_by_hand_over_ours_becomes_theirs() {
    let mut world = World::new(&options()).await;
    world.ready(0).await;
    world.pass_until("granted", async |world| granted(world, 0).await).await;
    world.start(0).await;
    // While a ramp is under way brokers may show the new value too late for us to notice.
    world.pass(35).await;
    world.set_by_hand(1, "7000000").await;
    world.pass(20).await;
    assert_eq!(world.configured().await.0[&1], "7000000");
    world.pass_until("copied", async |world| world.is_copied(0).await).await;
    world.succeed(0).await;
    end_task(&world).await;
    world.pass(10).await;
    assert_eq!(world.configured().await.0, [(1, "7000000".to_owned())].into());
}

#[tokio::test(start_paused = true)]
async fn entries_of_somebody_else_stay() {
    let mut world = World::new(&options()).await;
    let alteration = ballast_kafka::ConfigAlteration {
        resource: ballast_kafka::ConfigResource::Topic(TOPIC.into()),
        key: world::LIST.into(),
        operation: ballast_kafka::ConfigOperation::Set("0:1,3:2".into()),
    };
    use ballast_kafka::KafkaAdmin as _;
    world.sim.incremental_alter_configs(&[alteration]).await.unwrap();
    world.pass(1).await;
    carry_out(&mut world, 0).await;
    end_task(&world).await;
    world.pass(5).await;
    assert_eq!(world.configured().await, (Default::default(), vec!["0:1".to_owned(), "3:2".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn a_dead_brokers_limit_is_a_debt_until_it_returns() {
    let mut world = World::new(&options()).await;
    world.ready(0).await;
    world.pass_until("granted", async |world| granted(world, 0).await).await;
    world.start(0).await;
    world.pass(4).await;
    world.sim.kill(BrokerId(2));
    world.pass_until("copied", async |world| world.is_copied(0).await).await;
    world.pass(12).await;
    world.succeed(0).await;
    end_task(&world).await;
    world.pass(10).await;
    let owed = |event: &Event| matches!(event, Event::Throttle(ThrottleEvent::DebtRecorded { broker }) if broker.0 == 2);
    assert!(world.has(owed).await);
    assert_eq!(world.flow.statuses()["c1"].borrow().stale_throttles, 1);
    world.sim.revive(BrokerId(2));
    let paid = |event: &Event| matches!(event, Event::Throttle(ThrottleEvent::DebtPaid { broker }) if broker.0 == 2);
    world.pass_until("paid", async |world| world.has(paid).await).await;
    assert!(world.is_clean().await);
}

#[tokio::test(start_paused = true)]
async fn the_controller_endpoint_takes_a_dead_brokers_limit() {
    let mut world = World::new(&SimOptions { reaches_dead_brokers_configs: true, ..options() }).await;
    world.ready(0).await;
    world.pass_until("granted", async |world| granted(world, 0).await).await;
    world.start(0).await;
    world.sim.kill(BrokerId(2));
    world.pass(15).await;
    world.pass_until("copied", async |world| world.is_copied(0).await).await;
    world.succeed(0).await;
    end_task(&world).await;
    world.pass(5).await;
    assert!(!world.has(|event| matches!(event, Event::Throttle(ThrottleEvent::DebtRecorded { .. }))).await);
    world.sim.revive(BrokerId(2));
    world.pass(10).await;
    assert!(world.is_clean().await);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_topic_takes_its_list_along_and_limits_still_go() {
    let mut world = World::new(&options()).await;
    world.ready(0).await;
    world.pass_until("granted", async |world| granted(world, 0).await).await;
    world.start(0).await;
    world.pass(3).await;
    assert!(world.sim.delete_topic(TOPIC));
    world.pass(3).await;
    let (reason_code, detail) = ("TOPIC_GONE".to_owned(), String::new());
    world.step(0, StepOutcome::Skipped { reason_code, detail }).await;
    end_task(&world).await;
    world.pass(5).await;
    assert!(world.is_clean().await);
}

#[tokio::test(start_paused = true)]
async fn a_step_that_copies_nothing_is_granted_without_a_throttle() {
    let mut world = World::new(&options()).await;
    let present = [1, 2, 3].map(BrokerId).to_vec();
    let outcome = StepOutcome::Ready { topic: TOPIC.into(), partition: 0, present, adding: Vec::new(), bytes: 0 };
    world.step(0, outcome).await;
    world.pass_until("granted", async |world| granted(world, 0).await).await;
    assert!(world.is_clean().await);
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_move_stays_limited_until_kafka_has_finished_it() {
    let mut world = World::new(&options()).await;
    world.ready(0).await;
    world.pass_until("granted", async |world| granted(world, 0).await).await;
    world.start(0).await;
    world.pass(2).await;
    let (reason_code, detail) = ("OPERATOR_DECISION".to_owned(), String::new());
    world.step(0, StepOutcome::Failed { reason_code, detail }).await;
    end_task(&world).await;
    world.pass(2).await;
    assert!(!world.is_copied(0).await);
    assert_eq!(world.configured().await.1.len(), 4);
    world.pass_until("copied", async |world| world.is_copied(0).await).await;
    world.pass(6).await;
    assert!(world.is_clean().await);
}

#[tokio::test(start_paused = true)]
async fn a_grant_that_is_not_used_runs_out_and_is_renewed() {
    let mut world = World::new(&options()).await;
    world.ready(0).await;
    world.pass(70).await;
    let count = |event: &Event| matches!(event, Event::Admission(AdmissionEvent::Admitted { .. }));
    assert_eq!(world.events().await.iter().filter(|event| count(event)).count(), 2);
    world.task(TaskEvent::PauseRequested).await;
    world.pass(70).await;
    assert!(world.is_clean().await, "a paused task holds no throttle");
}

#[tokio::test(start_paused = true)]
async fn lost_answers_are_settled_by_looking() {
    for mishap in [Mishap::LoseAnswer, Mishap::LoseRequest, Mishap::Duplicate, Mishap::Unreachable] {
        for call in [Call::AlterConfigs, Call::DescribeConfigs] {
            let mut world = World::new(&options()).await;
            world.sim.inject(Fault { call, mishap, times: 3 });
            carry_out(&mut world, 0).await;
            world.sim.inject(Fault { call, mishap, times: 3 });
            end_task(&world).await;
            world.pass(60).await;
            assert!(world.is_clean().await, "{mishap:?} {call:?} {:?}", world.configured().await);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn on_a_bad_network_nothing_is_left_behind_either() {
    for seed in 1..=8 {
        let mut world = World::new(&SimOptions { seed, ..options() }).await;
        world.sim.set_mishap_chance(200);
        world.ready(0).await;
        world.pass_until("granted", async |world| granted(world, 0).await).await;
        world.sim.set_mishap_chance(0);
        world.start(0).await;
        world.sim.set_mishap_chance(200);
        world.pass(10).await;
        world.sim.set_mishap_chance(0);
        world.pass_until("copied", async |world| world.is_copied(0).await).await;
        world.sim.set_mishap_chance(200);
        world.succeed(0).await;
        end_task(&world).await;
        world.pass(20).await;
        world.sim.set_mishap_chance(0);
        world.pass(40).await;
        assert!(world.is_clean().await, "seed {seed}: {:?} {:#?}", world.configured().await, world.events().await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_somebody_cleared_is_put_back_while_its_step_goes_on() {
    let mut world = World::new(&options()).await;
    world.ready(0).await;
    world.pass_until("granted", async |world| granted(world, 0).await).await;
    world.start(0).await;
    let clear = |resource, key: &str| ballast_kafka::ConfigAlteration {
        resource,
        key: key.into(),
        operation: ballast_kafka::ConfigOperation::Delete,
    };
    use ballast_kafka::{ConfigResource, KafkaAdmin as _};
    let alterations =
        [clear(ConfigResource::Topic(TOPIC.into()), world::LIST), clear(ConfigResource::Broker(BrokerId(1)), world::RATE)];
    world.pass(14).await;
    if world.is_copied(0).await {
        return;
    }
    world.sim.incremental_alter_configs(&alterations).await.unwrap();
    world.pass(12).await;
    let (limits, list) = world.configured().await;
    assert!(limits.contains_key(&1) && list.len() == 4, "{limits:?} {list:?}");
}

#[tokio::test(start_paused = true)]
async fn a_write_that_arrives_late_leaves_nothing_behind() {
    for call in 1..12 {
        let mut world = World::new(&options()).await;
        world.ready(0).await;
        world.pass(1).await;
        // The first of these calls is carried out long after its caller gave up.
        world.sim.inject(Fault { call: Call::AlterConfigs, mishap: Mishap::Duplicate, times: call });
        world.sim.inject(Fault { call: Call::AlterConfigs, mishap: Mishap::LateRequest { milliseconds: 14_000 }, times: 1 });
        world.pass_until("granted", async |world| granted(world, 0).await).await;
        world.start(0).await;
        world.pass_until("copied", async |world| world.is_copied(0).await).await;
        world.succeed(0).await;
        end_task(&world).await;
        world.pass(60).await;
        assert!(world.is_clean().await, "{call}: {:?} {:#?}", world.configured().await, world.events().await);
        assert!(!world.has(|event| matches!(event, Event::Throttle(ThrottleEvent::ForeignThrottleSeen { .. }))).await, "{call}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_before_brokers_show_what_was_written_knows_its_own_limits() {
    let mut world = World::new(&options()).await;
    world.ready(0).await;
    world.pass_until("granted", async |world| granted(world, 0).await).await;
    world.start(0).await;
    let log = world.log.clone();
    for _ in 0..40 {
        world.clock.sleep(std::time::Duration::from_millis(330)).await;
        world.restart(&log);
    }
    world.pass_until("copied", async |world| world.is_copied(0).await).await;
    world.succeed(0).await;
    end_task(&world).await;
    world.pass(45).await;
    assert!(world.is_clean().await, "{:?} {:#?}", world.configured().await, world.events().await);
    assert!(!world.has(|event| matches!(event, Event::Throttle(ThrottleEvent::ForeignThrottleSeen { .. }))).await);
}
