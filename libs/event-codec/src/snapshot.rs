//! The snapshots that plans were made from, loads and all, each stored once under its hash: so that a plan can be made again
//! from the same input. Must not know plans.

use ballast_cluster::{Snapshot, Timestamp};
use ballast_event_log::{self as log, Append, Appended, Context, EVENTS_MAX, EventLog, LogError};
use ballast_events::{Chunk, ChunkSet, Envelope, Event, StreamName};
use ballast_proto::event::v1 as proto;
use prost::Message;

use crate::large;
use crate::read::{self, DecodeError, Malformed};
use crate::topology::{Loads, snapshot_from_proto, snapshot_to_proto};
use crate::write::{Meta, new_events};

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error("the snapshot cannot be put together: {0}")]
    Broken(String),
}

/// Records a snapshot unless it is there already, and gives the name by which [`read_snapshot`] finds it. The request id of the
/// context is not used up.
pub async fn append_snapshot(
    log: &dyn EventLog,
    context: &Context,
    epoch: Option<u64>,
    snapshot: &Snapshot,
    occurred_at: Timestamp,
) -> Result<ChunkSet, SnapshotError> {
    let (set, chunks) = log::split(&snapshot_to_proto(snapshot, Loads::Kept).encode_to_vec());
    let stream = StreamName::snapshot(&set.hash);
    if log::join(&set, &recorded_chunks(log, &stream).await?).is_ok() {
        return Ok(set);
    }
    let meta = Meta { cluster: Some(snapshot.cluster.clone()), ..Meta::default() };
    let events: Vec<_> =
        chunks.into_iter().flat_map(|chunk| new_events(&stream, &Event::Chunk(chunk), occurred_at, &meta)).collect();
    let context = Context { request: None, ..context.clone() };
    for part in events.chunks(EVENTS_MAX) {
        let _: Appended = log.append(Append::new(context.clone(), epoch, part.to_vec())).await?;
    }
    Ok(set)
}

/// The snapshot of that name, exactly as it was recorded.
pub async fn read_snapshot(log: &dyn EventLog, set: &ChunkSet) -> Result<Snapshot, SnapshotError> {
    let chunks = recorded_chunks(log, &StreamName::snapshot(&set.hash)).await?;
    let bytes = log::join(set, &chunks).map_err(|error| SnapshotError::Broken(error.to_string()))?;
    let topology: proto::ClusterTopology = read::message(&bytes).map_err(broken)?;
    snapshot_from_proto(topology).map_err(broken)
}

async fn recorded_chunks(log: &dyn EventLog, stream: &StreamName) -> Result<Vec<Chunk>, SnapshotError> {
    let mut chunks = Vec::new();
    loop {
        let page = log.read_stream(stream, chunks.len() as u64 + 1, EVENTS_MAX).await?;
        if page.is_empty() {
            return Ok(chunks);
        }
        for envelope in page {
            chunks.push(chunk_of(&envelope)?);
        }
    }
}

fn chunk_of(envelope: &Envelope) -> Result<Chunk, SnapshotError> {
    let chunk: proto::LogChunk = read::message(&envelope.payload).map_err(broken)?;
    large::chunk_from_proto(chunk).map_err(broken)
}

fn broken(Malformed(detail): Malformed) -> SnapshotError {
    SnapshotError::Broken(detail)
}
