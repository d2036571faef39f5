//! What only the brokers themselves tell of the steps that are due: which targets are cordoned, which replicas are on their way
//! from one of their directories to another. Must not know what follows from it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ballast_cluster::{BrokerId, Snapshot, Timestamp, TopicPartition};
use ballast_kafka::{KafkaAdmin, KafkaError, is_cordoned};
use ballast_task::{Activity, Step, StepKind, Task};
use futures::StreamExt as _;

/// Brokers that are asked at once.
const ASKED_AT_ONCE: usize = 8;

/// What brokers told last.
#[derive(Default)]
pub(crate) struct Gates {
    asked_at: BTreeMap<BrokerId, Timestamp>,
    pub cordoned: BTreeSet<BrokerId>,
    pub moving_on_disk: BTreeSet<(TopicPartition, BrokerId)>,
}

impl Gates {
    /// Asks the live brokers of the steps that are due anew, except those asked within `interval`. One that does not answer is
    /// left as it was: whether it lives is another gate's to see.
    pub async fn look<'a>(
        &mut self,
        kafka: &dyn KafkaAdmin,
        tasks: impl Iterator<Item = &'a Task>,
        seen: &Snapshot,
        now: Timestamp,
        interval: Duration,
    ) {
        let milliseconds = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX);
        self.asked_at.retain(|_, at| now.milliseconds_since(*at) < milliseconds);
        let due: BTreeSet<BrokerId> = tasks.flat_map(due_steps).flat_map(brokers).collect();
        let due = due.into_iter().filter(|id| seen.is_alive(*id) && !self.asked_at.contains_key(id));
        let asked: Vec<BrokerId> = due.collect();
        let answers = futures::stream::iter(asked).map(async |broker| (broker, ask(kafka, broker).await));
        let answers: Vec<_> = answers.buffer_unordered(ASKED_AT_ONCE).collect().await;
        for (broker, told) in answers {
            self.asked_at.insert(broker, now);
            let Ok(told) = told else { continue };
            self.cordoned.remove(&broker);
            self.cordoned.extend(told.is_cordoned.then_some(broker));
            self.moving_on_disk.retain(|(_, holder)| *holder != broker);
            self.moving_on_disk.extend(told.moving.into_iter().map(|at| (at, broker)));
        }
    }
}

/// The first open step of each partition, where it copies data and has not begun to.
fn due_steps(task: &Task) -> impl Iterator<Item = &Step> {
    let starts = matches!(task.phase.activity(), Some(Activity::Running | Activity::RollingBack));
    let undoing = task.has_turned_back();
    let mut busy: BTreeSet<&TopicPartition> = BTreeSet::new();
    let open = task.steps.iter().filter(move |step| starts && step.plan.is_undo == undoing && !step.state.is_over());
    open.filter(move |step| busy.insert(&step.plan.at) && step.plan.copies_data() && !step.state.is_in_flight())
}

/// Those that hold the partition and those that are to get a copy.
fn brokers(step: &Step) -> Vec<BrokerId> {
    match &step.plan.kind {
        StepKind::Move { from, to } => from.iter().chain(to).copied().collect(),
        StepKind::Elect { .. } => Vec::new(),
    }
}

struct Told {
    is_cordoned: bool,
    moving: Vec<TopicPartition>,
}

async fn ask(kafka: &dyn KafkaAdmin, broker: BrokerId) -> Result<Told, KafkaError> {
    let dirs = kafka.describe_log_dirs(broker).await?;
    let is_cordoned = is_cordoned(kafka, broker, &dirs).await?;
    let replicas = dirs.into_iter().flat_map(|dir| dir.replicas);
    Ok(Told { is_cordoned, moving: replicas.filter(|replica| replica.is_future).map(|replica| replica.at).collect() })
}
