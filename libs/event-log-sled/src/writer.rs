//! The one thread that writes: takes what is queued, decides it, makes it durable in one commit, then answers all. A lone append
//! waits for nobody; what arrives during a commit shares the next one. Must not know what is appended.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use ballast_clock::Clock;
use ballast_event_log::{Append, Appended, Head, LogError};
use tokio::sync::{mpsc, oneshot, watch};

use crate::engine::Shared;
use crate::head_file::HeadFile;
use crate::store::Commit;

/// Most records and most bytes of one commit, unless a single append is larger.
const COMMIT_RECORDS_MAX: usize = 256;
const COMMIT_BYTES_MAX: usize = 1024 * 1024;

pub(crate) type Answer = Result<Appended, LogError>;

pub(crate) enum Request {
    Append(Box<Append>, oneshot::Sender<Answer>),
    Close,
}

pub(crate) struct Writer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) clock: Clock,
    pub(crate) head_file: HeadFile,
    pub(crate) announce: watch::Sender<Head>,
    /// Whose volume must keep `reserve_bytes` free.
    pub(crate) directory: PathBuf,
    pub(crate) reserve_bytes: u64,
}

impl Writer {
    /// Runs until the log is closed, nobody can append any more, or the storage fails. `finished` is held until then.
    pub(crate) fn run(self, mut inbox: mpsc::Receiver<Request>, finished: oneshot::Sender<()>) {
        while let Some(first) = inbox.blocking_recv() {
            let group = gather(first, &mut inbox);
            if let Err(failure) = self.commit(group) {
                tracing::error!(failure, "the event log failed and takes no more events");
                break;
            }
        }
        if let Err(error) = self.head_file.sync() {
            tracing::warn!(%error, "the head file could not be synced");
        }
        drop(self);
        // Nobody waits for the end when the log was not closed but dropped.
        let _ = finished.send(());
    }

    /// Decides, stores and answers one group. An error is final: nothing of the group was acknowledged, and whether it will be
    /// found after reopening is unknown.
    fn commit(&self, group: Vec<(Append, oneshot::Sender<Answer>)>) -> Result<(), String> {
        let mut commit = Commit::default();
        let mut answers = Vec::with_capacity(group.len());
        let mut index = self.shared.index.write().unwrap_or_else(PoisonError::into_inner);
        let before = index.head();
        let free_bytes = fs4::available_space(&self.directory).unwrap_or(u64::MAX);
        for (append, reply) in group {
            let answer = match index.answered(&append) {
                Some(answer) => answer,
                None if !self.has_room(&append, free_bytes) => {
                    Err(LogError::VolumeFull { free_bytes, reserve_bytes: self.reserve_bytes })
                }
                None => index.stage(append, self.clock.now()).map(|staged| {
                    for (envelope, record) in staged.records {
                        commit.insert(envelope.sequence, record);
                    }
                    staged.appended
                }),
            };
            answers.push((reply, answer));
        }
        let head = index.head();
        drop(index);
        if head != before
            && let Err(failure) = self.shared.store.commit(commit, &head).and_then(|()| self.note_head(&head))
        {
            // Set before anybody is answered, so that whoever asks next is told the cause.
            let failure = self.shared.failure.get_or_init(|| failure).clone();
            answers.into_iter().for_each(|(reply, _)| drop(reply.send(Err(LogError::Failed(failure.clone())))));
            return Err(failure);
        }
        self.announce.send_if_modified(|known| std::mem::replace(known, head) != head);
        // A caller that went away gets no answer; the events stand, and its request id finds them.
        answers.into_iter().for_each(|(reply, answer)| drop(reply.send(answer)));
        Ok(())
    }

    fn note_head(&self, head: &Head) -> Result<(), String> {
        self.head_file.write(head).map_err(|error| format!("cannot write the head file: {error}"))
    }

    fn has_room(&self, append: &Append, free_bytes: u64) -> bool {
        let needed = if append.essential { self.reserve_bytes / 2 } else { self.reserve_bytes };
        free_bytes >= needed
    }
}

/// The first request and what else is queued, up to the limits of one commit.
fn gather(first: Request, inbox: &mut mpsc::Receiver<Request>) -> Vec<(Append, oneshot::Sender<Answer>)> {
    let mut group = Vec::new();
    let (mut records, mut bytes) = (0, 0);
    let mut next = Some(first);
    while let Some(request) = next {
        match request {
            Request::Append(append, reply) => {
                records += append.events.len();
                bytes += append.events.iter().map(|event| event.payload.len()).sum::<usize>();
                group.push((*append, reply));
            }
            // What was queued before is still taken; nothing new comes in.
            Request::Close => inbox.close(),
        }
        let full = records >= COMMIT_RECORDS_MAX || bytes >= COMMIT_BYTES_MAX;
        next = if full { None } else { inbox.try_recv().ok() };
    }
    group
}
