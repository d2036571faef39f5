//! The sum of all events, the envelope they travel in and the names of their streams. Must not know how events are stored,
//! encoded or decided: the deciding crates own their events, this crate only adds them up.

mod audit;
mod cluster;
mod envelope;
mod plan;
mod stream;

pub use audit::{AuditEvent, LeaseEvent};
pub use cluster::ClusterEvent;
pub use envelope::{Actor, Basis, Envelope, Fencing, Header, RequestRef};
pub use plan::{PlanEvent, PlanInput, TopicPatterns};
pub use stream::StreamName;

use ballast_task::{StepEvent, TaskEvent};
use ballast_throttle::{AdmissionEvent, ThrottleEvent};

/// Everything that can be recorded. One variant per family; each family has one writer.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// `cluster/<c>`, written by the Monitor.
    Cluster(ClusterEvent),
    /// `plan/<id>`, written by the Analyzer.
    Plan(PlanEvent),
    /// `task/<id>`, written by the Task Manager.
    Task(TaskEvent),
    /// `task/<id>/<n>`, written by the Task Manager.
    Step(StepEvent),
    /// `throttle/<c>`, written by Flow Control.
    Throttle(ThrottleEvent),
    /// `admission/<c>`, written by Flow Control.
    Admission(AdmissionEvent),
    /// `lease/active`, written by the process that takes over.
    Lease(LeaseEvent),
    /// `audit`: rejected commands.
    Audit(AuditEvent),
    /// Part of a large thing; ignored unless a later event of the same stream closes its set.
    Chunk(Chunk),
}

/// One part of a large thing: compressed, at most 48 KiB.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chunk {
    /// SHA-256 of the whole thing before compression.
    pub set: [u8; 32],
    pub index: u32,
    pub data: Vec<u8>,
}

/// Names a complete set of chunks: kept by the event that closes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChunkSet {
    /// SHA-256 of the whole thing before compression.
    pub hash: [u8; 32],
    pub chunks: u32,
    /// Length of the whole thing before compression.
    pub bytes: u64,
}
