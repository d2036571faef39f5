//! The event log port on sled. Reads go to blocking threads, appends to the writer's. Must not know what events mean.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use ballast_clock::Clock;
use ballast_event_log::{Append, Appended, EventLog, Head, Index, LogError};
use ballast_events::{Envelope, StreamName};
use tokio::sync::{mpsc, oneshot, watch};

use crate::directory::{self, Directory, StoreHold};
use crate::error::OpenError;
use crate::head_file::{self, HeadFile};
use crate::store::Store;
use crate::trial;
use crate::writer::{Request, Writer};

/// Appends that wait in memory; more wait in their callers.
const QUEUE: usize = 1024;
/// A log of the same process that was just dropped lets go of its files within moments.
const RELEASE_POLLS: u32 = 100;
const RELEASE_POLL: Duration = Duration::from_millis(50);

#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Memory that sled may use for pages.
    pub cache_bytes: u64,
    /// Room to be left on the volume: below it only appends that close running work are taken, below half of it none.
    pub reserve_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { cache_bytes: 64 * 1024 * 1024, reserve_bytes: 64 * 1024 * 1024 }
    }
}

/// An open log. Its directory is free again once it was dropped and no read is under way.
pub struct SledLog {
    // Dropped in this order: without senders the writer ends, and it is waited for.
    requests: mpsc::Sender<Request>,
    _writer: WriterThread,
    head: watch::Receiver<Head>,
    shared: Arc<Shared>,
    /// Taken by the first who closes.
    finished: Mutex<Option<oneshot::Receiver<()>>>,
}

struct WriterThread(Option<JoinHandle<()>>);

impl Drop for WriterThread {
    /// Waits for the commit that is under way, if any: after it the writer has nothing to do.
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            // A writer that panicked has answered nobody wrongly.
            let _ = thread.join();
        }
    }
}

/// What the writer and the readers share.
pub(crate) struct Shared {
    // Dropped in this order: the directory is given up last.
    pub(crate) store: Store,
    /// May be ahead of the durable head while a commit is under way: readers look no further than the head.
    pub(crate) index: RwLock<Index>,
    pub(crate) failure: OnceLock<String>,
    _directory: Directory,
}

impl SledLog {
    /// Opens the log of a data directory, which is created when it does not exist, and verifies all of it. A log that is refused
    /// stays as it was, down to the last byte, unless its volume has no place for a copy.
    pub async fn open(data_directory: &Path, clock: Clock, options: Options) -> Result<Self, OpenError> {
        let path = data_directory.to_path_buf();
        let directory = blocking(move || Directory::take(&path)).await?;
        let path = directory.path.clone();
        let hold = released(&directory::store_folder_of(&path)).await?;
        let hold = hold.ok_or_else(|| OpenError::InUse(path.clone()))?;
        let index = checked(&path, options).await?;
        drop(hold);
        blocking(move || Self::start(index, directory, clock, options)).await
    }

    fn start(checked: Option<Index>, directory: Directory, clock: Clock, options: Options) -> Result<Self, OpenError> {
        let path = directory.path.clone();
        let (store, index) = open_store(&path, checked, options)?;
        let head_file = HeadFile::open(&path)?;
        let (announce, head) = watch::channel(index.head());
        let (requests, inbox) = mpsc::channel(QUEUE);
        let (finished, wait) = oneshot::channel();
        let shared = Arc::new(Shared { store, index: RwLock::new(index), failure: OnceLock::new(), _directory: directory });
        let writer = Writer {
            shared: shared.clone(),
            clock,
            head_file,
            announce,
            directory: path.clone(),
            reserve_bytes: options.reserve_bytes,
        };
        let thread = std::thread::Builder::new()
            .name("event-log-writer".into())
            .spawn(move || writer.run(inbox, finished))
            .map_err(crate::error::io_error("start the writer of", &path))?;
        let writer = WriterThread(Some(thread));
        Ok(Self { requests, _writer: writer, head, shared, finished: Mutex::new(Some(wait)) })
    }

    /// Whether the log still works.
    fn sound(&self) -> Result<(), LogError> {
        self.shared.failure.get().map_or(Ok(()), |failure| Err(LogError::Failed(failure.clone())))
    }

    fn gone(&self) -> LogError {
        self.sound().err().unwrap_or(LogError::Closed)
    }

    async fn read_sequences(&self, ranges: Vec<(u64, u64)>) -> Result<Vec<Arc<Envelope>>, LogError> {
        let shared = self.shared.clone();
        let read = tokio::task::spawn_blocking(move || {
            let mut envelopes = Vec::new();
            for (first, last) in ranges {
                envelopes.extend(shared.store.read(first, last)?);
            }
            let index = shared.index.read().unwrap_or_else(PoisonError::into_inner);
            for envelope in &envelopes {
                index.confirm(envelope)?;
            }
            Ok(envelopes.into_iter().map(Arc::new).collect())
        });
        match read.await {
            Ok(result) => result.map_err(LogError::Damaged),
            Err(stopped) => Err(LogError::Failed(format!("a read ended before its time: {stopped}"))),
        }
    }
}

