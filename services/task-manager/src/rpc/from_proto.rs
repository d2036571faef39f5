//! From the wire. Must not know commands beyond their values.

use ballast_proto::task::v1 as proto;
use ballast_rpc::Failure;
use ballast_task::{CancelMode, Decision};

pub(super) fn cancel_mode(mode: i32) -> Result<CancelMode, Failure> {
    match proto::CancelMode::try_from(mode) {
        Ok(proto::CancelMode::Unspecified | proto::CancelMode::FinishStep) => Ok(CancelMode::FinishStep),
        Ok(proto::CancelMode::StopNow) => Ok(CancelMode::StopNow),
        Ok(proto::CancelMode::RollBack) => Ok(CancelMode::RollBack),
        Err(_) => Err(Failure::invalid(format!("mode {mode} is not known"))),
    }
}

pub(super) fn decision(decision: i32) -> Result<Decision, Failure> {
    match proto::Decision::try_from(decision) {
        Ok(proto::Decision::Retry) => Ok(Decision::Retry),
        Ok(proto::Decision::Skip) => Ok(Decision::Skip),
        Ok(proto::Decision::MarkDone) => Ok(Decision::MarkDone),
        Ok(proto::Decision::RollBack) => Ok(Decision::RollBack),
        Ok(proto::Decision::Abandon) => Ok(Decision::Abandon),
        Ok(proto::Decision::Unspecified) | Err(_) => {
            Err(Failure::invalid("decision must be one of retry, skip, mark-done, roll-back, abandon"))
        }
    }
}
