//! Takes replicas away from where they must not be and elects leaders where there is none, each to the place where it weighs
//! least. Must not know bands.

use crate::GoalKind;
use crate::model::{Loads, Model, NOBODY, Standing};
use crate::placement::Placement;
use crate::potential::Potential;
use crate::rules::{Strictness, broken, holds_share, in_rack, is_limited, rack_room};

/// Which replicas must leave, and from which partitions.
pub(crate) struct Needs {
    /// Only partitions with a replica on a named broker change.
    named_only: bool,
    /// Draining brokers are emptied: all of them, or the named ones.
    draining: bool,
    named_draining: bool,
    /// Replicas outside their group or beyond a rack's room move.
    group_and_rack: bool,
    /// Cpu and network may be exceeded where nothing else fits.
    may_exceed: bool,
}

impl Needs {
    pub fn of(model: &Model<'_>) -> Needs {
        let kind = model.goal.kind;
        let empties = matches!(kind, GoalKind::Evacuate | GoalKind::Drain);
        Needs {
            named_only: empties,
            draining: kind == GoalKind::Rebalance,
            named_draining: kind == GoalKind::Drain,
            group_and_rack: kind == GoalKind::Rebalance,
            may_exceed: empties,
        }
    }

    pub fn concerns(&self, model: &Model<'_>, list: &[u32]) -> bool {
        !self.named_only || list.iter().any(|&broker| model.broker(broker).named)
    }
}

/// Whether a replica of `partition` on `broker` must leave, racks apart.
pub(crate) fn must_leave(model: &Model<'_>, needs: &Needs, partition: usize, broker: u32) -> bool {
    let facts = model.broker(broker);
    match facts.standing {
        Standing::Dead => true,
        Standing::Draining if needs.draining || (needs.named_draining && facts.named) => true,
        _ => needs.group_and_rack && facts.group != model.group_of(partition),
    }
}

/// Whether nothing in scope is left to repair.
pub(crate) fn is_repaired(model: &Model<'_>, placement: &Placement, needs: &Needs) -> bool {
    scope(model, placement, needs).is_empty()
}

fn scope(model: &Model<'_>, placement: &Placement, needs: &Needs) -> Vec<usize> {
    let is_in_scope = |&partition: &usize| {
        !model.partitions[partition].is_fixed()
            && needs.concerns(model, model.list(partition))
            && is_broken(model, placement, needs, partition)
    };
    (0..model.partitions.len()).filter(is_in_scope).collect()
}

/// Repairs every partition in scope, the largest first, then evens out what was placed.
pub(crate) fn repair(model: &Model<'_>, placement: &mut Placement, needs: &Needs) {
    let mut scope = scope(model, placement, needs);
    scope.sort_by_key(|&partition| (std::cmp::Reverse(model.partitions[partition].bytes()), partition));
    let potential = Potential::new(model, placement);
    let mut mender = Mender { model, potential: &potential, needs, ranked: Ranked::default() };
    let before: Vec<u32> = scope.iter().map(|&partition| placement.leader[partition]).collect();
    for &partition in &scope {
        mender.mend(placement, partition);
    }
    let mut handed_out = Vec::new();
    for (&partition, &leader) in scope.iter().zip(&before) {
        if placement.leader[partition] != leader {
            handed_out.push(partition);
        }
    }
    mender.even_replicas(placement, &scope);
    even_leaders(model, &potential, placement, &handed_out, Strictness::Full);
}

fn is_broken(model: &Model<'_>, placement: &Placement, needs: &Needs, partition: usize) -> bool {
    let list = placement.list(model, partition);
    placement.leader[partition] == NOBODY
        || list.iter().any(|&broker| must_leave(model, needs, partition, broker))
        || (needs.group_and_rack && crate::rules::rack_excess(model, model.group_of(partition), list) > 0)
}

fn strictest(needs: &Needs) -> Strictness {
    if needs.may_exceed { Strictness::DiskOnly } else { Strictness::Full }
}

/// Elects a leader wherever there is none, copying nothing.
pub(crate) fn elect(model: &Model<'_>, placement: &mut Placement) {
    hand_out(model, placement, |_, leader| leader == NOBODY, Strictness::Full);
}

