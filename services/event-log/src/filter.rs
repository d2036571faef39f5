//! Which events a client asked for. Must not know payloads or wire types.

use std::sync::Arc;

use ballast_cluster::Timestamp;
use ballast_event_log::{EventLog, LogError};
use ballast_events::Envelope;

/// Events of this type are parts of larger ones.
pub(crate) const CHUNK: &str = "log.chunk";

/// Events looked at in one read.
const PAGE: usize = 512;
/// Events looked at for one answer at most; a filter that matches little then gives short pages.
const LOOKED_AT_MAX: u64 = 200_000;

/// All that are set must match.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Filter {
    pub(crate) stream_prefix: String,
    pub(crate) task: Option<String>,
    /// A type, or a family with a dot at its end.
    pub(crate) event_type: Option<String>,
    pub(crate) cluster: Option<String>,
    pub(crate) since: Option<Timestamp>,
    pub(crate) with_chunks: bool,
}

impl Filter {
    pub(crate) fn matches(&self, envelope: &Envelope) -> bool {
        let header = &envelope.header;
        let is_type =
            |wanted: &String| header.event_type == *wanted || (wanted.ends_with('.') && header.event_type.starts_with(wanted));
        let wants_chunk = self.with_chunks || self.event_type.as_deref() == Some(CHUNK);
        envelope.stream.as_str().starts_with(&self.stream_prefix)
            && self.task.as_ref().is_none_or(|task| is_of_task(envelope, task))
            && self.event_type.as_ref().is_none_or(is_type)
            && self.cluster.as_ref().is_none_or(|cluster| header.cluster.as_ref() == Some(cluster))
            && self.since.is_none_or(|since| header.recorded_at >= since)
            && (wants_chunk || header.event_type != CHUNK)
    }

    /// The events that match from `from` on, at most `limit`, and the sequence at which to go on; `None` at the end of the log.
    pub(crate) async fn read(
        &self,
        log: &dyn EventLog,
        from: u64,
        limit: usize,
    ) -> Result<(Vec<Arc<Envelope>>, Option<u64>), LogError> {
        let first = match self.since {
            Some(since) => from.max(first_recorded_since(log, since).await?),
            None => from.max(1),
        };
        let mut next = first;
        let mut found = Vec::new();
        while next < first + LOOKED_AT_MAX {
            let page = log.read(next, PAGE).await?;
            if page.is_empty() {
                return Ok((found, None));
            }
            for envelope in page {
                if self.matches(&envelope) {
                    if found.len() == limit {
                        return Ok((found, Some(envelope.sequence)));
                    }
                    found.push(envelope.clone());
                }
                next = envelope.sequence + 1;
            }
        }
        Ok((found, Some(next)))
    }
}

fn is_of_task(envelope: &Envelope, task: &str) -> bool {
    let own_stream = envelope.stream.family() == "task" && envelope.stream.segments().next() == Some(task);
    own_stream || envelope.header.correlation_id.as_deref() == Some(task)
}

/// The sequence of the first event recorded at `since` or later, by halving: recorded times never go back.
async fn first_recorded_since(log: &dyn EventLog, since: Timestamp) -> Result<u64, LogError> {
    let (mut low, mut high) = (1, log.head().borrow().sequence + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let before = log.read(middle, 1).await?.first().is_some_and(|envelope| envelope.header.recorded_at < since);
        (low, high) = if before { (middle + 1, high) } else { (low, middle) };
    }
    Ok(low)
}
