//! Steps that start, and those that are withdrawn before they did. Must not know what becomes of them afterwards.

use std::collections::BTreeSet;

use ballast_cluster::{BrokerId, TopicPartition};

use super::{Effect, Round};
use crate::gate::{Patience, Verdict, gate};
use crate::standing::{Place, Standing, standing};
use crate::task::{Activity, Step, StepState};
use crate::{StepKind, StepOutcome, reason};

impl Round<'_> {
    /// Looks at the first open step of each partition, in plan order.
    pub(super) fn start_due(&mut self) {
        let undoing = self.activity == Activity::RollingBack;
        let mut busy: BTreeSet<&TopicPartition> = BTreeSet::new();
        let mut given_up: BTreeSet<&TopicPartition> = BTreeSet::new();
        let task = self.task;
        for step in task.steps.iter().filter(|step| step.plan.is_undo == undoing) {
            let at = &step.plan.at;
            if step.state.is_over() {
                if !step.succeeded() {
                    given_up.insert(at);
                }
            } else if given_up.contains(at) {
                self.skip(step, reason::EARLIER_STEP_NOT_DONE, "an earlier step of its partition was not done");
            } else if busy.insert(at) {
                self.start(step);
            }
        }
    }

    fn start(&mut self, step: &Step) {
        match &step.state {
            StepState::Pending { not_before } if not_before.is_some_and(|at| at > self.now) => self.goes_on = true,
            StepState::Pending { .. } if step.failures >= self.limits.failures_max => {
                let detail = format!("{} attempts failed", step.failures);
                self.blocked.insert(step.plan.index, (reason::KAFKA_REFUSED.into(), detail));
            }
            StepState::Pending { .. } => self.start_pending(step),
            StepState::Ready => self.start_ready(step),
            _ => {}
        }
    }

    fn start_pending(&mut self, step: &Step) {
        match self.gate(step) {
            Verdict::Go if self.slots.have_room_for(step, self.sight.cluster, self.limits) => {
                self.slots.take(step, self.sight.cluster);
                let outcome = self.ready(step);
                self.record(step, outcome);
            }
            Verdict::Go => self.end_wait(step),
            Verdict::Done => self.found_done(step),
            Verdict::Wait { reason_code, detail, patience } => self.wait(step, reason_code, detail, patience),
            Verdict::Void { reason_code } => self.void(step, reason_code),
        }
    }

    /// It asks for its admission and starts when that stands; a gate that closed meanwhile sends it back.
    fn start_ready(&mut self, step: &Step) {
        match gate(self.task, step, self.sight, |_| None) {
            Verdict::Go => match self.admission.grant(&self.task.key(step), self.now).filter(|_| !self.admission.frozen) {
                Some(grant) => self.intend(step, grant.epoch),
                None => self.end_wait(step),
            },
            Verdict::Done => self.found_done(step),
            Verdict::Wait { reason_code, detail, .. } => {
                if self.is_certain(step, reason_code, &detail) {
                    self.record(step, StepOutcome::AttemptFailed { reason_code: reason_code.into(), detail });
                }
            }
            Verdict::Void { reason_code } => self.void(step, reason_code),
        }
    }

    fn gate(&self, step: &Step) -> Verdict {
        let incoming = |broker: BrokerId| self.slots.incoming_bytes.get(&broker).copied().unwrap_or(0);
        let free = |broker| Some(self.sight.free_bytes.get(&broker)?.saturating_sub(incoming(broker)));
        gate(self.task, step, self.sight, free)
    }

    fn ready(&self, step: &Step) -> StepOutcome {
        let partition = self.sight.cluster.partition(&step.plan.at);
        StepOutcome::Ready {
            topic: step.plan.at.topic.clone(),
            partition: step.plan.at.partition,
            present: partition.map(|partition| partition.replicas.clone()).unwrap_or_default(),
            adding: step.plan.adding(),
            bytes: step.plan.bytes,
        }
    }

    fn intend(&mut self, step: &Step, admission_epoch: u64) {
        self.goes_on = true;
        let Some(partition) = self.sight.cluster.partition(&step.plan.at) else { return };
        let target = match &step.plan.kind {
            StepKind::Move { to, .. } => to.clone(),
            StepKind::Elect { .. } => partition.replicas.clone(),
        };
        let (before, leader_before) = (partition.replicas.clone(), partition.leader);
        let event = self.event(step, StepOutcome::Intended { target, before, leader_before, admission_epoch });
        self.effects.push(Effect::Intend(event));
    }

    fn found_done(&mut self, step: &Step) {
        let Some(partition) = self.sight.cluster.partition(&step.plan.at) else { return };
        let (replicas, in_sync, leader) = (partition.replicas.clone(), partition.in_sync.clone(), partition.leader);
        self.record(step, StepOutcome::Succeeded { replicas, in_sync, leader });
    }

    fn void(&mut self, step: &Step, reason_code: &'static str) {
        let detail = "its topic is not the one that the plan was made for";
        if self.is_certain(step, reason_code, detail) {
            self.skip(step, reason_code, detail);
        }
    }

    /// Nothing new starts: what only asked to is called back.
    pub(super) fn withdraw(&mut self) {
        let task = self.task;
        for step in task.steps.iter().filter(|step| step.state == StepState::Ready) {
            if self.activity == Activity::Pausing {
                let (reason_code, detail) = (reason::TASK_PAUSED.into(), "paused before it started".into());
                self.record(step, StepOutcome::AttemptFailed { reason_code, detail });
            } else {
                self.skip(step, reason::TASK_CANCELLED, "cancelled before it started");
            }
        }
    }

    /// Before a paused task goes on: is every open partition still where its next step expects it?
    pub(super) fn revalidate(&mut self) {
        let task = self.task;
        // Of each partition the first step that is not done; one that was given up expects nothing any more.
        let mut seen: BTreeSet<&TopicPartition> = BTreeSet::new();
        let undoing = task.has_turned_back();
        for step in task.steps.iter().filter(|step| step.plan.is_undo == undoing && !step.succeeded()) {
            if !seen.insert(&step.plan.at) || step.state.is_over() {
                continue;
            }
            match standing(&step.plan, self.sight.cluster) {
                Standing::At(partition, Place::Elsewhere) => {
                    let detail = format!("somebody changed its replica list to {}", crate::gate::list(&partition.replicas));
                    self.wait(step, reason::LIST_CHANGED, detail, Patience::Settle);
                }
                _ if step.waiting.is_some() => self.end_wait(step),
                _ => {}
            }
        }
    }
}
