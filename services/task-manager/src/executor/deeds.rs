//! Performs deeds on Kafka, in one call per kind, and records what came of them. Must not know why they are due.

use ballast_cluster::{BrokerId, TopicPartition};
use ballast_events::StreamName;
use ballast_kafka::{Batch, ErrorCode, KafkaError};
use ballast_rpc::Failure;
use ballast_task::{Effect, Event, Step, StepEvent, StepOutcome, StepState, Task, reason};

use super::Executor;
use crate::recorder::Taken;
use crate::view::TaskRecord;

/// Which step asked for it.
#[derive(Clone)]
struct Asked {
    step: u32,
    attempt: u32,
    at: TopicPartition,
}

#[derive(Default)]
struct Deeds {
    submits: Vec<(Asked, Vec<BrokerId>)>,
    elections: Vec<Asked>,
    /// Lists to restore, and cancellations; nothing is recorded of them before they are observed.
    reverts: Vec<(TopicPartition, Option<Vec<BrokerId>>)>,
    leads: Vec<TopicPartition>,
}

impl Executor {
    /// True when something was recorded.
    pub(super) async fn perform(&self, record: &TaskRecord, task_version: u64, due: Vec<Effect>) -> Result<bool, Failure> {
        let deeds = sort(due);
        let id = record.task.id.as_str();
        let mut outcomes = Vec::new();
        if !deeds.submits.is_empty() {
            let targets: Vec<_> = deeds.submits.iter().map(|(asked, target)| (asked.at.clone(), Some(target.clone()))).collect();
            tracing::info!(task = id, ?targets, "asking Kafka for replica lists");
            let answer = self.kafka.alter_partition_reassignments(&targets).await;
            let asked: Vec<Asked> = deeds.submits.into_iter().map(|(asked, _)| asked).collect();
            outcomes.extend(self.answers(id, asked, answer));
        }
        if !deeds.elections.is_empty() {
            let partitions: Vec<_> = deeds.elections.iter().map(|asked| asked.at.clone()).collect();
            tracing::info!(task = id, ?partitions, "asking Kafka for elections");
            let answer = self.kafka.elect_preferred_leaders(&partitions).await;
            outcomes.extend(self.answers(id, deeds.elections, answer));
        }
        if !deeds.reverts.is_empty() {
            tracing::info!(task = id, targets = ?deeds.reverts, "taking moves back");
            log_failures(id, self.kafka.alter_partition_reassignments(&deeds.reverts).await);
        }
        if !deeds.leads.is_empty() {
            tracing::info!(task = id, partitions = ?deeds.leads, "giving the lead back");
            log_failures(id, self.kafka.elect_preferred_leaders(&deeds.leads).await);
        }
        if outcomes.is_empty() {
            return Ok(false);
        }
        let events: Vec<Event> = outcomes
            .into_iter()
            .map(|(asked, outcome)| Event::Step(StepEvent { task: id.into(), step: asked.step, attempt: asked.attempt, outcome }))
            .collect();
        self.record_answers(record, task_version, events).await?;
        Ok(true)
    }

    /// Records what came of deeds, also when a command came between: forgotten, a step that Kafka may have would look as if it had
    /// never been asked for.
    async fn record_answers(&self, record: &TaskRecord, task_version: u64, mut events: Vec<Event>) -> Result<(), Failure> {
        let (mut record, mut task_version) = (record.clone(), task_version);
        while !events.is_empty() && self.recorder.record(&record, task_version, &events).await? == Taken::OutOfDate {
            let view = self.projection.fresh().await?;
            record = view.task(&record.task.id)?.clone();
            task_version = view.version(&StreamName::task(&record.task.id));
            events.retain(|event| waits_for_answer(&record.task, event));
        }
        Ok(())
    }

