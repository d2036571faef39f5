//! Where every replica is and what every broker carries, now or after some entries of a plan. Must not judge it.

use crate::cluster::Cluster;

#[derive(Clone)]
pub(crate) struct State {
    pub lists: Vec<Vec<usize>>,
    pub leaders: Vec<Option<usize>>,
    /// Partitions whose whole list is in sync because a copy was completed.
    pub copied: Vec<bool>,
    /// Load by broker: disk, network in, network out, cpu. Dead brokers carry nothing.
    pub load: Vec<[u128; 4]>,
    /// Replicas by broker, dead ones included.
    pub count: Vec<u64>,
}

impl State {
    pub fn present(cluster: &Cluster) -> State {
        let mut state = State {
            lists: cluster.partitions.iter().map(|partition| partition.replicas.clone()).collect(),
            leaders: cluster.partitions.iter().map(|partition| partition.leader).collect(),
            copied: vec![false; cluster.partitions.len()],
            load: vec![[0; 4]; cluster.brokers.len()],
            count: vec![0; cluster.brokers.len()],
        };
        for partition in 0..cluster.partitions.len() {
            state.carry(cluster, partition, true);
        }
        state
    }

    /// Completes one entry: the list as given, led by its first.
    pub fn apply(&mut self, cluster: &Cluster, partition: usize, to: &[usize]) {
        self.copied[partition] |= to.iter().any(|broker| !self.lists[partition].contains(broker));
        self.put(cluster, partition, to, to.first().copied());
    }

    /// As if an entry had never been: list, leader and in-sync set as they are now.
    pub fn take_back(&mut self, cluster: &Cluster, partition: usize) {
        let facts = &cluster.partitions[partition];
        self.copied[partition] = false;
        self.put(cluster, partition, &facts.replicas, facts.leader);
    }

    fn put(&mut self, cluster: &Cluster, partition: usize, list: &[usize], leader: Option<usize>) {
        self.carry(cluster, partition, false);
        self.lists[partition] = list.to_vec();
        self.leaders[partition] = leader;
        self.carry(cluster, partition, true);
    }

    fn carry(&mut self, cluster: &Cluster, partition: usize, adds: bool) {
        let facts = &cluster.partitions[partition];
        for &broker in &self.lists[partition] {
            self.count[broker] = if adds { self.count[broker] + 1 } else { self.count[broker] - 1 };
            if cluster.is_dead(broker) {
                continue;
            }
            let role = if self.leaders[partition] == Some(broker) { &facts.leads } else { &facts.follows };
            for (load, part) in self.load[broker].iter_mut().zip(role) {
                *load = if adds { *load + part } else { *load - part };
            }
        }
    }

    /// Whether a partition has a living replica in sync.
    pub fn is_online(&self, cluster: &Cluster, partition: usize) -> bool {
        self.copied[partition] || !cluster.partitions[partition].in_sync.is_empty()
    }
}
