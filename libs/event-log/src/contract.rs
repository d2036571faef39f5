//! What every engine must do, as one suite that runs on each. Must not know any engine. Panics name the broken promise.

use std::future::Future;
use std::sync::Arc;

use ballast_cluster::Timestamp;
use ballast_events::{Actor, Envelope, RequestRef, StreamName};

use crate::{Append, Appended, Context, EVENTS_MAX, EventLog, ExpectedVersion, Follower, LogError, NewEvent, RECORD_BYTES_MAX};

/// Runs the whole suite; `make` gives a new, empty log each time.
pub async fn run_all<F, Fut>(make: F)
where
    F: Fn() -> Fut,
    Fut: Future<Output = Arc<dyn EventLog>>,
{
    sequences_and_versions_are_dense(&*make().await).await;
    records_chain_and_carry_what_was_given(&*make().await).await;
    a_failed_expectation_changes_nothing(&*make().await).await;
    an_append_is_all_or_nothing(&*make().await).await;
    a_used_request_id_answers_with_its_place(&*make().await).await;
    the_same_request_at_once_is_one_append(make().await).await;
    an_old_epoch_is_shut_out(&*make().await).await;
    recorded_times_never_go_back(&*make().await).await;
    a_follower_sees_everything_once(make().await).await;
    concurrent_writers_to_one_stream_lose_nothing(make().await).await;
    a_closed_log_takes_nothing(make().await).await;
}

/// An event for tests.
pub fn event(stream: &StreamName, payload: &[u8]) -> NewEvent {
    NewEvent {
        stream: stream.clone(),
        event_type: "test.happened".into(),
        schema_version: 1,
        payload: payload.to_vec(),
        occurred_at: Timestamp::from_milliseconds(1),
        cluster: Some("c1".into()),
        correlation_id: Some("task-1".into()),
        causation: None,
        fencing: None,
        basis: None,
    }
}

fn append(events: Vec<NewEvent>) -> Append {
    Append::new(Context { actor: Actor::ballast("contract"), ..Context::default() }, None, events)
}

fn requested(id: &str, body: u8, events: Vec<NewEvent>) -> Append {
    let mut append = append(events);
    append.context.request = Some(RequestRef { id: id.into(), body_hash: [body; 32] });
    append
}

async fn all(log: &dyn EventLog) -> Vec<Arc<Envelope>> {
    log.read(1, 10_000).await.expect("reading the whole log")
}

async fn sequences_and_versions_are_dense(log: &dyn EventLog) {
    let (a, b) = (StreamName::task("a"), StreamName::task("b"));
    let first = log.append(append(vec![event(&a, b"1"), event(&b, b"2"), event(&a, b"3")])).await.expect("append");
    assert_eq!(first, Appended { first_sequence: 1, last_sequence: 3, replayed: false });
    let second = log.append(append(vec![event(&b, b"4")])).await.expect("append");
    assert_eq!((second.first_sequence, second.last_sequence), (4, 4));
    let places: Vec<_> = all(log).await.iter().map(|event| (event.sequence, event.stream.clone(), event.version)).collect();
    assert_eq!(places, [(1, a.clone(), 1), (2, b.clone(), 1), (3, a.clone(), 2), (4, b.clone(), 2)]);
    assert_eq!(log.stream_version(&a).await, Ok(2));
    assert_eq!(log.stream_version(&StreamName::task("none")).await, Ok(0));
    let of_b: Vec<_> = log.read_stream(&b, 2, 10).await.expect("read").iter().map(|event| event.sequence).collect();
    assert_eq!(of_b, [4], "a stream is read from the version asked for");
    let page: Vec<_> = log.read(2, 2).await.expect("read").iter().map(|event| event.sequence).collect();
    assert_eq!(page, [2, 3], "reads begin where asked and end at the limit");
    assert!(log.read(5, 10).await.expect("read").is_empty(), "nothing beyond the head");
    assert_eq!(log.head().borrow().sequence, 4);
}

