//! A cluster once a plan is carried out, and the same cluster told otherwise. Must not know how plans are made.

use ballast_cluster::{BrokerId, Snapshot};
use serde_json::Value;

/// The snapshot once every move of the alternative is complete.
#[track_caller]
pub fn carried_out(snapshot: &Snapshot, alternative: &Value) -> Snapshot {
    let mut after = snapshot.clone();
    for entry in alternative["moves"].as_array().expect("a list") {
        let (topic, index) = (entry["topic"].as_str().expect("a name"), entry["partition"].as_u64().expect("a number"));
        let ids = |key: &str| -> Vec<BrokerId> {
            let list = entry[key].as_array().expect("a list");
            list.iter().map(|id| BrokerId(id.as_i64().expect("an id") as i32)).collect()
        };
        let at = after.topics.iter().position(|other| other.name == topic).expect("known");
        let partitions = &mut after.topics[at].partitions;
        let partition = partitions.iter_mut().find(|partition| u64::from(partition.index) == index).expect("known");
        let (from, to) = (ids("from"), ids("to"));
        if to.iter().any(|id| !from.contains(id)) {
            partition.in_sync.clone_from(&to);
        }
        partition.leader = to.first().copied();
        partition.replicas = to;
    }
    after
}

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
