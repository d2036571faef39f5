//! The file format `ballast.snapshot.v1`: read with every refusal naming its place, written with every field present.
//!
//! Must not know who observes clusters or plans on them. The serde types in `document` are twins of `ballast-cluster`'s.

mod check;
mod document;
mod file;

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
    let document: document::Document = match serde_json::from_slice(bytes) {
        Ok(document) => document,
        Err(error) => {
            // Another format has other keys: say that, rather than stumble over the first of them.
            if let Ok(document::Header { format: Some(other) }) = serde_json::from_slice(bytes)
                && other != FORMAT
            {
                return Err(wrong_format(&other));
            }
            let (line, column) = (error.line(), error.column());
            let text = error.to_string();
            let problem = text.split(" at line ").next().unwrap_or(&text).to_owned();
            return Err(SnapshotError::Syntax { line, column, problem });
        }
    };
    if document.format != FORMAT {
        return Err(wrong_format(&document.format));
    }
    let mut snapshot = document.into_snapshot()?;
    snapshot.sort();
    check::check(&snapshot)?;
    document::settle(&mut snapshot);
    check::check_capacity(&snapshot)?;
    Ok(snapshot)
}

/// Compact JSON, every field present, in the order of the contract. Brokers that lists name but that are not registered are
/// written as dead ones, so that what is written can be read.
pub fn write(snapshot: &Snapshot) -> String {
    serde_json::to_string(&document::Written::of(snapshot)).expect("strings, integers and lists always serialise")
}

/// The same, topic by topic, into anything: buffer it.
pub fn write_to(snapshot: &Snapshot, out: impl std::io::Write) -> std::io::Result<()> {
    serde_json::to_writer(out, &document::Written::of(snapshot)).map_err(std::io::Error::from)
}

fn wrong_format(format: &str) -> SnapshotError {
    SnapshotError::at("format", format!("\"{format}\" is not \"{FORMAT}\""))
}

#[cfg(test)]
mod tests;
