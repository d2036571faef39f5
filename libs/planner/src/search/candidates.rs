//! The changes a descent looks at, and what each gains: leadership handed on, a replica moved, two replicas exchanged.
//! Must not know in which order brokers are worked on.

use super::{Descent, EVENNESS_WEIGHT, GAIN_SHARE_MIN};
use crate::model::{Loads, Model};
use crate::placement::Placement;
use crate::rules::{Strictness, broken, in_rack, rack_room};

/// Replicas of one broker that an exchange tries, and brokers and replicas on the other side.
const EXCHANGE_OWN: usize = 24;
const EXCHANGE_BROKERS: usize = 8;
const EXCHANGE_OTHERS: usize = 64;

/// A runner-up is made without another look when it was worth this share of the best.
const RUNNER_UP_SHARE: f64 = 0.7;

/// One partition's new list and leader.
pub(super) type Part = (usize, Vec<u32>, u32);

/// A change worth making, with its worth per byte.
pub(super) struct Change {
    worth: f64,
    kind: Kind,
}

/// A change that was the best when it was looked at.
pub(super) struct Seen {
    worth: f64,
    partition: usize,
    from: u32,
    to: u32,
    leadership: bool,
}

enum Kind {
    One(Part),
    Two(Box<[Part; 2]>),
}

impl Change {
    pub fn parts(self) -> Vec<Part> {
        match self.kind {
            Kind::One(part) => vec![part],
            Kind::Two(parts) => parts.into_iter().collect(),
        }
    }
}

