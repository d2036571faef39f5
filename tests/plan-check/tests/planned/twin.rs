//! The same cluster told otherwise. Must not know how plans are made.

use ballast_cluster::{BrokerId, Snapshot};

/// Every broker under another id.
pub fn relabelled(snapshot: &Snapshot, id: impl Fn(BrokerId) -> BrokerId) -> Snapshot {
    let mut other = snapshot.clone();
    for broker in &mut other.brokers {
        broker.id = id(broker.id);
    }
    for partition in other.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
        let lists = [&mut partition.replicas, &mut partition.in_sync];
        lists.into_iter().flatten().chain(&mut partition.leader).for_each(|broker| *broker = id(*broker));
    }
    other.sort();
    other
}

/// Twice of everything that is carried, and of everything that can be.
pub fn doubled(snapshot: &Snapshot) -> Snapshot {
    let mut other = snapshot.clone();
    for broker in &mut other.brokers {
        let capacity = &mut broker.capacity;
        capacity.cpu_millicores *= 2;
        capacity.disk_bytes *= 2;
        capacity.network_in_bytes_per_second *= 2;
        capacity.network_out_bytes_per_second *= 2;
    }
    for partition in other.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
        let load = &mut partition.load;
        load.size_bytes *= 2;
        load.produce_bytes_per_second *= 2;
        let others = [&mut load.consume_bytes_per_second, &mut load.leader_cpu_millicores, &mut load.follower_cpu_millicores];
        others.into_iter().flatten().for_each(|load| *load *= 2);
    }
    other
}
