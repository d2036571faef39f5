//! Small seeded clusters of every shape: racks, groups, states, odd capacities, partitions in trouble.

use ballast_cluster::{Broker, BrokerId, BrokerState, Capacity, Load, Partition, Snapshot, Topic};
use ballast_planner::{Goal, Limits};

/// Knuth's 64-bit linear congruential generator; the upper bits are good enough for dice.
pub struct Lcg(u64);

impl Lcg {
    pub fn new(seed: u64) -> Self {
        let mut dice = Lcg(seed.wrapping_add(0x9E37_79B9));
        dice.below(2);
        dice
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound.max(1)
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at as u64 + 1) as usize);
        }
    }
}

pub fn cluster(dice: &mut Lcg) -> Snapshot {
    let count = 3 + dice.below(8) as i32;
    let racks = dice.below(5);
    let groups = if dice.below(4) == 0 { 2 } else { 1 };
    let troubled = dice.below(2) == 0;
    let brokers: Vec<Broker> = (1..=count).map(|id| broker(dice, id, racks, groups, troubled)).collect();
    let consumed = dice.below(5) > 0;
    let cpu = dice.below(2) == 0;
    let topics = (0..1 + dice.below(6)).map(|at| topic(dice, at, &brokers, groups, troubled, consumed, cpu)).collect();
    Snapshot { cluster: "c".into(), sequence: 7, taken_at: None, brokers, topics }
}

fn broker(dice: &mut Lcg, id: i32, racks: u64, groups: u64, troubled: bool) -> Broker {
    let state = match dice.below(12) {
        0 if troubled => BrokerState::Dead,
        1 if troubled => BrokerState::Draining,
        2 => BrokerState::New,
        _ => BrokerState::Alive,
    };
    let size = 1 + dice.below(2);
    Broker {
        id: BrokerId(id * 3),
        rack: (racks > 0).then(|| format!("r{}", dice.below(racks))),
        host: None,
        group: format!("g{}", dice.below(groups)),
        state,
        capacity: Capacity {
            cpu_millicores: 4000 * size,
            disk_bytes: if dice.below(30) == 0 { 0 } else { size * (20_000 + dice.below(40_000)) },
            network_in_bytes_per_second: 30_000 * size,
            network_out_bytes_per_second: 60_000 * size,
        },
        log_dirs: Vec::new(),
    }
}

fn topic(dice: &mut Lcg, at: u64, brokers: &[Broker], groups: u64, troubled: bool, consumed: bool, cpu: bool) -> Topic {
    let group = format!("g{}", dice.below(groups));
    let mut able: Vec<&Broker> = brokers.iter().filter(|broker| broker.group == group || dice.below(20) == 0).collect();
    if able.is_empty() {
        able = brokers.iter().collect();
    }
    let replicas = (1 + dice.below(4) as usize).min(able.len());
    let skew = 1 + dice.below(3);
    let partitions = (0..1 + dice.below(14))
        .map(|index| {
            let mut list: Vec<BrokerId> = able.iter().map(|broker| broker.id).collect();
            if dice.below(skew) == 0 {
                dice.shuffle(&mut list);
            }
            list.truncate(replicas);
            partition(dice, index as u32, list, brokers, troubled, consumed, cpu)
        })
        .collect();
    Topic { name: format!("t{at}"), id: Some(format!("id{at}")), group, min_insync_replicas: 1, partitions }
}

fn partition(
    dice: &mut Lcg,
    index: u32,
    replicas: Vec<BrokerId>,
    brokers: &[Broker],
    troubled: bool,
    consumed: bool,
    cpu: bool,
) -> Partition {
    let lives = |id: &BrokerId| brokers.iter().any(|broker| broker.id == *id && broker.state != BrokerState::Dead);
    let trouble = if troubled { dice.below(20) } else { 99 };
    let mut in_sync: Vec<BrokerId> = replicas.iter().copied().filter(lives).collect();
    if trouble == 1 {
        in_sync.truncate(1);
    }
    if trouble == 2 {
        in_sync.clear();
    }
    let leader = in_sync.get(dice.below(in_sync.len() as u64) as usize).copied().filter(|_| trouble != 3);
    let adding_replicas = if trouble == 4 { vec![replicas[0]] } else { Vec::new() };
    let produce = dice.below(400);
    let leader_cpu = dice.below(60);
    Partition {
        index,
        leader,
        in_sync,
        log_dirs: Vec::new(),
        adding_replicas,
        removing_replicas: Vec::new(),
        load: Load {
            size_bytes: dice.below(10) * dice.below(300),
            produce_bytes_per_second: produce,
            consume_bytes_per_second: consumed.then(|| produce * dice.below(4)),
            leader_cpu_millicores: cpu.then_some(leader_cpu),
            follower_cpu_millicores: cpu.then_some(leader_cpu / 3),
            source: None,
            age_seconds: None,
        },
        replicas,
    }
}

pub fn limits(dice: &mut Lcg, snapshot: &Snapshot, goal: &Goal) -> Limits {
    let mut limits = Limits::default();
    match dice.below(6) {
        0 => limits.bytes_max = Some(dice.below(4000)),
        1 => limits.moves_max = Some(dice.below(6)),
        2 => limits.leader_moves_max = Some(dice.below(4)),
        3 => limits.replicas_per_broker_max = 8 + dice.below(8) as u32,
        4 if goal.targets.is_empty() => limits.excluded_topics = vec!["t0".into()],
        5 => {
            let spare = snapshot.brokers.iter().map(|broker| broker.id).find(|id| !goal.brokers.contains(id));
            limits.excluded_brokers = spare.into_iter().collect();
        }
        _ => {}
    }
    limits
}

/// The same cluster, listed in another order.
pub fn shuffled(snapshot: &Snapshot, seed: u64) -> Snapshot {
    let mut dice = Lcg::new(seed + 1);
    let mut snapshot = snapshot.clone();
    dice.shuffle(&mut snapshot.brokers);
    dice.shuffle(&mut snapshot.topics);
    for topic in &mut snapshot.topics {
        dice.shuffle(&mut topic.partitions);
        for partition in &mut topic.partitions {
            dice.shuffle(&mut partition.in_sync);
        }
    }
    snapshot
}
