//! Whole lives of tasks: each test sets a cluster up, lets something happen, and states how the task and the cluster end.

mod stopping;

use ballast_cluster::{BrokerState, Timestamp, TopicPartition};

use crate::test_world::{World, ids};
use crate::{CancelMode, Command, Decision, Effect, Event, StepEvent, StepOutcome, TaskState, reason};

fn partition(index: u32) -> TopicPartition {
    TopicPartition::new("t", index)
}

#[test]
fn a_drain_moves_elects_verifies_and_succeeds() {
    let mut world = World::new("drain", &[(&[1, 2, 3], &[4, 2, 3])]);
    assert_eq!(world.run(), TaskState::Succeeded);
    assert_eq!(world.lists(), "4,2,3@4");
    assert_eq!(world.asked, ["t:0=[4, 2, 3]"]);
    assert_eq!(world.trace(), "accepted started 0:ready 0:intended 0:issued 0:succeeded 1:succeeded verification-started ended");
}

#[test]
fn a_task_without_steps_succeeds() {
    let mut world = World::new("rebalance", &[(&[1, 2, 3], &[1, 2, 3])]);
    assert_eq!(world.run(), TaskState::Succeeded);
    assert!(world.asked.is_empty());
}

#[test]
fn a_demotion_reorders_then_elects() {
    let mut world = World::new("demote", &[(&[1, 2, 3], &[2, 3, 1])]);
    assert_eq!(world.run(), TaskState::Succeeded);
    assert_eq!((world.lists().as_str(), world.asked.join(" ").as_str()), ("2,3,1@2", "t:0=[2, 3, 1] elect t:0"));
}

#[test]
fn nothing_is_asked_without_an_admission() {
    let mut world = World::new("drain", &[(&[1, 2, 3], &[4, 2, 3])]);
    world.admits = false;
    assert_eq!(world.run(), TaskState::Running);
    assert!(world.asked.is_empty());
}

#[test]
fn an_evacuation_replaces_the_dead_together_even_under_min_insync() {
    let mut seen = crate::test_world::snapshot(&[&[1, 2, 3]], 3);
    for broker in [0, 1] {
        seen.brokers[broker].state = BrokerState::Dead;
    }
    seen.topics[0].partitions[0].in_sync = ids(&[3]);
    let mut world = World::on(seen, "evacuate", &[(&[1, 2, 3], &[4, 5, 3])]);
    assert_eq!(world.run(), TaskState::Succeeded);
    assert_eq!(world.asked, ["t:0=[4, 5, 3]", "elect t:0"]);
}

#[test]
fn a_foreign_reassignment_is_waited_for_and_never_touched() {
    let mut world = World::new("drain", &[(&[1, 2, 3], &[4, 2, 3])]);
    world.reassign(&partition(0), &ids(&[1, 2, 6]));
    world.holds = true;
    assert_eq!(world.run(), TaskState::Running);
    assert!(world.trace().ends_with("started 0:FOREIGN_REASSIGNMENT"), "{}", world.trace());
    assert!(world.asked.is_empty());
    world.holds = false;
    assert_eq!(world.run(), TaskState::NeedsOperator);
    assert_eq!(world.end_reason(), reason::LIST_CHANGED);
}

#[test]
fn a_topic_that_is_deleted_or_recreated_voids_its_steps() {
    for recreated in [false, true] {
        let mut world = World::new("drain", &[(&[1, 2, 3], &[4, 5, 3])]);
        world.run_until_pending();
        if recreated {
            world.seen = crate::test_world::snapshot(&[&[1, 2, 3]], 1);
            world.seen.topics[0].id = Some("id-2".into());
        } else {
            world.seen.topics.clear();
        }
        assert_eq!(world.run(), TaskState::Failed);
        assert_eq!(world.end_reason(), if recreated { reason::TOPIC_RECREATED } else { reason::TOPIC_GONE });
        assert_eq!(world.asked.len(), 1);
    }
}

