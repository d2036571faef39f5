//! Replicas moved out of brokers that are too full and into brokers that are too empty, by what each copied byte gains.
//! Must not know in which order brokers are worked on.

use super::field::{Cell, Vector, vector};
use super::others::ROOM_WEIGHT;
use super::{Descent, GAIN_MIN, Look, Side};
use crate::rules::{in_rack, rack_room};

/// Replicas of a full broker weighed against takers after one look at it: a share of what it has, within these.
const OFFERS_MIN: usize = 32;
const OFFERS_MAX: usize = 256;
/// Brokers that may take them.
const TAKERS_MAX: usize = 40;
/// Brokers that may give to an empty one, and replicas looked at on each.
const GIVERS_MAX: usize = 32;
const SAMPLE_MAX: usize = 32;
/// A move found by one look is made as long as it is still worth this share of what it was then.
const STILL_WORTH_SHARE: f64 = 0.75;

/// A replica that may go somewhere.
#[derive(Clone, Copy)]
pub(super) struct Move {
    pub worth: f64,
    pub slot: u32,
    pub to: u32,
}

/// A replica of a full broker, with what leaving it gains.
struct Offer {
    rank: f64,
    slot: u32,
    item: Vector,
    gives: f64,
}

fn by_worth(a: &Move, b: &Move) -> std::cmp::Ordering {
    b.worth.total_cmp(&a.worth).then(a.slot.cmp(&b.slot)).then(a.to.cmp(&b.to))
}

