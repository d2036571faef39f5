//! For small groups, where single replicas weigh much: a walk that may go uphill, less and less, from where the descent ended, to
//! places with less penalty or as little for fewer bytes. Must not be used on large ones: it tries far more than it makes.

use super::{Cell, Descent};
use crate::placement::Placement;

/// Replicas of a group that is walked when it is stuck, and of one that always is.
const SLOTS_MAX: usize = 2_000;
const SLOTS_FEW: usize = 100;
/// Replicas of all groups together: a walk remembers places by copying them.
const SLOTS_ALL_MAX: usize = 200_000;
/// Changes tried in one walk, and walks.
const TRIES: u64 = 20_000;
const WALKS: u64 = 3;
/// How far uphill a change may go at first, in shares of the mean.
const RISE_MAX: f64 = 0.6;
/// What copying everything once counts beside the penalty while walking.
const BYTES_WEIGHT: f64 = 2.0;
/// A walk counts only when it takes this share of what was left, of the penalty or of the bytes.
const GAIN_SHARE_MIN: f64 = 0.02;

/// Marsaglia's xorshift: deterministic, and good enough to choose what to try.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 32) as usize * bound) >> 32
    }
}

/// A place to go back to.
struct Mark {
    placement: Placement,
    cells: Vec<Cell>,
    penalty: Vec<f64>,
    total: f64,
    outside: u32,
}

impl Mark {
    fn is_better_than(&self, other: &Mark) -> bool {
        let (bytes, others) = (self.placement.tally.bytes as f64, other.placement.tally.bytes as f64);
        self.total < other.total * (1.0 - GAIN_SHARE_MIN)
            || (self.total <= other.total && bytes < others * (1.0 - GAIN_SHARE_MIN))
    }
}

impl Descent<'_> {
    /// Walks from where the descent ended, and stays at the best place found if it is better.
    pub(super) fn shake(&mut self) {
        let slots: usize = self.members.iter().map(|&broker| self.placement.hosted(broker).len()).sum();
        let most = if self.outside == 0 { SLOTS_FEW } else { SLOTS_MAX };
        let is_idle = self.outside == 0 && self.placement.tally.bytes == 0;
        // Marks do not remember what is counted per topic.
        let is_copied_fast = self.model.slots.len() <= SLOTS_ALL_MAX;
        if self.topics.is_some()
            || is_idle
            || !is_copied_fast
            || slots > most
            || !self.scope.may_exchange()
            || self.members.len() < 2
        {
            return;
        }
        let start = self.mark();
        let mut best = self.mark();
        for walk in 0..WALKS {
            if self.is_spent() {
                break;
            }
            if let Some(better) = self.walk(walk + 1, &best) {
                best = better;
            }
            self.back_to(if walk % 2 == 0 { &best } else { &start });
        }
        self.back_to(if best.is_better_than(&start) { &best } else { &start });
    }

    fn walk(&mut self, seed: u64, least: &Mark) -> Option<Mark> {
        let mut dice = Dice(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed));
        let mut total: f64 = self.members.iter().map(|&broker| self.penalty[broker as usize]).sum();
        let (mut least, mut bytes, mut best) = (least.total, least.placement.tally.bytes, None);
        self.spend(TRIES as usize);
        for left in (0..TRIES).rev() {
            let rise = RISE_MAX * left as f64 / TRIES as f64;
            total += match dice.below(4) {
                0 => self.try_handover(&mut dice, rise),
                1 | 2 => self.try_move(&mut dice, rise),
                _ => self.try_exchange(&mut dice, rise),
            };
            let now = self.placement.tally.bytes;
            // The sum drifts by rounding; nobody outside is exactly none.
            let exact = if self.outside == 0 { 0.0 } else { total };
            if exact < least - super::GAIN_MIN || (exact <= least && now < bytes) {
                let mark = self.mark();
                (least, bytes) = (mark.total, now);
                best = Some(mark);
            }
        }
        best
    }

    fn any_slot(&self, dice: &mut Dice) -> Option<u32> {
        let broker = self.members[dice.below(self.members.len())];
        let hosted = self.placement.hosted(broker);
        let slot = *hosted.get(dice.below(hosted.len().max(1)))?;
        self.scope.may_move(self.model.owner[slot as usize] as usize).then_some(slot)
    }

    fn try_move(&mut self, dice: &mut Dice, rise: f64) -> f64 {
        let to = self.members[dice.below(self.members.len())];
        match self.any_slot(dice) {
            Some(slot) if self.model.is_welcome(to) && self.may_move(slot, to) => {
                let from = self.placement.holder(slot);
                let bytes = self.bytes_weight();
                let change = self.go(slot, to);
                let dearer = self.bytes_weight() - bytes;
                if change + dearer <= rise { change } else { change + self.go(slot, from) }
            }
            _ => 0.0,
        }
    }

    fn try_exchange(&mut self, dice: &mut Dice, rise: f64) -> f64 {
        let (Some(own), Some(theirs)) = (self.any_slot(dice), self.any_slot(dice)) else { return 0.0 };
        let (broker, other) = (self.placement.holder(own), self.placement.holder(theirs));
        if broker == other || !self.may_exchange(broker, own, other, theirs) {
            return 0.0;
        }
        let bytes = self.bytes_weight();
        let change = self.go(own, other) + self.go(theirs, broker);
        let dearer = self.bytes_weight() - bytes;
        if change + dearer <= rise { change } else { change + self.go(own, broker) + self.go(theirs, other) }
    }

    fn try_handover(&mut self, dice: &mut Dice, rise: f64) -> f64 {
        let Some(slot) = self.any_slot(dice) else { return 0.0 };
        let (partition, to) = (self.model.owner[slot as usize] as usize, self.placement.holder(slot));
        let from = self.placement.leader[partition];
        if from == to || !self.may_lead(partition, from, to) {
            return 0.0;
        }
        let change = self.hand(partition, to);
        if change <= rise { change } else { change + self.hand(partition, from) }
    }

    /// The bytes of the plan so far, weighed against penalties: the charge is a twentieth of a partition.
    fn bytes_weight(&self) -> f64 {
        let all = self.charge * 20.0 * self.model.slots.len() as f64;
        BYTES_WEIGHT * self.placement.tally.bytes as f64 / all
    }

    fn go(&mut self, slot: u32, to: u32) -> f64 {
        let from = self.placement.holder(slot);
        let partition = self.model.owner[slot as usize] as usize;
        self.change(partition, |placement, model| placement.relocate(model, slot, to));
        self.refresh(from) + self.refresh(to)
    }

    fn hand(&mut self, partition: usize, to: u32) -> f64 {
        let from = self.placement.leader[partition];
        self.change(partition, |placement, model| placement.lead(model, partition, to));
        self.refresh(from) + self.refresh(to)
    }

    fn mark(&self) -> Mark {
        let total = self.members.iter().map(|&broker| self.penalty[broker as usize]).sum();
        let (placement, cells, penalty) = (self.placement.clone(), self.cells.clone(), self.penalty.clone());
        Mark { placement, cells, penalty, total, outside: self.outside }
    }

    fn back_to(&mut self, mark: &Mark) {
        self.placement = mark.placement.clone();
        self.cells = mark.cells.clone();
        self.penalty = mark.penalty.clone();
        self.outside = mark.outside;
    }
}
