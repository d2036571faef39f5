//! Looking at the data directory of a stopped server: what it is, and whether everything in its log is sound. Works on a copy of
//! the log's files, because opening them lets sled repair what shall be seen. Must not change anything.

use std::collections::BTreeSet;
use std::path::Path;

use ballast_cluster::Timestamp;
use ballast_event_log::Head;

use crate::directory;
use crate::error::{OpenError, io_error};
use crate::head_file;
use crate::trial;

/// sled reads through once: a small cache does.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;

/// What was found sound: every record's checksum, place, version and chain, up to the head.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    pub events: u64,
    pub streams: u64,
    pub requests: u64,
    pub head: Head,
    /// `None` for an empty log.
    pub first_recorded_at: Option<Timestamp>,
    pub last_recorded_at: Option<Timestamp>,
}

/// What a data directory says of itself.
#[derive(Debug)]
pub struct Info {
    pub format: u32,
    /// Where the log ended after its last commit, by the head file.
    pub head_file: Head,
    pub disk_bytes: u64,
    /// The log's own report, or what is wrong with it.
    pub report: Result<Report, OpenError>,
}

/// Verifies the whole log. Damage is an error that names its place; so is a directory in use, not ours, or of a newer format.
pub fn verify_directory(data_directory: &Path) -> Result<Report, OpenError> {
    let _lock = directory::hold_stopped(data_directory)?;
    verify(data_directory)
}

/// Describes the directory; damage in its log is part of the description.
pub fn info_directory(data_directory: &Path) -> Result<Info, OpenError> {
    let _lock = directory::hold_stopped(data_directory)?;
    let format = directory::format_of(data_directory)?.unwrap_or_default();
    let head_file = head_file::read(data_directory)?;
    let disk_bytes = directory::disk_bytes(data_directory)?;
    Ok(Info { format, head_file, disk_bytes, report: verify(data_directory) })
}

fn verify(data_directory: &Path) -> Result<Report, OpenError> {
    let head = head_file::read(data_directory)?;
    let copy = tempfile::tempdir().map_err(io_error("create a copy of", data_directory))?;
    let (mut streams, mut requests) = (BTreeSet::new(), BTreeSet::new());
    let (mut first_recorded_at, mut last_recorded_at) = (None, None);
    let index = trial::fold_copy(data_directory, copy.path(), head, CACHE_BYTES, |envelope| {
        streams.insert(envelope.stream.clone());
        requests.extend(envelope.header.request.as_ref().map(|request| request.id.clone()));
        first_recorded_at.get_or_insert(envelope.header.recorded_at);
        last_recorded_at = Some(envelope.header.recorded_at);
    })?;
    Ok(Report {
        events: index.head().sequence,
        streams: streams.len() as u64,
        requests: requests.len() as u64,
        head: index.head(),
        first_recorded_at,
        last_recorded_at,
    })
}
