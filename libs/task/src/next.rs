//! What is due now: the deeds and records that take a task on, from its state and what is seen of the cluster. Living and
//! recovering are the same function. Must not know how deeds are performed.

mod close;
mod start;
mod watch;

use std::collections::{BTreeMap, BTreeSet};

use ballast_cluster::{Admission, BrokerId, Snapshot, Timestamp, TopicPartition};

use crate::gate::Patience;
use crate::task::{Activity, Phase, Step, Task};
use crate::{CancelMode, Event, Limits, Slots, StepEvent, StepOutcome, TaskEvent};

/// What the executor sees of the cluster, no older than the task's last event.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// Topics that the task touches, with what is pending on them, and all brokers.
    pub cluster: &'a Snapshot,
    /// Since when this executor looks at the cluster: what was asked of Kafka before may not show yet.
    pub since: Timestamp,
    /// When each step's copies last grew, by step; steps without growth so far are absent.
    pub progressed_at: &'a BTreeMap<u32, Timestamp>,
    /// Room on each broker's disks; brokers whose room is unknown are absent.
    pub free_bytes: &'a BTreeMap<BrokerId, u64>,
    /// Brokers that Kafka places nothing new on, by an operator's word, of those asked for steps that are about to start.
    pub cordoned: &'a BTreeSet<BrokerId>,
    /// Replicas that are on their way from one directory of their broker to another, of the brokers asked.
    pub moving_on_disk: &'a BTreeSet<(TopicPartition, BrokerId)>,
    /// Which live brokers have a copy of which partitions on their disks; `None` when that was not looked at.
    pub copies: Option<&'a BTreeSet<(TopicPartition, BrokerId)>>,
}

/// A deed to perform, in the order given. What comes of it is recorded by whoever performs it.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
    /// To be recorded.
    Record(Event),
    /// A step's intent, to be recorded only if no admission changed since.
    Intend(Event),
    /// Ask for a step's target list.
    Submit { step: u32, attempt: u32, at: TopicPartition, target: Vec<BrokerId> },
    /// Ask for a step's election; the broker is the first of the list.
    Elect { step: u32, attempt: u32, at: TopicPartition },
    /// Cancel our pending reassignment.
    CancelReassignment { step: u32, at: TopicPartition },
    /// Ask for the list from before; nothing is pending, so it is a change of order.
    RestoreList { step: u32, at: TopicPartition, list: Vec<BrokerId> },
    /// Give the lead back after a cancelled reassignment.
    RestoreLeader { step: u32, at: TopicPartition },
}

/// What is due for `task`. `slots` are those taken by all tasks of the cluster, this one included. Nothing is due twice: after
/// the records are folded and the deeds are seen in the cluster, they are not given again.
pub fn next(
    task: &Task,
    sight: &Sight<'_>,
    admission: &Admission,
    slots: &Slots,
    limits: &Limits,
    now: Timestamp,
) -> Vec<Effect> {
    let activity = match &task.phase {
        Phase::Queued => return vec![Effect::Record(Event::Task(TaskEvent::Started))],
        Phase::Proposed | Phase::Paused | Phase::Ended { .. } => return Vec::new(),
        Phase::Active(activity) | Phase::NeedsOperator { interrupted: activity, .. } => *activity,
    };
    let mut round = Round {
        task,
        sight,
        admission,
        slots: slots.clone(),
        limits,
        now,
        activity,
        effects: Vec::new(),
        goes_on: false,
        blocked: BTreeMap::new(),
        waits_recorded: 0,
    };
    for step in task.steps.iter().filter(|step| step.state.is_in_flight()) {
        round.watch(step);
    }
    match activity {
        Activity::Running | Activity::RollingBack => round.start_due(),
        Activity::Pausing | Activity::Cancelling(_) => round.withdraw(),
        Activity::Revalidating => round.revalidate(),
        Activity::Verifying => round.verify(),
    }
    round.close();
    round.effects
}

/// At most this many new waits are recorded in one round: a broker's death makes thousands of steps wait at once.
const WAITS_PER_ROUND: usize = 64;

struct Round<'a> {
    task: &'a Task,
    sight: &'a Sight<'a>,
    admission: &'a Admission,
    slots: Slots,
    limits: &'a Limits,
    now: Timestamp,
    activity: Activity,
    effects: Vec<Effect>,
    /// Something is going on that does not need an operator.
    goes_on: bool,
    /// Steps that cannot go on without an operator, and why.
    blocked: BTreeMap<u32, (String, String)>,
    waits_recorded: usize,
}

impl Round<'_> {
    fn record_task(&mut self, event: TaskEvent) {
        self.effects.push(Effect::Record(Event::Task(event)));
    }

    fn event(&self, step: &Step, outcome: StepOutcome) -> Event {
        Event::Step(StepEvent { task: self.task.id.clone(), step: step.plan.index, attempt: step.attempt, outcome })
    }

    fn record(&mut self, step: &Step, outcome: StepOutcome) {
        self.goes_on = true;
        let event = self.event(step, outcome);
        self.effects.push(Effect::Record(event));
    }

    fn skip(&mut self, step: &Step, reason_code: &str, detail: &str) {
        self.record(step, StepOutcome::Skipped { reason_code: reason_code.into(), detail: detail.into() });
    }

    fn has_lasted(&self, since: Timestamp, milliseconds: u64) -> bool {
        self.now.milliseconds_since(since) >= i64::try_from(milliseconds).unwrap_or(i64::MAX)
    }

    fn is_settled(&self, since: Timestamp) -> bool {
        self.has_lasted(since, self.limits.settle_milliseconds)
    }

    /// Notes that the step waits and, once patience is over, that it needs an operator.
    fn wait(&mut self, step: &Step, reason_code: &'static str, detail: String, patience: Patience) {
        let since = match &step.waiting {
            Some(waiting) if waiting.reason_code == reason_code => waiting.since,
            _ => return self.record_wait(step, reason_code, detail),
        };
        let over = match patience {
            Patience::Endless => return,
            Patience::Stall => self.has_lasted(since, self.limits.stall_seconds.saturating_mul(1_000)),
            Patience::Settle => self.is_settled(since),
        };
        if over {
            self.blocked.insert(step.plan.index, (reason_code.into(), detail));
        } else {
            self.goes_on = true;
        }
    }

    fn record_wait(&mut self, step: &Step, reason_code: &str, detail: String) {
        self.goes_on = true;
        if self.waits_recorded < WAITS_PER_ROUND {
            self.waits_recorded += 1;
            self.record(step, StepOutcome::Waiting { reason_code: reason_code.into(), detail });
        }
    }

    /// Whether the surprise has lasted long enough to act on it; notes it until then.
    fn is_certain(&mut self, step: &Step, reason_code: &'static str, detail: &str) -> bool {
        match &step.waiting {
            Some(waiting) if waiting.reason_code == reason_code => {
                self.goes_on = true;
                self.is_settled(waiting.since)
            }
            _ => {
                self.record_wait(step, reason_code, detail.into());
                false
            }
        }
    }

    /// The step no longer waits.
    fn end_wait(&mut self, step: &Step) {
        self.goes_on = true;
        if step.waiting.is_some() {
            self.record(step, StepOutcome::WaitOver);
        }
    }

    fn takes_back(&self) -> bool {
        matches!(self.activity, Activity::Cancelling(CancelMode::StopNow | CancelMode::RollBack))
    }
}

#[cfg(test)]
mod tests;
