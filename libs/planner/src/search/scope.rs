//! What a search may change: which partitions, and between which brokers. Must not know what pays.

use crate::FailureRoom;
use crate::model::{Model, NOBODY};
use crate::placement::Placement;

#[derive(Clone)]
pub(crate) struct Scope {
    /// Per partition: whether replicas may move, whether leadership may.
    partitions: Vec<[bool; 2]>,
    moves_replicas: bool,
    /// Expand: only these take, and only from the others.
    fills: Option<Fills>,
    /// The band aimed at, as a share of the goal's.
    band_share: f64,
    failure_room: FailureRoom,
}

#[derive(Clone)]
struct Fills {
    named: Vec<u32>,
    /// Per broker.
    is_named: Vec<bool>,
}

impl Scope {
    pub fn rebalance(model: &Model<'_>, placement: &Placement) -> Scope {
        let partition = |partition: usize| {
            let led = !model.partitions[partition].is_fixed() && placement.leader[partition] != NOBODY;
            let moves = led && !model.partitions[partition].still;
            [moves && is_whole(model, placement, partition), moves]
        };
        Scope { partitions: (0..model.partitions.len()).map(partition).collect(), moves_replicas: true, ..Scope::plain(model) }
    }

    /// Leadership of the chosen partitions, nothing copied.
    pub fn leadership(model: &Model<'_>, chosen: impl Fn(usize) -> bool) -> Scope {
        let partition = |partition: usize| {
            [false, !model.partitions[partition].is_fixed() && !model.partitions[partition].still && chosen(partition)]
        };
        Scope { partitions: (0..model.partitions.len()).map(partition).collect(), moves_replicas: false, ..Scope::plain(model) }
    }

    pub fn expand(model: &Model<'_>, placement: &Placement) -> Scope {
        let is_named: Vec<bool> = model.brokers.iter().map(|broker| broker.named).collect();
        let named = (0..model.brokers.len() as u32).filter(|&broker| is_named[broker as usize]).collect();
        let fills = Fills { named, is_named };
        Scope { fills: Some(fills), ..Scope::rebalance(model, placement) }
    }

    fn plain(model: &Model<'_>) -> Scope {
        let failure_room = model.limits.failure_room;
        Scope { partitions: Vec::new(), moves_replicas: false, fills: None, band_share: 1.0, failure_room }
    }

    /// The same, aiming at a narrower band.
    pub fn tighter(&self) -> Scope {
        Scope { band_share: 0.5, ..self.clone() }
    }

    /// The same, leaving room for a broker's failure.
    pub fn with_failure_room(&self) -> Scope {
        Scope { failure_room: self.failure_room.max(FailureRoom::Broker), ..self.clone() }
    }

    pub fn band_share(&self) -> f64 {
        self.band_share
    }

    pub fn failure_room(&self) -> FailureRoom {
        self.failure_room
    }

    pub fn moves_replicas(&self) -> bool {
        self.moves_replicas
    }

    pub fn may_move(&self, partition: usize) -> bool {
        self.partitions[partition][0]
    }

    pub fn may_lead_elsewhere(&self, partition: usize) -> bool {
        self.partitions[partition][1]
    }

    pub fn may_take(&self, from: u32, to: u32) -> bool {
        self.fills.as_ref().is_none_or(|fills| fills.is_named[to as usize] && !fills.is_named[from as usize])
    }

    /// The only brokers that take, where not all may.
    pub fn fills(&self) -> Option<&[u32]> {
        self.fills.as_ref().map(|fills| fills.named.as_slice())
    }

    /// Whether replicas may be exchanged: expand moves nothing between old brokers.
    pub fn may_exchange(&self) -> bool {
        self.fills.is_none()
    }
}

/// Led, with every replica on a live broker of its group: only then does a move neither keep a dead replica nor shift the mean.
fn is_whole(model: &Model<'_>, placement: &Placement, partition: usize) -> bool {
    let group = model.group_of(partition);
    placement.list(model, partition).iter().all(|&broker| !model.is_dead(broker) && model.broker(broker).group == group)
}
