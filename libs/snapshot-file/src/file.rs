//! From a path to a snapshot; files ending in .gz and .zst are unpacked as they are read. Must not know what is in them.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use ballast_cluster::Snapshot;

use crate::{SnapshotError, snapshot, syntax_error};

/// The parser takes single bytes: they must come from a buffer without a call through a table.
const BUFFER_BYTES: usize = 256 * 1024;

/// Reads a snapshot file, unpacked by what its name ends in. Nothing holds the text as a whole.
pub fn read_path(path: &Path) -> Result<Snapshot, SnapshotError> {
    let unreadable = |source| SnapshotError::Unreadable { path: path.display().to_string(), source };
    let document = match serde_json::from_reader(open(path).map_err(unreadable)?) {
        Ok(document) => document,
        Err(error) if error.is_io() => return Err(unreadable(error.into())),
        // The file is read once more, for its format alone.
        Err(error) => return Err(syntax_error(&error, open(path).ok().and_then(|file| serde_json::from_reader(file).ok()))),
    };
    snapshot(document)
}

fn open(path: &Path) -> std::io::Result<BufReader<Box<dyn Read>>> {
    let file = File::open(path)?;
    let bytes: Box<dyn Read> = match path.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => Box::new(flate2::read::MultiGzDecoder::new(file)),
        Some("zst") => Box::new(zstd::stream::read::Decoder::new(file)?),
        _ => Box::new(file),
    };
    Ok(BufReader::with_capacity(BUFFER_BYTES, bytes))
}
