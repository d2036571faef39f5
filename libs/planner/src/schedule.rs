//! In which order the entries of a plan start, and how long that takes. Must not know goals' wishes: every prefix of the order
//! obeys the hard rules, and what cannot be ordered so is left out.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use crate::GoalKind;
use crate::model::{Loads, Model, NETWORK_IN, NETWORK_OUT, NOBODY};
use crate::placement::Placement;
use crate::rules::{Strictness, broken};

/// Slowest rate that an estimate assumes where a broker's figures leave no headroom.
const RATE_FLOOR_BYTES_PER_SECOND: u64 = 1_000_000;

pub(crate) struct Schedule {
    /// Changed partitions in start order.
    pub order: Vec<usize>,
    /// What the cluster is when all of them are complete.
    pub placement: Placement,
    /// Where a step takes a load above both the capacity limit and what it was before it, as (broker, resource).
    pub exceeded: BTreeSet<(u32, usize)>,
}

/// Orders the changes of `wanted`: the canary (the smallest copy), then partitions without leader, elections, lost replicas,
/// and last the rest, the longest first.
pub(crate) fn schedule(model: &Model<'_>, wanted: &Placement) -> Schedule {
    let mut waiting = wanted.changed(model);
    let bytes = |partition: usize| added_bytes(model, wanted, partition);
    let canary =
        waiting.iter().copied().filter(|&partition| bytes(partition) > 0).min_by_key(|&partition| (bytes(partition), partition));
    waiting.sort_by_key(|&partition| {
        let list = model.list(partition);
        let class = match () {
            () if Some(partition) == canary => 0,
            () if model.partitions[partition].leader == NOBODY => 1,
            () if bytes(partition) == 0 => 2,
            () if list.iter().any(|&broker| model.is_dead(broker)) => 3,
            () => 4,
        };
        (class, Reverse(bytes(partition)), partition)
    });
    let mut schedule = Schedule { order: Vec::new(), placement: Placement::present(model), exceeded: BTreeSet::new() };
    let may_exceed = matches!(model.goal.kind, GoalKind::Evacuate | GoalKind::Drain);
    loop {
        let before = waiting.len();
        let fits = |schedule: &Schedule, &partition: &usize, strictness| {
            let (list, leader) = (wanted.list(model, partition), wanted.leader[partition]);
            broken(model, &schedule.placement, partition, list, leader, strictness).is_none()
        };
        waiting.retain(|partition| {
            let starts = fits(&schedule, partition, Strictness::Full);
            if starts {
                schedule.start(model, wanted, *partition);
            }
            !starts
        });
        // One at a time: it may make room for others that then exceed nothing.
        let exceeding = waiting.iter().position(|partition| fits(&schedule, partition, Strictness::DiskOnly));
        if let (true, true, Some(at)) = (waiting.len() == before, may_exceed, exceeding) {
            let partition = waiting.remove(at);
            let before = schedule.placement.load.clone();
            schedule.start(model, wanted, partition);
            schedule.note_exceeded(model, &before, partition);
        }
        if waiting.is_empty() || waiting.len() == before {
            return schedule;
        }
    }
}

impl Schedule {
    fn start(&mut self, model: &Model<'_>, wanted: &Placement, partition: usize) {
        self.placement.put(model, partition, wanted.list(model, partition), wanted.leader[partition]);
        self.order.push(partition);
    }

    fn note_exceeded(&mut self, model: &Model<'_>, before: &[Loads], partition: usize) {
        for &broker in self.placement.list(model, partition).iter().filter(|&&broker| !model.is_dead(broker)) {
            for r in (0..4).filter(|&r| model.measured[r]) {
                let most = model.broker(broker).limit[r].max(before[broker as usize][r]);
                if self.placement.load[broker as usize][r] > most {
                    self.exceeded.insert((broker, r));
                }
            }
        }
    }

    /// Seconds when each broker sends one copy at a time and receives one at a time, each at its headroom.
    pub fn estimated_seconds(&self, model: &Model<'_>) -> u64 {
        let present = Placement::present(model);
        let brokers = model.brokers.len();
        // Microseconds from the start at which each broker is free again.
        let (mut sends, mut receives) = (vec![0u128; brokers], vec![0u128; brokers]);
        let mut end = 0;
        for &partition in &self.order {
            let facts = &model.partitions[partition];
            for &to in added(model, &self.placement, partition).iter() {
                let mut length = duration(model, &present, to, NETWORK_IN, facts.bytes());
                let mut start = receives[to as usize];
                if facts.leader != NOBODY {
                    length = length.max(duration(model, &present, facts.leader, NETWORK_OUT, facts.bytes()));
                    start = start.max(sends[facts.leader as usize]);
                    sends[facts.leader as usize] = start + length;
                }
                receives[to as usize] = start + length;
                end = end.max(start + length);
            }
        }
        u64::try_from(end.div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }
}

/// Brokers that get a copy.
pub(crate) fn added(model: &Model<'_>, placement: &Placement, partition: usize) -> Vec<u32> {
    let present = model.list(partition);
    placement.list(model, partition).iter().copied().filter(|broker| !present.contains(broker)).collect()
}

pub(crate) fn added_bytes(model: &Model<'_>, placement: &Placement, partition: usize) -> u64 {
    model.partitions[partition].bytes().saturating_mul(added(model, placement, partition).len() as u64)
}

/// Ten times what a broker has left for copying in one direction, in bytes per second; 0 where it has nothing left.
pub(crate) fn tenfold_headroom(model: &Model<'_>, present: &Placement, broker: u32, r: usize) -> u128 {
    let capacity = u128::from(model.broker(broker).capacity[r]);
    (8 * capacity).saturating_sub(10 * u128::from(present.load[broker as usize][r]))
}

/// Microseconds, rounded up.
fn duration(model: &Model<'_>, present: &Placement, broker: u32, r: usize, bytes: u64) -> u128 {
    let rate = match tenfold_headroom(model, present, broker, r) {
        0 => 10 * u128::from((model.broker(broker).capacity[r] / 100).max(RATE_FLOOR_BYTES_PER_SECOND)),
        headroom => headroom,
    };
    (u128::from(bytes) * 10_000_000).div_ceil(rate)
}
