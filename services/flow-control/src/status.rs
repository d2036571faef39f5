//! What one governor knows at the moment, for answers and metrics. Must not know how it is shown.

use std::collections::BTreeMap;

use ballast_cluster::{BrokerId, Timestamp};
use ballast_throttle::{BrokerUse, Rate};

/// Published after every look at the cluster.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Status {
    /// Place in the log of the last event that it reflects.
    pub folded_until: u64,
    pub frozen: bool,
    pub rate_max: Option<Rate>,
    /// When the loads were measured that the limits were decided on.
    pub sampled_at: Option<Timestamp>,
    /// Every broker that has a limit, a debt or a part in a copy, and every live one by its use.
    pub brokers: BTreeMap<BrokerId, BrokerStatus>,
    /// Steps that wait, by reason code.
    pub withheld: BTreeMap<String, u64>,
    /// Limits and listed steps of ours that nothing needs any more and that are not gone yet, debts included.
    pub stale_throttles: u64,
    /// Since this process started: ramps begun, steps granted.
    pub ramps_total: u64,
    pub grants_total: u64,
    /// The last thing that Kafka did not do; `None` since all went well.
    pub last_error: Option<String>,
}

/// Bytes per second throughout.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct BrokerStatus {
    /// The limit of ours that was written last.
    pub limit: Option<Rate>,
    /// Where its ramp ends.
    pub target: Option<Rate>,
    pub is_ramping: bool,
    /// Somebody else's limit, as configured.
    pub foreign: Option<String>,
    pub is_owed: bool,
    pub counted: u64,
    pub floor: u64,
    pub used: BrokerUse,
    pub headroom_in: u64,
    pub headroom_out: u64,
    pub reason: String,
}

impl BrokerStatus {
    /// Share of the outgoing capacity that users take and the limit allows to copies; `None` where the capacity is unknown.
    pub fn utilization_ratio(&self) -> Option<f64> {
        let copies = self.limit.map_or(0, |limit| limit.bytes_per_second.saturating_sub(self.counted));
        let taken = self.used.user_out.saturating_add(copies);
        (self.used.capacity_out > 0).then(|| taken as f64 / self.used.capacity_out as f64)
    }

    /// Whether there is more to say about the broker than its use.
    pub fn takes_part(&self) -> bool {
        self.limit.is_some() || self.foreign.is_some() || self.is_owed || self.floor > 0
    }
}
