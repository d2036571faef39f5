//! An operator's sweep: takes out at once what is left of ours, and names what is not ours. Must not touch the latter.

use std::collections::{BTreeMap, BTreeSet};

use ballast_cluster::{BrokerId, StepKey};
use ballast_event_log::{Context, LogError};
use ballast_events::Event;
use ballast_kafka::KafkaError;
use ballast_throttle::{ListEntry, ThrottleEvent};
use tokio::sync::oneshot;

use super::{Governor, Reading};
use crate::projection::FollowError;

/// A sweep to be done between two beats.
pub(crate) struct SweepOrder {
    pub(crate) context: Context,
    /// Only say what would be taken out.
    pub(crate) validate_only: bool,
    pub(crate) answer: oneshot::Sender<Result<Swept, SweepError>>,
}

#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Swept {
    pub(crate) entries: Vec<ListEntry>,
    pub(crate) brokers: Vec<BrokerId>,
    pub(crate) debts: Vec<BrokerId>,
    pub(crate) foreign_entries: Vec<ListEntry>,
    pub(crate) foreign_limits: Vec<(BrokerId, String)>,
}

#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub(crate) enum SweepError {
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    #[error(transparent)]
    Log(#[from] LogError),
}

impl Governor {
    /// Errors of Kafka go to whoever asked; those of the log end the governor as well.
    pub(super) async fn sweep(&mut self, order: SweepOrder) -> Result<(), FollowError> {
        let SweepOrder { context, validate_only, answer } = order;
        self.projection.catch_up().await?;
        let swept = self.sweep_now(validate_only).await?;
        let answered = match swept {
            Ok(swept) if !validate_only => {
                let (entries, brokers) = (swept.entries.clone(), swept.brokers.clone());
                let event = Event::Throttle(ThrottleEvent::Swept { entries, brokers });
                match self.recorder.record_command(context, event).await {
                    Ok(_) => Ok(swept),
                    Err(error @ (LogError::RequestIdConflict { .. } | LogError::VolumeFull { .. })) => Err(error.into()),
                    Err(error) => return Err(error.into()),
                }
            }
            other => other,
        };
        // Whoever asked may have gone.
        let _ = answer.send(answered);
        Ok(())
    }

    async fn sweep_now(&mut self, validate_only: bool) -> Result<Result<Swept, SweepError>, FollowError> {
        let now = self.now();
        let mut swept = match self.foreign().await? {
            Ok(swept) => swept,
            Err(error) => return Ok(Err(error.into())),
        };
        let lists = self.releasable_lists().await;
        let left: Vec<StepKey> = if validate_only { Vec::new() } else { self.take_out(&lists).await? };
        let done: BTreeSet<ListEntry> =
            lists.into_iter().filter(|(key, _)| !left.contains(key)).flat_map(|(_, entries)| entries).collect();
        swept.entries = done.into_iter().collect();
        let view = self.view();
        let unneeded: Vec<BrokerId> = view.limits.keys().filter(|broker| !view.needs_limit(**broker)).copied().collect();
        swept.brokers = if validate_only {
            unneeded.into_iter().filter(|broker| self.is_alive(*broker)).collect()
        } else {
            self.give_up_limits(&unneeded, now).await?
        };
        let is_debt = |broker: &BrokerId| !swept.brokers.contains(broker) && self.view().limits[broker].is_owed;
        swept.debts = self.view().limits.keys().filter(|broker| is_debt(broker)).copied().collect();
        Ok(Ok(swept))
    }

    /// Entries and limits that are there and not ours; nothing swept yet.
    async fn foreign(&mut self) -> Result<Result<Swept, KafkaError>, FollowError> {
        let (topics, brokers) = match self.seen() {
            Some(seen) => (
                seen.topics.iter().map(|topic| topic.name.clone()).collect(),
                seen.brokers.iter().map(|broker| broker.id).collect::<Vec<_>>(),
            ),
            None => (BTreeSet::new(), self.view().limits.keys().copied().collect()),
        };
        let readings: BTreeMap<BrokerId, Reading> = self.probe(brokers).await;
        self.note_foreign(&readings).await?;
        let lost = readings.values().filter_map(|reading| match reading {
            Reading::Unreachable(error) => Some(error),
            _ => None,
        });
        if let Some(error) = lost.clone().next().filter(|_| lost.count() == readings.len()) {
            return Ok(Err(error.clone()));
        }
        let mut foreign_entries = Vec::new();
        let lists = self.actuator.lists(topics).await;
        let ours = self.view().entries();
        for (topic, list) in &lists {
            let Ok(list) = list else { continue };
            let entry = |(partition, broker)| ListEntry { topic: topic.clone(), partition, broker };
            foreign_entries.extend(list.replicas().map(entry).filter(|entry| !ours.contains(entry)));
        }
        let foreign_limits = self.view().foreign.iter().map(|(broker, value)| (*broker, value.clone())).collect();
        Ok(Ok(Swept { foreign_entries, foreign_limits, ..Swept::default() }))
    }
}
