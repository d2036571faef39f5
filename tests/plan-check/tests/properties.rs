//! What must hold between plans: of the same cluster told otherwise, of its own result, of other budgets. Must not know how
//! plans are made.

#[path = "planned/after.rs"]
mod after;
#[path = "planned/dice.rs"]
mod dice;
#[path = "planned/run.rs"]
mod run;
#[path = "planned/small.rs"]
mod small;
#[path = "planned/twin.rs"]
mod twin;

use after::carried_out;
use ballast_cluster::{BrokerId, Snapshot};
use ballast_lab::Shape;
use ballast_plan_check::{AlternativeReport, Report};
use ballast_planner::{EVALUATIONS_PER_SECOND, Goal, GoalKind, Limits};
use run::Planned;
use serde_json::Value;
use twin::{doubled, relabelled};

fn rebalance() -> Goal {
    Goal::new(GoalKind::Rebalance, Vec::new())
}

#[track_caller]
fn planned(snapshot: &Snapshot, limits: &Limits) -> (Planned, Report) {
    let planned = Planned::new(snapshot, &rebalance(), limits, 0);
    let report = planned.check().unwrap_or_else(|findings| panic!("{findings:?}"));
    (planned, report)
}

fn alternatives(planned: &Planned) -> &Vec<Value> {
    planned.plan["alternatives"].as_array().expect("a list")
}

/// The alternative that goes furthest, and what the checker says of it.
#[track_caller]
fn best<'a>(planned: &'a Planned, report: &'a Report) -> (&'a Value, &'a AlternativeReport) {
    let is_best = |plan: &AlternativeReport| matches!(plan.label.as_str(), "best-balance" | "only");
    // With next to no budget none is called so.
    let furthest = || {
        let left = |at: &usize| {
            let plan = &report.alternatives[*at];
            (plan.hard_unmet, plan.outside, (plan.distance.iter().sum::<f64>() * 1e9) as u64)
        };
        (0..report.alternatives.len()).min_by_key(left)
    };
    let at = report.alternatives.iter().position(is_best).or_else(furthest).expect("a plan has an alternative");
    (&alternatives(planned)[at], &report.alternatives[at])
}

/// Clusters of so many times 40 brokers, one after the other with something special.
fn clusters(times: u32) -> Vec<Snapshot> {
    let shape = |change: fn(&mut Shape)| {
        let mut shape = Shape::new(40 * times, 170 * times, 2_000 * times);
        change(&mut shape);
        ballast_lab::cluster(&shape)
    };
    vec![
        shape(|_| {}),
        shape(|shape| (shape.seed, shape.racks) = (1, 5)),
        shape(|shape| (shape.seed, shape.dead, shape.new) = (2, 1, 2)),
        shape(|shape| (shape.seed, shape.draining, shape.careless_per_mille) = (3, 1, 30)),
        shape(|shape| (shape.seed, shape.groups, shape.small_percent, shape.large_percent) = (4, 2, 40, 30)),
        shape(|shape| (shape.seed, shape.racks, shape.placement_skew) = (5, 0, 80)),
    ]
}

