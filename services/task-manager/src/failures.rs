//! From the core's rejections and Kafka's errors to the failures that clients see. Must not know commands.

use ballast_kafka::KafkaError;
use ballast_rpc::{Failure, Reason};
use ballast_task::Rejection;

/// The catalogued reason of a code of the core; a test holds every code against the catalogue.
pub(crate) fn reason_of(code: &str) -> Reason {
    Reason::from_str_name(&format!("REASON_{code}")).unwrap_or(Reason::Internal)
}

pub(crate) fn failure_of(rejection: &Rejection) -> Failure {
    Failure::new(reason_of(rejection.reason_code), rejection.message.clone())
}

pub(crate) fn failure_of_kafka(error: &KafkaError) -> Failure {
    let reason = match error {
        KafkaError::Unreachable { .. } => Reason::KafkaUnreachable,
        KafkaError::TimedOut { .. } => Reason::KafkaTimeout,
        KafkaError::Unknown { .. } => Reason::OutcomeUnknown,
        KafkaError::Refused { .. } => Reason::KafkaRefused,
        KafkaError::Unsupported { .. } => Reason::KafkaUnsupported,
        KafkaError::SecurityRequired { .. } => Reason::KafkaSecurityRequired,
        KafkaError::Malformed { .. } => Reason::KafkaMalformedAnswer,
    };
    Failure::new(reason, error.to_string())
}

#[cfg(test)]
mod tests {
    use ballast_task::reason;

    use super::*;

    #[test]
    fn every_reason_of_the_core_is_in_the_catalogue() {
        let codes = [
            reason::TOPIC_GONE,
            reason::TOPIC_RECREATED,
            reason::LIST_CHANGED,
            reason::FOREIGN_REASSIGNMENT,
            reason::NO_LEADER,
            reason::LEADER_NOT_IN_SYNC,
            reason::TARGET_DEAD,
            reason::TARGET_CORDONED,
            reason::LOG_DIR_MOVE,
            reason::TARGET_LOST,
            reason::DEAD_REPLICA_KEPT,
            reason::DISK_ROOM,
            reason::UNDER_MIN_ISR,
            reason::STALLED,
            reason::KAFKA_REFUSED,
            reason::MOVE_VANISHED,
            reason::VERIFICATION_FAILED,
            reason::TASK_CANCELLED,
            reason::TASK_PAUSED,
            reason::OPERATOR_DECISION,
            reason::EARLIER_STEP_NOT_DONE,
            reason::ROLLBACK_TARGET_DEAD,
            reason::ILLEGAL_TRANSITION,
            reason::STEP_NOT_FOUND,
            reason::STEP_NOT_WAITING,
            reason::NOTHING_TO_ROLL_BACK,
            reason::PLAN_STALE,
            reason::PARTITIONS_BUSY,
        ];
        for code in codes {
            assert_ne!(reason_of(code), Reason::Internal, "{code}");
        }
    }
}
