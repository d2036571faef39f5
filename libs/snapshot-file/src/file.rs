//! From a path to a snapshot; files ending in .gz and .zst are unpacked. Must not know what is in them.

use std::io::Read;
use std::path::Path;

use ballast_cluster::Snapshot;

use crate::{SnapshotError, read};

/// Reads a snapshot file, unpacked by what its name ends in.
pub fn read_path(path: &Path) -> Result<Snapshot, SnapshotError> {
    let unreadable = |source| SnapshotError::Unreadable { path: path.display().to_string(), source };
    read(&bytes(path).map_err(unreadable)?)
}

fn bytes(path: &Path) -> std::io::Result<Vec<u8>> {
    let file = std::fs::File::open(path)?;
    let mut bytes = Vec::new();
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => flate2::read::MultiGzDecoder::new(file).read_to_end(&mut bytes)?,
        Some("zst") => zstd::stream::read::Decoder::new(file)?.read_to_end(&mut bytes)?,
        _ => std::io::BufReader::new(file).read_to_end(&mut bytes)?,
    };
    Ok(bytes)
}
