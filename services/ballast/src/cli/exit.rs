//! How a command ends: the exit codes of the contract, and which failure gets which. Must not know any command.

use std::fmt;

use ballast_rpc::{Failure, Reason, reason_name};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// The exit codes that scripts rely on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    Ok = 0,
    /// Something failed, or damage was found.
    Error = 1,
    /// Called wrongly, a malformed snapshot or configuration, or a write that nobody confirmed.
    Usage = 2,
    NotFound = 3,
    /// Stale, overlapping, in use, not in this state.
    Precondition = 4,
    NotAllowed = 5,
    Unreachable = 6,
    /// The task ended otherwise than waited for.
    OtherEnd = 7,
    WaitTimedOut = 8,
    NeedsOperator = 9,
    Interrupted = 130,
}

/// Why a command ends with something else than 0: one line for people, a reason code for programs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CliError {
    pub exit: Exit,
    pub reason: String,
    pub message: String,
}

impl CliError {
    pub fn new(exit: Exit, reason: Reason, message: impl Into<String>) -> Self {
        Self { exit, reason: reason_name(reason).to_owned(), message: message.into() }
    }

    /// A flag or argument with an illegal value.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, Reason::InvalidArgument, message)
    }

    pub fn config(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, Reason::ConfigInvalid, message)
    }

    /// A failure that a library names by its code of the catalogue.
    pub fn coded(reason_code: &str, message: impl Into<String>) -> Self {
        let reason = Reason::from_str_name(&format!("REASON_{reason_code}")).unwrap_or(Reason::Internal);
        Failure::new(reason, message).into()
    }

    /// A wait that ended otherwise than it should: known by its exit code alone.
    pub fn ended(exit: Exit, reason: &str, message: impl Into<String>) -> Self {
        Self { exit, reason: reason.to_owned(), message: message.into() }
    }

    /// An answer without the part that every answer has.
    pub fn incomplete(what: &str) -> Self {
        Self::new(
            Exit::Error,
            Reason::Internal,
            format!("the server's answer has no {what}: it and this program differ in version"),
        )
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({"error": {"reason": self.reason, "message": self.message, "exit_code": self.exit as i32}})
    }
}

/// Without line breaks, so that it stays one line.
impl fmt::Display for CliError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "error: {} ({})", self.message.replace(['\n', '\r'], " "), self.reason)
    }
}

impl From<Status> for CliError {
    fn from(status: Status) -> Self {
        let reason = match status.get_error_details().error_info() {
            Some(info) => info.reason.clone(),
            None => reason_without_details(status.code()).to_owned(),
        };
        Self { exit: exit_for(status.code()), reason, message: status.message().to_owned() }
    }
}

impl From<Failure> for CliError {
    fn from(failure: Failure) -> Self {
        // A refusal to start is told by its reason alone: what differs from the answers of a running server stands here.
        let exit = match failure.reason {
            Reason::ConfigInvalid | Reason::InsecureListener => Exit::Usage,
            Reason::DataDirInUse => Exit::Precondition,
            Reason::NotADataDir | Reason::LogFailed | Reason::Internal => Exit::Error,
            _ => exit_for(Status::from(failure.clone()).code()),
        };
        Self { exit, reason: reason_name(failure.reason).to_owned(), message: failure.message }
    }
}

/// The exit code of each gRPC code.
fn exit_for(code: Code) -> Exit {
    match code {
        Code::Ok => Exit::Ok,
        Code::InvalidArgument | Code::OutOfRange => Exit::Usage,
        Code::NotFound => Exit::NotFound,
        Code::FailedPrecondition | Code::Aborted | Code::AlreadyExists => Exit::Precondition,
        Code::PermissionDenied | Code::Unauthenticated => Exit::NotAllowed,
        Code::Unavailable | Code::DeadlineExceeded => Exit::Unreachable,
        Code::Cancelled | Code::Unknown | Code::Internal | Code::DataLoss | Code::ResourceExhausted | Code::Unimplemented => {
            Exit::Error
        }
    }
}

/// What to call a status that did not come from a service of ours: the transport's, or somebody else's server.
fn reason_without_details(code: Code) -> &'static str {
    match code {
        Code::Unavailable | Code::Unknown => reason_name(Reason::ServerUnreachable),
        Code::DeadlineExceeded | Code::Cancelled => reason_name(Reason::DeadlineExceeded),
        _ => reason_name(Reason::Internal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_the_exit_code_of_the_contract() {
        let check = |reason: Reason, exit: Exit| {
            let status = Status::from(Failure::new(reason, "so it is"));
            let error = CliError::from(status);
            assert_eq!((error.exit, error.reason.as_str()), (exit, reason_name(reason)));
        };
        check(Reason::InvalidArgument, Exit::Usage);
        check(Reason::GoalInvalid, Exit::Usage);
        check(Reason::SnapshotMalformed, Exit::Usage);
        check(Reason::ClusterNotFound, Exit::NotFound);
        check(Reason::BrokerNotFound, Exit::NotFound);
        check(Reason::TaskNotFound, Exit::NotFound);
        check(Reason::PlanStale, Exit::Precondition);
        check(Reason::PartitionsBusy, Exit::Precondition);
        check(Reason::IllegalTransition, Exit::Precondition);
        check(Reason::BrokerAlive, Exit::Precondition);
        check(Reason::RollbackTargetDead, Exit::Precondition);
        check(Reason::KafkaUnreachable, Exit::Unreachable);
        check(Reason::LogDamaged, Exit::Error);
        check(Reason::Internal, Exit::Error);
    }

    #[test]
    fn a_server_that_does_not_start_says_why_by_its_exit_code() {
        let check = |reason: Reason, exit: Exit| assert_eq!(CliError::from(Failure::new(reason, "no")).exit, exit, "{reason:?}");
        check(Reason::DataDirInUse, Exit::Precondition);
        check(Reason::LogDamaged, Exit::Error);
        check(Reason::LogFormatNewer, Exit::Error);
        check(Reason::NotADataDir, Exit::Error);
        check(Reason::LogShorterThanHead, Exit::Error);
        check(Reason::ConfigInvalid, Exit::Usage);
        check(Reason::InsecureListener, Exit::Usage);
    }

    #[test]
    fn an_error_prints_as_one_line_with_its_reason_code() {
        let error = CliError::usage("this\nis wrong");
        assert_eq!(error.to_string(), "error: this is wrong (INVALID_ARGUMENT)");
    }
}
