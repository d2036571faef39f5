//! The gRPC side: checks requests, reads the log, shapes answers. Must not know payloads.

mod from_proto;
mod to_proto;

use std::sync::Arc;
use std::time::Duration;

use ballast_clock::Clock;
use ballast_event_log::{EventLog, Follower};
use ballast_events::Envelope;
use ballast_proto::event::v1 as proto;
use ballast_proto::event::v1::event_log_service_server::EventLogService;
use ballast_rpc::{Failure, Reason, page_size, page_token};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::explain::explain;
use crate::filter::Filter;
use crate::state_at::state_at;
use crate::verify::verify;

const PAGE_SIZE: u32 = 100;
/// A watch that has nothing to say says at least how far it is.
const BOOKMARK_EVERY: Duration = Duration::from_secs(5);
/// Messages that wait for a slow client; then its watch waits too.
const WATCH_QUEUE: usize = 64;

/// The service `ballast.event.v1.EventLogService`.
pub struct Rpc {
    log: Arc<dyn EventLog>,
    clock: Clock,
}

impl Rpc {
    pub(crate) fn new(log: Arc<dyn EventLog>, clock: Clock) -> Self {
        Self { log, clock }
    }

    fn head(&self) -> u64 {
        self.log.head().borrow().sequence
    }

    async fn event(&self, sequence: u64) -> Result<Arc<Envelope>, Failure> {
        let found = if sequence == 0 { None } else { self.log.read(sequence, 1).await?.pop() };
        found.ok_or_else(|| {
            let message = format!("there is no event {sequence}: the log goes from 1 to {}", self.head());
            Failure::new(Reason::EventNotFound, message).with("sequence", sequence)
        })
    }
}

type Watch = ReceiverStream<Result<proto::WatchEventsResponse, Status>>;

#[tonic::async_trait]
impl EventLogService for Rpc {
    async fn read_events(
        &self,
        request: Request<proto::ReadEventsRequest>,
    ) -> Result<Response<proto::ReadEventsResponse>, Status> {
        let request = request.into_inner();
        let filter = from_proto::filter(request.filter.unwrap_or_default());
        let from = page_token(&request.page_token)?.unwrap_or(request.from_sequence);
        let read = filter.read(&*self.log, from, page_size(request.page_size, PAGE_SIZE)).await;
        let (events, next) = read.map_err(Failure::from)?;
        let events = events.iter().map(|envelope| to_proto::event(envelope)).collect();
        let next_page_token = next.map(|sequence| sequence.to_string()).unwrap_or_default();
        Ok(Response::new(proto::ReadEventsResponse { events, next_page_token }))
    }

    async fn get_event(&self, request: Request<proto::GetEventRequest>) -> Result<Response<proto::GetEventResponse>, Status> {
        let envelope = self.event(request.get_ref().sequence).await?;
        Ok(Response::new(proto::GetEventResponse { event: Some(to_proto::event(&envelope)) }))
    }

    type WatchEventsStream = Watch;

    async fn watch_events(&self, request: Request<proto::WatchEventsRequest>) -> Result<Response<Watch>, Status> {
        let request = request.into_inner();
        let filter = from_proto::filter(request.filter.unwrap_or_default());
        let from = if request.from_sequence == 0 { self.head() + 1 } else { request.from_sequence };
        let (messages, stream) = mpsc::channel(WATCH_QUEUE);
        tokio::spawn(watch(Follower::new(self.log.clone(), from), filter, self.clock, messages));
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn get_head(&self, _: Request<proto::GetHeadRequest>) -> Result<Response<proto::GetHeadResponse>, Status> {
        let head = *self.log.head().borrow();
        Ok(Response::new(proto::GetHeadResponse { sequence: head.sequence, hash: to_proto::hex(&head.hash) }))
    }

    async fn explain_event(
        &self,
        request: Request<proto::ExplainEventRequest>,
    ) -> Result<Response<proto::ExplainEventResponse>, Status> {
        let event = self.event(request.get_ref().sequence).await?;
        let chain = explain(&*self.log, event).await.map_err(Failure::from)?;
        let events = chain.iter().map(|envelope| to_proto::event(envelope)).collect();
        Ok(Response::new(proto::ExplainEventResponse { events }))
    }

    async fn verify_log(&self, _: Request<proto::VerifyLogRequest>) -> Result<Response<proto::VerifyLogResponse>, Status> {
        let verified = verify(&*self.log).await.map_err(Failure::from)?;
        Ok(Response::new(to_proto::verified(verified)))
    }

    async fn get_state_at(
        &self,
        request: Request<proto::GetStateAtRequest>,
    ) -> Result<Response<proto::GetStateAtResponse>, Status> {
        let event = self.event(request.get_ref().sequence).await?;
        let state = state_at(&*self.log, event.sequence).await?;
        Ok(Response::new(to_proto::state_at(&state)))
    }
}

/// Sends what matches, and bookmarks, until the client goes away or the log ends.
async fn watch(
    mut follower: Follower,
    filter: Filter,
    clock: Clock,
    messages: mpsc::Sender<Result<proto::WatchEventsResponse, Status>>,
) {
    let mut bookmark = Box::pin(clock.sleep(BOOKMARK_EVERY));
    loop {
        let message = tokio::select! {
            next = follower.next() => match next {
                Ok(envelope) if !filter.matches(&envelope) => continue,
                Ok(envelope) => {
                    let event = Some(to_proto::event(&envelope));
                    Ok(proto::WatchEventsResponse { sequence: envelope.sequence, event })
                }
                Err(error) => Err(Status::from(Failure::from(error))),
            },
            () = &mut bookmark => {
                bookmark = Box::pin(clock.sleep(BOOKMARK_EVERY));
                Ok(proto::WatchEventsResponse { sequence: follower.position() - 1, event: None })
            }
            () = messages.closed() => return,
        };
        let ended = message.is_err();
        if messages.send(message).await.is_err() || ended {
            return;
        }
    }
}
