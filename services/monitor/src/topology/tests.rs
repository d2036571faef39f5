//! Topologies from made-up answers of one cluster: broker 1 to 3, one partition on 1 and 2.

use std::sync::Arc;

use ballast_events::ClusterEvent;
use ballast_kafka::{KafkaAdmin, TopicMetadata};
use ballast_sim_cluster::{SimCluster, SimOptions};

use super::*;

struct Answers {
    config: MonitoredCluster,
    registered: ClusterDescription,
    metadata: Metadata,
    before: ClusterView,
    lists_fenced: bool,
}

fn ids(ids: &[i32]) -> Vec<BrokerId> {
    ids.iter().copied().map(BrokerId).collect()
}

fn described(id: i32) -> BrokerDescription {
    BrokerDescription { id: BrokerId(id), host: format!("h{id}"), port: 9092, rack: Some("a".into()), fenced: false }
}

fn metadata(replicas: &[i32]) -> Metadata {
    let (replicas, in_sync) = (ids(replicas), ids(&[1, 2]));
    let partition =
        PartitionMetadata { partition: 0, leader: Some(BrokerId(1)), leader_epoch: 0, replicas, in_sync, offline: Vec::new() };
    let topic = TopicMetadata { name: "t".into(), id: Some("A".into()), is_internal: false, partitions: vec![partition] };
    Metadata { answered_by: None, brokers: Vec::new(), topics: vec![topic] }
}

impl Answers {
    fn new() -> Self {
        // Nothing is asked of it here.
        let admin: Arc<dyn KafkaAdmin> = Arc::new(SimCluster::new(&SimOptions::default(), ballast_clock::Clock::system()));
        let (grace, capacity, brokers) = (std::time::Duration::ZERO, Default::default(), BTreeMap::new());
        let config = MonitoredCluster { name: "c".into(), admin, grace, capacity, brokers };
        let registered =
            ClusterDescription { cluster_id: "k".into(), answered_by: None, brokers: [1, 2, 3].map(described).into() };
        let metadata = metadata(&[1, 2]);
        let mut answers = Self { config, registered, metadata, before: ClusterView::default(), lists_fenced: false };
        let topology = answers.assemble(Some(&[]), &mut BTreeSet::new());
        answers.record(topology);
        answers
    }

    fn assemble(&self, ongoing: Option<&[OngoingReassignment]>, deferred: &mut BTreeSet<TopicPartition>) -> Snapshot {
        let seen = Seen {
            config: &self.config,
            registered: &self.registered,
            metadata: &self.metadata,
            ongoing,
            min_insync_replicas: &BTreeMap::new(),
            measured: &Measurements::default(),
            before: &self.before,
            forget_before: Timestamp::from_milliseconds(0),
            lists_fenced: self.lists_fenced,
        };
        seen.assemble(deferred)
    }

    fn record(&mut self, topology: Snapshot) {
        self.before.apply(ClusterEvent::TopologyObserved { cluster_id: "k".into(), topology: topology.into() });
    }
}

fn partition(snapshot: &Snapshot) -> Partition {
    snapshot.partition(&TopicPartition::new("t", 0)).expect("the topic is there").clone()
}

/// 1 and 2 become 1 and 3.
fn pending() -> OngoingReassignment {
    let at = TopicPartition::new("t", 0);
    OngoingReassignment { at, replicas: ids(&[1, 3, 2]), adding: ids(&[3]), removing: ids(&[2]) }
}

#[test]
fn a_pending_reassignment_shows_its_target() {
    let mut answers = Answers::new();
    answers.metadata = metadata(&[1, 3, 2]);
    let seen = partition(&answers.assemble(Some(&[pending()]), &mut BTreeSet::new()));
    assert_eq!((seen.replicas, seen.adding_replicas, seen.removing_replicas), (ids(&[1, 3]), ids(&[3]), ids(&[2])));
}

#[test]
fn a_silent_controller_does_not_end_a_pending_reassignment() {
    let mut answers = Answers::new();
    answers.metadata = metadata(&[1, 3, 2]);
    let topology = answers.assemble(Some(&[pending()]), &mut BTreeSet::new());
    answers.record(topology.clone());
    assert_eq!(partition(&answers.assemble(None, &mut BTreeSet::new())), partition(&topology));
}

#[test]
fn a_list_that_lags_behind_the_controller_is_looked_at_twice() {
    let mut answers = Answers::new();
    answers.metadata = metadata(&[1, 3, 2]);
    let mut deferred = BTreeSet::new();
    let first = partition(&answers.assemble(Some(&[]), &mut deferred));
    assert_eq!(first.replicas, ids(&[1, 2]), "kept as it was");
    let second = partition(&answers.assemble(Some(&[]), &mut deferred));
    assert_eq!(second.replicas, ids(&[1, 3, 2]), "it is really so");
}

#[test]
fn a_lost_broker_without_replicas_that_kafka_no_longer_lists_has_left() {
    let mut answers = Answers::new();
    answers.registered.brokers.retain(|broker| broker.id != BrokerId(3));
    let knows_3 = |answers: &Answers| answers.assemble(Some(&[]), &mut BTreeSet::new()).broker(BrokerId(3)).is_some();
    answers.lists_fenced = true;
    assert!(knows_3(&answers), "it is not lost yet");
    let since = Timestamp::from_milliseconds(1_000);
    answers.before.apply(ClusterEvent::BrokerLost { broker: BrokerId(3), witnesses: Vec::new(), since, replicas: 0 });
    assert!(!knows_3(&answers));
    answers.lists_fenced = false;
    assert!(knows_3(&answers), "before 4.0 fenced brokers are not listed: it may only be dead");
}
