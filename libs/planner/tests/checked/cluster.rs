//! The contract's section 2 and 3 read slowly: standing, loads, means, bands, racks, straight from a snapshot.

use std::collections::{BTreeMap, BTreeSet};

use ballast_cluster::{Broker, BrokerId, BrokerState, Partition, Reassignment, Snapshot, Topic};
use ballast_planner::{Goal, GoalKind};

pub type Loads = BTreeMap<BrokerId, [u128; 4]>;
/// Per resource: most and least over the mean, brokers outside.
pub type Extremes = [Option<(f64, f64, u32)>; 4];

/// The state of a broker as the goal has it.
pub fn state(snapshot: &Snapshot, goal: &Goal, id: BrokerId) -> BrokerState {
    let broker = snapshot.broker(id).expect("known");
    let named = goal.brokers.contains(&id);
    match goal.kind {
        _ if broker.state == BrokerState::Dead => BrokerState::Dead,
        GoalKind::Evacuate if named => BrokerState::Dead,
        GoalKind::Drain if named => BrokerState::Draining,
        GoalKind::Expand if named => BrokerState::New,
        _ => broker.state,
    }
}

pub fn is_open(snapshot: &Snapshot, goal: &Goal, id: BrokerId) -> bool {
    matches!(state(snapshot, goal, id), BrokerState::Alive | BrokerState::New)
}

pub fn is_dead(snapshot: &Snapshot, goal: &Goal, id: BrokerId) -> bool {
    state(snapshot, goal, id) == BrokerState::Dead
}

pub fn leader(snapshot: &Snapshot, goal: &Goal, partition: &Partition) -> Option<BrokerId> {
    partition.leader.filter(|&id| !is_dead(snapshot, goal, id))
}

pub fn live_in_sync(snapshot: &Snapshot, goal: &Goal, partition: &Partition) -> Vec<BrokerId> {
    partition.in_sync.iter().copied().filter(|&id| !is_dead(snapshot, goal, id)).collect()
}

pub fn capacity(broker: &Broker) -> [u128; 4] {
    let capacity = &broker.capacity;
    [capacity.disk_bytes, capacity.network_in_bytes_per_second, capacity.network_out_bytes_per_second, capacity.cpu_millicores]
        .map(u128::from)
}

/// disk, network in, network out, cpu of one replica.
pub fn role(partition: &Partition, leads: bool) -> [u128; 4] {
    let load = &partition.load;
    let copies = partition.replicas.len() as u64 - 1;
    let out = load.consume_bytes_per_second.unwrap_or(0) + load.produce_bytes_per_second * copies;
    let cpu = if leads { load.leader_cpu_millicores } else { load.follower_cpu_millicores };
    [load.size_bytes, load.produce_bytes_per_second, if leads { out } else { 0 }, cpu.unwrap_or(0)].map(u128::from)
}

pub fn measured(snapshot: &Snapshot) -> [bool; 4] {
    let all = |known: &dyn Fn(&Partition) -> bool| snapshot.partitions().all(|(_, partition)| known(partition));
    let cpu = |p: &Partition| p.load.leader_cpu_millicores.is_some() && p.load.follower_cpu_millicores.is_some();
    [true, true, all(&|partition| partition.load.consume_bytes_per_second.is_some()), all(&cpu)]
}

/// Load of every live broker.
pub fn loads(snapshot: &Snapshot, goal: &Goal) -> Loads {
    let mut loads: Loads = snapshot.brokers.iter().map(|broker| (broker.id, [0; 4])).collect();
    for (_, partition) in snapshot.partitions() {
        let leader = leader(snapshot, goal, partition);
        for &id in partition.replicas.iter().filter(|&&id| !is_dead(snapshot, goal, id)) {
            let role = role(partition, leader == Some(id));
            let load = loads.get_mut(&id).expect("known");
            for r in 0..4 {
                load[r] += role[r];
            }
        }
    }
    loads
}

/// max over mean, min over mean, brokers outside, who is outside; `None` for a resource without measured load.
pub fn balance(snapshot: &Snapshot, goal: &Goal) -> (Extremes, BTreeSet<BrokerId>) {
    let loads = loads(snapshot, goal);
    let mut who = BTreeSet::new();
    let mut result = [None; 4];
    let groups: BTreeSet<&str> = snapshot.brokers.iter().map(|broker| broker.group.as_str()).collect();
    let measured = measured(snapshot);
    for r in (0..4).filter(|&r| measured[r]) {
        for group in &groups {
            let counted =
                |broker: &&Broker| broker.group == **group && is_open(snapshot, goal, broker.id) && capacity(broker)[r] > 0;
            let members: Vec<&Broker> = snapshot.brokers.iter().filter(counted).collect();
            let load: u128 = members.iter().map(|broker| loads[&broker.id][r]).sum();
            let whole: u128 = members.iter().map(|broker| capacity(broker)[r]).sum();
            if load == 0 {
                continue;
            }
            for broker in members {
                // u = own / cap against mean = load / whole, all multiplied out.
                let (own, cap) = (loads[&broker.id][r], capacity(broker)[r]);
                let e = u128::from(goal.band.parts_per_million);
                let scaled = own * whole * 1_000_000;
                let outside = scaled < load * cap * (1_000_000 - e) || scaled > load * cap * (1_000_000 + e);
                let ratio = (own * whole) as f64 / (load * cap) as f64;
                let (most, least, count) = result[r].unwrap_or((ratio, ratio, 0));
                result[r] = Some((ratio.max(most), ratio.min(least), count + u32::from(outside)));
                if outside {
                    who.insert(broker.id);
                }
            }
        }
    }
    (result, who)
}

/// Replicas per rack, and how many one rack may hold.
pub fn racks(snapshot: &Snapshot, goal: &Goal, topic: &Topic, list: &[BrokerId]) -> (BTreeMap<String, usize>, usize) {
    let open = |broker: &&Broker| broker.group == topic.group && is_open(snapshot, goal, broker.id);
    let usable: BTreeSet<String> = snapshot.brokers.iter().filter(open).map(|broker| snapshot.rack(broker.id)).collect();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for &id in list {
        *counts.entry(snapshot.rack(id)).or_default() += 1;
    }
    let room = match usable.len() {
        0 => list.len(),
        racks if racks >= list.len() => 1,
        racks => list.len().div_ceil(racks),
    };
    (counts, room)
}

pub fn excess(snapshot: &Snapshot, goal: &Goal, topic: &Topic, list: &[BrokerId]) -> usize {
    let (counts, room) = racks(snapshot, goal, topic, list);
    counts.values().map(|&count| count.saturating_sub(room)).sum()
}

/// The snapshot once the moves are complete.
pub fn carried_out(snapshot: &Snapshot, moves: &[Reassignment]) -> Snapshot {
    let mut snapshot = snapshot.clone();
    for entry in moves {
        let topic = snapshot.topics.iter_mut().find(|topic| topic.name == entry.at.topic).expect("known topic");
        let at = topic.partitions.iter().position(|partition| partition.index == entry.at.partition).expect("known partition");
        let partition = &mut topic.partitions[at];
        if entry.copies_data() {
            partition.in_sync = entry.to.clone();
        }
        partition.replicas = entry.to.clone();
        partition.leader = entry.to.first().copied();
    }
    snapshot
}