async fn records_chain_and_carry_what_was_given(log: &dyn EventLog) {
    let stream = StreamName::cluster("c1");
    let mut given = append(vec![event(&stream, b"x"), event(&stream, b"y")]);
    given.context.reason = "because".into();
    log.append(given).await.expect("append");
    let events = all(log).await;
    assert_eq!(events[0].previous_hash, [0; 32]);
    assert_eq!(events[1].previous_hash, events[0].hash);
    assert_eq!(log.head().borrow().hash, events[1].hash);
    assert_ne!(events[0].header.event_id, events[1].header.event_id);
    let header = &events[1].header;
    assert_eq!((header.event_type.as_str(), header.reason.as_str()), ("test.happened", "because"));
    assert_eq!((header.actor.clone(), header.cluster.as_deref()), (Actor::ballast("contract"), Some("c1")));
    assert_eq!(events[1].payload, b"y");
}

async fn a_failed_expectation_changes_nothing(log: &dyn EventLog) {
    let stream = StreamName::task("a");
    let exactly = |version| append(vec![event(&stream, b"x")]).expecting(stream.clone(), ExpectedVersion::Exactly(version));
    let conflict = log.append(exactly(1)).await;
    assert!(matches!(conflict, Err(LogError::VersionConflict { actual: 0, .. })), "{conflict:?}");
    let missing = append(vec![event(&stream, b"x")]).expecting(stream.clone(), ExpectedVersion::Exists);
    assert!(matches!(log.append(missing).await, Err(LogError::VersionConflict { .. })));
    log.append(exactly(0)).await.expect("the first event of a stream is expected at version 0");
    assert!(matches!(log.append(exactly(0)).await, Err(LogError::VersionConflict { actual: 1, .. })));
    log.append(exactly(1)).await.expect("the version is as expected");
    let other = append(vec![event(&StreamName::audit(), b"z")]).expecting(stream.clone(), ExpectedVersion::Exactly(7));
    assert!(log.append(other).await.is_err(), "an expectation may name a stream that is not written to");
    assert_eq!(all(log).await.len(), 2);
}

async fn an_append_is_all_or_nothing(log: &dyn EventLog) {
    let stream = StreamName::task("a");
    let oversized = vec![0; RECORD_BYTES_MAX];
    let too_large = log.append(append(vec![event(&stream, b"fits"), event(&stream, &oversized)])).await;
    assert!(matches!(too_large, Err(LogError::TooLarge { .. })), "{too_large:?}");
    assert!(matches!(log.append(append(Vec::new())).await, Err(LogError::EventCount { events: 0, .. })));
    let many = vec![event(&stream, b"x"); EVENTS_MAX + 1];
    assert!(matches!(log.append(append(many)).await, Err(LogError::EventCount { .. })));
    assert!(all(log).await.is_empty());
    assert_eq!(log.stream_version(&stream).await, Ok(0));
    log.append(append(vec![event(&stream, b"x"); EVENTS_MAX])).await.expect("as many as may be");
    assert_eq!(all(log).await.len(), EVENTS_MAX);
}

async fn a_used_request_id_answers_with_its_place(log: &dyn EventLog) {
    let stream = StreamName::task("a");
    let one = || requested("r1", 1, vec![event(&stream, b"x"), event(&stream, b"y")]);
    log.append(append(vec![event(&stream, b"w")])).await.expect("append");
    let first = log.append(one()).await.expect("append");
    let unmet = one().expecting(stream.clone(), ExpectedVersion::Exactly(0));
    let again = log.append(unmet).await.expect("a used request id answers whatever is expected");
    assert_eq!(again, Appended { replayed: true, ..first });
    let other_body = log.append(requested("r1", 2, vec![event(&stream, b"x")])).await;
    assert_eq!(other_body, Err(LogError::RequestIdConflict { id: "r1".into() }));
    assert_eq!(log.request("r1").await, Ok(Some((first, [1; 32]))));
    assert_eq!(log.request("r2").await, Ok(None));
    assert_eq!(all(log).await.len(), 3);
    let refused = requested("r2", 1, vec![event(&stream, b"x")]).expecting(stream.clone(), ExpectedVersion::Exactly(0));
    assert!(log.append(refused).await.is_err());
    assert_eq!(log.request("r2").await, Ok(None), "a refused command does not use its request id up");
}

