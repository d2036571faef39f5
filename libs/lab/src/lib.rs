//! Realistic clusters that nobody has to own: a [`Shape`] and its seed give the same snapshot on every machine.
//!
//! Must not know: what is planned on them, any file format, the time. Loads, sizes and partition counts are lognormal, brokers
//! come in classes, placement is skewed, and the hard rules hold at first: racks, groups
//! and, but for rare brokers, capacity limits.
//!
//! The way of a cluster: [`shape`] (what is wanted) -> [`fleet`] (brokers) -> [`traffic`] (topics and their loads) ->
//! [`placement`] (replicas and leaders), then [`change`] for what happens to it. All randomness comes from [`dice`].

mod change;
mod dice;
mod fleet;
mod placement;
mod shape;
mod traffic;

use ballast_cluster::{BrokerState, Snapshot};

pub use change::{kill, shift};
pub use shape::{Shape, ShapeError};

/// The cluster of a shape.
///
/// # Panics
/// When the shape contradicts itself: ask [`Shape::check`] first where it comes from outside.
pub fn cluster(shape: &Shape) -> Snapshot {
    if let Err(error) = shape.check() {
        panic!("{error}");
    }
    let mut dice = dice::Dice::new(shape.seed);
    let members = fleet::members(shape, &mut dice);
    let mut traffic = traffic::traffic(shape, &members, &mut dice);
    let mut snapshot = Snapshot {
        cluster: shape.name.clone(),
        sequence: 0,
        taken_at: None,
        brokers: members.iter().map(|member| member.broker(traffic.out_per_unit)).collect(),
        topics: std::mem::take(&mut traffic.topics),
    };
    placement::place(shape, &members, &traffic.replication, &mut snapshot, &mut dice);
    for member in &members {
        match member.fate {
            BrokerState::Dead => change::kill(&mut snapshot, member.id),
            // Both take effect on a cluster that was placed while they were alive.
            fate => snapshot.brokers[member.at].state = fate,
        }
    }
    snapshot
}
