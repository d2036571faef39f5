//! What no plan can beat: bytes, time and highest utilisation. Must not know how a plan was found; every number here holds for
//! all plans that reach the goal, so where in doubt it is the lower one.

use crate::band::{Edges, group_sums};
use crate::goals::{Needs, must_leave};
use crate::model::{DISK, Model, NETWORK_IN, NETWORK_OUT, NOBODY, Standing};
use crate::placement::Placement;
use crate::rules::rack_excess;
use crate::schedule::{Schedule, added, tenfold_headroom};
use crate::{Alternative, Bounds, GoalKind, PerResource, UnmetGoal};

pub(crate) fn bounds(model: &Model<'_>, first: &Schedule, alternative: &Alternative) -> Bounds {
    Bounds {
        moved_bytes: moved_bytes(model, &first.placement, alternative),
        seconds: seconds(model, first),
        max_utilization: max_utilization(model, first),
    }
}

fn moved_bytes(model: &Model<'_>, reached: &Placement, alternative: &Alternative) -> u64 {
    match model.goal.kind {
        GoalKind::Demote => 0,
        // Explicit lists leave no choice.
        GoalKind::Topic => alternative.cost.moved_bytes,
        GoalKind::Evacuate | GoalKind::Drain => forced(model, reached).certain,
        GoalKind::Expand => named_deficit(model, reached),
        GoalKind::Rebalance => {
            let forced = forced(model, reached);
            let repaired = alternative.unmet.iter().all(|unmet| !unmet.hard || unmet.goal == UnmetGoal::Capacity);
            let whole = repaired && !model.brokers.iter().any(|broker| broker.capacity[DISK] == 0);
            // The means after are known only when every violation is repaired: then all complete plans have the same.
            let (surplus, deficit) = if whole { surplus_and_deficit(model, reached, &forced) } else { (0, 0) };
            forced.certain.saturating_add(forced.racks.max(surplus)).max(deficit)
        }
    }
}

struct Forced {
    /// Replicas that must leave where they are.
    certain: u64,
    /// Of the others, those that one rack holds too many of.
    racks: u64,
    /// `certain`, per broker that they leave.
    leaving: Vec<u64>,
}

/// Bytes that every plan copies whatever else it does; only of partitions that could be repaired.
fn forced(model: &Model<'_>, reached: &Placement) -> Forced {
    let needs = Needs::of(model);
    let mut forced = Forced { certain: 0, racks: 0, leaving: vec![0; model.brokers.len()] };
    for (partition, facts) in model.partitions.iter().enumerate() {
        let list = model.list(partition);
        if facts.is_fixed() || !needs.concerns(model, list) {
            continue;
        }
        let after = reached.list(model, partition);
        let mut staying = Vec::new();
        for &broker in list {
            if must_leave(model, &needs, partition, broker) && !after.contains(&broker) {
                forced.certain = forced.certain.saturating_add(facts.bytes());
                forced.leaving[broker as usize] += facts.bytes();
            } else {
                staying.push(broker);
            }
        }
        let group = model.group_of(partition);
        if model.goal.kind == GoalKind::Rebalance && rack_excess(model, group, after) == 0 {
            let room = crate::rules::rack_room(model, group, list.len());
            let excess = (0..staying.len())
                .filter(|&at| crate::rules::in_rack(model, &staying[..at], model.broker(staying[at]).rack) >= room)
                .count();
            forced.racks = forced.racks.saturating_add(facts.bytes().saturating_mul(excess as u64));
        }
    }
    forced
}

/// Bytes above the band that must leave brokers, and below it that must come, over brokers that were brought inside.
fn surplus_and_deficit(model: &Model<'_>, reached: &Placement, forced: &Forced) -> (u64, u64) {
    let present = Placement::present(model);
    let edges = Edges::new(model, reached);
    let (mut surplus, mut deficit) = (0u64, 0u64);
    for (broker, facts) in model.brokers.iter().enumerate().filter(|(_, facts)| facts.standing == Standing::Open) {
        let after = reached.load[broker][DISK];
        let (low, high) = (edges.low[broker][DISK], edges.high[broker][DISK]);
        if facts.capacity[DISK] > 0 && (low..=high).contains(&after) {
            let staying = present.load[broker][DISK].saturating_sub(forced.leaving[broker]);
            surplus = surplus.saturating_add(staying.saturating_sub(high));
            deficit = deficit.saturating_add(low.saturating_sub(present.load[broker][DISK]));
        }
    }
    (surplus, deficit)
}

