//! Prints the time from append to acknowledgement at 1, 16 and 256 concurrent appenders: run with
//! `cargo run --release -p ballast-event-log-sled --example append [DIRECTORY]`.

use std::sync::Arc;
use std::time::Duration;

use ballast_clock::Clock;
use ballast_event_log::contract::event;
use ballast_event_log::{Append, Context, EventLog};
use ballast_event_log_sled::{Options, SledLog};
use ballast_events::StreamName;
use tokio::time::Instant;

const PAYLOAD_BYTES: usize = 256;
const ROUND: Duration = Duration::from_secs(3);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let scratch = tempfile::tempdir()?;
    let directory = std::env::args().nth(1).map_or_else(|| scratch.path().join("data"), Into::into);
    let log: Arc<dyn EventLog> = Arc::new(SledLog::open(&directory, Clock::system(), Options::default()).await?);
    println!("{:>11} {:>10} {:>12} {:>12} {:>12}", "concurrent", "appends/s", "median ms", "p99 ms", "max ms");
    for concurrent in [1, 16, 256] {
        let mut appenders = tokio::task::JoinSet::new();
        for number in 0..concurrent {
            appenders.spawn(appender(log.clone(), number));
        }
        let mut times: Vec<Duration> = appenders.join_all().await.into_iter().flatten().collect();
        times.sort_unstable();
        let at = |share: usize| times[(times.len() - 1) * share / 1000].as_secs_f64() * 1e3;
        let rate = times.len() as f64 / ROUND.as_secs_f64();
        println!("{concurrent:>11} {rate:>10.0} {:>12.3} {:>12.3} {:>12.3}", at(500), at(990), at(1000));
    }
    log.close().await;
    Ok(())
}

async fn appender(log: Arc<dyn EventLog>, number: usize) -> Vec<Duration> {
    let stream = StreamName::task(&format!("task-{number}"));
    let payload = vec![0x5a; PAYLOAD_BYTES];
    let (started, mut times) = (Instant::now(), Vec::new());
    while started.elapsed() < ROUND {
        let asked = Instant::now();
        let appended = log.append(Append::new(Context::default(), None, vec![event(&stream, &payload)])).await;
        if let Err(error) = appended {
            eprintln!("append failed: {error}");
            break;
        }
        times.push(asked.elapsed());
    }
    times
}
