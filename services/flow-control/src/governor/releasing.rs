//! Takes out what no step needs any more: list entries when a step is over, limits when no listed step involves the broker, debts
//! when a dead broker is back. Must not touch what is not ours.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ballast_cluster::{BrokerId, StepKey, Timestamp};
use ballast_events::Event;
use ballast_throttle::{ListEntry, ThrottleEvent};

use super::listing::is_gone;
use super::{Governor, Reading};
use crate::actuator::TopicList;
use crate::config::milliseconds;
use crate::projection::FollowError;
use crate::recorder::{Caused, throttle};
use crate::view::{Phase, Step};

const READ_BACK_PAUSE: Duration = Duration::from_millis(100);
/// Until brokers show what was written last: that something is gone is believed only after it.
const SETTLING: Duration = Duration::from_millis(300);

impl Governor {
    pub(super) async fn release_lists(&mut self, now: Timestamp) -> Result<(), FollowError> {
        if self.hands.retry_release_at.is_some_and(|at| now < at) {
            return Ok(());
        }
        let over = self.releasable_lists().await;
        if over.is_empty() {
            return Ok(());
        }
        self.hands.retry_release_at = Some(self.retry_at(now));
        let left = self.take_out(&over).await?;
        if left.is_empty() {
            self.hands.retry_release_at = None;
        }
        // Whoever waited for room may find some now.
        self.hands.retry_steps_at.clear();
        Ok(())
    }

    /// Listed steps whose entries nothing needs, with the entries that no other step needs either.
    pub(super) async fn releasable_lists(&mut self) -> BTreeMap<StepKey, Vec<ListEntry>> {
        let mut over: BTreeSet<StepKey> = BTreeSet::new();
        let mut in_doubt = Vec::new();
        let view = &self.projection.view;
        for key in view.lists.keys() {
            match view.steps.get(key) {
                Some(step) if step.phase == (Phase::Over { may_copy: true }) => in_doubt.push((key.clone(), step.clone())),
                Some(Step { phase: Phase::Granted { .. } | Phase::InFlight, .. }) => {}
                Some(Step { phase: Phase::Ready, .. }) if !view.is_paused(key) => {}
                Some(_) | None => {
                    over.insert(key.clone());
                }
            }
        }
        over.extend(self.finished(in_doubt).await);
        let kept = view_entries_except(&self.projection.view.lists, &over);
        let entries_of = |key: &StepKey| {
            let listing = self.projection.view.lists.get(key)?;
            Some((key.clone(), listing.entries.iter().filter(|entry| !kept.contains(entry)).cloned().collect()))
        };
        over.iter().filter_map(entries_of).collect()
    }

    /// Of steps that ended without having been seen done, those that Kafka carries out no more.
    async fn finished(&mut self, steps: Vec<(StepKey, Step)>) -> Vec<StepKey> {
        if steps.is_empty() {
            return Vec::new();
        }
        match self.actuator.kafka.list_partition_reassignments().await {
            Ok(ongoing) => {
                let copies = |step: &Step| {
                    ongoing
                        .iter()
                        .any(|move_| move_.at == step.at && move_.adding.iter().any(|broker| step.adding.contains(broker)))
                };
                steps.into_iter().filter(|(_, step)| !copies(step)).map(|(key, _)| key).collect()
            }
            Err(error) => {
                self.hands.last_error = Some(error.to_string());
                self.hands.retry_release_at = Some(self.retry_at(self.now()));
                Vec::new()
            }
        }
    }

