//! Runs every scenario file: the plan must be sound, obey the four rules of verification, and meet what the file expects.
//! Must not know how plans are made.
//!
//! The rules are those of Cruise Control's verifier: REGRESSION, nothing is further from its goal than before; BROKEN_BROKERS,
//! nothing stays on a dead broker unless it is named; NEW_BROKERS, filling new brokers moves nothing between old ones;
//! GOAL_VIOLATION, whoever is outside or breaks a rule is named. The checker itself stands for the second and the last.

#[path = "planned/after.rs"]
mod after;
#[path = "planned/run.rs"]
mod run;
#[path = "planned/scenario.rs"]
mod scenario;

use std::collections::BTreeMap;
use std::path::Path;

use ballast_cluster::{BrokerId, BrokerState, Snapshot};
use ballast_plan_check::{AlternativeReport, Report};
use ballast_planner::{GoalKind, Limits};
use run::Planned;
use scenario::Scenario;
use serde_json::Value;

/// A scenario planned: what is judged.
struct Judged<'a> {
    scenario: &'a Scenario,
    plan: &'a Value,
    facts: &'a AlternativeReport,
    after: Snapshot,
}

#[test]
fn every_scenario_ends_as_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut files: Vec<_> = std::fs::read_dir(folder).expect("the folder").flatten().map(|entry| entry.path()).collect();
    files.sort();
    assert!(files.len() > 20, "the scenarios were not found");
    let mut problems = Vec::new();
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&file).expect("a text");
        let found = match Scenario::read(&text) {
            Ok(scenario) => judge(&scenario),
            Err(problem) => vec![problem],
        };
        problems.extend(found.into_iter().map(|problem| format!("{name}: {problem}")));
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

fn judge(scenario: &Scenario) -> Vec<String> {
    let planned = Planned::new(&scenario.snapshot, &scenario.goal, &Limits::default(), 0);
    let report = match planned.check() {
        Ok(report) => report,
        Err(findings) => return findings.iter().map(ToString::to_string).collect(),
    };
    let furthest = |plan: &AlternativeReport| matches!(plan.label.as_str(), "best-balance" | "only");
    let at = report.alternatives.iter().position(furthest).unwrap_or(0);
    let plan = &planned.plan["alternatives"][at];
    let after = after::carried_out(&scenario.snapshot, plan);
    let judged = Judged { scenario, plan, facts: &report.alternatives[at], after };
    let mut problems = regressions(&report, judged.facts);
    problems.extend(new_brokers(&judged));
    problems.extend(scenario.expected.iter().filter_map(|expected| match expectation(&judged, expected) {
        Some(true) => None,
        Some(false) => Some(format!("expected: {expected}; moves: {}", plan["moves"])),
        None => Some(format!("cannot read: expect {expected}")),
    }));
    problems
}

/// REGRESSION. Where hard rules were broken before, repairing them comes before the band.
fn regressions(report: &Report, facts: &AlternativeReport) -> Vec<String> {
    let mut problems = Vec::new();
    if facts.broken > report.broken_before {
        problems.push(format!("REGRESSION: {} hard rules are broken, {} were", facts.broken, report.broken_before));
    }
    if report.broken_before == 0 {
        for (resource, (was, is)) in
            ["disk", "network_in", "network_out", "cpu"].iter().zip(report.distance_before.iter().zip(&facts.distance))
        {
            if *is > was + 1e-9 {
                problems.push(format!("REGRESSION: {resource} is {is} outside, it was {was}"));
            }
        }
    }
    problems
}

/// NEW_BROKERS.
fn new_brokers(judged: &Judged<'_>) -> Vec<String> {
    if judged.scenario.goal.kind != GoalKind::Expand {
        return Vec::new();
    }
    let moves = judged.plan["moves"].as_array().expect("a list").iter();
    let between = moves.filter(|entry| {
        let list = |key: &str| entry[key].as_array().expect("a list").clone();
        let named = |id: &Value| judged.scenario.goal.brokers.iter().any(|broker| *id == broker.0);
        list("to").iter().any(|id| !list("from").contains(id) && !named(id))
    });
    between.map(|entry| format!("NEW_BROKERS: {entry} moves between old brokers")).collect()
}

/// Whether one expectation holds; `None` when it cannot be read.
///
/// `inside` | `nothing` | `no copies` | `bytes at most N` | `copies at most N` | `holds B at least|at most N` |
/// `leads B at least|at most N` | `replicas|leaders of T within N` | `list T:P = 1 2` | `named GOAL [B|T:P]` | `reached`
fn expectation(judged: &Judged<'_>, expected: &str) -> Option<bool> {
    let words: Vec<&str> = expected.split_whitespace().collect();
    let facts = judged.facts;
    Some(match words.as_slice() {
        ["inside"] => facts.outside == 0 && facts.broken == 0,
        ["reached"] => facts.reaches_goal,
        ["nothing"] => judged.plan["moves"].as_array()?.is_empty(),
        ["no", "copies"] => facts.replica_moves == 0,
        ["bytes", "at", "most", most] => facts.moved_bytes <= most.parse().ok()?,
        ["copies", "at", "most", most] => facts.replica_moves <= most.parse().ok()?,
        ["leader", "moves", "at", "most", most] => facts.leader_moves <= most.parse().ok()?,
        [what @ ("holds" | "leads"), broker, "at", side, count] => {
            let counts = counts(&judged.after, None, *what == "leads");
            let found = counts.get(&BrokerId(broker.parse().ok()?)).copied().unwrap_or(0);
            let count: usize = count.parse().ok()?;
            if *side == "least" { found >= count } else { found <= count }
        }
        [what @ ("replicas" | "leaders"), "of", topic, "within", apart] => {
            let counts = counts(&judged.after, Some(topic), *what == "leaders");
            counts.values().max()? - counts.values().min()? <= apart.parse().ok()?
        }
        ["list", place, "=", list @ ..] => {
            let (topic, index) = place.split_once(':')?;
            let partition = judged.after.topic(topic)?.partition(index.parse().ok()?)?;
            partition.replicas.iter().map(ToString::to_string).eq(list.iter().map(ToString::to_string))
        }
        ["named", goal, about @ ..] => judged.plan["unmet"].as_array()?.iter().any(|unmet| {
            let place = format!("{}:{}", unmet["topic"].as_str().unwrap_or(""), unmet["partition"]);
            let broker = unmet["broker"].to_string();
            unmet["goal"] == *goal && about.iter().all(|about| [&place, &broker].iter().any(|is| is.as_str() == *about))
        }),
        _ => return None,
    })
}

/// Replicas or leaders of one topic, or of all, on each broker that may have some.
fn counts(snapshot: &Snapshot, of: Option<&str>, leaders: bool) -> BTreeMap<BrokerId, usize> {
    let group = of.and_then(|topic| snapshot.topic(topic)).map(|topic| topic.group.clone());
    let able = snapshot.brokers.iter().filter(|broker| {
        matches!(broker.state, BrokerState::Alive | BrokerState::New) && group.as_ref().is_none_or(|group| *group == broker.group)
    });
    let mut counts: BTreeMap<BrokerId, usize> = able.map(|broker| (broker.id, 0)).collect();
    for (_, partition) in snapshot.partitions().filter(|(topic, _)| of.is_none_or(|name| name == topic.name)) {
        let list = if leaders { partition.leader.as_slice() } else { &partition.replicas };
        list.iter().for_each(|id| *counts.entry(*id).or_default() += 1);
    }
    counts
}
