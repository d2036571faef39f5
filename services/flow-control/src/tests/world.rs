//! A simulated cluster, a log in memory, and the test in the parts of Monitor and Task Manager. Must not judge.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ballast_clock::Clock;
use ballast_cluster::{Broker, BrokerId, BrokerState, Capacity, Partition, Snapshot, StepKey, Timestamp, Topic, TopicPartition};
use ballast_event_codec::{Decoder, Meta, append_events, new_events};
use ballast_event_log::{Append, Context, EventLog, MemoryLog};
use ballast_events::{Event, StreamName};
use ballast_kafka::{ConfigAlteration, ConfigOperation, ConfigResource, ConfigSource, KafkaAdmin};
use ballast_sim_cluster::{SimCluster, SimOptions};
use ballast_task::{StepEvent, StepOutcome, TaskEvent};
use ballast_throttle::Law;
use tokio::sync::watch;

use crate::{ClusterPorts, Config, FlowControl, FollowError, build};

pub(super) const CLUSTER: &str = "c1";
pub(super) const TOPIC: &str = "t";
pub(super) const PRODUCE: u64 = 200_000;
pub(super) const RATE: &str = "leader.replication.throttled.rate";
pub(super) const LIST: &str = "leader.replication.throttled.replicas";

pub(super) struct World {
    pub(super) clock: Clock,
    pub(super) log: Arc<dyn EventLog>,
    pub(super) sim: SimCluster,
    pub(super) flow: FlowControl,
    snapshots: watch::Sender<Option<Arc<Snapshot>>>,
    stop: watch::Sender<bool>,
    governing: tokio::task::JoinHandle<Result<(), FollowError>>,
}

pub(super) fn options() -> SimOptions {
    SimOptions { brokers: 5, racks: 5, topics: 0, reaches_dead_brokers_configs: false, ..SimOptions::default() }
}

impl World {
    /// Five brokers; one topic of four partitions of 300 MB on brokers 1, 2 and 3, led by 1.
    pub(super) async fn new(options: &SimOptions) -> Self {
        let clock = Clock::starting_at(Timestamp::from_milliseconds(1_700_000_000_000));
        let sim = SimCluster::new(options, clock);
        assert!(sim.create_topic(TOPIC, &[1; 4].map(|_| [1, 2, 3].map(BrokerId).to_vec()), &[]));
        for partition in 0..4 {
            let at = TopicPartition::new(TOPIC, partition);
            assert!(sim.produce(&at, 300_000_000) && sim.set_produce_rate(&at, PRODUCE));
        }
        let log: Arc<dyn EventLog> = Arc::new(MemoryLog::new(clock));
        let mut world = Self::around(clock, log.clone(), sim, &log);
        clock.sleep(Duration::from_secs(1)).await;
        world.observe().await;
        world.accept("drain").await;
        world
    }

    /// `governed` is the log as the governor sees it.
    fn around(clock: Clock, log: Arc<dyn EventLog>, sim: SimCluster, governed: &Arc<dyn EventLog>) -> Self {
        let (snapshots, _) = watch::channel(None);
        let (stop, _) = watch::channel(false);
        let (flow, governors) = build(governed, None, [(CLUSTER.to_owned(), ports(&sim, clock, &snapshots))].into());
        let governing = tokio::spawn(governors.run(stop.subscribe()));
        Self { clock, log, sim, flow, snapshots, stop, governing }
    }

    /// Ends the governor without a word and starts another that sees the log through `governed`.
    pub(super) fn restart(&mut self, governed: &Arc<dyn EventLog>) {
        self.governing.abort();
        let cluster = ports(&self.sim, self.clock, &self.snapshots);
        let (flow, governors) = build(governed, None, [(CLUSTER.to_owned(), cluster)].into());
        self.governing = tokio::spawn(governors.run(self.stop.subscribe()));
        self.flow = flow;
    }

    /// Ends the governor without a word.
    pub(super) fn stop(&mut self) {
        self.governing.abort();
    }

    pub(super) fn has_ended(&self) -> bool {
        self.governing.is_finished()
    }

