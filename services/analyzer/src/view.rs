//! The fold of all plan streams: every plan ever drafted. Must not know how plans are made or shown.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ballast_cluster::Timestamp;
use ballast_event_codec::Decoder;
use ballast_event_log::{EventLog, Follower};
use ballast_events::{ChunkSet, Event, PlanEvent};
use ballast_planner::{Band, Goal, GoalKind, Limits, Outcome};
use ballast_proto::analyzer::v1::Timings;
use ballast_rpc::{Failure, Reason};

/// A plan as it was recorded; it never changes.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Plan {
    pub name: String,
    pub cluster: String,
    /// Place in the log of the event that drafted it.
    pub sequence: u64,
    pub drafted_at: Timestamp,
    pub base_sequence: u64,
    /// Without the lists of a topic goal in plans recorded before inputs were.
    pub goal: Goal,
    /// `None` in plans recorded before inputs were.
    pub limits: Option<Limits>,
    /// Of all replicas in the snapshot; `None` as before.
    pub data_bytes: Option<u64>,
    pub seed: u64,
    pub snapshot: ChunkSet,
    pub outcome: Arc<Outcome>,
}

pub(crate) struct Plans {
    follower: Follower,
    decoder: Decoder,
    by_sequence: BTreeMap<u64, Arc<Plan>>,
    sequences: HashMap<String, u64>,
    /// Measured, not recorded: known for plans made by this process.
    timings: HashMap<String, Timings>,
}

impl Plans {
    /// A view that has read nothing yet.
    pub fn new(log: Arc<dyn EventLog>) -> Self {
        let follower = Follower::new(log, 1);
        Self {
            follower,
            decoder: Decoder::new(),
            by_sequence: BTreeMap::new(),
            sequences: HashMap::new(),
            timings: HashMap::new(),
        }
    }

    /// Folds what was recorded since. An event that cannot be read is final.
    pub async fn catch_up(&mut self) -> Result<(), Failure> {
        while let Some(envelope) = self.follower.next_recorded().await? {
            if envelope.stream.family() != "plan" {
                continue;
            }
            let event =
                self.decoder.decode(&envelope).map_err(|error| Failure::new(Reason::EventUnreadable, error.to_string()))?;
            if let Some(Event::Plan(event)) = event {
                let cluster = envelope.header.cluster.clone().unwrap_or_default();
                self.apply(event, cluster, envelope.sequence, envelope.header.occurred_at)?;
            }
        }
        Ok(())
    }

    fn apply(&mut self, event: PlanEvent, cluster: String, sequence: u64, drafted_at: Timestamp) -> Result<(), Failure> {
        let PlanEvent::PlanDrafted {
            plan: name,
            base_sequence,
            goal,
            brokers,
            seed,
            band_parts_per_million,
            snapshot,
            input,
            outcome,
        } = event;
        let unknown =
            || Failure::new(Reason::EventUnreadable, format!("event {sequence} drafts a plan for the unknown goal {goal}"));
        let kind = GoalKind::parse(&goal).ok_or_else(unknown)?;
        let data_bytes = input.as_ref().map(|input| input.data_bytes);
        let (targets, limits) = input.map(Arc::unwrap_or_clone).map(|input| (input.targets, input.limits)).unzip();
        let band = Band::from_parts_per_million(band_parts_per_million);
        let goal = Goal { kind, brokers, band, targets: targets.unwrap_or_default() };
        self.sequences.insert(name.clone(), sequence);
        let plan = Plan { name, cluster, sequence, drafted_at, base_sequence, goal, limits, data_bytes, seed, snapshot, outcome };
        self.by_sequence.insert(sequence, Arc::new(plan));
        Ok(())
    }

    /// Place in the log of the last event that was folded.
    pub fn folded_until(&self) -> u64 {
        self.follower.position() - 1
    }

    pub fn get(&self, name: &str) -> Result<Arc<Plan>, Failure> {
        let plan = self.sequences.get(name).and_then(|sequence| self.by_sequence.get(sequence));
        plan.cloned().ok_or_else(|| Failure::new(Reason::PlanNotFound, format!("no plan {name}")).with("plan", name))
    }

    /// The newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = &Arc<Plan>> {
        self.by_sequence.values().rev()
    }

    pub fn timings(&self, name: &str) -> Option<Timings> {
        self.timings.get(name).cloned()
    }

    pub fn keep_timings(&mut self, name: &str, timings: Timings) {
        self.timings.insert(name.to_owned(), timings);
    }
}