/// Elects a leader for partitions of named brokers that have none, and for those that a named broker leads.
pub(crate) fn lead_elsewhere(model: &Model<'_>, placement: &mut Placement) {
    let needs = |list: &[u32], leader: u32| {
        list.iter().any(|&broker| model.broker(broker).named) && (leader == NOBODY || model.broker(leader).named)
    };
    hand_out(model, placement, needs, strictest(&Needs::of(model)));
}

fn hand_out(model: &Model<'_>, placement: &mut Placement, needs: impl Fn(&[u32], u32) -> bool, strictness: Strictness) {
    let potential = Potential::new(model, placement);
    let mut handed_out = Vec::new();
    for partition in 0..model.partitions.len() {
        let list = placement.list(model, partition).to_vec();
        if model.partitions[partition].is_fixed() || !needs(&list, placement.leader[partition]) {
            continue;
        }
        // More than a limit allows only where nobody else fits.
        let best = |strictness| best_leader(model, &potential, placement, partition, &list, strictness);
        let Some(leader) = best(Strictness::Full).or_else(|| best(strictness)) else {
            continue;
        };
        // From one named broker to another would change nothing that was asked for.
        if placement.leader[partition] == NOBODY || !model.broker(leader).named {
            placement.put(model, partition, &list, leader);
            handed_out.push(partition);
        }
    }
    even_leaders(model, &potential, placement, &handed_out, Strictness::Full);
}

/// Brokers that a replica is weighed on, and after how many placements they are ranked anew: a part of all.
const LOOKS_MAX: usize = 16;
const RANKED_FOR_PART: usize = 8;

/// Brokers of a group, those first that took load best when they were last ranked.
#[derive(Default)]
struct Ranked {
    group: Option<u32>,
    brokers: Vec<u32>,
    fresh_for: usize,
}

struct Mender<'a> {
    model: &'a Model<'a>,
    potential: &'a Potential,
    needs: &'a Needs,
    ranked: Ranked,
}