    fn answers(
        &self,
        task: &str,
        asked: Vec<Asked>,
        answer: Result<Batch<TopicPartition>, KafkaError>,
    ) -> Vec<(Asked, StepOutcome)> {
        let answers = match answer {
            Ok(answers) => answers,
            Err(error) => asked.iter().map(|asked| (asked.at.clone(), Err(error.clone()))).collect(),
        };
        let mut outcomes = Vec::new();
        for asked in asked {
            let answer = answers.iter().find(|(at, _)| *at == asked.at).map(|(_, answer)| answer);
            if let Some(Err(error)) = answer {
                tracing::warn!(task, step = asked.step, at = %asked.at, %error, "Kafka did not take a step");
            }
            let missing =
                Err(KafkaError::Unknown { operation: "a write", endpoint: "Kafka".into(), cause: "no answer for it".into() });
            if let Some(outcome) = outcome_of(answer.unwrap_or(&missing)) {
                outcomes.push((asked, outcome));
            }
        }
        outcomes
    }
}

/// Whether the step of `event` is where it was when Kafka was asked.
fn waits_for_answer(task: &Task, event: &Event) -> bool {
    let Event::Step(event) = event else { return false };
    let is_asked = |step: &Step| matches!(step.state, StepState::Intended(_) | StepState::Unknown(_));
    task.step(event.step).is_some_and(|step| step.attempt == event.attempt && is_asked(step))
}

fn sort(due: Vec<Effect>) -> Deeds {
    let mut deeds = Deeds::default();
    for effect in due {
        match effect {
            Effect::Submit { step, attempt, at, target } => deeds.submits.push((Asked { step, attempt, at }, target)),
            Effect::Elect { step, attempt, at } => deeds.elections.push(Asked { step, attempt, at }),
            Effect::CancelReassignment { at, .. } => deeds.reverts.push((at, None)),
            Effect::RestoreList { at, list, .. } => deeds.reverts.push((at, Some(list))),
            Effect::RestoreLeader { at, .. } => deeds.leads.push(at),
            Effect::Record(_) | Effect::Intend(_) => {}
        }
    }
    deeds
}

/// What Kafka's answer means for the step; `None`: nothing was asked, the next round asks.
fn outcome_of(answer: &Result<(), KafkaError>) -> Option<StepOutcome> {
    let error = match answer {
        Ok(()) => return Some(StepOutcome::Issued { found: false }),
        Err(error) => error,
    };
    if error.is_unknown() {
        return Some(StepOutcome::OutcomeUnknown { cause: error.to_string() });
    }
    match error {
        KafkaError::Refused { code: ErrorCode::ElectionNotNeeded, .. } => Some(StepOutcome::Issued { found: true }),
        // Brokers tell later than the controller that the one to lead is away: it is waited for, not a refusal to count.
        KafkaError::Refused { code: ErrorCode::PreferredLeaderNotAvailable, .. } => {
            Some(StepOutcome::AttemptFailed { reason_code: reason::LEADER_NOT_IN_SYNC.into(), detail: error.to_string() })
        }
        // The controller moved, or the topic is going: the next look tells.
        KafkaError::Refused { code: ErrorCode::NotController | ErrorCode::UnknownTopicOrPartition, .. }
        | KafkaError::Unreachable { .. }
        | KafkaError::SecurityRequired { .. } => None,
        // A read that timed out is safe; a write that was sent may not be called so, but better look than ask twice.
        KafkaError::TimedOut { .. } | KafkaError::Malformed { .. } => {
            Some(StepOutcome::OutcomeUnknown { cause: error.to_string() })
        }
        KafkaError::Refused { .. } | KafkaError::Unsupported { .. } | KafkaError::Unknown { .. } => {
            Some(StepOutcome::AttemptFailed { reason_code: reason::KAFKA_REFUSED.into(), detail: error.to_string() })
        }
    }
}

/// Taking back is decided by what is seen next; an answer only helps to understand it.
fn log_failures(task: &str, answer: Result<Batch<TopicPartition>, KafkaError>) {
    match answer {
        Ok(answers) => {
            for (at, error) in answers.into_iter().filter_map(|(at, answer)| Some((at, answer.err()?))) {
                if error.code() != Some(ErrorCode::NoReassignmentInProgress) && error.code() != Some(ErrorCode::ElectionNotNeeded)
                {
                    tracing::warn!(task, %at, %error, "Kafka did not take a move back");
                }
            }
        }
        Err(error) => tracing::warn!(task, %error, "Kafka did not take moves back"),
    }
}