#[test]
fn a_target_that_dies_while_copying_is_named_and_completes_when_it_returns() {
    let mut world = World::new("drain", &[(&[1, 2, 3], &[4, 2, 3])]);
    world.run_until_pending();
    world.holds = false;
    world.set_state(4, BrokerState::Dead);
    world.limits.stall_seconds = 5;
    world.run_for(60);
    assert_eq!((world.task.state(), world.end_reason()), (TaskState::NeedsOperator, reason::TARGET_LOST), "{}", world.trace());
    world.set_state(4, BrokerState::Alive);
    assert_eq!(world.run(), TaskState::Succeeded, "{}", world.trace());
    assert_eq!(world.asked.len(), 1);
}

#[test]
fn a_stall_is_named_before_an_operator_is_needed_and_can_be_taken_back() {
    let mut world = World::new("drain", &[(&[1, 2, 3], &[4, 2, 3])]);
    world.run_until_pending();
    world.limits.stall_seconds = 5;
    world.now = world.now.plus_milliseconds(6_000);
    world.run_for(60);
    assert!(world.trace().ends_with("0:issued 0:stalled operator-needed"), "{}", world.trace());
    world.command(Command::Cancel(CancelMode::StopNow));
    world.holds = false;
    let moved = world.lists();
    assert_eq!(moved, "4,2,3@1");
    world.round();
    world.round();
    assert_eq!(world.run(), TaskState::Cancelled, "{}", world.trace());
    assert_eq!(world.lists(), "1,2,3@1");
    assert_eq!(world.asked, ["t:0=[4, 2, 3]", "cancel t:0", "restore t:0=[1, 2, 3]"]);
}

#[test]
fn progress_puts_a_stall_off_and_ends_it() {
    let mut world = World::new("drain", &[(&[1, 2, 3], &[4, 2, 3])]);
    world.run_until_pending();
    world.limits.stall_seconds = 5;
    for _ in 0..10 {
        world.now = world.now.plus_milliseconds(4_000);
        world.progressed_at.insert(0, world.now);
        world.round();
    }
    assert!(!world.trace().contains("stalled"));
    world.now = world.now.plus_milliseconds(6_000);
    world.run_for(60);
    assert_eq!(world.task.state(), TaskState::NeedsOperator);
    world.now = world.now.plus_milliseconds(1_000);
    world.progressed_at.insert(0, world.now);
    world.round();
    world.round();
    assert_eq!(world.task.state(), TaskState::Running, "{}", world.trace());
}

#[test]
fn a_dead_target_is_waited_for_then_an_operator_skips_the_partition() {
    let mut world = World::new("drain", &[(&[1, 2, 3], &[4, 2, 3]), (&[1, 2, 3], &[5, 2, 3])]);
    world.set_state(4, BrokerState::Dead);
    world.run_for(2_000);
    assert_eq!((world.task.state(), world.end_reason()), (TaskState::Running, ""));
    world.now = world.now.plus_milliseconds(300_000);
    assert_eq!(world.run(), TaskState::NeedsOperator, "{}", world.trace());
    assert_eq!((world.end_reason(), world.lists().as_str()), (reason::TARGET_DEAD, "1,2,3@1 5,2,3@5"));
    world.decide(0, Decision::Skip);
    assert_eq!(world.run(), TaskState::PartiallyApplied);
    assert_eq!(world.end_reason(), reason::OPERATOR_DECISION);
}

#[test]
fn an_unanswered_write_is_looked_for_and_not_repeated_where_kafka_has_it() {
    let mut world = World::new("drain", &[(&[1, 2, 3], &[4, 2, 3])]);
    world.loses_answers = true;
    assert_eq!(world.run(), TaskState::Succeeded);
    assert_eq!(world.asked, ["t:0=[4, 2, 3]"]);
}

