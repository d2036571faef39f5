//! What is told of a cluster in numbers, and the load that a broker carries. Pure: must not know who asks.

use ballast_cluster::{Broker, BrokerState, Partition, Snapshot};

use crate::view::ClusterView;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Known brokers, dead ones included.
    pub brokers: u32,
    /// Not dead, draining ones included.
    pub brokers_alive: u32,
    pub brokers_draining: u32,
    pub brokers_suspected: u32,
    pub brokers_dead: u32,
    pub topics: u32,
    pub partitions: u32,
    pub replicas: u32,
    /// Partitions that have a leader.
    pub leaders: u32,
    /// Partitions led by the first broker of their list.
    pub preferred_leaders: u32,
    pub under_replicated: u32,
    pub offline: u32,
    pub reassigning: u32,
}

impl Counts {
    pub fn of(view: &ClusterView) -> Self {
        let topology = &view.topology;
        let mut counts = Counts {
            brokers: topology.brokers.len() as u32,
            brokers_suspected: view.suspected.len() as u32,
            topics: topology.topics.len() as u32,
            ..Counts::default()
        };
        for broker in &topology.brokers {
            counts.brokers_alive += u32::from(broker.state != BrokerState::Dead);
            counts.brokers_draining += u32::from(broker.state == BrokerState::Draining);
            counts.brokers_dead += u32::from(broker.state == BrokerState::Dead);
        }
        for (_, partition) in topology.partitions() {
            counts.partitions += 1;
            counts.replicas += partition.holders().count() as u32;
            counts.leaders += u32::from(partition.leader.is_some());
            counts.preferred_leaders +=
                u32::from(partition.leader.is_some() && partition.leader == partition.replicas.first().copied());
            counts.under_replicated += u32::from(is_under_replicated(partition));
            counts.offline += u32::from(partition.leader.is_none());
            counts.reassigning += u32::from(partition.is_reassigning());
        }
        counts
    }

    /// The sum over clusters.
    #[must_use]
    pub fn plus(self, other: Counts) -> Counts {
        Counts {
            brokers: self.brokers + other.brokers,
            brokers_alive: self.brokers_alive + other.brokers_alive,
            brokers_draining: self.brokers_draining + other.brokers_draining,
            brokers_suspected: self.brokers_suspected + other.brokers_suspected,
            brokers_dead: self.brokers_dead + other.brokers_dead,
            topics: self.topics + other.topics,
            partitions: self.partitions + other.partitions,
            replicas: self.replicas + other.replicas,
            leaders: self.leaders + other.leaders,
            preferred_leaders: self.preferred_leaders + other.preferred_leaders,
            under_replicated: self.under_replicated + other.under_replicated,
            offline: self.offline + other.offline,
            reassigning: self.reassigning + other.reassigning,
        }
    }
}

/// Fewer in sync than replicas that are not being added: Kafka's own rule.
pub fn is_under_replicated(partition: &Partition) -> bool {
    partition.in_sync.len() < partition.holders().count() - partition.adding_replicas.len().min(partition.replicas.len())
}

/// What one broker holds and carries, by the rules of the snapshot format.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BrokerFigures {
    pub replicas: u32,
    pub leaders: u32,
    pub out_of_sync: u32,
    pub disk_bytes: u64,
    pub network_in_bytes_per_second: u64,
    /// `None` as soon as the consumption of a partition that it leads is not measured.
    pub network_out_bytes_per_second: Option<u64>,
}

impl BrokerFigures {
    /// Dead brokers carry nothing, but their replicas count.
    pub fn of(broker: &Broker, snapshot: &Snapshot) -> Self {
        let mut figures = BrokerFigures { network_out_bytes_per_second: Some(0), ..Self::default() };
        for (_, partition) in snapshot.partitions() {
            if !partition.holders().any(|holder| holder == broker.id) {
                continue;
            }
            figures.replicas += 1;
            figures.out_of_sync += u32::from(!partition.in_sync.contains(&broker.id));
            if broker.state == BrokerState::Dead {
                continue;
            }
            let load = &partition.load;
            figures.disk_bytes += load.size_bytes;
            figures.network_in_bytes_per_second += load.produce_bytes_per_second;
            if partition.leader == Some(broker.id) {
                figures.leaders += 1;
                let followers = partition.replicas.len().saturating_sub(1) as u64;
                let out = load.consume_bytes_per_second.map(|consume| consume + load.produce_bytes_per_second * followers);
                figures.network_out_bytes_per_second = figures.network_out_bytes_per_second.zip(out).map(|(sum, out)| sum + out);
            }
        }
        figures
    }
}

#[cfg(test)]
mod tests {
    use ballast_cluster::BrokerId;

    use super::*;

    #[test]
    fn replicas_that_are_being_added_do_not_make_a_partition_under_replicated() {
        let check = |replicas: &[i32], adding: &[i32], removing: &[i32], in_sync: &[i32], wanted: bool| {
            let ids = |ids: &[i32]| ids.iter().copied().map(BrokerId).collect::<Vec<_>>();
            let (adding_replicas, removing_replicas) = (ids(adding), ids(removing));
            let (replicas, in_sync) = (ids(replicas), ids(in_sync));
            let partition = Partition { replicas, in_sync, adding_replicas, removing_replicas, ..Partition::default() };
            assert_eq!(is_under_replicated(&partition), wanted, "{partition:?}");
        };
        check(&[1, 2, 3], &[], &[], &[1, 2, 3], false);
        check(&[1, 2, 3], &[], &[], &[1, 2], true);
        check(&[1, 2, 4], &[4], &[3], &[1, 2, 3], false);
        check(&[1, 2, 4], &[4], &[3], &[1, 2], true);
        check(&[1, 2, 3], &[3], &[], &[1, 2], false);
    }
}
