//! Reads the whole log and checks all that can be checked: density, versions, chain, checksums, payloads, chunk sets, and the
//! snapshots that plans name. Must not repair anything.

use ballast_event_codec::{Decoder, read_snapshot};
use ballast_event_log::{EventLog, Head, Index, LogError};
use ballast_events::{Envelope, Event, PlanEvent};

const PAGE: usize = 512;

/// What was found up to the head of when the verification began.
pub(crate) struct Verified {
    /// The last sound event.
    pub(crate) head: Head,
    pub(crate) open_chunk_sets: u64,
    pub(crate) damage: Option<Unsound>,
}

/// The first thing that is wrong.
pub(crate) struct Unsound {
    pub(crate) sequence: u64,
    pub(crate) reason_code: &'static str,
    pub(crate) message: String,
}

/// Damage is part of the answer; a log that cannot be read at all is an error.
pub(crate) async fn verify(log: &dyn EventLog) -> Result<Verified, LogError> {
    let end = log.head().borrow().sequence;
    let (mut index, mut decoder, mut damage) = (Index::default(), Decoder::new(), None);
    while index.head().sequence < end && damage.is_none() {
        let limit = PAGE.min((end - index.head().sequence) as usize);
        let page = match log.read(index.head().sequence + 1, limit).await {
            Ok(page) => page,
            Err(LogError::Damaged(found)) => {
                let (sequence, message) = (found.sequence, found.to_string());
                damage = Some(Unsound { sequence, reason_code: "LOG_DAMAGED", message });
                break;
            }
            Err(error) => return Err(error),
        };
        for envelope in page {
            damage = check(log, &mut index, &mut decoder, &envelope).await?;
            if damage.is_some() {
                break;
            }
        }
    }
    Ok(Verified { head: index.head(), open_chunk_sets: decoder.open_sets() as u64, damage })
}

async fn check(
    log: &dyn EventLog,
    index: &mut Index,
    decoder: &mut Decoder,
    envelope: &Envelope,
) -> Result<Option<Unsound>, LogError> {
    let unsound = |reason_code, message| Some(Unsound { sequence: envelope.sequence, reason_code, message });
    if let Err(damage) = index.admit(envelope) {
        return Ok(unsound("LOG_DAMAGED", damage.to_string()));
    }
    match decoder.decode(envelope) {
        Ok(Some(Event::Plan(PlanEvent::PlanDrafted { snapshot, .. }))) => match read_snapshot(log, &snapshot).await {
            Ok(_) => Ok(None),
            Err(error) => {
                Ok(unsound("LOG_DAMAGED", format!("the snapshot of the plan at sequence {}: {error}", envelope.sequence)))
            }
        },
        Ok(_) => Ok(None),
        Err(error) => Ok(unsound(error.reason_code(), error.to_string())),
    }
}
