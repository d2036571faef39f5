//! Who may write, and what was refused. Must not know why a service refused, only the reason code it gave.

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LeaseEvent {
    /// A process became the active one. Its epoch is the sequence of this event; appends with an older epoch are refused.
    LeaseTaken { executor: String },
    /// It drained and stopped of its own will.
    LeaseReleased { executor: String },
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AuditEvent {
    /// A well-formed command that was refused. It changed nothing and did not use its request id up.
    CommandRejected { method: String, request_id: String, subject: String, reason_code: String, message: String },
}
