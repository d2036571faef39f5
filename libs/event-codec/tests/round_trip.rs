//! Events through the codec and through a log: what is read is what was written, large things included, and what cannot be read
//! is named. The families' own small events are tested beside their code.

use std::sync::Arc;

use ballast_clock::Clock;
use ballast_cluster::{
    Broker, BrokerId, BrokerState, Capacity, Change, Load, LogDir, LogDirState, Partition, Reassignment, Snapshot, Timestamp,
    Topic, TopicPartition,
};
use ballast_event_codec::{Decoder, Meta, append_events, append_snapshot, encode, new_events, payload_json, read_snapshot};
use ballast_event_log::{Append, Context, EVENTS_MAX, EventLog, ExpectedVersion, LogError, MemoryLog, open_record, seal_record};
use ballast_events::{
    Actor, AuditEvent, ClusterEvent, Envelope, Event, Header, LeaseEvent, PlanEvent, PlanInput, RequestRef, StreamName,
    TopicPatterns,
};
use ballast_planner::{
    Alternative, Balance, Bounds, CapacityShares, Cost, FailureRoom, Label, Limits, Outcome, PerResource, Resource,
    ResourceBalance, Unmet, UnmetGoal,
};
use prost::Message;

const NOW: Timestamp = Timestamp::from_milliseconds(1_763_722_800_123);

fn brokers(ids: &[i32]) -> Vec<BrokerId> {
    ids.iter().copied().map(BrokerId).collect()
}

fn snapshot(partitions: u32) -> Snapshot {
    let broker = |id: i32, state| Broker {
        id: BrokerId(id),
        rack: (id != 3).then(|| format!("rack-{id}")),
        host: Some(format!("h{id}")),
        group: "default".into(),
        state,
        capacity: Capacity {
            cpu_millicores: 1,
            disk_bytes: 2,
            network_in_bytes_per_second: 3,
            network_out_bytes_per_second: u64::MAX,
        },
        log_dirs: vec![LogDir { path: "/d0".into(), capacity_bytes: 9, state: LogDirState::Offline }],
    };
    let partition = |index: u32| Partition {
        index,
        replicas: brokers(&[1, 2, 3]),
        leader: index.is_multiple_of(2).then_some(BrokerId(1)),
        in_sync: brokers(&[2, 1]),
        log_dirs: vec!["/d0".into(), "/d1".into(), "/d0".into()],
        adding_replicas: brokers(&[3]),
        removing_replicas: brokers(&[4]),
        load: Load {
            size_bytes: u64::from(index).wrapping_mul(0x9e37_79b9_7f4a_7c15),
            produce_bytes_per_second: 5,
            consume_bytes_per_second: Some(0),
            leader_cpu_millicores: None,
            follower_cpu_millicores: Some(7),
            source: Some("offsets+log-dirs".into()),
            age_seconds: Some(u64::from(index)),
        },
    };
    Snapshot {
        cluster: "c1".into(),
        sequence: 17,
        taken_at: Some(NOW),
        brokers: vec![
            broker(1, BrokerState::Alive),
            broker(2, BrokerState::New),
            broker(3, BrokerState::Draining),
            broker(4, BrokerState::Dead),
        ],
        topics: vec![Topic {
            name: "orders".into(),
            id: Some("rmCaX1".into()),
            group: "default".into(),
            min_insync_replicas: 2,
            partitions: (0..partitions).map(partition).collect(),
        }],
    }
}

fn without_loads(mut snapshot: Snapshot) -> Snapshot {
    for topic in &mut snapshot.topics {
        topic.partitions.iter_mut().for_each(|partition| partition.load = Load::default());
    }
    snapshot
}

