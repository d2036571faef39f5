//! Loads of partitions from what Kafka tells without agents: end offsets, replica sizes and committed offsets. Pure: must not
//! know how they are fetched. Rates are records per second times the mean size of a record, which sizes give.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ballast_cluster::{BrokerId, Load, Partition, Timestamp, TopicPartition};
use ballast_kafka::GroupOffset;

use crate::disks::Disks;

/// Time over which a rate forgets: long enough to smooth batches, short enough for the throttle.
const PRODUCE_SMOOTHING_SECONDS: f64 = 10.0;
/// Groups commit every few seconds, in steps.
const CONSUME_SMOOTHING_SECONDS: f64 = 30.0;

/// Everything measured of one cluster.
#[derive(Clone, Debug, Default)]
pub struct Measurements {
    disks: BTreeMap<BrokerId, Disks>,
    produced: HashMap<TopicPartition, Progress>,
    record_bytes: HashMap<TopicPartition, f64>,
    consumed: HashMap<TopicPartition, Rate>,
    groups: Groups,
}

/// An offset that grows, and how fast.
#[derive(Clone, Copy, Debug)]
struct Progress {
    offset: i64,
    at: Timestamp,
    rate: Option<Rate>,
}

/// Records per second.
#[derive(Clone, Copy, Debug)]
struct Rate(f64);

#[derive(Clone, Debug, Default)]
struct Groups {
    /// Of the last two readings at least: before, nothing can be said of rates.
    are_measured: bool,
    read_at: Option<Timestamp>,
    committed: HashMap<(String, TopicPartition), i64>,
}

impl Measurements {
    pub fn disks(&self, broker: BrokerId) -> Option<&Disks> {
        self.disks.get(&broker)
    }

    pub fn see_disks(&mut self, broker: BrokerId, disks: Disks) {
        let disks = match self.disks.get(&broker) {
            Some(before) => disks.keeping_sizes_of(before),
            None => disks,
        };
        self.disks.insert(broker, disks);
    }

    /// End offsets of leaders, all asked at `at`.
    pub fn see_ends(&mut self, at: Timestamp, ends: impl IntoIterator<Item = (TopicPartition, i64)>) {
        for (partition, offset) in ends {
            let before = self.produced.get(&partition).copied();
            let rate = before.and_then(|before| before.next_rate(offset, at));
            self.produced.insert(partition, Progress { offset, at, rate });
        }
    }

    /// What a leader holds: the mean size of its records. Without records the last known one stays.
    pub fn see_extent(&mut self, partition: TopicPartition, start: i64, end: i64, size_bytes: u64) {
        if end > start && size_bytes > 0 {
            self.record_bytes.insert(partition, size_bytes as f64 / (end - start) as f64);
        }
    }

    /// Committed offsets of all groups, read at `at`.
    pub fn see_groups(&mut self, at: Timestamp, offsets: Vec<GroupOffset>) {
        let committed: HashMap<_, _> = offsets.into_iter().map(|offset| ((offset.group, offset.at), offset.committed)).collect();
        if let Some(before) = self.groups.read_at {
            let seconds = seconds_between(before, at);
            let mut rates: HashMap<TopicPartition, f64> =
                self.consumed.keys().map(|partition| (partition.clone(), 0.0)).collect();
            for ((group, partition), offset) in &committed {
                let known = self.groups.committed.get(&(group.clone(), partition.clone()));
                let records = known.map_or(0, |known| (offset - known).max(0));
                *rates.entry(partition.clone()).or_default() += records as f64 / seconds;
            }
            for (partition, rate) in rates {
                let smoothed = Rate::smoothed(self.consumed.get(&partition).copied(), rate, seconds, CONSUME_SMOOTHING_SECONDS);
                self.consumed.insert(partition, smoothed);
            }
        }
        self.groups = Groups { are_measured: self.groups.read_at.is_some(), read_at: Some(at), committed };
    }

    /// Groups could not be read: consumption is not measured until they were read twice again.
    pub fn miss_groups(&mut self) {
        self.groups = Groups::default();
        self.consumed.clear();
    }

    /// Drops what was measured of a topic that is gone or was made anew.
    pub fn forget_topic(&mut self, topic: &str) {
        self.produced.retain(|partition, _| partition.topic != topic);
        self.record_bytes.retain(|partition, _| partition.topic != topic);
        self.consumed.retain(|partition, _| partition.topic != topic);
        for disks in self.disks.values_mut() {
            disks.replicas.retain(|partition, _| partition.topic != topic);
        }
    }