async fn the_same_request_at_once_is_one_append(log: Arc<dyn EventLog>) {
    let stream = StreamName::task("a");
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (log, stream) = (log.clone(), stream.clone());
        calls.spawn(async move { log.append(requested("same", 1, vec![event(&stream, b"x")])).await });
    }
    let answers = calls.join_all().await;
    let fresh = answers.iter().filter(|answer| answer.as_ref().is_ok_and(|place| !place.replayed)).count();
    let replayed = answers.iter().filter(|answer| answer.as_ref().is_ok_and(|place| place.replayed)).count();
    assert_eq!((fresh, replayed), (1, 99));
    assert_eq!(all(&*log).await.len(), 1);
}

async fn an_old_epoch_is_shut_out(log: &dyn EventLog) {
    let (lease, stream) = (StreamName::lease(), StreamName::task("a"));
    let with = |epoch| Append { epoch, ..append(vec![event(&stream, b"x")]) };
    log.append(with(None)).await.expect("without a lease no epoch is needed");
    assert!(matches!(log.append(with(Some(1))).await, Err(LogError::EpochOver { epoch: 1, current: 0 })));
    let first = log.append(append(vec![event(&lease, b"p1")])).await.expect("lease").last_sequence;
    log.append(with(Some(first))).await.expect("the epoch of the last lease");
    assert!(matches!(log.append(with(None)).await, Err(LogError::EpochOver { .. })), "once there is a lease, it is needed");
    let second = log.append(append(vec![event(&lease, b"p2")])).await.expect("lease").last_sequence;
    let old = log.append(with(Some(first))).await;
    assert_eq!(old, Err(LogError::EpochOver { epoch: first, current: second }));
    log.append(with(Some(second))).await.expect("the new epoch");
}

async fn recorded_times_never_go_back(log: &dyn EventLog) {
    let stream = StreamName::task("a");
    for _ in 0..20 {
        log.append(append(vec![event(&stream, b"x")])).await.expect("append");
    }
    let times: Vec<_> = all(log).await.iter().map(|event| event.header.recorded_at).collect();
    assert!(times.is_sorted(), "{times:?}");
}

async fn a_follower_sees_everything_once(log: Arc<dyn EventLog>) {
    let stream = StreamName::task("a");
    log.append(append(vec![event(&stream, b"x"); 200])).await.expect("append");
    let mut follower = Follower::new(log.clone(), 1);
    let follow = tokio::spawn(async move {
        let mut seen = Vec::new();
        while let Ok(envelope) = follower.next().await {
            seen.push(envelope.sequence);
        }
        (seen, follower.next().await)
    });
    for _ in 0..100 {
        log.append(append(vec![event(&stream, b"x"); 3])).await.expect("append");
    }
    log.close().await;
    let (seen, end) = follow.await.expect("the follower ends when the log is closed");
    assert_eq!(seen, (1..=500).collect::<Vec<u64>>());
    assert_eq!(end.err(), Some(LogError::Closed));
}

async fn concurrent_writers_to_one_stream_lose_nothing(log: Arc<dyn EventLog>) {
    let stream = StreamName::task("a");
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..8_u8 {
        let (log, stream) = (log.clone(), stream.clone());
        writers.spawn(async move {
            let mut written = 0;
            while written < 10 {
                let version = log.stream_version(&stream).await.expect("version");
                let next = append(vec![event(&stream, &[writer])]).expecting(stream.clone(), ExpectedVersion::Exactly(version));
                match log.append(next).await {
                    Ok(_) => written += 1,
                    Err(LogError::VersionConflict { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        });
    }
    writers.join_all().await;
    assert_eq!(log.stream_version(&stream).await, Ok(80));
    assert_eq!(all(&*log).await.len(), 80);
}

async fn a_closed_log_takes_nothing(log: Arc<dyn EventLog>) {
    let stream = StreamName::task("a");
    log.append(append(vec![event(&stream, b"x")])).await.expect("append");
    log.close().await;
    assert_eq!(log.append(append(vec![event(&stream, b"x")])).await, Err(LogError::Closed));
    log.close().await;
}
