//! Checks a plan from its JSON alone, as a distrustful reader of the contract would: every figure recomputed in exact
//! arithmetic, every rule at every prefix. Must not know the planner, nor share a line with it.
//!
//! [`cluster`] and [`plan`] read the documents, [`state`] carries moves out; the rest are the checks, one subject a file.

mod balance;
mod bounds;
mod cluster;
mod costs;
mod exact;
mod frontier;
mod json;
mod minimal;
mod moves;
mod plan;
mod prefixes;
mod state;
mod unmet;

use std::fmt;

use serde_json::Value;

use cluster::Cluster;
use plan::Plan;
use state::State;

/// What the plan was asked for beside the goal that its JSON names: flags that the JSON does not repeat.
#[derive(Clone, Debug)]
pub struct CheckOptions {
    /// The lists that goal `topic` asked for: topic, partition, replicas.
    pub targets: Vec<(String, u64, Vec<i64>)>,
    pub excluded_topics: Vec<String>,
    pub excluded_brokers: Vec<i64>,
    /// If any of both is given, nothing else changes.
    pub only_topics: Vec<String>,
    pub only_partitions: Vec<(String, u64)>,
    /// If any is given, no other broker gets replicas or leadership.
    pub only_to_brokers: Vec<i64>,
    /// Goal `topic` may leave the topic's group.
    pub across_groups: bool,
    /// No broker gets more replicas of a topic than its even share, rounded up.
    pub spread_topics: bool,
    pub bytes_max: Option<u64>,
    /// Entries, and replica moves.
    pub moves_max: Option<u64>,
    pub leader_moves_max: Option<u64>,
    /// Capacity limits in millionths: disk, network in, network out, cpu.
    pub limits: [u64; 4],
    pub replicas_per_broker_max: u64,
}

impl Default for CheckOptions {
    fn default() -> Self {
        Self {
            targets: Vec::new(),
            excluded_topics: Vec::new(),
            excluded_brokers: Vec::new(),
            only_topics: Vec::new(),
            only_partitions: Vec::new(),
            only_to_brokers: Vec::new(),
            across_groups: false,
            spread_topics: false,
            bytes_max: None,
            moves_max: None,
            leader_moves_max: None,
            limits: [800_000, 800_000, 800_000, 700_000],
            replicas_per_broker_max: 10_000,
        }
    }
}

/// What the contract is broken in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Rule {
    /// A field is missing, or is not of its type or spelling.
    Format,
    /// An entry that nobody may ask for: unknown, repeated, outdated, changing nothing, of a partition to be left alone.
    Entry,
    /// A change that the goal does not cover.
    Scope,
    Liveness,
    Group,
    Rack,
    Capacity,
    ReplicaCap,
    /// More of a topic on one broker than asked for.
    TopicSpread,
    /// A cap of the request on bytes, moves or leader moves.
    Cap,
    Cost,
    Balance,
    /// Something left undone without a word, or claimed though it is done.
    Unmet,
    Bounds,
    Frontier,
}

/// One thing that is wrong, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    pub rule: Rule,
    pub place: String,
    pub problem: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}: {}: {}", self.rule, self.place, self.problem)
    }
}

/// Findings so far, and where the checker is.
pub(crate) struct Findings {
    found: Vec<Finding>,
    place: String,
}

impl Findings {
    fn add(&mut self, rule: Rule, problem: impl Into<String>) {
        self.found.push(Finding { rule, place: self.place.clone(), problem: problem.into() });
    }

    fn unless(&mut self, holds: bool, rule: Rule, problem: impl FnOnce() -> String) {
        if !holds {
            self.add(rule, problem());
        }
    }
}

/// What a plan without findings comes to.
#[derive(Clone, Debug)]
pub struct Report {
    /// Bytes of all live replicas.
    pub data_bytes: u128,
    pub bound_bytes: u64,
    pub bound_seconds: Option<u64>,
    /// How far outside the band brokers are before, and how many hard rules are broken then.
    pub distance_before: [f64; 4],
    pub broken_before: usize,
    pub alternatives: Vec<AlternativeReport>,
}