    pub fn load(&self, at: &TopicPartition, partition: &Partition, now: Timestamp) -> Load {
        let size = self.size(at, partition);
        let record_bytes = self.record_bytes.get(at).copied();
        let produced = self.produced.get(at).filter(|_| partition.leader.is_some());
        let produce_rate = produced.and_then(|progress| progress.rate).zip(record_bytes);
        let rate_seen_at = produced.filter(|progress| progress.rate.is_some()).map(|progress| progress.at);
        let (source, oldest) = match (size, rate_seen_at) {
            (Some((_, sized_at)), Some(rate_seen_at)) => (Some("offsets+log-dirs"), Some(sized_at.min(rate_seen_at))),
            (Some((_, sized_at)), None) => (Some("log-dirs"), Some(sized_at)),
            (None, _) => (None, None),
        };
        Load {
            size_bytes: size.map_or(0, |(bytes, _)| bytes),
            produce_bytes_per_second: produce_rate.map_or(0, |(rate, bytes)| rate.bytes_per_second(bytes)),
            consume_bytes_per_second: self.consume_bytes_per_second(at, record_bytes),
            leader_cpu_millicores: None,
            follower_cpu_millicores: None,
            source: source.map(Arc::from),
            age_seconds: oldest.map(|oldest| u64::try_from(now.milliseconds_since(oldest) / 1_000).unwrap_or(0)),
        }
    }

    /// Directory paths parallel to the replica list; empty unless all are known.
    pub fn log_dirs(&self, at: &TopicPartition, partition: &Partition) -> Vec<Arc<str>> {
        let path = |broker: &BrokerId| {
            let disks = self.disks.get(broker)?;
            let (_, index) = disks.replicas.get(at)?;
            disks.log_dirs.get(*index).map(|dir| Arc::from(dir.path.as_str()))
        };
        partition.replicas.iter().map(path).collect::<Option<Vec<_>>>().unwrap_or_default()
    }

    /// The leader's size, or the largest where it is not known.
    fn size(&self, at: &TopicPartition, partition: &Partition) -> Option<(u64, Timestamp)> {
        let on = |broker: BrokerId| {
            let disks = self.disks.get(&broker)?;
            disks.replicas.get(at).map(|(bytes, _)| (*bytes, disks.seen_at))
        };
        partition.leader.and_then(on).or_else(|| partition.holders().filter_map(on).max())
    }

    /// `None` where groups cannot be read; 0 where none consumes.
    fn consume_bytes_per_second(&self, at: &TopicPartition, record_bytes: Option<f64>) -> Option<u64> {
        if !self.groups.are_measured {
            return None;
        }
        match (self.consumed.get(at), record_bytes) {
            (Some(rate), Some(bytes)) => Some(rate.bytes_per_second(bytes)),
            (Some(Rate(rate)), None) if *rate > 0.0 => None,
            (Some(_), None) | (None, _) => Some(0),
        }
    }
}

impl Progress {
    /// The rate after a further look. An offset that fell back (a truncated or new log) starts anew.
    fn next_rate(self, offset: i64, at: Timestamp) -> Option<Rate> {
        if offset < self.offset {
            return None;
        }
        let seconds = seconds_between(self.at, at);
        Some(Rate::smoothed(self.rate, (offset - self.offset) as f64 / seconds, seconds, PRODUCE_SMOOTHING_SECONDS))
    }
}

impl Rate {
    /// Moves an exponential mean on by one value that stood for `seconds`; the first value is taken as it is.
    fn smoothed(before: Option<Rate>, value: f64, seconds: f64, over_seconds: f64) -> Rate {
        let Some(Rate(before)) = before else { return Rate(value) };
        let weight = 1.0 - (-seconds / over_seconds).exp();
        Rate(before + (value - before) * weight)
    }

    fn bytes_per_second(self, record_bytes: f64) -> u64 {
        (self.0 * record_bytes).round() as u64
    }
}

/// At least a millisecond, so that it can be divided by.
fn seconds_between(earlier: Timestamp, later: Timestamp) -> f64 {
    later.milliseconds_since(earlier).max(1) as f64 / 1_000.0
}

#[cfg(test)]
mod tests;
