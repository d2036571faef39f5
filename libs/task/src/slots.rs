//! How much may be in flight at once, over all tasks of a cluster. Must not know rates: how fast it goes is Flow Control's.

use std::collections::BTreeMap;

use ballast_cluster::{BrokerId, Snapshot};

use crate::task::{Step, Task};
use crate::{StepKind, StepPlan};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Copying moves at once that a broker gives or takes a replica in.
    pub moves_per_broker_max: u32,
    /// Copying moves at once in a cluster.
    pub moves_per_cluster_max: u32,
    /// Elections and changes of order at once in a cluster.
    pub elections_max: u32,
    /// So long without progress is a stall.
    pub stall_seconds: u64,
    /// Until when all brokers agree on what one of them shows: nothing is concluded from a surprise that lasts shorter.
    pub settle_milliseconds: u64,
    /// So long a request may be under way that was sent and not answered: until then it is not given up for lost.
    pub late_milliseconds: u64,
    /// Attempts that Kafka may refuse or lose before an operator is needed.
    pub failures_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            moves_per_broker_max: 5,
            moves_per_cluster_max: 100,
            elections_max: 200,
            stall_seconds: 300,
            settle_milliseconds: 2_000,
            late_milliseconds: 30_000,
            failures_max: 3,
        }
    }
}

/// What is in flight.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Slots {
    moves: u32,
    elections: u32,
    per_broker: BTreeMap<BrokerId, u32>,
    /// Bytes that brokers are going to get.
    pub(crate) incoming_bytes: BTreeMap<BrokerId, u64>,
}

impl Slots {
    /// Taken by the steps of these tasks, which are all those of one cluster.
    pub fn of<'a>(tasks: impl Iterator<Item = &'a Task>, seen: &Snapshot) -> Self {
        let mut slots = Self::default();
        for step in tasks.flat_map(|task| &task.steps).filter(|step| step.state.holds_a_place()) {
            slots.take(step, seen);
        }
        slots
    }

    pub(crate) fn take(&mut self, step: &Step, seen: &Snapshot) {
        let adding = step.plan.adding();
        if adding.is_empty() {
            self.elections += 1;
            return;
        }
        self.moves += 1;
        for broker in brokers(&step.plan, seen) {
            *self.per_broker.entry(broker).or_default() += 1;
        }
        for broker in &adding {
            *self.incoming_bytes.entry(*broker).or_default() += step.plan.bytes / adding.len() as u64;
        }
    }

    pub(crate) fn have_room_for(&self, step: &Step, seen: &Snapshot, limits: &Limits) -> bool {
        if !step.plan.copies_data() {
            return self.elections < limits.elections_max;
        }
        let busy = |broker: BrokerId| self.per_broker.get(&broker).copied().unwrap_or(0) >= limits.moves_per_broker_max;
        self.moves < limits.moves_per_cluster_max && !brokers(&step.plan, seen).into_iter().any(busy)
    }
}

/// Live brokers that a move gives a replica to or takes one from.
fn brokers(step: &StepPlan, seen: &Snapshot) -> Vec<BrokerId> {
    let StepKind::Move { from, to } = &step.kind else { return Vec::new() };
    let leaving = from.iter().filter(|broker| !to.contains(broker) && seen.is_alive(**broker));
    leaving.copied().chain(step.adding()).collect()
}
