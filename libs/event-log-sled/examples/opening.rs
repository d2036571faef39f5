//! Prints how long it takes to open a log of some size: run with
//! `cargo run --release -p ballast-event-log-sled --example opening -- DIRECTORY [MEBIBYTES]`; an existing log is taken as it is.

use ballast_clock::Clock;
use ballast_event_log::contract::event;
use ballast_event_log::{Append, Context, EventLog};
use ballast_event_log_sled::{Options, SledLog, info_directory};
use ballast_events::StreamName;
use tokio::time::Instant;

const PAYLOAD_BYTES: usize = 1024;
const EVENTS_PER_APPEND: usize = 256;
const ROUNDS: usize = 3;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = std::path::PathBuf::from(arguments.next().ok_or("which directory?")?);
    let mebibytes: usize = arguments.next().map_or(Ok(256), |number| number.parse())?;
    if !directory.exists() {
        let log = SledLog::open(&directory, Clock::system(), Options::default()).await?;
        for number in 0..mebibytes * 1024 / EVENTS_PER_APPEND {
            let stream = StreamName::task(&format!("task-{}", number % 100));
            let payload: Vec<u8> = (0..PAYLOAD_BYTES).map(|at| ((at * (number + 7)) >> 3) as u8).collect();
            let events = (0..EVENTS_PER_APPEND).map(|_| event(&stream, &payload)).collect();
            log.append(Append::new(Context::default(), None, events)).await?;
        }
        log.close().await;
    }
    let info = info_directory(&directory)?;
    let gibibytes = info.disk_bytes as f64 / f64::from(1 << 30);
    println!("{} events, {gibibytes:.3} GiB", info.report?.events);
    for _ in 0..ROUNDS {
        let started = Instant::now();
        let log = SledLog::open(&directory, Clock::system(), Options::default()).await?;
        let seconds = started.elapsed().as_secs_f64();
        println!("opened in {seconds:.2} s, {:.2} s per GiB", seconds / gibibytes);
        log.close().await;
    }
    Ok(())
}
