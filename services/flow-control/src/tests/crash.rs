//! The governor dies at every single event, before or after the log takes it, and another goes on: nothing may be left behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ballast_event_log::{Append, Appended, EventLog, Head, LogError};
use ballast_events::{Envelope, StreamName};
use tokio::sync::watch;

use super::world::{World, options};
use super::{end_task, granted};

/// Fails at one append, as a process does that dies there.
struct Dying {
    log: Arc<dyn EventLog>,
    appends_left: AtomicU64,
    is_taken: bool,
}

#[async_trait::async_trait]
impl EventLog for Dying {
    async fn append(&self, append: Append) -> Result<Appended, LogError> {
        match self.appends_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)) {
            Ok(1) if self.is_taken => {
                self.log.append(append).await?;
                Err(LogError::Closed)
            }
            Ok(1) | Err(_) => Err(LogError::Closed),
            Ok(_) => self.log.append(append).await,
        }
    }

    async fn read(&self, from: u64, limit: usize) -> Result<Vec<Arc<Envelope>>, LogError> {
        self.log.read(from, limit).await
    }

    async fn read_stream(&self, stream: &StreamName, from: u64, limit: usize) -> Result<Vec<Arc<Envelope>>, LogError> {
        self.log.read_stream(stream, from, limit).await
    }

    async fn stream_version(&self, stream: &StreamName) -> Result<u64, LogError> {
        self.log.stream_version(stream).await
    }

    async fn request(&self, id: &str) -> Result<Option<(Appended, [u8; 32])>, LogError> {
        self.log.request(id).await
    }

    fn head(&self) -> watch::Receiver<Head> {
        self.log.head()
    }

    async fn close(&self) {
        self.log.close().await;
    }
}

/// Two overlapping steps on a cluster whose governor dies at its `death`th append. Returns whether it died.
async fn dies_at(death: u64, is_taken: bool) -> bool {
    let mut world = World::new(&options()).await;
    let log = world.log.clone();
    let dying: Arc<dyn EventLog> = Arc::new(Dying { log: log.clone(), appends_left: AtomicU64::new(death), is_taken });
    world.restart(&dying);
    let mut has_died = false;
    for step in [0, 1] {
        world.ready(step).await;
        for _ in 0..40 {
            if granted(&world, step).await {
                break;
            }
            world.pass(1).await;
            if world.has_ended() && !has_died {
                has_died = true;
                world.restart(&log);
            }
        }
        assert!(granted(&world, step).await, "death {death}: step {step} was never granted");
        world.start(step).await;
        world.pass(2).await;
    }
    for step in [0, 1] {
        while !world.is_copied(step).await {
            world.pass(1).await;
            if world.has_ended() && !has_died {
                has_died = true;
                world.restart(&log);
            }
        }
        world.succeed(step).await;
    }
    end_task(&world).await;
    world.pass(3).await;
    if world.has_ended() && !has_died {
        has_died = true;
        world.restart(&log);
    }
    world.pass(40).await;
    assert!(
        world.is_clean().await,
        "death {death}, taken {is_taken}: {:?} {:#?}",
        world.configured().await,
        world.events().await
    );
    has_died
}

#[tokio::test(start_paused = true)]
async fn a_death_at_any_event_leaves_nothing_behind() {
    for is_taken in [false, true] {
        let mut death = 1;
        while dies_at(death, is_taken).await {
            death += 1;
        }
        assert!(death >= 10, "only {death} events were tried");
    }
}
