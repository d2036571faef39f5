//! The one command of the Analyzer: make a plan and record it. Must not know wire types beyond the request's parts.

use std::sync::Arc;

use ballast_cluster::{BrokerId, BrokerState, Snapshot};
use ballast_event_codec::{Meta, SnapshotError, append_events, append_snapshot, new_events};
use ballast_event_log::{Append, Context, ExpectedVersion, LogError};
use ballast_events::{AuditEvent, Basis, ChunkSet, Event, PlanEvent, PlanInput, RequestRef, StreamName, TopicPatterns};
use ballast_planner::{Goal, GoalError, GoalKind, Limits, Outcome, refuse_live_evacuation, validate};
use ballast_proto::analyzer::v1::Timings;
use ballast_rpc::{Failure, Reason, reason_name, resource_id};

use crate::Analyzer;
use crate::patterns::with_matched_topics;
use crate::proposer::{Planned, propose};
use crate::view::Plan;

/// A snapshot whose last successful look is older than this says too little of the present to plan on.
const MODEL_AGE_MILLISECONDS_MAX: i64 = 120_000;

/// What is asked for, read from the wire.
pub(crate) struct Draft {
    pub cluster: String,
    pub goal: Goal,
    /// Topics are filled in from the patterns.
    pub limits: Limits,
    pub patterns: TopicPatterns,
    pub seed: u64,
    pub validate_only: bool,
}

/// What came of it.
pub(crate) enum Drafted {
    Recorded {
        plan: Arc<Plan>,
        replayed: bool,
    },
    /// Planned only.
    Validated(Box<Validated>),
}

pub(crate) struct Validated {
    pub cluster: String,
    pub base_sequence: u64,
    pub data_bytes: u64,
    pub goal: Goal,
    pub seed: u64,
    pub outcome: Outcome,
    pub timings: Timings,
}

impl Analyzer {
    /// Plans and records. `context` carries the request id.
    pub(crate) async fn create_plan(&self, mut draft: Draft, request: RequestRef, context: Context) -> Result<Drafted, Failure> {
        let cluster = self.cluster(&draft.cluster)?.to_owned();
        let name = resource_id("plan", &request.id);
        let _one_at_a_time = self.planning.lock().await;
        if let Some(plan) = self.answered(&name, &request).await? {
            return Ok(Drafted::Recorded { plan, replayed: true });
        }
        let snapshot = self.fresh_snapshot(&cluster)?;
        match limits_on(&snapshot, &draft) {
            Ok(limits) => draft.limits = limits,
            Err(refusal) => {
                let failure = refusal.with("cluster", &cluster);
                let malformed = matches!(failure.reason, Reason::InvalidArgument | Reason::GoalInvalid);
                if !malformed && !draft.validate_only {
                    self.reject(&cluster, &context, &draft.goal, &failure).await?;
                }
                return Err(failure);
            }
        }
        match self.avoided(&snapshot, &draft.goal).await {
            Ok(avoided) => draft.limits.excluded_brokers.extend(avoided),
            Err(failure) => {
                if !draft.validate_only {
                    self.reject(&cluster, &context, &draft.goal, &failure).await?;
                }
                return Err(failure);
            }
        }
        let (outcome, timings) = propose(snapshot.clone(), &draft, self.clock).await?;
        // Nobody may be listening.
        let _ = self.planned.send(Planned { kind: draft.goal.kind, milliseconds: timings.total_milliseconds });
        if draft.validate_only {
            let (base_sequence, goal, seed) = (snapshot.sequence, draft.goal, draft.seed);
            let data_bytes = snapshot.data_bytes();
            let validated = Validated { cluster, base_sequence, data_bytes, goal, seed, outcome, timings };
            return Ok(Drafted::Validated(validated.into()));
        }
        let replayed = self.record(&name, &snapshot, draft, outcome, context).await?;
        let mut plans = self.plans.lock().await;
        if !replayed {
            plans.keep_timings(&name, timings);
        }
        plans.catch_up().await?;
        Ok(Drafted::Recorded { plan: plans.get(&name)?, replayed })
    }

    async fn avoided(&self, snapshot: &Snapshot, goal: &Goal) -> Result<Vec<BrokerId>, Failure> {
        let mut avoided = self.avoided.lock().await;
        avoided.catch_up().await?;
        avoided.brokers(snapshot, goal)
    }

    /// The plan that this request id gave before.
    async fn answered(&self, name: &str, request: &RequestRef) -> Result<Option<Arc<Plan>>, Failure> {
        match self.log.request(&request.id).await? {
            None => Ok(None),
            Some((_, body_hash)) if body_hash == request.body_hash => {
                let mut plans = self.plans.lock().await;
                plans.catch_up().await?;
                plans.get(name).map(Some)
            }
            Some(_) => Err(LogError::RequestIdConflict { id: request.id.clone() }.into()),
        }
    }

