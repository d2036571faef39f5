//! What a well-formed snapshot must not say. Must not know JSON: it reads the sorted snapshot.

use std::collections::BTreeMap;

use ballast_cluster::{Broker, BrokerId, BrokerState, Partition, Snapshot, Topic};

use crate::SnapshotError;

/// Duplicates, unknown brokers, leaders outside their lists.
pub(crate) fn check(snapshot: &Snapshot) -> Result<(), SnapshotError> {
    for pair in snapshot.brokers.windows(2) {
        if pair[0].id == pair[1].id {
            return Err(SnapshotError::at(format!("broker {}", pair[0].id), "is listed twice"));
        }
    }
    for pair in snapshot.topics.windows(2) {
        if pair[0].name == pair[1].name {
            return Err(SnapshotError::at(format!("topic {}", pair[0].name), "is listed twice"));
        }
    }
    for topic in &snapshot.topics {
        for pair in topic.partitions.windows(2) {
            if pair[0].index == pair[1].index {
                return Err(SnapshotError::at(place(topic, &pair[0]), "is listed twice"));
            }
        }
        for partition in &topic.partitions {
            check_partition(snapshot, partition).map_err(|problem| SnapshotError::at(place(topic, partition), problem))?;
        }
    }
    Ok(())
}

fn place(topic: &Topic, partition: &Partition) -> String {
    format!("topic {}, partition {}", topic.name, partition.index)
}

fn check_partition(snapshot: &Snapshot, partition: &Partition) -> Result<(), String> {
    let lists = [
        ("replicas", &partition.replicas),
        ("in_sync", &partition.in_sync),
        ("adding_replicas", &partition.adding_replicas),
        ("removing_replicas", &partition.removing_replicas),
    ];
    for (name, list) in lists {
        for (at, &id) in list.iter().enumerate() {
            if snapshot.broker(id).is_none() {
                return Err(format!("{name} names broker {id}, which is not in brokers"));
            }
            if list[..at].contains(&id) {
                return Err(format!("{name} names broker {id} twice"));
            }
        }
    }
    if partition.replicas.is_empty() {
        return Err("replicas is empty: a partition has at least one".into());
    }
    // While a reassignment is pending a replica that is being removed may still lead.
    match partition.leader {
        Some(leader) if !partition.holders().any(|id| id == leader) => Err(format!("leader {leader} is not in replicas")),
        _ => Ok(()),
    }
}

/// A live broker with capacity 0 in a resource that it carries load in.
pub(crate) fn check_capacity(snapshot: &Snapshot) -> Result<(), SnapshotError> {
    // Only brokers that lack something need to be looked at.
    let lacking: BTreeMap<BrokerId, Vec<usize>> = snapshot
        .brokers
        .iter()
        .filter(|broker| broker.state != BrokerState::Dead)
        .map(|broker| (broker.id, (0..4).filter(|&resource| capacity(broker)[resource] == 0).collect::<Vec<usize>>()))
        .filter(|(_, resources)| !resources.is_empty())
        .collect();
    if lacking.is_empty() {
        return Ok(());
    }
    for (topic, partition) in snapshot.partitions() {
        for id in &partition.replicas {
            let load = load(partition, partition.leader == Some(*id));
            let resources = lacking.get(id).map_or(&[][..], Vec::as_slice);
            if let Some(&resource) = resources.iter().find(|&&resource| load[resource] > 0) {
                let name =
                    ["disk_bytes", "network_in_bytes_per_second", "network_out_bytes_per_second", "cpu_millicores"][resource];
                let problem = format!("broker {id} has capacity 0 in {name} and carries load in it");
                return Err(SnapshotError::at(place(topic, partition), problem));
            }
        }
    }
    Ok(())
}

fn capacity(broker: &Broker) -> [u64; 4] {
    let capacity = &broker.capacity;
    [capacity.disk_bytes, capacity.network_in_bytes_per_second, capacity.network_out_bytes_per_second, capacity.cpu_millicores]
}

fn load(partition: &Partition, leads: bool) -> [u64; 4] {
    let load = &partition.load;
    let produce = load.produce_bytes_per_second;
    if !leads {
        return [load.size_bytes, produce, 0, load.follower_cpu_millicores.unwrap_or(0)];
    }
    let copies = (partition.replicas.len() as u64).saturating_sub(1);
    let out = load.consume_bytes_per_second.unwrap_or(0).saturating_add(produce.saturating_mul(copies));
    [load.size_bytes, produce, out, load.leader_cpu_millicores.unwrap_or(0)]
}
