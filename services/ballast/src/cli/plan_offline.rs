//! `plan offline`: a snapshot file in, a plan out, no server. Must not know how plans are found.

use std::path::PathBuf;
use std::time::Instant;

use ballast_analyzer::plan_message;
use ballast_planner::{plan, validate};
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
    /// Taken for scripts' sake: the search runs on one thread and gives the same plan whatever is asked for.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub threads: u32,
}

#[expect(clippy::disallowed_methods, reason = "measures how long reading and planning took, decides nothing")]
pub fn run(options: &ClientOptions, args: &OfflineArgs) -> Result<(), CliError> {
    let started = Instant::now();
    let snapshot = ballast_snapshot_file::read_path(&args.snapshot)
        .map_err(|error| CliError::coded(error.reason(), format!("{}: {error}", args.snapshot.display())))?;
    let read_milliseconds = milliseconds(started);
    let goal = args.goal.goal();
    let limits = args.goal.limits(&snapshot)?;
    validate(&snapshot, &goal, &limits).map_err(|error| CliError::coded(error.reason(), error.to_string()))?;
    let started = Instant::now();
    let outcome = plan(&snapshot, &goal, &limits, args.goal.seed);
    let total_milliseconds = milliseconds(started);
    // The search gives all alternatives at once: the first is valid when they all are.
    let timings = Timings { read_milliseconds, first_valid_milliseconds: total_milliseconds, total_milliseconds, threads: 1 };
    let message = plan_message(&snapshot.cluster, snapshot.sequence, &goal, args.goal.seed, &outcome, Some(timings));
    options.output_or(Format::Json).one(&message, "", |output| plan_view::show(output, &message, 1))
}

fn milliseconds(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}
