//! From a goal to candidate placements, the most wanted first. Must not know costs in seconds, reasons or how plans are printed.

mod demote;
mod repair;
mod targets;

use crate::model::Model;
use crate::placement::Placement;
use crate::schedule::schedule;
use crate::search::{Descent, Scope};
use crate::{GoalKind, Label};

pub(crate) use repair::{Needs, must_leave};
pub(crate) use targets::{refusal as refused_target, resolve as targets};

/// Rounds of planning on one's own result. Each lowers the penalty, so they end; the number is a guard.
const ROUNDS_MAX: usize = 24;

/// A placement that may become an alternative.
pub(crate) struct Candidate {
    pub label: Label,
    pub why: String,
    pub placement: Placement,
}

impl Candidate {
    fn new(label: Label, why: &str, placement: Placement) -> Self {
        Self { label, why: why.to_owned(), placement }
    }
}

/// Candidates in order of preference; the first is the one that reaches the goal as far as it can be reached.
pub(crate) fn candidates(model: &Model<'_>) -> Vec<Candidate> {
    match model.goal.kind {
        GoalKind::Rebalance => rebalance(model),
        GoalKind::Evacuate | GoalKind::Drain => empty_brokers(model),
        GoalKind::Demote => {
            let why = "Leadership leaves the named brokers, which become the last choice of every list they are in.";
            vec![Candidate::new(Label::BestBalance, why, settle(model, demote::demote))]
        }
        GoalKind::Expand => expand(model),
        GoalKind::Topic => {
            let why = "The lists asked for, as far as they obey the hard rules.";
            vec![Candidate::new(Label::BestBalance, why, targets::apply(model))]
        }
    }
}

fn rebalance(model: &Model<'_>) -> Vec<Candidate> {
    let mut cheapest = Placement::present(model);
    repair::repair(model, &mut cheapest, &Needs::of(model));
    let mut budget = evaluations(model);
    let mut knee = None;
    let full = settle(model, |model, placement| {
        repair::repair(model, placement, &Needs::of(model));
        let mut descent = Descent::new(model, placement, Scope::rebalance(model, placement), &mut budget);
        descent.run();
        let steps = descent.into_steps();
        if knee.is_none() {
            knee = Some(steps.knee(model, placement));
        }
        steps.apply(model, placement);
    });
    let mut found = Vec::new();
    let (label, why) = match model.limits.bytes_max {
        Some(_) => (Label::ByteCap, "Comes as near to the band as the cap on copied bytes allows."),
        None => (Label::BestBalance, "Repairs every hard violation and brings as many brokers inside the band as can be."),
    };
    found.push(Candidate::new(label, why, full));
    let why = "Repairs what breaks a hard rule and copies nothing else.";
    found.push(Candidate::new(Label::Cheapest, why, cheapest));
    if let Some(Some(knee)) = knee {
        found.push(Candidate::new(
            Label::Knee,
            "Where a further byte copied starts to buy less balance than the bytes before it.",
            knee,
        ));
    }
    let mut leaders = Placement::present(model);
    repair::elect(model, &mut leaders);
    // Its own share, so that a plan that spends the budget does not leave it without any.
    let mut budget = evaluations(model) / 10;
    let mut descent = Descent::new(model, &leaders, Scope::leadership(model, |_| true), &mut budget);
    descent.run();
    descent.into_steps().apply(model, &mut leaders);
    found.push(Candidate::new(Label::LeadershipOnly, "Copies nothing: only leadership moves.", leaders));
    found
}

fn empty_brokers(model: &Model<'_>) -> Vec<Candidate> {
    let needs = Needs::of(model);
    let cheapest = settle(model, |model, placement| repair::repair(model, placement, &needs));
    let mut balanced = cheapest.clone();
    let mut budget = evaluations(model);
    let scope = Scope::leadership(model, |partition| cheapest.is_changed(model, partition));
    let mut descent = Descent::new(model, &cheapest, scope, &mut budget);
    descent.run();
    descent.into_steps().apply(model, &mut balanced);
    let mut leaders = Placement::present(model);
    repair::lead_elsewhere(model, &mut leaders);
    let (cheap, quick) = match model.goal.kind {
        GoalKind::Evacuate => (
            "Restores every replica that was lost, and hands out only the leaderships that were lost, evenly.",
            "Copies nothing: elects leaders and leaves the replicas missing.",
        ),
        _ => (
            "Empties the named brokers, and hands out only the leaderships they held, evenly.",
            "Copies nothing: leadership leaves the named brokers, their replicas stay.",
        ),
    };
    vec![
        Candidate::new(Label::Cheapest, cheap, cheapest),
        Candidate::new(
            Label::BestBalance,
            "The same copies, and more leaderships moved so that more brokers are inside the band.",
            balanced,
        ),
        Candidate::new(Label::LeadershipOnly, quick, leaders),
    ]
}

fn expand(model: &Model<'_>) -> Vec<Candidate> {
    let mut budget = evaluations(model);
    let mut knee = None;
    let full = settle(model, |model, placement| {
        let mut descent = Descent::new(model, placement, Scope::expand(model, placement), &mut budget);
        descent.run();
        let steps = descent.into_steps();
        if knee.is_none() {
            knee = Some(steps.knee(model, placement));
        }
        steps.apply(model, placement);
    });
    let mut found = vec![Candidate::new(Label::BestBalance, "Fills the named brokers until they are inside the band.", full)];
    if let Some(Some(knee)) = knee {
        found.push(Candidate::new(
            Label::Knee,
            "Where a further byte copied starts to buy less balance than the bytes before it.",
            knee,
        ));
    }
    found
}

/// Plans on the result of planning until that plans nothing more, so that a second planning of a settled cluster is empty.
fn settle(model: &Model<'_>, mut round: impl FnMut(&Model<'_>, &mut Placement)) -> Placement {
    let mut settled = Placement::present(model);
    round(model, &mut settled);
    // Caps are for one plan: a further one may spend them again.
    for _ in 1..if model.is_capped() { 1 } else { ROUNDS_MAX } {
        let seen = model.rebased(&settled);
        let mut next = Placement::present(&seen);
        round(&seen, &mut next);
        let changed = next.changed(&seen);
        for &partition in &changed {
            let target = next.target(&seen, partition);
            settled.put(model, partition, &target, next.leader[partition]);
        }
        if changed.is_empty() {
            // What cannot be started in any order is not part of the plan: settle without it.
            let startable = schedule(model, &settled);
            if startable.order.len() == settled.changed(model).len() {
                break;
            }
            settled = startable.placement;
        }
    }
    settled
}

fn evaluations(model: &Model<'_>) -> u64 {
    model.limits.evaluations_max.unwrap_or(10 * crate::EVALUATIONS_PER_SECOND)
}
