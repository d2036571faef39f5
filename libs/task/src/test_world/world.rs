//! One task on a small cluster that obeys Kafka's rules for reassignments, every change folded live and replayed from its
//! events. Must not hold anything that only one test needs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ballast_cluster::{Admission, BrokerId, BrokerState, Grant, Partition, Reassignment, Snapshot, Timestamp, TopicPartition};

use super::ids;
use crate::{
    Command, Decision, Effect, Event, Limits, Sight, Slots, StepEvent, StepOutcome, Task, TaskEvent, TaskState, apply, decide,
    next, steps,
};

pub(crate) struct World {
    pub seen: Snapshot,
    pub task: Task,
    pub events: Vec<(Event, Timestamp)>,
    pub now: Timestamp,
    pub limits: Limits,
    pub admits: bool,
    /// Moves stay pending.
    pub holds: bool,
    /// Writes are applied, and their answers lost.
    pub loses_answers: bool,
    /// What was asked of Kafka, in order.
    pub asked: Vec<String>,
    pub progressed_at: BTreeMap<u32, Timestamp>,
    pub free_bytes: BTreeMap<BrokerId, u64>,
    pub cordoned: BTreeSet<BrokerId>,
    pub moving_on_disk: BTreeSet<(TopicPartition, BrokerId)>,
    pub since: Timestamp,
}

impl World {
    /// Partitions of topic `t` from these lists to those, led by the first of their lists.
    pub fn new(goal: &str, moves: &[(&[i32], &[i32])]) -> Self {
        let from: Vec<&[i32]> = moves.iter().map(|(from, _)| *from).collect();
        Self::on(super::snapshot(&from, from[0][0]), goal, moves)
    }

    pub fn on(seen: Snapshot, goal: &str, moves: &[(&[i32], &[i32])]) -> Self {
        let wanted = |(index, (from, to)): (usize, &(&[i32], &[i32]))| Reassignment {
            at: TopicPartition::new("t", index as u32),
            topic_id: Some("id-1".into()),
            from: ids(from),
            to: ids(to),
            bytes: 100,
            reason: String::new(),
        };
        let wanted: Vec<_> = moves.iter().enumerate().map(wanted).collect();
        let now = Timestamp::from_milliseconds(1_000);
        let accepted = Event::Task(TaskEvent::Accepted {
            task: "task-1".into(),
            cluster: "c".into(),
            plan: "plan-1".into(),
            alternative: 1,
            goal: goal.into(),
            brokers: Vec::new(),
            approval_required: false,
            rolls_back: None,
            body: Arc::new(steps(&wanted, &seen)),
        });
        Self {
            task: apply(None, &accepted, now).unwrap(),
            seen,
            events: vec![(accepted, now)],
            now,
            limits: Limits::default(),
            admits: true,
            holds: false,
            loses_answers: false,
            asked: Vec::new(),
            progressed_at: BTreeMap::new(),
            free_bytes: BTreeMap::new(),
            cordoned: BTreeSet::new(),
            moving_on_disk: BTreeSet::new(),
            since: now,
        }
    }

    pub fn record(&mut self, event: Event) {
        self.task =
            apply(Some(self.task.clone()), &event, self.now).unwrap_or_else(|illegal| panic!("{illegal}\n{}", self.trace()));
        self.events.push((event, self.now));
    }

    pub fn command(&mut self, command: Command) {
        for event in decide(&self.task, command).unwrap() {
            self.record(event);
        }
    }

    pub fn decide(&mut self, step: u32, decision: Decision) {
        self.command(Command::Decide { step, decision });
    }

    /// What is due now, without doing it.
    pub fn due(&self) -> Vec<Effect> {
        let mut admission = Admission::default();
        if self.admits {
            let grant = Grant { epoch: 7, expires_at: self.now.plus_milliseconds(60_000) };
            admission.grants = self.task.steps.iter().map(|step| (self.task.key(step), grant)).collect();
        }
        let holders = |(topic, partition): (&ballast_cluster::Topic, &Partition)| {
            let at = TopicPartition::new(topic.name.clone(), partition.index);
            partition.holders().map(move |broker| (at.clone(), broker)).collect::<Vec<_>>()
        };
        let copies: BTreeSet<_> = self.seen.partitions().flat_map(holders).collect();
        let sight = Sight {
            cluster: &self.seen,
            since: self.since,
            progressed_at: &self.progressed_at,
            free_bytes: &self.free_bytes,
            cordoned: &self.cordoned,
            moving_on_disk: &self.moving_on_disk,
            copies: Some(&copies),
        };
        let slots = Slots::of(std::iter::once(&self.task), &self.seen);
        next(&self.task, &sight, &admission, &slots, &self.limits, self.now)
    }

    /// Does what is due; false when nothing was.
    pub fn round(&mut self) -> bool {
        let due = self.due();
        for effect in &due {
            self.perform(effect);
        }
        !due.is_empty()
    }

    fn perform(&mut self, effect: &Effect) {
        match effect {
            Effect::Record(event) | Effect::Intend(event) => self.record(event.clone()),
            Effect::Submit { step, attempt, at, target } => {
                self.asked.push(format!("{at}={}", crate::gate::list(target)));
                self.reassign(at, target);
                self.answer(*step, *attempt);
            }
            Effect::Elect { step, attempt, at } => {
                self.asked.push(format!("elect {at}"));
                self.elect(at);
                self.answer(*step, *attempt);
            }
            Effect::CancelReassignment { at, .. } => {
                self.asked.push(format!("cancel {at}"));
                self.cancel(at);
            }
            Effect::RestoreList { at, list, .. } => {
                self.asked.push(format!("restore {at}={}", crate::gate::list(list)));
                self.reassign(at, list);
                self.finish_moves();
            }
            Effect::RestoreLeader { at, .. } => {
                self.asked.push(format!("lead {at}"));
                self.elect(at);
            }
        }
    }

