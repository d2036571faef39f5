//! How even and how well measured a cluster is, from its snapshot. Must not know where snapshots come from.

use std::collections::BTreeMap;

use ballast_cluster::{BrokerId, Capacity, Snapshot};

/// The share of partitions whose load was measured; `None` without partitions.
pub fn measured_share(snapshot: &Snapshot) -> Option<f64> {
    let (mut all, mut measured) = (0_u64, 0_u64);
    for (_, partition) in snapshot.partitions() {
        all += 1;
        measured += u64::from(partition.load.source.is_some());
    }
    (all > 0).then(|| measured as f64 / all as f64)
}

/// The highest utilisation over the mean, for disk and network in. Left out: a resource without capacity or load.
pub fn max_to_mean(snapshot: &Snapshot) -> Vec<(&'static str, f64)> {
    let mut loads: BTreeMap<BrokerId, (u64, u64)> = BTreeMap::new();
    for (_, partition) in snapshot.partitions() {
        for broker in partition.replicas.iter().filter(|broker| snapshot.is_alive(**broker)) {
            let (disk, network_in) = loads.entry(*broker).or_default();
            *disk += partition.load.size_bytes;
            *network_in += partition.load.produce_bytes_per_second;
        }
    }
    let ratio = |load: fn(&(u64, u64)) -> u64, capacity: fn(&Capacity) -> u64| {
        let live = snapshot.brokers.iter().filter(|broker| snapshot.is_alive(broker.id) && capacity(&broker.capacity) > 0);
        let pairs: Vec<(u64, u64)> =
            live.map(|broker| (loads.get(&broker.id).map_or(0, load), capacity(&broker.capacity))).collect();
        let (load, capacity) = pairs.iter().fold((0, 0), |sum, pair| (sum.0 + pair.0, sum.1 + pair.1));
        let highest = pairs.iter().map(|pair| pair.0 as f64 / pair.1 as f64).fold(0.0, f64::max);
        (load > 0 && capacity > 0).then(|| highest / (load as f64 / capacity as f64))
    };
    let disk = ratio(|load| load.0, |capacity| capacity.disk_bytes).map(|ratio| ("disk", ratio));
    let network_in = ratio(|load| load.1, |capacity| capacity.network_in_bytes_per_second).map(|ratio| ("network_in", ratio));
    disk.into_iter().chain(network_in).collect()
}

#[cfg(test)]
mod tests {
    use ballast_cluster::{Broker, BrokerState, Load, Partition, Topic};

    use super::*;

    #[test]
    fn the_fullest_broker_is_compared_with_the_mean() {
        let broker = |id: i32| Broker {
            id: BrokerId(id),
            rack: None,
            host: None,
            group: "default".into(),
            state: BrokerState::Alive,
            capacity: Capacity { disk_bytes: 100, ..Capacity::default() },
            log_dirs: Vec::new(),
        };
        let load = Load { size_bytes: 30, source: Some("test".into()), ..Load::default() };
        let partition = Partition { replicas: vec![BrokerId(1)], load, ..Partition::default() };
        let topic =
            Topic { name: "t".into(), id: None, group: "default".into(), min_insync_replicas: 1, partitions: vec![partition] };
        let snapshot = Snapshot { brokers: vec![broker(1), broker(2)], topics: vec![topic], ..Snapshot::default() };
        assert_eq!(max_to_mean(&snapshot), [("disk", 2.0)]);
        assert_eq!(measured_share(&snapshot), Some(1.0));
        assert_eq!(measured_share(&Snapshot::default()), None);
    }
}
