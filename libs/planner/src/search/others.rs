//! The brokers likely to be the other end of a move. In a small group all are weighed; in a large one those that were emptiest and
//! fullest in each rack when last looked. Must not know replicas.

use super::field::{Cell, Vector};
use super::{Descent, Side};
use crate::model::Model;

/// Groups up to this size are looked at as a whole.
const WHOLE_GROUP_MAX: usize = 400;
/// Brokers remembered per rack, resource and end.
const PER_RACK_MAX: usize = 64;
/// Brokers taken from racks other than that of the broker itself, all together.
const ELSEWHERE_MAX: usize = 160;
/// More racks than this are looked at as one.
const RACKS_MAX: usize = 64;
/// What room inside the band counts beside distance from it.
pub(super) const ROOM_WEIGHT: f64 = 0.02;

/// Per rack, what was emptiest and fullest in each resource, the extreme first.
pub(super) struct Extremes {
    /// `[rack][resource]`
    emptiest: Vec<[Vec<u32>; 4]>,
    fullest: Vec<[Vec<u32>; 4]>,
    racks: Vec<Vec<u32>>,
    /// Looks until they are found anew.
    fresh_for: usize,
}

impl Extremes {
    pub fn new(model: &Model<'_>, members: &[u32]) -> Self {
        let count = members.iter().map(|&broker| model.broker(broker).rack as usize + 1).max().unwrap_or(0);
        // Where nearly each broker is a rack of its own, racks tell nothing.
        let count = if count > RACKS_MAX { 1 } else { count };
        let mut racks = vec![Vec::new(); count];
        members.iter().for_each(|&broker| racks[model.broker(broker).rack as usize % count].push(broker));
        Extremes { emptiest: Vec::new(), fullest: Vec::new(), racks, fresh_for: 0 }
    }

    fn refresh(&mut self, cells: &[Cell]) {
        let per_rack = |rack: &Vec<u32>, sign: f64| {
            [0, 1, 2, 3].map(|r| {
                let share = |broker: u32| sign * cells[broker as usize].share(r);
                let order = |a: &u32, b: &u32| share(*a).total_cmp(&share(*b)).then(a.cmp(b));
                let mut ranked = rack.clone();
                if ranked.len() > PER_RACK_MAX {
                    ranked.select_nth_unstable_by(PER_RACK_MAX, order);
                    ranked.truncate(PER_RACK_MAX);
                }
                ranked.sort_unstable_by(order);
                ranked
            })
        };
        self.emptiest = self.racks.iter().map(|rack| per_rack(rack, 1.0)).collect();
        self.fullest = self.racks.iter().map(|rack| per_rack(rack, -1.0)).collect();
        let size: usize = self.racks.iter().map(Vec::len).sum();
        self.fresh_for = (size / 24).max(32);
    }
}

impl Descent<'_> {
    /// Finds the extremes anew when they are too old for so many more looks.
    pub(super) fn refresh_extremes(&mut self, looks: usize) {
        if self.members.len() <= WHOLE_GROUP_MAX {
            return;
        }
        if self.extremes.fresh_for < looks {
            self.extremes.refresh(&self.cells);
            self.spend(self.members.len());
        }
        self.extremes.fresh_for = self.extremes.fresh_for.saturating_sub(looks);
    }

    /// Brokers that may take load of the `typical` kind from `broker`, or give it, the likeliest first.
    pub(super) fn others(&self, broker: u32, typical: &Vector, end: Side, most: usize) -> Vec<u32> {
        let candidates = self.candidates(broker, typical, end);
        let mut ranked: Vec<(f64, u32)> = Vec::with_capacity(candidates.len());
        for other in candidates {
            let (from, to) = if end == Side::Under { (broker, other) } else { (other, broker) };
            let closed = self.model.broker(other).closed || !self.model.is_welcome(to);
            if other == broker || closed || !self.scope.may_take(from, to) {
                continue;
            }
            let cell = &self.cells[other as usize];
            let rank = match end {
                Side::Under => self.penalty[other as usize] - cell.penalty_with(typical) + ROOM_WEIGHT * cell.room_for(typical),
                Side::Over => (0..4).map(|r| typical[r] * cell.share(r)).sum::<f64>() + self.penalty[other as usize],
            };
            ranked.push((rank, other));
        }
        let better = |a: &(f64, u32), b: &(f64, u32)| {
            b.0.total_cmp(&a.0).then(self.model.broker(a.1).tie.cmp(&self.model.broker(b.1).tie))
        };
        let own_rack = self.model.broker(broker).rack;
        let mut kept: Vec<(f64, u32)> = Vec::new();
        if ranked.len() > most {
            // Where racks are strict most replicas can only stay in theirs: some of it are always among the candidates.
            kept = ranked.iter().copied().filter(|&(_, other)| self.model.broker(other).rack == own_rack).collect();
            let own_most = most / 4;
            if kept.len() > own_most {
                kept.select_nth_unstable_by(own_most, better);
                kept.truncate(own_most);
            }
            ranked.select_nth_unstable_by(most, better);
            ranked.truncate(most);
        }
        kept.retain(|entry| !ranked.contains(entry));
        ranked.extend(kept);
        ranked.sort_unstable_by(better);
        ranked.into_iter().map(|(_, other)| other).collect()
    }

    /// Brokers to rank: all of a small group, else extremes of the resources that matter most.
    fn candidates(&self, broker: u32, typical: &Vector, end: Side) -> Vec<u32> {
        if let (Side::Under, Some(fills)) = (end, self.scope.fills()) {
            return fills.iter().copied().filter(|&fill| self.model.broker(fill).group == self.group).collect();
        }
        if self.members.len() <= WHOLE_GROUP_MAX {
            return self.members.clone();
        }
        let cell = &self.cells[broker as usize];
        let wanted = |r: usize| if end == Side::Under { cell.is_over(r) } else { cell.is_under(r) };
        let mut resources: Vec<usize> = (0..4).filter(|&r| wanted(r) && typical[r] > 0.0).collect();
        if resources.is_empty() {
            resources.push(0);
        }
        let by_rack = if end == Side::Under { &self.extremes.emptiest } else { &self.extremes.fullest };
        let own = self.model.broker(broker).rack as usize % by_rack.len().max(1);
        let elsewhere = (ELSEWHERE_MAX / by_rack.len().max(1) / resources.len()).max(2);
        let mut found: Vec<u32> = Vec::new();
        for (rack, extremes) in by_rack.iter().enumerate() {
            for &r in &resources {
                let most = if rack == own { PER_RACK_MAX } else { elsewhere };
                found.extend(extremes[r].iter().take(most));
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}