    /// Records, takes out and reads back. Returns the steps that are not done.
    pub(super) async fn take_out(&mut self, over: &BTreeMap<StepKey, Vec<ListEntry>>) -> Result<Vec<StepKey>, FollowError> {
        let causes: BTreeMap<StepKey, u64> =
            over.keys().filter_map(|key| Some((key.clone(), self.view().steps.get(key)?.ready_at))).collect();
        let cause = |key: &StepKey| causes.get(key).copied();
        let fresh = over.iter().filter(|(key, _)| !self.hands.releasing_lists.contains(key));
        let intent = |(key, entries): (&StepKey, &Vec<ListEntry>)| {
            let event = ThrottleEvent::ListReleaseIntended { step: key.clone(), entries: entries.clone() };
            (Event::Throttle(event), cause(key))
        };
        let intents: Vec<Caused> = fresh.map(intent).collect();
        if !intents.is_empty() {
            self.recorder.record_closing(intents).await?;
        }
        self.hands.releasing_lists.extend(over.keys().cloned());
        let entries: BTreeSet<&ListEntry> = over.values().flatten().collect();
        let is_confirmed = |key| self.view().lists.get(key).is_none_or(|listing| listing.is_confirmed);
        if !over.keys().all(is_confirmed) {
            self.recorder.clock.sleep(SETTLING).await;
        }
        // Taking out of a list what is not in it would set an empty one.
        let lists = self.actuator.lists(entries.iter().map(|entry| entry.topic.clone())).await;
        let is_shown = |entry: &&&ListEntry| !matches!(lists.get(&entry.topic), Some(Ok(list)) if !list.has(entry));
        let shown: BTreeSet<&ListEntry> = entries.iter().filter(is_shown).copied().collect();
        let mut failed = self.actuator.subtract_entries(&shown).await;
        // An unanswered one that arrives when the list is gone leaves an empty one behind.
        let until = self.now().plus_milliseconds(milliseconds(self.config.late_write));
        for (topic, _) in failed.extract_if(.., |_, error| error.is_unknown()) {
            self.hands.late_lists_until.insert(topic, until);
        }
        self.recorder.clock.sleep(SETTLING).await;
        if let Some(error) = failed.values().next() {
            self.hands.last_error = Some(error.to_string());
        }
        let shown = self.still_listed(&entries).await;
        let (late, now) = (&self.hands.late_lists_until, self.now());
        let is_late = |topic: &String| late.get(topic).is_some_and(|until| *until > now);
        let is_entry_left =
            |entry: &ListEntry| failed.contains_key(&entry.topic) || shown.contains(entry) || is_late(&entry.topic);
        let is_left = |entries: &[ListEntry]| entries.iter().any(is_entry_left);
        let (left, done): (Vec<_>, Vec<_>) = over.iter().partition(|(_, entries)| is_left(entries));
        let released = |key: &StepKey| (Event::Throttle(ThrottleEvent::ListReleased { step: key.clone() }), cause(key));
        let events: Vec<Caused> = done.iter().map(|(key, _)| released(key)).collect();
        if !events.is_empty() {
            self.recorder.record_closing(events).await?;
        }
        for (key, _) in done {
            self.hands.releasing_lists.remove(key);
        }
        let left = left.into_iter().map(|(key, _)| key.clone()).collect();
        self.projection.catch_up().await?;
        Ok(left)
    }

    /// Entries that topics go on to show although they were taken out, and those of topics whose emptied list is still set; asked
    /// until none is left, or for as long as configured.
    async fn still_listed(&mut self, entries: &BTreeSet<&ListEntry>) -> BTreeSet<ListEntry> {
        let deadline = self.now().plus_milliseconds(milliseconds(self.config.read_back_deadline));
        loop {
            let lists = self.actuator.lists(entries.iter().map(|entry| entry.topic.clone())).await;
            let shows = |entry: &ListEntry| match lists.get(&entry.topic) {
                Some(Ok(list)) => list.is_left_empty() || (list.has(entry) && !list.is_wildcard()),
                Some(Err(error)) => !is_gone(error),
                None => false,
            };
            let shown: BTreeSet<ListEntry> = entries.iter().filter(|entry| shows(entry)).map(|entry| (*entry).clone()).collect();
            let is_emptied = |list: &Result<TopicList, _>| list.as_ref().is_ok_and(TopicList::is_left_empty);
            let emptied = lists.iter().filter(|(_, list)| is_emptied(list)).map(|(topic, _)| topic.clone());
            self.actuator.delete_lists(emptied).await;
            if shown.is_empty() || self.now() >= deadline {
                return shown;
            }
            self.recorder.clock.sleep(READ_BACK_PAUSE).await;
        }
    }

    pub(super) async fn release_limits(&mut self, now: Timestamp) -> Result<(), FollowError> {
        let linger = milliseconds(self.config.linger);
        let view = &self.projection.view;
        let unneeded: BTreeSet<BrokerId> = view.limits.keys().filter(|broker| !view.needs_limit(**broker)).copied().collect();
        let lingers = view.expects_steps();
        self.hands.unlisted_since.retain(|broker, _| unneeded.contains(broker));
        let mut due = Vec::new();
        for broker in unneeded {
            let since = *self.hands.unlisted_since.entry(broker).or_insert(now);
            let retry = self.hands.retry_limits_at.get(&broker).is_none_or(|at| *at <= now);
            let is_owed = self.view().limits.get(&broker).is_some_and(|limit| limit.is_owed);
            if retry && (!lingers || is_owed || now.milliseconds_since(since) >= linger) {
                due.push(broker);
            }
        }
        self.give_up_limits(&due, now).await.map(|_| ())
    }

