//! Two replicas exchanged between brokers, where neither move alone pays. Must not know in which order brokers are worked on.

use super::field::Vector;
use super::{Descent, GAIN_MIN, Look, Side};
use crate::rules::{in_rack, rack_room};

/// Replicas of one broker that an exchange tries.
const OWN_MAX: usize = 40;
/// Brokers tried as the other end, and replicas on each.
const OTHERS_MAX: usize = 12;
const THEIRS_MAX: usize = 40;
/// An exchange found by one look is made as long as it is still worth this share of what it was then.
const STILL_WORTH_SHARE: f64 = 0.75;

struct Exchange {
    worth: f64,
    own: u32,
    other: u32,
    theirs: u32,
}

/// A replica that may be exchanged.
struct Piece {
    slot: u32,
    item: Vector,
    /// Bytes that moving it costs at most.
    bytes: f64,
}

impl Descent<'_> {
    /// Exchanges replicas of the brokers that moves alone could not bring inside.
    pub(super) fn exchange_all(&mut self) {
        if !self.scope.may_exchange() {
            return;
        }
        let mut stuck: Vec<u32> = self.members.iter().copied().filter(|&b| self.penalty[b as usize] > 0.0).collect();
        stuck.sort_by(|&a, &b| self.penalty[b as usize].total_cmp(&self.penalty[a as usize]).then(a.cmp(&b)));
        while !stuck.is_empty() && !self.is_spent() {
            let mut again = Vec::new();
            for brokers in stuck.chunks(self.at_once()) {
                let looks = self.look_at(brokers, Self::exchanges);
                for (&broker, look) in brokers.iter().zip(looks) {
                    if self.exchange_some(broker, look) && self.penalty[broker as usize] > 0.0 {
                        again.push(broker);
                    }
                }
            }
            stuck = again;
        }
    }

    /// The best exchange with each of the others while they still pay; whether there was any.
    fn exchange_some(&mut self, broker: u32, look: Look<Exchange>) -> bool {
        let mut made = false;
        for exchange in look.found {
            let Exchange { own, other, theirs, .. } = exchange;
            let stands = self.placement.holder(own) == broker && self.placement.holder(theirs) == other;
            if !stands || self.penalty[broker as usize] <= 0.0 {
                continue;
            }
            let (mine, yours) = (self.piece(own), self.piece(theirs));
            let worth = self.exchange_worth(broker, &mine, other, &yours, 0.0);
            if worth >= STILL_WORTH_SHARE * exchange.worth && self.may_exchange(broker, own, other, theirs) {
                self.relocate(own, other);
                self.steps.join_next();
                self.relocate(theirs, broker);
                made = true;
            }
        }
        made
    }

    /// The best exchange with each of the likely others, the best first.
    fn exchanges(&self, broker: u32) -> Look<Exchange> {
        if !self.model.is_welcome(broker) || self.penalty[broker as usize] <= 0.0 {
            return Look::default();
        }
        let own = self.pieces(broker, OWN_MAX);
        let mut found: Vec<Exchange> = Vec::new();
        let mut evaluations = own.len();
        for other in self.other_ends(broker) {
            let theirs = self.pieces(other, THEIRS_MAX);
            evaluations += own.len() * theirs.len();
            let mut best: Option<Exchange> = None;
            for mine in &own {
                for yours in &theirs {
                    let least = best.as_ref().map_or(0.0, |best| best.worth);
                    let worth = self.exchange_worth(broker, mine, other, yours, least);
                    if worth > least && self.may_exchange(broker, mine.slot, other, yours.slot) {
                        best = Some(Exchange { worth, own: mine.slot, other, theirs: yours.slot });
                    }
                }
            }
            found.extend(best);
        }
        found.sort_unstable_by(|a, b| b.worth.total_cmp(&a.worth).then(a.own.cmp(&b.own)).then(a.theirs.cmp(&b.theirs)));
        Look { found, others: Vec::new(), evaluations }
    }

    /// Brokers that lack what `broker` has too much of, and those that have what it lacks.
    fn other_ends(&self, broker: u32) -> Vec<u32> {
        let cell = self.cells[broker as usize];
        let over = [0, 1, 2, 3].map(|r| if cell.is_over(r) { 1.0 } else { 0.0 });
        let under = [0, 1, 2, 3].map(|r| if cell.is_under(r) { 1.0 } else { 0.0 });
        let mut others = Vec::new();
        if over != [0.0; 4] {
            let mean = self.mean_item(broker, &over);
            others.extend(self.others(broker, &mean, Side::Under, OTHERS_MAX));
        }
        if under != [0.0; 4] {
            let givers = self.others(broker, &under, Side::Over, OTHERS_MAX);
            others.extend(givers.into_iter().filter(|giver| !others.contains(giver)).collect::<Vec<_>>());
        }
        others
    }

    /// What a replica of `broker` weighs on average, in the resources of `of`.
    fn mean_item(&self, broker: u32, of: &Vector) -> Vector {
        let count = self.placement.count[broker as usize].max(1);
        [0, 1, 2, 3].map(|r| of[r] * self.cells[broker as usize].load[r] / f64::from(count))
    }

    /// Movable replicas of a broker: all, or as many of all sizes.
    fn pieces(&self, broker: u32, most: usize) -> Vec<Piece> {
        let movable = |&&slot: &&u32| self.scope.may_move(self.model.owner[slot as usize] as usize);
        let hosted = self.placement.hosted(broker);
        let stride = hosted.len().div_ceil(most).max(1);
        let sampled = hosted.iter().skip(self.cursor % stride).step_by(stride).filter(movable);
        sampled.map(|&slot| self.piece(slot)).collect()
    }

    fn piece(&self, slot: u32) -> Piece {
        Piece { slot, item: self.item(slot), bytes: self.price_of_leaving(slot) }
    }

    /// Gain per byte when the two change places; 0 where it is not above `least`, or does not help `broker`.
    fn exchange_worth(&self, broker: u32, mine: &Piece, other: u32, yours: &Piece, least: f64) -> f64 {
        let more = [0, 1, 2, 3].map(|r| yours.item[r] - mine.item[r]);
        let helps = self.penalty[broker as usize] - self.cells[broker as usize].penalty_with(&more);
        let price = mine.bytes + yours.bytes;
        // The other end gains at most what it is off by.
        if helps <= GAIN_MIN || helps + self.penalty[other as usize] <= least * price {
            return 0.0;
        }
        let gain = helps + self.penalty[other as usize] - self.cells[other as usize].penalty_without(&more);
        if gain <= GAIN_MIN { 0.0 } else { gain / price }
    }

    pub(super) fn may_exchange(&self, broker: u32, own: u32, other: u32, theirs: u32) -> bool {
        let model = self.model;
        let (p, q) = (model.owner[own as usize] as usize, model.owner[theirs as usize] as usize);
        if p == q || (model.is_capped() && !self.affords(&[(own, other), (theirs, broker)])) {
            return false;
        }
        let ends = |partition: usize, from: u32, to: u32| {
            let list = self.placement.list(model, partition);
            let (rack, left) = (model.broker(to).rack, model.broker(from).rack);
            let leads = self.placement.leader[partition] == from;
            let topic = model.partitions[partition].topic;
            !list.contains(&to)
                && model.is_welcome(to)
                && self.topics.as_ref().is_none_or(|topics| topics.may_move(topic, from, to, leads))
                && (rack == left || in_rack(model, list, rack) < rack_room(model, self.group, list.len()))
                && (!leads || model.can_lead(partition, to))
        };
        let leads = |partition: usize, broker: u32| self.placement.leader[partition] == broker;
        ends(p, broker, other)
            && ends(q, other, broker)
            // One after the other, in an order in which each fits; the other then gives room.
            && (self.has_place(other)
                && self.fits(p, other, leads(p, broker))
                && self.fits_after(q, broker, leads(q, other), p, leads(p, broker))
                || self.has_place(broker)
                    && self.fits(q, broker, leads(q, other))
                    && self.fits_after(p, other, leads(p, broker), q, leads(q, other)))
    }

    /// Whether `broker` can take a replica of `partition` once it has given one of `given` away.
    fn fits_after(&self, partition: usize, broker: u32, leads: bool, given: usize, led: bool) -> bool {
        let (more, less) = (self.model.partitions[partition].role(leads), self.model.partitions[given].role(led));
        self.takes(broker, &[0, 1, 2, 3].map(|r| more[r].saturating_sub(less[r])))
    }
}
