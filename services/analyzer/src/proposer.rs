//! Runs the planner off the async threads and says how long it took. Must not know what happens to the outcome.

use std::sync::Arc;
use std::time::Duration;

use ballast_clock::Clock;
use ballast_cluster::Snapshot;
use ballast_planner::{EVALUATIONS_PER_SECOND, GoalKind, Limits, Outcome, plan_observed};
use ballast_proto::analyzer::v1::Timings;
use ballast_rpc::{Failure, Reason};

use crate::commands::Draft;

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

/// Threads that one plan may use: more gain little, and a server has other things to do.
const THREADS_MAX: usize = 2;

/// Plans off the async threads: it takes whole cores for as long as it takes.
pub(crate) async fn propose(snapshot: Arc<Snapshot>, draft: &Draft, clock: Clock) -> Result<(Outcome, Timings), Failure> {
    let (goal, seed) = (draft.goal.clone(), draft.seed);
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
    let limits = Limits { threads, ..draft.limits.clone() };
    let started = clock.now();
    let since_start = move || u64::try_from(clock.now().milliseconds_since(started)).unwrap_or(0);
    let planned = tokio::task::spawn_blocking(move || {
        let mut first_valid_milliseconds = None;
        let mut first_valid = || first_valid_milliseconds = Some(since_start());
        let outcome = plan_observed(&snapshot, &goal, &limits, seed, &mut first_valid);
        (outcome, first_valid_milliseconds)
    });
    let (outcome, first_valid_milliseconds) =
        planned.await.map_err(|error| Failure::new(Reason::Internal, format!("the planner failed: {error}")))?;
    let total_milliseconds = since_start();
    let timings = Timings {
        // The snapshot is in memory already.
        read_milliseconds: 0,
        first_valid_milliseconds: first_valid_milliseconds.unwrap_or(total_milliseconds),
        total_milliseconds,
        threads: threads as u32,
    };
    Ok((outcome, timings))
}