#[test]
fn a_move_that_somebody_cancelled_is_tried_again_then_given_to_an_operator() {
    let mut world = World::new("drain", &[(&[1, 2, 3], &[4, 2, 3])]);
    world.holds = true;
    for attempt in 1..=3 {
        while world.asked.len() < attempt {
            world.round();
            world.now = world.now.plus_milliseconds(1_000);
        }
        *world.partition(&partition(0)) = crate::test_world::snapshot(&[&[1, 2, 3]], 1).topics[0].partitions[0].clone();
    }
    assert_eq!(world.run(), TaskState::NeedsOperator, "{}", world.trace());
    assert_eq!(world.end_reason(), reason::KAFKA_REFUSED);
    world.holds = false;
    world.decide(0, Decision::Retry);
    assert_eq!(world.run(), TaskState::Succeeded);
}

#[test]
fn gates_keep_unsafe_moves_back() {
    let check = |reason_code: &str, prepare: &dyn Fn(&mut World)| {
        let mut world = World::new("drain", &[(&[1, 2, 3], &[4, 2, 3])]);
        prepare(&mut world);
        world.run_for(20);
        assert!(world.trace().ends_with(&format!("started 0:{reason_code}")), "{}", world.trace());
        assert!(world.asked.is_empty());
    };
    let first = partition(0);
    check(reason::NO_LEADER, &|world| {
        world.holds = true;
        world.partition(&first).leader = None;
    });
    check(reason::TARGET_DEAD, &|world| world.set_state(4, BrokerState::Dead));
    check(reason::DEAD_REPLICA_KEPT, &|world| {
        world.set_state(3, BrokerState::Dead);
    });
    check(reason::DISK_ROOM, &|world| {
        world.free_bytes.insert(ballast_cluster::BrokerId(4), 99);
    });
    check(reason::UNDER_MIN_ISR, &|world| {
        world.holds = true;
        world.partition(&first).in_sync = ids(&[1]);
    });
    check(reason::TARGET_CORDONED, &|world| {
        world.cordoned.insert(ballast_cluster::BrokerId(4));
    });
    check(reason::LOG_DIR_MOVE, &|world| {
        world.moving_on_disk.insert((first.clone(), ballast_cluster::BrokerId(2)));
    });
}

#[test]
fn a_move_between_directories_ends_by_itself_and_never_keeps_a_partition_from_being_healed() {
    let moving = (partition(0), ballast_cluster::BrokerId(2));
    let mut world = World::new("drain", &[(&[1, 2, 3], &[4, 2, 3])]);
    world.limits.stall_seconds = 5;
    world.moving_on_disk.insert(moving.clone());
    assert_eq!(world.run(), TaskState::Running, "{}", world.trace());
    world.moving_on_disk.clear();
    assert_eq!(world.run(), TaskState::Succeeded);
    let mut world = World::new("evacuate", &[(&[1, 2, 3], &[1, 2, 6])]);
    world.set_state(3, BrokerState::Dead);
    world.moving_on_disk.insert(moving);
    assert_eq!(world.run(), TaskState::Succeeded);
}

#[test]
fn a_cordoned_target_needs_an_operator_until_it_is_open_again() {
    let mut world = World::new("drain", &[(&[1, 2, 3], &[4, 2, 3])]);
    world.limits.stall_seconds = 5;
    world.cordoned.insert(ballast_cluster::BrokerId(4));
    assert_eq!(world.run(), TaskState::NeedsOperator, "{}", world.trace());
    assert_eq!(world.end_reason(), reason::TARGET_CORDONED);
    world.cordoned.clear();
    assert_eq!(world.run(), TaskState::Succeeded, "{}", world.trace());
}

#[test]
fn moves_in_flight_are_limited_per_broker_and_cluster() {
    let lists: Vec<(&[i32], &[i32])> = vec![(&[1, 2, 3], &[4, 2, 3]); 8];
    let mut world = World::new("drain", &lists);
    world.holds = true;
    world.run_for(30);
    assert_eq!(world.asked.len(), 5);
    world.limits.moves_per_broker_max = 100;
    world.limits.moves_per_cluster_max = 6;
    world.run_for(30);
    assert_eq!(world.asked.len(), 6);
}

