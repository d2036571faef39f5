//! Steps in flight: has Kafka taken it, does it go on, is it done, is it taken back. Must not know which steps start.

use ballast_cluster::{BrokerId, Partition, Timestamp};

use super::{Effect, Round};
use crate::gate::{Patience, Verdict, gate, list};
use crate::standing::{Place, Standing, standing};
use crate::task::{Activity, Intent, Step, StepState};
use crate::{StepKind, StepOutcome, reason};

impl Round<'_> {
    pub(super) fn watch(&mut self, step: &Step) {
        let (partition, place) = match standing(&step.plan, self.sight.cluster) {
            Standing::TopicGone => return self.watch_void(step, reason::TOPIC_GONE, "its topic was deleted"),
            Standing::TopicRecreated => {
                return self.watch_void(step, reason::TOPIC_RECREATED, "its topic was deleted and re-created");
            }
            Standing::At(partition, place) => (partition, place),
        };
        match &step.state {
            // What this executor has just recorded it has not asked for yet.
            StepState::Intended(intent) if intent.at >= self.sight.since => self.watch_asked(step, partition, place, None),
            // What was recorded before a restart may have been asked for and not show yet.
            StepState::Intended(_) => self.watch_asked(step, partition, place, Some(self.sight.since)),
            StepState::Unknown(_) => self.watch_asked(step, partition, place, Some(step.since)),
            StepState::Issued(_) => self.watch_issued(step, partition, place),
            StepState::Reverting(intent) => self.watch_reverting(step, intent, partition, place),
            _ => {}
        }
    }

    fn watch_void(&mut self, step: &Step, reason_code: &'static str, detail: &str) {
        if self.is_certain(step, reason_code, detail) {
            self.skip(step, reason_code, detail);
        }
    }

    /// It may or may not have been asked for, last at `asked_at`: only what Kafka shows will tell. Asking again for the same is
    /// harmless, so it may be done soon; who gives it up must be sure that it does not come about later, unwatched.
    fn watch_asked(&mut self, step: &Step, partition: &Partition, place: Place, asked_at: Option<Timestamp>) {
        let is_clear = asked_at.is_none_or(|at| self.is_settled(at));
        let is_lost = asked_at.is_none_or(|at| self.has_lasted(at, self.limits.late_milliseconds));
        match place {
            Place::Done | Place::Reached | Place::Pending => self.record(step, StepOutcome::Issued { found: true }),
            Place::Foreign => self.watch_foreign(step, partition),
            Place::Elsewhere => self.watch_elsewhere(step, partition),
            Place::Before if !is_clear => self.goes_on = true,
            Place::Before if matches!(self.activity, Activity::Cancelling(_)) && !is_lost => self.goes_on = true,
            Place::Before if matches!(self.activity, Activity::Cancelling(_)) => {
                self.skip(step, reason::TASK_CANCELLED, "cancelled before Kafka took it");
            }
            Place::Before => match gate(self.task, step, self.sight, |broker| self.sight.free_bytes.get(&broker).copied()) {
                Verdict::Go => self.ask(step),
                Verdict::Wait { .. } if !is_lost => self.goes_on = true,
                Verdict::Wait { reason_code, detail, .. } => {
                    self.record(step, StepOutcome::AttemptFailed { reason_code: reason_code.into(), detail });
                }
                Verdict::Done | Verdict::Void { .. } => self.goes_on = true,
            },
        }
    }

    fn ask(&mut self, step: &Step) {
        self.goes_on = true;
        let (index, attempt, at) = (step.plan.index, step.attempt, step.plan.at.clone());
        self.effects.push(match &step.plan.kind {
            StepKind::Move { to, .. } => Effect::Submit { step: index, attempt, at, target: to.clone() },
            StepKind::Elect { .. } => Effect::Elect { step: index, attempt, at },
        });
    }

    fn watch_issued(&mut self, step: &Step, partition: &Partition, place: Place) {
        let is_move = matches!(step.plan.kind, StepKind::Move { .. });
        match place {
            Place::Done => {
                let (replicas, in_sync, leader) = (partition.replicas.clone(), partition.in_sync.clone(), partition.leader);
                self.record(step, StepOutcome::Succeeded { replicas, in_sync, leader });
            }
            Place::Foreign => self.watch_foreign(step, partition),
            Place::Elsewhere => self.watch_elsewhere(step, partition),
            Place::Pending if self.takes_back() => {
                let StepKind::Move { from, .. } = &step.plan.kind else { return };
                self.record(step, StepOutcome::RevertIntended { restore: from.clone() });
            }
            Place::Pending => {
                let lost = partition.adding_replicas.iter().find(|broker| !self.sight.cluster.is_alive(**broker));
                match lost {
                    Some(broker) => {
                        let detail = format!("broker {broker} died while it was copying; the copy goes on when it returns");
                        self.wait(step, reason::TARGET_LOST, detail, Patience::Stall);
                    }
                    None => self.watch_progress(step),
                }
            }
            Place::Reached => self.watch_progress(step),
            Place::Before => {
                let detail = if is_move { "Kafka lists it no more and has not done it" } else { "another broker leads" };
                if self.is_certain(step, reason::MOVE_VANISHED, detail) {
                    let (reason_code, detail) = (reason::MOVE_VANISHED.into(), detail.into());
                    self.record(step, StepOutcome::AttemptFailed { reason_code, detail });
                }
            }
        }
    }

    fn watch_foreign(&mut self, step: &Step, partition: &Partition) {
        let detail = format!("a reassignment to {} that is not ours is pending", list(&partition.replicas));
        self.wait(step, reason::FOREIGN_REASSIGNMENT, detail, Patience::Endless);
    }

    fn watch_elsewhere(&mut self, step: &Step, partition: &Partition) {
        let detail = format!("somebody changed its replica list to {}", list(&partition.replicas));
        self.wait(step, reason::LIST_CHANGED, detail, Patience::Settle);
    }

    /// Names a stall, and the end of one.
    fn watch_progress(&mut self, step: &Step) {
        let grown = self.sight.progressed_at.get(&step.plan.index).copied();
        match &step.waiting {
            Some(waiting) if waiting.reason_code == reason::STALLED && grown.is_none_or(|grown| grown <= waiting.since) => {
                self.blocked.insert(step.plan.index, (waiting.reason_code.clone(), waiting.detail.clone()));
            }
            Some(_) => self.end_wait(step),
            None => {
                // What grew before this executor began to look it cannot know.
                let since = grown.unwrap_or(self.sight.since).max(step.since);
                self.goes_on = true;
                if self.has_lasted(since, self.limits.stall_seconds.saturating_mul(1_000)) {
                    self.record(step, StepOutcome::Stalled { seconds: self.limits.stall_seconds });
                }
            }
        }
    }

    /// Cancel, restore the list in its order, give the lead back: each only while the cluster shows that it is due.
    fn watch_reverting(&mut self, step: &Step, intent: &Intent, partition: &Partition, place: Place) {
        let restore = &intent.before;
        let (index, at) = (step.plan.index, step.plan.at.clone());
        let same_members = partition.replicas.len() == restore.len() && restore.iter().all(|id| partition.replicas.contains(id));
        if partition.is_reassigning() && (place == Place::Pending || partition.replicas == *restore) {
            self.watch_progress(step);
            self.effects.push(Effect::CancelReassignment { step: index, at });
        } else if partition.is_reassigning() {
            self.watch_foreign(step, partition);
        } else if !self.is_settled(step.since) {
            // Brokers may still show the lists of before the cancellation.
            self.goes_on = true;
        } else if partition.replicas == *restore {
            match self.leader_to_restore(intent, partition) {
                // The lead is given up for what keeps it away only after the stall time.
                Some(_) if step.waiting.as_ref().is_none_or(|waiting| waiting.reason_code != reason::STALLED) => {
                    self.watch_progress(step);
                    self.effects.push(Effect::RestoreLeader { step: index, at });
                }
                _ => self.record(step, StepOutcome::Reverted { replicas: partition.replicas.clone(), leader: partition.leader }),
            }
        } else if same_members {
            self.watch_progress(step);
            self.effects.push(Effect::RestoreList { step: index, at, list: restore.clone() });
        } else if place == Place::Done {
            // It had finished before it could be cancelled.
            let (replicas, in_sync, leader) = (partition.replicas.clone(), partition.in_sync.clone(), partition.leader);
            self.record(step, StepOutcome::Succeeded { replicas, in_sync, leader });
        } else if place == Place::Reached {
            self.watch_progress(step);
        } else {
            self.watch_elsewhere(step, partition);
        }
    }

    /// The leader of before, where it does not lead and an election can make it.
    fn leader_to_restore(&self, intent: &Intent, partition: &Partition) -> Option<BrokerId> {
        intent.leader_before.filter(|leader| {
            partition.leader != Some(*leader)
                && partition.replicas.first() == Some(leader)
                && partition.in_sync.contains(leader)
                && self.sight.cluster.is_alive(*leader)
        })
    }
}
