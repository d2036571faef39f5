//! What a task is made of, fixed when it is accepted: the partitions as they were and the steps in start order. Must not know
//! how far they have come.

use ballast_cluster::{BrokerId, TopicPartition};

/// Everything a task was accepted with. Steps are data, not code: a newer binary carries out the same ones.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TaskBody {
    pub partitions: Vec<RecordedPartition>,
    pub steps: Vec<StepPlan>,
}

/// A partition as it was before the task touched it: what a rollback restores.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordedPartition {
    pub at: TopicPartition,
    pub topic_id: Option<String>,
    /// The replica list in its order.
    pub replicas: Vec<BrokerId>,
    pub leader: Option<BrokerId>,
    /// The list that the task is to reach; it shall be led by its first broker.
    pub target: Vec<BrokerId>,
}

/// The smallest observable part of a task. Steps of one partition run in the order of their index.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StepPlan {
    /// Place in the task, from 0; steps added by a rollback go on counting.
    pub index: u32,
    pub at: TopicPartition,
    pub topic_id: Option<String>,
    pub kind: StepKind,
    /// Data to copy: size of the partition times the brokers that get a copy.
    pub bytes: u64,
    /// Set on steps that take a partition back.
    pub is_undo: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StepKind {
    /// Ask for one replica list: `to` replaces `from`, which is what the partition must have before.
    Move { from: Vec<BrokerId>, to: Vec<BrokerId> },
    /// Make `leader`, the first of the list by then, lead.
    Elect { leader: BrokerId },
}

impl StepPlan {
    /// Brokers that get a copy.
    pub fn adding(&self) -> Vec<BrokerId> {
        match &self.kind {
            StepKind::Move { from, to } => to.iter().filter(|broker| !from.contains(broker)).copied().collect(),
            StepKind::Elect { .. } => Vec::new(),
        }
    }

    pub fn copies_data(&self) -> bool {
        !self.adding().is_empty()
    }
}
