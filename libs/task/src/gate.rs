//! May this step be asked of Kafka, as far as the cluster is concerned: the checks right before. Must not know admissions,
//! in-flight limits or what waiting leads to.

use ballast_cluster::{BrokerId, Partition, Snapshot};

use crate::next::Sight;
use crate::standing::{Place, Standing, standing};
use crate::task::{Step, Task};
use crate::{StepKind, reason};

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Go,
    /// The cluster shows it done already.
    Done,
    Wait {
        reason_code: &'static str,
        detail: String,
        patience: Patience,
    },
    /// Its topic is not the one it was planned for.
    Void {
        reason_code: &'static str,
    },
}

/// How long a step waits before an operator is needed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Patience {
    /// For ever: it ends by itself, and forcing it would be wrong.
    Endless,
    /// The stall time: it may end by itself.
    Stall,
    /// Just long enough for all brokers to agree on what is seen.
    Settle,
}

fn wait(reason_code: &'static str, patience: Patience, detail: String) -> Verdict {
    Verdict::Wait { reason_code, detail, patience }
}

/// `free_bytes`: room left on a broker after everything in flight has landed; `None`: not to be checked.
pub(crate) fn gate(task: &Task, step: &Step, sight: &Sight<'_>, free_bytes: impl Fn(BrokerId) -> Option<u64>) -> Verdict {
    let seen = sight.cluster;
    let (partition, place) = match standing(&step.plan, seen) {
        Standing::TopicGone => return Verdict::Void { reason_code: reason::TOPIC_GONE },
        Standing::TopicRecreated => return Verdict::Void { reason_code: reason::TOPIC_RECREATED },
        Standing::At(partition, place) => (partition, place),
    };
    match place {
        Place::Done => return Verdict::Done,
        // Nobody asked for it in our name, so whoever did is waited for, even on the way to our list.
        Place::Foreign | Place::Pending => {
            let detail = format!("a reassignment to {} that is not ours is pending", list(&partition.replicas));
            return wait(reason::FOREIGN_REASSIGNMENT, Patience::Endless, detail);
        }
        Place::Elsewhere => {
            let detail = format!("somebody changed its replica list to {}", list(&partition.replicas));
            return wait(reason::LIST_CHANGED, Patience::Settle, detail);
        }
        Place::Before | Place::Reached => {}
    }
    if partition.leader.is_none() {
        return wait(reason::NO_LEADER, Patience::Stall, "the partition has no leader".into());
    }
    match &step.plan.kind {
        StepKind::Elect { leader } => gate_election(*leader, partition, seen),
        StepKind::Move { .. } if place == Place::Reached => {
            wait(reason::LEADER_NOT_IN_SYNC, Patience::Stall, "the list is as wanted, but not all of it is in sync".into())
        }
        StepKind::Move { from, to } => gate_move(task, step, (from, to), partition, sight, free_bytes),
    }
}

fn gate_election(leader: BrokerId, partition: &Partition, seen: &Snapshot) -> Verdict {
    if !seen.is_alive(leader) {
        return wait(reason::TARGET_DEAD, Patience::Stall, format!("broker {leader}, which is to lead, is dead"));
    }
    if !partition.in_sync.contains(&leader) {
        return wait(reason::LEADER_NOT_IN_SYNC, Patience::Stall, format!("broker {leader}, which is to lead, is not in sync"));
    }
    Verdict::Go
}

fn gate_move(
    task: &Task,
    step: &Step,
    (from, to): (&[BrokerId], &[BrokerId]),
    partition: &Partition,
    sight: &Sight<'_>,
    free_bytes: impl Fn(BrokerId) -> Option<u64>,
) -> Verdict {
    let (adding, seen) = (step.plan.adding(), sight.cluster);
    if let Some(dead) = adding.iter().find(|broker| !seen.is_alive(**broker)) {
        return wait(reason::TARGET_DEAD, Patience::Stall, format!("broker {dead}, which is to get a copy, is dead"));
    }
    if adding.is_empty() {
        return Verdict::Go;
    }
    // Kafka itself would take the move: a cordon binds only its own placement.
    if let Some(cordoned) = adding.iter().find(|broker| sight.cordoned.contains(broker)) {
        let detail = format!("broker {cordoned}, which is to get a copy, is cordoned");
        return wait(reason::TARGET_CORDONED, Patience::Stall, detail);
    }
    // Before 4.3 Kafka never finishes a target that keeps a dead replica.
    if let Some(dead) = to.iter().find(|broker| !seen.is_alive(**broker)) {
        return wait(reason::DEAD_REPLICA_KEPT, Patience::Stall, format!("broker {dead}, which stays in the list, is dead"));
    }
    let bytes = step.plan.bytes / adding.len() as u64;
    if let Some(full) = adding.iter().find(|broker| free_bytes(**broker).is_some_and(|free| free < bytes)) {
        return wait(reason::DISK_ROOM, Patience::Stall, format!("broker {full} has no room for {bytes} bytes more"));
    }
    let heals = task.goal == "evacuate" || from.iter().any(|broker| !to.contains(broker) && !seen.is_alive(*broker));
    let moving = from.iter().find(|broker| sight.moving_on_disk.contains(&(step.plan.at.clone(), **broker)));
    if let Some(broker) = moving.filter(|_| !heals) {
        let detail = format!("broker {broker} moves its replica from one log directory to another");
        return wait(reason::LOG_DIR_MOVE, Patience::Endless, detail);
    }
    let min_insync = seen.topic(&step.plan.at.topic).map_or(1, |topic| topic.min_insync_replicas as usize).min(from.len());
    if !heals && partition.in_sync.len() < min_insync {
        let detail = format!("{} in sync, {min_insync} needed for writes", partition.in_sync.len());
        return wait(reason::UNDER_MIN_ISR, Patience::Stall, detail);
    }
    Verdict::Go
}

pub(crate) fn list(brokers: &[BrokerId]) -> String {
    let numbers: Vec<String> = brokers.iter().map(ToString::to_string).collect();
    format!("[{}]", numbers.join(", "))
}
