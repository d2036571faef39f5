//! The states of a task, as the contract spells them. Must not know what moves a task from one to the next (see `apply`).

use std::fmt;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum TaskState {
    Proposed,
    Queued,
    Running,
    Pausing,
    Paused,
    Revalidating,
    Cancelling,
    RollingBack,
    NeedsOperator,
    Verifying,
    Succeeded,
    PartiallyApplied,
    Cancelled,
    RolledBack,
    Failed,
    Rejected,
    Expired,
    Superseded,
}

impl TaskState {
    pub const ALL: [TaskState; 18] = [
        Self::Proposed,
        Self::Queued,
        Self::Running,
        Self::Pausing,
        Self::Paused,
        Self::Revalidating,
        Self::Cancelling,
        Self::RollingBack,
        Self::NeedsOperator,
        Self::Verifying,
        Self::Succeeded,
        Self::PartiallyApplied,
        Self::Cancelled,
        Self::RolledBack,
        Self::Failed,
        Self::Rejected,
        Self::Expired,
        Self::Superseded,
    ];

    /// Nothing happens to a task in an end state any more.
    pub fn is_end(self) -> bool {
        use TaskState::{Cancelled, Expired, Failed, PartiallyApplied, Rejected, RolledBack, Succeeded, Superseded};
        matches!(self, Succeeded | PartiallyApplied | Cancelled | RolledBack | Failed | Rejected | Expired | Superseded)
    }

    /// The spelling of the contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::Proposed => "PROPOSED",
            Self::Queued => "QUEUED",
            Self::Running => "RUNNING",
            Self::Pausing => "PAUSING",
            Self::Paused => "PAUSED",
            Self::Revalidating => "REVALIDATING",
            Self::Cancelling => "CANCELLING",
            Self::RollingBack => "ROLLING_BACK",
            Self::NeedsOperator => "NEEDS_OPERATOR",
            Self::Verifying => "VERIFYING",
            Self::Succeeded => "SUCCEEDED",
            Self::PartiallyApplied => "PARTIALLY_APPLIED",
            Self::Cancelled => "CANCELLED",
            Self::RolledBack => "ROLLED_BACK",
            Self::Failed => "FAILED",
            Self::Rejected => "REJECTED",
            Self::Expired => "EXPIRED",
            Self::Superseded => "SUPERSEDED",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

impl fmt::Display for TaskState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// What becomes of moves in flight and of finished ones when a task is cancelled.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CancelMode {
    /// Moves in flight finish, nothing new starts.
    FinishStep,
    /// Moves in flight go back to their recorded lists, finished ones stay.
    StopNow,
    /// Moves in flight and finished ones go back to the recorded lists, their order and leaders.
    RollBack,
}
