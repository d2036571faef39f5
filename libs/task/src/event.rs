//! Everything that can happen to a task and to its steps, as recorded facts. Must not know how they are stored.

use std::sync::Arc;

use ballast_cluster::BrokerId;

use crate::{CancelMode, StepPlan, TaskBody, TaskState};

/// Events of `task/<id>`: commands and totals.
#[derive(Clone, PartialEq, Debug)]
pub enum TaskEvent {
    Accepted {
        task: String,
        cluster: String,
        plan: String,
        /// Rank of the chosen alternative.
        alternative: u32,
        /// Kind of the plan's goal as the contract spells it; "rollback" for a task that rolls another back.
        goal: String,
        /// Brokers that the goal names.
        brokers: Vec<BrokerId>,
        approval_required: bool,
        /// The finished task that this one undoes.
        rolls_back: Option<String>,
        body: Arc<TaskBody>,
    },
    Approved,
    Rejected,
    /// Its first step may become ready.
    Started,
    PauseRequested,
    /// Nothing of ours is in flight any more.
    Paused,
    ResumeRequested,
    /// The world still is as the remaining steps expect.
    Revalidated,
    CancelRequested {
        mode: CancelMode,
    },
    /// Nothing is in flight; these steps take every touched partition back to its recorded list and leader.
    RollbackPlanned {
        steps: Vec<StepPlan>,
    },
    /// The verification found leaders that were lost meanwhile: these steps elect them again.
    StepsAdded {
        steps: Vec<StepPlan>,
    },
    /// It cannot go on alone.
    OperatorNeeded {
        step: Option<u32>,
        reason_code: String,
        detail: String,
    },
    /// What it needed an operator for went away by itself; the task goes on in the state it was in.
    OperatorNotNeeded,
    /// An operator decided; the task goes on in the state it was in.
    Decided {
        step: u32,
        decision: Decision,
    },
    /// All steps are over; the whole result is being compared with the cluster.
    VerificationStarted,
    /// `state` is an end state.
    Ended {
        state: TaskState,
        reason_code: String,
        detail: String,
    },
}

/// What an operator can decide about a step that needs one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Decision {
    /// Another attempt.
    Retry,
    /// Leave this step and the later ones of its partition undone.
    Skip,
    /// It is done, whatever was observed.
    MarkDone,
    /// Take back the whole task.
    RollBack,
    /// Stop here: the task ends as it stands.
    Abandon,
}

/// Events of `task/<id>/<n>`.
#[derive(Clone, PartialEq, Debug)]
pub struct StepEvent {
    pub task: String,
    pub step: u32,
    /// From 1; a retry is a new attempt with a new admission.
    pub attempt: u32,
    pub outcome: StepOutcome,
}

#[derive(Clone, PartialEq, Debug)]
pub enum StepOutcome {
    /// Due now; Flow Control may admit it. Carries what that takes: `present` are the brokers that have the data and may lead,
    /// `adding` the ones that get a copy (none for an election or a change of order).
    Ready { topic: String, partition: u32, present: Vec<BrokerId>, adding: Vec<BrokerId>, bytes: u64 },
    /// Cannot go on now; recorded when the reason changes.
    Waiting { reason_code: String, detail: String },
    /// What it waited for is there.
    WaitOver,
    /// What will be asked of Kafka, what must be true before, and how to take it back. Recorded before the call.
    Intended { target: Vec<BrokerId>, before: Vec<BrokerId>, leader_before: Option<BrokerId>, admission_epoch: u64 },
    /// Kafka took it, or was found to have it (`found`) after a call whose answer was lost or a restart.
    Issued { found: bool },
    /// The call was sent and not answered: only looking will tell.
    OutcomeUnknown { cause: String },
    /// No progress for the stall time.
    Stalled { seconds: u64 },
    /// Observed done.
    Succeeded { replicas: Vec<BrokerId>, in_sync: Vec<BrokerId>, leader: Option<BrokerId> },
    /// This attempt is over without effect and may be tried again.
    AttemptFailed { reason_code: String, detail: String },
    /// It will never be done: its topic is gone, its partition was skipped, or the task was cancelled before it started.
    Skipped { reason_code: String, detail: String },
    /// The move in flight will be cancelled and the list before it restored.
    RevertIntended { restore: Vec<BrokerId> },
    /// Observed back on the list before it.
    Reverted { replicas: Vec<BrokerId>, leader: Option<BrokerId> },
    /// It was left as it stands: its task was abandoned by an operator.
    Failed { reason_code: String, detail: String },
}

impl StepOutcome {
    /// Nothing happens to the step any more.
    pub fn ends_step(&self) -> bool {
        matches!(self, Self::Succeeded { .. } | Self::Skipped { .. } | Self::Reverted { .. } | Self::Failed { .. })
    }

    /// This attempt needs its admission and throttle no longer.
    pub fn ends_attempt(&self) -> bool {
        self.ends_step() || matches!(self, Self::AttemptFailed { .. })
    }
}

/// One event of either family, as the state of a task folds over them.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    Task(TaskEvent),
    Step(StepEvent),
}

impl TaskEvent {
    /// Short name, as in the event's type.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Started => "started",
            Self::PauseRequested => "pause-requested",
            Self::Paused => "paused",
            Self::ResumeRequested => "resume-requested",
            Self::Revalidated => "revalidated",
            Self::CancelRequested { .. } => "cancel-requested",
            Self::RollbackPlanned { .. } => "rollback-planned",
            Self::StepsAdded { .. } => "steps-added",
            Self::OperatorNeeded { .. } => "operator-needed",
            Self::OperatorNotNeeded => "operator-not-needed",
            Self::Decided { .. } => "decided",
            Self::VerificationStarted => "verification-started",
            Self::Ended { .. } => "ended",
        }
    }
}

impl StepOutcome {
    /// Short name, as in the event's type.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ready { .. } => "ready",
            Self::Waiting { .. } => "waiting",
            Self::WaitOver => "wait-over",
            Self::Intended { .. } => "intended",
            Self::Issued { .. } => "issued",
            Self::OutcomeUnknown { .. } => "outcome-unknown",
            Self::Stalled { .. } => "stalled",
            Self::Succeeded { .. } => "succeeded",
            Self::AttemptFailed { .. } => "attempt-failed",
            Self::Skipped { .. } => "skipped",
            Self::RevertIntended { .. } => "revert-intended",
            Self::Reverted { .. } => "reverted",
            Self::Failed { .. } => "failed",
        }
    }
}
