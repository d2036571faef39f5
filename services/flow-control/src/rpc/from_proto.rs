//! From wire types to what commands take, refusing what makes no sense. Must not know what commands do.

use ballast_proto::flow::v1::set_throttle_request::Limit;
use ballast_rpc::{Failure, Reason};
use ballast_throttle::Rate;

use crate::commands::DecisionsFrom;

const PAGE_DEFAULT: usize = 100;
const PAGE_MAX: usize = 1_000;

pub(super) fn rate_max(limit: Option<Limit>) -> Result<Option<Rate>, Failure> {
    match limit {
        Some(Limit::RateMaxBytesPerSecond(0)) => {
            Err(Failure::invalid("rate_max_bytes_per_second must be at least 1: to stop new moves, freeze the cluster"))
        }
        Some(Limit::RateMaxBytesPerSecond(rate)) => Ok(Some(Rate::new(rate))),
        Some(Limit::Automatic(true)) => Ok(None),
        Some(Limit::Automatic(false)) | None => {
            Err(Failure::invalid("limit is missing: give rate_max_bytes_per_second, or automatic = true"))
        }
    }
}

pub(super) fn page_size(asked: u32) -> usize {
    match usize::try_from(asked).unwrap_or(PAGE_MAX) {
        0 => PAGE_DEFAULT,
        asked => asked.min(PAGE_MAX),
    }
}

/// `<version in throttle/<c>>.<version in admission/<c>>`; empty: from the start.
pub(super) fn page_token(token: &str) -> Result<DecisionsFrom, Failure> {
    if token.is_empty() {
        return Ok(DecisionsFrom { throttle: 1, admission: 1 });
    }
    let places = token.split_once('.').and_then(|(throttle, admission)| {
        Some(DecisionsFrom { throttle: throttle.parse().ok()?, admission: admission.parse().ok()? })
    });
    places.ok_or_else(|| Failure::new(Reason::PageTokenInvalid, format!("page_token {token:?} is not of this list")))
}
