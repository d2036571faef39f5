//! From a goal to candidate placements, the most wanted first. Must not know costs in seconds, reasons or how plans are printed.

mod demote;
mod repair;
mod targets;

use crate::band::{Edges, failure_room};
use crate::model::{Loads, Model};
use crate::placement::Placement;
use crate::report::brokers_outside;
use crate::schedule::schedule;
use crate::search::{Descent, Scope, Steps};
use crate::{FailureRoom, GoalKind, Label};

pub(crate) use repair::{Needs, must_leave};
pub(crate) use targets::{refusal as refused_target, resolve as targets};

/// Rounds of planning on one's own result. Each lowers the penalty, so they end; the number is a guard.
const ROUNDS_MAX: usize = 24;
/// On large clusters the first rounds take all but crumbs, and each looks at everything again.
const SLOTS_MANY: usize = 100_000;
const ROUNDS_FEW: usize = 2;

/// Evaluations that settling may always spend.
const SETTLING_EVALUATIONS_MIN: u64 = 20_000_000;

/// Plans that go further than the goal are looked for up to this many brokers: on more they cost more than they show.
const FURTHER_BROKERS_MAX: usize = 1_000;

/// A placement that may become an alternative.
pub(crate) struct Candidate {
    /// Goes as far as the goal can be reached; the first one where several say so.
    pub is_main: bool,
    pub label: Label,
    pub why: String,
    pub placement: Placement,
}

impl Candidate {
    fn new(label: Label, why: &str, placement: Placement) -> Self {
        Self { is_main: false, label, why: why.to_owned(), placement }
    }
}

/// Candidates in order of preference; the first is the one that reaches the goal as far as it can be reached.
/// `first_valid` is called when the first of them stands.
pub(crate) fn candidates(model: &Model<'_>, first_valid: &mut dyn FnMut()) -> Vec<Candidate> {
    match model.goal.kind {
        GoalKind::Rebalance => rebalance(model, first_valid),
        GoalKind::Evacuate | GoalKind::Drain => empty_brokers(model, first_valid),
        GoalKind::Demote => {
            let why = "Leadership leaves the named brokers, which become the last choice of every list they are in.";
            let demoted = demoted(model);
            first_valid();
            vec![Candidate::new(Label::BestBalance, why, demoted)]
        }
        GoalKind::Expand => expand(model, first_valid),
        GoalKind::Topic => {
            let why = "The lists asked for, as far as they obey the hard rules.";
            let applied = targets::apply(model);
            first_valid();
            vec![Candidate::new(Label::BestBalance, why, applied)]
        }
    }
}

fn demoted(model: &Model<'_>) -> Placement {
    let mut again = |model: &Model<'_>, mut placement: Placement| {
        demote::demote(model, &mut placement);
        placement
    };
    let first = again(model, Placement::present(model));
    settle(model, first, &mut again)
}

