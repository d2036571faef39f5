//! A failure as a client sees it: one catalogued reason, a message that names place and cure. The only place that turns failures
//! into gRPC statuses. Must not know who failed.

use std::collections::HashMap;

use ballast_event_log::LogError;
use ballast_proto::common::v1::Reason;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// Domain of every `ErrorInfo`.
pub const ERROR_DOMAIN: &str = "ballast";

/// Why a command or query was not answered. Rejections and breakdowns alike carry exactly one reason.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub reason: Reason,
    /// What is wrong, where, and what helps: one sentence for people.
    pub message: String,
    /// Facts for programs, e.g. "task" -> id.
    pub metadata: Vec<(String, String)>,
}

impl Failure {
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), metadata: Vec::new() }
    }

    #[must_use]
    pub fn with(mut self, key: &str, value: impl ToString) -> Self {
        self.metadata.push((key.to_owned(), value.to_string()));
        self
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Reason::InvalidArgument, message)
    }
}

/// The reason as it stands in `ErrorInfo` and in the contract: without its prefix.
pub fn reason_name(reason: Reason) -> &'static str {
    let name = reason.as_str_name();
    name.strip_prefix("REASON_").unwrap_or(name)
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        let metadata: HashMap<String, String> = failure.metadata.into_iter().collect();
        let details = ErrorDetails::with_error_info(reason_name(failure.reason), ERROR_DOMAIN, metadata);
        Status::with_error_details(code(failure.reason), failure.message, details)
    }
}

impl From<LogError> for Failure {
    fn from(error: LogError) -> Self {
        let reason = match &error {
            LogError::VersionConflict { .. } => Reason::ConcurrentWrites,
            LogError::EpochOver { .. } => Reason::NotActive,
            LogError::RequestIdConflict { .. } => Reason::RequestIdConflict,
            LogError::VolumeFull { .. } => Reason::VolumeFull,
            LogError::Damaged(_) => Reason::LogDamaged,
            LogError::TooLarge { .. } | LogError::EventCount { .. } => Reason::Internal,
            LogError::Failed(_) => Reason::LogFailed,
            LogError::Closed => Reason::Draining,
        };
        Self::new(reason, error.to_string())
    }
}

/// The gRPC code of each reason. No wildcard: a new reason must choose.
fn code(reason: Reason) -> Code {
    use Reason as R;
    match reason {
        R::InvalidArgument | R::RequestIdRequired | R::RequestIdConflict | R::PageTokenInvalid => Code::InvalidArgument,
        R::GoalInvalid | R::SnapshotMalformed | R::ConfigInvalid | R::ConfirmationRequired => Code::InvalidArgument,
        R::ConcurrentWrites => Code::Aborted,
        R::ClusterNotFound | R::BrokerNotFound | R::TopicNotFound | R::PartitionNotFound | R::PlanNotFound => Code::NotFound,
        R::AlternativeNotFound | R::TaskNotFound | R::StepNotFound | R::EventNotFound => Code::NotFound,
        R::BrokerAlive | R::BrokerDead | R::BrokerNotDraining | R::PlanStale | R::PartitionsBusy => Code::FailedPrecondition,
        R::IllegalTransition | R::RollbackTargetDead | R::StepNotWaiting | R::NothingToRollBack => Code::FailedPrecondition,
        R::TopicGone | R::TopicRecreated | R::ListChanged | R::ForeignReassignment | R::NoLeader => Code::FailedPrecondition,
        R::TargetDead | R::TargetLost | R::DiskRoom | R::UnderMinIsr | R::Stalled | R::KafkaRefused => Code::FailedPrecondition,
        R::OutcomeUnknown | R::VerificationFailed | R::TaskCancelled => Code::FailedPrecondition,
        R::OperatorDecision | R::Frozen | R::ForeignThrottle | R::NoHeadroom => Code::FailedPrecondition,
        R::TargetCordoned | R::LogDirMove | R::BrokerSuspected | R::BrokerCordoned => Code::FailedPrecondition,
        R::LeaderNotInSync | R::MoveVanished | R::DeadReplicaKept | R::EarlierStepNotDone | R::TaskPaused => {
            Code::FailedPrecondition
        }
        R::ThrottleNotConfirmed | R::DataDirInUse | R::NotADataDir | R::InsecureListener => Code::FailedPrecondition,
        R::BrokerUnreachable | R::KafkaUnreachable | R::KafkaTimeout | R::ServerUnreachable => Code::Unavailable,
        R::ModelNotReady | R::NotActive | R::Replaying | R::Draining => Code::Unavailable,
        R::KafkaUnsupported | R::KafkaSecurityRequired | R::KafkaMalformedAnswer => Code::FailedPrecondition,
        R::LogDamaged | R::LogFormatNewer | R::LogShorterThanHead | R::EventUnreadable => Code::DataLoss,
        R::LogFailed => Code::Unavailable,
        R::VolumeFull => Code::ResourceExhausted,
        R::DeadlineExceeded => Code::DeadlineExceeded,
        R::Internal | R::Unspecified => Code::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_carries_its_reason_without_the_prefix() {
        let status = Status::from(Failure::new(Reason::PlanStale, "plan anew").with("plan", "plan-1"));
        assert_eq!(status.code(), Code::FailedPrecondition);
        let info = status.get_error_details().error_info().cloned().expect("every failure has an ErrorInfo");
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("PLAN_STALE", ERROR_DOMAIN));
        assert_eq!(info.metadata.get("plan").map(String::as_str), Some("plan-1"));
    }

    #[test]
    fn every_reason_fits_the_form_that_error_info_demands() {
        for number in 0..1_000 {
            let Ok(reason) = Reason::try_from(number) else { continue };
            let name = reason_name(reason);
            assert!(name.len() <= 63 && name.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_'), "{name}");
        }
    }
}
