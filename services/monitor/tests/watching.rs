//! The Monitor over a simulated cluster and the memory log, in virtual time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ballast_clock::Clock;
use ballast_cluster::{BrokerId, BrokerState, Capacity, Snapshot, Timestamp, TopicPartition};
use ballast_event_codec::{Decoder, Meta, new_events};
use ballast_event_log::{Append, Context, EventLog, MemoryLog};
use ballast_events::{ClusterEvent, Event, StreamName};
use ballast_kafka::{ConfigAlteration, ConfigOperation, ConfigResource, KafkaAdmin};
use ballast_monitor::{Config, Monitor, MonitoredCluster};
use ballast_proto::monitor::v1 as wire;
use ballast_proto::monitor::v1::monitor_service_server::MonitorService;
use ballast_sim_cluster::{Call, Fault, Mishap, SimCluster, SimOptions};
use ballast_task::{TaskEvent, TaskState};
use tokio::task::JoinHandle;
use tonic::Request;

const CLUSTER: &str = "c1";
const REQUEST: &str = "0d1f6f8e-3f0e-4c57-9d0f-0d9a7f3d6a11";

struct Scene {
    clock: Clock,
    log: Arc<MemoryLog>,
    sim: SimCluster,
    monitor: Arc<Monitor>,
    running: JoinHandle<()>,
}

impl Scene {
    /// A small cluster under watch, once its first snapshot is there.
    async fn begin() -> Self {
        let clock = Clock::starting_at(Timestamp::from_milliseconds(1_800_000_000_000));
        let options = SimOptions { brokers: 6, topics: 3, partitions_per_topic: 4, ..SimOptions::default() };
        let sim = SimCluster::new(&options, clock);
        let log = Arc::new(MemoryLog::new(clock));
        let (monitor, running) = start(&log, &sim, clock).await;
        Self { clock, log, sim, monitor, running }
    }

    /// Ends the Monitor in mid-work and starts another on the same log.
    async fn restart(&mut self) {
        self.running.abort();
        (self.monitor, self.running) = start(&self.log, &self.sim, self.clock).await;
    }

    async fn pass(&self, seconds: u64) {
        self.clock.sleep(Duration::from_secs(seconds)).await;
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        let receiver = self.monitor.snapshots(CLUSTER).expect("the cluster is watched");
        let snapshot = receiver.borrow().clone();
        snapshot.expect("a snapshot was published")
    }

    fn state(&self, broker: i32) -> BrokerState {
        self.snapshot().broker(BrokerId(broker)).expect("the broker is known").state
    }

    /// Kinds of the events of the cluster's stream about brokers and topology, from a sequence on.
    async fn recorded(&self, after: u64) -> Vec<ClusterEvent> {
        let mut decoder = Decoder::new();
        let envelopes = self.log.read_stream(&StreamName::cluster(CLUSTER), 1, usize::MAX).await.expect("the log is readable");
        let decode = |envelope: &Arc<ballast_events::Envelope>| match decoder.decode(envelope).expect("the event is readable") {
            Some(Event::Cluster(event)) if envelope.sequence > after => Some(event),
            _ => None,
        };
        envelopes.iter().filter_map(decode).collect()
    }

    fn head(&self) -> u64 {
        self.log.head().borrow().sequence
    }

    async fn append_task_event(&self, task: &str, event: TaskEvent) {
        let events = new_events(&StreamName::task(task), &Event::Task(event), self.clock.now(), &Meta::default());
        self.log.append(Append::new(Context::default(), None, events)).await.expect("the memory log takes it");
    }

    async fn accept_drain(&self, task: &str, broker: i32) {
        let accepted = TaskEvent::Accepted {
            task: task.into(),
            cluster: CLUSTER.into(),
            plan: "plan-a".into(),
            alternative: 1,
            goal: "drain".into(),
            brokers: vec![BrokerId(broker)],
            approval_required: false,
            rolls_back: None,
            body: Default::default(),
        };
        self.append_task_event(task, accepted).await;
    }
}

async fn start(log: &Arc<MemoryLog>, sim: &SimCluster, clock: Clock) -> (Arc<Monitor>, JoinHandle<()>) {
    let capacity =
        Capacity { network_in_bytes_per_second: 125_000_000, network_out_bytes_per_second: 125_000_000, ..Capacity::default() };
    let admin: Arc<dyn KafkaAdmin> = Arc::new(sim.clone());
    let grace = Duration::from_secs(10);
    let cluster = MonitoredCluster { name: CLUSTER.into(), admin, grace, capacity, brokers: BTreeMap::new() };
    let monitor = Arc::new(Monitor::new(Config::default(), log.clone(), vec![cluster], clock, None));
    let runs = monitor.clone();
    let running = tokio::spawn(async move { runs.run(std::future::pending()).await.expect("the memory log does not fail") });
    let mut snapshots = monitor.snapshots(CLUSTER).expect("the cluster is watched");
    snapshots.wait_for(Option::is_some).await.expect("the monitor lives");
    (monitor, running)
}

