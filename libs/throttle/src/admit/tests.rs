//! Each reason to wait, and that nothing waits without one.

use ballast_cluster::TopicPartition;

use super::*;
use crate::BrokerUse;

const NOW: Timestamp = Timestamp::from_milliseconds(1_000_000);

fn candidate(step: u32, class: GoalClass) -> Candidate {
    let flow = Flow {
        at: TopicPartition::new("t", step),
        class,
        leader: Some(BrokerId(1)),
        may_lead: vec![BrokerId(1), BrokerId(2), BrokerId(3)],
        targets: vec![BrokerId(3)],
        produce_bytes_per_second: 1_000_000,
        in_sync_followers: 1,
    };
    Candidate { step: StepKey { task: "task-a".into(), step, attempt: 1 }, flow }
}

fn sample(user_in: u64) -> Sample {
    let used = BrokerUse { capacity_in: 100_000_000, capacity_out: 100_000_000, user_in, user_out: 0 };
    let brokers = (1..=3).map(|id| (BrokerId(id), used)).collect();
    Sample { taken_at: Some(NOW), brokers, ..Sample::default() }
}

fn reasons(sample: &Sample, foreign: &[(i32, u64)], candidates: &[Candidate]) -> Vec<&'static str> {
    let foreign = foreign.iter().map(|(id, rate)| (BrokerId(*id), Rate::new(*rate))).collect();
    let verdicts = admit(&Law::default(), sample, &foreign, candidates, NOW);
    let name = |verdict| match verdict {
        Verdict::Admit => "",
        Verdict::Withhold { reason_code, .. } => reason_code,
    };
    verdicts.into_iter().map(|(_, verdict)| name(verdict)).collect()
}

#[test]
fn with_room_steps_start_up_to_the_limit_per_broker() {
    let many: Vec<_> = (0..12).map(|step| candidate(step, GoalClass::Rebalance)).collect();
    let reasons = reasons(&sample(0), &[], &many);
    assert_eq!(reasons.iter().filter(|reason| reason.is_empty()).count(), 10);
    assert_eq!(reasons[10..], ["NO_HEADROOM", "NO_HEADROOM"]);
}

#[test]
fn floors_of_earlier_steps_are_taken_from_later_ones() {
    // 75 % less 72 MB/s leaves 3 MB/s: two floors of 1.25 MB/s.
    let three: Vec<_> = (0..3).map(|step| candidate(step, GoalClass::Rebalance)).collect();
    assert_eq!(reasons(&sample(72_000_000), &[], &three), ["", "", "NO_HEADROOM"]);
}

#[test]
fn a_repair_gets_one_copy_through_on_a_full_broker() {
    let two = [candidate(0, GoalClass::Repair), candidate(1, GoalClass::Repair)];
    assert_eq!(reasons(&sample(100_000_000), &[], &two), ["", "NO_HEADROOM"]);
    assert_eq!(reasons(&sample(100_000_000), &[], &[candidate(0, GoalClass::Relocate)]), ["NO_HEADROOM"]);
}

#[test]
fn a_foreign_limit_is_used_unless_the_copy_would_starve_under_it() {
    let one = [candidate(0, GoalClass::Relocate)];
    assert_eq!(reasons(&sample(0), &[(1, 2_300_000)], &one), [""]);
    assert_eq!(reasons(&sample(0), &[(2, 1_000_000)], &one), ["FOREIGN_THROTTLE"]);
    assert_eq!(reasons(&sample(0), &[(3, 1_000_000)], &one), [""]);
}

#[test]
fn nothing_starts_frozen_or_unseen() {
    let one = [candidate(0, GoalClass::Repair)];
    assert_eq!(reasons(&Sample { frozen: true, ..sample(0) }, &[], &one), ["FROZEN"]);
    assert_eq!(reasons(&Sample { taken_at: None, ..sample(0) }, &[], &one), ["MODEL_NOT_READY"]);
    let old = Sample { taken_at: Some(NOW.plus_milliseconds(-121_000)), ..sample(0) };
    assert_eq!(reasons(&old, &[], &one), ["MODEL_NOT_READY"]);
}

#[test]
fn a_step_that_copies_nothing_needs_no_room() {
    let mut election = candidate(0, GoalClass::Rebalance);
    election.flow.targets.clear();
    assert_eq!(reasons(&Sample { taken_at: None, ..sample(100_000_000) }, &[(1, 1)], &[election]), [""]);
}
