//! Where a task as a whole goes on once its steps have nothing to do: verified, paused, turned back, ended, or to an operator.
//! Must not know single steps beyond their state.

use ballast_cluster::{BrokerId, Partition};

use super::Round;
use crate::task::{Activity, Phase, Step, StepState};
use crate::undo::{kept, undo_steps};
use crate::{CancelMode, RecordedPartition, StepKind, StepPlan, TaskEvent, TaskState, reason};

impl Round<'_> {
    pub(super) fn close(&mut self) {
        if let Phase::NeedsOperator { step, .. } = &self.task.phase {
            if step.is_some_and(|step| !self.blocked.contains_key(&step)) {
                self.record_task(TaskEvent::OperatorNotNeeded);
            }
            return;
        }
        if !self.effects.is_empty() || self.goes_on {
            return;
        }
        if let Some((&step, (reason_code, detail))) = self.blocked.first_key_value() {
            let (reason_code, detail) = (reason_code.clone(), detail.clone());
            return self.record_task(TaskEvent::OperatorNeeded { step: Some(step), reason_code, detail });
        }
        let undoing = self.activity == Activity::RollingBack;
        let is_open = |step: &Step| !step.state.is_over() && step.plan.is_undo == undoing;
        let anything_open = self.task.steps.iter().any(is_open);
        let anything_started = self.task.steps.iter().any(|step| step.state.holds_a_place());
        match self.activity {
            Activity::Running if !anything_open => self.record_task(TaskEvent::VerificationStarted),
            Activity::Pausing if !anything_started => self.record_task(TaskEvent::Paused),
            Activity::Revalidating => self.record_task(TaskEvent::Revalidated),
            Activity::Cancelling(CancelMode::RollBack) if !anything_started => self.turn_back(),
            Activity::Cancelling(_) if !anything_started => self.end_cancelled(),
            Activity::RollingBack if !anything_open => self.end_rolled_back(),
            Activity::Verifying => self.end_verified(),
            Activity::Running | Activity::Pausing | Activity::Cancelling(_) | Activity::RollingBack => {}
        }
    }

    fn end(&mut self, state: TaskState, reason_code: &str, detail: String) {
        self.record_task(TaskEvent::Ended { state, reason_code: reason_code.into(), detail });
    }

    fn turn_back(&mut self) {
        let steps = undo_steps(self.task, self.sight.cluster);
        let was_reverted = self.task.steps.iter().any(|step| step.state == StepState::Reverted);
        if !steps.is_empty() {
            self.record_task(TaskEvent::RollbackPlanned { steps });
        } else if self.task.applied_anything() || was_reverted {
            self.end_rolled_back();
        } else {
            self.end(TaskState::Cancelled, reason::TASK_CANCELLED, "cancelled before anything was applied".into());
        }
    }

    fn end_cancelled(&mut self) {
        if self.task.applied_anything() {
            let detail = "cancelled; what had finished stays".into();
            self.end(TaskState::PartiallyApplied, reason::TASK_CANCELLED, detail);
        } else {
            self.end(TaskState::Cancelled, reason::TASK_CANCELLED, "cancelled; nothing was applied".into());
        }
    }

    fn end_rolled_back(&mut self) {
        let kept = kept(self.task, self.sight.cluster);
        match kept.first() {
            None => {
                self.end(TaskState::RolledBack, reason::TASK_CANCELLED, "lists, their order and leaders are as before".into())
            }
            Some(first) => {
                let dead = first.replicas.iter().find(|broker| !self.sight.cluster.is_alive(**broker));
                let (reason_code, why) = match dead {
                    Some(dead) => (reason::ROLLBACK_TARGET_DEAD, format!("broker {dead} is dead")),
                    None => (reason::OPERATOR_DECISION, "its steps were not all done".into()),
                };
                let detail = format!("{} partitions are not back, the first is {}: {why}", kept.len(), first.at);
                self.end(TaskState::PartiallyApplied, reason_code, detail);
            }
        }
    }

    /// Compares the whole result with the cluster; what does not fit has the stall time to come right.
    pub(super) fn verify(&mut self) {
        let task = self.task;
        // Once an operator is needed it stays so until the result is as it should be.
        let is_needed = matches!(task.phase, Phase::NeedsOperator { .. });
        let is_over = is_needed || self.has_lasted(task.since, self.limits.stall_seconds.saturating_mul(1_000));
        if let (None, Some(last)) = (self.sight.copies, task.steps.last().filter(|last| !last.vouched)) {
            let step = match task.phase {
                Phase::NeedsOperator { step: Some(step), .. } => step,
                _ => last.plan.index,
            };
            let detail = "the disks of a broker that was to lose copies cannot be read";
            return self.unverified(step, detail.into(), is_over);
        }
        let steps = task.by_partition();
        let mut elections = Vec::new();
        for recorded in &task.body.partitions {
            let at = &recorded.at;
            let steps = steps.get(at).map(Vec::as_slice).unwrap_or_default();
            if !steps.iter().all(|step| step.succeeded() && !step.vouched) {
                continue;
            }
            let Some(mismatch) = self.mismatch(recorded, steps) else { continue };
            let last = steps.last().map_or(0, |step| step.plan.index);
            if !is_over && let Some(leader) = self.leader_to_elect_again(recorded, steps) {
                let index = u32::try_from(task.steps.len() + elections.len()).unwrap_or(u32::MAX);
                let (at, topic_id) = (at.clone(), recorded.topic_id.clone());
                let kind = StepKind::Elect { leader };
                elections.push(StepPlan { index, at, topic_id, kind, bytes: 0, is_undo: false });
            } else {
                self.unverified(last, format!("{at}: {mismatch}"), is_over);
            }
        }
        if !elections.is_empty() {
            self.record_task(TaskEvent::StepsAdded { steps: elections });
        }
    }

    /// The leader that was lost, once it can lead again; tried once, then it is an operator's.
    fn leader_to_elect_again(&self, recorded: &RecordedPartition, steps: &[&Step]) -> Option<BrokerId> {
        let partition = self.sight.cluster.partition(&recorded.at)?;
        let wanted = self.lost_leader(recorded, steps, partition)?;
        let was_tried = steps.last().is_some_and(|step| step.plan.index as usize >= self.task.body.steps.len());
        let can_lead = !partition.is_reassigning()
            && partition.replicas == recorded.target
            && partition.replicas.first() == Some(&wanted)
            && partition.in_sync.contains(&wanted);
        (can_lead && !was_tried && self.is_settled(self.task.since)).then_some(wanted)
    }

    fn unverified(&mut self, step: u32, detail: String, is_over: bool) {
        if is_over {
            self.blocked.insert(step, (reason::VERIFICATION_FAILED.into(), detail));
        } else {
            self.goes_on = true;
        }
    }

    /// What of a partition is not as the task should have left it.
    fn mismatch(&self, recorded: &RecordedPartition, steps: &[&Step]) -> Option<String> {
        let seen = self.sight.cluster;
        let topic = seen.topic(&recorded.at.topic)?;
        if topic.id.is_some() && recorded.topic_id.is_some() && topic.id != recorded.topic_id {
            return None;
        }
        let partition = topic.partition(recorded.at.partition)?;
        if partition.is_reassigning() || partition.replicas != recorded.target {
            return Some(format!(
                "its list is {}, not {}",
                crate::gate::list(&partition.replicas),
                crate::gate::list(&recorded.target)
            ));
        }
        let behind = recorded.target.iter().find(|broker| seen.is_alive(**broker) && !partition.in_sync.contains(broker));
        if let Some(broker) = behind {
            return Some(format!("broker {broker} is not in sync"));
        }
        if let Some(mismatch) = self.leader_mismatch(recorded, steps, partition) {
            return Some(mismatch);
        }
        let copies = self.sight.copies?;
        let has_copy = |broker| copies.contains(&(recorded.at.clone(), broker));
        let old = recorded.replicas.iter().copied().find(|broker| !recorded.target.contains(broker) && has_copy(*broker));
        old.map(|broker| format!("broker {broker} still has the old copy"))
    }

    fn leader_mismatch(&self, recorded: &RecordedPartition, steps: &[&Step], partition: &Partition) -> Option<String> {
        let Some(leader) = partition.leader else { return Some("it has no leader".into()) };
        let wanted = self.lost_leader(recorded, steps, partition)?;
        Some(format!("broker {leader} leads it, not {wanted}"))
    }

    /// Who is to lead and does not: a leader may be lost after the last step, or where no step elected one. A dead one is not waited
    /// for.
    fn lost_leader(&self, recorded: &RecordedPartition, steps: &[&Step], partition: &Partition) -> Option<BrokerId> {
        let elected = steps.iter().rev().find_map(|step| match &step.plan.kind {
            StepKind::Elect { leader } => Some(*leader),
            StepKind::Move { .. } => None,
        });
        // Without an election whoever led before was to go on, where the list still names it.
        let stayed = recorded.leader.filter(|leader| recorded.target.contains(leader));
        elected.or(stayed).filter(|wanted| partition.leader != Some(*wanted) && self.sight.cluster.is_alive(*wanted))
    }

    fn end_verified(&mut self) {
        let undone = self.task.steps.iter().find(|step| !step.succeeded());
        let Some(undone) = undone else {
            return self.end(TaskState::Succeeded, "", "everything is as the plan wanted it".into());
        };
        let reason_code = match &undone.state {
            StepState::Skipped { reason_code } | StepState::Failed { reason_code } => reason_code.clone(),
            _ => reason::OPERATOR_DECISION.into(),
        };
        let count = self.task.steps.iter().filter(|step| !step.succeeded()).count();
        let detail = format!("{count} steps were not done, the first is step {} ({})", undone.plan.index, undone.plan.at);
        let state = if self.task.applied_anything() { TaskState::PartiallyApplied } else { TaskState::Failed };
        self.end(state, &reason_code, detail);
    }
}
