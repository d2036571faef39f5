//! The whole control center on a simulated cluster and a log in memory, in one process on virtual time: a seed tells which brokers
//! die, what goes wrong on the wire, and at which appends the control center is lost and built anew. Must not know how services
//! do what they promise, only what they promise.

mod center;
mod dice;
mod judge;
mod mortal;
mod story;
mod witness;
mod world;

pub use story::{Told, tell};
