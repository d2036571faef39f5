//! What operators can do: set the maximum, freeze, unfreeze, sweep; and what they can ask. Commands are recorded and then followed by
//! the governor, so all but the sweep work while Kafka does not answer. Must not know wire types.

use std::collections::BTreeMap;
use std::sync::Arc;

use ballast_event_codec::Decoder;
use ballast_event_log::Context;
use ballast_events::{Envelope, Event, StreamName};
use ballast_rpc::{Failure, Reason};
use ballast_throttle::{AdmissionEvent, Rate, ThrottleEvent};
use tokio::sync::{Mutex, mpsc, oneshot, watch};

use crate::governor::{SweepError, SweepOrder, Swept};
use crate::projection::{FollowError, Projection};
use crate::recorder::Recorder;
use crate::status::Status;
use crate::view::View;

/// The answering side of every cluster, by name.
pub(crate) struct Clusters(pub(crate) BTreeMap<String, Cluster>);

pub(crate) struct Cluster {
    pub(crate) recorder: Recorder,
    pub(crate) view: Mutex<Projection>,
    pub(crate) status: watch::Receiver<Status>,
    pub(crate) order: mpsc::Sender<SweepOrder>,
}

/// Places in the two streams that decisions are read from; both begin at 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct DecisionsFrom {
    pub(crate) throttle: u64,
    pub(crate) admission: u64,
}

pub(crate) type Recorded = (Arc<Envelope>, Event);

impl Clusters {
    /// The named cluster; an empty name means the only one.
    pub(crate) fn find(&self, name: &str) -> Result<&Cluster, Failure> {
        match (self.0.get(name), self.0.len()) {
            (Some(cluster), _) => Ok(cluster),
            (None, 1) if name.is_empty() => Ok(self.0.values().next().expect("there is one")),
            (None, _) => {
                let known: Vec<&str> = self.0.keys().map(String::as_str).collect();
                let message = format!("there is no cluster {name:?}; known: {}", known.join(", "));
                Err(Failure::new(Reason::ClusterNotFound, message).with("cluster", name))
            }
        }
    }
}

impl Cluster {
    /// The throttle as the log says now, and what the governor last knew.
    pub(crate) async fn throttle(&self) -> Result<(View, Status), Failure> {
        let mut projection = self.view.lock().await;
        projection.catch_up().await.map_err(unreadable)?;
        Ok((projection.view.clone(), self.status.borrow().clone()))
    }

    pub(crate) async fn set_limit(&self, context: Context, rate_max: Option<Rate>) -> Result<(), Failure> {
        self.recorder.record_command(context, Event::Throttle(ThrottleEvent::LimitSet { rate_max })).await?;
        Ok(())
    }

    pub(crate) async fn freeze(&self, context: Context) -> Result<(), Failure> {
        self.recorder.record_command(context, Event::Admission(AdmissionEvent::Frozen)).await?;
        Ok(())
    }

    pub(crate) async fn unfreeze(&self, context: Context) -> Result<(), Failure> {
        self.recorder.record_command(context, Event::Admission(AdmissionEvent::Unfrozen)).await?;
        Ok(())
    }

    /// Answers a repeated request from what was recorded the first time.
    pub(crate) async fn sweep(&self, context: Context, validate_only: bool) -> Result<Swept, Failure> {
        if let Some(swept) = self.swept_before(&context).await? {
            return Ok(swept);
        }
        let (answer, answered) = oneshot::channel();
        let order = SweepOrder { context, validate_only, answer };
        let stopped = || Failure::new(Reason::Draining, "flow control is not running: sweep again after the start");
        self.order.send(order).await.map_err(|_| stopped())?;
        match answered.await.map_err(|_| stopped())? {
            Ok(swept) => Ok(swept),
            Err(SweepError::Kafka(error)) => Err(Failure::new(Reason::KafkaUnreachable, error.to_string())),
            Err(SweepError::Log(error)) => Err(error.into()),
        }
    }

    async fn swept_before(&self, context: &Context) -> Result<Option<Swept>, Failure> {
        let Some(request) = &context.request else { return Ok(None) };
        let log = &self.recorder.log;
        let Some((place, body_hash)) = log.request(&request.id).await? else { return Ok(None) };
        if body_hash != request.body_hash {
            return Err(ballast_event_log::LogError::RequestIdConflict { id: request.id.clone() }.into());
        }
        let Some(envelope) = log.read(place.first_sequence, 1).await?.pop() else { return Ok(None) };
        match Decoder::new().decode(&envelope).map_err(|error| unreadable(error.into()))? {
            Some(Event::Throttle(ThrottleEvent::Swept { entries, brokers })) => {
                Ok(Some(Swept { entries, brokers, ..Swept::default() }))
            }
            _ => Ok(None),
        }
    }

    /// Up to `limit` decisions in the order of the log, and where the next ones begin; `None` when these were the last for now.
    pub(crate) async fn decisions(
        &self,
        from: DecisionsFrom,
        limit: usize,
    ) -> Result<(Vec<Recorded>, Option<DecisionsFrom>), Failure> {
        let log = &self.recorder.log;
        let cluster = &self.recorder.cluster;
        let mut envelopes = log.read_stream(&StreamName::throttle(cluster), from.throttle, limit + 1).await?;
        let mut admissions = log.read_stream(&StreamName::admission(cluster), from.admission, limit + 1).await?;
        envelopes.append(&mut admissions);
        envelopes.sort_by_key(|envelope| envelope.sequence);
        let is_more = envelopes.len() > limit;
        envelopes.truncate(limit);
        let mut next = from;
        let mut decoder = Decoder::new();
        let mut decisions = Vec::with_capacity(envelopes.len());
        for envelope in envelopes {
            let event = decoder.decode(&envelope).map_err(|error| unreadable(error.into()))?;
            match envelope.stream.family() {
                "throttle" => next.throttle = envelope.version + 1,
                _ => next.admission = envelope.version + 1,
            }
            decisions.extend(event.map(|event| (envelope, event)));
        }
        Ok((decisions, is_more.then_some(next)))
    }
}

fn unreadable(error: FollowError) -> Failure {
    match error {
        FollowError::Log(error) => error.into(),
        FollowError::Decode(error) => Failure::new(Reason::EventUnreadable, error.to_string()),
    }
}
