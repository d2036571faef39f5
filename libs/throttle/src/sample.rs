//! What the law decides on: what users take from each broker, and the copies in flight. Must not know rates or throttles.

use std::collections::BTreeMap;

use ballast_cluster::{BrokerId, Partition, Snapshot, Timestamp, TopicPartition};

use crate::{GoalClass, Law, Rate};

/// What one broker can carry and what users take of it, in bytes per second. Replication between in-sync replicas is user
/// traffic; copies to new replicas are not.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BrokerUse {
    pub capacity_in: u64,
    pub capacity_out: u64,
    pub user_in: u64,
    pub user_out: u64,
}

/// One partition that is or will be copied.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Flow {
    pub at: TopicPartition,
    pub class: GoalClass,
    /// The broker that the data comes from; `None` while the partition has no leader.
    pub leader: Option<BrokerId>,
    /// Every live broker that leads or may come to lead before the copy is complete.
    pub may_lead: Vec<BrokerId>,
    /// Live brokers that get a copy and do not have all of it yet.
    pub targets: Vec<BrokerId>,
    pub produce_bytes_per_second: u64,
    /// Their bytes count against the leader's limit although they are never delayed.
    pub in_sync_followers: u64,
}

impl Flow {
    /// `present` and `adding` as the step names them; who leads and who is in sync as the snapshot shows it.
    pub fn new(at: &TopicPartition, class: GoalClass, present: &[BrokerId], adding: &[BrokerId], seen: &Snapshot) -> Self {
        let partition = seen.partition(at);
        let alive = |brokers: &[BrokerId]| brokers.iter().filter(|broker| seen.is_alive(**broker)).copied().collect::<Vec<_>>();
        let mut may_lead = alive(present);
        may_lead.extend(alive(adding).into_iter().filter(|broker| !present.contains(broker)));
        let is_complete = |broker: &BrokerId| partition.is_some_and(|partition| partition.in_sync.contains(broker));
        let leader = partition.and_then(|partition| partition.leader).filter(|leader| seen.is_alive(*leader));
        Self {
            at: at.clone(),
            class,
            leader,
            may_lead,
            targets: alive(adding).into_iter().filter(|broker| !is_complete(broker)).collect(),
            produce_bytes_per_second: partition.map_or(0, |partition| partition.load.produce_bytes_per_second),
            in_sync_followers: partition.map_or(0, in_sync_followers),
        }
    }

    /// Bytes of in-sync followers, which count against the leader's limit.
    pub fn counted_bytes_per_second(&self) -> u64 {
        self.produce_bytes_per_second.saturating_mul(self.in_sync_followers)
    }
}

/// One look at a cluster and at what is copied in it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sample {
    /// When the loads were measured; `None`: never.
    pub taken_at: Option<Timestamp>,
    pub brokers: BTreeMap<BrokerId, BrokerUse>,
    pub flows: Vec<Flow>,
    /// What an operator set as the most any broker's limit may be.
    pub rate_max: Option<Rate>,
    /// No rate may rise and nothing may start.
    pub frozen: bool,
}

impl Sample {
    /// Age of the loads at `now`; `None` when there are none.
    pub fn age_milliseconds(&self, now: Timestamp) -> Option<i64> {
        self.taken_at.map(|taken_at| now.milliseconds_since(taken_at).max(0))
    }

    /// What users and moves together may use of `broker` in a direction, less what users take: incoming, outgoing. The class that
    /// may use most decides among the copies that touch the broker.
    pub fn headroom(&self, law: &Law, broker: BrokerId, class: GoalClass) -> (u64, u64) {
        let touching = self.flows.iter().filter(|flow| flow.leader == Some(broker) || flow.targets.contains(&broker));
        let percent = law.share_percent(touching.map(|flow| flow.class).chain([class]).max().unwrap_or(class));
        let used = self.brokers.get(&broker).copied().unwrap_or_default();
        let free = |capacity: u64, user: u64| {
            let capacity = if capacity == 0 { law.capacity_bytes_per_second_when_unknown } else { capacity };
            (capacity / 100).saturating_mul(percent).saturating_sub(user)
        };
        (free(used.capacity_in, used.user_in), free(used.capacity_out, used.user_out))
    }
}

/// What users take from every live broker: producing and in-sync replication in, consuming and in-sync replication out.
pub fn measure(seen: &Snapshot, law: &Law) -> BTreeMap<BrokerId, BrokerUse> {
    let mut brokers: BTreeMap<BrokerId, BrokerUse> = BTreeMap::new();
    for broker in seen.brokers.iter().filter(|broker| seen.is_alive(broker.id)) {
        let (capacity_in, capacity_out) =
            (broker.capacity.network_in_bytes_per_second, broker.capacity.network_out_bytes_per_second);
        brokers.insert(broker.id, BrokerUse { capacity_in, capacity_out, user_in: 0, user_out: 0 });
    }
    for (_, partition) in seen.partitions() {
        let produce = partition.load.produce_bytes_per_second;
        let consume =
            partition.load.consume_bytes_per_second.unwrap_or_else(|| produce.saturating_mul(law.fan_out_percent) / 100);
        let copying = |broker: &BrokerId| partition.adding_replicas.contains(broker) && !partition.in_sync.contains(broker);
        for broker in partition.holders().filter(|broker| !copying(broker)) {
            if let Some(used) = brokers.get_mut(&broker) {
                used.user_in = used.user_in.saturating_add(produce);
            }
        }
        if let Some(used) = partition.leader.and_then(|leader| brokers.get_mut(&leader)) {
            let replication = produce.saturating_mul(in_sync_followers(partition));
            used.user_out = used.user_out.saturating_add(consume).saturating_add(replication);
        }
    }
    brokers
}

fn in_sync_followers(partition: &Partition) -> u64 {
    partition.in_sync.iter().filter(|broker| Some(**broker) != partition.leader).count() as u64
}
