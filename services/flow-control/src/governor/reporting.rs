//! Publishes what the governor knows. Must not change anything.

use std::collections::BTreeMap;

use ballast_cluster::{BrokerId, Timestamp};
use ballast_throttle::{GoalClass, Rate};

use super::Governor;
use super::deciding::is_ramping;
use crate::status::{BrokerStatus, Status};
use crate::view::{Phase, View};

impl Governor {
    pub(super) fn publish(&mut self, now: Timestamp) {
        let seen = self.seen();
        let mut brokers: BTreeMap<BrokerId, BrokerStatus> = BTreeMap::new();
        if let Some(seen) = &seen {
            let sample = self.sample(Some(seen));
            for (&broker, &used) in &self.hands.used {
                let (headroom_in, headroom_out) = sample.headroom(&self.law, broker, GoalClass::Rebalance);
                brokers.insert(broker, BrokerStatus { used, headroom_in, headroom_out, ..BrokerStatus::default() });
            }
        }
        for (broker, decision) in &self.hands.decisions {
            let status = brokers.entry(*broker).or_default();
            (status.counted, status.floor) = (decision.counted, decision.floor);
            (status.headroom_in, status.headroom_out) = (decision.headroom_in, decision.headroom_out);
        }
        let view = self.view();
        for (broker, limit) in &view.limits {
            let status = brokers.entry(*broker).or_default();
            let written = self.last_written(*broker).map(Rate::new);
            (status.limit, status.target) = (Some(written.unwrap_or(limit.to)), Some(limit.to));
            (status.is_ramping, status.is_owed) = (is_ramping(limit, now) && !limit.is_owed, limit.is_owed);
            status.reason.clone_from(&limit.reason);
        }
        for (broker, value) in &view.foreign {
            brokers.entry(*broker).or_default().foreign = Some(value.clone());
        }
        let status = Status {
            folded_until: view.sequence,
            frozen: view.frozen,
            rate_max: view.rate_max,
            sampled_at: seen.and_then(|seen| seen.taken_at),
            brokers,
            withheld: withheld(view),
            stale_throttles: stale_throttles(view),
            ramps_total: self.hands.ramps,
            grants_total: self.hands.granted,
            last_error: self.hands.last_error.clone(),
        };
        self.hands.last_error = None;
        self.status.send_if_modified(|last| std::mem::replace(last, status.clone()) != status);
    }
}

fn withheld(view: &View) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for (code, _) in view.steps.values().filter_map(|step| step.withheld.as_ref()) {
        *counts.entry(code.clone()).or_default() += 1;
    }
    counts
}

fn stale_throttles(view: &View) -> u64 {
    let limits = view.limits.keys().filter(|broker| !view.needs_limit(**broker)).count();
    let is_over = |key| view.steps.get(key).is_none_or(|step| matches!(step.phase, Phase::Over { .. }));
    (limits + view.lists.keys().filter(|key| is_over(*key)).count()) as u64
}
