//! The promises, checked from outside: Kafka's own answers and the log. Must not know the story that led here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ballast_cluster::{BrokerId, TopicPartition};
use ballast_event_codec::Decoder;
use ballast_event_log::EventLog;
use ballast_events::Event;
use ballast_kafka::{ConfigResource, ConfigSource, KafkaAdmin, Metadata};
use ballast_proto::event::v1::VerifyLogRequest;
use ballast_proto::event::v1::event_log_service_client::EventLogServiceClient;
use ballast_task::{RecordedPartition, StepKind, TaskBody, TaskEvent, TaskState};

use crate::world::{BROKERS, REPLICATION_FACTOR, World};

const RATE: &str = "leader.replication.throttled.rate";
const LIST: &str = "leader.replication.throttled.replicas";
/// Throttles of ours may outlive their task so long: a write that was never answered may still arrive.
const CLEAN_WITHIN_SECONDS: u64 = 200;
/// Longer than any write is under way.
const CLEAN_FOR_SECONDS: u64 = 40;

pub(crate) struct Promise {
    pub task: String,
    /// The task that it undoes.
    pub undoes: Option<String>,
    /// Nobody but the task moves leaders.
    pub leaders: bool,
    /// Every copy is limited from its first byte to its last.
    pub throttled: bool,
}

pub(crate) type Lists = BTreeMap<TopicPartition, (Vec<BrokerId>, Option<BrokerId>)>;

async fn metadata(world: &World) -> Metadata {
    world.sim.metadata(None, None).await.expect("without mishaps it answers")
}

/// Every list with its leader, as brokers show them without mishaps.
pub(crate) async fn lists(world: &World) -> Lists {
    let _calm = world.calm();
    let of_topic = |topic: &ballast_kafka::TopicMetadata| {
        let name = topic.name.clone();
        let of = move |seen: &ballast_kafka::PartitionMetadata| {
            (TopicPartition::new(name.clone(), seen.partition), (seen.replicas.clone(), seen.leader))
        };
        topic.partitions.iter().map(of).collect::<Vec<_>>()
    };
    metadata(world).await.topics.iter().flat_map(of_topic).collect()
}

/// Limits by broker, and list entries by topic, that are set anywhere.
async fn throttles(world: &World) -> (BTreeMap<BrokerId, String>, BTreeSet<(String, String)>) {
    let brokers = (1..=BROKERS as i32).map(BrokerId).map(ConfigResource::Broker);
    let topics = metadata(world).await.topics.into_iter().map(|topic| ConfigResource::Topic(topic.name));
    let resources: Vec<ConfigResource> = brokers.chain(topics).collect();
    let (mut limits, mut entries) = (BTreeMap::new(), BTreeSet::new());
    for (resource, answer) in world.sim.describe_configs(&resources, &[RATE, LIST]).await.expect("it answers") {
        for entry in answer.unwrap_or_default() {
            let value = entry.value.clone().unwrap_or_default();
            match (&resource, entry.source) {
                (ConfigResource::Broker(broker), ConfigSource::DynamicBroker) => drop(limits.insert(*broker, value)),
                (ConfigResource::Topic(topic), ConfigSource::DynamicTopic) => {
                    entries.extend(value.split(',').map(|entry| (topic.clone(), entry.to_owned())));
                }
                _ => {}
            }
        }
    }
    (limits, entries)
}

/// While Kafka copies for a reassignment, every replica that may lead is listed and its broker limited.
pub(crate) async fn every_copy_is_throttled(world: &World) {
    let _calm = world.calm();
    let pending = world.sim.list_partition_reassignments().await.expect("it answers");
    if pending.iter().all(|pending| pending.adding.is_empty()) {
        return;
    }
    let (limits, entries) = throttles(world).await;
    let alive: BTreeSet<BrokerId> = metadata(world).await.brokers.iter().map(|broker| broker.id).collect();
    for pending in pending.iter().filter(|pending| !pending.adding.is_empty()) {
        for broker in pending.replicas.iter().filter(|broker| alive.contains(broker)) {
            let entry = (pending.at.topic.clone(), format!("{}:{broker}", pending.at.partition));
            assert!(entries.contains(&entry), "{entry:?} is copied unlisted:\n{}", world.diary.join("\n"));
            // A broker that has just come back gets its limit within a sample.
            assert!(limits.contains_key(broker) || limits.len() >= 2, "{broker} is not limited:\n{}", world.diary.join("\n"));
        }
    }
}

/// Waits for what may take its time, then checks everything.
pub(crate) async fn judge(world: &mut World, before: &Lists, promise: &Promise) {
    let (mut clean_seconds, mut told) = (0, 0);
    for _ in 0..CLEAN_WITHIN_SECONDS {
        world.pass(1_000).await;
        let (limits, entries) = throttles(world).await;
        let is_quiet = limits.is_empty() && entries.is_empty() && world.diary.len() == told;
        clean_seconds = if is_quiet { clean_seconds + 1 } else { 0 };
        told = world.diary.len();
        if clean_seconds == CLEAN_FOR_SECONDS {
            break;
        }
    }
    let diary = world.diary.join("\n");
    let left = throttles(world).await;
    let is_clean = left.0.is_empty() && left.1.is_empty();
    assert!(is_clean, "throttles are left: {left:?}\n{diary}\n{}", throttle_events(world).await);
    let pending = world.sim.list_partition_reassignments().await.expect("it answers");
    assert!(pending.is_empty(), "moves are left: {pending:?}\n{diary}");
    let repetitions = world.repetitions.lock().map(|noted| noted.clone()).unwrap_or_default();
    assert!(repetitions.is_empty(), "asked for twice: {repetitions:?}\n{diary}");
    whole(world, &diary).await;
    as_promised(world, before, promise, &diary).await;
    verified(world, &diary).await;
}

