//! Leadership handed from one in-sync replica to another: copies nothing, so it comes first. Must not know replica moves.

use super::field::{Vector, vector};
use super::{Descent, GAIN_MIN, Look};
use crate::model::{CPU, NETWORK_OUT, NOBODY};

/// Looks at one broker before the others have their turn.
const LOOKS_MAX: usize = 3;
/// A round that takes a smaller share of the penalty is the last.
const ROUND_GAIN_MIN: f64 = 0.02;
/// A hand-over found by one look is made as long as it still gains this share of what it did then.
const STILL_WORTH_SHARE: f64 = 0.6;
/// A hand-over must gain this share of the load that it moves: what only passes a surplus on is left to those who can end it.
const USEFUL_SHARE_MIN: f64 = 0.1;
/// Each round lowers the penalty; the number is a guard.
const ROUNDS_MAX: usize = 8;

#[derive(Clone, Copy)]
struct Handover {
    gain: f64,
    partition: u32,
    to: u32,
}

impl Descent<'_> {
    /// Hands leadership on until no hand-over gains.
    pub(super) fn hand_over_all(&mut self) {
        for _ in 0..ROUNDS_MAX {
            let before = self.steps.penalty();
            let mut queue: Vec<u32> = self.members.iter().copied().filter(|&b| self.wants_leadership_moved(b)).collect();
            queue.sort_by(|&a, &b| self.penalty[b as usize].total_cmp(&self.penalty[a as usize]).then(a.cmp(&b)));
            for brokers in queue.chunks(self.at_once()) {
                let mut brokers = brokers.to_vec();
                for _ in 0..LOOKS_MAX {
                    let looks = self.look_at(&brokers, Self::handovers);
                    let mut again = Vec::new();
                    for (&broker, look) in brokers.iter().zip(looks) {
                        if self.hand_over(broker, look) && self.wants_leadership_moved(broker) {
                            again.push(broker);
                        }
                    }
                    brokers = again;
                }
            }
            if self.is_spent() || self.steps.penalty() > before * (1.0 - ROUND_GAIN_MIN) {
                return;
            }
        }
    }

    fn wants_leadership_moved(&self, broker: u32) -> bool {
        let cell = &self.cells[broker as usize];
        [NETWORK_OUT, CPU].into_iter().any(|r| cell.is_over(r) || cell.is_under(r))
    }

    /// Makes the hand-overs of a look that still gain; whether there was any.
    fn hand_over(&mut self, broker: u32, look: Look<Handover>) -> bool {
        let mut moved = false;
        for handover in look.found {
            if !self.wants_leadership_moved(broker) {
                break;
            }
            let from = self.placement.leader[handover.partition as usize];
            let gain = self.handover_gain(handover.partition as usize, from, handover.to);
            if gain > GAIN_MIN
                && gain >= STILL_WORTH_SHARE * handover.gain
                && self.may_lead(handover.partition as usize, from, handover.to)
            {
                self.lead(handover.partition as usize, handover.to);
                moved = true;
            }
        }
        moved
    }

    /// Hand-overs that help a broker, the best first.
    fn handovers(&self, broker: u32) -> Look<Handover> {
        let mut found = Vec::new();
        let (model, placement) = (self.model, &self.placement);
        let mut looked_at = 0;
        for &slot in placement.hosted(broker) {
            let partition = model.owner[slot as usize] as usize;
            let leader = placement.leader[partition];
            if !self.scope.may_lead_elsewhere(partition) || leader == NOBODY {
                continue;
            }
            let extra = self.leader_extra(partition);
            let least = GAIN_MIN + USEFUL_SHARE_MIN * self.cells[leader as usize].weight(&extra);
            let mut consider = |to: u32| {
                looked_at += 1;
                let gain = self.gain_of_handing(&extra, leader, to);
                if gain > least && self.may_take_leadership(partition, leader, to) {
                    found.push(Handover { gain, partition: partition as u32, to });
                }
            };
            if leader == broker {
                placement.list(model, partition).iter().filter(|&&to| to != broker).for_each(|&to| consider(to));
            } else {
                consider(broker);
            }
        }
        found.sort_unstable_by(by_gain);
        Look { found, others: Vec::new(), evaluations: looked_at }
    }

    pub(super) fn handover_gain(&self, partition: usize, from: u32, to: u32) -> f64 {
        let extra = self.leader_extra(partition);
        self.gain_of_handing(&extra, from, to)
    }

    fn gain_of_handing(&self, extra: &Vector, from: u32, to: u32) -> f64 {
        let (giving, taking) = (&self.cells[from as usize], &self.cells[to as usize]);
        self.penalty[from as usize] + self.penalty[to as usize] - giving.penalty_without(extra) - taking.penalty_with(extra)
    }

    /// What leading adds to following.
    fn leader_extra(&self, partition: usize) -> Vector {
        let facts = &self.model.partitions[partition];
        let (leads, follows) = (vector(&facts.leads()), vector(&facts.follows()));
        [0, 1, 2, 3].map(|r| leads[r] - follows[r])
    }

    fn may_take_leadership(&self, partition: usize, from: u32, to: u32) -> bool {
        let model = self.model;
        model.is_welcome(to) && !model.broker(from).closed && self.scope.may_take(from, to) && model.can_lead(partition, to)
    }

    pub(super) fn may_lead(&self, partition: usize, from: u32, to: u32) -> bool {
        let topic = self.model.partitions[partition].topic;
        self.may_take_leadership(partition, from, to)
            && self.topics.as_ref().is_none_or(|topics| topics.may_lead(topic, from, to))
            && self.fits_leadership(partition, to)
    }
}

fn by_gain(a: &Handover, b: &Handover) -> std::cmp::Ordering {
    b.gain.total_cmp(&a.gain).then(a.partition.cmp(&b.partition)).then(a.to.cmp(&b.to))
}
