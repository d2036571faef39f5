//! How data gets from leaders to followers within one tick: in-sync followers first, then copies that catch up, under network
//! budgets and Kafka's throttles with their fetch sizes and back-off. Must not know what a copy is made for.

use std::collections::BTreeMap;

use crate::{
    configs::{BACK_OFF, FOLLOWER_RATE, LEADER_RATE, WINDOW},
    load::Line,
    world::{Broker, World},
};

/// `replica.fetch.max.bytes`: most of one partition in one response.
const PARTITION_FETCH_BYTES: u64 = 1_048_576;
/// `replica.fetch.response.max.bytes`.
const RESPONSE_BYTES: u64 = 10_485_760;

/// A follower's copy that lies behind its leader's.
#[derive(Clone, Debug)]
struct Lagging {
    topic: String,
    partition: u32,
    leader: i32,
    follower: i32,
    /// Followers in sync are counted by throttles, never delayed.
    in_sync: bool,
    lag: u64,
}

impl World {
    pub fn replicate(&mut self) {
        let mut lines = self.lines();
        self.apply_load(&mut lines);
        self.apply_retention();
        self.create_missing_copies();
        let mut lagging = self.find_lagging();
        let catching_up = lagging.split_off(lagging.iter().position(|one| !one.in_sync).unwrap_or(lagging.len()));
        for mut one in lagging {
            self.transfer(&mut one, u64::MAX, &mut lines);
        }
        self.catch_up(catching_up, &mut lines);
    }

    fn create_missing_copies(&mut self) {
        let mut missing = Vec::new();
        for (name, topic) in &self.topics {
            for (index, partition) in (0_u32..).zip(&topic.partitions) {
                let Some(leader) = partition.state.leader else { continue };
                let start = partition.copies.get(&leader).map_or(0, |copy| copy.start);
                for &broker in partition.state.replicas.iter().filter(|broker| !partition.copies.contains_key(broker)) {
                    if self.brokers.get(&broker).is_some_and(Broker::serves) {
                        missing.push((name.clone(), index, broker, start));
                    }
                }
            }
        }
        for (topic, partition, broker, start) in missing {
            if let Some(copy) = self.place_copy(broker, start)
                && let Some(present) = self.partition_mut(&topic, partition)
            {
                present.copies.insert(broker, copy);
            }
        }
    }

    /// All copies behind their leaders, those in sync first; followers ahead of a new leader are cut back on the way.
    fn find_lagging(&mut self) -> Vec<Lagging> {
        let now = self.now;
        let mut found = Vec::new();
        for (name, topic) in &mut self.topics {
            for (index, partition) in (0_u32..).zip(&mut topic.partitions) {
                let Some(leader) = partition.state.leader.filter(|id| self.brokers.get(id).is_some_and(Broker::serves)) else {
                    continue;
                };
                let Some((start, end)) = partition.copies.get(&leader).map(|copy| (copy.start, copy.end)) else { continue };
                for (&follower, copy) in partition.copies.iter_mut().filter(|(follower, _)| **follower != leader) {
                    if copy.lost || !self.brokers.get(&follower).is_some_and(Broker::serves) {
                        continue;
                    }
                    copy.end = if copy.end < start { start } else { copy.end.min(end) };
                    copy.start = copy.start.max(start).min(copy.end);
                    let lag = end - copy.end;
                    if lag == 0 {
                        copy.caught_up_at = now;
                        continue;
                    }
                    let in_sync = partition.state.in_sync.contains(&follower);
                    found.push(Lagging { topic: name.clone(), partition: index, leader, follower, in_sync, lag });
                }
            }
        }
        found.sort_by_key(|one| !one.in_sync);
        found
    }

    /// Lets every fetcher (one per follower and leader) fetch in turns until nothing more passes within this tick.
    fn catch_up(&mut self, lagging: Vec<Lagging>, lines: &mut BTreeMap<i32, Line>) {
        let mut fetchers: BTreeMap<(i32, i32), Vec<Lagging>> = BTreeMap::new();
        for one in lagging {
            fetchers.entry((one.follower, one.leader)).or_default().push(one);
        }
        let mut turns: Vec<Vec<Lagging>> = fetchers.into_values().collect();
        let count = turns.len().max(1);
        // Whoever begins is best served: let all begin in turn.
        turns.rotate_left(usize::try_from(self.now / crate::world::TICK_MILLISECONDS).unwrap_or(0) % count);
        let mut progressed = true;
        while progressed {
            progressed = false;
            for partitions in &mut turns {
                progressed |= self.fetch(partitions, lines);
                let fetched_first = 1.min(partitions.len());
                partitions.rotate_left(fetched_first);
            }
        }
    }