impl Descent<'_> {
    /// What the best move of a broker may be worth, before anybody is weighed as its other end; unknown (infinite) for an empty one.
    pub(super) fn hope(&self, broker: u32, side: Side) -> f64 {
        if side == Side::Under {
            return f64::INFINITY;
        }
        let cell = &self.cells[broker as usize];
        let worth =
            |&slot: &u32| (self.penalty[broker as usize] - cell.penalty_without(&self.item(slot))) / self.price_of_leaving(slot);
        // The other end may gain as much.
        2.0 * self.placement.hosted(broker).iter().map(worth).fold(0.0, f64::max)
    }

    /// Moves that help a broker, the best first.
    pub(super) fn moves(&self, broker: u32, side: Side) -> Look<Move> {
        let mut look = match side {
            Side::Over => self.outgoing(broker),
            Side::Under => self.incoming(broker),
        };
        look.found.sort_unstable_by(by_worth);
        look
    }

    /// Makes the moves of a look that are worth at least `floor` per byte. Returns what the best is worth that was not made: 0
    /// when there is none, or unknown (infinite) after some were made.
    pub(super) fn relieve(&mut self, broker: u32, look: Look<Move>, floor: f64) -> f64 {
        let best = look.found.first().map_or(0.0, |best| best.worth);
        if best < floor {
            return best;
        }
        let mut made = false;
        for offer in look.found {
            if offer.worth < floor || self.penalty[broker as usize] <= 0.0 {
                break;
            }
            let least = floor.max(STILL_WORTH_SHARE * offer.worth);
            let stands = self.is_end(broker, &offer);
            let mut to = (stands && self.move_worth(offer.slot, offer.to) >= least && self.may_move(offer.slot, offer.to))
                .then_some(offer.to);
            if to.is_none() && stands && offer.to != broker {
                to = self.next_best(offer.slot, &look.others, least);
            }
            if let Some(to) = to {
                self.relocate(offer.slot, to);
                made = true;
            }
        }
        if made && self.penalty[broker as usize] > 0.0 { f64::INFINITY } else { 0.0 }
    }

    /// Whether the replica is still where the look saw it.
    fn is_end(&self, broker: u32, offer: &Move) -> bool {
        let holder = self.placement.holder(offer.slot);
        if offer.to == broker { holder != broker } else { holder == broker }
    }

    /// Another taker, where the one that was best has changed meanwhile.
    fn next_best(&mut self, slot: u32, takers: &[u32], least: f64) -> Option<u32> {
        self.spend(takers.len());
        let mut best: Option<(f64, u32)> = None;
        for &to in takers {
            let worth = self.move_worth(slot, to);
            if worth >= best.map_or(least, |(worth, _)| worth) && self.may_move(slot, to) {
                best = Some((worth, to));
            }
        }
        best.map(|(_, to)| to)
    }

    /// What moving a replica gains per byte; not positive when it gains nothing or makes the taker worse.
    pub(super) fn move_worth(&self, slot: u32, to: u32) -> f64 {
        let from = self.placement.holder(slot);
        let item = self.item(slot);
        let gives = self.penalty[from as usize] - self.cells[from as usize].penalty_without(&item);
        let takes = self.penalty[to as usize] - self.cells[to as usize].penalty_with(&item);
        self.worth(slot, to, &item, gives, takes)
    }

    fn worth(&self, slot: u32, to: u32, item: &Vector, gives: f64, takes: f64) -> f64 {
        let gain = gives + takes;
        let burden = GAIN_MIN + self.burden_share_max * gives.max(takes);
        if gain <= GAIN_MIN || takes < -burden || gives < -burden {
            return 0.0;
        }
        (gain + ROOM_WEIGHT * self.cells[to as usize].room_for(item)) / self.price(slot, to)
    }

    /// What the replica puts on its broker.
    pub(super) fn item(&self, slot: u32) -> Vector {
        let partition = self.model.owner[slot as usize] as usize;
        let leads = self.placement.leader[partition] == self.placement.holder(slot);
        vector(&self.model.partitions[partition].role(leads))
    }

    /// Each movable replica of a full broker with the best place for it.
    fn outgoing(&self, broker: u32) -> Look<Move> {
        let cell = self.cells[broker as usize];
        if !(0..4).any(|r| cell.is_over(r)) {
            return Look::default();
        }
        let offers = self.offers(broker, &cell);
        let mut typical = [0.0; 4];
        for offer in &offers {
            (0..4).for_each(|r| typical[r] += offer.item[r] / offers.len() as f64);
        }
        let takers = self.others(broker, &typical, Side::Under, TAKERS_MAX);
        let evaluations = self.placement.hosted(broker).len() + offers.len() * takers.len();
        let best = |offer: Offer| {
            let Offer { slot, item, gives, .. } = offer;
            let mut best = Move { worth: 0.0, slot, to: broker };
            for &to in &takers {
                let takes = self.penalty[to as usize] - self.cells[to as usize].penalty_with(&item);
                let worth = self.worth(slot, to, &item, gives, takes);
                if worth > best.worth && self.may_move(slot, to) {
                    best = Move { worth, slot, to };
                }
            }
            (best.worth > 0.0).then_some(best)
        };
        Look { found: offers.into_iter().filter_map(best).collect(), others: takers, evaluations }
    }

    /// The replicas of a full broker that relieve it most per byte.
    fn offers(&self, broker: u32, cell: &Cell) -> Vec<Offer> {
        let before = self.penalty[broker as usize];
        let hosted = self.placement.hosted(broker);
        let mut offers: Vec<Offer> = Vec::with_capacity(hosted.len());
        for &slot in hosted {
            let partition = self.model.owner[slot as usize] as usize;
            if !self.scope.may_move(partition) {
                continue;
            }
            let item = vector(&self.model.partitions[partition].role(self.placement.leader[partition] == broker));
            let gives = before - cell.penalty_without(&item);
            if gives > GAIN_MIN {
                offers.push(Offer { rank: gives / self.price_of_leaving(slot), slot, item, gives });
            }
        }
        let most = (hosted.len() / 32).clamp(OFFERS_MIN, OFFERS_MAX);
        if offers.len() > most {
            offers.select_nth_unstable_by(most, |a, b| b.rank.total_cmp(&a.rank).then(a.slot.cmp(&b.slot)));
            offers.truncate(most);
        }
        offers
    }

    /// Replicas of others that an empty broker may take.
    fn incoming(&self, broker: u32) -> Look<Move> {
        let cell = self.cells[broker as usize];
        if !self.model.is_welcome(broker) || !(0..4).any(|r| cell.is_under(r)) {
            return Look::default();
        }
        let missing = [0, 1, 2, 3].map(|r| if cell.is_under(r) { 1.0 } else { 0.1 });
        let givers = self.others(broker, &missing, Side::Over, GIVERS_MAX);
        let before = self.penalty[broker as usize];
        let mut found = Vec::new();
        let mut looked_at = 0;
        for giver in givers {
            let hosted = self.placement.hosted(giver);
            let (giving, held) = (self.cells[giver as usize], self.penalty[giver as usize]);
            let stride = hosted.len().div_ceil(SAMPLE_MAX).max(1);
            let mut best = Move { worth: 0.0, slot: 0, to: broker };
            for &slot in hosted.iter().skip(self.cursor % stride).step_by(stride) {
                looked_at += 1;
                let item = self.item(slot);
                let takes = before - cell.penalty_with(&item);
                if takes <= GAIN_MIN {
                    continue;
                }
                let gives = held - giving.penalty_without(&item);
                let worth = self.worth(slot, broker, &item, gives, takes);
                if worth > best.worth
                    && self.scope.may_move(self.model.owner[slot as usize] as usize)
                    && self.may_move(slot, broker)
                {
                    best = Move { worth, slot, to: broker };
                }
            }
            if best.worth > 0.0 {
                found.push(best);
            }
        }
        Look { found, others: Vec::new(), evaluations: looked_at }
    }

    /// Whether the rules let a replica go there.
    pub(super) fn may_move(&self, slot: u32, to: u32) -> bool {
        let model = self.model;
        let partition = model.owner[slot as usize] as usize;
        let from = self.placement.holder(slot);
        let list = self.placement.list(model, partition);
        // Excluded brokers keep what they have.
        if list.contains(&to) || !self.has_place(to) || model.broker(from).closed {
            return false;
        }
        let (rack, left) = (model.broker(to).rack, model.broker(from).rack);
        if rack != left {
            let count = in_rack(model, list, rack);
            if count + 1 > rack_room(model, self.group, list.len()) {
                return false;
            }
        }
        let leads = self.placement.leader[partition] == from;
        let topic = model.partitions[partition].topic;
        if self.topics.as_ref().is_some_and(|topics| !topics.may_move(topic, from, to, leads)) {
            return false;
        }
        (!leads || model.can_lead(partition, to)) && self.fits(partition, to, leads) && self.is_affordable(slot, to)
    }
}
