//! How full brokers are before and after an alternative. Must not know why it was chosen.

use std::collections::HashMap;

use ballast_cluster::{BrokerId, Partition, Snapshot};
use ballast_planner::{Alternative, PerResource, ResourceBalance};
use ballast_proto::analyzer::v1 as wire;

/// In the order of disk, network in, network out, cpu.
type Loads = [u64; 4];

/// These brokers, before and after all moves of the alternative.
pub fn changes(snapshot: &Snapshot, alternative: &Alternative, brokers: &[BrokerId]) -> Vec<wire::BrokerChange> {
    let moved: HashMap<(&str, u32), &[BrokerId]> =
        alternative.moves.iter().map(|planned| ((planned.at.topic.as_str(), planned.at.partition), &planned.to[..])).collect();
    let mut before = vec![Loads::default(); brokers.len()];
    let mut after = before.clone();
    for (topic, partition) in snapshot.partitions() {
        add(snapshot, brokers, partition, &partition.replicas, partition.leader, &mut before);
        match moved.get(&(topic.name.as_str(), partition.index)) {
            Some(list) => add(snapshot, brokers, partition, list, list.first().copied(), &mut after),
            None => add(snapshot, brokers, partition, &partition.replicas, partition.leader, &mut after),
        }
    }
    let measured = &alternative.balance.before;
    let change = |(at, &broker): (usize, &BrokerId)| wire::BrokerChange {
        broker: broker.0,
        before: Some(utilization(snapshot, broker, &before[at], measured)),
        after: Some(utilization(snapshot, broker, &after[at], measured)),
    };
    brokers.iter().enumerate().map(change).collect()
}

/// What a partition with this list and leader puts on the brokers; dead ones carry nothing.
fn add(
    snapshot: &Snapshot,
    brokers: &[BrokerId],
    partition: &Partition,
    list: &[BrokerId],
    leader: Option<BrokerId>,
    loads: &mut [Loads],
) {
    let load = &partition.load;
    for (broker, sums) in brokers.iter().zip(loads) {
        if !list.contains(broker) || !snapshot.is_alive(*broker) {
            continue;
        }
        let to_followers = load.produce_bytes_per_second.saturating_mul(list.len() as u64 - 1);
        let (out, cpu) = if leader == Some(*broker) {
            (load.consume_bytes_per_second.unwrap_or(0).saturating_add(to_followers), load.leader_cpu_millicores)
        } else {
            (0, load.follower_cpu_millicores)
        };
        let added = [load.size_bytes, load.produce_bytes_per_second, out, cpu.unwrap_or(0)];
        sums.iter_mut().zip(added).for_each(|(sum, added)| *sum = sum.saturating_add(added));
    }
}

fn utilization(
    snapshot: &Snapshot,
    broker: BrokerId,
    [disk, network_in, network_out, cpu]: &Loads,
    measured: &PerResource<ResourceBalance>,
) -> wire::Utilization {
    let capacity = snapshot.broker(broker).map(|broker| broker.capacity).unwrap_or_default();
    let share = |load: &u64, capacity: u64, measured: ResourceBalance| {
        (capacity > 0 && measured.max_over_mean.is_some()).then(|| *load as f64 / capacity as f64)
    };
    wire::Utilization {
        disk: share(disk, capacity.disk_bytes, measured.disk),
        network_in: share(network_in, capacity.network_in_bytes_per_second, measured.network_in),
        network_out: share(network_out, capacity.network_out_bytes_per_second, measured.network_out),
        cpu: share(cpu, capacity.cpu_millicores, measured.cpu),
    }
}
