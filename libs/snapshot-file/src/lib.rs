//! The file format `ballast.snapshot.v1`: read with every refusal naming its place, written with every field present.
//!
//! Must not know who observes clusters or plans on them. The serde types in `reading`
//! and `writing` are twins of `ballast-cluster`'s.

mod check;
mod file;
mod reading;
mod writing;

use ballast_cluster::Snapshot;

pub use file::read_path;

/// The value of the `format` key.
pub const FORMAT: &str = "ballast.snapshot.v1";

/// Why a snapshot was refused. All of it is one reason for clients: [`SnapshotError::reason`].
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error("cannot read {path}: {source}")]
    Unreadable { path: String, source: std::io::Error },
    /// Not JSON, an unknown or missing key, a value of the wrong type, a negative or fractional number.
    #[error("line {line}, column {column}: {problem}")]
    Syntax { line: usize, column: usize, problem: String },
    /// Well formed, but it contradicts itself.
    #[error("{place}: {problem}")]
    Contradiction { place: String, problem: String },
}

impl SnapshotError {
    pub fn reason(&self) -> &'static str {
        "SNAPSHOT_MALFORMED"
    }

    fn at(place: impl Into<String>, problem: impl Into<String>) -> Self {
        SnapshotError::Contradiction { place: place.into(), problem: problem.into() }
    }
}

/// Reads plain JSON. The result is sorted, leaders on dead brokers are `None`, dead brokers are dropped from in-sync sets.
pub fn read(bytes: &[u8]) -> Result<Snapshot, SnapshotError> {
    match serde_json::from_slice(bytes) {
        Ok(document) => snapshot(document),
        Err(error) => Err(syntax_error(&error, serde_json::from_slice(bytes).ok())),
    }
}

/// Another format has other keys: say that, rather than stumble over the first of them.
fn syntax_error(error: &serde_json::Error, header: Option<reading::Header>) -> SnapshotError {
    if let Some(reading::Header { format: Some(other) }) = header
        && other != FORMAT
    {
        return wrong_format(&other);
    }
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    let problem = text.split(" at line ").next().unwrap_or(&text).to_owned();
    SnapshotError::Syntax { line, column, problem }
}

fn snapshot(document: reading::Document) -> Result<Snapshot, SnapshotError> {
    if document.format != FORMAT {
        return Err(wrong_format(&document.format));
    }
    let mut snapshot = document.into_snapshot()?;
    snapshot.sort();
    check::check(&snapshot)?;
    reading::settle(&mut snapshot);
    check::check_capacity(&snapshot)?;
    Ok(snapshot)
}

/// Compact JSON, every field present, in the order of the contract. Brokers that lists name but that are not registered are
/// written as dead ones, so that what is written can be read.
pub fn write(snapshot: &Snapshot) -> String {
    serde_json::to_string(&writing::Document::of(snapshot)).expect("strings, integers and lists always serialise")
}

/// The same, topic by topic, into anything: buffer it.
pub fn write_to(snapshot: &Snapshot, out: impl std::io::Write) -> std::io::Result<()> {
    serde_json::to_writer(out, &writing::Document::of(snapshot)).map_err(std::io::Error::from)
}

fn wrong_format(format: &str) -> SnapshotError {
    SnapshotError::at("format", format!("\"{format}\" is not \"{FORMAT}\""))
}

#[cfg(test)]
mod tests;
