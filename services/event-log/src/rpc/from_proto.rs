//! Requests to plain data. Must not read the log.

use ballast_cluster::Timestamp;
use ballast_proto::event::v1 as proto;

use crate::filter::Filter;

pub(super) fn filter(filter: proto::EventFilter) -> Filter {
    let set = |text: String| Some(text).filter(|text| !text.is_empty());
    Filter {
        stream_prefix: filter.stream_prefix,
        task: set(filter.task),
        event_type: set(filter.r#type),
        cluster: set(filter.cluster),
        since: filter.since.map(|since| Timestamp::from_milliseconds(since.to_milliseconds())),
        with_chunks: filter.with_chunks,
    }
}
