//! The log in memory: for tests, simulations and as the plainest example of an engine. Must not outlive its process.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ballast_clock::Clock;
use ballast_events::{Envelope, StreamName};
use tokio::sync::watch;

use crate::index::Index;
use crate::{Append, Appended, EventLog, Head, LogError};

pub struct MemoryLog {
    clock: Clock,
    state: Mutex<State>,
    head: watch::Receiver<Head>,
}

struct State {
    index: Index,
    events: Vec<Arc<Envelope>>,
    /// `None` once closed.
    announce: Option<watch::Sender<Head>>,
}

impl MemoryLog {
    /// An empty log whose recorded times are those of `clock`.
    pub fn new(clock: Clock) -> Self {
        let (announce, head) = watch::channel(Head::default());
        let state = State { index: Index::default(), events: Vec::new(), announce: Some(announce) };
        Self { clock, state: Mutex::new(state), head }
    }

    /// A panic while the lock was held left nothing half done: records are counted and kept together.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait::async_trait]
impl EventLog for MemoryLog {
    async fn append(&self, append: Append) -> Result<Appended, LogError> {
        let mut state = self.state();
        if state.announce.is_none() {
            return Err(LogError::Closed);
        }
        if let Some(answer) = state.index.answered(&append) {
            return answer;
        }
        let staged = state.index.stage(append, self.clock.now())?;
        state.events.extend(staged.records.into_iter().map(|(envelope, _)| Arc::new(envelope)));
        let head = state.index.head();
        if let Some(announce) = &state.announce {
            announce.send_replace(head);
        }
        Ok(staged.appended)
    }

    async fn read(&self, from: u64, limit: usize) -> Result<Vec<Arc<Envelope>>, LogError> {
        let skip = usize::try_from(from.saturating_sub(1)).unwrap_or(usize::MAX);
        Ok(self.state().events.iter().skip(skip).take(limit).cloned().collect())
    }

    async fn read_stream(&self, stream: &StreamName, from_version: u64, limit: usize) -> Result<Vec<Arc<Envelope>>, LogError> {
        let state = self.state();
        let sequences = state.index.stream_sequences(stream, from_version, limit, u64::MAX);
        Ok(sequences.iter().filter_map(|&sequence| state.events.get(sequence as usize - 1).cloned()).collect())
    }

    async fn stream_version(&self, stream: &StreamName) -> Result<u64, LogError> {
        Ok(self.state().index.stream_version(stream, u64::MAX))
    }

    async fn request(&self, id: &str) -> Result<Option<(Appended, [u8; 32])>, LogError> {
        Ok(self.state().index.request(id))
    }

    fn head(&self) -> watch::Receiver<Head> {
        self.head.clone()
    }

    async fn close(&self) {
        self.state().announce = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_memory_engine_keeps_the_contract() {
        crate::contract::run_all(|| async { Arc::new(MemoryLog::new(Clock::system())) as Arc<dyn EventLog> }).await;
    }
}
