//! Tasks that are cancelled, paused and turned back on their way, and rollbacks that are themselves stopped.

use ballast_cluster::BrokerState;

use super::partition;
use crate::test_world::{World, ids};
use crate::{CancelMode, Command, Decision, TaskState, reason};

/// Two partitions leave broker 1, the first is done and the second in flight when the task is cancelled.
#[track_caller]
fn check_cancel(mode: CancelMode, state: TaskState, lists: &str) {
    let mut world = World::new("drain", &[(&[1, 2, 3], &[4, 2, 3]), (&[3, 1, 2], &[3, 5, 2]), (&[1, 2, 3], &[1, 2, 6])]);
    world.limits.moves_per_cluster_max = 1;
    while world.asked.len() < 2 {
        world.holds = world.asked.len() == 1;
        world.round();
        if !world.holds {
            world.finish_moves();
        }
    }
    assert_eq!(world.lists(), "4,2,3@4 3,5,2@3 1,2,3@1");
    world.command(Command::Cancel(mode));
    world.round();
    world.holds = false;
    assert_eq!(world.run(), state, "{}", world.trace());
    assert_eq!(world.lists(), lists, "{}", world.trace());
}

#[test]
fn cancel_with_finish_step_lets_moves_in_flight_finish() {
    check_cancel(CancelMode::FinishStep, TaskState::PartiallyApplied, "4,2,3@4 3,5,2@3 1,2,3@1");
}

#[test]
fn cancel_with_stop_now_puts_moves_in_flight_back_in_order() {
    check_cancel(CancelMode::StopNow, TaskState::PartiallyApplied, "4,2,3@4 3,1,2@3 1,2,3@1");
}

#[test]
fn cancel_with_roll_back_restores_lists_order_and_leaders() {
    check_cancel(CancelMode::RollBack, TaskState::RolledBack, "1,2,3@1 3,1,2@3 1,2,3@1");
}

#[test]
fn a_cancellation_before_anything_started_ends_cancelled() {
    for mode in [CancelMode::FinishStep, CancelMode::StopNow, CancelMode::RollBack] {
        let mut world = World::new("drain", &[(&[1, 2, 3], &[4, 2, 3])]);
        world.admits = false;
        world.round();
        world.round();
        world.command(Command::Cancel(mode));
        assert_eq!(world.run(), TaskState::Cancelled);
        assert_eq!(world.trace(), "accepted started 0:ready cancel-requested 0:skipped ended");
    }
}

#[test]
fn a_rollback_keeps_what_would_return_to_a_dead_broker() {
    let mut world = World::new("drain", &[(&[1, 2, 3], &[4, 2, 3]), (&[3, 2, 5], &[3, 6, 5])]);
    world.admits = true;
    while !world.task.steps.iter().all(|step| step.state.is_over()) {
        world.round();
        world.finish_moves();
    }
    world.set_state(1, BrokerState::Dead);
    world.command(Command::Cancel(CancelMode::RollBack));
    assert_eq!(world.run(), TaskState::PartiallyApplied);
    assert_eq!(world.end_reason(), reason::ROLLBACK_TARGET_DEAD);
    assert_eq!(world.lists(), "4,2,3@4 3,2,5@3");
}

#[test]
fn pause_lets_moves_finish_and_resume_goes_on() {
    let mut world = World::new("drain", &[(&[1, 2, 3], &[4, 5, 3])]);
    world.run_until_pending();
    world.command(Command::Pause);
    world.run_for(30);
    assert_eq!(world.task.state(), TaskState::Pausing);
    world.holds = false;
    world.run_for(30);
    assert_eq!(world.task.state(), TaskState::Paused);
    assert_eq!(world.asked.len(), 1);
    world.command(Command::Resume);
    assert_eq!(world.run(), TaskState::Succeeded);
    assert_eq!(world.lists(), "4,5,3@4");
}

/// A drain of two partitions whose rollback has begun: the first undo step is with Kafka.
fn rolling_back() -> World {
    let mut world = World::new("drain", &[(&[1, 2, 3], &[4, 2, 3]), (&[1, 2, 3], &[5, 2, 3])]);
    world.limits.moves_per_cluster_max = 1;
    while !world.task.steps.iter().all(|step| step.state.is_over()) {
        world.round();
        world.finish_moves();
    }
    world.command(Command::Cancel(CancelMode::RollBack));
    world.asked.clear();
    world.run_until_pending();
    assert_eq!((world.task.state(), world.lists().as_str()), (TaskState::RollingBack, "4,2,3@4 1,2,3@5"));
    world
}

#[test]
fn a_rollback_is_paused_and_goes_on() {
    let mut world = rolling_back();
    world.command(Command::Pause);
    world.holds = false;
    world.run_for(60);
    assert_eq!((world.task.state(), world.asked.len()), (TaskState::Paused, 1), "{}", world.trace());
    world.command(Command::Resume);
    assert_eq!(world.run(), TaskState::RolledBack, "{}", world.trace());
    assert_eq!(world.lists(), "1,2,3@1 1,2,3@1");
}

#[test]
fn a_rollback_is_cancelled_where_it_stands() {
    for (mode, lists) in [(CancelMode::FinishStep, "4,2,3@4 1,2,3@1"), (CancelMode::StopNow, "4,2,3@4 5,2,3@5")] {
        let mut world = rolling_back();
        world.command(Command::Cancel(mode));
        world.round();
        world.holds = false;
        assert_eq!(world.run(), TaskState::PartiallyApplied, "{}", world.trace());
        assert_eq!(world.lists(), lists, "{}", world.trace());
    }
}

#[test]
fn resume_finds_a_list_that_somebody_changed() {
    let mut world = World::new("drain", &[(&[1, 2, 3], &[4, 2, 3])]);
    world.command(Command::Pause);
    world.run_for(30);
    world.partition(&partition(0)).replicas = ids(&[2, 1, 3]);
    world.command(Command::Resume);
    assert_eq!(world.run(), TaskState::NeedsOperator);
    assert_eq!(world.end_reason(), reason::LIST_CHANGED);
    world.decide(0, Decision::Skip);
    assert_eq!(world.run(), TaskState::Failed, "{}", world.trace());
    assert_eq!(world.lists(), "2,1,3@1");
}
