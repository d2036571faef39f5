//! What a descent did, in order, so that a part of it can be carried out on its own. Must not know why.

use crate::model::Model;
use crate::placement::Placement;

/// In place of a slot: the step hands leadership on.
pub(super) const LEADERSHIP: u32 = u32::MAX;

struct Step {
    partition: u32,
    /// [`LEADERSHIP`] or the replica that moves.
    slot: u32,
    to: u32,
    /// Brokers of the group outside the band after this step; `u32::MAX` in the middle of an exchange.
    outside: u32,
    /// Bytes of the plan after this step.
    bytes: u64,
    /// Penalty of all brokers of the group after this step.
    penalty: f64,
}

pub(crate) struct Steps {
    start_penalty: f64,
    start_outside: u32,
    start_bytes: u64,
    made: Vec<Step>,
}

impl Steps {
    pub fn start(start_penalty: f64, start_outside: u32, start_bytes: u64) -> Self {
        Steps { start_penalty, start_outside, start_bytes, made: Vec::new() }
    }

    pub fn len(&self) -> usize {
        self.made.len()
    }

    pub fn penalty(&self) -> f64 {
        self.made.last().map_or(self.start_penalty, |step| step.penalty)
    }

    pub fn push(&mut self, partition: u32, slot: u32, to: u32, bytes: u64, penalty: f64, outside: u32) {
        self.made.push(Step { partition, slot, to, outside, bytes, penalty });
    }

    /// Marks the last step as the first half of an exchange, which is no place to stop.
    pub fn join_next(&mut self) {
        if let Some(last) = self.made.last_mut() {
            last.outside = u32::MAX;
        }
    }

    /// Brokers of the group outside the band at the end.
    pub fn outside(&self) -> u32 {
        self.made.last().map_or(self.start_outside, |step| step.outside)
    }

    /// How many steps come before the first that moves a replica.
    pub fn leadership(&self) -> usize {
        self.made.iter().take_while(|step| step.slot == LEADERSHIP).count()
    }

    /// Carries out the first `count` steps.
    pub fn replay(&self, model: &Model<'_>, placement: &mut Placement, count: usize) {
        for step in &self.made[..count] {
            match step.slot {
                LEADERSHIP => placement.lead(model, step.partition as usize, step.to),
                slot => placement.relocate(model, slot, step.to),
            }
        }
    }

    /// How many steps lead to the knee: where the share of brokers brought inside most exceeds the share of bytes spent. `None`
    /// where no such place saves at least a fifth of the bytes and brings at least nine tenths of the brokers inside.
    pub fn knee(&self) -> Option<usize> {
        let last = self.made.last()?;
        let (spent, helped) = (last.bytes.checked_sub(self.start_bytes)? as f64, self.start_outside.checked_sub(last.outside)?);
        if spent <= 0.0 || helped == 0 || self.start_outside < KNEE_BROKERS_MIN {
            return None;
        }
        let mut best: Option<(f64, usize)> = None;
        for (at, step) in self.made.iter().enumerate().filter(|(_, step)| step.outside <= self.start_outside) {
            let share = f64::from(self.start_outside - step.outside) / f64::from(helped);
            let bytes = step.bytes.saturating_sub(self.start_bytes) as f64 / spent;
            let is_knee = share >= KNEE_BENEFIT_SHARE_MIN && bytes <= KNEE_BYTES_SHARE_MAX;
            if is_knee && best.is_none_or(|(most, _)| share - bytes > most) {
                best = Some((share - bytes, at + 1));
            }
        }
        best.map(|(_, count)| count)
    }

    /// How many steps fit into this share of the bytes.
    pub fn within(&self, share: f64) -> usize {
        let end = self.made.last().map_or(self.start_bytes, |step| step.bytes);
        let cap = self.start_bytes + (end.saturating_sub(self.start_bytes) as f64 * share) as u64;
        let whole = |step: &Step| step.outside != u32::MAX && step.bytes <= cap;
        self.made.iter().rposition(whole).map_or(0, |at| at + 1)
    }
}

/// Fewer brokers have no curve to speak of.
const KNEE_BROKERS_MIN: u32 = 20;
const KNEE_BENEFIT_SHARE_MIN: f64 = 0.9;
const KNEE_BYTES_SHARE_MAX: f64 = 0.8;
