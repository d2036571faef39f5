//! A log as one process sees it: at an append that was chosen beforehand the process is dead, before or after the log took it. Must
//! not change the log.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ballast_event_log::{Append, Appended, EventLog, Head, LogError};
use ballast_events::{Envelope, StreamName};
use tokio::sync::watch;

/// When a process dies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Death {
    /// Which of its appends is the last, from 1.
    pub append: u64,
    /// The log takes that one; the process never learns of it.
    pub is_taken: bool,
}

/// Whether a process lives, known to everything that it touches.
pub(crate) struct Life {
    is_over: AtomicBool,
    over: watch::Sender<bool>,
}

impl Life {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { is_over: AtomicBool::new(false), over: watch::channel(false).0 })
    }

    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    /// Resolves when it is over.
    pub async fn ended(&self) {
        // The sender lives as long as `self`.
        let _ = self.over.subscribe().wait_for(|over| *over).await;
    }

    fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
        self.over.send_replace(true);
    }
}

pub(crate) struct Mortal {
    log: Arc<dyn EventLog>,
    life: Arc<Life>,
    death: Option<Death>,
    appends: AtomicU64,
    /// One for each who follows: those who wait at one channel are woken in an order of chance.
    heads: Mutex<Vec<watch::Sender<Head>>>,
}

impl Mortal {
    pub fn new(log: Arc<dyn EventLog>, life: Arc<Life>, death: Option<Death>) -> Self {
        Self { log, life, death, appends: AtomicU64::new(0), heads: Mutex::default() }
    }

    fn heads(&self) -> MutexGuard<'_, Vec<watch::Sender<Head>>> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait::async_trait]
impl EventLog for Mortal {
    async fn append(&self, append: Append) -> Result<Appended, LogError> {
        if self.life.is_over() {
            return std::future::pending().await;
        }
        let number = self.appends.fetch_add(1, Ordering::SeqCst) + 1;
        if let Some(death) = self.death.filter(|death| death.append == number) {
            self.life.end();
            if death.is_taken {
                self.log.append(append).await?;
            }
            return std::future::pending().await;
        }
        let appended = self.log.append(append).await;
        let head = *self.log.head().borrow();
        self.heads().retain(|follower| follower.send(head).is_ok());
        appended
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
        let (sender, head) = watch::channel(*self.log.head().borrow());
        self.heads().push(sender);
        head
    }

    async fn close(&self) {
        self.log.close().await;
    }
}