    /// Deletes limits of ours. Returns the brokers that are free of them now.
    pub(super) async fn give_up_limits(&mut self, brokers: &[BrokerId], now: Timestamp) -> Result<Vec<BrokerId>, FollowError> {
        let (alive, dead): (Vec<BrokerId>, Vec<BrokerId>) = brokers.iter().partition(|broker| self.is_alive(**broker));
        let mut events = Vec::new();
        let (reachable, owing): (Vec<BrokerId>, Vec<BrokerId>) =
            dead.into_iter().partition(|_| self.actuator.kafka.reaches_dead_brokers_configs());
        for broker in owing {
            if self.view().limits.get(&broker).is_some_and(|limit| !limit.is_owed) {
                events.push(throttle(ThrottleEvent::DebtRecorded { broker }));
            }
        }
        let trying: Vec<BrokerId> = alive.iter().chain(&reachable).copied().collect();
        for &broker in trying.iter().filter(|broker| !self.hands.releasing_limits.contains(broker)) {
            events.push(throttle(ThrottleEvent::RateReleaseIntended { broker }));
        }
        if !events.is_empty() {
            self.recorder.record_closing(events).await?;
        }
        self.hands.releasing_limits.extend(trying.iter().copied());
        for broker in &trying {
            self.hands.retry_limits_at.insert(*broker, self.retry_at(now));
        }
        let mut free = self.delete_blindly(&reachable).await;
        free.extend(self.delete_ours(&alive).await?);
        self.record_free(&free).await?;
        Ok(free)
    }

    /// A dead broker's configs cannot be read: what the controller takes is believed.
    async fn delete_blindly(&mut self, brokers: &[BrokerId]) -> Vec<BrokerId> {
        if brokers.is_empty() {
            return Vec::new();
        }
        let failed = self.actuator.delete_limits(brokers).await;
        if let Some(error) = failed.values().next() {
            self.hands.last_error = Some(error.to_string());
        }
        brokers.iter().filter(|broker| !failed.contains_key(broker) && !self.is_late(**broker)).copied().collect()
    }

    /// Deletes what is ours on live brokers and looks until it is gone, or for as long as configured.
    async fn delete_ours(&mut self, brokers: &[BrokerId]) -> Result<Vec<BrokerId>, FollowError> {
        let deadline = self.now().plus_milliseconds(milliseconds(self.config.read_back_deadline));
        let mut is_first = true;
        let (mut free, mut left) = (Vec::new(), brokers.to_vec());
        while !left.is_empty() {
            let readings = self.probe(left.iter().copied()).await;
            self.note_foreign(&readings).await?;
            // A broker that was told lately may not show it yet.
            let is_free = |broker: &BrokerId| {
                readings.get(broker) == Some(&Reading::Free) && (!is_first || self.is_settled(*broker, self.now()))
            };
            let (gone, rest): (Vec<BrokerId>, Vec<BrokerId>) = left.into_iter().partition(is_free);
            // What may still arrive is looked for again at the next try.
            free.extend(gone.into_iter().filter(|broker| !self.is_late(*broker)));
            left = rest;
            left.retain(|broker| matches!(readings.get(broker), Some(Reading::Ours(_) | Reading::Free)));
            if is_first {
                for (broker, error) in self.actuator.delete_limits(&left).await {
                    if !error.is_unknown() {
                        tracing::warn!(cluster = self.recorder.cluster, %broker, %error, "a limit could not be deleted");
                    }
                    self.hands.last_error = Some(error.to_string());
                }
                is_first = false;
            } else if self.now() >= deadline {
                break;
            }
            if !left.is_empty() {
                self.recorder.clock.sleep(SETTLING).await;
            }
        }
        Ok(free)
    }

    async fn record_free(&mut self, free: &[BrokerId]) -> Result<(), FollowError> {
        let is_owed = |broker: &BrokerId| self.view().limits.get(broker).is_some_and(|limit| limit.is_owed);
        let of = |&broker: &BrokerId| match is_owed(&broker) {
            true => throttle(ThrottleEvent::DebtPaid { broker }),
            false => throttle(ThrottleEvent::RateReleased { broker }),
        };
        let events: Vec<Caused> = free.iter().map(of).collect();
        if !events.is_empty() {
            self.recorder.record_closing(events).await?;
        }
        for broker in free {
            self.hands.written.remove(broker);
            self.hands.written_at.remove(broker);
            self.hands.releasing_limits.remove(broker);
            self.hands.retry_limits_at.remove(broker);
        }
        self.projection.catch_up().await
    }
}

fn view_entries_except<'a>(
    lists: &'a BTreeMap<StepKey, crate::view::Listing>,
    over: &BTreeSet<StepKey>,
) -> BTreeSet<&'a ListEntry> {
    lists.iter().filter(|(key, _)| !over.contains(key)).flat_map(|(_, listing)| &listing.entries).collect()
}
