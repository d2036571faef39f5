//! Mishaps on the way between Ballast and the cluster, injected one by one or rolled by chance from the world's seed. Must not know
//! what the calls do.

use serde::{Deserialize, Serialize};

use crate::{configs::Alteration, dice::Dice};

/// The calls of the port that can go wrong.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub enum Call {
    DescribeCluster,
    Metadata,
    DescribeLogDirs,
    ListOffsets,
    ListReassignments,
    AlterReassignments,
    ElectLeaders,
    AlterConfigs,
    DescribeConfigs,
    DescribeQuorum,
    GroupOffsets,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub enum Mishap {
    /// No connection: nothing was sent.
    Unreachable,
    /// Sent and never received: a write is not applied and unknown.
    LoseRequest,
    /// Received and carried out, the answer is lost: a write is applied and unknown.
    LoseAnswer,
    /// Carried out so much later; the caller has given up by then when that is beyond its deadline.
    LateRequest { milliseconds: u64 },
    /// Carried out at once, answered so much later; beyond the deadline the caller has given up.
    LateAnswer { milliseconds: u64 },
    /// A write carried out twice; the second result is the answer.
    Duplicate,
}

/// The next `times` calls of this kind go wrong this way.
#[derive(Clone, Copy, Serialize, Deserialize, Debug)]
pub struct Fault {
    pub call: Call,
    pub mishap: Mishap,
    pub times: u32,
}

/// A write as data, so that it can arrive late.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub enum Write {
    Reassign(Vec<(String, u32, Option<Vec<i32>>)>),
    Elect(Vec<(String, u32)>),
    Configure(Vec<Alteration>),
}

#[derive(Clone, Serialize, Deserialize, Debug)]
pub struct Faults {
    queue: Vec<Fault>,
    /// Of a thousand calls, how many go wrong by chance.
    chance_per_mille: u64,
    dice: Dice,
}

impl Faults {
    pub fn seeded(seed: u64) -> Self {
        Self { queue: Vec::new(), chance_per_mille: 0, dice: Dice::seeded(seed) }
    }

    pub fn inject(&mut self, fault: Fault) {
        self.queue.push(fault);
    }

    pub fn set_chance(&mut self, per_mille: u64) {
        self.chance_per_mille = per_mille;
    }

    /// What happens to the next call of this kind.
    pub fn draw(&mut self, call: Call) -> Option<Mishap> {
        if let Some(fault) = self.queue.iter_mut().find(|fault| fault.call == call && fault.times > 0) {
            fault.times -= 1;
            let mishap = fault.mishap;
            self.queue.retain(|fault| fault.times > 0);
            return Some(mishap);
        }
        if self.chance_per_mille == 0 || self.dice.below(1_000) >= self.chance_per_mille {
            return None;
        }
        Some(match self.dice.below(6) {
            0 => Mishap::Unreachable,
            1 => Mishap::LoseRequest,
            2 => Mishap::LoseAnswer,
            3 => Mishap::LateRequest { milliseconds: 100 + self.dice.below(15_000) },
            4 => Mishap::LateAnswer { milliseconds: 100 + self.dice.below(15_000) },
            _ => Mishap::Duplicate,
        })
    }
}