fn outcome() -> Outcome {
    let labels = [
        Label::Cheapest,
        Label::Knee,
        Label::BestBalance,
        Label::LeadershipOnly,
        Label::ByteCap,
        Label::TightBand,
        Label::SurviveOneFailure,
        Label::Only,
    ];
    let goals = [
        UnmetGoal::Liveness,
        UnmetGoal::Offline,
        UnmetGoal::Rack,
        UnmetGoal::Group,
        UnmetGoal::Capacity,
        UnmetGoal::ReplicaCap,
        UnmetGoal::Band,
        UnmetGoal::Counts,
        UnmetGoal::TopicSpread,
        UnmetGoal::FailureRoom,
        UnmetGoal::NotMeasured,
    ];
    let balance = |ratio| {
        let measured = ResourceBalance { max_over_mean: Some(ratio), min_over_mean: Some(0.1 + 0.2), outside: Some(0) };
        PerResource { disk: measured, network_in: measured, network_out: measured, cpu: ResourceBalance::default() }
    };
    let unmet = |(at, goal): (usize, UnmetGoal)| Unmet {
        goal,
        hard: goal.is_hard(),
        resource: Resource::ALL.get(at).copied(),
        broker: (at > 2).then_some(BrokerId(0)),
        topic: (at > 3).then(|| "orders".to_owned()),
        partition: (at > 4).then_some(0),
        reason: "one sentence".into(),
    };
    let alternative = |label| Alternative {
        label,
        why: "one sentence".into(),
        cost: Cost { moved_bytes: 1, replica_moves: 2, leader_moves: 3, estimated_seconds: 4, peak_broker_in_bytes: 5 },
        balance: Balance { before: balance(1.8), after: balance(1.000_000_1) },
        unmet: goals.into_iter().enumerate().map(unmet).collect(),
        moves: vec![Reassignment {
            at: TopicPartition::new("orders", 3),
            topic_id: None,
            from: brokers(&[1, 2]),
            to: brokers(&[4, 2]),
            bytes: 10,
            reason: "one sentence".into(),
        }],
    };
    Outcome {
        bounds: Bounds {
            moved_bytes: 7,
            seconds: None,
            max_utilization: PerResource { disk: Some(0.61), network_in: Some(0.0), network_out: None, cpu: None },
        },
        alternatives: labels.into_iter().map(alternative).collect(),
    }
}

/// Nothing as it is by default.
fn input(failure_room: FailureRoom) -> PlanInput {
    let at = TopicPartition::new("orders", 3);
    let limits = Limits {
        capacity: CapacityShares { disk_parts_per_million: 1, network_parts_per_million: 2, cpu_parts_per_million: 3 },
        replicas_per_broker_max: 4,
        excluded_topics: vec!["audit".into()],
        excluded_brokers: brokers(&[5, 6]),
        only_topics: vec!["orders".into(), "payments".into()],
        only_partitions: vec![at.clone()],
        only_to_brokers: brokers(&[0, 7]),
        across_groups: true,
        leaders_min: vec![("orders".into(), 8)],
        spread_topics: true,
        keep_spread_topics: true,
        ignore_idle_topics: true,
        failure_room,
        bytes_max: Some(0),
        moves_max: Some(9),
        leader_moves_max: Some(10),
        evaluations_max: Some(u64::MAX),
        threads: Limits::default().threads,
    };
    let patterns = TopicPatterns {
        exclude: vec!["^aud".into()],
        only: vec!["ord".into(), "pay".into()],
        leaders_min: vec![("^orders$".into(), 8)],
    };
    PlanInput { targets: vec![(at, brokers(&[4, 2]))], limits, patterns, data_bytes: 11 }
}

fn plan_drafted(snapshot: ballast_events::ChunkSet, input: Option<PlanInput>) -> Event {
    Event::Plan(PlanEvent::PlanDrafted {
        plan: "plan-1".into(),
        base_sequence: 17,
        goal: "evacuate".into(),
        brokers: brokers(&[3]),
        seed: 42,
        band_parts_per_million: 100_000,
        snapshot,
        input: input.map(Arc::new),
        outcome: Arc::new(outcome()),
    })
}

fn log() -> MemoryLog {
    MemoryLog::new(Clock::starting_at(NOW))
}

/// Writes the event to a log and gives what a decoder makes of everything there.
async fn through_a_log(event: &Event) -> Vec<Event> {
    let (log, stream) = (log(), StreamName::cluster("c1"));
    let events = new_events(&stream, event, NOW, &Meta::default());
    append_events(&log, Append::new(Context::default(), None, events)).await.expect("append");
    let mut decoder = Decoder::new();
    let recorded = log.read(1, 10_000).await.expect("read");
    let decoded = recorded.iter().filter_map(|envelope| decoder.decode(envelope).expect("decodes")).collect();
    assert_eq!(decoder.open_sets(), 0);
    decoded
}

