//! Reading a log from a sequence on for as long as it lives. Must not know what the reader does with the events.

use std::collections::VecDeque;
use std::sync::Arc;

use ballast_events::Envelope;
use tokio::sync::watch;

use crate::{EventLog, Head, LogError};

/// Events read ahead at most.
const PAGE: usize = 256;

/// Gives every event from its first sequence on, in order, each once. Dropping a call to [`Follower::next`] half-way loses
/// nothing, so it may stand in a `select!`.
pub struct Follower {
    log: Arc<dyn EventLog>,
    head: watch::Receiver<Head>,
    next: u64,
    read_ahead: VecDeque<Arc<Envelope>>,
}

impl Follower {
    /// Follows `log` from `from_sequence` on; 0 and 1 both mean from the start.
    pub fn new(log: Arc<dyn EventLog>, from_sequence: u64) -> Self {
        let head = log.head();
        Self { log, head, next: from_sequence.max(1), read_ahead: VecDeque::new() }
    }

    /// The sequence of the event that comes next.
    pub fn position(&self) -> u64 {
        self.next
    }

    /// Whether every event up to the present head was given.
    pub fn has_caught_up(&self) -> bool {
        self.next > self.head.borrow().sequence
    }

    /// The next event, waited for. `Closed` when the log was closed and all its events were given; after a failure of the log,
    /// that failure.
    pub async fn next(&mut self) -> Result<Arc<Envelope>, LogError> {
        loop {
            if let Some(envelope) = self.next_recorded().await? {
                return Ok(envelope);
            }
            if self.head.changed().await.is_err() {
                let last = match self.next_recorded().await? {
                    Some(envelope) => Some(envelope),
                    // A log that failed says so when it is read; one that was closed has nothing more.
                    None => self.log.read(self.next, 1).await?.pop(),
                };
                self.next = last.as_ref().map_or(self.next, |envelope| envelope.sequence + 1);
                return last.ok_or(LogError::Closed);
            }
        }
    }

    /// The next event if it is recorded already: for a replay up to the head.
    pub async fn next_recorded(&mut self) -> Result<Option<Arc<Envelope>>, LogError> {
        if self.read_ahead.is_empty() {
            if self.next > self.head.borrow_and_update().sequence {
                return Ok(None);
            }
            self.read_ahead = self.log.read(self.next, PAGE).await?.into();
        }
        let envelope = self.read_ahead.pop_front();
        self.next += u64::from(envelope.is_some());
        Ok(envelope)
    }
}