#[test]
fn after_a_crash_at_any_event_nothing_is_asked_twice_and_the_task_finishes() {
    let fresh = || World::new("drain", &[(&[1, 2, 3], &[4, 5, 3]), (&[3, 1, 2], &[3, 6, 2])]);
    let mut whole = fresh();
    whole.run();
    for crash in 1..whole.events.len() {
        let mut world = fresh();
        // The moment between the call and its record is a crash too: the answer is lost with the process.
        while world.events.len() < crash {
            world.round();
            world.finish_moves();
        }
        world.task = world.replayed();
        world.now = world.now.plus_milliseconds(700);
        world.since = world.now;
        assert_eq!(world.run(), TaskState::Succeeded, "crash after {crash}: {}", world.trace());
        let mut asked = world.asked.clone();
        asked.sort();
        asked.dedup();
        assert_eq!(asked.len(), world.asked.len(), "crash after {crash}: {:?}", world.asked);
    }
}

#[test]
fn an_intent_from_before_a_restart_is_looked_at_before_it_is_asked_for() {
    let mut world = World::new("drain", &[(&[1, 2, 3], &[4, 2, 3])]);
    while !world.trace().ends_with("0:intended") {
        world.round();
    }
    world.now = world.now.plus_milliseconds(100);
    world.since = world.now;
    assert_eq!(world.due(), []);
    world.now = Timestamp::from_milliseconds(world.now.milliseconds + 2_000);
    assert!(matches!(world.due()[..], [Effect::Submit { .. }]));
    world.reassign(&partition(0), &ids(&[4, 2, 3]));
    assert!(matches!(world.due()[..], [Effect::Record(_)]));
}

#[test]
fn a_result_that_does_not_fit_needs_an_operator_until_it_fits() {
    let mut world = World::new("drain", &[(&[1, 2, 3], &[1, 2, 6])]);
    world.limits.stall_seconds = 5;
    while world.task.state() != TaskState::Verifying {
        world.round();
        world.finish_moves();
    }
    world.partition(&partition(0)).in_sync = ids(&[1, 2]);
    world.holds = true;
    assert_eq!(world.run(), TaskState::NeedsOperator);
    assert_eq!(world.end_reason(), reason::VERIFICATION_FAILED);
    assert_eq!(world.trace().matches("operator-needed").count(), 1, "{}", world.trace());
    world.holds = false;
    assert_eq!(world.run(), TaskState::Succeeded);
}

/// A move that needs no election, done; then `broker` leads.
fn verifying_with_leader(broker: Option<i32>) -> World {
    let mut world = World::new("drain", &[(&[1, 2, 3], &[1, 2, 6])]);
    world.limits.stall_seconds = 5;
    while world.task.state() != TaskState::Verifying {
        world.round();
        world.finish_moves();
    }
    world.partition(&partition(0)).leader = broker.map(ballast_cluster::BrokerId);
    world.holds = true;
    world
}

#[test]
fn a_leader_that_is_lost_after_a_move_without_an_election_is_elected_again() {
    let mut world = verifying_with_leader(Some(2));
    assert_eq!(world.run(), TaskState::Succeeded, "{}", world.trace());
    assert_eq!((world.lists().as_str(), world.asked.join(" ").as_str()), ("1,2,6@1", "t:0=[1, 2, 6] elect t:0"));
    assert!(world.trace().contains("verification-started steps-added 1:ready"), "{}", world.trace());
}

#[test]
fn a_leader_that_cannot_lead_again_needs_an_operator_until_it_does() {
    for (leader, in_sync) in [(None, [1, 2, 6]), (Some(2), [2, 6, 6])] {
        let mut world = verifying_with_leader(leader);
        world.partition(&partition(0)).in_sync = ids(&in_sync);
        if leader.is_none() {
            world.partition(&partition(0)).in_sync.clear();
        }
        assert_eq!(world.run(), TaskState::NeedsOperator, "{}", world.trace());
        assert_eq!(world.end_reason(), reason::VERIFICATION_FAILED);
        let found = world.partition(&partition(0));
        (found.leader, found.in_sync) = (Some(ballast_cluster::BrokerId(1)), ids(&[1, 2, 6]));
        assert_eq!(world.run(), TaskState::Succeeded, "{}", world.trace());
    }
}