impl Mender<'_> {
    /// Repairs one partition as far as the rules allow; what stays broken is found again when the plan is reported.
    fn mend(&mut self, placement: &mut Placement, partition: usize) {
        let mut best: Option<(usize, Vec<u32>, u32)> = None;
        for strictness in [Strictness::Full, strictest(self.needs)] {
            // The present list first: another that keeps as many violations would only go round in circles.
            for list in [placement.list(self.model, partition).to_vec(), self.mended(placement, partition, strictness)] {
                let leader = self.leader_of(placement, partition, &list, strictness);
                let left = self.left(partition, &list);
                let allowed = leader != NOBODY && broken(self.model, placement, partition, &list, leader, strictness).is_none();
                if allowed && best.as_ref().is_none_or(|(least, _, _)| left < *least) {
                    best = Some((left, list, leader));
                }
            }
            if best.as_ref().is_some_and(|(left, _, _)| *left == 0) {
                break;
            }
        }
        if let Some((_, list, leader)) = best
            && (list != placement.list(self.model, partition) || leader != placement.leader[partition])
        {
            placement.put(self.model, partition, &list, leader);
        }
    }

    /// Violations that `list` keeps.
    fn left(&self, partition: usize, list: &[u32]) -> usize {
        let leaving = list.iter().filter(|&&broker| must_leave(self.model, self.needs, partition, broker)).count();
        let excess = match self.needs.group_and_rack {
            true => crate::rules::rack_excess(self.model, self.model.group_of(partition), list),
            false => 0,
        };
        leaving + excess
    }

    fn mended(&mut self, placement: &Placement, partition: usize, strictness: Strictness) -> Vec<u32> {
        let model = self.model;
        let mut list = placement.list(model, partition).to_vec();
        // Dead ones all or none: a target that copies must not keep one.
        for at in 0..list.len() {
            if model.is_dead(list[at]) && !self.fill(placement, partition, &mut list, at, strictness) {
                return placement.list(model, partition).to_vec();
            }
        }
        for at in 0..list.len() {
            if must_leave(model, self.needs, partition, list[at]) {
                self.fill(placement, partition, &mut list, at, strictness);
            }
        }
        if self.needs.group_and_rack {
            self.thin_racks(placement, partition, &mut list, strictness);
        }
        list
    }

    /// Moves replicas out of racks that hold more than their room, followers first.
    fn thin_racks(&mut self, placement: &Placement, partition: usize, list: &mut [u32], strictness: Strictness) {
        let model = self.model;
        let room = rack_room(model, model.group_of(partition), list.len());
        let mut order: Vec<usize> = (0..list.len()).collect();
        order.sort_by_key(|&at| (list[at] == placement.leader[partition], std::cmp::Reverse(at)));
        for at in order {
            let rack = model.broker(list[at]).rack;
            if in_rack(model, list, rack) > room {
                let was = list[at];
                let filled = self.fill(placement, partition, list, at, strictness);
                // A place that only crowds another rack is no repair.
                if filled && in_rack(model, list, model.broker(list[at]).rack) > room {
                    list[at] = was;
                }
            }
        }
    }

    /// Puts the broker on which it weighs least into `list[at]`.
    fn fill(&mut self, placement: &Placement, partition: usize, list: &mut [u32], at: usize, strictness: Strictness) -> bool {
        let load = self.model.partitions[partition].follows();
        match self.best_place(placement, partition, list, at, &load, strictness) {
            Some((_, broker)) => {
                list[at] = broker;
                true
            }
            None => false,
        }
    }

    fn best_place(
        &mut self,
        placement: &Placement,
        partition: usize,
        list: &[u32],
        at: usize,
        load: &Loads,
        strictness: Strictness,
    ) -> Option<(f64, u32)> {
        let model = self.model;
        let group = model.group_of(partition);
        let before = placement.list(model, partition);
        let room = rack_room(model, group, list.len());
        let others_of =
            |rack: u32| (0..list.len()).filter(|&other| other != at && model.broker(list[other]).rack == rack).count();
        self.rank(placement, group, load);
        let mut best: Option<(f64, u32, u32)> = None;
        let mut looked_at = 0;
        for &broker in &self.ranked.brokers {
            let facts = model.broker(broker);
            let full = placement.count[broker as usize] >= model.places[broker as usize];
            if full || list.contains(&broker) || (before.contains(&broker) && !list.contains(&broker)) {
                continue;
            }
            let others = others_of(facts.rack);
            if others >= room && others + 1 > room.max(in_rack(model, before, facts.rack)) {
                continue;
            }
            if !fits(model, placement, broker, load, strictness) || holds_share(model, placement, partition, broker) {
                continue;
            }
            let crowd = if others >= room { 1e12 } else { 0.0 };
            let rise = self.potential.holding(placement, broker, load) + crowd;
            if best.is_none_or(|(least, tie, _)| (rise, facts.tie) < (least, tie)) {
                best = Some((rise, facts.tie, broker));
            }
            // Those that come later took it worse when last ranked.
            looked_at += 1;
            if looked_at >= LOOKS_MAX && others < room {
                break;
            }
        }
        best.map(|(rise, _, broker)| (rise, broker))
    }

    /// Ranks the brokers of a group by how well they take such a load, anew after some placements.
    fn rank(&mut self, placement: &Placement, group: u32, load: &Loads) {
        if self.ranked.group == Some(group) && self.ranked.fresh_for > 0 {
            self.ranked.fresh_for -= 1;
            return;
        }
        let model = self.model;
        let rise = |broker: u32| (self.potential.holding(placement, broker, load), model.broker(broker).tie, broker);
        let mut ranked: Vec<(f64, u32, u32)> =
            model.open_brokers(group).filter(|&broker| model.is_welcome(broker)).map(rise).collect();
        ranked.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let brokers: Vec<u32> = ranked.into_iter().map(|(_, _, broker)| broker).collect();
        self.ranked = Ranked { group: Some(group), fresh_for: brokers.len() / RANKED_FOR_PART, brokers };
    }

    /// The present leader where it may stay or nobody welcome can follow it, else the best of the list.
    fn leader_of(&self, placement: &Placement, partition: usize, list: &[u32], strictness: Strictness) -> u32 {
        let leader = placement.leader[partition];
        let is_kept = leader != NOBODY && list.contains(&leader);
        if is_kept && !must_leave(self.model, self.needs, partition, leader) {
            return leader;
        }
        let best = best_leader(self.model, self.potential, placement, partition, list, strictness);
        best.filter(|&best| !is_kept || self.model.is_welcome(best)).unwrap_or(if is_kept { leader } else { NOBODY })
    }

    /// Looks again at each new replica, now that all are placed.
    fn even_replicas(&mut self, placement: &mut Placement, scope: &[usize]) {
        let model = self.model;
        for &partition in scope {
            for at in 0..model.partitions[partition].len as usize {
                let list = placement.list(model, partition).to_vec();
                let (broker, leader) = (list[at], placement.leader[partition]);
                if model.list(partition).contains(&broker) {
                    continue;
                }
                let load = model.partitions[partition].role(leader == broker);
                let Some((rise, other)) = self.best_place(placement, partition, &list, at, &load, Strictness::Full) else {
                    continue;
                };
                let mut lighter = placement.load[broker as usize];
                crate::placement::subtract(&mut lighter, &load);
                let held = self.potential.held(broker, &lighter, placement.count[broker as usize] - 1, &load);
                let mut next = list.clone();
                next[at] = other;
                let leader = if leader == broker { other } else { leader };
                if rise < held * (1.0 - 1e-9) && broken(model, placement, partition, &next, leader, Strictness::Full).is_none() {
                    placement.put(model, partition, &next, leader);
                }
            }
        }
    }
}

