//! What only the brokers themselves tell of the steps that are due: which targets are cordoned, which replicas are on their way
//! from one of their directories to another. Must not know what follows from it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ballast_cluster::{BrokerId, Snapshot, StepKey, Timestamp, TopicPartition};
use ballast_kafka::{KafkaAdmin, KafkaError, is_cordoned};
use ballast_task::{Activity, Step, StepKind, StepState, Task, reason};
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
    /// Asks the live brokers of the steps that are about to start, and of those that wait for what was told last, except those
    /// asked within `interval`. One that does not answer is left as it was: whether it lives is another gate's to see.
    pub async fn look<'a>(
        &mut self,
        kafka: &dyn KafkaAdmin,
        tasks: impl Iterator<Item = &'a Task>,
        granted: &BTreeSet<StepKey>,
        seen: &Snapshot,
        now: Timestamp,
        interval: Duration,
    ) {
        let milliseconds = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX);
        self.asked_at.retain(|_, at| now.milliseconds_since(*at) < milliseconds);
        let due: BTreeSet<BrokerId> = tasks.flat_map(|task| due_steps(task, granted)).flat_map(brokers).collect();
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

/// Steps that copy data and are admitted, or wait for what brokers told. All that are pending would be too many: each answer
/// lists every replica of a broker.
fn due_steps<'a>(task: &'a Task, granted: &BTreeSet<StepKey>) -> impl Iterator<Item = &'a Step> {
    let starts = matches!(task.phase.activity(), Some(Activity::Running | Activity::RollingBack));
    let waits = |step: &Step| {
        let reason_code = step.waiting.as_ref().map(|waiting| waiting.reason_code.as_str());
        matches!(reason_code, Some(reason::TARGET_CORDONED | reason::LOG_DIR_MOVE))
    };
    let is_due = move |step: &&Step| match step.state {
        StepState::Pending { .. } => waits(step),
        StepState::Ready => waits(step) || granted.contains(&task.key(step)),
        _ => false,
    };
    task.steps.iter().filter(move |_| starts).filter(is_due).filter(|step| step.plan.copies_data())
}

/// Those that hold the partition and those that are to get a copy; of a step that waits, those that it waits for.
fn brokers(step: &Step) -> Vec<BrokerId> {
    let waits_for = step.waiting.as_ref().map(|waiting| waiting.reason_code.as_str());
    match &step.plan.kind {
        StepKind::Move { from, to } if waits_for == Some(reason::TARGET_CORDONED) => {
            to.iter().filter(|broker| !from.contains(broker)).copied().collect()
        }
        StepKind::Move { from, .. } if waits_for == Some(reason::LOG_DIR_MOVE) => from.clone(),
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
