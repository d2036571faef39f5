//! Laws of the law, over many made-up clusters, and single scenarios.

use ballast_cluster::TopicPartition;

use super::*;
use crate::{BrokerUse, Flow, GoalClass};

const NOW: Timestamp = Timestamp::from_milliseconds(1_000_000);
const CAPACITY: u64 = 100_000_000;

fn flow(leader: i32, others: &[i32], target: i32, produce: u64) -> Flow {
    Flow {
        at: TopicPartition::new("t", 0),
        class: GoalClass::Relocate,
        leader: Some(BrokerId(leader)),
        may_lead: [leader].iter().chain(others).chain([&target]).map(|id| BrokerId(*id)).collect(),
        targets: vec![BrokerId(target)],
        produce_bytes_per_second: produce,
        in_sync_followers: others.len() as u64,
    }
}

fn sample(flows: Vec<Flow>) -> Sample {
    let idle = BrokerUse { capacity_in: CAPACITY, capacity_out: CAPACITY, user_in: 0, user_out: 0 };
    let brokers = (1..=6).map(|id| (BrokerId(id), idle)).collect();
    Sample { taken_at: Some(NOW), brokers, flows, rate_max: None, frozen: false }
}

fn limit(sample: &Sample, broker: i32) -> u64 {
    let (_, rates) = adjust(&Law::default(), State::default(), sample, NOW);
    rates[&BrokerId(broker)].limit.bytes_per_second
}

#[test]
fn a_copy_gets_the_share_that_users_leave_plus_in_sync_bytes() {
    let mut sample = sample(vec![flow(1, &[2, 3], 4, 1_000_000)]);
    sample.brokers.get_mut(&BrokerId(1)).unwrap().user_out = 30_000_000;
    // 80 % of 100 MB/s less 30 MB/s of users, plus 2 in-sync followers of 1 MB/s.
    assert_eq!(limit(&sample, 1), 52_000_000);
}

#[test]
fn a_broker_that_may_come_to_lead_has_enough_to_go_on() {
    let sample = sample(vec![flow(1, &[2, 3], 4, 2_000_000)]);
    for standby in [2, 3, 4] {
        assert_eq!(limit(&sample, standby), 2 * 2_000_000 + 2_500_000);
    }
}

#[test]
fn all_sources_of_a_target_stay_within_what_it_can_take() {
    let sample = sample(vec![flow(1, &[], 4, 0), flow(2, &[], 4, 0), flow(3, &[], 4, 0)]);
    let sum: u64 = [1, 2, 3].iter().map(|broker| limit(&sample, *broker)).sum();
    assert!((79_000_000..=80_000_000).contains(&sum), "{sum}");
}

#[test]
fn without_headroom_a_copy_still_gets_its_floor() {
    let mut sample = sample(vec![flow(1, &[2], 4, 4_000_000)]);
    sample.brokers.get_mut(&BrokerId(4)).unwrap().user_in = CAPACITY;
    assert_eq!(limit(&sample, 1), 4_000_000 + 5_000_000);
}

#[test]
fn a_maximum_bounds_the_limit_itself() {
    let mut sample = sample(vec![flow(1, &[2, 3], 4, 100_000)]);
    sample.rate_max = Some(Rate::new(2_000_000));
    assert_eq!(limit(&sample, 1), 2_000_000);
}

#[test]
fn in_sync_bytes_do_not_starve_a_copy_under_a_maximum() {
    let mut sample = sample(vec![flow(1, &[2, 3], 4, 5_000_000)]);
    sample.rate_max = Some(Rate::new(2_000_000));
    // 10 MB/s are in-sync bytes: the copy keeps what the maximum allows it.
    assert_eq!(limit(&sample, 1), 12_000_000);
}

#[test]
fn an_unknown_capacity_is_neither_unlimited_nor_zero() {
    let mut sample = sample(vec![flow(1, &[], 4, 0)]);
    sample.brokers.clear();
    assert_eq!(limit(&sample, 1), 100_000_000);
}

#[test]
fn a_repair_may_use_more_than_a_rebalance() {
    let of = |class| limit(&sample(vec![Flow { class, ..flow(1, &[], 4, 0) }]), 1);
    assert_eq!([of(GoalClass::Rebalance), of(GoalClass::Relocate), of(GoalClass::Repair)], [75_000_000, 80_000_000, 90_000_000]);
}