    /// One fetch request and its response. Gives whether any bytes passed.
    fn fetch(&mut self, partitions: &mut [Lagging], lines: &mut BTreeMap<i32, Line>) -> bool {
        let Some((leader, follower)) = partitions.first().map(|one| (one.leader, one.follower)) else { return false };
        let now = self.now;
        let sleeps = |broker: &Broker| broker.back_off.get(&leader).is_some_and(|&until| now < until);
        if self.brokers.get(&follower).is_none_or(sleeps) {
            return false;
        }
        let follower_is_over = self.is_over(follower, FOLLOWER_RATE);
        let leader_is_over = self.is_over(leader, LEADER_RATE);
        let mut left = RESPONSE_BYTES;
        let mut asked = false;
        for one in partitions.iter_mut().filter(|one| one.lag > 0) {
            if follower_is_over && self.throttled.lists_follower(&one.topic, one.partition, follower) {
                continue;
            }
            asked = true;
            if left > 0 && !(leader_is_over && self.throttled.lists_leader(&one.topic, one.partition, leader)) {
                left -= self.transfer(one, left.min(PARTITION_FETCH_BYTES), lines);
            }
        }
        let wants_more = partitions.iter().any(|one| one.lag > 0);
        if !asked && wants_more {
            // A fetcher whose partitions are all throttled on its own side sleeps.
            let until = now + self.configs.number(follower, BACK_OFF);
            if let Some(broker) = self.brokers.get_mut(&follower) {
                broker.back_off.insert(leader, until);
            }
        }
        left < RESPONSE_BYTES
    }

    /// Whether a broker has used up its limit in this role.
    fn is_over(&mut self, broker: i32, key: &'static str) -> bool {
        let Some(rate) = self.configs.rate(broker, key) else { return false };
        let window = self.configs.number(broker, WINDOW);
        let now = self.now;
        let Some(present) = self.brokers.get_mut(&broker) else { return false };
        match key {
            // Live brokers send nothing at all at 0 or 1, while a follower so limited still fetches once per window.
            LEADER_RATE => rate <= 1 || present.leader_limiter.mean_bytes_per_second(now, window) > rate,
            _ => present.follower_limiter.mean_bytes_per_second(now, window) > rate,
        }
    }

    /// Moves up to `most` bytes and counts them on both sides where the partition is listed.
    fn transfer(&mut self, one: &mut Lagging, most: u64, lines: &mut BTreeMap<i32, Line>) -> u64 {
        let outbound = lines.get(&one.leader).map_or(0, |line| line.outbound);
        let inbound = lines.get(&one.follower).map_or(0, |line| line.inbound);
        let bytes = one.lag.min(most).min(outbound).min(inbound);
        if bytes == 0 {
            return 0;
        }
        if let Some(line) = lines.get_mut(&one.leader) {
            line.outbound -= bytes;
        }
        if let Some(line) = lines.get_mut(&one.follower) {
            line.inbound -= bytes;
        }
        one.lag -= bytes;
        let now = self.now;
        if self.throttled.lists_leader(&one.topic, one.partition, one.leader) {
            let window = self.configs.number(one.leader, WINDOW);
            if let Some(broker) = self.brokers.get_mut(&one.leader) {
                broker.leader_limiter.record(now, bytes, window);
            }
        }
        if self.throttled.lists_follower(&one.topic, one.partition, one.follower) {
            let window = self.configs.number(one.follower, WINDOW);
            if let Some(broker) = self.brokers.get_mut(&one.follower) {
                broker.follower_limiter.record(now, bytes, window);
            }
        }
        if let Some(copy) =
            self.partition_mut(&one.topic, one.partition).and_then(|present| present.copies.get_mut(&one.follower))
        {
            copy.end += bytes;
            if one.lag == 0 {
                copy.caught_up_at = now;
            }
        }
        bytes
    }
}
