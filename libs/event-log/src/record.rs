//! The stored form of an event: protobuf with a checksum as its last field. These bytes are what is hashed; they are written
//! once and never again made from what was read. The message is that of `proto/ballast/event/v1/envelope.proto`, derived by hand
//! so that the port needs no generated code. Must not know engines or payloads.

use ballast_cluster::Timestamp;
use ballast_events::{Actor, Basis, Envelope, Fencing, Header, RequestRef, StreamName};
use prost::Message;
use sha2::{Digest, Sha256};

/// A stored record is at most this long; larger things are chunked.
pub const RECORD_BYTES_MAX: usize = 64 * 1024;
/// Data of one chunk, so that it fits into a record with its header.
pub const CHUNK_BYTES_MAX: usize = 48 * 1024;

const FORMAT: u32 = 1;
/// Key of field 31, fixed32, and the four bytes of the checksum.
const CHECKSUM_KEY: [u8; 2] = [0xfd, 0x01];
const CHECKSUM_FIELD_BYTES: usize = 6;

/// A record that is not what it should be, and its place.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("at sequence {sequence}: {flaw}")]
pub struct Damage {
    pub sequence: u64,
    pub flaw: Flaw,
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Flaw {
    #[error("the record is missing")]
    Missing,
    #[error("the checksum does not match the record")]
    Checksum,
    #[error("the record cannot be read: {0}")]
    Unreadable(String),
    #[error("the record has format {0}, which this version of Ballast does not know")]
    Format(u32),
    #[error("the record belongs to sequence {found}")]
    Misplaced { found: u64 },
    #[error("the record is version {found} of stream {stream}, not {expected}")]
    Version { stream: StreamName, expected: u64, found: u64 },
    #[error("the record does not follow the one before it: its previous hash differs")]
    Chain,
    #[error("the record differs from the one that was verified here before")]
    Changed,
    #[error("something that is not a record is stored here: {0}")]
    Foreign(String),
}

#[derive(Clone, PartialEq, Message)]
struct Record {
    #[prost(uint32, tag = "1")]
    format: u32,
    #[prost(bytes = "vec", tag = "2")]
    event_id: Vec<u8>,
    #[prost(uint64, tag = "3")]
    sequence: u64,
    #[prost(string, tag = "4")]
    stream: String,
    #[prost(uint64, tag = "5")]
    version: u64,
    #[prost(string, tag = "6")]
    event_type: String,
    #[prost(uint32, tag = "7")]
    schema_version: u32,
    #[prost(sint64, tag = "8")]
    recorded_milliseconds: i64,
    #[prost(sint64, tag = "9")]
    occurred_milliseconds: i64,
    #[prost(message, optional, tag = "10")]
    actor: Option<RecordActor>,
    #[prost(string, tag = "11")]
    reason: String,
    #[prost(message, optional, tag = "12")]
    request: Option<RecordRequest>,
    #[prost(string, optional, tag = "13")]
    correlation_id: Option<String>,
    #[prost(uint64, optional, tag = "14")]
    causation_sequence: Option<u64>,
    #[prost(string, optional, tag = "15")]
    cluster: Option<String>,
    #[prost(message, optional, tag = "16")]
    fencing: Option<RecordFencing>,
    #[prost(message, optional, tag = "17")]
    basis: Option<RecordBasis>,
    #[prost(string, optional, tag = "18")]
    traceparent: Option<String>,
    #[prost(bytes = "vec", tag = "19")]
    payload: Vec<u8>,
    #[prost(bytes = "vec", tag = "20")]
    previous_hash: Vec<u8>,
    #[prost(fixed32, optional, tag = "31")]
    crc32c: Option<u32>,
}

#[derive(Clone, PartialEq, Message)]
struct RecordActor {
    #[prost(string, tag = "1")]
    principal: String,
    #[prost(string, tag = "2")]
    method: String,
    #[prost(string, tag = "3")]
    role: String,
    #[prost(string, tag = "4")]
    source: String,
}

#[derive(Clone, PartialEq, Message)]
struct RecordRequest {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(bytes = "vec", tag = "2")]
    body_hash: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct RecordFencing {
    #[prost(uint64, tag = "1")]
    epoch: u64,
    #[prost(string, tag = "2")]
    executor: String,
    #[prost(uint32, tag = "3")]
    attempt: u32,
}

#[derive(Clone, PartialEq, Message)]
struct RecordBasis {
    #[prost(uint64, tag = "1")]
    snapshot_sequence: u64,
    #[prost(bytes = "vec", tag = "2")]
    snapshot_hash: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    config_hash: Vec<u8>,
    #[prost(string, tag = "4")]
    binary_version: String,
}

/// Writes the stored bytes of `envelope`, whose `hash` is not looked at, and gives them with their hash.
pub fn seal_record(envelope: &Envelope) -> (Vec<u8>, [u8; 32]) {
    let mut bytes = to_record(envelope).encode_to_vec();
    let checksum = crc32c::crc32c(&bytes);
    bytes.extend(CHECKSUM_KEY);
    bytes.extend(checksum.to_le_bytes());
    let hash = Sha256::digest(&bytes).into();
    (bytes, hash)
}

/// Reads stored bytes that were found at `sequence`; refuses whatever is not a whole, unchanged record of that place.
pub fn open_record(sequence: u64, bytes: &[u8]) -> Result<Envelope, Damage> {
    verified(sequence, bytes).map_err(|flaw| Damage { sequence, flaw })
}

fn verified(sequence: u64, bytes: &[u8]) -> Result<Envelope, Flaw> {
    let Some((covered, field)) = bytes.split_last_chunk::<CHECKSUM_FIELD_BYTES>() else {
        return Err(Flaw::Checksum);
    };
    let [key0, key1, checksum @ ..] = *field;
    if [key0, key1] != CHECKSUM_KEY || u32::from_le_bytes(checksum) != crc32c::crc32c(covered) {
        return Err(Flaw::Checksum);
    }
    let record = Record::decode(covered).map_err(|error| Flaw::Unreadable(error.to_string()))?;
    if record.format != FORMAT {
        return Err(Flaw::Format(record.format));
    }
    if record.sequence != sequence {
        return Err(Flaw::Misplaced { found: record.sequence });
    }
    from_record(record, Sha256::digest(bytes).into())
}

fn to_record(envelope: &Envelope) -> Record {
    let header = envelope.header.clone();
    Record {
        format: FORMAT,
        event_id: header.event_id.to_vec(),
        sequence: envelope.sequence,
        stream: envelope.stream.as_str().to_owned(),
        version: envelope.version,
        event_type: header.event_type,
        schema_version: header.schema_version,
        recorded_milliseconds: header.recorded_at.milliseconds,
        occurred_milliseconds: header.occurred_at.milliseconds,
        actor: Some(RecordActor {
            principal: header.actor.principal,
            method: header.actor.method,
            role: header.actor.role,
            source: header.actor.source,
        }),
        reason: header.reason,
        request: header.request.map(|request| RecordRequest { id: request.id, body_hash: request.body_hash.to_vec() }),
        correlation_id: header.correlation_id,
        causation_sequence: header.causation,
        cluster: header.cluster,
        fencing: header.fencing.map(|fencing| RecordFencing {
            epoch: fencing.epoch,
            executor: fencing.executor,
            attempt: fencing.attempt,
        }),
        basis: header.basis.map(|basis| RecordBasis {
            snapshot_sequence: basis.snapshot_sequence,
            snapshot_hash: basis.snapshot_hash.to_vec(),
            config_hash: basis.config_hash.to_vec(),
            binary_version: basis.binary_version,
        }),
        traceparent: header.traceparent,
        payload: envelope.payload.clone(),
        previous_hash: envelope.previous_hash.to_vec(),
        crc32c: None,
    }
}

fn from_record(record: Record, hash: [u8; 32]) -> Result<Envelope, Flaw> {
    let actor = record.actor.unwrap_or_default();
    let request = match record.request {
        Some(request) => Some(RequestRef { id: request.id, body_hash: array(&request.body_hash)? }),
        None => None,
    };
    let basis = match record.basis {
        Some(basis) => Some(Basis {
            snapshot_sequence: basis.snapshot_sequence,
            snapshot_hash: array(&basis.snapshot_hash)?,
            config_hash: array(&basis.config_hash)?,
            binary_version: basis.binary_version,
        }),
        None => None,
    };
    let header = Header {
        event_id: array(&record.event_id)?,
        event_type: record.event_type,
        schema_version: record.schema_version,
        recorded_at: Timestamp::from_milliseconds(record.recorded_milliseconds),
        occurred_at: Timestamp::from_milliseconds(record.occurred_milliseconds),
        actor: Actor { principal: actor.principal, method: actor.method, role: actor.role, source: actor.source },
        reason: record.reason,
        request,
        correlation_id: record.correlation_id,
        causation: record.causation_sequence,
        cluster: record.cluster,
        fencing: record.fencing.map(|fencing| Fencing {
            epoch: fencing.epoch,
            executor: fencing.executor,
            attempt: fencing.attempt,
        }),
        basis,
        traceparent: record.traceparent,
    };
    let stream = StreamName::parse(&record.stream).ok_or_else(|| Flaw::Unreadable("its stream has no legal name".into()))?;
    Ok(Envelope {
        sequence: record.sequence,
        stream,
        version: record.version,
        header,
        payload: record.payload,
        previous_hash: array(&record.previous_hash)?,
        hash,
    })
}

fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Flaw> {
    bytes.try_into().map_err(|_| Flaw::Unreadable(format!("a field has {} bytes, not {N}", bytes.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope() -> Envelope {
        Envelope {
            sequence: 7,
            stream: StreamName::task("task-1"),
            version: 2,
            header: Header {
                event_id: [1; 16],
                event_type: "task.started".into(),
                schema_version: 1,
                recorded_at: Timestamp::from_milliseconds(-5),
                occurred_at: Timestamp::from_milliseconds(1_700_000_000_000),
                actor: Actor::ballast("task-manager"),
                reason: "why".into(),
                request: Some(RequestRef { id: "r".into(), body_hash: [2; 32] }),
                correlation_id: Some("task-1".into()),
                causation: Some(6),
                cluster: Some("c1".into()),
                fencing: Some(Fencing { epoch: 1, executor: "x".into(), attempt: 3 }),
                basis: Some(Basis {
                    snapshot_sequence: 5,
                    snapshot_hash: [3; 32],
                    config_hash: [4; 32],
                    binary_version: "0.1.0".into(),
                }),
                traceparent: Some("00-ab-cd-01".into()),
            },
            payload: vec![9; 300],
            previous_hash: [5; 32],
            hash: [0; 32],
        }
    }

    #[test]
    fn a_record_reads_back_as_it_was_written() {
        let (bytes, hash) = seal_record(&envelope());
        assert_eq!(open_record(7, &bytes), Ok(Envelope { hash, ..envelope() }));
    }

    #[test]
    fn any_changed_bit_is_found() {
        let (bytes, _) = seal_record(&envelope());
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                assert!(open_record(7, &changed).is_err(), "bit {bit} of byte {at}");
            }
        }
    }

    #[test]
    fn any_shortened_record_is_found() {
        let (bytes, _) = seal_record(&envelope());
        for length in 0..bytes.len() {
            assert!(open_record(7, &bytes[..length]).is_err(), "cut to {length} bytes");
        }
    }

    #[test]
    fn a_sound_record_in_another_place_is_refused() {
        let (bytes, _) = seal_record(&envelope());
        assert_eq!(open_record(8, &bytes), Err(Damage { sequence: 8, flaw: Flaw::Misplaced { found: 7 } }));
    }
}