#[tokio::test]
async fn every_event_of_cluster_plan_lease_and_audit_reads_back() {
    let broker = BrokerId(3);
    let seen = snapshot(2);
    let witnesses = vec!["metadata".to_owned(), "controller".to_owned()];
    let quiet = without_loads(seen.clone());
    let changes = vec![
        Change::BrokerSeen(seen.brokers[0].clone()),
        Change::BrokerGone(broker),
        Change::TopicSeen(quiet.topics[0].clone()),
        Change::TopicGone("old".into()),
        Change::PartitionSeen { topic: "orders".into(), partition: quiet.topics[0].partitions[1].clone() },
        Change::MinInsyncReplicasChanged { topic: "orders".into(), min_insync_replicas: 1 },
    ];
    let (snapshot_set, _) = ballast_event_log::split(b"snapshot");
    let events = [
        Event::Cluster(ClusterEvent::TopologyObserved { cluster_id: "abc".into(), topology: Arc::new(quiet) }),
        Event::Cluster(ClusterEvent::TopologyChanged { changes: changes.clone() }),
        Event::Cluster(ClusterEvent::BrokerSuspected { broker, witnesses: witnesses.clone(), since: NOW }),
        Event::Cluster(ClusterEvent::SuspicionCleared { broker }),
        Event::Cluster(ClusterEvent::BrokerLost { broker, witnesses, since: NOW, replicas: 9 }),
        Event::Cluster(ClusterEvent::BrokerReturned { broker, moved_away: 4 }),
        Event::Cluster(ClusterEvent::BrokerDraining { broker, task: "task-1".into() }),
        Event::Cluster(ClusterEvent::BrokerRestored { broker }),
        Event::Cluster(ClusterEvent::BrokerCordoned { broker }),
        Event::Cluster(ClusterEvent::BrokerUncordoned { broker }),
        plan_drafted(snapshot_set, None),
        plan_drafted(snapshot_set, Some(input(FailureRoom::None))),
        plan_drafted(snapshot_set, Some(input(FailureRoom::Broker))),
        plan_drafted(snapshot_set, Some(input(FailureRoom::Rack))),
        Event::Lease(LeaseEvent::LeaseTaken { executor: "p1".into() }),
        Event::Lease(LeaseEvent::LeaseReleased { executor: "p1".into() }),
        Event::Audit(AuditEvent::CommandRejected {
            method: "m".into(),
            request_id: "r".into(),
            subject: "task-1".into(),
            reason_code: "PLAN_STALE".into(),
            message: "why".into(),
        }),
    ];
    for event in events {
        assert_eq!(through_a_log(&event).await, [event]);
    }
    let many = Event::Cluster(ClusterEvent::TopologyChanged { changes: std::iter::repeat_n(changes, 500).flatten().collect() });
    assert!(!encode(&many).chunks.is_empty(), "many changes are chunked");
    assert_eq!(through_a_log(&many).await, [many]);
}

#[tokio::test]
async fn a_snapshot_is_stored_once_and_read_back_with_its_loads() {
    let log = log();
    let whole = snapshot(20_000);
    let set = append_snapshot(&log, &Context::default(), None, &whole, NOW).await.expect("append");
    let length = log.head().borrow().sequence;
    assert_eq!(append_snapshot(&log, &Context::default(), None, &whole, NOW).await, Ok(set));
    assert_eq!(log.head().borrow().sequence, length, "the second time nothing is written");
    assert_eq!(read_snapshot(&log, &set).await, Ok(whole));
}

#[tokio::test]
async fn more_events_than_one_append_takes_keep_their_conditions() {
    let (log, stream) = (log(), StreamName::plan("plan-1"));
    let (_, chunks) = ballast_event_log::split(b"x");
    let many = || -> Vec<_> {
        let chunk = Event::Chunk(chunks[0].clone());
        let chunks = (0..EVENTS_MAX + 10).flat_map(|_| new_events(&stream, &chunk, NOW, &Meta::default()));
        let closing = Event::Lease(LeaseEvent::LeaseTaken { executor: "closing".into() });
        chunks.chain(new_events(&stream, &closing, NOW, &Meta::default())).collect()
    };
    let request = RequestRef { id: "r1".into(), body_hash: [1; 32] };
    let context = Context { request: Some(request), ..Context::default() };
    let append = || Append::new(context.clone(), None, many()).expecting(stream.clone(), ExpectedVersion::Exactly(0));
    // What a crash in the middle leaves behind: chunks that nothing closes.
    log.append(Append::new(Context::default(), None, many()[..3].to_vec())).await.expect("append");
    let appended = append_events(&log, append()).await.expect("open chunks are passed over");
    assert_eq!(appended.first_sequence, appended.last_sequence, "the closing event stands alone");
    let again = append_events(&log, append()).await.expect("the same request");
    assert_eq!((again.first_sequence, again.replayed), (appended.first_sequence, true));
    let other = Append { context: Context::default(), ..append() };
    assert!(matches!(append_events(&log, other).await, Err(LogError::VersionConflict { .. })));
}

