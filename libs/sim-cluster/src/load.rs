//! What producers append and consumers read. Must not know replication.

use crate::world::{Broker, Partition, RECORD_BYTES, TICK_MILLISECONDS, World};

/// Load swings by a tenth around its mean over this time.
const WAVE_MILLISECONDS: i64 = 300_000;

impl Partition {
    /// One past the last byte that all in-sync replicas have, which is what consumers see.
    pub fn high_watermark(&self) -> u64 {
        let ends = self.state.in_sync.iter().filter_map(|broker| self.copies.get(broker)).map(|copy| copy.end);
        ends.min().unwrap_or(0)
    }

    /// Whole records produced within the tick that ends at `now`; `phase` keeps partitions from swinging together.
    fn produced_bytes(&self, now: i64, phase: i64) -> u64 {
        let until = |instant: i64| {
            let at = (instant + phase * 7_919).rem_euclid(WAVE_MILLISECONDS);
            let slope = (at - WAVE_MILLISECONDS / 2).abs() * 4 - WAVE_MILLISECONDS;
            let per_mille = 1_000 + 100 * slope / WAVE_MILLISECONDS;
            self.produce_bytes_per_second * per_mille.unsigned_abs() / 1_000
        };
        // Rates far below a record per tick still add up: count the records due by now less those due a tick ago.
        let rate = until(now) / RECORD_BYTES;
        let due = |instant: i64| rate * instant.unsigned_abs() / 1_000;
        (due(now) - due(now - TICK_MILLISECONDS)) * RECORD_BYTES
    }
}

/// What a tick leaves of one broker's network.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    pub inbound: u64,
    pub outbound: u64,
}

impl World {
    /// The budget of each broker for one tick.
    pub fn lines(&self) -> std::collections::BTreeMap<i32, Line> {
        let share = |broker: &Broker| {
            let bytes = self.network_bytes_per_second * TICK_MILLISECONDS.unsigned_abs() / 1_000 * broker.speed_per_mille / 1_000;
            Line { inbound: bytes, outbound: bytes }
        };
        self.brokers.iter().map(|(&id, broker)| (id, share(broker))).collect()
    }

    /// Appends a tick's records to the leaders and lets consumers read them; users go before replication.
    pub fn apply_load(&mut self, lines: &mut std::collections::BTreeMap<i32, Line>) {
        let now = self.now;
        for (number, (name, topic)) in (0_i64..).zip(&mut self.topics) {
            let readers = self.groups.iter().filter(|group| group.consumes && group.topic == *name).count() as u64;
            for (index, partition) in (0_i64..).zip(&mut topic.partitions) {
                let Some(leader) = partition.state.leader.filter(|id| self.brokers.get(id).is_some_and(Broker::serves)) else {
                    continue;
                };
                let bytes = partition.produced_bytes(now, number * 131 + index);
                let (Some(line), Some(copy)) = (lines.get_mut(&leader), partition.copies.get_mut(&leader)) else { continue };
                line.inbound = line.inbound.saturating_sub(bytes);
                line.outbound = line.outbound.saturating_sub(bytes * readers);
                copy.end += bytes;
            }
        }
    }

    /// Deletes from the front what retention no longer keeps, in tenths of it, as segments go.
    pub fn apply_retention(&mut self) {
        for partition in self.topics.values_mut().flat_map(|topic| &mut topic.partitions) {
            let Some(leader) = partition.state.leader else { continue };
            let Some(copy) = partition.copies.get_mut(&leader) else { continue };
            let segment = (partition.retention_bytes / 10 / RECORD_BYTES * RECORD_BYTES).max(RECORD_BYTES);
            while partition.retention_bytes > 0 && copy.size_bytes() >= partition.retention_bytes + segment {
                copy.start += segment;
            }
            let start = copy.start;
            for copy in partition.copies.values_mut().filter(|copy| copy.start < start) {
                copy.start = start.min(copy.end);
            }
        }
    }

    /// Appends `bytes` to the leader at once and to the in-sync followers, as a producer that waits for all of them sees it.
    pub fn produce(&mut self, topic: &str, partition: u32, bytes: u64) -> bool {
        let now = self.now;
        let Some(present) = self.partition_mut(topic, partition) else { return false };
        let Some(end) = present.state.leader.and_then(|leader| present.copies.get(&leader)).map(|copy| copy.end) else {
            return false;
        };
        for broker in present.state.in_sync.clone() {
            if let Some(copy) = present.copies.get_mut(&broker) {
                copy.end = end + bytes.div_ceil(RECORD_BYTES) * RECORD_BYTES;
                copy.caught_up_at = now;
            }
        }
        true
    }

    /// Consuming groups commit every five seconds.
    pub fn commit_groups(&mut self) {
        if self.now % 5_000 >= TICK_MILLISECONDS {
            return;
        }
        for group in self.groups.iter_mut().filter(|group| group.consumes) {
            let Some(topic) = self.topics.get(&group.topic) else { continue };
            group.committed =
                topic.partitions.iter().map(|partition| i64::try_from(partition.high_watermark() / RECORD_BYTES).ok()).collect();
        }
    }
}
