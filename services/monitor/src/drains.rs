//! Which brokers the recorded tasks want marked as draining: a fold of task events. Must not know how a task is carried out.

use std::collections::BTreeMap;

use ballast_cluster::BrokerId;
use ballast_events::ClusterEvent;
use ballast_task::{TaskEvent, TaskState};

use crate::view::ClusterView;

/// Every drain ever accepted, by task.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Drains {
    tasks: BTreeMap<String, Drain>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Drain {
    cluster: String,
    brokers: Vec<BrokerId>,
    /// It ended otherwise than by success, or is being rolled back.
    is_void: bool,
}

impl Drains {
    /// Takes in one event of `task/<task>`.
    pub fn apply(&mut self, task: &str, event: &TaskEvent) {
        match event {
            TaskEvent::Accepted { cluster, goal, brokers, rolls_back, .. } => {
                if let Some(drain) = rolls_back.as_ref().and_then(|rolled_back| self.tasks.get_mut(rolled_back)) {
                    drain.is_void = true;
                }
                if goal == "drain" {
                    let drain = Drain { cluster: cluster.clone(), brokers: brokers.clone(), is_void: false };
                    self.tasks.insert(task.to_owned(), drain);
                }
            }
            TaskEvent::Rejected => self.void(task),
            TaskEvent::Ended { state, .. } if *state != TaskState::Succeeded => self.void(task),
            _ => {}
        }
    }

    fn void(&mut self, task: &str) {
        if let Some(drain) = self.tasks.get_mut(task) {
            drain.is_void = true;
        }
    }

    /// The marks of `cluster` that are to be made or taken back now.
    pub fn due(&self, cluster: &str, view: &ClusterView) -> Vec<ClusterEvent> {
        let mut events = Vec::new();
        for (task, drain) in self.tasks.iter().filter(|(_, drain)| drain.cluster == cluster && !drain.is_void) {
            let unmarked =
                |broker: &&BrokerId| !view.marked.contains(&(task.clone(), **broker)) && view.topology.broker(**broker).is_some();
            let marks = drain.brokers.iter().filter(unmarked);
            events.extend(marks.map(|broker| ClusterEvent::BrokerDraining { broker: *broker, task: task.clone() }));
        }
        let is_void = |task: &String| self.tasks.get(task).is_some_and(|drain| drain.is_void);
        let void = view.draining.iter().filter(|(_, task)| is_void(task));
        events.extend(void.map(|(broker, _)| ClusterEvent::BrokerRestored { broker: *broker }));
        events
    }
}

#[cfg(test)]
mod tests {
    use ballast_cluster::{Broker, BrokerState, Capacity, Snapshot};

    use super::*;

    fn view() -> ClusterView {
        let (rack, host, group, state) = (None, None, "default".to_owned(), BrokerState::Alive);
        let broker = Broker { id: BrokerId(4), rack, host, group, state, capacity: Capacity::default(), log_dirs: Vec::new() };
        ClusterView { topology: Snapshot { brokers: vec![broker], ..Snapshot::default() }, ..ClusterView::default() }
    }

    fn accepted(goal: &str, rolls_back: Option<&str>) -> TaskEvent {
        TaskEvent::Accepted {
            task: String::new(),
            cluster: "c".into(),
            plan: "plan-a".into(),
            alternative: 1,
            goal: goal.into(),
            brokers: vec![BrokerId(4)],
            approval_required: false,
            rolls_back: rolls_back.map(str::to_owned),
            body: Default::default(),
        }
    }

    fn ended(state: TaskState) -> TaskEvent {
        TaskEvent::Ended { state, reason_code: String::new(), detail: String::new() }
    }

    /// Whether broker 4 is marked after these events, each followed by the marks that are due.
    #[test]
    fn a_broker_is_marked_from_the_acceptance_of_its_drain_until_that_comes_to_nothing() {
        let check = |events: &[(&str, TaskEvent)], wanted: bool| {
            let (mut drains, mut view) = (Drains::default(), view());
            for (task, event) in events {
                drains.apply(task, event);
                for due in drains.due("c", &view) {
                    view.apply(due);
                }
                assert_eq!(drains.due("c", &view), Vec::new());
            }
            assert_eq!(view.draining.contains_key(&BrokerId(4)), wanted, "{events:?}");
        };
        check(&[("task-a", accepted("drain", None))], true);
        check(&[("task-a", accepted("evacuate", None))], false);
        check(&[("task-a", accepted("drain", None)), ("task-a", ended(TaskState::Succeeded))], true);
        for state in
            [TaskState::Cancelled, TaskState::PartiallyApplied, TaskState::RolledBack, TaskState::Failed, TaskState::Rejected]
        {
            check(&[("task-a", accepted("drain", None)), ("task-a", ended(state))], false);
        }
        let succeeded = [("task-a", accepted("drain", None)), ("task-a", ended(TaskState::Succeeded))];
        check(&[&succeeded[..], &[("task-b", accepted("rollback", Some("task-a")))]].concat(), false);
        check(&[&succeeded[..], &[("task-b", accepted("drain", None)), ("task-b", ended(TaskState::Cancelled))]].concat(), false);
    }

    #[test]
    fn a_mark_that_was_taken_back_by_command_is_not_made_again() {
        let (mut drains, mut view) = (Drains::default(), view());
        drains.apply("task-a", &accepted("drain", None));
        drains.due("c", &view).into_iter().for_each(|event| view.apply(event));
        view.apply(ClusterEvent::BrokerRestored { broker: BrokerId(4) });
        assert_eq!(drains.due("c", &view), Vec::new());
    }
}
