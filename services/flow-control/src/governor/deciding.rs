//! Decides limits anew with each sample, and at once when steps come or go, the maximum changes or the cluster is frozen. Must not
//! write to brokers: what it records is carried out by the ramp.

use std::collections::BTreeSet;

use ballast_cluster::{BrokerId, Timestamp};
use ballast_throttle::{Decision, ListEntry, Rate, State, ThrottleEvent, adjust};

use super::{Governor, Grounds, LAG_MILLISECONDS, Reading};
use crate::config::milliseconds;
use crate::projection::FollowError;
use crate::recorder::{Caused, throttle};
use crate::view::Limit;

impl Governor {
    pub(super) async fn decide(&mut self, now: Timestamp) -> Result<(), FollowError> {
        let listed = self.view().listed_steps().map(|(key, _)| key.clone()).collect();
        let grounds = Grounds { listed, rate_max: self.view().rate_max, frozen: self.view().frozen };
        let interval = milliseconds(self.config.sample_interval);
        let is_due = self.hands.decided_at.is_none_or(|at| now.milliseconds_since(at) >= interval);
        if !is_due && self.hands.decided_on.as_ref() == Some(&grounds) {
            return Ok(());
        }
        (self.hands.decided_at, self.hands.decided_on) = (Some(now), Some(grounds));
        let managed = self.managed();
        if managed.is_empty() {
            self.hands.decisions.clear();
            return Ok(());
        }
        let readings = self.probe(managed).await;
        self.note_foreign(&readings).await?;
        self.restore_lists().await;
        let Some(seen) = self.seen() else { return Ok(()) };
        let (_, rates) = adjust(&self.law, self.decided(), &self.sample(Some(&seen)), now);
        let mut events = Vec::new();
        for (broker, decision) in &rates {
            if let Some(Reading::Free | Reading::Ours(_)) = readings.get(broker) {
                let is_missing = readings[broker] == Reading::Free && self.is_settled(*broker, now);
                events.extend(self.intend(*broker, decision, is_missing, now));
            }
        }
        self.hands.decisions = rates;
        self.hands.ramps += events.len() as u64;
        if !events.is_empty() {
            self.recorder.record(events).await?;
            self.projection.catch_up().await?;
        }
        Ok(())
    }

    /// Brokers whose limits matter now.
    fn managed(&self) -> BTreeSet<BrokerId> {
        let view = self.view();
        let ours = view.limits.iter().filter(|(_, limit)| !limit.is_owed).map(|(broker, _)| *broker);
        let steps = view.listed_steps().filter(|(_, step)| !step.adding.is_empty());
        let involved = steps.flat_map(|(_, step)| step.present.iter().chain(&step.adding).copied());
        ours.chain(involved).chain(view.foreign.keys().copied()).collect()
    }

    /// What was decided last: the ends of all ramps of ours.
    pub(super) fn decided(&self) -> State {
        let ours = self.view().limits.iter().filter(|(_, limit)| !limit.is_owed);
        State { limits: ours.map(|(broker, limit)| (*broker, limit.to)).collect() }
    }

    /// Whether the broker shows by now what it was told last.
    pub(super) fn is_settled(&self, broker: BrokerId, now: Timestamp) -> bool {
        self.hands.written_at.get(&broker).is_none_or(|at| now.milliseconds_since(*at) > LAG_MILLISECONDS)
    }

    /// The event that begins a ramp, if one is due. A rise waits for the ramp under way: only a drop is urgent enough for the echo
    /// that a broken ramp leaves in the limiter's window.
    fn intend(&self, broker: BrokerId, decision: &Decision, is_missing: bool, now: Timestamp) -> Option<Caused> {
        let Some(limit) = self.view().limits.get(&broker).filter(|limit| !limit.is_owed) else {
            return Some(self.first_ramp(broker, decision));
        };
        if is_missing {
            let reason = format!("somebody deleted our limit; {}", decision.reason);
            return Some(self.first_ramp(broker, &Decision { reason, ..decision.clone() }));
        }
        let present = Rate::new(self.last_written(broker).unwrap_or(limit.to.bytes_per_second));
        if self.view().frozen && present < limit.to {
            let reason = "frozen: held".to_owned();
            return Some(throttle(ThrottleEvent::RateIntended { broker, from: present, to: present, ramp_seconds: 0, reason }));
        }
        if !decision.changed || (decision.limit > limit.to && is_ramping(limit, now)) {
            return None;
        }
        let (ramp_seconds, reason) = (self.window_seconds(broker), decision.reason.clone());
        Some(throttle(ThrottleEvent::RateIntended { broker, from: present, to: decision.limit, ramp_seconds, reason }))
    }

    /// The ramp on a broker that has no limit of ours yet, or owes one: from what it shows, or from near nothing.
    pub(super) fn first_ramp(&self, broker: BrokerId, decision: &Decision) -> Caused {
        let start = Rate::new(self.law.start_bytes_per_second).min(decision.limit);
        let owed = self.view().limits.get(&broker).filter(|limit| limit.is_owed);
        let from = owed.and_then(|_| self.last_written(broker)).map_or(start, Rate::new);
        let (ramp_seconds, reason) = (self.window_seconds(broker), decision.reason.clone());
        throttle(ThrottleEvent::RateIntended { broker, from, to: decision.limit, ramp_seconds, reason })
    }

    pub(super) fn window_seconds(&self, broker: BrokerId) -> u32 {
        self.hands.windows.get(&broker).copied().unwrap_or(11)
    }

    /// Puts entries of ours back that somebody took out while their step goes on.
    async fn restore_lists(&mut self) {
        let view = &self.projection.view;
        let confirmed: BTreeSet<_> = view
            .listed_steps()
            .filter_map(|(key, _)| view.lists.get(key).filter(|listing| listing.is_confirmed))
            .flat_map(|listing| &listing.entries)
            .collect();
        let lists = self.actuator.lists(confirmed.iter().map(|entry| entry.topic.clone())).await;
        let is_missing = |topic: &str, entry| matches!(lists.get(topic), Some(Ok(list)) if !list.has(entry));
        let missing: Vec<ListEntry> = confirmed.into_iter().filter(|entry| is_missing(&entry.topic, entry)).cloned().collect();
        self.write_entries(&missing.iter().collect()).await;
    }
}

/// Whether the ramp has not come to its end by the clock.
pub(super) fn is_ramping(limit: &Limit, now: Timestamp) -> bool {
    limit.from != limit.to && now.milliseconds_since(limit.began_at) < i64::from(limit.ramp_seconds) * 1_000
}
