//! Why a data directory is not opened. Each refusal names the place and changes nothing in it.

use std::io;
use std::path::{Path, PathBuf};

use ballast_event_log::Damage;

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{} is in use by another process: stop it first, or choose another data directory", .0.display())]
    InUse(PathBuf),
    #[error("{} is not a data directory of Ballast: {found}", directory.display())]
    NotADataDirectory { directory: PathBuf, found: String },
    #[error("{} has format {found}; this version of Ballast knows formats up to {known}: use the version that wrote it", directory.display())]
    FormatNewer { directory: PathBuf, found: u32, known: u32 },
    /// Something cut the end of the log off after it had been acknowledged.
    #[error("the event log in {} ends at sequence {last}, but its head file says that {head} was acknowledged: restore a backup", directory.display())]
    ShorterThanHead { directory: PathBuf, head: u64, last: u64 },
    #[error("the event log in {} is damaged {damage}", directory.display())]
    Damaged { directory: PathBuf, damage: Damage },
    /// The storage underneath refused its own files, or they hold something else.
    #[error("the event log in {} is damaged: {what}", directory.display())]
    StorageDamaged { directory: PathBuf, what: String },
    #[error("cannot {doing} {}: {source}", path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
}

impl OpenError {
    /// The reason code under which a user sees this, from the catalogue in `proto/`.
    pub fn reason_code(&self) -> &'static str {
        match self {
            Self::InUse(_) => "DATA_DIR_IN_USE",
            Self::NotADataDirectory { .. } => "NOT_A_DATA_DIR",
            Self::FormatNewer { .. } => "LOG_FORMAT_NEWER",
            Self::ShorterThanHead { .. } => "LOG_SHORTER_THAN_HEAD",
            Self::Damaged { .. } | Self::StorageDamaged { .. } => "LOG_DAMAGED",
            Self::Io { .. } => "LOG_FAILED",
        }
    }
}

/// Says what was being done when an I/O error came.
pub(crate) fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.to_path_buf();
    move |source| OpenError::Io { doing, path, source }
}
