//! In which order the entries of a plan start, and how long that takes. Must not know goals' wishes: every prefix of the order
//! obeys the hard rules, and what cannot be ordered so is left out.

mod copying;

use std::cmp::Reverse;
use std::collections::BTreeSet;

use crate::GoalKind;
use crate::model::{Loads, Model, NOBODY};
use crate::placement::Placement;
use crate::rules::{Strictness, broken};

pub(crate) struct Schedule {
    /// Changed partitions in start order.
    pub order: Vec<usize>,
    /// What the cluster is when all of them are complete.
    pub placement: Placement,
    /// Where a step takes a load above both the capacity limit and what it was before it, as (broker, resource).
    pub exceeded: BTreeSet<(u32, usize)>,
    /// Of the dry run.
    pub estimated_seconds: u64,
}

/// One changed partition.
struct Entry {
    partition: usize,
    /// What goes first: the canary (the smallest copy), then partitions without leader, elections, lost replicas, the rest.
    class: u8,
    /// Brokers that get a copy.
    added: Vec<u32>,
}

/// Orders the changes of `wanted`.
pub(crate) fn schedule(model: &Model<'_>, wanted: Placement) -> Schedule {
    let mut entries = entries(model, &wanted);
    let run = copying::dry_run(model, &model.present_load, &entries);
    let mut waiting: Vec<usize> = (0..entries.len()).collect();
    waiting.sort_by_cached_key(|&at| {
        let Entry { partition, class, .. } = entries[at];
        (class.min(LAST_WITHOUT_COPY), run.starts[at], class, Reverse(added_bytes(model, &wanted, partition)), partition)
    });
    let waiting: Vec<usize> = waiting.into_iter().map(|at| entries[at].partition).collect();
    entries.clear();
    let estimated_seconds = u64::try_from(run.end.div_ceil(1_000_000)).unwrap_or(u64::MAX);
    let mut schedule = Schedule {
        order: Vec::with_capacity(waiting.len()),
        placement: Placement::present(model),
        exceeded: BTreeSet::new(),
        estimated_seconds,
    };
    schedule.start_all(model, &wanted, waiting);
    schedule
}

const CANARY: u8 = 0;
const WITHOUT_LEADER: u8 = 1;
const ELECTION: u8 = 2;
const LAST_WITHOUT_COPY: u8 = 3;
const LOST_REPLICA: u8 = 3;
const OTHER: u8 = 4;

fn entries(model: &Model<'_>, wanted: &Placement) -> Vec<Entry> {
    let mut entries: Vec<Entry> = wanted
        .changed(model)
        .into_iter()
        .map(|partition| {
            let added = added(model, wanted, partition);
            let class = match () {
                () if model.partitions[partition].leader == NOBODY => WITHOUT_LEADER,
                () if added.is_empty() || model.partitions[partition].bytes() == 0 => ELECTION,
                () if model.list(partition).iter().any(|&broker| model.is_dead(broker)) => LOST_REPLICA,
                () => OTHER,
            };
            Entry { partition, class, added }
        })
        .collect();
    let bytes = |entry: &Entry| model.partitions[entry.partition].bytes().saturating_mul(entry.added.len() as u64);
    let canary = entries.iter_mut().filter(|entry| bytes(entry) > 0).min_by_key(|entry| (bytes(entry), entry.partition));
    if let Some(canary) = canary {
        canary.class = CANARY;
    }
    entries
}

impl Schedule {
    /// Starts what fits, in order, until nothing more does.
    fn start_all(&mut self, model: &Model<'_>, wanted: &Placement, mut waiting: Vec<usize>) {
        let may_exceed = matches!(model.goal.kind, GoalKind::Evacuate | GoalKind::Drain);
        let mut strictness = Strictness::Full;
        while !waiting.is_empty() {
            let before = waiting.len();
            waiting.retain(|&partition| {
                let (list, leader) = (wanted.list(model, partition), wanted.leader[partition]);
                let fits = |strictness| broken(model, &self.placement, partition, list, leader, strictness).is_none();
                let starts = fits(Strictness::Full);
                if !starts && (strictness == Strictness::Full || !fits(strictness)) {
                    return true;
                }
                let loads: Vec<Loads> = list.iter().map(|&broker| self.placement.load[broker as usize]).collect();
                self.placement.put(model, partition, list, leader);
                self.order.push(partition);
                if !starts {
                    self.note_exceeded(model, &loads, partition);
                }
                false
            });
            if waiting.len() < before {
                continue;
            }
            if !may_exceed || strictness == Strictness::DiskOnly {
                return;
            }
            strictness = Strictness::DiskOnly;
        }
    }

    fn note_exceeded(&mut self, model: &Model<'_>, before: &[Loads], partition: usize) {
        for (&broker, before) in self.placement.list(model, partition).iter().zip(before) {
            for r in (0..4).filter(|&r| model.measured[r] && !model.is_dead(broker)) {
                let most = model.broker(broker).limit[r].max(before[r]);
                if self.placement.load[broker as usize][r] > most {
                    self.exceeded.insert((broker, r));
                }
            }
        }
    }
}

/// Brokers that get a copy.
pub(crate) fn added(model: &Model<'_>, placement: &Placement, partition: usize) -> Vec<u32> {
    let present = model.list(partition);
    placement.list(model, partition).iter().copied().filter(|broker| !present.contains(broker)).collect()
}

pub(crate) fn added_bytes(model: &Model<'_>, placement: &Placement, partition: usize) -> u64 {
    let present = model.list(partition);
    let count = placement.list(model, partition).iter().filter(|broker| !present.contains(broker)).count();
    model.partitions[partition].bytes().saturating_mul(count as u64)
}

/// Ten times what a broker has left for copying in one direction, in bytes per second; 0 where it has nothing left.
pub(crate) fn tenfold_headroom(model: &Model<'_>, present: &[Loads], broker: u32, r: usize) -> u128 {
    let capacity = u128::from(model.broker(broker).capacity[r]);
    (8 * capacity).saturating_sub(10 * u128::from(present[broker as usize][r]))
}
