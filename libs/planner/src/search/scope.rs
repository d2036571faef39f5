//! What a search may change: which partitions, and between which brokers. Must not know what pays.

use crate::model::{Model, NOBODY};
use crate::placement::Placement;

pub(crate) struct Scope {
    /// Per partition: whether replicas may move.
    pub replicas: Vec<bool>,
    /// Per partition: whether leadership may move.
    pub leadership: Vec<bool>,
    /// Expand: only these take, and only from the others.
    fills: Option<Vec<bool>>,
}

impl Scope {
    pub fn rebalance(model: &Model<'_>, placement: &Placement) -> Scope {
        let replicas = (0..model.partitions.len()).map(|partition| is_whole(model, placement, partition)).collect();
        Scope { replicas, leadership: led(model, placement), fills: None }
    }

    /// Leadership of the chosen partitions, nothing copied.
    pub fn leadership(model: &Model<'_>, chosen: impl Fn(usize) -> bool) -> Scope {
        let count = model.partitions.len();
        let leadership = (0..count).map(|partition| !model.partitions[partition].is_fixed() && chosen(partition)).collect();
        Scope { replicas: vec![false; count], leadership, fills: None }
    }

    pub fn expand(model: &Model<'_>, placement: &Placement) -> Scope {
        let fills = model.brokers.iter().map(|broker| broker.named).collect();
        Scope { fills: Some(fills), ..Scope::rebalance(model, placement) }
    }

    pub fn may_take(&self, from: u32, to: u32) -> bool {
        self.fills.as_ref().is_none_or(|fills| fills[to as usize] && !fills[from as usize])
    }

    /// Whether replicas may be exchanged: expand moves nothing between old brokers.
    pub fn may_exchange(&self) -> bool {
        self.fills.is_none()
    }
}

fn led(model: &Model<'_>, placement: &Placement) -> Vec<bool> {
    (0..model.partitions.len())
        .map(|partition| !model.partitions[partition].is_fixed() && placement.leader[partition] != NOBODY)
        .collect()
}

/// Led, with every replica on a live broker of its group: only then does a move neither keep a dead replica nor shift the mean.
fn is_whole(model: &Model<'_>, placement: &Placement, partition: usize) -> bool {
    let group = model.group_of(partition);
    !model.partitions[partition].is_fixed()
        && placement.leader[partition] != NOBODY
        && placement.list(model, partition).iter().all(|&broker| !model.is_dead(broker) && model.broker(broker).group == group)
}
