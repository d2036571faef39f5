//! Turns a cluster snapshot and a goal into several ranked plans, with bounds that tell how good they are.
//!
//! Must not know: how Kafka is talked to, how a plan is carried out, any wire or disk format, the time. The same snapshot, goal,
//! limits and seed give the same outcome, whatever the order of the lists in the snapshot.
//!
//! The way of a plan: [`model`] (flat arrays) -> [`goals`] (what must change, on [`placement`]) -> [`search`] (what pays) ->
//! [`schedule`] (in which order) -> [`report`] (costs, balance, what is unmet) -> [`frontier`] (which alternatives are shown).

mod band;
mod bounds;
mod frontier;
mod goal;
mod goals;
mod model;
mod outcome;
mod placement;
mod potential;
mod reasons;
mod report;
mod rules;
mod schedule;
mod search;
mod unmet;
mod validation;

use ballast_cluster::Snapshot;

pub use goal::{Band, CapacityShares, EVALUATIONS_PER_SECOND, FailureRoom, Goal, GoalKind, Limits};
pub use outcome::{
    Alternative, Balance, Bounds, Cost, Label, Outcome, PerResource, Ratio, Resource, ResourceBalance, Unmet, UnmetGoal,
};
pub use validation::{GoalError, GoalErrorClass, refuse_live_evacuation, validate};

/// Plans `goal` on `snapshot`. Never fails: what cannot be done is named in each alternative's `unmet`. Call [`validate`] first:
/// brokers and partitions that the snapshot does not know are passed over here.
///
/// `seed` breaks ties between equally good brokers; everything else is decided by the snapshot.
pub fn plan(snapshot: &Snapshot, goal: &Goal, limits: &Limits, seed: u64) -> Outcome {
    plan_observed(snapshot, goal, limits, seed, &mut || ())
}

/// As [`plan`]; `first_valid` is called once, when the first plan that obeys every rule stands.
pub fn plan_observed(snapshot: &Snapshot, goal: &Goal, limits: &Limits, seed: u64, first_valid: &mut dyn FnMut()) -> Outcome {
    let model = model::Model::new(snapshot, goal, limits, seed);
    frontier::outcome(&model, goals::candidates(&model, first_valid))
}
