//! The port to the event log: append with conditions, read, follow. Holds the record format, the chunk sets and the memory
//! engine. Must not know what payloads mean, nor any storage driver.
//!
//! Guarantees of every engine, held by one contract suite ([`contract`]):
//! - sequences are dense from 1 over the whole log, versions dense from 1 in each stream;
//! - all events of an append become durable together, before it is acknowledged, or not at all;
//! - an append whose expectation fails, or whose epoch is not that of the last lease, changes nothing;
//! - a request id that was used answers with the place of its events, or is refused if it comes with another body;
//! - every read checks checksum, place and chain: a damaged record is an error with its place, never data;
//! - an I/O error is final: the log refuses everything until it is opened anew.

mod append;
mod chunks;
pub mod contract;
mod error;
mod follower;
mod index;
mod memory;
mod record;

pub use append::{Append, Appended, Context, EVENTS_MAX, ExpectedVersion, NewEvent};
pub use chunks::{ChunkError, join, split};
pub use error::LogError;
pub use follower::Follower;
pub use index::{Index, Staged};
pub use memory::MemoryLog;
pub use record::{CHUNK_BYTES_MAX, Damage, Flaw, RECORD_BYTES_MAX, open_record, seal_record};

use std::sync::Arc;

use ballast_events::{Envelope, StreamName};

/// Where the log ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Head {
    /// Sequence of the last event; 0 when the log is empty.
    pub sequence: u64,
    /// Hash of the last event; zeros when the log is empty.
    pub hash: [u8; 32],
}

/// An append-only log of events. Cheap to share as `Arc<dyn EventLog>`.
#[async_trait::async_trait]
pub trait EventLog: Send + Sync {
    /// Appends all events of one command, durably, or none. Returns after they are durable.
    async fn append(&self, append: Append) -> Result<Appended, LogError>;

    /// Up to `limit` events from sequence `from` on, in order; fewer at the end of the log.
    async fn read(&self, from: u64, limit: usize) -> Result<Vec<Arc<Envelope>>, LogError>;

    /// Up to `limit` events of one stream from `from_version` on.
    async fn read_stream(&self, stream: &StreamName, from_version: u64, limit: usize) -> Result<Vec<Arc<Envelope>>, LogError>;

    /// Version of the last event of a stream; 0 when it has none.
    async fn stream_version(&self, stream: &StreamName) -> Result<u64, LogError>;

    /// Where the events of this request id stand, and the hash of the body it came with.
    async fn request(&self, id: &str) -> Result<Option<(Appended, [u8; 32])>, LogError>;

    /// The head; the receiver wakes at each append. It closes when the log has failed or was shut down.
    fn head(&self) -> tokio::sync::watch::Receiver<Head>;

    /// Stops taking appends, finishes the ones queued and makes everything durable.
    async fn close(&self);
}
