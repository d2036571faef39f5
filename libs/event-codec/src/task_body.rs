//! What a task was accepted with, to the stored form and back. Must not know the events that carry it.

use ballast_cluster::{BrokerId, TopicPartition};
use ballast_proto::event::v1 as proto;
use ballast_task::{RecordedPartition, StepKind, StepPlan, TaskBody};

use crate::read::{Malformed, required};

pub(crate) fn numbers(brokers: &[BrokerId]) -> Vec<i32> {
    brokers.iter().map(|&BrokerId(id)| id).collect()
}

pub(crate) fn ids(numbers: &[i32]) -> Vec<BrokerId> {
    numbers.iter().copied().map(BrokerId).collect()
}

pub(crate) fn body_to_proto(body: &TaskBody) -> proto::TaskBody {
    let partitions = body.partitions.iter().map(|recorded| proto::TaskPartition {
        topic: recorded.at.topic.clone(),
        partition: recorded.at.partition,
        topic_id: recorded.topic_id.clone(),
        replicas: numbers(&recorded.replicas),
        leader: recorded.leader.map(|BrokerId(id)| id),
        target: numbers(&recorded.target),
    });
    proto::TaskBody { partitions: partitions.collect(), steps: body.steps.iter().map(step_to_proto).collect() }
}

fn step_to_proto(step: &StepPlan) -> proto::TaskStep {
    let kind = match &step.kind {
        StepKind::Move { from, to } => proto::task_step::Kind::Move(proto::TaskStepMove { from: numbers(from), to: numbers(to) }),
        StepKind::Elect { leader: BrokerId(leader) } => proto::task_step::Kind::Elect(proto::TaskStepElect { leader: *leader }),
    };
    proto::TaskStep {
        index: step.index,
        topic: step.at.topic.clone(),
        partition: step.at.partition,
        topic_id: step.topic_id.clone(),
        kind: Some(kind),
        bytes: step.bytes,
        is_undo: step.is_undo,
    }
}

pub(crate) fn body_from_proto(body: proto::TaskBody) -> Result<TaskBody, Malformed> {
    let partitions = body.partitions.into_iter().map(|recorded| RecordedPartition {
        at: TopicPartition::new(recorded.topic, recorded.partition),
        topic_id: recorded.topic_id,
        replicas: ids(&recorded.replicas),
        leader: recorded.leader.map(BrokerId),
        target: ids(&recorded.target),
    });
    let partitions = partitions.collect();
    let steps = body.steps.into_iter().map(step_from_proto).collect::<Result<_, _>>()?;
    Ok(TaskBody { partitions, steps })
}

fn step_from_proto(step: proto::TaskStep) -> Result<StepPlan, Malformed> {
    let kind = match required(step.kind, "the step's kind")? {
        proto::task_step::Kind::Move(lists) => StepKind::Move { from: ids(&lists.from), to: ids(&lists.to) },
        proto::task_step::Kind::Elect(election) => StepKind::Elect { leader: BrokerId(election.leader) },
    };
    Ok(StepPlan {
        index: step.index,
        at: TopicPartition::new(step.topic, step.partition),
        topic_id: step.topic_id,
        kind,
        bytes: step.bytes,
        is_undo: step.is_undo,
    })
}
