//! A Kafka cluster in memory behind the `KafkaAdmin` port, on a virtual clock, with Kafka's rules for replica lists, leaders, in-sync
//! sets, throttles and failures as live clusters of several versions showed them. Must not know Ballast's services.
//!
//! The cluster advances in ticks of 100 ms whenever it is asked something; between calls it costs nothing. Its data plane is
//! reduced to byte counts: records are all 1000 bytes, so offsets are bytes divided by 1000.

mod admin;
mod answers;
mod builder;
mod configs;
mod controller;
mod dice;
mod faults;
mod handle;
mod limiter;
mod load;
mod log_dirs;
mod registration;
mod replication;
mod state;
mod version;
mod world;

pub use builder::SimOptions;
pub use faults::{Call, Fault, Mishap};
pub use handle::SimCluster;
pub use state::RestoreError;
pub use version::KafkaVersion;