fn rebalance(model: &Model<'_>, first_valid: &mut dyn FnMut()) -> Vec<Candidate> {
    let mut cheapest = Placement::present(model);
    repair::repair(model, &mut cheapest, &Needs::of(model));
    let is_whole = cheapest.tally.entries == 0;
    first_valid();
    let mut budget = evaluations(model);
    let before = budget;
    let scope = Scope::rebalance(model, &cheapest);
    let (placement, steps) = descend(model, cheapest.clone(), &scope, &mut budget);
    // What is left after the first time round is worth a share of what that took.
    budget = budget.min((before - budget) / 4 + SETTLING_EVALUATIONS_MIN);
    // Where nothing had to be repaired, and nothing is left outside, a second planning has nothing to do.
    let is_done = is_whole && steps.iter().all(|steps| steps.outside() == 0);
    let full = if is_done {
        placement
    } else {
        settle(model, placement, &mut |model, placement| {
            let mut placement = placement;
            repair::repair(model, &mut placement, &Needs::of(model));
            let scope = Scope::rebalance(model, &placement);
            descend(model, placement, &scope, &mut budget).0
        })
    };
    let mut found = Vec::new();
    if let Some(knee) = part(model, &cheapest, &scope, &steps, Steps::knee) {
        found.push(Candidate::new(Label::Knee, "Brings nearly all brokers inside the band for much fewer bytes than all.", knee));
    }
    let (label, why) = match model.limits.bytes_max {
        Some(_) => (Label::ByteCap, "Comes as near to the band as the cap on copied bytes allows."),
        None => (Label::BestBalance, "Repairs every hard violation and brings as many brokers inside the band as can be."),
    };
    found.push(Candidate { is_main: true, ..Candidate::new(label, why, full) });
    let full = found.last().map_or(&cheapest, |full| &full.placement).clone();
    found.extend(further(model, &full, &scope));
    let half = |steps: &Steps| Some(steps.within(0.5));
    if let (None, Some(half)) = (model.limits.bytes_max, part(model, &cheapest, &scope, &steps, half)) {
        found.push(Candidate::new(Label::ByteCap, "What half of the bytes buy when the best pay first.", half));
    }
    let leaders = if is_whole {
        part(model, &cheapest, &scope, &steps, |steps| Some(steps.leadership()))
    } else {
        Some(leadership_only(model))
    };
    let why = "Repairs what breaks a hard rule and copies nothing else.";
    found.push(Candidate::new(Label::Cheapest, why, cheapest));
    found.extend(leaders.map(|leaders| Candidate::new(Label::LeadershipOnly, "Copies nothing: only leadership moves.", leaders)));
    found
}

/// What goes further than the band: aiming at half of it where the band itself was not reached everywhere, so that those left have
/// room to aim at; and leaving room for a broker's failure where that asks for more.
fn further(model: &Model<'_>, full: &Placement, scope: &Scope) -> Vec<Candidate> {
    let mut found = Vec::new();
    let mut add = |label, why, scope: Scope| {
        let mut budget = evaluations(model).min(SETTLING_EVALUATIONS_MIN);
        found.push(Candidate::new(label, why, descend(model, full.clone(), &scope, &mut budget).0));
    };
    let is_small = model.brokers.len() <= FURTHER_BROKERS_MAX;
    if is_small && brokers_outside(model, full).0 > 0 {
        add(Label::TightBand, "Aims at half the band, so that more brokers end inside the whole of it.", scope.tighter());
    }
    let lacks_room = |room: &Vec<Loads>| {
        let exceeds = |(load, room): (&Loads, &Loads)| (0..4).any(|r| model.measured[r] && load[r] > room[r]);
        full.load.iter().zip(room).any(exceeds)
    };
    if is_small && failure_room(model, FailureRoom::Broker).as_ref().is_some_and(lacks_room) {
        let why = "Leaves each broker room for its part of the load of any other that fails.";
        add(Label::SurviveOneFailure, why, scope.with_failure_room());
    }
    found
}

fn leadership_only(model: &Model<'_>) -> Placement {
    let mut leaders = Placement::present(model);
    repair::elect(model, &mut leaders);
    // Its own share, so that a plan that spends the budget does not leave it without any.
    let mut budget = evaluations(model) / 10;
    descend(model, leaders, &Scope::leadership(model, |_| true), &mut budget).0
}

/// Descends group after group and takes back what was not needed. Gives the steps of each group as well.
fn descend(model: &Model<'_>, start: Placement, scope: &Scope, budget: &mut u64) -> (Placement, Vec<Steps>) {
    let edges = Edges::of(model, &start.load);
    let mut placement = start;
    let mut all = Vec::new();
    for group in 0..model.group_names.len() as u32 {
        let mut descent = Descent::new(model, placement, &edges, scope, group, budget, model.limits.threads);
        descent.run();
        let (reached, steps) = descent.finish();
        placement = reached;
        all.push(steps);
    }
    (tidied(model, placement, scope), all)
}

/// A part of the steps of each group, and what that part did not need taken back; `None` where it is none or all of them.
fn part(
    model: &Model<'_>,
    start: &Placement,
    scope: &Scope,
    steps: &[Steps],
    choose: impl Fn(&Steps) -> Option<usize>,
) -> Option<Placement> {
    let counts: Vec<usize> = steps.iter().map(|steps| choose(steps).unwrap_or(steps.len())).collect();
    if counts.iter().zip(steps).all(|(&count, steps)| count == steps.len()) || counts.iter().all(|&count| count == 0) {
        return None;
    }
    let mut placement = start.clone();
    for (steps, &count) in steps.iter().zip(&counts) {
        steps.replay(model, &mut placement, count);
    }
    Some(tidied(model, placement, scope))
}

