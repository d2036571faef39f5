//! Why a step waits or ended, why a task needs an operator, why a command was refused: the codes as clients see them. Must not
//! know when each applies.

pub const TOPIC_GONE: &str = "TOPIC_GONE";
pub const TOPIC_RECREATED: &str = "TOPIC_RECREATED";
pub const LIST_CHANGED: &str = "LIST_CHANGED";
pub const FOREIGN_REASSIGNMENT: &str = "FOREIGN_REASSIGNMENT";
pub const NO_LEADER: &str = "NO_LEADER";
pub const LEADER_NOT_IN_SYNC: &str = "LEADER_NOT_IN_SYNC";
pub const TARGET_DEAD: &str = "TARGET_DEAD";
pub const TARGET_CORDONED: &str = "TARGET_CORDONED";
pub const TARGET_LOST: &str = "TARGET_LOST";
pub const DEAD_REPLICA_KEPT: &str = "DEAD_REPLICA_KEPT";
pub const LOG_DIR_MOVE: &str = "LOG_DIR_MOVE";
pub const DISK_ROOM: &str = "DISK_ROOM";
pub const UNDER_MIN_ISR: &str = "UNDER_MIN_ISR";
pub const STALLED: &str = "STALLED";
pub const KAFKA_REFUSED: &str = "KAFKA_REFUSED";
pub const MOVE_VANISHED: &str = "MOVE_VANISHED";
pub const VERIFICATION_FAILED: &str = "VERIFICATION_FAILED";
pub const TASK_CANCELLED: &str = "TASK_CANCELLED";
pub const TASK_PAUSED: &str = "TASK_PAUSED";
pub const OPERATOR_DECISION: &str = "OPERATOR_DECISION";
pub const EARLIER_STEP_NOT_DONE: &str = "EARLIER_STEP_NOT_DONE";
pub const ROLLBACK_TARGET_DEAD: &str = "ROLLBACK_TARGET_DEAD";

pub const ILLEGAL_TRANSITION: &str = "ILLEGAL_TRANSITION";
pub const STEP_NOT_FOUND: &str = "STEP_NOT_FOUND";
pub const STEP_NOT_WAITING: &str = "STEP_NOT_WAITING";
pub const NOTHING_TO_ROLL_BACK: &str = "NOTHING_TO_ROLL_BACK";
pub const PLAN_STALE: &str = "PLAN_STALE";
pub const PARTITIONS_BUSY: &str = "PARTITIONS_BUSY";
