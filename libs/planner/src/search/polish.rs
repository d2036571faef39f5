//! Takes back what turned out not to be needed, and makes a plan's copies smaller where a smaller one serves as well.
//! Must not lower what the plan reached: no change here raises the penalty of the brokers it touches.

use super::{Descent, GAIN_MIN};
use crate::model::NOBODY;

impl Descent<'_> {
    /// Sends replicas and leaderships back to where they were, the dearest first, while no broker gets worse.
    pub(crate) fn return_home(&mut self) {
        let model = self.model;
        let mut away: Vec<u32> = (0..model.slots.len() as u32).filter(|&slot| self.is_away(slot)).collect();
        let bytes = |slot: u32| model.partitions[model.owner[slot as usize] as usize].bytes();
        away.sort_by_key(|&slot| (std::cmp::Reverse(bytes(slot)), slot));
        for slot in away {
            let home = model.slots[slot as usize];
            if self.scope.may_take(self.placement.holder(slot), home)
                && self.stays_as_good(slot, home)
                && self.may_return(slot, home)
            {
                self.relocate(slot, home);
            }
        }
        for partition in 0..model.partitions.len() {
            let (was, is) = (model.partitions[partition].leader, self.placement.leader[partition]);
            if was == is || was == NOBODY || is == NOBODY || !self.concerns(partition) {
                continue;
            }
            if self.placement.list(model, partition).contains(&was) && self.may_lead(partition, is, was) {
                let gain = self.handover_gain(partition, is, was);
                if gain >= -GAIN_MIN * GAIN_MIN {
                    self.lead(partition, was);
                }
            }
        }
    }

    fn is_away(&self, slot: u32) -> bool {
        let (home, holder) = (self.model.slots[slot as usize], self.placement.holder(slot));
        let partition = self.model.owner[slot as usize] as usize;
        home != holder && self.concerns(partition) && self.scope.may_move(partition) && self.model.is_welcome(home)
    }

    fn concerns(&self, partition: usize) -> bool {
        self.model.group_of(partition) == self.group && self.scope.may_lead_elsewhere(partition)
    }

    fn stays_as_good(&self, slot: u32, to: u32) -> bool {
        let from = self.placement.holder(slot);
        let item = self.item(slot);
        let after = self.cells[from as usize].penalty_without(&item) + self.cells[to as usize].penalty_with(&item);
        after <= self.penalty[from as usize] + self.penalty[to as usize]
    }

    fn may_return(&self, slot: u32, home: u32) -> bool {
        self.model.broker(home).group == self.group && self.may_move(slot, home)
    }
}
