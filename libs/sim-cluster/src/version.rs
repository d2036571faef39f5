//! What differs between Kafka versions, as questions. Must not know who asks.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Debug)]
pub struct KafkaVersion {
    pub major: u32,
    pub minor: u32,
}

impl KafkaVersion {
    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }

    /// DescribeCluster names fenced brokers too.
    pub fn lists_fenced_brokers(self) -> bool {
        self >= Self::new(4, 0)
    }

    /// The request can forbid a change of the replication factor.
    pub fn guards_replication_factor(self) -> bool {
        self >= Self::new(4, 1)
    }

    /// A partition that lost its last in-sync replica shows an empty in-sync set; before it shows the last leader.
    pub fn empties_in_sync_set(self) -> bool {
        self >= Self::new(4, 1)
    }

    /// Brokers and their directories can be cordoned.
    pub fn can_cordon(self) -> bool {
        self >= Self::new(4, 3)
    }

    /// A reassignment completes when the added replicas are in sync; before, all of the target have to be.
    pub fn completes_when_added_are_in_sync(self) -> bool {
        self >= Self::new(4, 3)
    }
}
