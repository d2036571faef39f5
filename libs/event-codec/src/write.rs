//! From an event to what is appended: its payload, its chunks before it, and appends of any size. Must not know families
//! beyond handing each its event, nor engines.

use ballast_cluster::Timestamp;
use ballast_event_log::{Append, Appended, EVENTS_MAX, EventLog, ExpectedVersion, LogError, NewEvent};
use ballast_events::{Basis, Chunk, Event, Fencing, StreamName};
use prost::Message;

use crate::large::{self, Large};
use crate::{audit, catalog, cluster, plan, task, throttle};

/// An event as it is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Encoded {
    pub event_type: &'static str,
    pub schema_version: u32,
    pub payload: Vec<u8>,
    /// To be recorded before the event, in the same stream.
    pub chunks: Vec<Chunk>,
}

impl Encoded {
    /// An event that fits into its payload.
    pub(crate) fn of(event_type: &'static str, message: &impl Message) -> Self {
        let schema_version = catalog::find(event_type).map_or(1, |known| known.schema_version);
        Self { event_type, schema_version, payload: message.encode_to_vec(), chunks: Vec::new() }
    }

    /// An event whose large member goes before it; `message` names its set.
    pub(crate) fn closing(event_type: &'static str, large: Large, message: &impl Message) -> Self {
        Self { chunks: large.chunks, ..Self::of(event_type, message) }
    }
}

pub fn encode(event: &Event) -> Encoded {
    match event {
        Event::Cluster(event) => cluster::encode(event),
        Event::Plan(event) => plan::encode(event),
        Event::Task(event) => task::encode_task(event),
        Event::Step(event) => task::encode_step(event),
        Event::Throttle(event) => throttle::encode_throttle(event),
        Event::Admission(event) => throttle::encode_admission(event),
        Event::Lease(event) => audit::encode_lease(event),
        Event::Audit(event) => audit::encode_audit(event),
        Event::Chunk(chunk) => Encoded::of(large::CHUNK, &large::chunk_to_proto(chunk)),
    }
}

/// What an event carries beside its payload, as far as the event's writer knows it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Meta {
    pub cluster: Option<String>,
    /// The task or plan that the event belongs to.
    pub correlation_id: Option<String>,
    /// Sequence of the event that led to this one.
    pub causation: Option<u64>,
    pub fencing: Option<Fencing>,
    pub basis: Option<Basis>,
}

/// The event, ready to append: its chunks, if any, then itself.
pub fn new_events(stream: &StreamName, event: &Event, occurred_at: Timestamp, meta: &Meta) -> Vec<NewEvent> {
    let encoded = encode(event);
    let stored = |encoded: Encoded| NewEvent {
        stream: stream.clone(),
        event_type: encoded.event_type.into(),
        schema_version: encoded.schema_version,
        payload: encoded.payload,
        occurred_at,
        cluster: meta.cluster.clone(),
        correlation_id: meta.correlation_id.clone(),
        causation: meta.causation,
        fencing: meta.fencing.clone(),
        basis: meta.basis.clone(),
    };
    let chunks: Vec<NewEvent> = encoded.chunks.iter().map(|chunk| stored(encode(&Event::Chunk(chunk.clone())))).collect();
    chunks.into_iter().chain([stored(Encoded { chunks: Vec::new(), ..encoded })]).collect()
}

/// Appends the events of one command, however many. Up to 256 are one append. Of more, the chunks go first in appends of their
/// own, without the request id, so that everything that means something still becomes true at once; chunks that a crash left
/// in a stream are passed over when its version is compared.
pub async fn append_events(log: &dyn EventLog, append: Append) -> Result<Appended, LogError> {
    if append.events.len() <= EVENTS_MAX {
        return log.append(append).await;
    }
    if let Some(request) = &append.context.request
        && let Some((place, body_hash)) = log.request(&request.id).await?
    {
        let same = body_hash == request.body_hash;
        return if same {
            Ok(Appended { replayed: true, ..place })
        } else {
            Err(LogError::RequestIdConflict { id: request.id.clone() })
        };
    }
    let (chunks, closing): (Vec<NewEvent>, Vec<NewEvent>) =
        append.events.into_iter().partition(|event| event.event_type == large::CHUNK);
    let mut expected = Vec::new();
    for (stream, version) in append.expected {
        expected.push((stream.clone(), past_open_chunks(log, &stream, version).await?));
    }
    let mut context = append.context.clone();
    context.request = None;
    for part in chunks.chunks(EVENTS_MAX) {
        let events = part.to_vec();
        log.append(Append {
            context: context.clone(),
            expected: expected.clone(),
            events,
            ..append_like(&append.epoch, append.essential)
        })
        .await?;
        for (stream, version) in &mut expected {
            if let ExpectedVersion::Exactly(version) = version {
                *version += part.iter().filter(|event| event.stream == *stream).count() as u64;
            }
        }
    }
    log.append(Append { context: append.context, expected, events: closing, ..append_like(&append.epoch, append.essential) })
        .await
}

fn append_like(epoch: &Option<u64>, essential: bool) -> Append {
    Append { context: Default::default(), expected: Vec::new(), epoch: *epoch, events: Vec::new(), essential }
}

/// The version to expect when everything that the stream has beyond the expected one is chunks.
async fn past_open_chunks(
    log: &dyn EventLog,
    stream: &StreamName,
    expected: ExpectedVersion,
) -> Result<ExpectedVersion, LogError> {
    let ExpectedVersion::Exactly(version) = expected else {
        return Ok(expected);
    };
    let mut reached = version;
    loop {
        let more = log.read_stream(stream, reached + 1, EVENTS_MAX).await?;
        if more.is_empty() {
            return Ok(ExpectedVersion::Exactly(reached));
        }
        if more.iter().any(|envelope| envelope.header.event_type != large::CHUNK) {
            return Ok(expected);
        }
        reached += more.len() as u64;
    }
}