    /// What the Monitor would publish now.
    pub(super) async fn observe(&mut self) {
        let Ok(metadata) = self.sim.metadata(None, None).await else { return };
        let ongoing = self.sim.list_partition_reassignments().await.unwrap_or_default();
        let alive: Vec<BrokerId> = metadata.brokers.iter().map(|broker| broker.id).collect();
        let broker = |id: i32| Broker {
            id: BrokerId(id),
            rack: None,
            host: None,
            group: "default".into(),
            state: if alive.contains(&BrokerId(id)) { BrokerState::Alive } else { BrokerState::Dead },
            capacity: Capacity {
                network_in_bytes_per_second: 100_000_000,
                network_out_bytes_per_second: 100_000_000,
                ..Capacity::default()
            },
            log_dirs: Vec::new(),
        };
        let topics = metadata.topics.iter().map(|topic| Topic {
            name: topic.name.clone(),
            id: topic.id.clone(),
            group: "default".into(),
            min_insync_replicas: 1,
            partitions: topic.partitions.iter().map(|seen| partition(&topic.name, seen, &ongoing)).collect(),
        });
        let mut snapshot = Snapshot {
            cluster: CLUSTER.into(),
            sequence: 0,
            taken_at: Some(self.clock.now()),
            brokers: (1..=5).map(broker).collect(),
            topics: topics.collect(),
        };
        snapshot.sort();
        self.snapshots.send_replace(Some(Arc::new(snapshot)));
    }

