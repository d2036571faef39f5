//! What happens to a cluster after it was seen: traffic shifts, a broker dies. Must not know how the cluster came about.

use ballast_cluster::{BrokerId, BrokerState, Snapshot};

use crate::dice::Dice;

/// One topic in so many shifts.
const SHIFTED: usize = 100;
/// By how much traffic grows or shrinks, as fractions.
const FACTORS: [(u64, u64); 6] = [(1, 3), (1, 2), (2, 3), (3, 2), (2, 1), (3, 1)];

/// The traffic of 1 % of the topics, at least one, grows or shrinks by up to three times: produce, consume and cpu. Sizes stay:
/// retention takes days to follow.
pub fn shift(snapshot: &mut Snapshot, seed: u64) {
    let mut dice = Dice::new(seed);
    let mut order: Vec<usize> = (0..snapshot.topics.len()).collect();
    dice.shuffle(&mut order);
    for at in order.into_iter().take(snapshot.topics.len().div_ceil(SHIFTED)) {
        let (numerator, denominator) = FACTORS[dice.below(FACTORS.len() as u64) as usize];
        let scaled = |rate: u64| (u128::from(rate) * u128::from(numerator) / u128::from(denominator)) as u64;
        for partition in &mut snapshot.topics[at].partitions {
            let load = &mut partition.load;
            load.produce_bytes_per_second = scaled(load.produce_bytes_per_second);
            load.consume_bytes_per_second = load.consume_bytes_per_second.map(scaled);
            load.leader_cpu_millicores = load.leader_cpu_millicores.map(scaled);
            load.follower_cpu_millicores = load.follower_cpu_millicores.map(scaled);
        }
    }
}

/// The broker dies: it stays in the lists, falls out of the in-sync sets, and what it led is led by the first of each list that
/// is in sync, or by nobody. A broker that is not there changes nothing.
pub fn kill(snapshot: &mut Snapshot, broker: BrokerId) {
    let Some(victim) = snapshot.brokers.iter_mut().find(|other| other.id == broker) else { return };
    victim.state = BrokerState::Dead;
    for partition in snapshot.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
        partition.in_sync.retain(|&id| id != broker);
        if partition.leader == Some(broker) {
            partition.leader = partition.replicas.iter().copied().find(|id| partition.in_sync.contains(id));
        }
    }
}
