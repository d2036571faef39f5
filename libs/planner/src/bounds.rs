//! What no plan can beat: bytes, time and highest utilisation. Must not know how a plan was found; every number here holds for
//! all plans that reach the goal, so where in doubt it is the lower one.

use crate::band::{Edges, group_sums};
use crate::goals::{Needs, must_leave};
use crate::model::{DISK, Model, NETWORK_IN, NETWORK_OUT, NOBODY, Standing};
use crate::placement::Placement;
use crate::rules::rack_excess;
use crate::schedule::{Schedule, added, tenfold_headroom};
use crate::{Alternative, Bounds, GoalKind, PerResource, UnmetGoal};

/// `reached` is what `main` brings about: the alternative that goes furthest. `first` is the one of rank 1.
pub(crate) fn bounds(model: &Model<'_>, reached: &Placement, first: &Schedule, main: &Alternative) -> Bounds {
    Bounds {
        moved_bytes: moved_bytes(model, reached, main),
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
            let repaired = alternative.unmet.iter().all(|unmet| !unmet.hard || moves_no_mean(unmet.goal));
            let whole = repaired && !model.brokers.iter().any(|broker| broker.capacity[DISK] == 0);
            // The means after are known only when every violation is repaired: then all complete plans have the same.
            let (surplus, deficit) = if whole { surplus_and_deficit(model, reached, &forced) } else { (0, 0) };
            forced.certain.saturating_add(forced.racks.max(surplus)).max(deficit)
        }
    }
}

/// Rules that may stay broken while all that counts towards the means is where it belongs.
fn moves_no_mean(goal: UnmetGoal) -> bool {
    matches!(goal, UnmetGoal::Capacity | UnmetGoal::ReplicaCap)
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
    let present = &model.present_load;
    let edges = Edges::of(model, &reached.load);
    let (mut surplus, mut deficit) = (0u64, 0u64);
    let mut to_shed = vec![[0u64; 2]; model.brokers.len()];
    for (broker, facts) in model.brokers.iter().enumerate().filter(|(_, facts)| facts.standing == Standing::Open) {
        let is_inside = |r: usize| {
            let (low, high) = (edges.low[broker][r], edges.high[broker][r]);
            facts.capacity[r] > 0 && (low..=high).contains(&reached.load[broker][r])
        };
        if is_inside(DISK) {
            let staying = present[broker][DISK].saturating_sub(forced.leaving[broker]);
            to_shed[broker][0] = staying.saturating_sub(edges.high[broker][DISK]);
            deficit = deficit.saturating_add(edges.low[broker][DISK].saturating_sub(present[broker][DISK]));
        }
        // What is forced off a broker relieves its network too, by how much is not counted: such brokers are left out.
        if is_inside(NETWORK_IN) && forced.leaving[broker] == 0 {
            to_shed[broker][1] = present[broker][NETWORK_IN].saturating_sub(edges.high[broker][NETWORK_IN]);
        }
    }
    let by_network = bytes_to_shed(model, &to_shed);
    for (broker, [disk, _]) in to_shed.iter().enumerate() {
        surplus = surplus.saturating_add((*disk).max(by_network[broker]));
    }
    (surplus, deficit)
}

/// The least bytes whose leaving takes each broker's surplus of network in away: its replicas by what they take in per byte, the
/// last one in part (Dantzig's bound of the knapsack problem). Different brokers shed different replicas, so these add up.
fn bytes_to_shed(model: &Model<'_>, to_shed: &[[u64; 2]]) -> Vec<u64> {
    let mut held: Vec<Vec<(u64, u64)>> = vec![Vec::new(); to_shed.len()];
    for facts in &model.partitions {
        let [bytes, taken, ..] = facts.follows();
        for &broker in model.slots[facts.slots()].iter().filter(|&&broker| to_shed[broker as usize][1] > 0) {
            held[broker as usize].push((taken, bytes));
        }
    }
    let least = |(replicas, &[_, surplus]): (&mut Vec<(u64, u64)>, &[u64; 2])| {
        replicas.sort_unstable_by(|a, b| (u128::from(b.0) * u128::from(a.1)).cmp(&(u128::from(a.0) * u128::from(b.1))));
        let (mut left, mut sum) = (surplus, 0u64);
        for &(taken, bytes) in replicas.iter() {
            if taken >= left {
                let part = u128::from(bytes) * u128::from(left) / u128::from(taken.max(1));
                return sum.saturating_add(part as u64);
            }
            (left, sum) = (left - taken, sum.saturating_add(bytes));
        }
        sum
    };
    held.iter_mut().zip(to_shed).map(least).collect()
}

