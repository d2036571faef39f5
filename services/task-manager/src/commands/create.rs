//! Commands that make tasks: of a plan's alternative, or to undo a finished task. Must not know how plans are made.

use std::collections::BTreeSet;
use std::sync::Arc;

use ballast_cluster::{Reassignment, Snapshot, TopicPartition};
use ballast_event_codec::{Decoder, Meta, new_events};
use ballast_event_log::ExpectedVersion;
use ballast_events::{Event, PlanEvent, StreamName};
use ballast_rpc::{Failure, Reason};
use ballast_task::{TaskBody, TaskEvent, apply, rollback, steps};

use super::{Answer, Ask, Asked, Decided, task_id, unrecorded};
use crate::failures::{failure_of, failure_of_kafka};
use crate::look;
use crate::view::View;
use crate::{Cluster, Parts};

/// What a plan's stream tells, as far as a task needs it.
struct DraftedPlan {
    cluster: String,
    goal: String,
    brokers: Vec<ballast_cluster::BrokerId>,
    moves: Vec<Reassignment>,
    sequence: u64,
}

/// A task to be accepted.
struct Wanted {
    cluster: String,
    plan: String,
    alternative: u32,
    goal: String,
    brokers: Vec<ballast_cluster::BrokerId>,
    rolls_back: Option<String>,
    body: TaskBody,
    causation: u64,
}

impl Parts {
    /// Makes a task of one alternative (its rank, from 1; 0: the first) of a plan.
    pub(crate) async fn create(&self, plan: &str, alternative: u32, asked: &Asked) -> Result<Answer, Failure> {
        let id = task_id(&asked.request);
        // Two tasks that touch the same partitions must not both be found free: one creation at a time.
        let _creating = self.creating.lock().await;
        let answer = self.answer(&id, Ask::Create { plan, rank: alternative.max(1) }, asked).await;
        self.audited(answer, plan, asked).await
    }

    /// Makes a task that undoes a finished one.
    pub(crate) async fn roll_back(&self, finished: &str, asked: &Asked) -> Result<Answer, Failure> {
        let id = task_id(&asked.request);
        let _creating = self.creating.lock().await;
        let answer = self.answer(&id, Ask::RollBack { finished }, asked).await;
        self.audited(answer, finished, asked).await
    }

    pub(super) async fn decide_creation(&self, id: &str, plan: &str, rank: u32, asked: &Asked) -> Result<Decided, Failure> {
        let drafted = self.plan(plan, rank).await?;
        // Before staleness: what the open task has begun makes the plan stale too, and is not what to tell.
        refuse_busy(&*self.projection.fresh().await?, &drafted.cluster, drafted.moves.iter().map(|wanted| &wanted.at))?;
        let topics = drafted.moves.iter().map(|wanted| wanted.at.topic.clone()).collect();
        let seen = self.seen(&drafted.cluster, topics).await?;
        refuse_stale(&drafted.moves, &seen).map_err(|failure| failure.with("plan", plan))?;
        let wanted = Wanted {
            body: steps(&drafted.moves, &seen),
            cluster: drafted.cluster,
            plan: plan.into(),
            alternative: rank,
            goal: drafted.goal,
            brokers: drafted.brokers,
            rolls_back: None,
            causation: drafted.sequence,
        };
        self.accept(id, asked, wanted).await
    }

    pub(super) async fn decide_rollback(&self, id: &str, finished: &str, asked: &Asked) -> Result<Decided, Failure> {
        let record = self.projection.fresh().await?.task(finished)?.clone();
        let task = &record.task;
        let topics = task.body.partitions.iter().map(|recorded| recorded.at.topic.clone()).collect();
        let seen = self.seen(&task.cluster, topics).await?;
        let body = rollback(task, &seen).map_err(|rejection| failure_of(&rejection).with("task", finished))?;
        refuse_busy(&*self.projection.fresh().await?, &task.cluster, body.partitions.iter().map(|recorded| &recorded.at))?;
        let wanted = Wanted {
            body,
            cluster: task.cluster.clone(),
            plan: task.plan.clone(),
            alternative: task.alternative,
            goal: "rollback".into(),
            brokers: task.brokers.clone(),
            rolls_back: Some(finished.into()),
            causation: record.sequence,
        };
        self.accept(id, asked, wanted).await
    }

    async fn accept(&self, id: &str, asked: &Asked, wanted: Wanted) -> Result<Decided, Failure> {
        let cluster = self.cluster(&wanted.cluster)?;
        let event = TaskEvent::Accepted {
            task: id.into(),
            cluster: wanted.cluster.clone(),
            plan: wanted.plan,
            alternative: wanted.alternative,
            goal: wanted.goal,
            brokers: wanted.brokers,
            approval_required: cluster.approval_required,
            rolls_back: wanted.rolls_back,
            body: Arc::new(wanted.body),
        };
        let now = self.clock.now();
        let task = apply(None, &ballast_task::Event::Task(event.clone()), now)
            .map_err(|illegal| Failure::new(Reason::Internal, illegal.to_string()))?;
        let meta = Meta {
            cluster: Some(wanted.cluster),
            correlation_id: Some(id.into()),
            causation: Some(wanted.causation),
            ..Meta::default()
        };
        let stream = StreamName::task(id);
        Ok(Decided {
            events: new_events(&stream, &Event::Task(event), now, &meta),
            expected: vec![(stream, ExpectedVersion::Exactly(0))],
            after: unrecorded(task, &asked.caller.actor, &asked.reason),
        })
    }