/// Expand: what the named brokers lack to be inside the band, over those that were brought inside.
fn named_deficit(model: &Model<'_>, reached: &Placement) -> u64 {
    let present = Placement::present(model);
    let edges = Edges::new(model, &present);
    let mut deficit = 0u64;
    for (broker, facts) in model.brokers.iter().enumerate().filter(|(_, facts)| facts.named) {
        let low = edges.low[broker][DISK];
        if facts.capacity[DISK] > 0 && reached.load[broker][DISK] >= low {
            deficit = deficit.saturating_add(low.saturating_sub(present.load[broker][DISK]));
        }
    }
    deficit
}

/// Seconds that the busiest broker needs to copy in, or out as present leader, at 0.8 of its capacity less its load.
fn seconds(model: &Model<'_>, first: &Schedule) -> Option<u64> {
    let present = Placement::present(model);
    let mut copied = vec![[0u128; 2]; model.brokers.len()];
    for &partition in &first.order {
        let facts = &model.partitions[partition];
        for to in added(model, &first.placement, partition) {
            copied[to as usize][0] += u128::from(facts.bytes());
            if facts.leader != NOBODY {
                copied[facts.leader as usize][1] += u128::from(facts.bytes());
            }
        }
    }
    let mut longest = 0u128;
    for (broker, copied) in copied.iter().enumerate() {
        for (direction, r) in [(0, NETWORK_IN), (1, NETWORK_OUT)] {
            if copied[direction] > 0 {
                match tenfold_headroom(model, &present, broker as u32, r) {
                    0 => return None,
                    headroom => longest = longest.max((copied[direction] * 10).div_ceil(headroom)),
                }
            }
        }
    }
    Some(u64::try_from(longest).unwrap_or(u64::MAX))
}

/// Per resource: the mean that some group cannot get below, or its largest single item on its largest broker.
fn max_utilization(model: &Model<'_>, first: &Schedule) -> PerResource<Option<f64>> {
    let before = group_sums(model, &Placement::present(model).load);
    let after = group_sums(model, &first.placement.load);
    let mut bound = [None; 4];
    for group in 0..model.group_names.len() as u32 {
        for (r, bound) in bound.iter_mut().enumerate() {
            let (before, after) = (before[group as usize][r], after[group as usize][r]);
            if after.load == 0 {
                continue;
            }
            // What is on the group's brokers both now and then cannot be anywhere else in a plan for this goal.
            let mean = before.load.min(after.load) as f64 / after.capacity as f64;
            let least = mean.max(largest_item(model, first, group, r));
            *bound = Some(bound.map_or(least, |most: f64| most.max(least)));
        }
    }
    PerResource::from_array(bound)
}

/// The utilisation that the group's heaviest leader causes on the group's largest broker; 0 where some broker has no capacity.
fn largest_item(model: &Model<'_>, first: &Schedule, group: u32, r: usize) -> f64 {
    let capacities = model.open_brokers(group).map(|broker| model.broker(broker).capacity[r]);
    let (least, largest) = capacities.fold((u64::MAX, 0), |(least, most), capacity| (least.min(capacity), most.max(capacity)));
    if least == 0 || largest == 0 {
        return 0.0;
    }
    let leads_here = |&partition: &usize| {
        let leader = first.placement.leader[partition];
        leader != NOBODY
            && model.group_of(partition) == group
            && model.broker(leader).standing == Standing::Open
            && model.broker(leader).group == group
            && model.partitions[partition].leader != NOBODY
    };
    let heaviest = (0..model.partitions.len()).filter(leads_here).map(|partition| model.partitions[partition].leads[r]).max();
    heaviest.unwrap_or(0) as f64 / largest as f64
}
