//! Sets the throttle of steps before they are granted: limits on every broker that may lead, entries for all replicas, both read
//! back. Must not decide whether a step may start.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ballast_cluster::{BrokerId, Snapshot, StepKey, Timestamp};
use ballast_events::Event;
use ballast_kafka::{ErrorCode, KafkaError};
use ballast_throttle::{ListEntry, ThrottleEvent, adjust};

use super::admitting::{Refusal, involved};
use super::{Governor, Reading, flow};
use crate::actuator::{Answers, TopicList};
use crate::config::milliseconds;
use crate::projection::FollowError;
use crate::recorder::Caused;
use crate::view::Step;

const READ_BACK_PAUSE: Duration = Duration::from_millis(100);

impl Governor {
    /// Returns the steps whose throttle could not be confirmed.
    pub(super) async fn throttle(
        &mut self,
        steps: &[(StepKey, Step)],
        seen: Option<&Snapshot>,
        now: Timestamp,
    ) -> Result<BTreeMap<StepKey, Refusal>, FollowError> {
        if steps.is_empty() {
            return Ok(BTreeMap::new());
        }
        let lists = self.actuator.lists(steps.iter().map(|(_, step)| step.at.topic.clone())).await;
        let mut events = self.intended_limits(steps, seen, now);
        let starts: BTreeMap<BrokerId, u64> = events.iter().filter_map(start_of).collect();
        for (key, step) in steps {
            events.extend(self.intended_list(key, step, &lists));
        }
        if !events.is_empty() {
            self.recorder.record(events).await?;
            self.projection.catch_up().await?;
        }
        if !starts.is_empty() {
            self.write_limits(&starts, now).await;
        }
        let entries: Vec<ListEntry> = self.entries_of(steps);
        let missing = entries.iter().filter(|entry| matches!(lists.get(&entry.topic), Some(Ok(list)) if !list.has(entry)));
        self.write_entries(&missing.collect()).await;
        Ok(self.read_back(steps).await)
    }

    /// Ramps for brokers that have no limit of ours yet, nor one of somebody else's.
    fn intended_limits(&self, steps: &[(StepKey, Step)], seen: Option<&Snapshot>, now: Timestamp) -> Vec<Caused> {
        let mut sample = self.sample(seen);
        let listed: Vec<_> = self.view().listed_steps().map(|(key, _)| key.clone()).collect();
        sample.flows.extend(steps.iter().filter(|(key, _)| !listed.contains(key)).map(|(_, step)| flow(step, seen)));
        let (_, rates) = adjust(&self.law, self.decided(), &sample, now);
        let view = self.view();
        let lacks =
            |broker: &BrokerId| view.limits.get(broker).is_none_or(|limit| limit.is_owed) && !view.foreign.contains_key(broker);
        rates.iter().filter(|(broker, _)| lacks(broker)).map(|(broker, decision)| self.first_ramp(*broker, decision)).collect()
    }

    /// The event that adds the step's entries, unless it is recorded already. Entries that somebody else has put there stay theirs.
    fn intended_list(&self, key: &StepKey, step: &Step, lists: &Answers<String, TopicList>) -> Option<Caused> {
        if self.view().lists.contains_key(key) {
            return None;
        }
        let ours = self.view().entries();
        let brokers: BTreeSet<BrokerId> = involved(step).collect();
        let entry = |broker| ListEntry { topic: step.at.topic.clone(), partition: step.at.partition, broker };
        let is_foreign =
            |entry: &ListEntry| !ours.contains(entry) && matches!(lists.get(&step.at.topic), Some(Ok(list)) if list.has(entry));
        let entries = brokers.into_iter().map(entry).filter(|entry| !is_foreign(entry)).collect();
        Some((Event::Throttle(ThrottleEvent::ListIntended { step: key.clone(), entries }), Some(step.ready_at)))
    }

    fn entries_of(&self, steps: &[(StepKey, Step)]) -> Vec<ListEntry> {
        let entries: BTreeSet<&ListEntry> =
            steps.iter().filter_map(|(key, _)| self.view().lists.get(key)).flat_map(|listing| &listing.entries).collect();
        entries.into_iter().cloned().collect()
    }

    /// Looks until brokers and topics show what was set, or for as long as configured.
    async fn read_back(&mut self, steps: &[(StepKey, Step)]) -> BTreeMap<StepKey, Refusal> {
        let deadline = self.now().plus_milliseconds(milliseconds(self.config.read_back_deadline));
        loop {
            let readings = self.probe(steps.iter().flat_map(|(_, step)| involved(step)).collect::<BTreeSet<_>>()).await;
            let lists = self.actuator.lists(steps.iter().map(|(_, step)| step.at.topic.clone())).await;
            let doubt = |(key, step): &(StepKey, Step)| Some((key.clone(), self.doubt(key, step, &readings, &lists)?));
            let doubts: BTreeMap<StepKey, Refusal> = steps.iter().filter_map(doubt).collect();
            if doubts.is_empty() || self.now() >= deadline {
                return doubts;
            }
            self.recorder.clock.sleep(READ_BACK_PAUSE).await;
        }
    }

    /// What does not show yet of one step's throttle.
    fn doubt(
        &self,
        key: &StepKey,
        step: &Step,
        readings: &BTreeMap<BrokerId, Reading>,
        lists: &Answers<String, TopicList>,
    ) -> Option<Refusal> {
        for broker in involved(step) {
            match readings.get(&broker) {
                Some(Reading::Free) => return Some(("THROTTLE_NOT_CONFIRMED", format!("broker {broker} shows no limit yet"))),
                Some(Reading::Unreachable(error)) => return Some(("BROKER_UNREACHABLE", error.to_string())),
                // A broker that is not read is dead: it leads nothing.
                Some(Reading::Ours(_) | Reading::Foreign(_)) | None => {}
            }
        }
        match lists.get(&step.at.topic) {
            Some(Ok(list)) => {
                let entries = self.view().lists.get(key).map(|listing| listing.entries.as_slice()).unwrap_or_default();
                let missing = entries.iter().find(|entry| !list.has(entry))?;
                let detail = format!("topic {} does not list {} yet", missing.topic, missing.in_list());
                Some(("THROTTLE_NOT_CONFIRMED", detail))
            }
            // A topic that is gone has nothing to copy: whoever carries the step out sees that.
            Some(Err(error)) if is_gone(error) => None,
            Some(Err(error)) => Some(("THROTTLE_NOT_CONFIRMED", error.to_string())),
            None => Some(("THROTTLE_NOT_CONFIRMED", format!("nothing is known of topic {}", step.at.topic))),
        }
    }
}

fn start_of((event, _): &Caused) -> Option<(BrokerId, u64)> {
    match event {
        Event::Throttle(ThrottleEvent::RateIntended { broker, from, .. }) => Some((*broker, from.bytes_per_second)),
        _ => None,
    }
}

pub(super) fn is_gone(error: &KafkaError) -> bool {
    error.code() == Some(ErrorCode::UnknownTopicOrPartition)
}