fn fits(model: &Model<'_>, placement: &Placement, broker: u32, load: &Loads, strictness: Strictness) -> bool {
    let facts = model.broker(broker);
    (0..4).all(|r| {
        let exempt = load[r] == 0 || !is_limited(model, facts, r, strictness);
        exempt || placement.load[broker as usize][r] + load[r] <= facts.limit[r]
    })
}

/// The member of `list` on which leadership weighs least; brokers that are to get nothing only when nobody else can.
fn best_leader(
    model: &Model<'_>,
    potential: &Potential,
    placement: &Placement,
    partition: usize,
    list: &[u32],
    strictness: Strictness,
) -> Option<u32> {
    let mut able: Vec<u32> = list.iter().copied().filter(|&broker| model.can_lead(partition, broker)).collect();
    // Excluded brokers lead only what they lead already.
    let now = placement.leader[partition];
    let gets_nothing = |broker: u32| model.broker(broker).closed || model.broker(broker).refuses;
    able.retain(|&broker| !gets_nothing(broker) || now == broker);
    able.retain(|&broker| broken(model, placement, partition, list, broker, strictness).is_none());
    let weight = |broker: u32| potential.leading(model, placement, partition, broker);
    able.into_iter().min_by(|&a, &b| {
        let shun = |broker: u32| {
            let (unwelcome, named) =
                (!model.is_welcome(broker), model.broker(broker).named && model.goal.kind != GoalKind::Expand);
            // What is demoted leads last of all; a draining broker may lead until it is emptied.
            if model.goal.kind == GoalKind::Demote { (named, unwelcome) } else { (unwelcome, named) }
        };
        shun(a).cmp(&shun(b)).then(weight(a).total_cmp(&weight(b))).then(model.broker(a).tie.cmp(&model.broker(b).tie))
    })
}

/// Hands the leaderships of `partitions` on while that evens them out.
pub(crate) fn even_leaders(
    model: &Model<'_>,
    potential: &Potential,
    placement: &mut Placement,
    partitions: &[usize],
    strictness: Strictness,
) {
    for _ in 0..4 {
        let mut improved = false;
        for &partition in partitions {
            let list = placement.list(model, partition).to_vec();
            let leader = placement.leader[partition];
            let Some(better) = best_leader(model, potential, placement, partition, &list, strictness) else {
                continue;
            };
            let weight = |broker: u32| potential.leading(model, placement, partition, broker);
            let welcome = model.is_welcome(better) || !model.is_welcome(leader);
            if better != leader && welcome && weight(better) < weight(leader) * (1.0 - 1e-9) {
                placement.put(model, partition, &list, better);
                improved = true;
            }
        }
        if !improved {
            break;
        }
    }
}