/// All problems at once: one cluster's does not hide another's.
#[track_caller]
fn none(problems: Vec<String>) {
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn the_order_of_the_input_does_not_show_in_the_output() {
    for seed in 0..120 {
        let mut dice = dice::Dice::new(seed + 500);
        let snapshot = small::cluster(&mut dice);
        let kind = GoalKind::ALL[seed as usize % GoalKind::ALL.len()];
        let Some(goal) = small::goal(kind, &snapshot, &mut dice) else { continue };
        let limits = small::limits(&snapshot, &goal, &mut dice);
        let mut other = snapshot.clone();
        dice.shuffle(&mut other.brokers);
        dice.shuffle(&mut other.topics);
        for topic in &mut other.topics {
            dice.shuffle(&mut topic.partitions);
            topic.partitions.iter_mut().for_each(|partition| dice.shuffle(&mut partition.in_sync));
        }
        let plan = |snapshot: &Snapshot| Planned::new(snapshot, &goal, &limits, seed).plan.to_string();
        assert!(plan(&snapshot) == plan(&other), "seed {seed}, {kind:?}: another order, another plan");
    }
}

#[test]
fn the_number_of_threads_does_not_show_in_the_output() {
    for (at, snapshot) in clusters(1).iter().chain(&clusters(5)).enumerate() {
        let plan = |threads: usize| planned(snapshot, &Limits { threads, ..Limits::default() }).0.plan.to_string();
        let one = plan(1);
        for threads in [2, 3, 8] {
            assert!(one == plan(threads), "cluster {at}: {threads} threads, another plan");
        }
    }
}

/// What the same label costs in both, `scale` apart, within 1 %.
fn costs_apart(name: &str, one: &Report, other: &Report, scale: f64) -> Vec<String> {
    let near = |a: f64, b: f64| (a - b).abs() <= 0.01 * a.max(b);
    let labels = |report: &Report| report.alternatives.iter().map(|plan| plan.label.clone()).collect::<Vec<_>>();
    let mut problems = Vec::new();
    if labels(one) != labels(other) {
        problems.push(format!("{name}: {:?} and {:?}", labels(one), labels(other)));
    }
    for plan in &one.alternatives {
        let Some(twin) = other.alternatives.iter().find(|twin| twin.label == plan.label) else { continue };
        let figures = [
            ("bytes", plan.moved_bytes as f64 * scale, twin.moved_bytes as f64),
            ("replica moves", plan.replica_moves as f64, twin.replica_moves as f64),
            ("leader moves", plan.leader_moves as f64, twin.leader_moves as f64),
        ];
        let apart = figures.into_iter().filter(|&(_, a, b)| !near(a, b));
        problems.extend(apart.map(|(figure, a, b)| format!("{name}, {}: {a} and {b} {figure}", plan.label)));
    }
    problems
}

#[test]
fn other_ids_cost_the_same_within_one_percent() {
    let mut problems = Vec::new();
    for (at, snapshot) in clusters(1).iter().chain(&clusters(5)).enumerate() {
        let count = snapshot.brokers.len() as i32;
        let other = relabelled(snapshot, |id| BrokerId((id.0 * 7) % (count + 1) + count));
        let (one, other) = (planned(snapshot, &Limits::default()).1, planned(&other, &Limits::default()).1);
        problems.extend(costs_apart(&format!("cluster {at}"), &one, &other, 1.0));
    }
    none(problems);
}

#[test]
fn twice_the_loads_on_twice_the_capacities_cost_the_same_within_one_percent() {
    let mut problems = Vec::new();
    for (at, snapshot) in clusters(1).iter().chain(&clusters(5)).enumerate() {
        let (one, other) = (planned(snapshot, &Limits::default()).1, planned(&doubled(snapshot), &Limits::default()).1);
        problems.extend(costs_apart(&format!("cluster {at}"), &one, &other, 2.0));
    }
    none(problems);
}

#[test]
fn planning_on_the_result_plans_nothing_or_next_to_nothing() {
    let mut problems = Vec::new();
    for (at, snapshot) in clusters(1).iter().enumerate() {
        let (first, report) = planned(snapshot, &Limits::default());
        let (plan, facts) = best(&first, &report);
        let (again, second) = planned(&carried_out(snapshot, plan), &Limits::default());
        let settled = facts.outside == 0 && facts.hard_unmet == 0;
        let bytes = best(&again, &second).1.moved_bytes;
        let moves = alternatives(&again)[0]["moves"].as_array().expect("a list").len();
        if settled && moves > 0 {
            problems.push(format!("cluster {at}: all are inside, and {moves} moves are planned"));
        }
        if bytes as f64 > 0.01 * facts.moved_bytes as f64 {
            problems.push(format!("cluster {at}: {bytes} bytes after {}", facts.moved_bytes));
        }
    }
    none(problems);
}

/// What worse means stands in the checker's `minimal`.
#[test]
fn leaving_out_any_single_move_makes_something_worse() {
    let mut problems = Vec::new();
    for (at, snapshot) in clusters(1).iter().enumerate() {
        for plan in planned(snapshot, &Limits::default()).1.alternatives.iter().filter(|plan| !plan.idle.is_empty()) {
            let (count, all) = (plan.idle.len(), plan.replica_moves + plan.leader_moves);
            problems.push(format!("cluster {at}, {}: {count} of about {all} entries are idle: {:?}", plan.label, plan.idle[0]));
        }
    }
    none(problems);
}

#[test]
fn a_longer_budget_never_gives_a_worse_best_plan() {
    let mut problems = Vec::new();
    for (at, snapshot) in clusters(1).iter().enumerate() {
        let mut last: Option<(u64, AlternativeReport)> = None;
        for evaluations in [1_000, 10_000, 100_000, 1_000_000, 10_000_000, 50_000_000] {
            let limits = Limits { evaluations_max: Some(evaluations), ..Limits::default() };
            let (plan, report) = planned(snapshot, &limits);
            let now = best(&plan, &report).1.clone();
            if let Some((less, before)) = &last {
                // More rules broken is worse. So is no improvement in brokers outside, how far they are, or bytes, but a loss in one.
                let measures =
                    |plan: &AlternativeReport| [plan.outside as f64, plan.distance.iter().sum::<f64>(), plan.moved_bytes as f64];
                let (is, was) = (measures(&now), measures(before));
                let balanced = if is[..2] == was[..2] { 3 } else { 2 };
                let gains = (0..balanced).any(|at| is[at] < was[at] - 1e-9);
                let loses = (0..balanced).any(|at| is[at] > was[at] + 1e-9);
                if now.hard_unmet > before.hard_unmet || (now.hard_unmet == before.hard_unmet && loses && !gains) {
                    problems.push(format!("cluster {at}: {evaluations} evaluations are worse than {less}: {is:?}, {was:?}"));
                }
            }
            last = Some((evaluations, now));
        }
    }
    none(problems);
}

#[test]
fn a_budget_of_a_tenth_of_a_second_or_none_still_gives_a_valid_plan() {
    for snapshot in clusters(1) {
        for evaluations in [0, 1, 100, EVALUATIONS_PER_SECOND / 10] {
            planned(&snapshot, &Limits { evaluations_max: Some(evaluations), ..Limits::default() });
        }
    }
}