    fn answer(&mut self, step: u32, attempt: u32) {
        let outcome = if self.loses_answers {
            StepOutcome::OutcomeUnknown { cause: "lost".into() }
        } else {
            StepOutcome::Issued { found: false }
        };
        self.record(Event::Step(StepEvent { task: "task-1".into(), step, attempt, outcome }));
    }

    pub fn partition(&mut self, at: &TopicPartition) -> &mut Partition {
        &mut self.seen.topics[0].partitions[at.partition as usize]
    }

    pub fn reassign(&mut self, at: &TopicPartition, target: &[BrokerId]) {
        let partition = self.partition(at);
        let present = std::mem::replace(&mut partition.replicas, target.to_vec());
        partition.adding_replicas = target.iter().filter(|broker| !present.contains(broker)).copied().collect();
        partition.removing_replicas = present.iter().filter(|broker| !target.contains(broker)).copied().collect();
        partition.removing_replicas.sort();
        if partition.adding_replicas.is_empty() {
            partition.removing_replicas.clear();
        }
    }

    /// As Kafka does it: the order is lost.
    fn cancel(&mut self, at: &TopicPartition) {
        let partition = self.partition(at);
        let adding = std::mem::take(&mut partition.adding_replicas);
        partition.replicas.retain(|broker| !adding.contains(broker));
        let removing = std::mem::take(&mut partition.removing_replicas);
        partition.replicas.extend(removing);
        partition.in_sync.retain(|broker| !adding.contains(broker));
    }

    fn elect(&mut self, at: &TopicPartition) {
        let partition = self.partition(at);
        partition.leader = partition.replicas.first().copied();
    }

    /// Completes every pending move whose targets live.
    pub fn finish_moves(&mut self) {
        let dead: Vec<BrokerId> =
            self.seen.brokers.iter().filter(|broker| broker.state == BrokerState::Dead).map(|broker| broker.id).collect();
        for partition in self.seen.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
            if partition.adding_replicas.iter().any(|broker| dead.contains(broker)) {
                continue;
            }
            partition.adding_replicas.clear();
            partition.removing_replicas.clear();
            partition.in_sync = partition.replicas.iter().filter(|broker| !dead.contains(broker)).copied().collect();
            if partition.leader.is_none_or(|leader| !partition.replicas.contains(&leader)) {
                partition.leader = partition.in_sync.first().copied();
            }
        }
    }

    /// Goes on until nothing is due for ten seconds, or `seconds` have passed.
    pub fn run_for(&mut self, seconds: i64) {
        let end = self.now.plus_milliseconds(seconds * 1_000);
        let mut quiet = 0;
        while self.now < end && quiet < 20 {
            let was_busy = self.round();
            if !self.holds {
                self.finish_moves();
            }
            quiet = if was_busy { 0 } else { quiet + 1 };
            self.now = self.now.plus_milliseconds(500);
        }
        assert_eq!(self.replayed(), self.task, "replay equals living");
    }

    pub fn run(&mut self) -> TaskState {
        self.run_for(3_600);
        self.task.state()
    }

    /// Runs until a step is with Kafka.
    pub fn run_until_pending(&mut self) {
        self.holds = true;
        while self.asked.is_empty() {
            self.round();
        }
    }

    pub fn replayed(&self) -> Task {
        let fold = |task, (event, at): &(Event, Timestamp)| Some(apply(task, event, *at).unwrap());
        self.events.iter().fold(None, fold).unwrap()
    }

    pub fn set_state(&mut self, broker: i32, state: BrokerState) {
        self.seen.brokers.iter_mut().find(|known| known.id.0 == broker).unwrap().state = state;
        for partition in self.seen.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
            let id = BrokerId(broker);
            if state == BrokerState::Dead {
                partition.in_sync.retain(|known| *known != id);
                if partition.leader == Some(id) {
                    partition.leader = partition.in_sync.first().copied();
                }
            } else if partition.replicas.contains(&id)
                && !partition.in_sync.contains(&id)
                && !partition.adding_replicas.contains(&id)
            {
                partition.in_sync.push(id);
            }
        }
    }

    /// Lists and leaders: `4,2,3@4 1,2,3@1`.
    pub fn lists(&self) -> String {
        let words = self.seen.partitions().map(|(_, partition)| {
            let list: Vec<String> = partition.replicas.iter().map(ToString::to_string).collect();
            format!("{}@{}", list.join(","), partition.leader.map_or("none".into(), |leader| leader.to_string()))
        });
        words.collect::<Vec<_>>().join(" ")
    }

    /// The events by name, steps with their number.
    pub fn trace(&self) -> String {
        let word = |(event, _): &(Event, Timestamp)| match event {
            Event::Task(event) => event.name().to_owned(),
            Event::Step(event) => match &event.outcome {
                StepOutcome::Waiting { reason_code, .. } => format!("{}:{reason_code}", event.step),
                outcome => format!("{}:{}", event.step, outcome.name()),
            },
        };
        self.events.iter().map(word).collect::<Vec<_>>().join(" ")
    }

    pub fn end_reason(&self) -> &str {
        match &self.task.phase {
            crate::Phase::Ended { reason_code, .. } | crate::Phase::NeedsOperator { reason_code, .. } => reason_code,
            _ => "",
        }
    }
}
