//! What a Kafka cluster is, in plain data: ids, brokers, topics, partitions, loads, snapshots and the lists to move between.
//!
//! Must not know: how a cluster is observed (Monitor), how targets are chosen (planner), how they are reached (Task Manager),
//! or any wire or disk format. Floor 0: no I/O, no clock, no randomness.

mod admission;
mod difference;
mod identity;
mod reassignment;
mod snapshot;
mod waypoints;

pub use admission::{Admission, Grant, StepKey};
pub use difference::{Change, diff};
pub use identity::{BrokerId, Timestamp, TopicPartition};
pub use reassignment::Reassignment;
pub use snapshot::{Broker, BrokerState, Capacity, Load, LogDir, LogDirState, Partition, Snapshot, Topic};
pub use waypoints::waypoints;