fn kinds(events: &[ClusterEvent]) -> Vec<&'static str> {
    let kind = |event: &ClusterEvent| match event {
        ClusterEvent::TopologyObserved { .. } => "observed",
        ClusterEvent::TopologyChanged { .. } => "changed",
        ClusterEvent::BrokerSuspected { .. } => "suspected",
        ClusterEvent::SuspicionCleared { .. } => "cleared",
        ClusterEvent::BrokerLost { .. } => "lost",
        ClusterEvent::BrokerReturned { .. } => "returned",
        ClusterEvent::BrokerDraining { .. } => "draining",
        ClusterEvent::BrokerRestored { .. } => "restored",
        ClusterEvent::BrokerCordoned { .. } => "cordoned",
        ClusterEvent::BrokerUncordoned { .. } => "uncordoned",
    };
    events.iter().map(kind).collect()
}

/// Without what the topology did in between.
fn verdicts(events: &[ClusterEvent]) -> Vec<&'static str> {
    kinds(events).into_iter().filter(|kind| *kind != "changed").collect()
}

#[tokio::test(start_paused = true)]
async fn only_differences_are_recorded() {
    let scene = Scene::begin().await;
    assert_eq!(kinds(&scene.recorded(0).await), ["observed"]);
    let before = scene.head();
    scene.pass(600).await;
    assert_eq!(scene.head(), before, "{:?}", scene.recorded(before).await);
    let lists = vec![vec![BrokerId(1), BrokerId(2)]];
    assert!(scene.sim.create_topic("late", &lists, &[("min.insync.replicas", "2")]));
    scene.pass(5).await;
    assert_eq!(kinds(&scene.recorded(before).await), ["changed"]);
    assert_eq!(scene.snapshot().topic("late").map(|topic| topic.min_insync_replicas), Some(2));
    assert_eq!(scene.snapshot().sequence, scene.head());
}

