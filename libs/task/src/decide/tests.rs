//! What commands lead to. That every event decided on is legal is checked by folding it.

use ballast_cluster::Timestamp;

use super::*;
use crate::apply;
use crate::test_world::World;

fn commands() -> Vec<Command> {
    let modes = [CancelMode::FinishStep, CancelMode::StopNow, CancelMode::RollBack].map(Command::Cancel);
    let decisions = [Decision::Retry, Decision::Skip, Decision::MarkDone, Decision::RollBack, Decision::Abandon];
    let decisions = decisions.map(|decision| Command::Decide { step: 0, decision });
    [Command::Approve, Command::Reject, Command::Pause, Command::Resume].into_iter().chain(modes).chain(decisions).collect()
}

/// At every moment of a life, every command either leads to events that fold, or is rejected with a reason.
#[test]
fn whatever_is_decided_can_be_applied() {
    let mut world = World::new("drain", &[(&[1, 2, 3], &[4, 5, 3]), (&[1, 2, 3], &[4, 2, 3])]);
    world.set_state(5, ballast_cluster::BrokerState::Dead);
    world.limits.stall_seconds = 5;
    world.run_for(120);
    assert_eq!(world.task.state(), TaskState::NeedsOperator);
    let mut moments = 0;
    let mut accepted = 0;
    for end in 1..=world.events.len() {
        let fold = |task, (event, at): &(Event, Timestamp)| Some(apply(task, event, *at).unwrap());
        let task = world.events[..end].iter().fold(None, fold).unwrap();
        for command in commands() {
            moments += 1;
            match decide(&task, command) {
                Ok(events) => {
                    accepted += 1;
                    let after =
                        events.iter().try_fold(task.clone(), |task, event| apply(Some(task), event, Timestamp::default()));
                    assert!(after.is_ok(), "{command:?} at {end}: {after:?}");
                }
                Err(rejection) => assert!(!rejection.message.is_empty() && !rejection.reason_code.is_empty()),
            }
        }
    }
    assert!(accepted > 30 && accepted < moments, "{accepted} of {moments}");
}

#[test]
fn an_abandoned_task_ends_as_it_stands() {
    let mut world = World::new("drain", &[(&[1, 2, 3], &[4, 5, 3])]);
    world.set_state(4, ballast_cluster::BrokerState::Dead);
    world.limits.stall_seconds = 5;
    world.run_for(60);
    assert_eq!(world.task.state(), TaskState::NeedsOperator);
    world.decide(0, Decision::Abandon);
    assert_eq!(world.task.state(), TaskState::Failed);
}

#[test]
fn rejections_name_the_state() {
    let world = World::new("drain", &[(&[1, 2, 3], &[4, 5, 3])]);
    let check = |command, reason_code: &str| {
        assert_eq!(decide(&world.task, command).unwrap_err().reason_code, reason_code, "{command:?}");
    };
    check(Command::Approve, reason::ILLEGAL_TRANSITION);
    check(Command::Resume, reason::ILLEGAL_TRANSITION);
    check(Command::Decide { step: 0, decision: Decision::Retry }, reason::ILLEGAL_TRANSITION);
    let message = decide(&world.task, Command::Resume).unwrap_err().message;
    assert_eq!(message, "task task-1 is QUEUED: it cannot be resumed");
}
