//! Large things as chunks and back: compressed, cut, and joined only when whole and unchanged. Must not know what they are.

use ballast_events::{Chunk, ChunkSet};
use sha2::{Digest, Sha256};

use crate::CHUNK_BYTES_MAX;

/// A set that names more than this is not believed.
const WHOLE_BYTES_MAX: u64 = 1 << 30;
/// zstd's own default: fast, and topologies shrink to a tenth.
const COMPRESSION_LEVEL: i32 = 3;

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ChunkError {
    #[error("chunk {index} of {chunks} is missing")]
    Missing { index: u32, chunks: u32 },
    #[error("the chunks do not decompress: {0}")]
    Compression(String),
    #[error("the set names {bytes} bytes, more than a set may have")]
    TooLarge { bytes: u64 },
    #[error("the joined chunks are not what the set names: their length or hash differs")]
    Changed,
}

/// Cuts `whole` into chunks of at most [`CHUNK_BYTES_MAX`] compressed bytes; at least one.
pub fn split(whole: &[u8]) -> (ChunkSet, Vec<Chunk>) {
    let hash: [u8; 32] = Sha256::digest(whole).into();
    let compressed = zstd::bulk::compress(whole, COMPRESSION_LEVEL)
        .expect("compression into memory fails only on a level that zstd does not know");
    let chunks: Vec<Chunk> = (0..)
        .zip(compressed.chunks(CHUNK_BYTES_MAX))
        .map(|(index, data)| Chunk { set: hash, index, data: data.to_vec() })
        .collect();
    let set = ChunkSet { hash, chunks: chunks.len() as u32, bytes: whole.len() as u64 };
    (set, chunks)
}

/// Puts a set together from its chunks, which may be in any order; a later one replaces an earlier one of the same index, and
/// those of other sets or beyond the set's count are passed over.
pub fn join(set: &ChunkSet, chunks: &[Chunk]) -> Result<Vec<u8>, ChunkError> {
    if set.bytes > WHOLE_BYTES_MAX {
        return Err(ChunkError::TooLarge { bytes: set.bytes });
    }
    let mut compressed = Vec::new();
    for index in 0..set.chunks {
        let part = chunks.iter().rev().find(|chunk| chunk.set == set.hash && chunk.index == index);
        let part = part.ok_or(ChunkError::Missing { index, chunks: set.chunks })?;
        compressed.extend_from_slice(&part.data);
    }
    let whole =
        zstd::bulk::decompress(&compressed, set.bytes as usize).map_err(|error| ChunkError::Compression(error.to_string()))?;
    let hash: [u8; 32] = Sha256::digest(&whole).into();
    if hash != set.hash || whole.len() as u64 != set.bytes {
        return Err(ChunkError::Changed);
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that do not compress.
    fn noise(length: usize) -> Vec<u8> {
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn what_is_split_joins_to_the_same() {
        for length in [0, 1, CHUNK_BYTES_MAX, CHUNK_BYTES_MAX + 1, 5 * CHUNK_BYTES_MAX] {
            let whole = noise(length);
            let (set, mut chunks) = split(&whole);
            assert!(chunks.iter().all(|chunk| chunk.data.len() <= CHUNK_BYTES_MAX));
            chunks.reverse();
            assert_eq!(join(&set, &chunks), Ok(whole), "{length} bytes");
        }
    }

    #[test]
    fn a_lost_or_changed_chunk_is_found() {
        let (set, chunks) = split(&noise(3 * CHUNK_BYTES_MAX));
        assert_eq!(join(&set, &chunks[1..]), Err(ChunkError::Missing { index: 0, chunks: set.chunks }));
        let mut changed = chunks.clone();
        changed[1].data[100] ^= 1;
        assert!(join(&set, &changed).is_err());
        let swapped = ChunkSet { hash: [0; 32], ..set };
        assert!(join(&swapped, &chunks).is_err());
    }

    #[test]
    fn a_set_that_claims_too_much_is_not_believed() {
        let (set, chunks) = split(b"small");
        assert!(matches!(join(&ChunkSet { bytes: u64::MAX, ..set }, &chunks), Err(ChunkError::TooLarge { .. })));
        assert!(join(&ChunkSet { bytes: 4, ..set }, &chunks).is_err());
    }
}
