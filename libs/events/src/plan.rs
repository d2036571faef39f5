//! What the Analyzer records: plans, which never change once drafted. Must not know tasks.

use std::sync::Arc;

use ballast_cluster::BrokerId;
use ballast_planner::Outcome;

use crate::ChunkSet;

#[derive(Clone, PartialEq, Debug)]
pub enum PlanEvent {
    /// The whole plan (stored as chunks), and the name of the snapshot it was made from, so that it can be made again from the
    /// same input.
    PlanDrafted {
        plan: String,
        base_sequence: u64,
        /// Kind of the goal as the contract spells it, e.g. "evacuate".
        goal: String,
        brokers: Vec<BrokerId>,
        seed: u64,
        /// The band of the goal in parts per million.
        band_parts_per_million: u32,
        /// In the stream of its hash.
        snapshot: ChunkSet,
        outcome: Arc<Outcome>,
    },
}
