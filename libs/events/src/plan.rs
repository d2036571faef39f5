//! What the Analyzer records: plans, which never change once drafted. Must not know tasks.

use std::sync::Arc;

use ballast_cluster::{BrokerId, TopicPartition};
use ballast_planner::{Limits, Outcome};

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
        /// `None` in plans recorded before inputs were (stored as chunks).
        input: Option<Arc<PlanInput>>,
        outcome: Arc<Outcome>,
    },
}

/// What a plan was made from, beside its goal's kind, brokers and band, its seed and its snapshot.
#[derive(Clone, PartialEq, Debug)]
pub struct PlanInput {
    /// The lists that a topic goal asked for.
    pub targets: Vec<(TopicPartition, Vec<BrokerId>)>,
    /// With the topics that the patterns matched. The number of threads is not recorded: it changes nothing in the plan.
    pub limits: Limits,
    pub patterns: TopicPatterns,
    /// Of all replicas in the snapshot: what the plan's bytes are measured by.
    pub data_bytes: u64,
}

/// The regular expressions for topics in a plan's limits, as they were asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TopicPatterns {
    pub exclude: Vec<String>,
    pub only: Vec<String>,
    /// Each with the least leaders per broker.
    pub leaders_min: Vec<(String, u32)>,
}