#[derive(Clone, Debug)]
pub struct AlternativeReport {
    pub label: String,
    pub moved_bytes: u64,
    pub replica_moves: u64,
    pub leader_moves: u64,
    pub estimated_seconds: u64,
    /// Copied bytes over their lower bound; `None` where the bound is 0.
    pub bytes_over_bound: Option<f64>,
    /// Brokers outside the band on any resource, after.
    pub outside: usize,
    pub hard_unmet: usize,
    /// Hard rules broken after, by the checker's own count.
    pub broken: usize,
    /// Whether everything the goal asks for is done, by the checker's own count.
    pub reaches_goal: bool,
    /// Partitions whose entry could be left out without anything getting worse: see `minimal`. The contract allows them.
    pub idle: Vec<String>,
    /// How far outside the band brokers are after, summed, in shares of the mean: disk, network in, network out, cpu.
    pub distance: [f64; 4],
}

/// Reads a snapshot and a plan made from it, and recomputes all that the contract says of plans.
pub fn check(snapshot: &Value, plan: &Value, options: &CheckOptions) -> Result<Report, Vec<Finding>> {
    let plan = Plan::read(plan).map_err(|finding| vec![finding])?;
    let cluster = Cluster::read(snapshot, &plan.goal, options).map_err(|finding| vec![finding])?;
    let mut findings = Findings { found: Vec::new(), place: "plan".to_owned() };
    findings.unless(plan.cluster == cluster.name, Rule::Format, || format!("is of cluster {:?}", plan.cluster));
    findings.unless(plan.base_sequence == cluster.sequence, Rule::Format, || format!("is based on {}", plan.base_sequence));
    let before = State::present(&cluster);
    let mut ends = Vec::new();
    for alternative in &plan.alternatives {
        findings.place = format!("alternative {} ({})", alternative.rank, alternative.label);
        let Some(moves) = moves::resolve(&cluster, &before, alternative, options, &mut findings) else {
            continue;
        };
        let mut after = State::present(&cluster);
        let exceeded = prefixes::check(&cluster, &mut after, &moves, alternative, &plan.goal, options, &mut findings);
        costs::check(&cluster, &before, &moves, alternative, options, &mut findings);
        balance::check(&cluster, &before, &after, alternative, &mut findings);
        let reaches_goal = unmet::check(&cluster, &before, &after, &exceeded, alternative, options, &mut findings);
        ends.push(bounds::End { after, moves, reaches_goal });
    }
    findings.place = "plan".to_owned();
    if ends.len() == plan.alternatives.len() {
        bounds::check(&cluster, &before, &plan, &ends, &mut findings);
        frontier::check(&cluster, &plan, &ends, &mut findings);
    }
    if findings.found.is_empty() { Ok(report(&cluster, &before, &plan, &ends, options)) } else { Err(findings.found) }
}

fn report(cluster: &Cluster, before: &State, plan: &Plan, ends: &[bounds::End], options: &CheckOptions) -> Report {
    let bound = plan.bounds.moved_bytes;
    let of = |(alternative, end): (&plan::Alternative, &bounds::End)| AlternativeReport {
        label: alternative.label.clone(),
        moved_bytes: alternative.cost.moved_bytes,
        replica_moves: alternative.cost.replica_moves,
        leader_moves: alternative.cost.leader_moves,
        estimated_seconds: alternative.cost.estimated_seconds,
        bytes_over_bound: (bound > 0).then(|| alternative.cost.moved_bytes as f64 / bound as f64),
        outside: balance::outside_brokers(cluster, &end.after).len(),
        hard_unmet: alternative.unmet.iter().filter(|unmet| unmet.hard).count(),
        broken: unmet::broken(cluster, before, &end.after, options).len(),
        reaches_goal: end.reaches_goal,
        idle: minimal::idle(cluster, &end.after, &end.moves, options),
        distance: balance::distance(cluster, &end.after),
    };
    Report {
        data_bytes: before.load.iter().map(|load| load[cluster::DISK]).sum(),
        bound_bytes: bound,
        bound_seconds: plan.bounds.seconds,
        distance_before: balance::distance(cluster, before),
        broken_before: unmet::broken(cluster, before, before, options).len(),
        alternatives: plan.alternatives.iter().zip(ends).map(of).collect(),
    }
}
