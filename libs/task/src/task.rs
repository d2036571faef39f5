//! A task as its events tell it: the fold's result. Must not know how it changes (see `apply`) or what is due (see `next`).

use std::collections::BTreeMap;
use std::sync::Arc;

use ballast_cluster::{BrokerId, StepKey, Timestamp, TopicPartition};

use crate::{CancelMode, RecordedPartition, StepKind, StepPlan, TaskBody, TaskState};

#[derive(Clone, PartialEq, Debug)]
pub struct Task {
    pub id: String,
    pub cluster: String,
    pub plan: String,
    /// Rank of the chosen alternative.
    pub alternative: u32,
    pub goal: String,
    pub brokers: Vec<BrokerId>,
    /// The finished task that this one undoes.
    pub rolls_back: Option<String>,
    pub body: Arc<TaskBody>,
    pub phase: Phase,
    /// When the phase began.
    pub since: Timestamp,
    /// Those of the body, then those of its rollback; a step's index is its place here.
    pub steps: Vec<Step>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Waits for approval.
    Proposed,
    /// Accepted, nothing done yet.
    Queued,
    Active(Activity),
    Paused,
    /// The activity goes on where it can; `step` cannot without an operator.
    NeedsOperator {
        interrupted: Activity,
        step: Option<u32>,
        reason_code: String,
        detail: String,
    },
    Ended {
        state: TaskState,
        reason_code: String,
        detail: String,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Activity {
    Running,
    Pausing,
    Revalidating,
    Cancelling(CancelMode),
    RollingBack,
    Verifying,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Step {
    pub plan: StepPlan,
    /// From 1.
    pub attempt: u32,
    /// Attempts that Kafka refused or lost since an operator last looked.
    pub failures: u32,
    pub state: StepState,
    /// When the state began.
    pub since: Timestamp,
    pub waiting: Option<Waiting>,
    /// An attempt that is over may have reached Kafka.
    pub was_asked: bool,
    /// An operator vouched for it.
    pub vouched: bool,
}

/// Why a step does not go on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Waiting {
    pub reason_code: String,
    pub detail: String,
    pub since: Timestamp,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StepState {
    /// Not before `not_before`, where an attempt failed.
    Pending {
        not_before: Option<Timestamp>,
    },
    /// Due; waits for its admission.
    Ready,
    /// Recorded; asked of Kafka now, or just before a crash.
    Intended(Intent),
    /// Asked of Kafka without an answer.
    Unknown(Intent),
    /// Kafka has it and works on it.
    Issued(Intent),
    /// Being taken back to the list before it.
    Reverting(Intent),
    /// `applied`: we asked for it; else it was found done.
    Succeeded {
        applied: bool,
    },
    Skipped {
        reason_code: String,
    },
    Reverted,
    Failed {
        reason_code: String,
    },
}

/// What an attempt recorded before it acted: how to take it back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Intent {
    pub before: Vec<BrokerId>,
    pub leader_before: Option<BrokerId>,
    pub at: Timestamp,
}

impl Phase {
    /// What is being done, also while an operator is needed.
    pub fn activity(&self) -> Option<Activity> {
        match self {
            Phase::Active(activity) | Phase::NeedsOperator { interrupted: activity, .. } => Some(*activity),
            Phase::Proposed | Phase::Queued | Phase::Paused | Phase::Ended { .. } => None,
        }
    }

    /// The state as the contract spells it.
    pub fn state(&self) -> TaskState {
        match self {
            Phase::Proposed => TaskState::Proposed,
            Phase::Queued => TaskState::Queued,
            Phase::Paused => TaskState::Paused,
            Phase::NeedsOperator { .. } => TaskState::NeedsOperator,
            Phase::Ended { state, .. } => *state,
            Phase::Active(activity) => match activity {
                Activity::Running => TaskState::Running,
                Activity::Pausing => TaskState::Pausing,
                Activity::Revalidating => TaskState::Revalidating,
                Activity::Cancelling(_) => TaskState::Cancelling,
                Activity::RollingBack => TaskState::RollingBack,
                Activity::Verifying => TaskState::Verifying,
            },
        }
    }
}

impl StepState {
    /// Nothing happens to the step any more.
    pub fn is_over(&self) -> bool {
        use StepState::{Failed, Reverted, Skipped, Succeeded};
        matches!(self, Succeeded { .. } | Skipped { .. } | Reverted | Failed { .. })
    }

    /// Kafka has been asked, or may have been.
    pub fn is_in_flight(&self) -> bool {
        self.intent().is_some()
    }

    pub fn intent(&self) -> Option<&Intent> {
        use StepState::{Intended, Issued, Reverting, Unknown};
        match self {
            Intended(intent) | Unknown(intent) | Issued(intent) | Reverting(intent) => Some(intent),
            _ => None,
        }
    }

    /// It holds a place among the moves in flight: admitted or asking for it.
    pub fn holds_a_place(&self) -> bool {
        matches!(self, StepState::Ready) || self.is_in_flight()
    }

    /// Short name as clients see it. That a ready step is admitted is Flow Control's to say.
    pub fn name(&self) -> &'static str {
        match self {
            StepState::Pending { .. } => "PENDING",
            StepState::Ready => "READY",
            StepState::Intended(_) => "INTENDED",
            StepState::Unknown(_) => "UNKNOWN",
            StepState::Issued(_) => "ISSUED",
            StepState::Reverting(_) => "REVERTING",
            StepState::Succeeded { .. } => "SUCCEEDED",
            StepState::Skipped { .. } => "SKIPPED",
            StepState::Reverted => "REVERTED",
            StepState::Failed { .. } => "FAILED",
        }
    }
}

impl Step {
    pub fn new(plan: StepPlan, at: Timestamp) -> Self {
        let state = StepState::Pending { not_before: None };
        Self { plan, attempt: 1, failures: 0, state, since: at, waiting: None, was_asked: false, vouched: false }
    }

