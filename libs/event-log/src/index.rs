//! What a log knows about its own events beside their bytes, and the one place where appends are decided: streams, request ids,
//! the lease, the head. Every engine keeps one and stores what it stages. Must not know storage.

use std::collections::HashMap;

use ballast_cluster::Timestamp;
use ballast_events::{Envelope, Header, StreamName};
use sha2::{Digest, Sha256};

use crate::record::{Damage, Flaw, RECORD_BYTES_MAX, seal_record};
use crate::{Append, Appended, EVENTS_MAX, ExpectedVersion, Head, LogError};

/// Folded from the log at open, then moved on by each append that is staged.
pub struct Index {
    head: Head,
    /// Recorded times never go back.
    recorded_at: Timestamp,
    streams: HashMap<StreamName, Vec<u64>>,
    requests: HashMap<String, (Appended, [u8; 32])>,
    /// The first 8 bytes of each record's hash, by sequence from 1: a record read later must be the one that was verified or
    /// written here.
    hashes: Vec<u64>,
    lease: StreamName,
}

impl Default for Index {
    fn default() -> Self {
        Self {
            head: Head::default(),
            recorded_at: Timestamp::default(),
            streams: HashMap::new(),
            requests: HashMap::new(),
            hashes: Vec::new(),
            lease: StreamName::lease(),
        }
    }
}

/// An append that was decided upon: what to store, and what to answer once that is durable.
pub struct Staged {
    pub appended: Appended,
    pub records: Vec<(Envelope, Vec<u8>)>,
}

impl Index {
    pub fn head(&self) -> Head {
        self.head
    }

    /// Version of the last event of a stream at or before `sequence`.
    pub fn stream_version(&self, stream: &StreamName, sequence: u64) -> u64 {
        self.streams.get(stream).map_or(0, |sequences| sequences.partition_point(|&at| at <= sequence)) as u64
    }

    /// Sequences of a stream's events from `from_version` on, at most `limit`, at or before `sequence`.
    pub fn stream_sequences(&self, stream: &StreamName, from_version: u64, limit: usize, sequence: u64) -> Vec<u64> {
        let all = self.streams.get(stream).map_or(&[][..], Vec::as_slice);
        let skip = usize::try_from(from_version.saturating_sub(1)).unwrap_or(usize::MAX);
        all.iter().skip(skip).take(limit).copied().take_while(|&at| at <= sequence).collect()
    }

    /// Where the events of a request stand, and the hash of its body.
    pub fn request(&self, id: &str) -> Option<(Appended, [u8; 32])> {
        self.requests.get(id).copied()
    }

    /// Whether a record read at its sequence is the one that was verified there.
    pub fn confirm(&self, envelope: &Envelope) -> Result<(), Damage> {
        let at = usize::try_from(envelope.sequence).ok().and_then(|sequence| sequence.checked_sub(1));
        match at.and_then(|at| self.hashes.get(at)) {
            Some(&known) if known == hash_prefix(&envelope.hash) => Ok(()),
            _ => Err(Damage { sequence: envelope.sequence, flaw: Flaw::Changed }),
        }
    }

    /// The answer to an append whose request id was used before: its place, or that it was used for something else.
    pub fn answered(&self, append: &Append) -> Option<Result<Appended, LogError>> {
        let request = append.context.request.as_ref()?;
        let (place, body_hash) = self.requests.get(&request.id)?;
        Some(if *body_hash == request.body_hash {
            Ok(Appended { replayed: true, ..*place })
        } else {
            Err(LogError::RequestIdConflict { id: request.id.clone() })
        })
    }

    /// Takes a record read from storage into the index: it must follow the one before it in every respect.
    pub fn admit(&mut self, envelope: &Envelope) -> Result<(), Damage> {
        let flaw = if envelope.sequence != self.head.sequence + 1 {
            Some(Flaw::Misplaced { found: envelope.sequence })
        } else if envelope.previous_hash != self.head.hash {
            Some(Flaw::Chain)
        } else {
            let expected = self.stream_version(&envelope.stream, u64::MAX) + 1;
            (envelope.version != expected).then(|| Flaw::Version {
                stream: envelope.stream.clone(),
                expected,
                found: envelope.version,
            })
        };
        if let Some(flaw) = flaw {
            return Err(Damage { sequence: self.head.sequence + 1, flaw });
        }
        self.note(envelope);
        Ok(())
    }