fn tidied(model: &Model<'_>, mut placement: Placement, scope: &Scope) -> Placement {
    // What left brokers that do not count has moved the means.
    let edges = &Edges::of(model, &placement.load);
    for group in 0..model.group_names.len() as u32 {
        let mut budget = u64::MAX;
        let mut descent = Descent::new(model, placement, edges, scope, group, &mut budget, 1);
        descent.return_home();
        placement = descent.finish().0;
    }
    for partition in placement.changed(model) {
        // Replicas that only changed places among themselves did not move at all.
        let (was, is) = (model.list(partition), placement.list(model, partition));
        if was != is && is.iter().all(|broker| was.contains(broker)) {
            placement.put(model, partition, was, placement.leader[partition]);
        }
    }
    placement
}

fn empty_brokers(model: &Model<'_>, first_valid: &mut dyn FnMut()) -> Vec<Candidate> {
    let needs = Needs::of(model);
    let mut mend = |model: &Model<'_>, mut placement: Placement| {
        repair::repair(model, &mut placement, &needs);
        placement
    };
    let cheapest = mend(model, Placement::present(model));
    first_valid();
    // Where all is repaired a second planning has nothing to do.
    let cheapest = if repair::is_repaired(model, &cheapest, &needs) { cheapest } else { settle(model, cheapest, &mut mend) };
    let mut budget = evaluations(model);
    let scope = Scope::leadership(model, |partition| cheapest.is_changed(model, partition));
    let balanced = descend(model, cheapest.clone(), &scope, &mut budget).0;
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

fn expand(model: &Model<'_>, first_valid: &mut dyn FnMut()) -> Vec<Candidate> {
    let mut budget = evaluations(model);
    let start = Placement::present(model);
    let scope = Scope::expand(model, &start);
    let (placement, steps) = descend(model, start.clone(), &scope, &mut budget);
    first_valid();
    let full = settle(model, placement, &mut |model, placement| {
        let scope = Scope::expand(model, &placement);
        descend(model, placement, &scope, &mut budget).0
    });
    let mut found = vec![Candidate::new(Label::BestBalance, "Fills the named brokers until they are inside the band.", full)];
    let half = |steps: &Steps| Some(steps.within(0.5));
    if let Some(half) = part(model, &start, &scope, &steps, half) {
        found.push(Candidate::new(Label::ByteCap, "What half of the bytes buy when the best pay first.", half));
    }
    found
}

/// Plans on the result of planning until that plans nothing more, so that a second planning of a settled cluster is empty.
fn settle(model: &Model<'_>, first: Placement, again: &mut dyn FnMut(&Model<'_>, Placement) -> Placement) -> Placement {
    let mut settled = first;
    // Caps are for one plan: a further one may spend them again.
    let rounds = match model.slots.len() {
        _ if model.is_capped() => 1,
        ..SLOTS_MANY => ROUNDS_MAX,
        _ => ROUNDS_FEW,
    };
    for _ in 1..rounds {
        let seen = model.rebased(&settled);
        let next = again(&seen, Placement::present(&seen));
        let changed = next.changed(&seen);
        for &partition in &changed {
            let target = next.target(&seen, partition);
            settled.put(model, partition, &target, next.leader[partition]);
        }
        if changed.is_empty() {
            // Settle without what cannot be started.
            let entries = settled.changed(model).len();
            let (startable, started) = startable(model, settled);
            settled = startable;
            if started == entries {
                break;
            }
        }
    }
    settled
}

/// What cannot be started in any order is not part of the plan. Gives the number of entries that can as well.
fn startable(model: &Model<'_>, wanted: Placement) -> (Placement, usize) {
    let schedule = schedule(model, wanted);
    (schedule.placement, schedule.order.len())
}

fn evaluations(model: &Model<'_>) -> u64 {
    model.limits.evaluations_max.unwrap_or(10 * crate::EVALUATIONS_PER_SECOND)
}
