//! Grants steps that are due: throttle set and read back first, then the grant; or records why a step waits. Must not know what
//! a step is for.

use std::collections::{BTreeMap, BTreeSet};

use ballast_cluster::{BrokerId, Snapshot, StepKey, Timestamp};
use ballast_event_log::LogError;
use ballast_events::Event;
use ballast_throttle::{AdmissionEvent, Candidate, Rate, ThrottleEvent, Verdict, admit};

use super::{Governor, Hands, Reading, flow};
use crate::config::milliseconds;
use crate::projection::FollowError;
use crate::recorder::Caused;
use crate::view::{Phase, Step};

/// Steps looked at in one go.
const BATCH: usize = 64;

/// Why a step is not granted: a reason of the catalogue, and the facts.
pub(super) type Refusal = (&'static str, String);

impl Governor {
    pub(super) async fn admit(&mut self, now: Timestamp) -> Result<(), FollowError> {
        let due = self.due_steps(now);
        if due.is_empty() {
            return Ok(());
        }
        let seen = self.seen();
        let seen = seen.as_deref();
        let refusals = self.judge(&due, seen, now).await?;
        let copying = |(key, step): &&(StepKey, Step)| !refusals.contains_key(key) && !step.adding.is_empty();
        let to_throttle: Vec<(StepKey, Step)> = due.iter().filter(copying).cloned().collect();
        let mut refusals = refusals;
        refusals.extend(self.throttle(&to_throttle, seen, now).await?);
        let is_new = |step: &Step, code: &str| step.withheld.as_ref().is_none_or(|(known, _)| known != code);
        let expires_at = self.now().plus_milliseconds(milliseconds(self.config.grant_lifetime));
        let mut events: Vec<Caused> = Vec::new();
        let mut granted = 0;
        for (key, step) in &due {
            let (cause, step_key) = (Some(step.ready_at), key.clone());
            match refusals.get(key) {
                None => {
                    if self.view().lists.get(key).is_some_and(|listing| !listing.is_confirmed) {
                        events.push((Event::Throttle(ThrottleEvent::ListConfirmed { step: key.clone() }), cause));
                    }
                    events.push((Event::Admission(AdmissionEvent::Admitted { step: step_key, expires_at }), cause));
                    granted += 1;
                }
                Some((code, detail)) => {
                    self.hands.retry_steps_at.insert(key.clone(), self.retry_at(now));
                    if is_new(step, code) {
                        let (reason_code, detail) = ((*code).to_owned(), detail.clone());
                        events.push((Event::Admission(AdmissionEvent::Withheld { step: step_key, reason_code, detail }), cause));
                    }
                }
            }
        }
        if events.is_empty() {
            return Ok(());
        }
        match self.recorder.record_at(events, self.view().admission_version).await {
            // A freeze came in between: look again.
            Err(LogError::VersionConflict { .. }) => granted = 0,
            other => other?,
        }
        self.hands.granted += granted;
        self.projection.catch_up().await
    }

    /// Steps that wait for a grant and are not to be left alone for now, longest waiting first.
    fn due_steps(&mut self, now: Timestamp) -> Vec<(StepKey, Step)> {
        let Hands { retry_steps_at, .. } = &mut self.hands;
        let view = &self.projection.view;
        retry_steps_at.retain(|key, _| view.steps.get(key).is_some_and(|step| step.phase == Phase::Ready));
        let is_due = |key: &StepKey| retry_steps_at.get(key).is_none_or(|at| *at <= now);
        let ready = view.steps.iter().filter(|(key, step)| step.phase == Phase::Ready && !view.is_paused(key) && is_due(key));
        let mut due: Vec<(StepKey, Step)> = ready.map(|(key, step)| (key.clone(), step.clone())).collect();
        due.sort_by_key(|(_, step)| step.ready_at);
        due.truncate(BATCH);
        due
    }

    async fn judge(
        &mut self,
        due: &[(StepKey, Step)],
        seen: Option<&Snapshot>,
        now: Timestamp,
    ) -> Result<BTreeMap<StepKey, Refusal>, FollowError> {
        let mut unreachable = BTreeSet::new();
        if !self.view().frozen {
            let copying = due.iter().filter(|(_, step)| !step.adding.is_empty());
            let involved: BTreeSet<BrokerId> = copying.flat_map(|(_, step)| involved(step)).collect();
            let readings = self.probe(involved).await;
            self.note_foreign(&readings).await?;
            unreachable
                .extend(readings.iter().filter(|(_, reading)| matches!(reading, Reading::Unreachable(_))).map(|(id, _)| *id));
        }
        let foreign = self.view().foreign.iter().filter_map(|(broker, value)| Some((*broker, Rate::new(value.parse().ok()?))));
        let candidates: Vec<Candidate> =
            due.iter().map(|(key, step)| Candidate { step: key.clone(), flow: flow(step, seen) }).collect();
        let verdicts = admit(&self.law, &self.sample(seen), &foreign.collect(), &candidates, now);
        let mut refusals = BTreeMap::new();
        for ((key, verdict), (_, step)) in verdicts.into_iter().zip(due) {
            let lost = involved(step).find(|broker| !step.adding.is_empty() && unreachable.contains(broker));
            match (verdict, lost) {
                (Verdict::Withhold { reason_code, detail }, _) => {
                    refusals.insert(key, (reason_code, detail));
                }
                (Verdict::Admit, Some(broker)) => {
                    refusals
                        .insert(key, ("BROKER_UNREACHABLE", format!("broker {broker} does not answer: its limit cannot be set")));
                }
                (Verdict::Admit, None) => {}
            }
        }
        Ok(refusals)
    }

    /// Grants that ran out unused are withdrawn; the step may be granted anew.
    pub(super) async fn expire_grants(&mut self, now: Timestamp) -> Result<(), FollowError> {
        let is_over = |step: &Step| matches!(step.phase, Phase::Granted { expires_at } if expires_at <= now);
        let over = self.view().steps.iter().filter(|(_, step)| is_over(step));
        let withdraw = |(key, step): (&StepKey, &Step)| {
            (Event::Admission(AdmissionEvent::Withdrawn { step: key.clone() }), Some(step.ready_at))
        };
        let events: Vec<Caused> = over.map(withdraw).collect();
        if events.is_empty() {
            return Ok(());
        }
        self.recorder.record(events).await?;
        self.projection.catch_up().await
    }
}

/// Every broker that may lead before the copy is complete.
pub(super) fn involved(step: &Step) -> impl Iterator<Item = BrokerId> + '_ {
    step.present.iter().chain(&step.adding).copied()
}
