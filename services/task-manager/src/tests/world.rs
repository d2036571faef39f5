//! A Task Manager on a simulated cluster and a log in memory, with stand-ins for the Monitor (publishes what it looks at) and for
//! Flow Control (admits everything). Time is virtual. Must not hold anything that only one test needs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ballast_clock::Clock;
use ballast_cluster::{BrokerId, Load, Reassignment, Snapshot, Timestamp, TopicPartition};
use ballast_event_codec::{Decoder, Meta, new_events};
use ballast_event_log::{Append, Context, EventLog, Follower, MemoryLog};
use ballast_events::{Actor, ChunkSet, Event, PlanEvent, StreamName};
use ballast_planner::{Alternative, Balance, Bounds, Cost, Label, Outcome, PerResource};
use ballast_proto::task::v1 as proto;
use ballast_proto::task::v1::task_manager_service_server::TaskManagerService;
use ballast_sim_cluster::{SimCluster, SimOptions};
use ballast_task::StepOutcome;
use ballast_throttle::AdmissionEvent;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic::{Request, Status};

use super::witness::Witness;
use crate::rpc::TaskManagerRpc;
use crate::{Cluster, Config, Ports, TaskManager, look};

pub(super) const CLUSTER: &str = "c1";
/// Size of each partition; a broker's network copies four in a second.
pub(super) const PARTITION_BYTES: u64 = 10_000_000;

pub(super) struct World {
    pub sim: SimCluster,
    pub kafka: Arc<Witness>,
    pub log: Arc<MemoryLog>,
    pub clock: Clock,
    pub config: Config,
    snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    manager: TaskManager,
    running: JoinHandle<()>,
    requests: std::cell::Cell<u128>,
}

pub(super) fn ids(list: &[i32]) -> Vec<BrokerId> {
    list.iter().copied().map(BrokerId).collect()
}

pub(super) fn partition(index: u32) -> TopicPartition {
    TopicPartition::new("t", index)
}

impl World {
    /// Six brokers in three racks, topic `t` with these lists.
    pub async fn new(lists: &[&[i32]]) -> Self {
        let clock = Clock::starting_at(Timestamp::from_milliseconds(1_000_000_000));
        let options = SimOptions {
            brokers: 6,
            racks: 3,
            topics: 0,
            network_bytes_per_second: 4 * PARTITION_BYTES,
            ..SimOptions::default()
        };
        let sim = SimCluster::new(&options, clock);
        let assignment: Vec<Vec<BrokerId>> = lists.iter().map(|list| ids(list)).collect();
        assert!(sim.create_topic("t", &assignment, &[("min.insync.replicas", "2")]));
        clock.sleep(Duration::from_secs(2)).await;
        for index in 0..lists.len() as u32 {
            assert!(sim.produce(&partition(index), PARTITION_BYTES));
        }
        let kafka = Arc::new(Witness::new(sim.clone()));
        let log = Arc::new(MemoryLog::new(clock));
        let (publish, snapshots) = watch::channel(None);
        tokio::spawn(watch_cluster(sim.clone(), clock, publish));
        tokio::spawn(admit_everything(log.clone(), clock));
        let config = Config::default();
        let (manager, running) = start(&log, clock, &kafka, &snapshots, &config);
        let mut world = Self { sim, kafka, log, clock, config, snapshots, manager, running, requests: std::cell::Cell::new(0) };
        world.seconds(2).await;
        world.snapshots.wait_for(Option::is_some).await.unwrap();
        world
    }

    /// The process dies where it stands, and another one starts on the same log.
    pub async fn crash(&mut self) {
        self.running.abort();
        tokio::task::yield_now().await;
        (self.manager, self.running) = start(&self.log, self.clock, &self.kafka, &self.snapshots, &self.config);
    }

    pub async fn seconds(&self, seconds: u64) {
        self.clock.sleep(Duration::from_secs(seconds)).await;
    }

    pub fn rpc(&self) -> TaskManagerRpc {
        TaskManagerRpc::new(self.manager.parts.clone())
    }