    pub fn succeeded(&self) -> bool {
        matches!(self.state, StepState::Succeeded { .. })
    }

    /// Done at our asking.
    pub fn was_applied(&self) -> bool {
        matches!(self.state, StepState::Succeeded { applied: true })
    }
}

/// Sums over a task's steps.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    pub steps: u64,
    pub succeeded: u64,
    pub skipped: u64,
    pub reverted: u64,
    pub failed: u64,
    /// Steps in flight that copy data.
    pub moves_in_flight: u64,
    pub bytes: u64,
    /// Of succeeded steps only; what moves in flight have copied is measured, not recorded.
    pub bytes_done: u64,
}

impl Task {
    pub fn state(&self) -> TaskState {
        self.phase.state()
    }

    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Ended { .. })
    }

    /// It goes back: its own steps are over, those of its rollback are what is left.
    pub fn has_turned_back(&self) -> bool {
        self.steps.last().is_some_and(|step| step.plan.is_undo)
    }

    pub fn step(&self, index: u32) -> Option<&Step> {
        self.steps.get(index as usize)
    }

    pub fn key(&self, step: &Step) -> StepKey {
        StepKey { task: self.id.clone(), step: step.plan.index, attempt: step.attempt }
    }

    /// All steps by partition, each partition's in their order.
    pub(crate) fn by_partition(&self) -> BTreeMap<&TopicPartition, Vec<&Step>> {
        let mut steps: BTreeMap<&TopicPartition, Vec<&Step>> = BTreeMap::new();
        for step in &self.steps {
            steps.entry(&step.plan.at).or_default().push(step);
        }
        steps
    }

    /// Whether anything of the cluster was changed for good.
    pub fn applied_anything(&self) -> bool {
        self.steps.iter().any(Step::was_applied)
    }

    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for step in &self.steps {
            totals.steps += 1;
            totals.bytes += step.plan.bytes;
            totals.moves_in_flight += u64::from(step.state.is_in_flight() && step.plan.copies_data());
            match step.state {
                StepState::Succeeded { .. } => {
                    totals.succeeded += 1;
                    totals.bytes_done += step.plan.bytes;
                }
                StepState::Skipped { .. } => totals.skipped += 1,
                StepState::Reverted => totals.reverted += 1,
                StepState::Failed { .. } => totals.failed += 1,
                _ => {}
            }
        }
        totals
    }
}

/// The list that those of its steps that are done leave a partition with.
pub(crate) fn list_reached<'a>(steps: &[&'a Step], recorded: &'a RecordedPartition) -> &'a [BrokerId] {
    let moved = steps.iter().rev().find_map(|step| match &step.plan.kind {
        StepKind::Move { to, .. } if step.succeeded() => Some(to.as_slice()),
        _ => None,
    });
    moved.unwrap_or(&recorded.replicas)
}
