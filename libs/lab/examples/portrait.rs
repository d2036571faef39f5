//! Prints what the named shapes are like: counts, utilisations, brokers outside a band of 0.10. Must not know the planner.
//!
//! `cargo run --release -p ballast-lab --example portrait [NAME ..]`

use ballast_cluster::{Capacity, Partition, Snapshot};
use ballast_lab::Shape;

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    for (name, _) in Shape::presets().filter(|(name, _)| asked.is_empty() || asked.iter().any(|wanted| wanted == name)) {
        let shape = Shape::preset(name).expect("it was just listed");
        print(name, &ballast_lab::cluster(&shape));
    }
}

fn print(name: &str, snapshot: &Snapshot) {
    let mut loads = vec![[0_u64; 4]; snapshot.brokers.len()];
    let mut replicas = vec![0_u32; loads.len()];
    let at = |id| snapshot.brokers.binary_search_by_key(&id, |broker| broker.id).expect("lists name known brokers");
    for (_, partition) in snapshot.partitions() {
        for &id in &partition.replicas {
            replicas[at(id)] += 1;
            for (sum, more) in loads[at(id)].iter_mut().zip(load(partition, partition.leader == Some(id))) {
                *sum += more;
            }
        }
    }
    let partitions = snapshot.partitions().count();
    let largest = snapshot.topics.iter().map(|topic| topic.partitions.len()).max().unwrap_or(0);
    println!(
        "{name}: {} brokers, {} topics (largest {largest}), {partitions} partitions, {} replicas, on one broker {} to {}",
        snapshot.brokers.len(),
        snapshot.topics.len(),
        replicas.iter().sum::<u32>(),
        replicas.iter().min().unwrap_or(&0),
        replicas.iter().max().unwrap_or(&0),
    );
    let mut outside = vec![false; loads.len()];
    let mut above = 0;
    for (resource, label) in ["disk", "network in", "network out", "cpu"].iter().enumerate() {
        let used: Vec<f64> = snapshot
            .brokers
            .iter()
            .zip(&loads)
            .map(|(b, load)| load[resource] as f64 / of(&b.capacity)[resource] as f64)
            .collect();
        let mut groups: Vec<&str> = snapshot.brokers.iter().map(|broker| broker.group.as_str()).collect();
        groups.dedup();
        for group in groups {
            let of_group = || snapshot.brokers.iter().enumerate().filter(|(_, broker)| broker.group == group);
            let load: u64 = of_group().map(|(at, _)| loads[at][resource]).sum();
            let capacity: u64 = of_group().map(|(_, broker)| of(&broker.capacity)[resource]).sum();
            let mean = load as f64 / capacity as f64;
            let (mut least, mut most) = (f64::MAX, 0.0_f64);
            for (at, _) in of_group() {
                (least, most) = (least.min(used[at]), most.max(used[at]));
                above += u32::from(used[at] > if resource == 3 { 0.7 } else { 0.8 });
                outside[at] |= used[at] < 0.9 * mean || used[at] > 1.1 * mean;
            }
            println!("  {group} {label}: mean {mean:.3}, {least:.3} to {most:.3}");
        }
    }
    println!("  above a capacity limit: {above}");
    println!("  outside: {} of {}", outside.iter().filter(|outside| **outside).count(), outside.len());
}

fn of(capacity: &Capacity) -> [u64; 4] {
    [capacity.disk_bytes, capacity.network_in_bytes_per_second, capacity.network_out_bytes_per_second, capacity.cpu_millicores]
}

fn load(partition: &Partition, leads: bool) -> [u64; 4] {
    let load = &partition.load;
    let produce = load.produce_bytes_per_second;
    if !leads {
        return [load.size_bytes, produce, 0, load.follower_cpu_millicores.unwrap_or(0)];
    }
    let out = load.consume_bytes_per_second.unwrap_or(0) + produce * (partition.replicas.len() as u64 - 1);
    [load.size_bytes, produce, out, load.leader_cpu_millicores.unwrap_or(0)]
}
