//! Why an event happened: its causes one after the other, back to the first. Must not judge them.

use std::sync::Arc;

use ballast_event_codec::payload_json;
use ballast_event_log::{EventLog, LogError};
use ballast_events::{Envelope, StreamName};

/// Longer chains are cut here: nobody reads them.
const CAUSES_MAX: usize = 1_000;
const PAGE: usize = 256;

/// Events of a task's own stream by which somebody decided what it does next.
const DECIDING: [&str; 8] = [
    "task.accepted",
    "task.approved",
    "task.pause-requested",
    "task.resume-requested",
    "task.cancel-requested",
    "task.rollback-planned",
    "task.steps-added",
    "task.decided",
];

/// The event, then its cause, then that one's, and so on.
pub(crate) async fn explain(log: &dyn EventLog, event: Arc<Envelope>) -> Result<Vec<Arc<Envelope>>, LogError> {
    let mut chain = vec![event];
    while chain.len() < CAUSES_MAX
        && let Some(last) = chain.last()
        && let Some(cause) = cause(log, last).await?
    {
        chain.push(cause);
    }
    Ok(chain)
}

/// What led to an event: what it names as its cause; else the decision of its task, the plan of a task, the place in the log that
/// a plan or a decision was based on.
async fn cause(log: &dyn EventLog, event: &Envelope) -> Result<Option<Arc<Envelope>>, LogError> {
    if let Some(named) = earlier(log, event, event.header.causation).await? {
        return Ok(Some(named));
    }
    let payload = payload_json(event).unwrap_or_default();
    if event.header.event_type == "task.accepted"
        && let Some(plan) = payload.get("plan").and_then(|plan| plan.as_str())
    {
        return last_before(log, &StreamName::plan(plan), event.sequence, &["plan.drafted"]).await;
    }
    if event.header.event_type == "plan.drafted" {
        return earlier(log, event, payload.get("base_sequence").and_then(|sequence| sequence.as_u64())).await;
    }
    if let Some(task) = &event.header.correlation_id
        && let Some(decision) = last_before(log, &StreamName::task(task), event.sequence, &DECIDING).await?
    {
        return Ok(Some(decision));
    }
    earlier(log, event, event.header.basis.as_ref().map(|basis| basis.snapshot_sequence)).await
}

/// The event at `sequence` if that is before `event`: causes come first, so a chain always ends.
async fn earlier(log: &dyn EventLog, event: &Envelope, sequence: Option<u64>) -> Result<Option<Arc<Envelope>>, LogError> {
    match sequence {
        Some(sequence) if sequence > 0 && sequence < event.sequence => Ok(log.read(sequence, 1).await?.pop()),
        _ => Ok(None),
    }
}

/// The last event of a stream before `sequence` that has one of these types.
async fn last_before(
    log: &dyn EventLog,
    stream: &StreamName,
    sequence: u64,
    types: &[&str],
) -> Result<Option<Arc<Envelope>>, LogError> {
    let (mut version, mut last) = (1, None);
    loop {
        let page = log.read_stream(stream, version, PAGE).await?;
        let full = page.len() == PAGE;
        for envelope in page {
            if envelope.sequence >= sequence {
                return Ok(last);
            }
            version = envelope.version + 1;
            if types.contains(&envelope.header.event_type.as_str()) {
                last = Some(envelope);
            }
        }
        if !full {
            return Ok(last);
        }
    }
}