    pub fn request_id(&self) -> String {
        self.requests.set(self.requests.get() + 1);
        uuid::Uuid::from_u128(self.requests.get()).to_string()
    }

    /// Drafts a plan of these moves.
    pub async fn plan(&self, goal: &str, moves: &[(u32, &[i32], &[i32])]) -> String {
        let plan = format!("plan-{}", self.request_id());
        let seen = self.snapshots.borrow().clone().unwrap();
        let topic_id = seen.topic("t").and_then(|topic| topic.id.clone());
        let moves = moves.iter().map(|(index, from, to)| Reassignment {
            at: partition(*index),
            topic_id: topic_id.clone(),
            from: ids(from),
            to: ids(to),
            bytes: PARTITION_BYTES,
            reason: String::new(),
        });
        let alternative = Alternative {
            label: Label::Only,
            why: String::new(),
            cost: Cost::default(),
            balance: Balance { before: PerResource::default(), after: PerResource::default() },
            unmet: Vec::new(),
            moves: moves.collect(),
        };
        let bounds = Bounds { moved_bytes: 0, seconds: None, max_utilization: PerResource::default() };
        let drafted = Event::Plan(PlanEvent::PlanDrafted {
            plan: plan.clone(),
            base_sequence: 0,
            goal: goal.into(),
            brokers: Vec::new(),
            seed: 0,
            band_parts_per_million: 100_000,
            snapshot: ChunkSet { hash: [0; 32], chunks: 0, bytes: 0 },
            input: None,
            outcome: Arc::new(Outcome { bounds, alternatives: vec![alternative] }),
        });
        append(self.log.as_ref(), &StreamName::plan(&plan), &drafted, self.clock.now()).await;
        plan
    }

    pub async fn try_create(&self, plan: &str, alternative: u32, request_id: &str) -> Result<proto::CreateTaskResponse, Status> {
        let (plan, request_id) = (plan.to_owned(), request_id.to_owned());
        let request = proto::CreateTaskRequest { plan, alternative, request_id, reason: "test".into(), validate_only: false };
        self.rpc().create_task(Request::new(request)).await.map(tonic::Response::into_inner)
    }

    /// A task of a plan of these moves, by its id.
    pub async fn create(&self, goal: &str, moves: &[(u32, &[i32], &[i32])]) -> String {
        let plan = self.plan(goal, moves).await;
        self.try_create(&plan, 1, &self.request_id()).await.unwrap().task.unwrap().name
    }

    pub async fn task(&self, id: &str) -> proto::Task {
        let request = Request::new(proto::GetTaskRequest { task: id.into() });
        self.rpc().get_task(request).await.unwrap().into_inner().task.unwrap()
    }

    pub async fn steps(&self, id: &str) -> Vec<proto::Step> {
        let request = proto::ListStepsRequest { task: id.into(), ..proto::ListStepsRequest::default() };
        self.rpc().list_steps(Request::new(request)).await.unwrap().into_inner().steps
    }

    pub async fn cancel(&self, id: &str, mode: proto::CancelMode) {
        let request = proto::CancelTaskRequest {
            task: id.into(),
            mode: mode.into(),
            request_id: self.request_id(),
            reason: String::new(),
            validate_only: false,
        };
        self.rpc().cancel_task(Request::new(request)).await.unwrap();
    }

    pub async fn roll_back(&self, id: &str) -> Result<proto::Task, Status> {
        let request = proto::RollbackTaskRequest {
            task: id.into(),
            request_id: self.request_id(),
            reason: String::new(),
            validate_only: false,
        };
        self.rpc().rollback_task(Request::new(request)).await.map(|answer| answer.into_inner().task.unwrap())
    }

    /// Waits up to half an hour for what is true of the task.
    pub async fn wait_until(&self, id: &str, what: impl Fn(&proto::Task) -> bool) -> proto::Task {
        for _ in 0..18_000 {
            let task = self.task(id).await;
            if what(&task) {
                return task;
            }
            self.clock.sleep(Duration::from_millis(100)).await;
        }
        panic!("never so: {:#?}\n{:#?}\n{:?}", self.task(id).await, self.steps(id).await, self.kafka.asked());
    }