    /// Lets time pass, observing every second.
    pub(super) async fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.clock.sleep(Duration::from_secs(1)).await;
            self.observe().await;
        }
    }

    pub(super) async fn pass_until(&mut self, what: &str, done: impl AsyncFn(&World) -> bool) {
        for _ in 0..600 {
            if done(self).await {
                return;
            }
            self.clock.sleep(Duration::from_millis(200)).await;
            self.observe().await;
        }
        panic!("not within 120 s: {what}; events: {:#?}", self.events().await);
    }

    async fn append(&self, stream: StreamName, event: Event) {
        let meta = Meta { cluster: Some(CLUSTER.into()), ..Meta::default() };
        let events = new_events(&stream, &event, self.clock.now(), &meta);
        append_events(self.log.as_ref(), Append::new(Context::default(), None, events)).await.unwrap();
    }

    async fn accept(&self, goal: &str) {
        let event = TaskEvent::Accepted {
            task: "task-a".into(),
            cluster: CLUSTER.into(),
            plan: "plan-a".into(),
            alternative: 1,
            goal: goal.into(),
            brokers: Vec::new(),
            approval_required: false,
            rolls_back: None,
            body: Arc::default(),
        };
        self.task(event).await;
    }

    pub(super) async fn task(&self, event: TaskEvent) {
        self.append(StreamName::task("task-a"), Event::Task(event)).await;
    }

    pub(super) async fn step(&self, step: u32, outcome: StepOutcome) {
        let event = StepEvent { task: "task-a".into(), step, attempt: 1, outcome };
        self.append(StreamName::task_steps("task-a", 0), Event::Step(event)).await;
    }

    /// Step `n` moves partition `n` from broker 3 to broker 4.
    pub(super) async fn ready(&self, step: u32) {
        let (present, adding) = ([1, 2, 3].map(BrokerId).to_vec(), vec![BrokerId(4)]);
        self.step(step, StepOutcome::Ready { topic: TOPIC.into(), partition: step, present, adding, bytes: 1 }).await;
    }

    /// Records the intent and asks the cluster.
    pub(super) async fn start(&self, step: u32) {
        let target = [1, 2, 4].map(BrokerId).to_vec();
        let before = [1, 2, 3].map(BrokerId).to_vec();
        let intent =
            StepOutcome::Intended { target: target.clone(), before, leader_before: Some(BrokerId(1)), admission_epoch: 1 };
        self.step(step, intent).await;
        let at = TopicPartition::new(TOPIC, step);
        self.sim.alter_partition_reassignments(&[(at, Some(target))]).await.unwrap();
        self.step(step, StepOutcome::Issued { found: false }).await;
    }

    pub(super) async fn succeed(&self, step: u32) {
        let replicas = [1, 2, 4].map(BrokerId).to_vec();
        self.step(step, StepOutcome::Succeeded { in_sync: replicas.clone(), replicas, leader: Some(BrokerId(1)) }).await;
    }

    pub(super) async fn is_copied(&self, step: u32) -> bool {
        let at = TopicPartition::new(TOPIC, step);
        self.sim.list_partition_reassignments().await.unwrap().iter().all(|ongoing| ongoing.at != at)
    }

    pub(super) async fn events(&self) -> Vec<Event> {
        let mut decoder = Decoder::new();
        let envelopes = self.log.read(1, 100_000).await.unwrap();
        envelopes.iter().filter_map(|envelope| decoder.decode(envelope).unwrap()).collect()
    }

    pub(super) async fn has(&self, wanted: impl Fn(&Event) -> bool) -> bool {
        self.events().await.iter().any(wanted)
    }

    /// Sets a broker's limit as an operator would.
    pub(super) async fn set_by_hand(&self, broker: i32, rate: &str) {
        let alteration = ConfigAlteration {
            resource: ConfigResource::Broker(BrokerId(broker)),
            key: RATE.into(),
            operation: ConfigOperation::Set(rate.into()),
        };
        self.sim.incremental_alter_configs(&[alteration]).await.unwrap();
        self.clock.sleep(Duration::from_millis(500)).await;
    }

    /// Everything of throttles that is set anywhere: limits by broker, the topic's list.
    pub(super) async fn configured(&self) -> (BTreeMap<i32, String>, Vec<String>) {
        let brokers: Vec<ConfigResource> = (1..=5).map(|id| ConfigResource::Broker(BrokerId(id))).collect();
        let mut limits = BTreeMap::new();
        for (resource, entries) in self.sim.describe_configs(&brokers, &[RATE]).await.unwrap() {
            let (ConfigResource::Broker(BrokerId(id)), Ok(entries)) = (resource, entries) else { continue };
            let set = entries.into_iter().filter(|entry| entry.source == ConfigSource::DynamicBroker);
            limits.extend(set.filter_map(|entry| Some((id, entry.value?))));
        }
        let topic = ConfigResource::Topic(TOPIC.into());
        let mut list = Vec::new();
        for (_, entries) in self.sim.describe_configs(&[topic], &[LIST]).await.unwrap() {
            let set = entries.unwrap_or_default().into_iter().filter(|entry| entry.source == ConfigSource::DynamicTopic);
            list.extend(set.flat_map(|entry| entry.value.unwrap_or_default().split(',').map(str::to_owned).collect::<Vec<_>>()));
        }
        list.sort_unstable();
        (limits, list)
    }

    pub(super) async fn is_clean(&self) -> bool {
        self.configured().await == (BTreeMap::new(), Vec::new())
    }
}

fn ports(sim: &SimCluster, clock: Clock, snapshots: &watch::Sender<Option<Arc<Snapshot>>>) -> ClusterPorts {
    let (kafka, snapshots) = (Arc::new(sim.clone()), snapshots.subscribe());
    ClusterPorts { kafka, snapshots, clock, law: Law::default(), config: Config::default() }
}

fn partition(topic: &str, seen: &ballast_kafka::PartitionMetadata, ongoing: &[ballast_kafka::OngoingReassignment]) -> Partition {
    let pending = ongoing.iter().find(|ongoing| ongoing.at == TopicPartition::new(topic, seen.partition));
    let load = ballast_cluster::Load { produce_bytes_per_second: PRODUCE, size_bytes: 300_000_000, ..Default::default() };
    Partition {
        index: seen.partition,
        replicas: pending.map_or(seen.replicas.clone(), ballast_kafka::OngoingReassignment::target),
        leader: seen.leader,
        in_sync: seen.in_sync.clone(),
        adding_replicas: pending.map(|pending| pending.adding.clone()).unwrap_or_default(),
        removing_replicas: pending.map(|pending| pending.removing.clone()).unwrap_or_default(),
        load,
        log_dirs: Vec::new(),
    }
}

pub(super) fn key(step: u32) -> StepKey {
    StepKey { task: "task-a".into(), step, attempt: 1 }
}
