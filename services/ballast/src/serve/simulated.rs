//! Keeps simulated clusters in the data directory: whole, every second and at the end. Must not know what is simulated.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use ballast_clock::Clock;
use ballast_cluster::Timestamp;

use super::clusters::Simulated;

const SAVE_INTERVAL: Duration = Duration::from_secs(1);
const CLOCK_FILE: &str = "simulated-clock";

/// Saves until dropped.
pub async fn keep(clusters: Vec<Simulated>, data_dir: std::path::PathBuf, clock: Clock) {
    loop {
        tokio::time::sleep(SAVE_INTERVAL).await;
        save_all(clusters.clone(), data_dir.clone(), clock).await;
    }
}

/// Saves all of them now. A failure is told, not final: the next second may go better.
pub async fn save_all(clusters: Vec<Simulated>, data_dir: std::path::PathBuf, clock: Clock) {
    let saved = tokio::task::spawn_blocking(move || {
        for simulated in &clusters {
            write_atomically(&simulated.file, &simulated.cluster.save())?;
        }
        write_atomically(&data_dir.join(CLOCK_FILE), clock.now().milliseconds.to_string().as_bytes())
    });
    if let Ok(Err(error)) = saved.await {
        tracing::warn!(%error, "the simulated clusters could not be saved");
    }
}

/// The present for a process whose clock may run fast: never before the last present that was saved.
pub fn clock(data_dir: &Path, speed: f64) -> Clock {
    let wall = Clock::system();
    if speed == 1.0 {
        return wall;
    }
    let saved = std::fs::read_to_string(data_dir.join(CLOCK_FILE)).ok().and_then(|text| text.trim().parse().ok());
    let epoch = wall.now().max(Timestamp::from_milliseconds(saved.unwrap_or(0)));
    Clock::starting_at(epoch).at_speed(speed)
}

/// The old file or the new one, never half of one.
fn write_atomically(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let new = file.with_extension("new");
    let mut handle = std::fs::File::create(&new)?;
    handle.write_all(bytes)?;
    handle.sync_all()?;
    std::fs::rename(&new, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("state.json");
        for text in ["one", "two"] {
            write_atomically(&file, text.as_bytes()).expect("it is written");
            assert_eq!(std::fs::read_to_string(&file).expect("it is read"), text);
        }
        assert_eq!(std::fs::read_dir(folder.path()).expect("it lists").count(), 1);
    }

    #[tokio::test]
    async fn a_fast_clock_goes_on_where_it_was_saved() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let ahead = Clock::system().now().plus_milliseconds(3_600_000);
        std::fs::write(folder.path().join(CLOCK_FILE), ahead.milliseconds.to_string()).expect("it is written");
        assert!(clock(folder.path(), 10.0).now() >= ahead);
        assert!(clock(folder.path(), 1.0).now() < ahead);
    }
}