#[async_trait::async_trait]
impl EventLog for SledLog {
    async fn append(&self, append: Append) -> Result<Appended, LogError> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(Request::Append(Box::new(append), reply)).await.map_err(|_| self.gone())?;
        answer.await.unwrap_or_else(|_| Err(self.gone()))
    }

    async fn read(&self, from: u64, limit: usize) -> Result<Vec<Arc<Envelope>>, LogError> {
        self.sound()?;
        let from = from.max(1);
        let last = from.saturating_add(limit as u64).saturating_sub(1).min(self.head.borrow().sequence);
        if last < from || limit == 0 {
            return Ok(Vec::new());
        }
        self.read_sequences(vec![(from, last)]).await
    }

    async fn read_stream(&self, stream: &StreamName, from_version: u64, limit: usize) -> Result<Vec<Arc<Envelope>>, LogError> {
        self.sound()?;
        let head = self.head.borrow().sequence;
        let ranges = {
            let index = self.shared.index.read().unwrap_or_else(PoisonError::into_inner);
            in_ranges(&index.stream_sequences(stream, from_version, limit, head))
        };
        if ranges.is_empty() { Ok(Vec::new()) } else { self.read_sequences(ranges).await }
    }

    async fn stream_version(&self, stream: &StreamName) -> Result<u64, LogError> {
        self.sound()?;
        let head = self.head.borrow().sequence;
        let index = self.shared.index.read().unwrap_or_else(PoisonError::into_inner);
        Ok(index.stream_version(stream, head))
    }

    async fn request(&self, id: &str) -> Result<Option<(Appended, [u8; 32])>, LogError> {
        self.sound()?;
        let head = self.head.borrow().sequence;
        let index = self.shared.index.read().unwrap_or_else(PoisonError::into_inner);
        Ok(index.request(id).filter(|(place, _)| place.last_sequence <= head))
    }

    fn head(&self) -> watch::Receiver<Head> {
        self.head.clone()
    }

    async fn close(&self) {
        // An error says that the writer has ended already.
        let _ = self.requests.send(Request::Close).await;
        let finished = self.finished.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(finished) = finished {
            let _ = finished.await;
        }
    }
}

/// What is in the log, read from a copy of its files. `None` where there is nothing yet, and where no copy could be made.
async fn checked(data_directory: &Path, options: Options) -> Result<Option<Index>, OpenError> {
    let path = data_directory.to_path_buf();
    let checked = blocking(move || {
        let head = head_file::read(&path)?;
        if head == Head::default() && !directory::store_folder_of(&path).exists() {
            return Ok(None);
        }
        let index = trial::check(&path, head, options.cache_bytes)?;
        if index.is_none() {
            tracing::warn!(
                directory = %path.display(),
                "no place for a copy of the event log: it is opened unchecked, and may be changed if it is damaged"
            );
        }
        Ok(index)
    });
    let checked = checked.await;
    // sled's threads might write it anew.
    released(&trial::folder_of(data_directory)).await?;
    let path = data_directory.to_path_buf();
    if let Err(error) = blocking(move || trial::remove(&path)).await {
        tracing::warn!(%error, "the copy of the event log stays until the next start");
    }
    checked
}

/// Waits until no sled of this process uses the files in `folder`, and keeps them so. `None`: it does not let go.
async fn released(folder: &Path) -> Result<Option<StoreHold>, OpenError> {
    for _ in 0..RELEASE_POLLS {
        let folder = folder.to_path_buf();
        if let Some(hold) = blocking(move || directory::hold_store(&folder)).await? {
            return Ok(Some(hold));
        }
        tokio::time::sleep(RELEASE_POLL).await;
    }
    Ok(None)
}

/// Opens the log itself. What was `checked` is not read again: sled finds the same in the same files.
fn open_store(data_directory: &Path, checked: Option<Index>, options: Options) -> Result<(Store, Index), OpenError> {
    let folder = directory::store_folder_of(data_directory);
    directory::delete_unfinished_snapshots(&folder)?;
    let store = Store::open(&folder, options.cache_bytes).map_err(|error| trial::in_place(error, data_directory))?;
    let store = store.ok_or_else(|| OpenError::InUse(data_directory.to_path_buf()))?;
    directory::sync_store(&folder)?;
    let index = match checked {
        Some(index) => store.confirm(data_directory, &index.head()).map(|()| index)?,
        None => store.fold(data_directory, head_file::read(data_directory)?, |_| ())?,
    };
    Ok((store, index))
}

/// Ascending sequences as ranges without gaps.
fn in_ranges(sequences: &[u64]) -> Vec<(u64, u64)> {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for &sequence in sequences {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == sequence => *last = sequence,
            _ => ranges.push((sequence, sequence)),
        }
    }
    ranges
}

/// Runs what blocks off the async threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, OpenError> + Send + 'static) -> Result<T, OpenError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(stopped) => Err(OpenError::StorageDamaged { directory: PathBuf::new(), what: stopped.to_string() }),
    }
}
