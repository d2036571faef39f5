//! The Monitor's side of the event log: folds every cluster's stream and the drains, and records. One writer: all clusters share
//! one journal behind a lock. Must not know Kafka.

use std::collections::BTreeMap;
use std::sync::Arc;

use ballast_clock::Clock;
use ballast_event_codec::{Decoder, Meta, append_events, new_events};
use ballast_event_log::{Append, Appended, Context, EventLog, ExpectedVersion, Follower, NewEvent};
use ballast_events::{Actor, AuditEvent, ClusterEvent, Envelope, Event, StreamName};
use ballast_rpc::{Failure, Reason, reason_name};

use crate::drains::Drains;
use crate::view::ClusterView;

pub(crate) struct Journal {
    log: Arc<dyn EventLog>,
    clock: Clock,
    epoch: Option<u64>,
    follower: Follower,
    decoder: Decoder,
    views: BTreeMap<String, ClusterView>,
    drains: Drains,
}

impl Journal {
    /// A journal that has read nothing yet: [`Journal::catch_up`] folds the past.
    pub fn new(log: Arc<dyn EventLog>, clusters: impl Iterator<Item = String>, clock: Clock, epoch: Option<u64>) -> Self {
        let follower = Follower::new(log.clone(), 1);
        let views = clusters.map(|name| (name, ClusterView::default())).collect();
        Self { log, clock, epoch, follower, decoder: Decoder::new(), views, drains: Drains::default() }
    }

    /// The fold of a cluster's stream. Only for clusters that the journal was made with.
    pub fn view(&self, cluster: &str) -> &ClusterView {
        self.views.get(cluster).expect("the journal was made with every configured cluster")
    }

    /// Place in the log of the last event that was folded.
    pub fn folded_until(&self) -> u64 {
        self.follower.position() - 1
    }

    /// Folds what was recorded since. An event that cannot be read is final: guessing would make the views wrong.
    pub async fn catch_up(&mut self) -> Result<(), Failure> {
        while let Some(envelope) = self.follower.next_recorded().await? {
            self.take_in(&envelope)?;
        }
        Ok(())
    }

    fn take_in(&mut self, envelope: &Envelope) -> Result<(), Failure> {
        let segments: Vec<&str> = envelope.stream.segments().collect();
        match (envelope.stream.family(), segments.as_slice()) {
            ("cluster", _) => {
                let name = envelope.stream.as_str().trim_start_matches("cluster/");
                let Some(view) = self.views.get_mut(name) else { return Ok(()) };
                (view.sequence, view.version) = (envelope.sequence, envelope.version);
                if let Some(Event::Cluster(event)) = self.decoder.decode(envelope).map_err(unreadable)? {
                    view.apply(event);
                }
            }
            ("task", [task]) => {
                if let Some(Event::Task(event)) = self.decoder.decode(envelope).map_err(unreadable)? {
                    self.drains.apply(task, &event);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The drain marks of a cluster that are to be made or taken back.
    pub fn due_marks(&self, cluster: &str) -> Vec<ClusterEvent> {
        self.drains.due(cluster, self.view(cluster))
    }

    /// Records events in a cluster's stream as the Monitor's own and folds them.
    pub async fn observe(&mut self, cluster: &str, events: Vec<ClusterEvent>) -> Result<(), Failure> {
        if !events.is_empty() {
            let context = Context { actor: Actor::ballast("monitor"), ..Context::default() };
            self.record(cluster, context, events).await?;
        }
        Ok(())
    }

    /// Records events in a cluster's stream and folds them. They close what runs: without them no step is ever seen done.
    pub async fn record(&mut self, cluster: &str, context: Context, events: Vec<ClusterEvent>) -> Result<Appended, Failure> {
        let stream = StreamName::cluster(cluster);
        let meta = Meta { cluster: Some(cluster.to_owned()), ..Meta::default() };
        let now = self.clock.now();
        let stored: Vec<NewEvent> =
            events.into_iter().flat_map(|event| new_events(&stream, &Event::Cluster(event), now, &meta)).collect();
        let version = ExpectedVersion::Exactly(self.view(cluster).version);
        let append = Append::new(context, self.epoch, stored).expecting(stream, version).essential();
        let appended = append_events(self.log.as_ref(), append).await?;
        self.catch_up().await?;
        Ok(appended)
    }

    /// Where the events of a request stand, if it was answered before.
    pub async fn answered(&self, request: &ballast_events::RequestRef) -> Result<Option<Appended>, Failure> {
        match self.log.request(&request.id).await? {
            Some((place, body_hash)) if body_hash == request.body_hash => Ok(Some(place)),
            Some(_) => Err(ballast_event_log::LogError::RequestIdConflict { id: request.id.clone() }.into()),
            None => Ok(None),
        }
    }

    /// Records a refusal. The request id is not used up.
    pub async fn reject(
        &mut self,
        cluster: &str,
        context: &Context,
        method: &str,
        subject: &str,
        failure: &Failure,
    ) -> Result<(), Failure> {
        let event = AuditEvent::CommandRejected {
            method: method.into(),
            request_id: context.request.as_ref().map(|request| request.id.clone()).unwrap_or_default(),
            subject: subject.into(),
            reason_code: reason_name(failure.reason).into(),
            message: failure.message.clone(),
        };
        let meta = Meta { cluster: Some(cluster.to_owned()), ..Meta::default() };
        let stored = new_events(&StreamName::audit(), &Event::Audit(event), self.clock.now(), &meta);
        let context = Context { request: None, ..context.clone() };
        self.log.append(Append::new(context, self.epoch, stored)).await?;
        Ok(())
    }
}

fn unreadable(error: ballast_event_codec::DecodeError) -> Failure {
    Failure::new(Reason::EventUnreadable, error.to_string())
}

/// Whether there is no use in trying again with this log.
pub(crate) fn is_final(failure: &Failure) -> bool {
    use Reason::{Draining, EventUnreadable, LogDamaged, LogFailed, NotActive};
    matches!(failure.reason, NotActive | Draining | LogFailed | LogDamaged | EventUnreadable)
}
