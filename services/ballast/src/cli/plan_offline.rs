//! `plan offline`: a snapshot file in, a plan out, no server. Must not know how plans are found.

use std::path::PathBuf;
use std::time::Instant;

use ballast_analyzer::PlanDocument;
use ballast_planner::{Limits, plan_observed, validate};
use ballast_proto::analyzer::v1::Timings;
use clap::Args;

use super::exit::CliError;
use super::goal_flags::GoalFlags;
use super::output::Format;
use super::{ClientOptions, plan_view};

#[derive(Args, Debug)]
pub struct OfflineArgs {
    /// Of format ballast.snapshot.v1; names ending in .gz and .zst are unpacked.
    #[arg(long, value_name = "FILE")]
    pub snapshot: PathBuf,
    #[command(flatten)]
    pub goal: GoalFlags,
    /// Threads to plan with; the plan is the same whatever their number.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Search")]
    pub threads: u16,
}

#[expect(clippy::disallowed_methods, reason = "measures how long reading and planning took, decides nothing")]
pub fn run(options: &ClientOptions, args: &OfflineArgs) -> Result<(), CliError> {
    let started = Instant::now();
    let snapshot = ballast_snapshot_file::read_path(&args.snapshot)
        .map_err(|error| CliError::coded(error.reason(), format!("{}: {error}", args.snapshot.display())))?;
    let read_milliseconds = milliseconds(started);
    let goal = args.goal.goal();
    let limits = Limits { threads: args.threads.into(), ..args.goal.limits(&snapshot)? };
    validate(&snapshot, &goal, &limits).map_err(|error| CliError::coded(error.reason(), error.to_string()))?;
    let started = Instant::now();
    let mut first_valid_milliseconds = None;
    let mut first_valid = || first_valid_milliseconds = Some(milliseconds(started));
    let outcome = plan_observed(&snapshot, &goal, &limits, args.goal.seed, &mut first_valid);
    let total_milliseconds = milliseconds(started);
    let timings = Timings {
        read_milliseconds,
        first_valid_milliseconds: first_valid_milliseconds.unwrap_or(total_milliseconds),
        total_milliseconds,
        threads: args.threads.into(),
    };
    let (cluster, base_sequence, data_bytes) = (snapshot.cluster.clone(), snapshot.sequence, snapshot.data_bytes());
    // As large as the plan of a large cluster, and of no more use.
    drop(snapshot);
    let document = PlanDocument {
        cluster: &cluster,
        base_sequence,
        data_bytes: Some(data_bytes),
        goal: &goal,
        seed: args.goal.seed,
        outcome: &outcome,
        timings: Some(timings),
    };
    let output = options.output_or(Format::Json);
    output.one(&document, "", |output| plan_view::show(output, &document.message(plan_view::MOVES_SHOWN), 1))
}

fn milliseconds(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}