fn envelope(event_type: &str, schema_version: u32, payload: Vec<u8>) -> Envelope {
    Envelope {
        sequence: 9,
        stream: StreamName::lease(),
        version: 1,
        header: Header { event_type: event_type.into(), schema_version, recorded_at: NOW, ..Header::default() },
        payload,
        previous_hash: [1; 32],
        hash: [0; 32],
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    let check = |envelope: Envelope, said: &str| {
        let error = Decoder::new().decode(&envelope).expect_err("this cannot be read").to_string();
        assert!(error.contains(said) && error.contains("event 9"), "{error}");
    };
    check(envelope("lease.sold", 1, Vec::new()), "lease.sold");
    check(envelope("lease.taken", 2, Vec::new()), "schema version 2");
    check(envelope("lease.taken", 1, vec![0xff]), "lease.taken");
    let closing =
        encode(&Event::Cluster(ClusterEvent::TopologyObserved { cluster_id: "abc".into(), topology: Arc::new(snapshot(1)) }));
    check(envelope(closing.event_type, 1, closing.payload), "is not in the stream");
}

#[test]
fn payloads_print_as_json_without_the_data_of_chunks() {
    let lost = Event::Cluster(ClusterEvent::BrokerLost { broker: BrokerId(3), witnesses: Vec::new(), since: NOW, replicas: 9 });
    let encoded = encode(&lost);
    let printed = payload_json(&envelope(encoded.event_type, 1, encoded.payload)).expect("prints");
    let expected = serde_json::json!({ "broker": 3, "witnesses": [], "since": "2025-11-21T11:00:00.123Z", "replicas": 9 });
    assert_eq!(printed, expected);
    let chunk = encode(&Event::Chunk(ballast_event_log::split(b"large").1.remove(0)));
    let printed = payload_json(&envelope(chunk.event_type, 1, chunk.payload)).expect("prints");
    assert!(printed["data"]["bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{printed}");
}

/// Bytes that were once written stay readable and are written alike: a change here breaks every log there is.
#[test]
fn golden_bytes_stay_as_they_are() {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let check = |event: Event, event_type: &str, golden: &str| {
        let encoded = encode(&event);
        assert_eq!((encoded.event_type, encoded.schema_version), (event_type, 1));
        assert_eq!(hex(&encoded.payload), golden, "{event_type}");
    };
    check(Event::Lease(LeaseEvent::LeaseTaken { executor: "p1".into() }), "lease.taken", "0a027031");
    let draining = ClusterEvent::BrokerDraining { broker: BrokerId(3), task: "task-1".into() };
    check(Event::Cluster(draining), "cluster.broker-draining", "080312067461736b2d31");
    let lost = ClusterEvent::BrokerLost { broker: BrokerId(3), witnesses: vec!["w".into()], since: NOW, replicas: 9 };
    check(Event::Cluster(lost), "cluster.broker-lost", "08031201771a0b08b08c81c90610c0a9d33a2009");
    // As it was written before plans recorded what they were made from.
    let (snapshot_set, _) = ballast_event_log::split(b"snapshot");
    check(plan_drafted(snapshot_set, None), "plan.drafted", GOLDEN_PLAN_DRAFTED);
    let (record, hash) = seal_record(&envelope("lease.taken", 1, vec![0x0a, 0x02, 0x70, 0x31]));
    assert_eq!(hex(&hash), GOLDEN_RECORD_HASH, "{}", hex(&record));
}

const GOLDEN_RECORD_HASH: &str = "e170a918259a4144473a300d1a5fc1049ca1c59be4fd5a4b2731dee01ebfdaed";

const GOLDEN_PLAN_DRAFTED: &str = concat!(
    "0a06706c616e2d3110111a086576616375617465220103282a30a08d063a460a4031366130656562303739316236633932343531666432",
    "3834646439663539396530613764626537663665626561366532643264303663376637346165633131321001180842470a403335643134",
    "31393666613163663132353563393136623537373935626537656237353165356531386233353834386635616333306561616565666133",
    "643336341001188e20",
);

#[test]
fn a_stored_record_is_the_message_that_the_proto_file_describes() {
    let mut written = envelope("lease.taken", 1, vec![1, 2, 3]);
    written.header.actor = Actor::ballast("test");
    written.header.causation = Some(0);
    let (record, _) = seal_record(&written);
    let wire = ballast_proto::event::v1::Envelope::decode(record.as_slice()).expect("the published message reads a record");
    assert_eq!((wire.sequence, wire.stream.as_str(), wire.version), (9, "lease/active", 1));
    assert_eq!((wire.payload.as_slice(), wire.causation_sequence), (&[1, 2, 3][..], Some(0)));
    assert_eq!(wire.actor.as_ref().map(|actor| actor.source.as_str()), Some("test"));
    assert!(wire.crc32c.is_some());
    assert_eq!(wire.encode_to_vec(), record, "no field is missing on either side");
    assert!(open_record(9, &record).is_ok());
}
