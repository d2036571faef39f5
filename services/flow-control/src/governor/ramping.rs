//! Carries out recorded ramps, a step a second, and confirms their ends. Must not decide where a ramp ends.

use std::collections::BTreeMap;

use ballast_cluster::{BrokerId, Timestamp};
use ballast_throttle::{Rate, ThrottleEvent, ramp};

use super::{Governor, Reading};
use crate::projection::FollowError;
use crate::recorder::throttle;
use crate::view::Limit;

impl Governor {
    pub(super) async fn ramp(&mut self, now: Timestamp) -> Result<(), FollowError> {
        let view = self.view();
        let moving = view.limits.iter().filter(|(_, limit)| !limit.is_confirmed && !limit.is_owed);
        let due = moving.filter(|(broker, limit)| view.needs_limit(**broker) && self.is_step_due(**broker, limit, now));
        let due: BTreeMap<BrokerId, Limit> = due.map(|(broker, limit)| (*broker, limit.clone())).collect();
        if due.is_empty() {
            return Ok(());
        }
        let readings = self.probe(due.keys().copied()).await;
        self.note_foreign(&readings).await?;
        let (mut events, mut writes) = (Vec::new(), BTreeMap::new());
        for (&broker, limit) in &due {
            let elapsed = u64::try_from(now.milliseconds_since(limit.began_at)).unwrap_or(0);
            let wanted = ramp(limit.from, limit.to, u64::from(limit.ramp_seconds) * 1_000, elapsed);
            let present = match readings.get(&broker) {
                Some(Reading::Ours(shown)) => self.last_written(broker).unwrap_or(*shown),
                Some(Reading::Free) => self.last_written(broker).unwrap_or(limit.from.bytes_per_second),
                _ => continue,
            };
            // What another process wrote may show a value that is about to change: only what this one wrote is believed.
            let is_shown = readings[&broker] == Reading::Ours(limit.to.bytes_per_second);
            if is_shown && wanted == limit.to && self.hands.written_at.contains_key(&broker) {
                events.push(throttle(ThrottleEvent::RateConfirmed { broker, rate: limit.to }));
            } else if is_leap(limit, present, wanted) {
                let from = Rate::new(present);
                let (ramp_seconds, reason) = (self.window_seconds(broker), format!("resumed: {}", unresumed(&limit.reason)));
                events.push(throttle(ThrottleEvent::RateIntended { broker, from, to: limit.to, ramp_seconds, reason }));
                writes.insert(broker, present);
            } else {
                writes.insert(broker, wanted.bytes_per_second);
            }
        }
        // Recorded first: after a crash the log explains whatever the brokers show.
        if !events.is_empty() {
            self.recorder.record_closing(events).await?;
        }
        if !writes.is_empty() {
            self.write_limits(&writes, now).await;
        }
        self.projection.catch_up().await
    }

    /// Whether the broker is to be told or asked: a new second of the ramp, or its end not seen yet.
    fn is_step_due(&self, broker: BrokerId, limit: &Limit, now: Timestamp) -> bool {
        let elapsed = u64::try_from(now.milliseconds_since(limit.began_at)).unwrap_or(0);
        let wanted = ramp(limit.from, limit.to, u64::from(limit.ramp_seconds) * 1_000, elapsed);
        wanted == limit.to || self.last_written(broker) != Some(wanted.bytes_per_second)
    }
}

/// More than two steps at once: the ramp was held up, by a restart or by brokers that did not answer. Going on where it should be by
/// now would be the jump that ramps exist to avoid.
fn is_leap(limit: &Limit, present: u64, wanted: Rate) -> bool {
    let whole = limit.from.bytes_per_second.abs_diff(limit.to.bytes_per_second);
    let step = whole / u64::from(limit.ramp_seconds.max(1)) + 1;
    limit.ramp_seconds > 2 && present.abs_diff(wanted.bytes_per_second) > step.saturating_mul(5) / 2
}

fn unresumed(reason: &str) -> &str {
    reason.strip_prefix("resumed: ").unwrap_or(reason)
}
