//! Large members: cut into chunks when written, kept per stream and joined when the event that closes them is read. Must not
//! know what they hold.

use std::collections::{BTreeMap, HashMap};

use ballast_event_log as log;
use ballast_events::{Chunk, ChunkSet, StreamName};
use ballast_proto::event::v1 as proto;
use prost::Message;

use crate::catalog::EventType;
use crate::read::{self, Malformed};

/// Event type of a chunk.
pub(crate) const CHUNK: &str = "log.chunk";

pub(crate) const TYPES: &[EventType] = &[EventType::of::<proto::LogChunk>(CHUNK)];

/// A large member, cut: the name of its set for the closing event, and its chunks.
pub(crate) struct Large {
    pub(crate) set: proto::ChunkSet,
    pub(crate) chunks: Vec<Chunk>,
}

/// Cuts a message for storage.
pub(crate) fn large(message: &impl Message) -> Large {
    let (set, chunks) = log::split(&message.encode_to_vec());
    Large { set: set_to_proto(&set), chunks }
}

pub(crate) fn chunk_to_proto(chunk: &Chunk) -> proto::LogChunk {
    proto::LogChunk { set: hex(&chunk.set), index: chunk.index, data: chunk.data.clone() }
}

pub(crate) fn chunk_from_proto(chunk: proto::LogChunk) -> Result<Chunk, Malformed> {
    Ok(Chunk { set: hash_from_hex(&chunk.set)?, index: chunk.index, data: chunk.data })
}

pub(crate) fn set_to_proto(set: &ChunkSet) -> proto::ChunkSet {
    proto::ChunkSet { hash: hex(&set.hash), chunks: set.chunks, bytes: set.bytes }
}

pub(crate) fn set_from_proto(set: &proto::ChunkSet) -> Result<ChunkSet, Malformed> {
    Ok(ChunkSet { hash: hash_from_hex(&set.hash)?, chunks: set.chunks, bytes: set.bytes })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hash_from_hex(text: &str) -> Result<[u8; 32], Malformed> {
    let mut hash = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return Err(Malformed(format!("{text:?} is not a hash")));
    }
    for (at, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(|_| Malformed(format!("{text:?} is not a hash")))?;
    }
    Ok(hash)
}

/// Data by index, by hash of the set.
type Sets = HashMap<[u8; 32], BTreeMap<u32, Vec<u8>>>;

/// The chunks read so far whose set was not closed yet, per stream.
#[derive(Default)]
pub(crate) struct OpenSets {
    streams: HashMap<StreamName, Sets>,
}

impl OpenSets {
    /// Keeps a chunk. Those of `snapshot/..` streams are left out: they are closed from other streams and read on demand.
    pub(crate) fn keep(&mut self, stream: &StreamName, chunk: Chunk) {
        if stream.family() != "snapshot" {
            let sets = self.streams.entry(stream.clone()).or_default();
            sets.entry(chunk.set).or_default().insert(chunk.index, chunk.data);
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.streams.values().map(HashMap::len).sum()
    }

    pub(crate) fn of<'a>(&'a mut self, stream: &'a StreamName) -> StreamSets<'a> {
        StreamSets { open: self, stream }
    }
}

/// The open sets of the stream whose event is being decoded.
pub(crate) struct StreamSets<'a> {
    open: &'a mut OpenSets,
    stream: &'a StreamName,
}

impl StreamSets<'_> {
    /// Closes a set and gives the message that it holds.
    pub(crate) fn close<M: Message + Default>(&mut self, set: Option<&proto::ChunkSet>) -> Result<M, Malformed> {
        let set = set_from_proto(read::required(set, "the name of the chunk set")?)?;
        let missing = || Malformed(format!("its chunk set {} is not in the stream", hex(&set.hash)));
        let sets = self.open.streams.get_mut(self.stream).ok_or_else(missing)?;
        let parts = sets.remove(&set.hash).ok_or_else(missing)?;
        if sets.is_empty() {
            self.open.streams.remove(self.stream);
        }
        let chunks: Vec<Chunk> = parts.into_iter().map(|(index, data)| Chunk { set: set.hash, index, data }).collect();
        let bytes = log::join(&set, &chunks).map_err(|error| Malformed(error.to_string()))?;
        read::message(&bytes)
    }
}