    /// Waits for a state; another end is an error.
    pub async fn wait_for(&self, id: &str, state: proto::TaskState) -> proto::Task {
        let task = self.wait_until(id, |task| task.state == i32::from(state) || task.end_time.is_some()).await;
        assert_eq!(task.state(), state, "{task:#?}");
        task
    }

    /// Lists and leaders as Kafka has them: `4,2,3@4 1,2,3@1`.
    pub async fn lists(&self) -> String {
        self.seconds(2).await;
        let seen = look::look(&self.sim, &["t".to_owned()], &Snapshot::default()).await.unwrap();
        let words = seen.partitions().map(|(_, partition)| {
            let list: Vec<String> = partition.replicas.iter().map(ToString::to_string).collect();
            let leader = partition.leader.map_or("none".into(), |leader| leader.to_string());
            let pending = if partition.is_reassigning() { "?" } else { "" };
            format!("{}@{leader}{pending}", list.join(","))
        });
        words.collect::<Vec<_>>().join(" ")
    }
}

fn start(
    log: &Arc<MemoryLog>,
    clock: Clock,
    kafka: &Arc<Witness>,
    snapshots: &watch::Receiver<Option<Arc<Snapshot>>>,
    config: &Config,
) -> (TaskManager, JoinHandle<()>) {
    let cluster = Cluster { kafka: kafka.clone(), snapshots: snapshots.clone(), approval_required: false };
    let clusters = BTreeMap::from([(CLUSTER.to_owned(), cluster)]);
    let manager = TaskManager::new(config.clone(), Ports { log: log.clone(), clock, epoch: None, clusters });
    let running = tokio::spawn({
        let manager = manager.clone();
        // Kept open as long as the process lives: nobody asks it to stop.
        let (stop, shutdown) = watch::channel(false);
        async move {
            manager.run(shutdown).await.unwrap();
            drop(stop);
        }
    });
    (manager, running)
}

async fn append(log: &dyn EventLog, stream: &StreamName, event: &Event, now: Timestamp) {
    let meta = Meta { cluster: Some(CLUSTER.into()), ..Meta::default() };
    let context = Context { actor: Actor::ballast("test"), ..Context::default() };
    log.append(Append::new(context, None, new_events(stream, event, now, &meta))).await.unwrap();
}

async fn watch_cluster(sim: SimCluster, clock: Clock, publish: watch::Sender<Option<Arc<Snapshot>>>) {
    let topics = ["t".to_owned()];
    loop {
        if let Ok(mut seen) = look::look(&sim, &topics, &Snapshot { cluster: CLUSTER.into(), ..Snapshot::default() }).await {
            for topic in &mut seen.topics {
                topic.min_insync_replicas = 2;
                for partition in &mut topic.partitions {
                    partition.load = Load { size_bytes: PARTITION_BYTES, ..Load::default() };
                }
            }
            publish.send_replace(Some(Arc::new(seen)));
        }
        clock.sleep(Duration::from_millis(500)).await;
    }
}

async fn admit_everything(log: Arc<MemoryLog>, clock: Clock) {
    let stream = StreamName::admission(CLUSTER);
    append(log.as_ref(), &stream, &Event::Admission(AdmissionEvent::Opened), clock.now()).await;
    let mut follower = Follower::new(log.clone(), 1);
    let mut decoder = Decoder::new();
    while let Ok(envelope) = follower.next().await {
        let Ok(Some(Event::Step(event))) = decoder.decode(&envelope) else { continue };
        let step = ballast_cluster::StepKey { task: event.task.clone(), step: event.step, attempt: event.attempt };
        let answer = match event.outcome {
            StepOutcome::Ready { .. } => AdmissionEvent::Admitted { step, expires_at: clock.now().plus_milliseconds(60_000) },
            outcome if outcome.ends_attempt() => AdmissionEvent::Withdrawn { step },
            _ => continue,
        };
        append(log.as_ref(), &stream, &Event::Admission(answer), clock.now()).await;
    }
}
