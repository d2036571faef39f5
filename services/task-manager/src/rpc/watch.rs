//! Follows one task: its state, its events, bookmarks. Must not know what the events lead to.

use std::sync::Arc;
use std::time::Duration;

use ballast_event_codec::Decoder;
use ballast_event_log::{Follower, LogError};
use ballast_events::StreamName;
use ballast_proto::task::v1 as proto;
use ballast_proto::task::v1::watch_task_response::Kind;
use ballast_rpc::Failure;
use tokio::sync::mpsc;
use tonic::Status;

use super::{task_to_proto, to_proto};
use crate::Parts;
use crate::view::TaskRecord;

/// So often the state is shown while nothing is recorded: bytes flow on.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);
/// Answers kept for a client that reads slowly; then the watch waits for it.
const READ_AHEAD: usize = 64;

type Answers = mpsc::Receiver<Result<proto::WatchTaskResponse, Status>>;

/// Begins to follow. `after_sequence` 0: from the task's first event.
pub(super) async fn start(parts: Arc<Parts>, task: String, after_sequence: u64) -> Result<Answers, Failure> {
    let record = parts.projection.fresh().await?.task(&task)?.clone();
    let from = match after_sequence {
        0 => {
            let first = parts.log.read_stream(&StreamName::task(&task), 1, 1).await?;
            first.first().map_or(record.accepted_sequence, |envelope| envelope.sequence)
        }
        after => after + 1,
    };
    let (sender, answers) = mpsc::channel(READ_AHEAD);
    let follower = Follower::new(parts.log.clone(), from);
    let mut watch = Watch { parts, task, sender, follower, decoder: Decoder::new(), bookmark: after_sequence, shown: None };
    tokio::spawn(async move {
        // A client that went away needs no answer; everything else it is told.
        if let Err(Ended::Failed(failure)) = watch.run(record).await {
            let _ = watch.sender.send(Err(failure.into())).await;
        }
    });
    Ok(answers)
}

struct Watch {
    parts: Arc<Parts>,
    task: String,
    sender: mpsc::Sender<Result<proto::WatchTaskResponse, Status>>,
    follower: Follower,
    decoder: Decoder,
    bookmark: u64,
    shown: Option<proto::Task>,
}

enum Ended {
    ClientGone,
    Failed(Failure),
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Ended::Failed(failure)
    }
}

impl From<LogError> for Ended {
    fn from(error: LogError) -> Self {
        Ended::Failed(error.into())
    }
}

impl Watch {
    async fn run(&mut self, first: TaskRecord) -> Result<(), Ended> {
        self.show(&first).await?;
        let mut head = self.parts.log.head();
        loop {
            head.mark_unchanged();
            let record = self.parts.projection.fresh().await?.task(&self.task)?.clone();
            let seen = self.send_events(&record).await?;
            self.show(&record).await?;
            if seen > self.bookmark {
                self.bookmark = seen;
                self.send(Kind::Bookmark(seen)).await?;
            }
            if record.task.is_over() && seen >= record.sequence {
                return Ok(());
            }
            tokio::select! {
                () = self.sender.closed() => return Err(Ended::ClientGone),
                changed = head.changed() => if changed.is_err() { return Err(LogError::Closed.into()) },
                () = tokio::time::sleep(PROGRESS_INTERVAL) => {}
            }
        }
    }

    /// Sends what is recorded of the task up to the head; gives the last sequence looked at.
    async fn send_events(&mut self, record: &TaskRecord) -> Result<u64, Ended> {
        while let Some(envelope) = self.follower.next_recorded().await? {
            let is_ours = envelope.stream.family() == "task" && envelope.stream.segments().next() == Some(self.task.as_str());
            if !is_ours {
                continue;
            }
            match self.decoder.decode(&envelope) {
                Ok(None) => {}
                Ok(Some(event)) => self.send(Kind::Event(to_proto::event(&envelope, Some(&event), record))).await?,
                Err(_) => self.send(Kind::Event(to_proto::event(&envelope, None, record))).await?,
            }
        }
        Ok(self.follower.position() - 1)
    }

    async fn show(&mut self, record: &TaskRecord) -> Result<(), Ended> {
        let task = task_to_proto(&self.parts, record);
        if self.shown.as_ref() != Some(&task) {
            self.shown = Some(task.clone());
            self.send(Kind::Task(task)).await?;
        }
        Ok(())
    }

    async fn send(&self, kind: Kind) -> Result<(), Ended> {
        self.sender.send(Ok(proto::WatchTaskResponse { kind: Some(kind) })).await.map_err(|_| Ended::ClientGone)
    }
}
