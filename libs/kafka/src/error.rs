//! How a call to Kafka can fail, told apart by what the caller may do next. Must not know which implementation failed.

use ballast_cluster::BrokerId;

/// A failed call or a failed item of a batch.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KafkaError {
    /// Nothing was sent: no connection, or refused before the request went out. Safe to try again.
    #[error("cannot reach {endpoint}: {cause}")]
    Unreachable { endpoint: String, cause: String },
    /// A read was not answered in time. Safe to try again.
    #[error("{operation} was not answered by {endpoint} within {deadline_milliseconds} ms")]
    TimedOut { operation: &'static str, endpoint: String, deadline_milliseconds: u64 },
    /// A write was sent and not answered: it may have been applied. Look before acting again.
    #[error("{operation} was sent to {endpoint} and not answered ({cause}): it may or may not have been applied")]
    Unknown { operation: &'static str, endpoint: String, cause: String },
    /// Kafka answered with an error code.
    #[error("Kafka refused {operation}: {code:?}{}", message.as_ref().map(|text| format!(" ({text})")).unwrap_or_default())]
    Refused { operation: &'static str, code: ErrorCode, message: Option<String> },
    /// The broker does not speak a version in which the request is safe or possible.
    #[error("broker {broker} does not support {operation}: {needs}")]
    Unsupported { operation: &'static str, broker: BrokerId, needs: String },
    /// The listener wants TLS or SASL, which this version of Ballast does not speak.
    #[error("{endpoint} wants {wants}, which is not supported yet: point bootstrap_servers at a plaintext listener")]
    SecurityRequired { endpoint: String, wants: &'static str },
    /// The answer could not be read.
    #[error("{endpoint} sent an answer that cannot be read: {cause}")]
    Malformed { endpoint: String, cause: String },
}

impl KafkaError {
    /// The Kafka error code, where Kafka answered with one.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            KafkaError::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Whether the write may have been applied although it failed.
    pub fn is_unknown(&self) -> bool {
        matches!(self, KafkaError::Unknown { .. }) || self.code() == Some(ErrorCode::RequestTimedOut)
    }
}

/// Kafka's error codes that Ballast acts on; the rest keep their number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ErrorCode {
    UnknownTopicOrPartition,
    LeaderNotAvailable,
    NotLeaderOrFollower,
    RequestTimedOut,
    ReplicaNotAvailable,
    BrokerNotAvailable,
    InvalidReplicationFactor,
    InvalidReplicaAssignment,
    InvalidConfig,
    NotController,
    InvalidRequest,
    UnsupportedVersion,
    PolicyViolation,
    KafkaStorageError,
    NoReassignmentInProgress,
    PreferredLeaderNotAvailable,
    ElectionNotNeeded,
    EligibleLeadersNotAvailable,
    Other(i16),
}

impl ErrorCode {
    /// The code for Kafka's number; `None` for 0, which is success.
    pub fn from_number(number: i16) -> Option<Self> {
        Some(match number {
            0 => return None,
            3 => Self::UnknownTopicOrPartition,
            5 => Self::LeaderNotAvailable,
            6 => Self::NotLeaderOrFollower,
            7 => Self::RequestTimedOut,
            8 => Self::BrokerNotAvailable,
            9 => Self::ReplicaNotAvailable,
            35 => Self::UnsupportedVersion,
            38 => Self::InvalidReplicationFactor,
            39 => Self::InvalidReplicaAssignment,
            40 => Self::InvalidConfig,
            41 => Self::NotController,
            42 => Self::InvalidRequest,
            44 => Self::PolicyViolation,
            56 => Self::KafkaStorageError,
            80 => Self::PreferredLeaderNotAvailable,
            83 => Self::EligibleLeadersNotAvailable,
            84 => Self::ElectionNotNeeded,
            85 => Self::NoReassignmentInProgress,
            other => Self::Other(other),
        })
    }
}
