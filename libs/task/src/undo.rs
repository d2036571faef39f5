//! The steps that take a task back: within the task, or as a task of its own once it has ended. Must not know how steps are
//! carried out.

use std::collections::BTreeMap;

use ballast_cluster::{BrokerId, Snapshot, TopicPartition, waypoints};

use crate::decide::Rejection;
use crate::steps::StepWriter;
use crate::task::{Step, StepState, Task, list_reached};
use crate::{RecordedPartition, StepPlan, TaskBody, TaskState, reason};

/// The steps, counted on from the task's own, that restore recorded lists, their order and leaders, the partitions touched last
/// first. A partition whose recorded list names a dead broker, or whose topic is gone, is left as it is.
pub fn undo_steps(task: &Task, seen: &Snapshot) -> Vec<StepPlan> {
    let mut steps: Vec<StepPlan> = task.steps.iter().map(|step| step.plan.clone()).collect();
    let (own, made) = (steps.len(), task.by_partition());
    for recorded in task.body.partitions.iter().rev() {
        let made = steps_on(&made, recorded);
        let was_applied = made.iter().any(|step| step.was_applied() && !step.plan.is_undo);
        let reached = list_reached(made, recorded);
        if was_applied && is_same_topic(recorded, seen) && dead_in_recorded(reached, recorded, seen).is_none() {
            write_undo(&mut steps, recorded, reached, seen, true);
        }
    }
    steps.split_off(own)
}

/// The body of a task that undoes a finished one.
pub fn rollback(task: &Task, seen: &Snapshot) -> Result<TaskBody, Rejection> {
    if !matches!(task.state(), TaskState::Succeeded | TaskState::PartiallyApplied) {
        let message = format!("task {} is {}: only a finished task is rolled back, cancel it instead", task.id, task.state());
        return Err(Rejection::new(reason::ILLEGAL_TRANSITION, message));
    }
    if !task.applied_anything() {
        return Err(Rejection::new(reason::NOTHING_TO_ROLL_BACK, format!("task {} changed nothing", task.id)));
    }
    let (mut body, made) = (TaskBody::default(), task.by_partition());
    for recorded in task.body.partitions.iter().rev() {
        let made = steps_on(&made, recorded);
        if !made.iter().any(|step| step.was_applied()) || !is_same_topic(recorded, seen) {
            continue;
        }
        let reached = list_reached(made, recorded);
        if let Some(dead) = dead_in_recorded(reached, recorded, seen) {
            let message = format!("the recorded list of {} names broker {dead}, which is dead", recorded.at);
            return Err(Rejection::new(reason::ROLLBACK_TARGET_DEAD, message));
        }
        let Some(partition) = seen.partition(&recorded.at) else { continue };
        if partition.replicas != reached && partition.replicas != recorded.replicas {
            let message = format!("{} was changed since task {} left it: plan anew", recorded.at, task.id);
            return Err(Rejection::new(reason::PLAN_STALE, message));
        }
        let present = RecordedPartition {
            replicas: partition.replicas.clone(),
            leader: partition.leader,
            target: recorded.replicas.clone(),
            ..recorded.clone()
        };
        write_undo(&mut body.steps, recorded, &partition.replicas, seen, false);
        body.partitions.push(present);
    }
    Ok(body)
}

/// A dead broker that keeps the partition from being restored; `None` also where only its order or leader would change.
fn dead_in_recorded(reached: &[BrokerId], recorded: &RecordedPartition, seen: &Snapshot) -> Option<BrokerId> {
    let changed = reached != recorded.replicas;
    recorded.replicas.iter().copied().find(|&broker| changed && !seen.is_alive(broker))
}

fn steps_on<'a, 'b>(made: &'b BTreeMap<&TopicPartition, Vec<&'a Step>>, recorded: &RecordedPartition) -> &'b [&'a Step] {
    made.get(&recorded.at).map(Vec::as_slice).unwrap_or_default()
}

fn is_same_topic(recorded: &RecordedPartition, seen: &Snapshot) -> bool {
    let Some(topic) = seen.topic(&recorded.at.topic) else { return false };
    topic.partition(recorded.at.partition).is_some()
        && (recorded.topic_id.is_none() || topic.id.is_none() || topic.id == recorded.topic_id)
}