#[tokio::test(start_paused = true)]
async fn loads_are_measured_and_cpu_is_not() {
    let scene = Scene::begin().await;
    let at = TopicPartition::new("orders", 0);
    assert!(scene.sim.set_produce_rate(&at, 1_000_000));
    scene.pass(120).await;
    let snapshot = scene.snapshot();
    let load = &snapshot.partition(&at).expect("the partition is there").load;
    assert!(load.produce_bytes_per_second.abs_diff(1_000_000) < 100_000, "{load:?}");
    assert!(load.size_bytes > 0 && load.consume_bytes_per_second.is_some(), "{load:?}");
    assert_eq!((load.source.as_deref(), load.leader_cpu_millicores), (Some("offsets+log-dirs"), None));
    assert!(load.age_seconds.is_some_and(|age| age <= 60), "{load:?}");
    for broker in &snapshot.brokers {
        assert!(broker.capacity.disk_bytes > 0 && broker.rack.is_some(), "{broker:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_dies_is_suspected_then_lost_then_returns() {
    let mut scene = Scene::begin().await;
    let before = scene.head();
    scene.sim.kill(BrokerId(3));
    scene.pass(13).await;
    assert_eq!(verdicts(&scene.recorded(before).await), ["suspected"]);
    assert_eq!(scene.state(3), BrokerState::Alive);
    scene.pass(12).await;
    assert_eq!(verdicts(&scene.recorded(before).await), ["suspected", "lost"]);
    assert_eq!(scene.state(3), BrokerState::Dead);
    let snapshot = scene.snapshot();
    assert!(snapshot.partitions().all(|(_, partition)| !partition.in_sync.contains(&BrokerId(3))));
    scene.restart().await;
    let at_restart = scene.head();
    scene.pass(60).await;
    assert_eq!((scene.state(3), scene.head()), (BrokerState::Dead, at_restart), "{:?}", scene.recorded(at_restart).await);
    scene.sim.revive(BrokerId(3));
    scene.pass(20).await;
    assert_eq!(verdicts(&scene.recorded(at_restart).await), ["returned"]);
    assert_eq!(scene.state(3), BrokerState::Alive);
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_returns_within_the_grace_is_not_lost() {
    let scene = Scene::begin().await;
    let before = scene.head();
    scene.sim.kill(BrokerId(3));
    scene.pass(12).await;
    scene.sim.revive(BrokerId(3));
    scene.pass(60).await;
    assert_eq!(verdicts(&scene.recorded(before).await), ["suspected", "cleared"]);
}

#[tokio::test(start_paused = true)]
async fn failed_calls_of_ours_lose_no_broker() {
    let scene = Scene::begin().await;
    let before = scene.head();
    for call in [Call::DescribeCluster, Call::Metadata, Call::ListOffsets, Call::DescribeLogDirs] {
        scene.sim.inject(Fault { call, mishap: Mishap::Unreachable, times: 40 });
    }
    scene.pass(5).await;
    let status = ask(&scene).await;
    assert!(!status.reachable && status.failure_reason.as_deref() == Some("KAFKA_UNREACHABLE"), "{status:?}");
    assert!(status.model_ready, "the last model stays");
    scene.pass(120).await;
    assert_eq!(verdicts(&scene.recorded(before).await), Vec::<&str>::new());
    assert!(ask(&scene).await.reachable);
}

async fn ask(scene: &Scene) -> wire::Cluster {
    let rpc = scene.monitor.rpc();
    let answer = rpc.get_cluster(Request::new(wire::GetClusterRequest::default())).await.expect("there is one cluster");
    answer.into_inner().cluster.expect("the answer has a cluster")
}

#[tokio::test(start_paused = true)]
async fn replicas_moved_off_a_dead_broker_are_told_when_it_returns() {
    let scene = Scene::begin().await;
    scene.sim.kill(BrokerId(3));
    scene.pass(30).await;
    let snapshot = scene.snapshot();
    let (topic, partition) =
        snapshot.partitions().find(|(_, partition)| partition.replicas.contains(&BrokerId(3))).expect("broker 3 holds something");
    let spare =
        snapshot.brokers.iter().find(|broker| !partition.replicas.contains(&broker.id)).expect("6 brokers, 3 replicas").id;
    let target = partition.replicas.iter().map(|broker| if *broker == BrokerId(3) { spare } else { *broker }).collect();
    let at = TopicPartition::new(topic.name.clone(), partition.index);
    let answer = scene.sim.alter_partition_reassignments(&[(at, Some(target))]).await.expect("the controller answers");
    assert!(answer.iter().all(|(_, result)| result.is_ok()), "{answer:?}");
    scene.pass(600).await;
    let before = scene.head();
    scene.sim.revive(BrokerId(3));
    scene.pass(30).await;
    let returned = ClusterEvent::BrokerReturned { broker: BrokerId(3), moved_away: 1 };
    assert!(scene.recorded(before).await.contains(&returned), "{:?}", scene.recorded(before).await);
    let request = wire::GetBrokerRequest { cluster: String::new(), broker: 3 };
    let broker = scene.monitor.rpc().get_broker(Request::new(request)).await.expect("broker 3 is known").into_inner().broker;
    assert_eq!(broker.map(|broker| broker.stray_replicas), Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_drained_broker_stays_draining_until_it_is_restored() {
    let mut scene = Scene::begin().await;
    scene.accept_drain("task-a", 2).await;
    scene.pass(1).await;
    assert_eq!(scene.state(2), BrokerState::Draining);
    scene.restart().await;
    assert_eq!(scene.state(2), BrokerState::Draining);
    let restore = |broker: i32, validate_only: bool| wire::RestoreBrokerRequest {
        cluster: CLUSTER.into(),
        broker,
        request_id: REQUEST.into(),
        validate_only,
        reason: String::new(),
    };
    let rpc = scene.monitor.rpc();
    let refusal = rpc.restore_broker(Request::new(restore(1, true))).await.expect_err("broker 1 is not draining");
    assert_eq!(refusal.code(), tonic::Code::FailedPrecondition);
    let validated = rpc.restore_broker(Request::new(restore(2, true))).await.expect("it may be restored").into_inner();
    assert_eq!((validated.sequence, scene.state(2)), (0, BrokerState::Draining));
    let first = rpc.restore_broker(Request::new(restore(2, false))).await.expect("it is restored").into_inner();
    let again = rpc.restore_broker(Request::new(restore(2, false))).await.expect("the same answer").into_inner();
    assert_eq!((first.sequence, first.replayed, again.replayed), (again.sequence, false, true));
    scene.pass(10).await;
    assert_eq!(scene.state(2), BrokerState::Alive);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_drain_gives_the_broker_back() {
    let scene = Scene::begin().await;
    scene.accept_drain("task-a", 2).await;
    scene.pass(1).await;
    let ended = TaskEvent::Ended { state: TaskState::Cancelled, reason_code: String::new(), detail: String::new() };
    scene.append_task_event("task-a", ended).await;
    scene.pass(1).await;
    assert_eq!(scene.state(2), BrokerState::Alive);
}

#[tokio::test(start_paused = true)]
async fn the_snapshot_file_reads_back_as_the_snapshot() {
    let scene = Scene::begin().await;
    scene.pass(60).await;
    let answer =
        scene.monitor.rpc().get_snapshot(Request::new(wire::GetSnapshotRequest::default())).await.expect("there is a model");
    let pieces: Vec<_> = futures::StreamExt::collect(answer.into_inner()).await;
    let bytes: Vec<u8> = pieces.into_iter().flat_map(|piece| piece.expect("the stream does not fail").chunk).collect();
    let read = ballast_snapshot_file::read(&bytes).expect("what is written can be read");
    let placements = |snapshot: &Snapshot| {
        snapshot.partitions().map(|(topic, partition)| (topic.name.clone(), partition.replicas.clone())).collect::<Vec<_>>()
    };
    assert_eq!((read.sequence, placements(&read)), (scene.snapshot().sequence, placements(&scene.snapshot())));
    assert_eq!(read.brokers, scene.snapshot().brokers);
}

#[tokio::test(start_paused = true)]
async fn partitions_are_listed_in_pages_and_by_filter() {
    let scene = Scene::begin().await;
    let rpc = scene.monitor.rpc();
    let (mut names, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = wire::ListPartitionsRequest { page_size: 5, page_token, ..Default::default() };
        let page = rpc.list_partitions(Request::new(request)).await.expect("a page").into_inner();
        assert!(page.partitions.len() <= 5);
        names.extend(page.partitions.into_iter().map(|partition| partition.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(names.len(), 12);
    scene.sim.kill(BrokerId(1));
    scene.pass(30).await;
    let request = wire::ListPartitionsRequest { under_replicated: true, ..Default::default() };
    let page = rpc.list_partitions(Request::new(request)).await.expect("a page").into_inner();
    assert!(!page.partitions.is_empty() && page.partitions.iter().all(|partition| partition.replicas.contains(&1)));
    for (request, code) in [
        (wire::ListPartitionsRequest { topic: "none".into(), ..Default::default() }, tonic::Code::NotFound),
        (wire::ListPartitionsRequest { broker: Some(99), ..Default::default() }, tonic::Code::NotFound),
        (wire::ListPartitionsRequest { cluster: "c9".into(), ..Default::default() }, tonic::Code::NotFound),
        (wire::ListPartitionsRequest { page_token: "x".into(), ..Default::default() }, tonic::Code::InvalidArgument),
    ] {
        let refusal = rpc.list_partitions(Request::new(request)).await.expect_err("it is refused");
        assert_eq!(refusal.code(), code, "{refusal:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cordon_is_recorded_when_it_is_seen_and_when_it_is_gone() {
    let scene = Scene::begin().await;
    let set = async |operation| {
        let (resource, key) = (ConfigResource::Broker(BrokerId(2)), "cordoned.log.dirs".to_owned());
        let alteration = ConfigAlteration { resource, key, operation };
        scene.sim.incremental_alter_configs(&[alteration]).await.expect("the cluster answers");
        scene.pass(40).await;
    };
    let shown = async || {
        let request = Request::new(wire::GetBrokerRequest { cluster: CLUSTER.into(), broker: 2 });
        scene.monitor.rpc().get_broker(request).await.expect("it is known").into_inner().broker.expect("a broker").cordoned
    };
    let dirs = scene.snapshot().broker(BrokerId(2)).expect("the broker is known").log_dirs.clone();
    set(ConfigOperation::Set(dirs[0].path.clone())).await;
    assert_eq!((verdicts(&scene.recorded(0).await), shown().await), (vec!["observed"], false), "one directory is open");
    set(ConfigOperation::Set(dirs.iter().map(|dir| dir.path.as_str()).collect::<Vec<_>>().join(","))).await;
    assert_eq!((verdicts(&scene.recorded(0).await), shown().await), (vec!["observed", "cordoned"], true));
    assert_eq!(scene.state(2), BrokerState::Alive);
    set(ConfigOperation::Delete).await;
    assert_eq!((verdicts(&scene.recorded(0).await), shown().await), (vec!["observed", "cordoned", "uncordoned"], false));
}
