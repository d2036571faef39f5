//! Which candidates become alternatives: those that no other makes pointless, in the order of the goal's policy.
//! Must not know how candidates were found.

use crate::bounds;
use crate::goals::Candidate;
use crate::model::Model;
use crate::report;
use crate::schedule::{Schedule, schedule};
use crate::{Alternative, Label, Outcome};

/// What alternatives are compared in, each less the better.
struct Standing {
    bytes: u64,
    leader_moves: u64,
    hard: u64,
    /// Brokers outside on any resource, and summed over resources: neither reading may show a dominated plan.
    outside: [u64; 2],
}

impl Standing {
    fn of(model: &Model<'_>, schedule: &Schedule, alternative: &Alternative) -> Self {
        let (brokers, summed) = report::brokers_outside(model, &schedule.placement);
        Standing {
            bytes: alternative.cost.moved_bytes,
            leader_moves: alternative.cost.leader_moves,
            hard: alternative.hard_unmet() as u64,
            outside: [brokers, summed],
        }
    }

    fn as_good_as(&self, other: &Standing, reading: usize) -> bool {
        self.bytes <= other.bytes
            && self.leader_moves <= other.leader_moves
            && self.hard <= other.hard
            && self.outside[reading] <= other.outside[reading]
    }

    /// Whether neither makes the other pointless, equal ones included.
    fn is_apart_from(&self, other: &Standing) -> bool {
        (0..2).all(|reading| !self.as_good_as(other, reading) && !other.as_good_as(self, reading))
    }
}

/// A candidate in its order, told in the contract's words.
struct Told {
    /// Goes as far as the goal can be reached.
    is_main: bool,
    schedule: Schedule,
    alternative: Alternative,
    standing: Standing,
}

fn tell(model: &Model<'_>, candidate: Candidate) -> Told {
    let is_main = candidate.is_main;
    let schedule = schedule(model, candidate.placement);
    let alternative = report::alternative(model, candidate.label, candidate.why, &schedule);
    let standing = Standing::of(model, &schedule, &alternative);
    Told { is_main, schedule, alternative, standing }
}

/// Tells all candidates, dealt to as many threads as there are.
fn tell_all(model: &Model<'_>, candidates: Vec<Candidate>) -> Vec<Told> {
    let threads = model.limits.threads.max(1);
    let mut hands: Vec<Vec<(usize, Candidate)>> = (0..threads).map(|_| Vec::new()).collect();
    for (at, candidate) in candidates.into_iter().enumerate() {
        hands[at % threads].push((at, candidate));
    }
    let each = |hand: Vec<(usize, Candidate)>| -> Vec<(usize, Told)> {
        hand.into_iter().map(|(at, candidate)| (at, tell(model, candidate))).collect()
    };
    let mut told = std::thread::scope(|scope| {
        let mut hands = hands.into_iter();
        let own = hands.next().unwrap_or_default();
        let others: Vec<_> = hands.map(|hand| scope.spawn(|| each(hand))).collect();
        let mut told = each(own);
        for other in others {
            told.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        told
    });
    told.sort_by_key(|(at, _)| *at);
    told.into_iter().map(|(_, told)| told).collect()
}

pub(crate) fn outcome(model: &Model<'_>, candidates: Vec<Candidate>) -> Outcome {
    let mut told = tell_all(model, candidates);
    // The one that reaches the goal is shown whatever the others are, and compared with first.
    let main = told.iter().position(|told| told.is_main).unwrap_or(0);
    let mut shown: Vec<usize> = vec![main];
    if !told[main].schedule.order.is_empty() {
        for at in (0..told.len()).filter(|&at| at != main) {
            let apart = shown.iter().all(|&other| told[at].standing.is_apart_from(&told[other].standing));
            if apart && !told[at].alternative.moves.is_empty() {
                shown.push(at);
            }
        }
    }
    shown.sort_unstable();
    let first = shown[0];
    let bounds = bounds::bounds(model, &told[main].schedule.placement, &told[first].schedule, &told[main].alternative);
    let mut alternatives: Vec<Alternative> = Vec::with_capacity(shown.len());
    for (at, Told { alternative, .. }) in told.drain(..).enumerate() {
        if shown.contains(&at) {
            alternatives.push(alternative);
        }
    }
    if let [only] = alternatives.as_mut_slice() {
        only.label = Label::Only;
        if only.moves.is_empty() {
            only.why = "Nothing to do, or nothing that can be done.".to_owned();
        }
    }
    Outcome { bounds, alternatives }
}