impl Descent<'_> {
    /// Leadership and replicas away from `broker`.
    pub(super) fn consider_outgoing(&mut self, broker: u32, takers: &[u32], best: &mut Option<Change>) {
        let hosted = self.placement.hosted(broker).to_vec();
        for partition in hosted {
            let partition = partition as usize;
            if self.leads(partition, broker) {
                let list = self.placement.list(self.model, partition).to_vec();
                for other in list {
                    self.consider_leader(partition, broker, other, broker, best);
                }
            }
            if self.scope.replicas[partition] {
                for &taker in takers {
                    self.consider_replica(partition, broker, taker, broker, best);
                }
            }
        }
    }

    /// Leadership and replicas to `broker`.
    pub(super) fn consider_incoming(&mut self, broker: u32, givers: &[u32], best: &mut Option<Change>) {
        let hosted = self.placement.hosted(broker).to_vec();
        for partition in hosted {
            let leader = self.placement.leader[partition as usize];
            if leader != broker && leader != crate::model::NOBODY {
                self.consider_leader(partition as usize, leader, broker, broker, best);
            }
        }
        for &giver in givers {
            let hosted = self.placement.hosted(giver).to_vec();
            for partition in hosted {
                if self.scope.replicas[partition as usize] {
                    self.consider_replica(partition as usize, giver, broker, broker, best);
                }
            }
        }
    }

    fn consider_leader(&mut self, partition: usize, from: u32, to: u32, helped: u32, best: &mut Option<Change>) {
        let model = self.model;
        let able = from != to && self.scope.leadership[partition] && model.is_welcome(to) && model.can_lead(partition, to);
        if !able || model.broker(from).closed || !self.scope.may_take(from, to) {
            return;
        }
        let facts = &model.partitions[partition];
        let mut giving = self.placement.load[from as usize];
        let mut taking = self.placement.load[to as usize];
        shift(&mut giving, &facts.leads, &facts.follows);
        shift(&mut taking, &facts.follows, &facts.leads);
        let Some(worth) = self.worth(from, &giving, to, &taking, 0, helped, best) else { return };
        let list = self.placement.list(model, partition).to_vec();
        if self.keep(worth, partition, list, to, best) {
            self.shortlist.push(Seen { worth, partition, from, to, leadership: true });
        }
    }

    fn consider_replica(&mut self, partition: usize, from: u32, to: u32, helped: u32, best: &mut Option<Change>) {
        let leads = self.leads(partition, from);
        let model = self.model;
        let role = model.partitions[partition].role(leads);
        let mut giving = self.placement.load[from as usize];
        let mut taking = self.placement.load[to as usize];
        shift(&mut giving, role, &[0; 4]);
        shift(&mut taking, &[0; 4], role);
        let bytes = self.bytes(partition, from, to);
        let Some(worth) = self.worth(from, &giving, to, &taking, bytes, helped, best) else { return };
        if let Some((list, leader)) = moved(model, &self.placement, partition, from, to)
            && self.keep(worth, partition, list, leader, best)
        {
            self.shortlist.push(Seen { worth, partition, from, to, leadership: false });
        }
    }

    /// Makes the runners-up of the last look as well, where they still pay: one look is dear, and they were nearly as good.
    pub(super) fn follow_up(&mut self, helped: u32) {
        let mut seen = std::mem::take(&mut self.shortlist);
        let Some(made) = seen.pop() else { return };
        for next in seen.into_iter().rev().take_while(|next| next.worth > RUNNER_UP_SHARE * made.worth) {
            let holds = |broker: u32| self.placement.list(self.model, next.partition).contains(&broker);
            if !holds(next.from) || holds(next.to) != next.leadership {
                continue;
            }
            let mut best = None;
            if !next.leadership {
                self.consider_replica(next.partition, next.from, next.to, helped, &mut best);
            } else if self.leads(next.partition, next.from) {
                self.consider_leader(next.partition, next.from, next.to, helped, &mut best);
            }
            if let Some(change) = best {
                self.make(change);
            }
        }
    }

    /// Gain per byte, if the change gains enough and more than the best so far.
    #[expect(clippy::too_many_arguments, reason = "both ends of a change, each with its load after it")]
    fn worth(
        &mut self,
        from: u32,
        giving: &Loads,
        to: u32,
        taking: &Loads,
        bytes: u64,
        helped: u32,
        best: &Option<Change>,
    ) -> Option<f64> {
        *self.evaluations = self.evaluations.saturating_sub(1);
        let before = self.penalty[from as usize] + self.penalty[to as usize];
        let after = self.edges.penalty(self.model, from, giving) + self.edges.penalty(self.model, to, taking);
        let gain = before - after;
        if gain <= GAIN_SHARE_MIN * self.penalty[helped as usize] {
            return None;
        }
        let even = self.unevenness[from as usize] + self.unevenness[to as usize]
            - self.edges.unevenness(from, giving)
            - self.edges.unevenness(to, taking);
        let worth = (gain + EVENNESS_WEIGHT * even) / (bytes as f64 + self.charge);
        best.as_ref().is_none_or(|best| worth > best.worth).then_some(worth)
    }

    /// Makes it the best so far, if the rules allow it.
    fn keep(&self, worth: f64, partition: usize, list: Vec<u32>, leader: u32, best: &mut Option<Change>) -> bool {
        let allowed = broken(self.model, &self.placement, partition, &list, leader, Strictness::Full).is_none();
        if allowed {
            *best = Some(Change { worth, kind: Kind::One((partition, list, leader)) });
        }
        allowed
    }

    /// A replica of `broker` for one of another's, where neither move alone pays.
    pub(super) fn best_exchange(&mut self, broker: u32, takers: &[u32], givers: &[u32]) -> Option<Change> {
        if !self.scope.may_exchange() {
            return None;
        }
        let mut others: Vec<u32> = Vec::new();
        for &other in takers.iter().take(EXCHANGE_BROKERS).chain(givers.iter().take(EXCHANGE_BROKERS)) {
            if !others.contains(&other) {
                others.push(other);
            }
        }
        let own = self.largest(broker, EXCHANGE_OWN);
        let mut best = None;
        for other in others {
            let theirs = self.largest(other, EXCHANGE_OTHERS);
            for &p in &own {
                for &q in &theirs {
                    self.consider_exchange(broker, p, other, q, &mut best);
                }
            }
        }
        best
    }

    /// The replicas of a broker that may move, the largest first.
    fn largest(&self, broker: u32, most: usize) -> Vec<usize> {
        let movable = |&partition: &u32| self.scope.replicas[partition as usize];
        let mut hosted: Vec<usize> = self.placement.hosted(broker).iter().filter(|p| movable(p)).map(|&p| p as usize).collect();
        hosted.sort_by(|&a, &b| self.weight(broker, b).total_cmp(&self.weight(broker, a)).then(a.cmp(&b)));
        hosted.truncate(most);
        hosted
    }

    fn weight(&self, broker: u32, partition: usize) -> f64 {
        let role = self.model.partitions[partition].role(self.leads(partition, broker));
        (0..4).map(|r| self.edges.over_mean(broker, r, role[r])).sum()
    }

    fn consider_exchange(&mut self, broker: u32, p: usize, other: u32, q: usize, best: &mut Option<Change>) {
        let model = self.model;
        if p == q {
            return;
        }
        let own = *model.partitions[p].role(self.leads(p, broker));
        let theirs = *model.partitions[q].role(self.leads(q, other));
        let mut mine = self.placement.load[broker as usize];
        let mut yours = self.placement.load[other as usize];
        shift(&mut mine, &own, &theirs);
        shift(&mut yours, &theirs, &own);
        let bytes = self.bytes(p, broker, other).saturating_add(self.bytes(q, other, broker));
        let Some(worth) = self.worth(broker, &mine, other, &yours, bytes, broker, best) else { return };
        let Some(first) = moved(model, &self.placement, p, broker, other) else { return };
        let Some(second) = moved(model, &self.placement, q, other, broker) else { return };
        // One after the other, in the order in which each fits.
        for (a, b) in [((p, &first), (q, &second)), ((q, &second), (p, &first))] {
            if self.fits_in_turn(a, b) {
                let part = |(partition, change): (usize, &(Vec<u32>, u32))| (partition, change.0.clone(), change.1);
                *best = Some(Change { worth, kind: Kind::Two(Box::new([part(a), part(b)])) });
                return;
            }
        }
    }

    fn fits_in_turn(&mut self, a: (usize, &(Vec<u32>, u32)), b: (usize, &(Vec<u32>, u32))) -> bool {
        let model = self.model;
        let (partition, (list, leader)) = a;
        if broken(model, &self.placement, partition, list, *leader, Strictness::Full).is_some() {
            return false;
        }
        let (was, was_leader) = (self.placement.list(model, partition).to_vec(), self.placement.leader[partition]);
        self.placement.put(model, partition, list, *leader);
        let fits = broken(model, &self.placement, b.0, &b.1.0, b.1.1, Strictness::Full).is_none();
        self.placement.put(model, partition, &was, was_leader);
        fits
    }
}

fn shift(load: &mut Loads, less: &Loads, more: &Loads) {
    for r in 0..4 {
        load[r] = load[r] - less[r] + more[r];
    }
}

/// `partition` with its replica on `from` moved to `to`, leadership with it; `None` where lists or racks forbid it.
fn moved(model: &Model<'_>, placement: &Placement, partition: usize, from: u32, to: u32) -> Option<(Vec<u32>, u32)> {
    let list = placement.list(model, partition);
    let leader = placement.leader[partition];
    if list.contains(&to) || (leader == from && !model.can_lead(partition, to)) {
        return None;
    }
    let rack = model.broker(to).rack;
    let rest = in_rack(model, list, rack) - usize::from(model.broker(from).rack == rack);
    if rest + 1 > rack_room(model, model.group_of(partition), list.len()).max(in_rack(model, list, rack)) {
        return None;
    }
    let next = list.iter().map(|&broker| if broker == from { to } else { broker }).collect();
    Some((next, if leader == from { to } else { leader }))
}
