//! Shares the headroom of brokers among the copies in flight. Must not know floors of the law, limits or time.
//!
//! Kafka limits a broker, not a copy, and the copies of one source get about equal parts of its limit, because each target
//! broker fetches on its own. So the unknown is one figure per source: the rate of each of its pairs (source, target). All
//! figures rise together until a source has no headroom to give or one of its targets none to take; those stop there, the rest
//! goes on (max-min fairness). Thereby what all sources send to a target stays within what it can take.

use std::collections::{BTreeMap, BTreeSet};

use ballast_cluster::BrokerId;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Side {
    Out(BrokerId),
    In(BrokerId),
}

/// Extra bytes per second for each pair of every source. `pairs` are (source, target); `headroom` is what is left of (incoming,
/// outgoing) of a broker after the floors of its pairs.
pub(crate) fn fill(pairs: &BTreeSet<(BrokerId, BrokerId)>, headroom: impl Fn(BrokerId) -> (u64, u64)) -> BTreeMap<BrokerId, u64> {
    let mut room: BTreeMap<Side, u64> = BTreeMap::new();
    let mut users: BTreeMap<Side, Vec<BrokerId>> = BTreeMap::new();
    for &(source, target) in pairs {
        for (side, free) in [(Side::Out(source), headroom(source).1), (Side::In(target), headroom(target).0)] {
            room.insert(side, free);
            users.entry(side).or_default().push(source);
        }
    }
    let mut level: BTreeMap<BrokerId, u64> = pairs.iter().map(|(source, _)| (*source, 0)).collect();
    let mut rising: BTreeSet<BrokerId> = level.keys().copied().collect();
    while !rising.is_empty() {
        let count = |side: &Side| users[side].iter().filter(|source| rising.contains(source)).count() as u64;
        let tightest = room.iter().filter(|(side, _)| count(side) > 0).map(|(side, free)| (free / count(side), *side)).min();
        let Some((rise, full)) = tightest else { break };
        for (side, free) in &mut room {
            *free = free.saturating_sub(rise.saturating_mul(count(side)));
        }
        for source in &rising {
            *level.entry(*source).or_default() += rise;
        }
        for source in &users[&full] {
            rising.remove(source);
        }
    }
    level
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pairs: &[(i32, i32)], headroom: &[(i32, u64, u64)], expected: &[(i32, u64)]) {
        let pairs: BTreeSet<_> = pairs.iter().map(|(source, target)| (BrokerId(*source), BrokerId(*target))).collect();
        let room: BTreeMap<_, _> =
            headroom.iter().map(|(id, incoming, outgoing)| (BrokerId(*id), (*incoming, *outgoing))).collect();
        let levels = fill(&pairs, |broker| room[&broker]);
        assert_eq!(levels, expected.iter().map(|(id, level)| (BrokerId(*id), *level)).collect());
    }

    #[test]
    fn a_target_is_shared_by_its_sources() {
        check(&[(1, 9), (2, 9)], &[(1, 100, 100), (2, 100, 100), (9, 100, 100)], &[(1, 50), (2, 50)]);
    }

    #[test]
    fn what_one_source_cannot_give_goes_to_the_others() {
        check(&[(1, 9), (2, 9)], &[(1, 100, 20), (2, 100, 100), (9, 100, 100)], &[(1, 20), (2, 80)]);
    }

    #[test]
    fn a_source_is_shared_by_its_targets() {
        check(&[(1, 8), (1, 9)], &[(1, 100, 100), (8, 100, 100), (9, 100, 100)], &[(1, 50)]);
    }

    #[test]
    fn a_full_target_holds_its_sources_and_no_others() {
        check(&[(1, 8), (1, 9), (2, 9)], &[(1, 0, 100), (2, 0, 100), (8, 0, 0), (9, 100, 0)], &[(1, 0), (2, 100)]);
    }
}
