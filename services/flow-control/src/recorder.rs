//! Appends Flow Control's own events. Must not know when they are due.

use std::sync::Arc;

use ballast_clock::Clock;
use ballast_event_codec::{Meta, new_events};
use ballast_event_log::{Append, Appended, Context, EVENTS_MAX, EventLog, ExpectedVersion, LogError, NewEvent};
use ballast_events::{Actor, Event, StreamName};
use ballast_throttle::{AdmissionEvent, ThrottleEvent};

#[derive(Clone)]
pub(crate) struct Recorder {
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) clock: Clock,
    /// Sequence of the lease event of this process.
    pub(crate) epoch: Option<u64>,
    pub(crate) cluster: String,
}

/// An event and the sequence of the one that led to it.
pub(crate) type Caused = (Event, Option<u64>);

pub(crate) fn throttle(event: ThrottleEvent) -> Caused {
    (Event::Throttle(event), None)
}

impl Recorder {
    /// Records events of Flow Control's own accord, in as many appends as it takes.
    pub(crate) async fn record(&self, events: Vec<Caused>) -> Result<(), LogError> {
        self.append_all(events, false, None).await
    }

    /// The same for events that close what is under way: taken even when the volume is nearly full.
    pub(crate) async fn record_closing(&self, events: Vec<Caused>) -> Result<(), LogError> {
        self.append_all(events, true, None).await
    }

    /// The same, refused when `admission/<c>` has moved on: nothing is granted in ignorance of a freeze.
    pub(crate) async fn record_at(&self, events: Vec<Caused>, admission_version: u64) -> Result<(), LogError> {
        self.append_all(events, false, Some(admission_version)).await
    }

    async fn append_all(&self, events: Vec<Caused>, essential: bool, version: Option<u64>) -> Result<(), LogError> {
        let context = Context { actor: Actor::ballast("flow-control"), ..Context::default() };
        let mut version = version;
        for part in events.chunks(EVENTS_MAX) {
            let mut append = Append::new(context.clone(), self.epoch, self.new_events(part));
            append.essential = essential;
            if let Some(version) = &mut version {
                append = append.expecting(StreamName::admission(&self.cluster), ExpectedVersion::Exactly(*version));
                *version += part.iter().filter(|(event, _)| matches!(event, Event::Admission(_))).count() as u64;
            }
            self.log.append(append).await?;
        }
        Ok(())
    }

    /// Records one event that a command asked for.
    pub(crate) async fn record_command(&self, context: Context, event: Event) -> Result<Appended, LogError> {
        // Small, and what stops or slows something must get through on a full volume too.
        self.log.append(Append::new(context, self.epoch, self.new_events(&[(event, None)])).essential()).await
    }

    fn new_events(&self, events: &[Caused]) -> Vec<NewEvent> {
        let now = self.clock.now();
        let of = |(event, causation): &Caused| {
            let (stream, task) = match event {
                Event::Admission(event) => (StreamName::admission(&self.cluster), task_of_admission(event)),
                Event::Throttle(event) => (StreamName::throttle(&self.cluster), task_of_throttle(event)),
                _ => (StreamName::throttle(&self.cluster), None),
            };
            let meta = Meta {
                cluster: Some(self.cluster.clone()),
                correlation_id: task.map(str::to_owned),
                causation: *causation,
                ..Meta::default()
            };
            new_events(&stream, event, now, &meta)
        };
        events.iter().flat_map(of).collect()
    }
}

fn task_of_admission(event: &AdmissionEvent) -> Option<&str> {
    match event {
        AdmissionEvent::Admitted { step, .. } | AdmissionEvent::Withheld { step, .. } | AdmissionEvent::Withdrawn { step } => {
            Some(&step.task)
        }
        AdmissionEvent::Opened | AdmissionEvent::Frozen | AdmissionEvent::Unfrozen => None,
    }
}

fn task_of_throttle(event: &ThrottleEvent) -> Option<&str> {
    match event {
        ThrottleEvent::ListIntended { step, .. }
        | ThrottleEvent::ListConfirmed { step }
        | ThrottleEvent::ListReleaseIntended { step, .. }
        | ThrottleEvent::ListReleased { step } => Some(&step.task),
        _ => None,
    }
}
