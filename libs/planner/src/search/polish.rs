//! Takes back what turned out not to be needed. Must not lower what the plan reached: no change here raises the penalty of the
//! brokers it touches.

use std::cmp::Reverse;

use super::Descent;
use super::field::vector;
use crate::model::{Loads, NOBODY};
use crate::rules::rack_excess;

/// Passes over all changes: taking one back may make room for another's return. Each takes something back, the number is a guard.
const PASSES_MAX: usize = 8;
/// Of so many changes the first passes take nearly all.
const CHANGES_MANY: usize = 20_000;
const PASSES_FEW: usize = 3;
/// A rise of the penalty that is none.
const ROUNDING: f64 = 1e-12;

impl Descent<'_> {
    /// Sends changes back to where they were, the dearest first, while no broker gets worse: single replicas, then what is left of
    /// each partition's changes as a whole.
    pub(crate) fn return_home(&mut self) {
        let model = self.model;
        let mut changed: Vec<usize> = (0..model.partitions.len())
            .filter(|&partition| self.concerns(partition) && self.placement.is_changed(model, partition))
            .collect();
        changed.sort_by_key(|&partition| (Reverse(model.partitions[partition].bytes()), partition));
        for _ in 0..if changed.len() > CHANGES_MANY { PASSES_FEW } else { PASSES_MAX } {
            let mut returned = false;
            for &partition in &changed {
                for slot in model.partitions[partition].slots() {
                    returned |= self.return_replica(slot as u32);
                }
            }
            // The lightest first: so most of them go back.
            for &partition in changed.iter().rev() {
                returned |= self.return_leadership(partition);
            }
            for &partition in &changed {
                returned |= self.return_whole(partition);
            }
            if !returned {
                return;
            }
            changed.retain(|&partition| self.placement.is_changed(model, partition));
        }
    }

    fn concerns(&self, partition: usize) -> bool {
        self.model.group_of(partition) == self.group && self.scope.may_lead_elsewhere(partition)
    }

    /// Sends one replica back to its broker; whether it could.
    fn return_replica(&mut self, slot: u32) -> bool {
        let (home, holder) = (self.model.slots[slot as usize], self.placement.holder(slot));
        let partition = self.model.owner[slot as usize] as usize;
        if home == holder || !self.scope.may_move(partition) || !self.scope.may_take(holder, home) {
            return false;
        }
        let facts = self.model.broker(home);
        if !self.model.is_welcome(home) || facts.group != self.group {
            return false;
        }
        let item = self.item(slot);
        let after = self.cells[holder as usize].penalty_without(&item) + self.cells[home as usize].penalty_with(&item);
        let returns =
            after <= self.penalty[holder as usize] + self.penalty[home as usize] + ROUNDING && self.may_move(slot, home);
        if returns {
            self.relocate(slot, home);
        }
        returns
    }

    /// Gives leadership back to the member of the list that had it; whether it could.
    fn return_leadership(&mut self, partition: usize) -> bool {
        let (was, is) = (self.model.partitions[partition].leader, self.placement.leader[partition]);
        let holds = was != is && was != NOBODY && is != NOBODY && self.placement.list(self.model, partition).contains(&was);
        let returns = holds && self.may_lead(partition, is, was) && self.handover_gain(partition, is, was) >= -ROUNDING;
        if returns {
            self.lead(partition, was);
        }
        returns
    }

    /// Gives a partition its list and leader back; whether it could.
    fn return_whole(&mut self, partition: usize) -> bool {
        let model = self.model;
        let (list, leader) = (model.list(partition), model.partitions[partition].leader);
        let now = self.placement.list(model, partition).to_vec();
        if !self.placement.is_changed(model, partition) || leader == NOBODY || !self.may_have_back(partition, &now) {
            return false;
        }
        let mut touched = now.clone();
        touched.extend(list.iter().filter(|broker| !now.contains(broker)));
        touched.retain(|&broker| !model.is_dead(broker));
        let mut change = 0.0;
        for &broker in &touched {
            let (before, after) = (self.placement.load[broker as usize], self.load_after_return(partition, broker));
            let exceeds = |r: usize| after[r] > before[r] && after[r] > model.broker(broker).limit[r];
            if (0..4).any(|r| model.measured[r] && exceeds(r)) {
                return false;
            }
            change += self.cells[broker as usize].penalty_at(&vector(&after)) - self.penalty[broker as usize];
        }
        if change > ROUNDING {
            return false;
        }
        let list = list.to_vec();
        self.change(partition, |placement, model| placement.put(model, partition, &list, leader));
        for broker in touched {
            self.refresh(broker);
        }
        true
    }

    /// Whether no hard rule is broken again by the list that the partition had.
    fn may_have_back(&self, partition: usize, now: &[u32]) -> bool {
        let model = self.model;
        let list = model.list(partition);
        let holds =
            |&broker: &u32| model.is_welcome(broker) && model.broker(broker).group == self.group && self.has_place(broker);
        // Whether each single return was possible says whether the topic's counts allow it: as a whole it is not tried.
        if self.topics.is_some() {
            return false;
        }
        list.iter().filter(|broker| !now.contains(broker)).all(holds)
            && model.is_welcome(model.partitions[partition].leader)
            && rack_excess(model, self.group, list) <= rack_excess(model, self.group, now)
    }

    fn load_after_return(&self, partition: usize, broker: u32) -> Loads {
        let model = self.model;
        let facts = &model.partitions[partition];
        let mut load = self.placement.load[broker as usize];
        if self.placement.list(model, partition).contains(&broker) {
            crate::placement::subtract(&mut load, &facts.role(self.placement.leader[partition] == broker));
        }
        if model.list(partition).contains(&broker) {
            crate::placement::add(&mut load, &facts.role(facts.leader == broker));
        }
        load
    }
}
