//! One fresh look at a cluster, as far as its open tasks touch it. Must not know tasks beyond the topics they touch, nor keep
//! anything between looks.

use std::collections::{BTreeMap, BTreeSet};

use ballast_cluster::{Broker, BrokerId, BrokerState, Capacity, Partition, Snapshot, Topic, TopicPartition};
use ballast_kafka::{ClusterDescription, KafkaAdmin, KafkaError, Metadata, OngoingReassignment, TopicMetadata};

/// Brokers that answer now, the named topics, and what is pending on them. Loads, capacities and minimum in-sync counts are
/// those of the Monitor's last snapshot.
///
/// What is pending is asked first: a move that completes between the two answers still looks pending, which is corrected at the
/// next look; the other way round it would look undone.
pub(crate) async fn look(kafka: &dyn KafkaAdmin, topics: &[String], known: &Snapshot) -> Result<Snapshot, KafkaError> {
    let ongoing = kafka.list_partition_reassignments().await?;
    let description = kafka.describe_cluster(None).await?;
    let mut metadata = kafka.metadata(None, Some(topics)).await?;
    if topics.iter().any(|topic| is_missing(&metadata, topic)) {
        add_from_another_broker(kafka, &mut metadata, topics).await?;
    }
    Ok(assemble(known, &description, &metadata, &ongoing))
}

fn is_missing(metadata: &Metadata, topic: &str) -> bool {
    metadata.topic(topic).is_none_or(|topic| topic.partitions.is_empty())
}

/// A broker that has just started may not know a topic yet: it is missing only where another broker misses it too.
async fn add_from_another_broker(kafka: &dyn KafkaAdmin, metadata: &mut Metadata, topics: &[String]) -> Result<(), KafkaError> {
    let Some(other) = metadata.brokers.iter().map(|broker| broker.id).find(|id| Some(*id) != metadata.answered_by) else {
        return Ok(());
    };
    let second = kafka.metadata(Some(other), Some(topics)).await?;
    for topic in second.topics {
        if is_missing(metadata, &topic.name) && !topic.partitions.is_empty() {
            metadata.topics.retain(|known| known.name != topic.name);
            metadata.topics.push(topic);
        }
    }
    Ok(())
}

fn assemble(
    known: &Snapshot,
    description: &ClusterDescription,
    metadata: &Metadata,
    ongoing: &[OngoingReassignment],
) -> Snapshot {
    let pending: BTreeMap<&TopicPartition, &OngoingReassignment> = ongoing.iter().map(|ongoing| (&ongoing.at, ongoing)).collect();
    let topics = metadata.topics.iter().filter(|topic| !topic.partitions.is_empty());
    let mut snapshot = Snapshot {
        cluster: known.cluster.clone(),
        sequence: known.sequence,
        taken_at: known.taken_at,
        brokers: brokers(known, description),
        topics: topics.map(|topic| assemble_topic(known, topic, &pending)).collect(),
    };
    snapshot.sort();
    snapshot
}

/// Every broker that the Monitor or Kafka knows; alive are those that Kafka lists unfenced.
fn brokers(known: &Snapshot, description: &ClusterDescription) -> Vec<Broker> {
    let serves = |id: BrokerId| description.brokers.iter().any(|broker| broker.id == id && !broker.fenced);
    let state = |broker: &Broker| match (serves(broker.id), broker.state) {
        (false, _) => BrokerState::Dead,
        (true, BrokerState::Dead) => BrokerState::Alive,
        (true, state) => state,
    };
    let mut brokers: Vec<Broker> = known.brokers.iter().map(|broker| Broker { state: state(broker), ..broker.clone() }).collect();
    for broker in description.brokers.iter().filter(|broker| known.broker(broker.id).is_none()) {
        brokers.push(Broker {
            id: broker.id,
            rack: broker.rack.clone(),
            host: Some(broker.host.clone()),
            group: "default".into(),
            state: if broker.fenced { BrokerState::Dead } else { BrokerState::Alive },
            capacity: Capacity::default(),
            log_dirs: Vec::new(),
        });
    }
    brokers
}

fn assemble_topic(known: &Snapshot, topic: &TopicMetadata, pending: &BTreeMap<&TopicPartition, &OngoingReassignment>) -> Topic {
    let before = known.topic(&topic.name);
    let partitions = topic.partitions.iter().map(|seen| {
        let ongoing = pending.get(&TopicPartition::new(topic.name.clone(), seen.partition));
        Partition {
            index: seen.partition,
            replicas: ongoing.map_or_else(|| seen.replicas.clone(), |ongoing| ongoing.target()),
            leader: seen.leader,
            in_sync: seen.in_sync.clone(),
            log_dirs: Vec::new(),
            adding_replicas: ongoing.map(|ongoing| ongoing.adding.clone()).unwrap_or_default(),
            removing_replicas: ongoing.map(|ongoing| ongoing.removing.clone()).unwrap_or_default(),
            load: before
                .and_then(|topic| topic.partition(seen.partition))
                .map(|partition| partition.load.clone())
                .unwrap_or_default(),
        }
    });
    Topic {
        name: topic.name.clone(),
        id: topic.id.clone(),
        group: before.map_or_else(|| "default".into(), |topic| topic.group.clone()),
        min_insync_replicas: before.map_or(1, |topic| topic.min_insync_replicas),
        partitions: partitions.collect(),
    }
}

/// Room left on each broker's disks by the Monitor's measure; brokers without a known capacity are left out.
pub(crate) fn free_bytes(known: &Snapshot) -> BTreeMap<BrokerId, u64> {
    let mut used: BTreeMap<BrokerId, u64> = BTreeMap::new();
    for (_, partition) in known.partitions() {
        for broker in partition.holders() {
            let used = used.entry(broker).or_default();
            *used = used.saturating_add(partition.load.size_bytes);
        }
    }
    let measured = known.brokers.iter().filter(|broker| broker.capacity.disk_bytes > 0);
    let free = |broker: &Broker| broker.capacity.disk_bytes.saturating_sub(used.get(&broker.id).copied().unwrap_or(0));
    measured.map(|broker| (broker.id, free(broker))).collect()
}

/// Which of these live brokers have which partitions on their disks; `None` when one of them could not be asked.
pub(crate) async fn copies(kafka: &dyn KafkaAdmin, brokers: &BTreeSet<BrokerId>) -> Option<BTreeSet<(TopicPartition, BrokerId)>> {
    let mut copies = BTreeSet::new();
    for &broker in brokers {
        let log_dirs = kafka.describe_log_dirs(broker).await.ok()?;
        copies.extend(log_dirs.into_iter().flat_map(|dir| dir.replicas).map(|replica| (replica.at, broker)));
    }
    Some(copies)
}
