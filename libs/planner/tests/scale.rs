//! A cluster of 200 brokers and 60,000 replicas plans in seconds. `--release` for figures.

use ballast_cluster::{Broker, BrokerId, BrokerState, Capacity, Load, Partition, Snapshot, Topic};
use ballast_planner::{Goal, GoalKind, Limits, plan};

fn skewed(brokers: i32, partitions: u32) -> Snapshot {
    let mut state = 1u64;
    let mut below = |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    let capacity = Capacity {
        cpu_millicores: 64_000,
        disk_bytes: 4_000_000_000_000,
        network_in_bytes_per_second: 1_250_000_000,
        network_out_bytes_per_second: 1_250_000_000,
    };
    let broker = |id: i32| Broker {
        id: BrokerId(id),
        rack: Some(format!("r{}", id % 10)),
        host: None,
        group: "default".into(),
        state: BrokerState::Alive,
        capacity,
        log_dirs: Vec::new(),
    };
    let brokers: Vec<Broker> = (0..brokers).map(broker).collect();
    let count = brokers.len() as u64;
    let mut topics = Vec::new();
    for at in 0..partitions / 20 {
        let (size, produce) = (1 + below(40).pow(2), 1 + below(30).pow(2));
        let partition = |index: u32, below: &mut dyn FnMut(u64) -> u64| {
            // Low ids are chosen more often, so that placement is uneven.
            let first = below(count).min(below(count)) as i32;
            let step = 1 + below(9) as i32;
            let replicas: Vec<BrokerId> = (0..3).map(|k| BrokerId((first + k * step) % count as i32)).collect();
            let produce_bytes_per_second = produce * (500 + below(1000));
            Partition {
                index,
                leader: Some(replicas[0]),
                in_sync: replicas.clone(),
                replicas,
                load: Load {
                    size_bytes: size * (4_000_000 + below(4_000_000)),
                    produce_bytes_per_second,
                    consume_bytes_per_second: Some(produce_bytes_per_second * (1 + at as u64 % 3)),
                    leader_cpu_millicores: Some(produce / 4),
                    follower_cpu_millicores: Some(produce / 16),
                    ..Load::default()
                },
                ..Partition::default()
            }
        };
        let partitions = (0..20).map(|index| partition(index, &mut below)).collect();
        topics.push(Topic { name: format!("t{at}"), id: None, group: "default".into(), min_insync_replicas: 2, partitions });
    }
    Snapshot { cluster: "c".into(), brokers, topics, ..Snapshot::default() }
}

#[test]
fn a_skewed_cluster_comes_inside_the_band_near_the_bound() {
    // Debug builds get a smaller cluster: the figures that count are the release build's.
    let (brokers, partitions) = if cfg!(debug_assertions) { (30, 1_000) } else { (200, 20_000) };
    let snapshot = skewed(brokers, partitions);
    let outcome = plan(&snapshot, &Goal::new(GoalKind::Rebalance, Vec::new()), &Limits::default(), 0);
    let first = &outcome.alternatives[0];
    for alternative in &outcome.alternatives {
        let cost = &alternative.cost;
        println!(
            "{}: {} bytes ({:.3} of the bound), {} replicas, {} leaders, hard {}, outside {:?}",
            alternative.label.as_str(),
            cost.moved_bytes,
            cost.moved_bytes as f64 / outcome.bounds.moved_bytes.max(1) as f64,
            cost.replica_moves,
            cost.leader_moves,
            alternative.hard_unmet(),
            alternative.balance.after,
        );
    }
    println!("bounds {:?}, estimated {}", outcome.bounds, first.cost.estimated_seconds);
    assert!(outcome.alternatives.len() >= 2);
    assert_eq!(first.hard_unmet(), 0);
    let outside =
        [first.balance.after.disk, first.balance.after.network_in, first.balance.after.network_out, first.balance.after.cpu];
    assert!(outside.iter().filter_map(|balance| balance.outside).sum::<u32>() <= brokers as u32 / 50);
}
