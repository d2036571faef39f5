//! Runs the planner off the async threads and says how long it took. Must not know what happens to the outcome.

use std::sync::Arc;
use std::time::Duration;

use ballast_clock::Clock;
use ballast_cluster::Snapshot;
use ballast_planner::{EVALUATIONS_PER_SECOND, Goal, GoalKind, Limits, Outcome, plan};
use ballast_proto::analyzer::v1::Timings;
use ballast_rpc::{Failure, Reason};

/// What a time budget means for the planner: a number of evaluations, the same on every machine.
pub fn evaluations(time_budget: Duration) -> u64 {
    let milliseconds = u64::try_from(time_budget.as_millis()).unwrap_or(u64::MAX);
    milliseconds.saturating_mul(EVALUATIONS_PER_SECOND) / 1_000
}

/// That a plan was made, for who measures.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Planned {
    pub kind: GoalKind,
    /// All alternatives together.
    pub milliseconds: u64,
}

/// Plans on a thread of its own: it takes a whole core for as long as it takes.
pub(crate) async fn propose(
    snapshot: Arc<Snapshot>,
    goal: Goal,
    limits: Limits,
    seed: u64,
    clock: Clock,
) -> Result<(Outcome, Timings), Failure> {
    let started = clock.now();
    let planned = tokio::task::spawn_blocking(move || plan(&snapshot, &goal, &limits, seed)).await;
    let outcome = planned.map_err(|error| Failure::new(Reason::Internal, format!("the planner failed: {error}")))?;
    let total_milliseconds = u64::try_from(clock.now().milliseconds_since(started)).unwrap_or(0);
    // The snapshot is in memory already, and all alternatives become valid together.
    let timings = Timings { read_milliseconds: 0, first_valid_milliseconds: total_milliseconds, total_milliseconds, threads: 1 };
    Ok((outcome, timings))
}
