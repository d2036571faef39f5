//! Hundreds of generated clusters of every shape, every goal, each plan read by the checker. Must not know how plans are made.

#[path = "planned/dice.rs"]
mod dice;
#[path = "planned/run.rs"]
mod run;
#[path = "planned/small.rs"]
mod small;

use std::collections::BTreeMap;

use ballast_cluster::Snapshot;
use ballast_plan_check::{Finding, Rule};
use ballast_planner::{Goal, GoalKind, Limits};
use run::Planned;

/// Plans on so many clusters and has every plan read; says by rule how much was wrong, and where first.
#[track_caller]
fn check_many(kind: GoalKind, clusters: u64) {
    check_within(kind, clusters, small::limits);
}

#[track_caller]
fn check_within(kind: GoalKind, clusters: u64, limits: impl Fn(&Snapshot, &Goal, &mut dice::Dice) -> Limits) {
    let mut planned = 0;
    let mut wrong: BTreeMap<Rule, (usize, u64, Finding)> = BTreeMap::new();
    for seed in 0..clusters {
        let mut dice = dice::Dice::new(seed * 7 + kind as u64);
        let snapshot = small::cluster(&mut dice);
        let Some(goal) = small::goal(kind, &snapshot, &mut dice) else { continue };
        let limits = limits(&snapshot, &goal, &mut dice);
        planned += 1;
        let outcome = Planned::new(&snapshot, &goal, &limits, seed % 3).check();
        for finding in outcome.err().into_iter().flatten() {
            wrong.entry(finding.rule).or_insert((0, seed, finding)).0 += 1;
        }
    }
    assert!(planned > clusters / 3, "too few goals were planned: {planned}");
    let lines: Vec<String> =
        wrong.values().map(|(count, seed, finding)| format!("{count} times, first at seed {seed}: {finding}")).collect();
    assert!(lines.is_empty(), "{kind:?}\n{}", lines.join("\n"));
}

#[test]
fn rebalances_are_what_they_say() {
    check_many(GoalKind::Rebalance, 150);
}

#[test]
fn evacuations_are_what_they_say() {
    check_many(GoalKind::Evacuate, 150);
}

#[test]
fn drains_are_what_they_say() {
    check_many(GoalKind::Drain, 150);
}

#[test]
fn demotions_are_what_they_say() {
    check_many(GoalKind::Demote, 100);
}

#[test]
fn expansions_are_what_they_say() {
    check_many(GoalKind::Expand, 100);
}

#[test]
fn explicit_lists_are_what_they_say() {
    check_many(GoalKind::Topic, 100);
}

#[test]
fn what_may_change_and_where_to_is_obeyed() {
    for kind in [GoalKind::Rebalance, GoalKind::Evacuate, GoalKind::Drain, GoalKind::Expand] {
        check_within(kind, 40, |snapshot, _, dice| small::narrow(snapshot, dice));
    }
}

/// What must be copied off a broker that is to be emptied is known exactly, where racks and groups ask for no more.
#[test]
fn evacuations_and_drains_copy_exactly_what_they_must() {
    for seed in 0..60 {
        let mut dice = dice::Dice::new(seed + 10_000);
        let kind = if seed % 2 == 0 { GoalKind::Evacuate } else { GoalKind::Drain };
        let snapshot = ballast_lab::cluster(&small::shape(&mut dice));
        let Some(goal) = small::goal(kind, &snapshot, &mut dice) else { continue };
        let planned = Planned::new(&snapshot, &goal, &Limits::default(), 0);
        let report = planned.check().unwrap_or_else(|findings| panic!("seed {seed}: {findings:?}"));
        for alternative in report.alternatives.iter().filter(|alternative| alternative.reaches_goal) {
            assert_eq!(alternative.moved_bytes, report.bound_bytes, "seed {seed}, {}", alternative.label);
        }
    }
}
