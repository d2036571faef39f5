//! The least bytes by which a tiny cluster can be brought inside the band: every placement tried, hopeless ones cut early.
//! Must not know how plans are made.

use ballast_cluster::{BrokerState, Partition, Snapshot};

/// What one partition may become.
struct Choice {
    brokers: Vec<usize>,
    /// Place in `brokers`.
    leader: usize,
    bytes: u64,
}

struct Item {
    leads: [u64; 4],
    follows: [u64; 4],
    choices: Vec<Choice>,
}

struct Search {
    items: Vec<Item>,
    /// Loads allowed per broker, and loads still to come per item from each on.
    low: Vec<[u64; 4]>,
    high: Vec<[u64; 4]>,
    to_come: Vec<[u64; 4]>,
    best: Option<u64>,
}

/// Of every placement that obeys racks, liveness and capacity and has every broker inside the band, the least bytes copied;
/// `None` when there is no such placement. All brokers are of one group, all replicas online, all loads measured.
pub fn least_bytes(snapshot: &Snapshot, band_millionths: u64) -> Option<u64> {
    let items: Vec<Item> = {
        let mut partitions: Vec<&Partition> = snapshot.partitions().map(|(_, partition)| partition).collect();
        partitions.sort_by_key(|partition| std::cmp::Reverse(partition.load.size_bytes));
        partitions.into_iter().map(|partition| item(snapshot, partition)).collect()
    };
    let mut to_come = vec![[0; 4]; items.len() + 1];
    for at in (0..items.len()).rev() {
        let copies = items[at].choices.first()?.brokers.len() as u64 - 1;
        to_come[at] = [0, 1, 2, 3].map(|r| to_come[at + 1][r] + items[at].leads[r] + copies * items[at].follows[r]);
    }
    let open = |at: usize| matches!(snapshot.brokers[at].state, BrokerState::Alive | BrokerState::New);
    let capacities: Vec<[u64; 4]> = (0..snapshot.brokers.len()).map(|at| capacity(snapshot, at)).collect();
    let present = present(snapshot);
    let (mut low, mut high) = (vec![[0; 4]; capacities.len()], vec![[0; 4]; capacities.len()]);
    for at in (0..capacities.len()).filter(|&at| open(at)) {
        for r in 0..4 {
            let whole: u64 = (0..capacities.len()).filter(|&at| open(at)).map(|at| capacities[at][r]).sum();
            // load / capacity within total / whole x (1 -+ band), as whole numbers that are inside.
            let share = u128::from(to_come[0][r]) * u128::from(capacities[at][r]);
            let scale = u128::from(whole) * 1_000_000;
            low[at][r] = (share * u128::from(1_000_000 - band_millionths)).div_ceil(scale) as u64;
            let edge = (share * u128::from(1_000_000 + band_millionths) / scale) as u64;
            let limit = capacities[at][r] * if r == 3 { 7 } else { 8 } / 10;
            high[at][r] = edge.min(limit.max(present[at][r]));
        }
    }
    let mut search = Search { items, low, high, to_come, best: None };
    search.descend(0, 0, &mut vec![[0; 4]; capacities.len()]);
    search.best
}

fn capacity(snapshot: &Snapshot, at: usize) -> [u64; 4] {
    let capacity = &snapshot.brokers[at].capacity;
    [capacity.disk_bytes, capacity.network_in_bytes_per_second, capacity.network_out_bytes_per_second, capacity.cpu_millicores]
}

/// What a leader and what a follower carries.
fn roles(partition: &Partition) -> ([u64; 4], [u64; 4]) {
    let load = &partition.load;
    let produce = load.produce_bytes_per_second;
    let out = load.consume_bytes_per_second.expect("measured") + produce * (partition.replicas.len() as u64 - 1);
    let cpu = [load.leader_cpu_millicores, load.follower_cpu_millicores].map(|cpu| cpu.expect("measured"));
    ([load.size_bytes, produce, out, cpu[0]], [load.size_bytes, produce, 0, cpu[1]])
}

fn present(snapshot: &Snapshot) -> Vec<[u64; 4]> {
    let mut loads = vec![[0; 4]; snapshot.brokers.len()];
    for (_, partition) in snapshot.partitions() {
        let (leads, follows) = roles(partition);
        for (at, broker) in snapshot.brokers.iter().enumerate().filter(|(_, broker)| partition.replicas.contains(&broker.id)) {
            let role = if partition.leader == Some(broker.id) { leads } else { follows };
            (0..4).for_each(|r| loads[at][r] += role[r]);
        }
    }
    loads
}

fn item(snapshot: &Snapshot, partition: &Partition) -> Item {
    let open: Vec<usize> = (0..snapshot.brokers.len())
        .filter(|&at| matches!(snapshot.brokers[at].state, BrokerState::Alive | BrokerState::New))
        .collect();
    let racks: std::collections::BTreeSet<String> = open.iter().map(|&at| snapshot.rack(snapshot.brokers[at].id)).collect();
    let length = partition.replicas.len();
    let room = length.div_ceil(racks.len().max(1));
    let mut choices = Vec::new();
    for set in 0..1_u32 << open.len() {
        let brokers: Vec<usize> = open.iter().enumerate().filter(|(bit, _)| set >> bit & 1 == 1).map(|(_, &at)| at).collect();
        let of = |rack: &String| brokers.iter().filter(|&&at| snapshot.rack(snapshot.brokers[at].id) == *rack).count();
        if brokers.len() != length || racks.iter().any(|rack| of(rack) > room) {
            continue;
        }
        let added = brokers.iter().filter(|&&at| !partition.replicas.contains(&snapshot.brokers[at].id)).count() as u64;
        for leader in 0..length {
            choices.push(Choice { brokers: brokers.clone(), leader, bytes: added * partition.load.size_bytes });
        }
    }
    choices.sort_by_key(|choice| choice.bytes);
    let (leads, follows) = roles(partition);
    Item { leads, follows, choices }
}

impl Search {
    fn descend(&mut self, at: usize, bytes: u64, loads: &mut Vec<[u64; 4]>) {
        if self.best.is_some_and(|best| bytes >= best) || !self.can_end_inside(at, loads) {
            return;
        }
        if at == self.items.len() {
            self.best = Some(bytes);
            return;
        }
        for n in 0..self.items[at].choices.len() {
            let choice = &self.items[at].choices[n];
            let more = choice.bytes;
            if self.best.is_some_and(|best| bytes + more >= best) {
                // Choices come by bytes.
                break;
            }
            let before: Vec<(usize, [u64; 4])> = choice.brokers.iter().map(|&broker| (broker, loads[broker])).collect();
            let mut fits = true;
            for (place, &broker) in choice.brokers.iter().enumerate() {
                let role = if place == choice.leader { &self.items[at].leads } else { &self.items[at].follows };
                for r in 0..4 {
                    loads[broker][r] += role[r];
                    fits &= loads[broker][r] <= self.high[broker][r];
                }
            }
            if fits {
                self.descend(at + 1, bytes + more, loads);
            }
            before.into_iter().for_each(|(broker, load)| loads[broker] = load);
        }
    }

    /// What is to come must at least fill up to the lower edges.
    fn can_end_inside(&self, at: usize, loads: &[[u64; 4]]) -> bool {
        (0..4).all(|r| {
            let lacking: u64 = loads.iter().zip(&self.low).map(|(load, low)| low[r].saturating_sub(load[r])).sum();
            lacking <= self.to_come[at][r]
        })
    }
}