    fn cluster(&self, name: &str) -> Result<&Cluster, Failure> {
        self.clusters.get(name).ok_or_else(|| Failure::new(Reason::ClusterNotFound, format!("cluster {name} is not configured")))
    }

    /// The cluster as it is now, as far as these topics go: the Monitor's snapshot may be some seconds old.
    async fn seen(&self, name: &str, topics: BTreeSet<String>) -> Result<Snapshot, Failure> {
        let cluster = self.cluster(name)?;
        let known = cluster.snapshots.borrow().clone().ok_or_else(|| {
            Failure::new(Reason::ModelNotReady, format!("cluster {name} has not been seen as a whole yet: wait a little"))
        })?;
        let topics: Vec<String> = topics.into_iter().collect();
        look::look(cluster.kafka.as_ref(), &topics, &known).await.map_err(|error| failure_of_kafka(&error).with("cluster", name))
    }

    async fn plan(&self, id: &str, rank: u32) -> Result<DraftedPlan, Failure> {
        let not_found = || Failure::new(Reason::PlanNotFound, format!("there is no plan {id}")).with("plan", id);
        let stream = StreamName::plan(id);
        let mut decoder = Decoder::new();
        let mut version = 1;
        loop {
            let page = self.log.read_stream(&stream, version, 64).await?;
            if page.is_empty() {
                return Err(not_found());
            }
            for envelope in &page {
                version = envelope.version + 1;
                let decoded =
                    decoder.decode(envelope).map_err(|error| Failure::new(Reason::EventUnreadable, error.to_string()))?;
                let Some(Event::Plan(PlanEvent::PlanDrafted { goal, brokers, outcome, .. })) = decoded else { continue };
                let alternative = usize::try_from(rank).ok().and_then(|rank| outcome.alternatives.get(rank - 1));
                let Some(alternative) = alternative else {
                    let message = format!("plan {id} has {} alternatives, not {rank}", outcome.alternatives.len());
                    return Err(Failure::new(Reason::AlternativeNotFound, message).with("plan", id));
                };
                let cluster = envelope.header.cluster.clone().ok_or_else(not_found)?;
                let (moves, sequence) = (alternative.moves.clone(), envelope.sequence);
                return Ok(DraftedPlan { cluster, goal, brokers, moves, sequence });
            }
        }
    }
}

/// A plan is stale only if the list or topic id of a partition it touches, or the liveness of one of its targets, changed.
fn refuse_stale(moves: &[Reassignment], seen: &Snapshot) -> Result<(), Failure> {
    for wanted in moves {
        if let Some(why) = why_stale(wanted, seen) {
            let message = format!("the plan is stale, {} {why}: plan anew", wanted.at);
            return Err(Failure::new(Reason::PlanStale, message)
                .with("topic", &wanted.at.topic)
                .with("partition", wanted.at.partition));
        }
    }
    Ok(())
}

fn why_stale(wanted: &Reassignment, seen: &Snapshot) -> Option<String> {
    let Some((topic, partition)) =
        seen.topic(&wanted.at.topic).and_then(|topic| Some((topic, topic.partition(wanted.at.partition)?)))
    else {
        return Some("is gone".into());
    };
    if topic.id.is_some() && wanted.topic_id.is_some() && topic.id != wanted.topic_id {
        return Some("was deleted and re-created".into());
    }
    if partition.replicas != wanted.from {
        return Some("has another replica list".into());
    }
    // Where data is copied no dead replica may stay; else it is enough that the leader to be is alive.
    let mut targets = wanted.to.iter().take(if wanted.copies_data() { usize::MAX } else { 1 });
    let dead = targets.find(|broker| !seen.is_alive(**broker));
    dead.map(|broker| format!("is to be on broker {broker}, which is dead"))
}

fn refuse_busy<'a>(view: &View, cluster: &str, touched: impl Iterator<Item = &'a TopicPartition>) -> Result<(), Failure> {
    let touched: BTreeSet<&TopicPartition> = touched.collect();
    for open in view.tasks.values().filter(|open| open.task.cluster == cluster && !open.task.is_over()) {
        if let Some(shared) = open.task.body.partitions.iter().find(|recorded| touched.contains(&recorded.at)) {
            let message = format!("task {} touches {} too: wait for it or cancel it", open.task.id, shared.at);
            return Err(Failure::new(Reason::PartitionsBusy, message).with("task", &open.task.id));
        }
    }
    Ok(())
}