#[test]
fn a_restart_does_not_count_the_time_in_which_nobody_looked_as_a_stall() {
    let mut world = World::new("drain", &[(&[1, 2, 3], &[4, 2, 3])]);
    world.run_until_pending();
    world.round();
    world.now = world.now.plus_milliseconds(3_600_000);
    world.since = world.now;
    world.round();
    assert!(!world.trace().contains("stalled"), "{}", world.trace());
    world.holds = false;
    assert_eq!(world.run(), TaskState::Succeeded);
}

#[test]
fn a_cancelled_request_without_answer_is_not_given_up_before_it_can_no_more_arrive() {
    let mut world = World::new("drain", &[(&[1, 2, 3], &[4, 2, 3])]);
    world.loses_answers = true;
    world.run_until_pending();
    // It is still under way.
    *world.partition(&partition(0)) = crate::test_world::snapshot(&[&[1, 2, 3]], 1).topics[0].partitions[0].clone();
    world.command(Command::Cancel(CancelMode::StopNow));
    world.now = world.now.plus_milliseconds(20_000);
    assert!(!world.round(), "{}", world.trace());
    world.reassign(&partition(0), &ids(&[4, 2, 3]));
    assert_eq!(world.run(), TaskState::Cancelled, "{}", world.trace());
    assert_eq!(world.lists(), "1,2,3@1");
}

#[test]
fn another_order_of_the_same_replicas_is_not_taken_for_a_move_under_way() {
    let mut world = World::new("demote", &[(&[1, 2, 3], &[2, 3, 1])]);
    world.partition(&partition(0)).replicas = ids(&[3, 1, 2]);
    assert_eq!(world.run(), TaskState::NeedsOperator);
    assert_eq!(world.end_reason(), reason::LIST_CHANGED);
}

#[test]
fn what_an_attempt_that_was_given_up_did_after_all_is_rolled_back_too() {
    let mut world = World::new("drain", &[(&[1, 2, 3], &[4, 2, 3]), (&[1, 2, 3], &[1, 2, 6])]);
    world.limits.moves_per_cluster_max = 1;
    world.run_until_pending();
    let attempt = world.task.steps[0].attempt;
    let (reason_code, detail) = (reason::TARGET_DEAD.to_owned(), String::new());
    let outcome = StepOutcome::AttemptFailed { reason_code, detail };
    world.record(Event::Step(StepEvent { task: "task-1".into(), step: 0, attempt, outcome }));
    world.finish_moves();
    world.now = world.now.plus_milliseconds(5_000);
    world.round();
    assert!(world.task.steps[0].was_applied(), "{}", world.trace());
    world.command(Command::Cancel(CancelMode::RollBack));
    world.holds = false;
    assert_eq!(world.run(), TaskState::RolledBack, "{}", world.trace());
    assert_eq!(world.lists(), "1,2,3@1 1,2,3@1");
}

#[test]
fn a_task_of_fifty_thousand_steps_is_verified_and_turned_back_in_no_time() {
    let lists: Vec<&[i32]> = vec![&[1, 2, 3]; 50_000];
    let moves: Vec<(&[i32], &[i32])> = vec![(&[1, 2, 3], &[1, 2, 6]); 50_000];
    let mut world = World::on(crate::test_world::snapshot(&lists, 1), "drain", &moves);
    for step in &mut world.task.steps {
        step.state = crate::StepState::Succeeded { applied: true };
    }
    world.task.phase = crate::Phase::Active(crate::Activity::Verifying);
    assert_eq!(world.due().len(), 0, "nothing fits yet");
    assert_eq!(crate::undo_steps(&world.task, &world.seen).len(), 50_000);
}
