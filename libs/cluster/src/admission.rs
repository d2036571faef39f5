//! May this step start now: the answer of Flow Control in the form that the executor reads. Must not know rates or brokers.

use std::collections::BTreeMap;

use crate::Timestamp;

/// One attempt at one step of one task. A new attempt needs a new admission.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StepKey {
    pub task: String,
    /// Place of the step in its task, from 0.
    pub step: u32,
    pub attempt: u32,
}

/// Leave to start, good until `expires_at`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Grant {
    /// Sequence of the Flow Control start that granted it: a later start voids what was not used.
    pub epoch: u64,
    pub expires_at: Timestamp,
}

/// All grants that stand.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Admission {
    pub frozen: bool,
    pub grants: BTreeMap<StepKey, Grant>,
}

impl Admission {
    /// The grant for `step` if it stands at `now`.
    pub fn grant(&self, step: &StepKey, now: Timestamp) -> Option<Grant> {
        self.grants.get(step).copied().filter(|grant| grant.expires_at > now)
    }
}
