//! What each broker is to the planner, after the goal and the limits have had their say. Must not know partitions' loads.

use std::collections::BTreeMap;

use ballast_cluster::{Broker, BrokerId, BrokerState, Snapshot};

use super::ids::Ids;
use super::{BrokerFacts, Loads, Standing, group_index};
use crate::{Goal, GoalKind, Limits};

pub(super) fn broker_facts(snapshot: &Snapshot, goal: &Goal, limits: &Limits, groups: &[String]) -> Vec<BrokerFacts> {
    let mut known: BTreeMap<BrokerId, Option<&Broker>> =
        snapshot.brokers.iter().map(|broker| (broker.id, Some(broker))).collect();
    // A list may still name a broker that is no longer registered: it is as dead as one can be.
    let registered = Ids::new(snapshot.brokers.iter().map(|broker| broker.id));
    for (_, partition) in snapshot.partitions() {
        for &id in partition.replicas.iter().filter(|&&id| registered.get(id).is_none()) {
            known.insert(id, None);
        }
    }
    let mut racks: BTreeMap<String, u32> = BTreeMap::new();
    let mut facts: Vec<BrokerFacts> = Vec::with_capacity(known.len());
    for (&id, broker) in &known {
        let rack = broker.and_then(|broker| broker.rack.clone()).unwrap_or_else(|| format!("\0{id}"));
        let next = racks.len() as u32;
        let named = goal.brokers.contains(&id);
        let capacity = broker.map_or([0; 4], capacity_of);
        facts.push(BrokerFacts {
            id,
            rack: *racks.entry(rack).or_insert(next),
            group: broker.map_or(u32::MAX, |broker| group_index(groups, &broker.group)),
            standing: broker.map_or(Standing::Dead, |broker| standing(broker.state, goal.kind, named)),
            named,
            closed: limits.excluded_brokers.contains(&id),
            refuses: !limits.only_to_brokers.is_empty() && !limits.only_to_brokers.contains(&id),
            capacity,
            limit: [0; 4],
            tie: 0,
        });
    }
    set_limits(&mut facts, limits);
    facts
}

pub(super) fn set_ties(facts: &mut [BrokerFacts], seed: u64) {
    let mut order: Vec<usize> = (0..facts.len()).collect();
    if seed != 0 {
        order.sort_by_key(|&at| (scramble(seed, facts[at].id), at));
    }
    for (tie, at) in order.into_iter().enumerate() {
        facts[at].tie = tie as u32;
    }
}

/// SplitMix64's finisher: spreads ids over the numbers in an order that depends on the seed.
fn scramble(seed: u64, id: BrokerId) -> u64 {
    let mut x = seed.wrapping_add((id.0 as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// Brokers named in evacuate count as dead, in drain as draining, in expand as new; a dead one stays dead.
fn standing(state: BrokerState, kind: GoalKind, named: bool) -> Standing {
    match (state, kind, named) {
        (BrokerState::Dead, _, _) | (_, GoalKind::Evacuate, true) => Standing::Dead,
        (_, GoalKind::Expand, true) => Standing::Open,
        (BrokerState::Draining, _, _) | (_, GoalKind::Drain, true) => Standing::Draining,
        (BrokerState::Alive | BrokerState::New, _, _) => Standing::Open,
    }
}

fn capacity_of(broker: &Broker) -> Loads {
    let capacity = &broker.capacity;
    [capacity.disk_bytes, capacity.network_in_bytes_per_second, capacity.network_out_bytes_per_second, capacity.cpu_millicores]
}

fn set_limits(facts: &mut [BrokerFacts], limits: &Limits) {
    let shares = limits.capacity;
    let share_of = [
        shares.disk_parts_per_million,
        shares.network_parts_per_million,
        shares.network_parts_per_million,
        shares.cpu_parts_per_million,
    ];
    for (r, share) in share_of.into_iter().enumerate() {
        let is_known = facts.iter().any(|broker| broker.capacity[r] > 0);
        for broker in facts.iter_mut() {
            let limit = u128::from(broker.capacity[r]) * u128::from(share) / 1_000_000;
            broker.limit[r] = if is_known { limit.min(u128::from(u64::MAX)) as u64 } else { u64::MAX };
        }
    }
}
