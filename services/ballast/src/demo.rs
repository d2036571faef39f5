//! `ballast demo`: a simulated cluster, a broker dies, Ballast heals it, is itself killed half-way and goes on, rolls a rebalance back
//! and accounts for everything. Must not know how any of it works: it starts the real services and is their client.

mod center;
mod clients;
mod narrator;
mod story;

use std::time::{Duration, Instant};

use ballast_clock::Clock;
use ballast_rpc::Reason;
use ballast_sim_cluster::{SimCluster, SimOptions};

use crate::cli::DemoArgs;
use crate::cli::exit::{CliError, Exit};
use crate::quantity::bytes;
use narrator::Narrator;
use story::Story;

/// Far longer than it takes: whoever waits for the demo shall not wait for ever. At any speed, and what the speed divides.
const DEADLINE_SECONDS: f64 = 60.0;
const DEADLINE_SIMULATED_SECONDS: f64 = 1_200.0;

#[expect(clippy::disallowed_methods, reason = "tells how long the demo took, decides nothing")]
pub async fn run(args: DemoArgs, color: bool) -> Result<(), CliError> {
    let started = Instant::now();
    let narrator = Narrator::new(color, args.plain);
    let folder = tempfile::tempdir().map_err(|error| failed(format!("no temporary folder: {error}")))?;
    let clock = Clock::system().at_speed(args.speed);
    let options = SimOptions { brokers: args.brokers, seed: args.seed, ..SimOptions::default() };
    let cluster = SimCluster::new(&options, clock);
    println!(
        "{}",
        narrator.output.heading(&format!(
            "Ballast heals a Kafka cluster: simulated, {} brokers in {} racks, {} times as fast as real time",
            options.brokers, options.racks, args.speed
        ))
    );
    let story = Story::new(&narrator, &cluster, folder.path(), clock);
    let deadline = Duration::from_secs_f64(DEADLINE_SECONDS + DEADLINE_SIMULATED_SECONDS / args.speed);
    let told = tokio::time::timeout(deadline, story.tell()).await;
    let ending = told.map_err(|_| failed(format!("the demo took longer than {} s", deadline.as_secs())))??;
    println!(
        "\ndemo: ok: {} steps, {} bytes copied ({}), {:.1} seconds, log verified up to sequence {}",
        ending.steps,
        ending.bytes,
        bytes(ending.bytes),
        started.elapsed().as_secs_f64(),
        ending.verified_sequence
    );
    Ok(())
}

/// What the story tells at its end.
pub struct Ending {
    pub steps: u64,
    pub bytes: u64,
    pub verified_sequence: u64,
}

fn failed(message: String) -> CliError {
    CliError::new(Exit::Error, Reason::Internal, message)
}
