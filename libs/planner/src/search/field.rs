//! Brokers as a search weighs them: load, band and scale side by side in floating point, and how far outside the band a load is.
//! Must not know replicas or rules. Loads are whole numbers below 2^53 in any real cluster, so nothing here rounds.

use super::scope::Scope;
use crate::band::{Edges, failure_room};
use crate::model::{Loads, Model};

/// One number per resource.
pub(super) type Vector = [f64; 4];

pub(super) fn vector(load: &Loads) -> Vector {
    load.map(|x| x as f64)
}

/// One broker.
#[derive(Clone, Copy)]
pub(super) struct Cell {
    pub load: Vector,
    low: Vector,
    high: Vector,
    /// Turns load into a share of the mean; 0 where no band applies.
    scale: Vector,
}

impl Cell {
    /// How far outside the band, summed over resources: in shares of the mean, and its square on top so that the furthest comes first.
    pub fn penalty(&self) -> f64 {
        self.penalty_at(&self.load)
    }

    pub fn penalty_at(&self, load: &Vector) -> f64 {
        let mut sum = 0.0;
        for (r, load) in load.iter().enumerate() {
            let distance = (load - self.high[r]).max(self.low[r] - load).max(0.0) * self.scale[r];
            sum += distance + SQUARE_WEIGHT * distance * distance;
        }
        sum
    }

    /// The penalty with `more` added.
    pub fn penalty_with(&self, more: &Vector) -> f64 {
        let load = [0, 1, 2, 3].map(|r| self.load[r] + more[r]);
        self.penalty_at(&load)
    }

    /// The penalty with `less` taken away.
    pub fn penalty_without(&self, less: &Vector) -> f64 {
        let load = [0, 1, 2, 3].map(|r| self.load[r] - less[r]);
        self.penalty_at(&load)
    }

    /// `load` as shares of the mean, summed.
    pub fn weight(&self, load: &Vector) -> f64 {
        (0..4).map(|r| load[r] * self.scale[r]).sum()
    }

    /// How much further down the broker is than the middle of the band, as shares of the mean, weighted by `load`.
    pub fn room_for(&self, load: &Vector) -> f64 {
        (0..4).map(|r| (1.0 - self.load[r] * self.scale[r]) * load[r] * self.scale[r]).sum()
    }

    pub fn is_over(&self, r: usize) -> bool {
        self.load[r] > self.high[r]
    }

    pub fn is_under(&self, r: usize) -> bool {
        self.load[r] < self.low[r]
    }

    /// Load as a share of the mean.
    pub fn share(&self, r: usize) -> f64 {
        self.load[r] * self.scale[r]
    }
}

/// Covers the rounding of an edge, and no whole unit of any load.
const WHISKER: f64 = 1e-14;

/// Distance counts once, its square this much on top.
const SQUARE_WEIGHT: f64 = 0.5;

pub(super) fn cells(model: &Model<'_>, edges: &Edges, load: &[Loads], scope: &Scope) -> Vec<Cell> {
    let room = failure_room(model, scope.failure_room());
    let cell = |(at, load): (usize, &Loads)| {
        let (scale, width) = (edges.scale[at], f64::from(model.goal.band.parts_per_million) / 1e6 * scope.band_share());
        // Not the rounded edges: units must not show. A whisker wider, so that what is inside exactly is inside here.
        let edge = |r: usize, factor: f64, none: f64| if scale[r] > 0.0 { factor / scale[r] } else { none };
        let low = [0, 1, 2, 3].map(|r| edge(r, (1.0 - width) * (1.0 - WHISKER), 0.0));
        // Where the capacity limit is nearer than the band it is the edge.
        let limit = |r: usize| (room.as_ref().map_or(model.brokers[at].limit[r], |room| room[at][r]) as f64).max(low[r]);
        let high = [0, 1, 2, 3].map(|r| edge(r, (1.0 + width) * (1.0 + WHISKER), f64::MAX).min(limit(r)));
        Cell { load: vector(load), low, high, scale }
    };
    load.iter().enumerate().map(cell).collect()
}
