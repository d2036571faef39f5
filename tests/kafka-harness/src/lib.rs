//! Real Kafka clusters for tests: starts, breaks and stops brokers, makes topics, produces and reads back. Development only; must
//! not be imported by anything that ships.
//!
//! The recipe for the cluster itself is `tests/kafka-cluster/cluster.sh`, which can be used by hand as well.

mod contract;
mod real_cluster;
mod topics;
mod traffic;

pub use contract::RealClusterUnderTest;
pub use real_cluster::{Options, RealCluster};
pub use traffic::{BackgroundConsumer, BackgroundProducer, Record, Sent};

/// Whether tests on real brokers can run here. Says loudly why not; where they must run (`CI` is set) that is a failure.
#[expect(clippy::disallowed_methods, reason = "whether tests may be skipped is for the environment to say")]
pub fn real_brokers_are_available() -> bool {
    match RealCluster::available() {
        Ok(()) => true,
        Err(cause) if std::env::var("CI").is_ok() => panic!("real brokers cannot be started: {cause}"),
        Err(cause) => {
            eprintln!("SKIPPED, nothing was tested: real brokers cannot be started: {cause}");
            false
        }
    }
}
