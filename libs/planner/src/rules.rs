//! The hard constraints: may this partition have that list and leader, given where everything else is.
//! Must not know goals or what would be better.

use crate::GoalKind;
use crate::model::{BrokerFacts, Model, Standing};
use crate::placement::{Placement, Tally};

/// The rule that a change would break.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Rule {
    Liveness(u32),
    Group(u32),
    Rack(u32),
    Capacity(u32, usize),
    ReplicaCap(u32),
    Excluded(u32),
    /// Topics are to be spread, and the broker has its share of this one.
    Spread(u32),
    Duplicate,
    /// A cap on bytes, moves or leader moves.
    Cap,
}

/// How strictly capacity is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Strictness {
    Full,
    /// Evacuate and drain, when nothing else fits: cpu and network may be exceeded, disk never.
    DiskOnly,
}

/// The first rule that giving `partition` this list and leader breaks, compared with what it has in `placement`.
pub(crate) fn broken(
    model: &Model<'_>,
    placement: &Placement,
    partition: usize,
    list: &[u32],
    leader: u32,
    strictness: Strictness,
) -> Option<Rule> {
    let now = placement.list(model, partition);
    let group = model.group_of(partition);
    for (at, &broker) in list.iter().enumerate() {
        if list[..at].contains(&broker) {
            return Some(Rule::Duplicate);
        }
        if now.contains(&broker) {
            continue;
        }
        let facts = model.broker(broker);
        if facts.standing != Standing::Open {
            return Some(Rule::Liveness(broker));
        }
        if facts.closed || facts.refuses {
            return Some(Rule::Excluded(broker));
        }
        if facts.group != group && !(model.goal.kind == GoalKind::Topic && model.limits.across_groups) {
            return Some(Rule::Group(broker));
        }
        if placement.count[broker as usize] >= model.places[broker as usize] {
            return Some(Rule::ReplicaCap(broker));
        }
        if holds_share(model, placement, partition, broker) {
            return Some(Rule::Spread(broker));
        }
    }
    dead_kept(model, partition, list)
        .or_else(|| rack_broken(model, group, now, list))
        .or_else(|| capacity_broken(model, placement, partition, list, leader, strictness))
        .or_else(|| (!within_caps(model, placement.tally_with(model, partition, list, leader))).then_some(Rule::Cap))
}

/// No target that copies data keeps a dead replica.
fn dead_kept(model: &Model<'_>, partition: usize, list: &[u32]) -> Option<Rule> {
    let present = model.list(partition);
    let copies = list.iter().any(|broker| !present.contains(broker));
    list.iter().find(|&&broker| copies && model.is_dead(broker)).map(|&broker| Rule::Liveness(broker))
}

/// Replicas of one partition that one rack may hold: one where there are racks enough, else an even share.
pub(crate) fn rack_room(model: &Model<'_>, group: u32, len: usize) -> usize {
    match model.open_racks.get(group as usize).copied().unwrap_or(0) as usize {
        0 => len,
        racks => len.div_ceil(racks),
    }
}

pub(crate) fn in_rack(model: &Model<'_>, list: &[u32], rack: u32) -> usize {
    list.iter().filter(|&&broker| model.broker(broker).rack == rack).count()
}

/// A rack that `after` crowds beyond its room, and more than `before` did.
pub(crate) fn rack_broken(model: &Model<'_>, group: u32, before: &[u32], after: &[u32]) -> Option<Rule> {
    let room = rack_room(model, group, after.len());
    let worse = |&&broker: &&u32| {
        let rack = model.broker(broker).rack;
        let count = in_rack(model, after, rack);
        count > room && count > in_rack(model, before, rack)
    };
    after.iter().find(worse).map(|&broker| Rule::Rack(broker))
}

/// Replicas that sit in a rack beyond its room.
pub(crate) fn rack_excess(model: &Model<'_>, group: u32, list: &[u32]) -> usize {
    let room = rack_room(model, group, list.len());
    // A replica is surplus when `room` others of its rack come before it in the list.
    (0..list.len()).filter(|&at| in_rack(model, &list[..at], model.broker(list[at]).rack) >= room).count()
}

/// Whether `broker` holds its even share of the partition's topic already, where that counts.
pub(crate) fn holds_share(model: &Model<'_>, placement: &Placement, partition: usize, broker: u32) -> bool {
    if !model.limits.spread_topics {
        return false;
    }
    let topic = &model.topics[model.partitions[partition].topic as usize];
    let partitions = topic.partitions.0 as usize..topic.partitions.1 as usize;
    let replicas: usize = partitions.clone().map(|partition| model.partitions[partition].len as usize).sum();
    let held = partitions.filter(|&partition| placement.list(model, partition).contains(&broker)).count();
    held >= replicas.div_ceil(model.open_brokers(topic.group).count().max(1))
}

fn capacity_broken(
    model: &Model<'_>,
    placement: &Placement,
    partition: usize,
    list: &[u32],
    leader: u32,
    strictness: Strictness,
) -> Option<Rule> {
    let facts = &model.partitions[partition];
    let now = placement.list(model, partition);
    for &broker in list.iter().filter(|&&broker| !model.is_dead(broker)) {
        let more = facts.role(leader == broker);
        let less = if now.contains(&broker) { facts.role(placement.leader[partition] == broker) } else { [0; 4] };
        for r in 0..4 {
            let host = model.broker(broker);
            if more[r] <= less[r] || !is_limited(model, host, r, strictness) {
                continue;
            }
            if placement.load[broker as usize][r] - less[r] + more[r] > host.limit[r] {
                return Some(Rule::Capacity(broker, r));
            }
        }
    }
    None
}

/// Whether the limit of a broker counts: it always does where there is no capacity at all, since no load may come there.
pub(crate) fn is_limited(model: &Model<'_>, broker: &BrokerFacts, r: usize, strictness: Strictness) -> bool {
    broker.capacity[r] == 0 || (model.measured[r] && (strictness == Strictness::Full || r == crate::model::DISK))
}

pub(crate) fn within_caps(model: &Model<'_>, tally: Tally) -> bool {
    let within = |cap: Option<u64>, value: u64| cap.is_none_or(|cap| value <= cap);
    within(model.limits.bytes_max, tally.bytes)
        && within(model.limits.moves_max, tally.replica_moves.max(tally.entries))
        && within(model.limits.leader_moves_max, tally.leader_moves)
}

/// Open brokers whose load is above a capacity limit, as (broker, resource); those without capacity are left out.
pub(crate) fn over_capacity(model: &Model<'_>, placement: &Placement) -> Vec<(u32, usize)> {
    let mut over = Vec::new();
    for (broker, facts) in model.brokers.iter().enumerate().filter(|(_, facts)| facts.standing == Standing::Open) {
        let above = |&r: &usize| model.measured[r] && facts.capacity[r] > 0 && placement.load[broker][r] > facts.limit[r];
        over.extend((0..4).filter(above).map(|r| (broker as u32, r)));
    }
    over
}
