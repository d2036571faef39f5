//! What is recorded about every event whatever it says: who, when, why, on what grounds. Must not know payloads.

use ballast_cluster::Timestamp;

use crate::StreamName;

/// An event in its place in the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Envelope {
    /// Place in the log: dense, from 1.
    pub sequence: u64,
    pub stream: StreamName,
    /// Place in the stream: dense, from 1.
    pub version: u64,
    pub header: Header,
    /// The encoded event; `event_type` and `schema_version` of the header say how to read it.
    pub payload: Vec<u8>,
    /// SHA-256 of the stored bytes of the event before this one in the log; zeros for the first.
    pub previous_hash: [u8; 32],
    /// SHA-256 of this event's stored bytes.
    pub hash: [u8; 32],
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Header {
    /// UUIDv7.
    pub event_id: [u8; 16],
    /// Family and name, e.g. "task.accepted".
    pub event_type: String,
    pub schema_version: u32,
    /// When the log took it.
    pub recorded_at: Timestamp,
    /// When it happened, by the clock of whoever saw it.
    pub occurred_at: Timestamp,
    pub actor: Actor,
    /// Free text given with the command; empty when none was.
    pub reason: String,
    pub request: Option<RequestRef>,
    /// The task (or plan) that this belongs to.
    pub correlation_id: Option<String>,
    /// Sequence of the event that led to this one.
    pub causation: Option<u64>,
    pub cluster: Option<String>,
    pub fencing: Option<Fencing>,
    pub basis: Option<Basis>,
    /// W3C trace context of the request.
    pub traceparent: Option<String>,
}

/// Who did it and how that is known.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Actor {
    /// `unverified:<user>` until there is authentication; `ballast` for its own deeds.
    pub principal: String,
    /// How the principal was established: "none" until there is authentication, "internal" for Ballast itself.
    pub method: String,
    pub role: String,
    /// Peer address, or the part of Ballast that acted.
    pub source: String,
}

impl Actor {
    /// Ballast itself, acting through the named part.
    pub fn ballast(part: &str) -> Self {
        Self { principal: "ballast".into(), method: "internal".into(), role: "service".into(), source: part.into() }
    }
}

/// The command's request id and what it asked for: the same id with another body is an error.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RequestRef {
    pub id: String,
    /// SHA-256 of the command without its request id.
    pub body_hash: [u8; 32],
}

/// By what right it was done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fencing {
    /// Sequence of the lease event of the process that wrote this.
    pub epoch: u64,
    pub executor: String,
    pub attempt: u32,
}

/// On what knowledge it was decided.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Basis {
    pub snapshot_sequence: u64,
    pub snapshot_hash: [u8; 32],
    pub config_hash: [u8; 32],
    pub binary_version: String,
}
