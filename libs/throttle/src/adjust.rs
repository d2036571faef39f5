//! The control law: from one sample to the limit of every broker that may lead a listed partition. Must not know how limits are
//! set, nor the ramp on which they get there.
//!
//! The limit of broker b is L = S + X. S are the bytes of in-sync followers of listed partitions that b leads: Kafka counts them
//! although it never delays them. X is what copies may use: their floors, and an equal part of what share x capacity leaves
//! after users. An operator's maximum m bounds L itself. Only where in-sync bytes alone would leave the copies less than their
//! floor L is S + min(floor, m): so copies never go faster than m, and never stop.

use std::collections::{BTreeMap, BTreeSet};

use ballast_cluster::{BrokerId, Timestamp};

use crate::{Law, Rate, Sample, allocate::fill};

/// What was decided last: the limit that each broker has or is on its way to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct State {
    pub limits: BTreeMap<BrokerId, Rate>,
}

/// The limit of one broker and how it came about, all in bytes per second.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decision {
    pub limit: Rate,
    /// S: bytes of in-sync followers within the limit.
    pub counted: u64,
    /// What the copies need to make progress.
    pub floor: u64,
    /// What users leave of the share: incoming, outgoing.
    pub headroom_in: u64,
    pub headroom_out: u64,
    /// Whether the limit differs enough from the last one to be worth a ramp.
    pub changed: bool,
    pub reason: String,
}

pub type Rates = BTreeMap<BrokerId, Decision>;

/// Decides anew. `rates` has an entry for every broker that needs a limit; the new state has exactly these.
pub fn adjust(law: &Law, state: State, sample: &Sample, now: Timestamp) -> (State, Rates) {
    let needed: BTreeSet<BrokerId> = sample.flows.iter().flat_map(|flow| flow.may_lead.iter().copied()).collect();
    let pairs = pair_floors(law, sample);
    let extra = fill(&pairs.keys().copied().collect(), |broker| room_above_floors(law, sample, &pairs, broker));
    let mut next = State::default();
    let mut rates = Rates::new();
    for broker in needed {
        let copy: u64 = pairs.iter().filter(|((source, _), _)| *source == broker).map(|(_, floor)| floor + extra[&broker]).sum();
        let (headroom_in, headroom_out) = headroom(law, sample, broker);
        let (counted, floor) = floor_of(law, sample, broker);
        let present = state.limits.get(&broker).copied();
        let (wanted, reason) = wanted(law, sample, now, present, Parts { counted, floor, copy });
        let changed = present.is_none_or(|present| law.is_worth_a_ramp(present.bytes_per_second, wanted.bytes_per_second));
        let limit = if changed { wanted } else { present.unwrap_or(wanted) };
        next.limits.insert(broker, limit);
        rates.insert(broker, Decision { limit, counted, floor, headroom_in, headroom_out, changed, reason });
    }
    (next, rates)
}

struct Parts {
    counted: u64,
    floor: u64,
    copy: u64,
}

fn wanted(law: &Law, sample: &Sample, now: Timestamp, present: Option<Rate>, parts: Parts) -> (Rate, String) {
    let Parts { counted, floor, copy } = parts;
    let least = capped(sample.rate_max, counted, floor, floor);
    let by_law = capped(sample.rate_max, counted, floor, copy.max(floor));
    let age = sample.age_milliseconds(now);
    let (rate, reason) = match (age, present) {
        (Some(age), _) if age <= law.sample_age_milliseconds_fresh => {
            let what = if copy > floor { "share of capacity less users" } else { "floor" };
            let max = sample.rate_max.filter(|max| *max < Rate::new(counted.saturating_add(copy.max(floor))));
            let bound = max.map(|max| format!(", bounded by the maximum of {}", max.bytes_per_second)).unwrap_or_default();
            (by_law, format!("{what}: {} for copies, {counted} for in-sync followers{bound}", by_law.saturating_sub(counted)))
        }
        (Some(age), Some(present)) if age <= law.sample_age_milliseconds_max => {
            let held = capped(sample.rate_max, counted, floor, present.bytes_per_second.saturating_sub(counted).max(floor));
            (held, format!("held: the last sample is {} s old", age / 1_000))
        }
        (Some(age), _) => (least, format!("floor: the last sample is {} s old", age / 1_000)),
        (None, _) => (least, "floor: nothing was sampled yet".to_owned()),
    };
    match present {
        Some(present) if sample.frozen && rate > present.bytes_per_second => (present, "frozen: would rise otherwise".to_owned()),
        _ => (Rate::new(rate), reason),
    }
}

/// The limit for `copy` bytes of copies under an operator's maximum; see the head of this file.
fn capped(rate_max: Option<Rate>, counted: u64, floor: u64, copy: u64) -> u64 {
    let limit = counted.saturating_add(copy);
    match rate_max {
        Some(max) => limit.min(max.bytes_per_second.max(counted.saturating_add(floor.min(max.bytes_per_second)))),
        None => limit,
    }
}

/// In-sync bytes within the limit of `broker`, and the least that its copies need on top. A broker that leads none of the listed
/// partitions gets what all those need that it may come to lead: it copies nothing until then.
pub fn floor_of(law: &Law, sample: &Sample, broker: BrokerId) -> (u64, u64) {
    let led: Vec<_> = sample.flows.iter().filter(|flow| flow.leader == Some(broker)).collect();
    let flows = if led.is_empty() { sample.flows.iter().filter(|flow| flow.may_lead.contains(&broker)).collect() } else { led };
    let counted = flows.iter().map(|flow| flow.counted_bytes_per_second()).sum();
    let floors: u64 =
        flows.iter().map(|flow| law.partition_floor(flow.produce_bytes_per_second) * flow.targets.len() as u64).sum();
    (counted, floors.max(law.broker_floor_bytes_per_second))
}

/// The floor of every pair (source, target) that something is copied between.
fn pair_floors(law: &Law, sample: &Sample) -> BTreeMap<(BrokerId, BrokerId), u64> {
    let mut pairs: BTreeMap<(BrokerId, BrokerId), u64> = BTreeMap::new();
    for flow in &sample.flows {
        for target in flow.targets.iter().filter(|target| Some(**target) != flow.leader) {
            if let Some(leader) = flow.leader {
                *pairs.entry((leader, *target)).or_default() += law.partition_floor(flow.produce_bytes_per_second);
            }
        }
    }
    let mut targets_of: BTreeMap<BrokerId, u64> = BTreeMap::new();
    for (source, _) in pairs.keys() {
        *targets_of.entry(*source).or_default() += 1;
    }
    for ((source, _), floor) in &mut pairs {
        *floor = (*floor).max(law.broker_floor_bytes_per_second / targets_of[source]);
    }
    pairs
}

fn headroom(law: &Law, sample: &Sample, broker: BrokerId) -> (u64, u64) {
    sample.headroom(law, broker, crate::GoalClass::Rebalance)
}

fn room_above_floors(law: &Law, sample: &Sample, pairs: &BTreeMap<(BrokerId, BrokerId), u64>, broker: BrokerId) -> (u64, u64) {
    let (incoming, outgoing) = headroom(law, sample, broker);
    let taken_in: u64 = pairs.iter().filter(|((_, target), _)| *target == broker).map(|(_, floor)| floor).sum();
    let taken_out: u64 = pairs.iter().filter(|((source, _), _)| *source == broker).map(|(_, floor)| floor).sum();
    (incoming.saturating_sub(taken_in), outgoing.saturating_sub(taken_out))
}

#[cfg(test)]
mod tests;
