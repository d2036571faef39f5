//! How far moves in flight have come, measured on the brokers that copy. Measurements, never recorded. Must not know what a lack
//! of progress leads to.

use std::collections::{BTreeMap, VecDeque};

use ballast_cluster::{BrokerId, Snapshot, Timestamp, TopicPartition};
use ballast_kafka::{KafkaAdmin, OffsetQuery};
use ballast_task::{StepState, Task};

/// Of one task.
#[derive(Clone, Default, Debug)]
pub(crate) struct TaskProgress {
    pub steps: BTreeMap<u32, StepProgress>,
    /// Done bytes of the last half minute, for the rate.
    samples: VecDeque<(Timestamp, u64)>,
    bytes_done: u64,
}

#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct StepProgress {
    pub bytes_done: u64,
    /// When it was last seen to have grown.
    pub grown_at: Option<Timestamp>,
    /// Sum of the ends of its copies.
    ends: Option<i64>,
}

/// The rate is the mean over this long.
const RATE_WINDOW_MILLISECONDS: i64 = 30_000;

impl TaskProgress {
    pub fn grown_at(&self) -> BTreeMap<u32, Timestamp> {
        self.steps.iter().filter_map(|(step, progress)| Some((*step, progress.grown_at?))).collect()
    }

    /// Never less than was told before.
    pub fn bytes_done(&self, task: &Task) -> u64 {
        let in_flight = task.steps.iter().filter(|step| step.state.is_in_flight());
        let copied = |index: u32| self.steps.get(&index).map_or(0, |progress| progress.bytes_done);
        let measured: u64 = in_flight.map(|step| copied(step.plan.index).min(step.plan.bytes)).sum();
        task.totals().bytes_done.saturating_add(measured).max(self.bytes_done)
    }

    pub fn bytes_per_second(&self) -> u64 {
        let (Some((first_at, first)), Some((last_at, last))) = (self.samples.front(), self.samples.back()) else { return 0 };
        let milliseconds = u64::try_from(last_at.milliseconds_since(*first_at)).unwrap_or(0);
        last.saturating_sub(*first).saturating_mul(1_000).checked_div(milliseconds).unwrap_or(0)
    }

    fn sample(&mut self, task: &Task, now: Timestamp) {
        self.bytes_done = self.bytes_done(task);
        self.samples.push_back((now, self.bytes_done));
        while self.samples.front().is_some_and(|(at, _)| now.milliseconds_since(*at) > RATE_WINDOW_MILLISECONDS) {
            self.samples.pop_front();
        }
    }
}

/// Copies of moves in flight: task, step, partition, leader, and the broker that copies.
struct Copying {
    step: u32,
    at: TopicPartition,
    leader: BrokerId,
    adding: Vec<BrokerId>,
    bytes: u64,
}

/// Measures every copying step of `task` and updates `progress`. What cannot be asked is left as it was.
pub(crate) async fn measure(kafka: &dyn KafkaAdmin, task: &Task, seen: &Snapshot, progress: &mut TaskProgress, now: Timestamp) {
    let copying = copying(task, seen);
    let mut ends = Ends::default();
    for leader in brokers(copying.iter().map(|copy| copy.leader)) {
        let led: Vec<TopicPartition> = copying.iter().filter(|copy| copy.leader == leader).map(|copy| copy.at.clone()).collect();
        ends.ask(kafka, leader, OffsetQuery::LeaderStart, &led).await;
        ends.ask(kafka, leader, OffsetQuery::LeaderEnd, &led).await;
    }
    for target in brokers(copying.iter().flat_map(|copy| copy.adding.iter().copied())) {
        let held: Vec<TopicPartition> =
            copying.iter().filter(|copy| copy.adding.contains(&target)).map(|copy| copy.at.clone()).collect();
        ends.ask(kafka, target, OffsetQuery::ReplicaEnd, &held).await;
    }
    for copy in &copying {
        note(progress.steps.entry(copy.step).or_default(), copy, &ends, now);
    }
    progress.sample(task, now);
}

fn copying(task: &Task, seen: &Snapshot) -> Vec<Copying> {
    let in_flight = task.steps.iter().filter(|step| matches!(step.state, StepState::Issued(_) | StepState::Unknown(_)));
    let copies = in_flight.filter(|step| step.plan.copies_data()).filter_map(|step| {
        let partition = seen.partition(&step.plan.at)?;
        let adding = step.plan.adding().into_iter().filter(|broker| seen.is_alive(*broker)).collect();
        Some(Copying {
            step: step.plan.index,
            at: step.plan.at.clone(),
            leader: partition.leader?,
            adding,
            bytes: step.plan.bytes,
        })
    });
    copies.collect()
}

fn brokers(all: impl Iterator<Item = BrokerId>) -> std::collections::BTreeSet<BrokerId> {
    all.collect()
}

#[derive(Default)]
struct Ends {
    starts: BTreeMap<TopicPartition, i64>,
    leaders: BTreeMap<TopicPartition, i64>,
    replicas: BTreeMap<(TopicPartition, BrokerId), i64>,
}

impl Ends {
    async fn ask(&mut self, kafka: &dyn KafkaAdmin, broker: BrokerId, query: OffsetQuery, partitions: &[TopicPartition]) {
        let answers = match kafka.list_offsets(broker, query, partitions).await {
            Ok(answers) => answers,
            Err(error) => return tracing::debug!(%broker, %error, "offsets of moves in flight cannot be asked"),
        };
        for (at, offset) in answers.into_iter().filter_map(|(at, answer)| Some((at, answer.ok()?))) {
            match query {
                OffsetQuery::LeaderStart => drop(self.starts.insert(at, offset)),
                OffsetQuery::LeaderEnd => drop(self.leaders.insert(at, offset)),
                OffsetQuery::ReplicaEnd => drop(self.replicas.insert((at, broker), offset)),
            }
        }
    }
}

fn note(progress: &mut StepProgress, copy: &Copying, ends: &Ends, now: Timestamp) {
    let held: Vec<i64> =
        copy.adding.iter().filter_map(|broker| ends.replicas.get(&(copy.at.clone(), *broker)).copied()).collect();
    if held.is_empty() {
        return;
    }
    let sum = held.iter().sum();
    if progress.ends.is_some_and(|before| sum > before) {
        progress.grown_at = Some(now);
    }
    progress.ends = Some(sum);
    let (Some(start), Some(end)) = (ends.starts.get(&copy.at), ends.leaders.get(&copy.at)) else { return };
    let whole = u64::try_from(end - start).unwrap_or(0);
    let done: u64 = held.iter().map(|end| u64::try_from(end - start).unwrap_or(0).min(whole)).sum();
    let whole = whole.saturating_mul(copy.adding.len() as u64);
    // Offsets are not bytes, but a share of the offsets is about the same share of the bytes.
    let share = u128::from(copy.bytes) * u128::from(done) / u128::from(whole.max(1));
    progress.bytes_done = progress.bytes_done.max(u64::try_from(share).unwrap_or(copy.bytes));
}