    fn fresh_snapshot(&self, cluster: &str) -> Result<Arc<Snapshot>, Failure> {
        let not_ready = |message: String| Failure::new(Reason::ModelNotReady, message).with("cluster", cluster);
        let snapshot = self.snapshots.get(cluster).and_then(|receiver| receiver.borrow().clone());
        let snapshot = snapshot.ok_or_else(|| {
            not_ready(format!("{cluster} was not seen completely yet: `ballast status` says whether it can be reached"))
        })?;
        let age = snapshot.taken_at.map_or(0, |taken_at| self.clock.now().milliseconds_since(taken_at));
        if age > MODEL_AGE_MILLISECONDS_MAX {
            return Err(not_ready(format!("{cluster} was last seen {} s ago: it cannot be reached now", age / 1_000)));
        }
        Ok(snapshot)
    }

    /// Records the snapshot, unless it is there already, and the plan. Whether the request had been answered meanwhile.
    async fn record(
        &self,
        name: &str,
        snapshot: &Snapshot,
        draft: Draft,
        outcome: Outcome,
        context: Context,
    ) -> Result<bool, Failure> {
        let now = self.clock.now();
        let set = append_snapshot(self.log.as_ref(), &context, self.epoch, snapshot, now).await.map_err(|error| match error {
            SnapshotError::Log(error) => error.into(),
            other => Failure::new(Reason::EventUnreadable, other.to_string()),
        })?;
        let Goal { kind, brokers, band, targets } = draft.goal;
        let (limits, patterns) = (draft.limits, draft.patterns);
        let input = PlanInput { targets, limits, patterns, data_bytes: snapshot.data_bytes() };
        let event = PlanEvent::PlanDrafted {
            plan: name.to_owned(),
            base_sequence: snapshot.sequence,
            goal: kind.as_str().to_owned(),
            brokers,
            seed: draft.seed,
            band_parts_per_million: band.parts_per_million,
            snapshot: set,
            input: Some(input.into()),
            outcome: outcome.into(),
        };
        let stream = StreamName::plan(name);
        let meta = Meta {
            cluster: Some(snapshot.cluster.clone()),
            correlation_id: Some(name.to_owned()),
            basis: Some(basis(snapshot, &set)),
            ..Meta::default()
        };
        let events = new_events(&stream, &Event::Plan(event), now, &meta);
        let append = Append::new(context, self.epoch, events).expecting(stream, ExpectedVersion::Exactly(0));
        Ok(append_events(self.log.as_ref(), append).await?.replayed)
    }

    /// Records a refusal. The request id is not used up.
    async fn reject(&self, cluster: &str, context: &Context, goal: &Goal, failure: &Failure) -> Result<(), Failure> {
        let brokers: Vec<String> = goal.brokers.iter().map(|broker| broker.to_string()).collect();
        let event = AuditEvent::CommandRejected {
            method: "CreatePlan".into(),
            request_id: context.request.as_ref().map(|request| request.id.clone()).unwrap_or_default(),
            subject: format!("{} {}", goal.kind.as_str(), brokers.join(",")).trim_end().to_owned(),
            reason_code: reason_name(failure.reason).into(),
            message: failure.message.clone(),
        };
        let meta = Meta { cluster: Some(cluster.to_owned()), ..Meta::default() };
        let events = new_events(&StreamName::audit(), &Event::Audit(event), self.clock.now(), &meta);
        let context = Context { request: None, ..context.clone() };
        self.log.append(Append::new(context, self.epoch, events)).await?;
        Ok(())
    }
}

fn basis(snapshot: &Snapshot, set: &ChunkSet) -> Basis {
    Basis {
        snapshot_sequence: snapshot.sequence,
        snapshot_hash: set.hash,
        config_hash: [0; 32],
        binary_version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// The limits on this snapshot, unless the planner or a server refuses what is asked for.
fn limits_on(snapshot: &Snapshot, draft: &Draft) -> Result<Limits, Failure> {
    let limits =
        with_matched_topics(snapshot, &draft.patterns, draft.limits.clone()).map_err(|error| coded(error.reason(), &error))?;
    check(snapshot, &draft.goal, &limits).map_err(|error| coded(error.reason(), &error))?;
    Ok(limits)
}

/// What the planner refuses, and what only a server refuses: it knows who is alive.
fn check(snapshot: &Snapshot, goal: &Goal, limits: &Limits) -> Result<(), GoalError> {
    validate(snapshot, goal, limits)?;
    refuse_live_evacuation(snapshot, goal)?;
    let is_dead = |id: &&_| snapshot.broker(**id).is_some_and(|broker| broker.state == BrokerState::Dead);
    match goal.brokers.iter().find(is_dead) {
        Some(dead) if goal.kind == GoalKind::Demote => Err(GoalError::BrokerDead(*dead)),
        _ => Ok(()),
    }
}

/// A refusal that a library names by its code of the catalogue.
fn coded(reason: &str, error: &impl ToString) -> Failure {
    let reason = Reason::from_str_name(&format!("REASON_{reason}")).unwrap_or(Reason::GoalInvalid);
    Failure::new(reason, error.to_string())
}
