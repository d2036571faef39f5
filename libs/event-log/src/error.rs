//! How the log refuses or fails. Must not know engines' own errors beyond their text.

use ballast_events::StreamName;

use crate::Damage;

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LogError {
    /// Somebody wrote first: fold what was missed and decide again.
    #[error("stream {stream} is at version {actual}, not as expected ({expected})")]
    VersionConflict { stream: StreamName, expected: String, actual: u64 },
    /// Another process took the lease: this one must stop writing.
    #[error("epoch {epoch} is over: the lease was taken anew at sequence {current}")]
    EpochOver { epoch: u64, current: u64 },
    #[error("request id {id} was used before for another command: use a new id")]
    RequestIdConflict { id: String },
    #[error("an event of {bytes} bytes is above the limit of {limit}: split it into chunks")]
    TooLarge { bytes: usize, limit: usize },
    #[error("an append holds 1 to {limit} events, not {events}")]
    EventCount { events: usize, limit: usize },
    /// Too little room is left on the volume; reads and the closing of what runs go on.
    #[error("the volume of the event log has {free_bytes} bytes left, below the reserve of {reserve_bytes}: free some room")]
    VolumeFull { free_bytes: u64, reserve_bytes: u64 },
    #[error("the event log is damaged: {0}")]
    Damaged(Damage),
    /// Final: reopen the log.
    #[error("the event log failed and takes no more events: {0}")]
    Failed(String),
    #[error("the event log is closed")]
    Closed,
}

impl LogError {
    /// The reason code under which a client sees this, from the catalogue in `proto/`.
    pub fn reason_code(&self) -> &'static str {
        match self {
            Self::VersionConflict { .. } => "CONCURRENT_WRITES",
            Self::EpochOver { .. } => "NOT_ACTIVE",
            Self::RequestIdConflict { .. } => "REQUEST_ID_CONFLICT",
            // The writers cut what they append: one that does not is a defect.
            Self::TooLarge { .. } | Self::EventCount { .. } => "INTERNAL",
            Self::VolumeFull { .. } => "VOLUME_FULL",
            Self::Damaged(_) => "LOG_DAMAGED",
            Self::Failed(_) => "LOG_FAILED",
            Self::Closed => "DRAINING",
        }
    }
}