/// Every partition has all its replicas, those on live brokers in sync, and a leader.
async fn whole(world: &World, diary: &str) {
    let seen = metadata(world).await;
    let alive: BTreeSet<BrokerId> = seen.brokers.iter().map(|broker| broker.id).collect();
    for topic in &seen.topics {
        for partition in &topic.partitions {
            let live: BTreeSet<_> = partition.replicas.iter().copied().filter(|broker| alive.contains(broker)).collect();
            let in_sync: BTreeSet<_> = partition.in_sync.iter().copied().collect();
            let is_whole = partition.replicas.len() == REPLICATION_FACTOR && live == in_sync && partition.leader.is_some();
            assert!(is_whole, "{}:{} is not whole: {partition:?}\n{diary}", topic.name, partition.partition);
        }
    }
}

async fn as_promised(world: &World, before: &Lists, promise: &Promise, diary: &str) {
    let tasks = tasks(world).await;
    let (body, end) = &tasks[&promise.task];
    let after = lists(world).await;
    let undone = promise.undoes.as_ref().map(|undone| &tasks[undone].0);
    let touched: BTreeSet<&TopicPartition> = body.partitions.iter().map(|recorded| &recorded.at).collect();
    for (at, (list, _)) in before.iter().filter(|(at, _)| !touched.contains(at)) {
        assert_eq!(&after[at].0, list, "{at} was not to be touched\n{diary}");
    }
    for recorded in &body.partitions {
        let original = undone.and_then(|undone| undone.partitions.iter().find(|known| known.at == recorded.at));
        let found = &after[&recorded.at];
        match end {
            TaskState::Succeeded => {
                let leader = original.map_or(recorded.target.first().copied(), |original| original.leader);
                check(recorded, found, &recorded.target, leader.filter(|_| promise.leaders), diary);
            }
            TaskState::RolledBack => {
                check(recorded, found, &recorded.replicas, recorded.leader.filter(|_| promise.leaders), diary);
            }
            TaskState::Cancelled => check(recorded, found, &recorded.replicas, None, diary),
            TaskState::PartiallyApplied => {
                let steps = body.steps.iter().filter(|step| step.at == recorded.at).filter_map(|step| match &step.kind {
                    StepKind::Move { to, .. } => Some(to),
                    StepKind::Elect { .. } => None,
                });
                let is_known = steps.chain([&recorded.replicas]).any(|list| *list == found.0);
                assert!(is_known, "{} has a list of nobody's: {found:?}\n{diary}", recorded.at);
            }
            other => panic!("{other} was not promised\n{diary}"),
        }
    }
}

#[track_caller]
fn check(
    recorded: &RecordedPartition,
    (list, leader): &(Vec<BrokerId>, Option<BrokerId>),
    wanted: &[BrokerId],
    leads: Option<BrokerId>,
    diary: &str,
) {
    assert_eq!(list, wanted, "{}: list or order\n{diary}", recorded.at);
    if leads.is_some() {
        assert_eq!(*leader, leads, "{}: leader of {list:?}\n{diary}", recorded.at);
    }
}

/// What every task was accepted with, and its end.
async fn tasks(world: &World) -> BTreeMap<String, (Arc<TaskBody>, TaskState)> {
    let (mut decoder, mut tasks) = (Decoder::new(), BTreeMap::new());
    for envelope in world.log.read(1, usize::MAX).await.expect("it reads") {
        match decoder.decode(&envelope).expect("it decodes") {
            Some(Event::Task(TaskEvent::Accepted { task, body, .. })) => {
                tasks.insert(task, (body, TaskState::Running));
            }
            Some(Event::Task(TaskEvent::Ended { state, .. })) => {
                let id = envelope.stream.segments().next().unwrap_or_default();
                tasks.get_mut(id).expect("it was accepted").1 = state;
            }
            _ => {}
        }
    }
    tasks
}

/// The log is dense, chained and readable, by its own service.
async fn verified(world: &mut World, diary: &str) {
    let answer = world.ask(|routes| async move { EventLogServiceClient::new(routes).verify_log(VerifyLogRequest {}).await });
    let answer = answer.await.expect("it answers").into_inner();
    assert!(answer.ok, "the log is damaged: {:?}\n{diary}", answer.damage);
}

/// What was recorded about throttles, to be read when some are left.
pub(crate) async fn throttle_events(world: &World) -> String {
    let (mut decoder, mut text) = (Decoder::new(), String::new());
    for envelope in world.log.read(1, usize::MAX).await.expect("it reads") {
        if let Ok(Some(event @ (Event::Throttle(_) | Event::Lease(_)))) = decoder.decode(&envelope) {
            let at = (envelope.header.occurred_at.milliseconds - 1_700_000_000_000) / 100;
            text += &format!("{} {}.{}: {event:?}\n", envelope.sequence, at / 10, at % 10);
        }
    }
    text
}