/// Expand: what the named brokers lack to be inside the band, over those that were brought inside.
fn named_deficit(model: &Model<'_>, reached: &Placement) -> u64 {
    let present = &model.present_load;
    let edges = Edges::of(model, present);
    let mut deficit = 0u64;
    for (broker, facts) in model.brokers.iter().enumerate().filter(|(_, facts)| facts.named) {
        let low = edges.low[broker][DISK];
        if facts.capacity[DISK] > 0 && reached.load[broker][DISK] >= low {
            deficit = deficit.saturating_add(low.saturating_sub(present[broker][DISK]));
        }
    }
    deficit
}

/// Seconds that the busiest broker needs to copy in, or out as present leader, at 0.8 of its capacity less its load.
fn seconds(model: &Model<'_>, first: &Schedule) -> Option<u64> {
    let present = &model.present_load;
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
                match tenfold_headroom(model, present, broker as u32, r) {
                    0 => return None,
                    headroom => longest = longest.max((copied[direction] * 10).div_ceil(headroom)),
                }
            }
        }
    }
    Some(u64::try_from(longest).unwrap_or(u64::MAX))
}

/// Per resource: the mean that some group cannot get below, or its largest single item on its largest broker. Both count only
/// what no plan can take away from the group's open brokers.
fn max_utilization(model: &Model<'_>, first: &Schedule) -> PerResource<Option<f64>> {
    let sums = group_sums(model, &first.placement.load);
    let groups = model.group_names.len();
    let mut staying = vec![[0u128; 4]; groups];
    let mut heaviest = vec![[0u64; 4]; groups];
    for partition in 0..model.partitions.len() {
        let group = model.group_of(partition) as usize;
        for r in 0..4 {
            for load in staying_loads(model, partition, r) {
                staying[group][r] += u128::from(load);
                heaviest[group][r] = heaviest[group][r].max(load);
            }
        }
    }
    let mut bound = [None; 4];
    for group in 0..groups {
        for (r, bound) in bound.iter_mut().enumerate().filter(|&(r, _)| sums[group][r].load > 0) {
            let capacities = model.open_brokers(group as u32).map(|broker| model.broker(broker).capacity[r]);
            let mean = staying[group][r] as f64 / sums[group][r].capacity as f64;
            let item = heaviest[group][r] as f64 / capacities.max().unwrap_or(1).max(1) as f64;
            *bound = Some(bound.map_or(mean.max(item), |most: f64| most.max(mean).max(item)));
        }
    }
    PerResource::from_array(bound)
}

/// What each replica of a partition puts on its group's open brokers with capacity in `r` whatever is planned: from there it may
/// only go to another such broker, and so may the leader's part where every live replica is there.
fn staying_loads(model: &Model<'_>, partition: usize, r: usize) -> impl Iterator<Item = u64> {
    let facts = &model.partitions[partition];
    let (leads, follows) = (facts.leads()[r], facts.follows()[r]);
    let stays = |&&broker: &&u32| {
        let host = model.broker(broker);
        host.standing == Standing::Open && host.group == model.group_of(partition) && host.capacity[r] > 0
    };
    let list = model.list(partition);
    let led = facts.leader != NOBODY && list.iter().all(|broker| model.is_dead(*broker) || stays(&broker));
    let role = move |at: usize| match (led, at) {
        (true, 0) => leads,
        (true, _) => follows,
        (false, _) => leads.min(follows),
    };
    (0..list.iter().filter(stays).count()).map(role)
}
