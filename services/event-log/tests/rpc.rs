//! The service over a log in memory: reading, watching, explaining, verifying, and the state at a sequence.

use std::sync::Arc;
use std::time::Duration;

use ballast_clock::Clock;
use ballast_cluster::{Broker, BrokerId, BrokerState, Capacity, Partition, Snapshot, Timestamp, Topic};
use ballast_event_codec::{Meta, append_events, new_events};
use ballast_event_log::{Append, Context, EventLog, MemoryLog};
use ballast_event_log_service::Rpc;
use ballast_events::{ClusterEvent, Event, LeaseEvent, StreamName};
use ballast_proto::event::v1 as proto;
use ballast_proto::event::v1::event_log_service_server::EventLogService;
use ballast_task::{TaskBody, TaskEvent};
use ballast_throttle::{AdmissionEvent, Rate, ThrottleEvent};
use tokio_stream::StreamExt;
use tonic::{Code, Request};

struct World {
    log: Arc<MemoryLog>,
    rpc: Rpc,
}

impl World {
    fn new() -> Self {
        let clock = Clock::starting_at(Timestamp::from_milliseconds(1_000));
        let log = Arc::new(MemoryLog::new(clock));
        Self { rpc: ballast_event_log_service::rpc(log.clone(), clock), log }
    }

    /// Appends an event and gives its sequence.
    async fn record(&self, stream: StreamName, event: Event, causation: Option<u64>) -> u64 {
        let meta = Meta { cluster: Some("c1".into()), causation, ..Meta::default() };
        let events = new_events(&stream, &event, Timestamp::from_milliseconds(900), &meta);
        let append = Append::new(Context::default(), None, events);
        append_events(&*self.log, append).await.expect("append").last_sequence
    }

    async fn read(&self, filter: proto::EventFilter) -> Vec<u64> {
        let mut request = proto::ReadEventsRequest { filter: Some(filter), page_size: 2, ..Default::default() };
        let mut sequences = Vec::new();
        loop {
            let page = self.rpc.read_events(Request::new(request.clone())).await.expect("read").into_inner();
            assert!(page.events.len() <= 2);
            sequences.extend(page.events.iter().map(|event| event.sequence));
            if page.next_page_token.is_empty() {
                return sequences;
            }
            request.page_token = page.next_page_token;
        }
    }
}

fn topology() -> Snapshot {
    let broker = |id| Broker {
        id: BrokerId(id),
        rack: None,
        host: None,
        group: "default".into(),
        state: BrokerState::Alive,
        capacity: Capacity::default(),
        log_dirs: Vec::new(),
    };
    let partition = Partition {
        replicas: vec![BrokerId(1), BrokerId(2)],
        leader: Some(BrokerId(1)),
        in_sync: vec![BrokerId(1)],
        ..Partition::default()
    };
    let topic =
        Topic { name: "t".into(), id: None, group: "default".into(), min_insync_replicas: 1, partitions: vec![partition] };
    Snapshot { cluster: "c1".into(), brokers: vec![broker(1), broker(2)], topics: vec![topic], ..Snapshot::default() }
}

/// Topology (a chunk and its closing event), a lost broker, a task with a throttle: sequences 1 to 8.
async fn recorded() -> World {
    let world = World::new();
    let observed = ClusterEvent::TopologyObserved { cluster_id: "abc".into(), topology: Arc::new(topology()) };
    assert_eq!(world.record(StreamName::cluster("c1"), Event::Cluster(observed), None).await, 2);
    let broker = BrokerId(2);
    let lost = ClusterEvent::BrokerLost { broker, witnesses: Vec::new(), since: Timestamp::default(), replicas: 1 };
    world.record(StreamName::cluster("c1"), Event::Cluster(lost), None).await;
    let accepted = TaskEvent::Accepted {
        task: "task-1".into(),
        cluster: "c1".into(),
        plan: "plan-1".into(),
        alternative: 1,
        goal: "evacuate".into(),
        brokers: vec![broker],
        approval_required: false,
        rolls_back: None,
        body: Arc::new(TaskBody::default()),
    };
    assert_eq!(world.record(StreamName::task("task-1"), Event::Task(accepted), Some(3)).await, 5);
    world.record(StreamName::task("task-1"), Event::Task(TaskEvent::Started), Some(5)).await;
    let (from, to) = (Rate { bytes_per_second: 0 }, Rate { bytes_per_second: 1_000 });
    let intended = ThrottleEvent::RateIntended { broker: BrokerId(1), from, to, ramp_seconds: 11, reason: "why".into() };
    world.record(StreamName::throttle("c1"), Event::Throttle(intended), Some(6)).await;
    world.record(StreamName::admission("c1"), Event::Admission(AdmissionEvent::Frozen), None).await;
    world
}

