//! Lease and audit events. The shortest example of a family.

use ballast_events::{AuditEvent, Event, LeaseEvent};
use ballast_proto::event::v1 as proto;

use crate::catalog::EventType;
use crate::read::{self, Malformed};
use crate::write::Encoded;

pub(crate) const TYPES: &[EventType] = &[
    EventType::of::<proto::LeaseTaken>("lease.taken"),
    EventType::of::<proto::LeaseReleased>("lease.released"),
    EventType::of::<proto::AuditCommandRejected>("audit.command-rejected"),
];

pub(crate) fn encode_lease(event: &LeaseEvent) -> Encoded {
    match event.clone() {
        LeaseEvent::LeaseTaken { executor } => Encoded::of("lease.taken", &proto::LeaseTaken { executor }),
        LeaseEvent::LeaseReleased { executor } => Encoded::of("lease.released", &proto::LeaseReleased { executor }),
    }
}

pub(crate) fn encode_audit(event: &AuditEvent) -> Encoded {
    match event.clone() {
        AuditEvent::CommandRejected { method, request_id, subject, reason_code, message } => Encoded::of(
            "audit.command-rejected",
            &proto::AuditCommandRejected { method, request_id, subject, reason_code, message },
        ),
    }
}

pub(crate) fn decode(event_type: &str, payload: &[u8]) -> Result<Event, Malformed> {
    Ok(match event_type {
        "lease.taken" => {
            let proto::LeaseTaken { executor } = read::message(payload)?;
            Event::Lease(LeaseEvent::LeaseTaken { executor })
        }
        "lease.released" => {
            let proto::LeaseReleased { executor } = read::message(payload)?;
            Event::Lease(LeaseEvent::LeaseReleased { executor })
        }
        "audit.command-rejected" => {
            let proto::AuditCommandRejected { method, request_id, subject, reason_code, message } = read::message(payload)?;
            Event::Audit(AuditEvent::CommandRejected { method, request_id, subject, reason_code, message })
        }
        other => return Err(read::unlisted(other)),
    })
}