#[test]
fn an_old_sample_holds_and_a_very_old_one_goes_to_the_floor() {
    let state = State { limits: [(BrokerId(1), Rate::new(20_000_000))].into() };
    let mut sample = sample(vec![flow(1, &[], 4, 0)]);
    let mut at_age = |seconds: i64| {
        sample.taken_at = Some(NOW.plus_milliseconds(-seconds * 1_000));
        adjust(&Law::default(), state.clone(), &sample, NOW).1[&BrokerId(1)].limit.bytes_per_second
    };
    assert_eq!([at_age(5), at_age(60), at_age(600)], [80_000_000, 20_000_000, 1_000_000]);
    sample.taken_at = None;
    assert_eq!(limit(&sample, 1), 1_000_000);
}

#[test]
fn frozen_rates_fall_but_never_rise() {
    let mut sample = sample(vec![flow(1, &[], 4, 0)]);
    sample.frozen = true;
    let next = |from: u64| {
        let state = State { limits: [(BrokerId(1), Rate::new(from))].into() };
        adjust(&Law::default(), state, &sample, NOW).1[&BrokerId(1)].limit.bytes_per_second
    };
    assert_eq!([next(10_000_000), next(99_000_000)], [10_000_000, 80_000_000]);
}

#[test]
fn small_changes_are_not_worth_a_ramp() {
    let sample = sample(vec![flow(1, &[], 4, 0)]);
    let changed = |from: u64| {
        let state = State { limits: [(BrokerId(1), Rate::new(from))].into() };
        let decision = adjust(&Law::default(), state, &sample, NOW).1[&BrokerId(1)].clone();
        assert_eq!(decision.changed, decision.limit != Rate::new(from));
        decision.changed
    };
    assert_eq!([82_000_000, 83_000_000, 75_000_000, 74_000_000].map(changed), [false, true, false, true]);
}

/// Made-up clusters: a small generator is enough, and repeats itself exactly.
fn worlds() -> impl Iterator<Item = Sample> {
    let mut seed: u64 = 7;
    let mut draw = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    (0..400).map(move |_| {
        let mut id = |count: u64| 1 + draw(count) as i32;
        let flows = (0..id(12)).map(|_| flow(id(3), &[4], 4 + id(2), id(2_000_000) as u64)).collect();
        let mut sample = sample(flows);
        for used in sample.brokers.values_mut() {
            (used.user_in, used.user_out) = (draw(CAPACITY), draw(CAPACITY));
        }
        sample
    })
}

#[test]
fn no_limit_is_below_its_floor_and_none_above_its_maximum() {
    for mut sample in worlds() {
        for (_, decision) in adjust(&Law::default(), State::default(), &sample, NOW).1 {
            assert!(decision.limit.bytes_per_second >= decision.counted + decision.floor);
        }
        sample.rate_max = Some(Rate::new(3_000_000));
        for (_, decision) in adjust(&Law::default(), State::default(), &sample, NOW).1 {
            let copies = decision.limit.bytes_per_second - decision.counted.min(decision.limit.bytes_per_second);
            assert!(copies <= 3_000_000 && decision.limit.bytes_per_second > 0);
            assert!(decision.limit.bytes_per_second <= 3_000_000 || copies >= decision.floor.min(3_000_000));
        }
    }
}

#[test]
fn more_use_never_means_a_higher_limit() {
    for sample in worlds() {
        let before = adjust(&Law::default(), State::default(), &sample, NOW).1;
        for (broker, decision) in &before {
            let mut busier = sample.clone();
            let used = busier.brokers.get_mut(broker).unwrap();
            used.user_out += 5_000_000;
            let after = adjust(&Law::default(), State::default(), &busier, NOW).1;
            assert!(after[broker].limit <= decision.limit, "{broker}");
        }
    }
}

#[test]
fn where_floors_fit_copies_and_users_stay_within_the_share() {
    let law = Law::default();
    for sample in worlds() {
        let rates = adjust(&law, State::default(), &sample, NOW).1;
        let pairs = pair_floors(&law, &sample);
        for target in sample.brokers.keys() {
            let sources: Vec<_> = pairs.keys().filter(|(_, to)| to == target).map(|(from, _)| from).collect();
            let floors: u64 = pairs.iter().filter(|((_, to), _)| to == target).map(|(_, floor)| floor).sum();
            let targets = |source: &BrokerId| pairs.keys().filter(|(from, _)| from == source).count() as u64;
            let extra: u64 = sources
                .iter()
                .map(|source| {
                    let all: u64 = pairs.iter().filter(|((from, _), _)| from == *source).map(|(_, floor)| floor).sum();
                    let copies = rates[*source].limit.bytes_per_second - rates[*source].counted;
                    copies.saturating_sub(all) / targets(source)
                })
                .sum();
            assert!(floors + extra <= headroom(&law, &sample, *target).0.max(floors), "target {target}");
        }
    }
}