    /// Decides an append whose request id is new: epoch, expectations and sizes. When it may be taken, gives its records and
    /// counts them as written; when not, changes nothing.
    pub fn stage(&mut self, append: Append, now: Timestamp) -> Result<Staged, LogError> {
        if append.events.is_empty() || append.events.len() > EVENTS_MAX {
            return Err(LogError::EventCount { events: append.events.len(), limit: EVENTS_MAX });
        }
        self.check_epoch(&append)?;
        self.check_expected(&append)?;
        let first_sequence = self.head.sequence + 1;
        let recorded_at = now.max(self.recorded_at);
        let records = self.seal(append, recorded_at)?;
        for (envelope, _) in &records {
            self.note(envelope);
        }
        Ok(Staged { appended: Appended { first_sequence, last_sequence: self.head.sequence, replayed: false }, records })
    }

    fn check_epoch(&self, append: &Append) -> Result<(), LogError> {
        let current = self.streams.get(&self.lease).and_then(|sequences| sequences.last()).copied().unwrap_or(0);
        let takes_lease = append.events.iter().all(|event| event.stream == self.lease);
        match append.epoch {
            Some(epoch) if epoch == current => Ok(()),
            None if current == 0 || takes_lease => Ok(()),
            epoch => Err(LogError::EpochOver { epoch: epoch.unwrap_or(0), current }),
        }
    }

    fn check_expected(&self, append: &Append) -> Result<(), LogError> {
        for (stream, expected) in &append.expected {
            let actual = self.stream_version(stream, u64::MAX);
            let (holds, text) = match expected {
                ExpectedVersion::Exactly(version) => (actual == *version, version.to_string()),
                ExpectedVersion::Exists => (actual > 0, "at least one event".to_owned()),
            };
            if !holds {
                return Err(LogError::VersionConflict { stream: stream.clone(), expected: text, actual });
            }
        }
        Ok(())
    }

    fn seal(&self, append: Append, recorded_at: Timestamp) -> Result<Vec<(Envelope, Vec<u8>)>, LogError> {
        let Head { mut sequence, hash: mut previous_hash } = self.head;
        let mut versions: HashMap<StreamName, u64> = HashMap::new();
        let mut records = Vec::with_capacity(append.events.len());
        for event in append.events {
            sequence += 1;
            let version = versions.entry(event.stream.clone()).or_insert_with(|| self.stream_version(&event.stream, u64::MAX));
            *version += 1;
            let header = Header {
                event_id: event_id(recorded_at, sequence, &previous_hash, &event.payload),
                event_type: event.event_type,
                schema_version: event.schema_version,
                recorded_at,
                occurred_at: event.occurred_at,
                actor: append.context.actor.clone(),
                reason: append.context.reason.clone(),
                request: append.context.request.clone(),
                correlation_id: event.correlation_id,
                causation: event.causation,
                cluster: event.cluster,
                fencing: event.fencing,
                basis: event.basis,
                traceparent: append.context.traceparent.clone(),
            };
            let (stream, version, payload) = (event.stream, *version, event.payload);
            let mut envelope = Envelope { sequence, stream, version, header, payload, previous_hash, hash: [0; 32] };
            let (bytes, hash) = seal_record(&envelope);
            if bytes.len() > RECORD_BYTES_MAX {
                return Err(LogError::TooLarge { bytes: bytes.len(), limit: RECORD_BYTES_MAX });
            }
            envelope.hash = hash;
            previous_hash = hash;
            records.push((envelope, bytes));
        }
        Ok(records)
    }

    fn note(&mut self, envelope: &Envelope) {
        self.head = Head { sequence: envelope.sequence, hash: envelope.hash };
        self.recorded_at = self.recorded_at.max(envelope.header.recorded_at);
        self.hashes.push(hash_prefix(&envelope.hash));
        self.streams.entry(envelope.stream.clone()).or_default().push(envelope.sequence);
        if let Some(request) = &envelope.header.request {
            let here = Appended { first_sequence: envelope.sequence, last_sequence: envelope.sequence, replayed: false };
            let (place, _) = self.requests.entry(request.id.clone()).or_insert((here, request.body_hash));
            if place.last_sequence + 1 == envelope.sequence {
                place.last_sequence = envelope.sequence;
            }
        }
    }
}

fn hash_prefix(hash: &[u8; 32]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *hash;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// A UUIDv7 whose random part is drawn from the event's place and content: unique, and the same when a simulation is run again.
fn event_id(recorded_at: Timestamp, sequence: u64, previous_hash: &[u8; 32], payload: &[u8]) -> [u8; 16] {
    let digest = Sha256::new().chain_update(previous_hash).chain_update(sequence.to_be_bytes()).chain_update(payload).finalize();
    let mut random = [0; 10];
    random.copy_from_slice(&digest[..10]);
    let milliseconds = u64::try_from(recorded_at.milliseconds).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(milliseconds, &random).into_uuid().into_bytes()
}