#[tokio::test]
async fn events_are_read_in_pages_by_filter() {
    let world = recorded().await;
    let check = async |filter: proto::EventFilter, expected: &[u64]| {
        assert_eq!(world.read(filter.clone()).await, expected, "{filter:?}");
    };
    let filter = proto::EventFilter::default;
    check(filter(), &[2, 3, 5, 6, 7, 8]).await;
    check(proto::EventFilter { with_chunks: true, ..filter() }, &[1, 2, 3, 4, 5, 6, 7, 8]).await;
    check(proto::EventFilter { task: "task-1".into(), ..filter() }, &[5, 6]).await;
    check(proto::EventFilter { r#type: "cluster.".into(), ..filter() }, &[2, 3]).await;
    check(proto::EventFilter { r#type: "task.started".into(), ..filter() }, &[6]).await;
    check(proto::EventFilter { stream_prefix: "throttle/".into(), ..filter() }, &[7]).await;
    check(proto::EventFilter { cluster: "c2".into(), ..filter() }, &[]).await;
    let since = |milliseconds| Some(ballast_proto::Timestamp::from_milliseconds(milliseconds));
    check(proto::EventFilter { since: since(0), ..filter() }, &[2, 3, 5, 6, 7, 8]).await;
    check(proto::EventFilter { since: since(i64::MAX / 2), ..filter() }, &[]).await;
}

#[tokio::test]
async fn an_event_shows_its_payload_and_its_place_in_the_chain() {
    let world = recorded().await;
    let get = |sequence| world.rpc.get_event(Request::new(proto::GetEventRequest { sequence }));
    let event = get(3).await.expect("there").into_inner().event.expect("an event");
    let payload: serde_json::Value = serde_json::from_str(&event.payload_json).expect("JSON");
    assert_eq!((event.r#type.as_str(), &payload["broker"]), ("cluster.broker-lost", &serde_json::json!(2)));
    let before = get(2).await.expect("there").into_inner().event.expect("an event");
    assert_eq!(event.previous_hash, before.hash);
    for missing in [0, 9] {
        assert_eq!(get(missing).await.expect_err("not there").code(), Code::NotFound);
    }
}

#[tokio::test]
async fn an_explanation_walks_back_to_the_first_cause() {
    let world = recorded().await;
    let request = Request::new(proto::ExplainEventRequest { sequence: 7 });
    let chain = world.rpc.explain_event(request).await.expect("explained").into_inner();
    let types: Vec<_> = chain.events.iter().map(|event| event.r#type.as_str()).collect();
    assert_eq!(types, ["throttle.rate-intended", "task.started", "task.accepted", "cluster.broker-lost"]);
}

#[tokio::test]
async fn the_log_is_verified_to_its_head() {
    let world = recorded().await;
    let verify = || world.rpc.verify_log(Request::new(proto::VerifyLogRequest {}));
    let sound = verify().await.expect("verified").into_inner();
    assert_eq!((sound.ok, sound.verified_sequence, sound.open_chunk_sets, sound.damage), (true, 8, 0, None));
    let mut unknown = new_events(
        &StreamName::audit(),
        &Event::Lease(LeaseEvent::LeaseTaken { executor: "x".into() }),
        Timestamp::default(),
        &Meta::default(),
    );
    unknown[0].event_type = "future.happened".into();
    world.log.append(Append::new(Context::default(), None, unknown)).await.expect("append");
    let answer = verify().await.expect("verified").into_inner();
    let damage = answer.damage.expect("an event that nobody can read is found");
    assert_eq!((answer.ok, damage.sequence, damage.reason_code.as_str()), (false, 9, "EVENT_UNREADABLE"));
}

#[tokio::test]
async fn the_state_at_a_sequence_is_what_the_events_before_made() {
    let world = recorded().await;
    let at = async |sequence| {
        world.rpc.get_state_at(Request::new(proto::GetStateAtRequest { sequence })).await.expect("state").into_inner()
    };
    let early = at(2).await;
    assert_eq!((early.clusters[0].brokers[1].state.as_str(), early.tasks.len()), ("alive", 0));
    let late = at(8).await;
    let cluster = &late.clusters[0];
    assert_eq!((cluster.brokers[1].state.as_str(), cluster.frozen, cluster.partitions), ("dead", true, 1));
    assert_eq!(cluster.under_replicated_partitions, 1);
    assert_eq!((cluster.throttles[0].broker, cluster.throttles[0].rate_bytes_per_second), (1, 1_000));
    assert_eq!((late.tasks[0].name.as_str(), late.tasks[0].state.as_str()), ("task-1", "RUNNING"));
    assert_eq!(at(5).await.tasks[0].state, "QUEUED");
}

#[tokio::test(start_paused = true)]
async fn a_watch_resumes_anywhere_and_sends_bookmarks() {
    let world = recorded().await;
    let filter = Some(proto::EventFilter { r#type: "task.".into(), ..Default::default() });
    let request = Request::new(proto::WatchEventsRequest { filter, from_sequence: 6 });
    let mut watch = world.rpc.watch_events(request).await.expect("watching").into_inner();
    let first = watch.next().await.expect("a message").expect("no error");
    assert_eq!(first.event.map(|event| event.sequence), Some(6));
    let bookmark = watch.next().await.expect("a message").expect("no error");
    assert_eq!((bookmark.sequence, bookmark.event), (8, None), "looked through to the head");
    let started = world.record(StreamName::task("task-2"), Event::Task(TaskEvent::Started), None).await;
    let next = watch.next().await.expect("a message").expect("no error");
    assert_eq!(next.event.map(|event| event.sequence), Some(started));
    world.log.close().await;
    let end = watch.next().await.expect("a message").expect_err("the log is closed");
    assert_eq!(end.code(), Code::Unavailable);
    assert!(tokio::time::timeout(Duration::from_secs(1), watch.next()).await.expect("ended").is_none());
}