/// Steps from `present` back to the recorded list, order and leader. Only the first of a list can be elected, so a leader that
/// was not the first of its list gets a list with it in front, and the recorded order after the election.
fn write_undo(steps: &mut Vec<StepPlan>, recorded: &RecordedPartition, present: &[BrokerId], seen: &Snapshot, is_undo: bool) {
    let size_bytes = seen.partition(&recorded.at).map_or(0, |partition| partition.load.size_bytes);
    let leader_now = seen.partition(&recorded.at).and_then(|partition| partition.leader);
    let leader = recorded.leader.filter(|leader| recorded.replicas.contains(leader) && seen.is_alive(*leader));
    let mut front = recorded.replicas.clone();
    if let Some(at) = leader.and_then(|leader| front.iter().position(|broker| *broker == leader)) {
        front[..=at].rotate_right(1);
    }
    let stays = |lists: &[Vec<BrokerId>]| {
        leader.is_none() || leader == leader_now && lists.iter().all(|list| leader.is_none_or(|leader| list.contains(&leader)))
    };
    let is_dead = |broker| !seen.is_alive(broker);
    let direct = waypoints(present, &recorded.replicas, is_dead, |broker| seen.rack(broker));
    let mut writer = StepWriter { steps, recorded, size_bytes, is_undo };
    match leader {
        Some(leader) if !stays(&direct) => {
            writer.moves(present, &waypoints(present, &front, is_dead, |broker| seen.rack(broker)));
            writer.elect(leader);
            writer.moves(&front, &waypoints(&front, &recorded.replicas, is_dead, |broker| seen.rack(broker)));
        }
        _ => writer.moves(present, &direct),
    }
}

/// Partitions that a rollback has not restored although the task changed them.
pub(crate) fn kept<'a>(task: &'a Task, seen: &Snapshot) -> Vec<&'a RecordedPartition> {
    let made = task.by_partition();
    let restored = |recorded: &&RecordedPartition| {
        let made = steps_on(&made, recorded);
        let mut undo = made.iter().filter(|step| step.plan.is_undo).peekable();
        let applied = made.iter().any(|step| step.was_applied() && !step.plan.is_undo);
        let done = |step: &Step| match &step.state {
            StepState::Succeeded { .. } => true,
            StepState::Skipped { reason_code } => reason_code == reason::TOPIC_GONE || reason_code == reason::TOPIC_RECREATED,
            _ => false,
        };
        // A partition without undo steps is restored only where it still had its recorded list.
        let nothing_to_do = undo.peek().is_none() && list_reached(made, recorded) == recorded.replicas;
        !applied || nothing_to_do || !is_same_topic(recorded, seen) || undo.peek().is_some() && undo.all(|step| done(step))
    };
    task.body.partitions.iter().filter(|recorded| !restored(recorded)).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ballast_cluster::{BrokerState, Timestamp};

    use super::*;
    use crate::test_world::{snapshot, words};
    use crate::{Event, TaskEvent, apply};

    /// A task that moved `t:0` from `from` (led by `leader`) to `to`, now led by `to[0]`; what undoes it.
    fn undo(from: &[i32], leader: i32, to: &[i32], dead: &[i32]) -> (String, Result<String, Rejection>) {
        let ids = |list: &[i32]| list.iter().copied().map(BrokerId).collect::<Vec<_>>();
        let before = snapshot(&[from], leader);
        let at = ballast_cluster::TopicPartition::new("t", 0);
        let wanted =
            ballast_cluster::Reassignment { at, topic_id: None, from: ids(from), to: ids(to), bytes: 0, reason: String::new() };
        let body = Arc::new(crate::steps(&[wanted], &before));
        let accepted = TaskEvent::Accepted {
            task: "task-1".into(),
            cluster: "c".into(),
            plan: "plan-1".into(),
            alternative: 1,
            goal: "drain".into(),
            brokers: Vec::new(),
            approval_required: false,
            rolls_back: None,
            body,
        };
        let mut task = apply(None, &Event::Task(accepted), Timestamp::default()).unwrap();
        for step in &mut task.steps {
            step.state = StepState::Succeeded { applied: true };
        }
        let mut seen = snapshot(&[to], to[0]);
        for broker in &mut seen.brokers {
            if dead.contains(&broker.id.0) {
                broker.state = BrokerState::Dead;
            }
        }
        let within = words(&undo_steps(&task, &seen));
        task.phase = crate::Phase::Ended { state: TaskState::Succeeded, reason_code: String::new(), detail: String::new() };
        (within, rollback(&task, &seen).map(|body| words(&body.steps)))
    }

    #[test]
    fn undo_restores_the_list_its_order_and_the_leader() {
        let (within, after) = undo(&[1, 2, 3], 1, &[4, 2, 3], &[]);
        assert_eq!(within, "4,2,3>1,2,3 elect 1");
        assert_eq!(after, Ok(within));
    }

    #[test]
    fn a_leader_that_was_not_the_first_of_its_list_leads_again() {
        let (within, _) = undo(&[1, 2, 3], 2, &[4, 2, 3], &[]);
        assert_eq!(within, "4,2,3>2,1,3 elect 2 2,1,3>1,2,3");
    }

    #[test]
    fn a_recorded_list_with_a_dead_broker_is_not_restored() {
        let (within, after) = undo(&[1, 2, 3], 1, &[4, 2, 3], &[1]);
        assert_eq!(within, "");
        assert_eq!(after.unwrap_err().reason_code, reason::ROLLBACK_TARGET_DEAD);
    }
}
