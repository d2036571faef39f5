//! Brings the brokers of one group inside the band: leadership first, then the moves that gain most per byte copied, then what
//! turned out not to be needed goes back. Must not know goals, labels or how a plan is reported. Every change lowers the penalty.

mod exchange;
mod field;
mod leadership;
mod moves;
mod others;
mod polish;
mod scope;
mod shaking;
mod steps;
mod topics;

use std::collections::BinaryHeap;

use crate::band::Edges;
use crate::model::Model;
use crate::placement::Placement;
use crate::rules::{Strictness, is_limited, within_caps};
use field::{Cell, cells};
pub(crate) use scope::Scope;
pub(crate) use steps::Steps;

/// Gains below this share of the mean are rounding.
const GAIN_MIN: f64 = 1e-9;
/// Brokers are worked on in the order of what their best change is worth; one goes on until the next is worth this much more.
const TURN_SHARE: f64 = 0.5;
/// Where nothing else helps a move may burden its other end, by this share of what it gains.
const BURDEN_SHARE_MAX: f64 = 0.5;
/// Most brokers looked at before anything is changed.
const AT_ONCE_MAX: usize = 16;

pub(crate) struct Descent<'a> {
    model: &'a Model<'a>,
    placement: Placement,
    scope: &'a Scope,
    group: u32,
    /// Open brokers of the group.
    members: Vec<u32>,
    cells: Vec<Cell>,
    /// Per broker, as the placement stands.
    penalty: Vec<f64>,
    evaluations: &'a mut u64,
    /// Bytes that a change is charged beside those it copies, so that free ones are not infinitely good.
    charge: f64,
    steps: Steps,
    /// Members outside the band.
    outside: u32,
    extremes: others::Extremes,
    /// Counts per topic and broker, where a limit speaks of them.
    topics: Option<topics::Topics>,
    threads: usize,
    /// The share of what a move gains at one end that it may cost the other.
    burden_share_max: f64,
    /// Turns samples round.
    cursor: usize,
}

/// Which end of a move a broker is worked on as.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Over,
    Under,
}

/// What one look at a broker showed.
struct Look<T> {
    found: Vec<T>,
    /// Brokers that were weighed as the other end.
    others: Vec<u32>,
    evaluations: usize,
}

impl<T> Default for Look<T> {
    fn default() -> Self {
        Look { found: Vec::new(), others: Vec::new(), evaluations: 1 }
    }
}

/// A broker in the queue, with what its best change was worth when last looked at.
#[derive(PartialEq)]
struct Turn {
    worth: f64,
    broker: u32,
}

impl Eq for Turn {}

impl Ord for Turn {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.worth.total_cmp(&other.worth).then(other.broker.cmp(&self.broker))
    }
}

impl PartialOrd for Turn {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<'a> Descent<'a> {
    pub fn new(
        model: &'a Model<'a>,
        placement: Placement,
        edges: &Edges,
        scope: &'a Scope,
        group: u32,
        evaluations: &'a mut u64,
        threads: usize,
    ) -> Self {
        let cells = cells(model, edges, &placement.load, scope);
        let penalty: Vec<f64> = cells.iter().map(Cell::penalty).collect();
        let total: u128 = model.partitions.iter().map(|facts| u128::from(facts.bytes())).sum();
        let charge = (total as f64 / model.partitions.len().max(1) as f64 / 20.0).max(f64::MIN_POSITIVE);
        let members: Vec<u32> = model.open_brokers(group).collect();
        let of_members = || members.iter().map(|&broker| penalty[broker as usize]);
        let outside = of_members().filter(|&penalty| penalty > 0.0).count() as u32;
        let steps = Steps::start(of_members().sum(), outside, placement.tally.bytes);
        let extremes = others::Extremes::new(model, &members);
        let topics = topics::Topics::new(model, &placement, group, members.len());
        Descent {
            model,
            placement,
            scope,
            extremes,
            topics,
            group,
            members,
            cells,
            penalty,
            evaluations,
            charge,
            steps,
            outside,
            threads,
            burden_share_max: 0.0,
            cursor: 0,
        }
    }

    /// Descends until no change pays or the evaluations are spent.
    pub fn run(&mut self) {
        if !self.scope.moves_replicas() {
            self.placement.host(self.model, |partition| self.scope.may_lead_elsewhere(partition));
            self.hand_over_all();
            self.placement.unhost();
            return;
        }
        self.placement.host(self.model, |_| true);
        self.spread_topics();
        self.hand_over_all();
        for _ in 0..ROUNDS_MAX {
            let before = self.steps.penalty();
            self.burden_share_max = 0.0;
            self.move_all(Side::Over);
            self.move_all(Side::Under);
            self.hand_over_all();
            self.burden_share_max = BURDEN_SHARE_MAX;
            self.move_all(Side::Over);
            self.hand_over_all();
            self.exchange_all();
            if self.outside == 0 || self.is_spent() || self.steps.penalty() > before * (1.0 - ROUND_GAIN_MIN) {
                break;
            }
        }
        self.shake();
    }

    pub fn finish(self) -> (Placement, Steps) {
        (self.placement, self.steps)
    }

    /// Works on whichever brokers have the change worth most per byte: out of full ones first, since each such move may fill an
    /// empty one as well.
    fn move_all(&mut self, side: Side) {
        let outside = self.members.iter().filter(|&&broker| self.penalty[broker as usize] > 0.0);
        let mut queue: BinaryHeap<Turn> = outside.map(|&broker| Turn { worth: self.hope(broker, side), broker }).collect();
        while !queue.is_empty() && !self.is_spent() {
            let mut turns: Vec<Turn> = Vec::new();
            while turns.len() < self.at_once() {
                let Some(turn) = queue.pop() else { break };
                // Nobody is worked on before everybody was looked at.
                if turns.first().is_some_and(|first| first.worth.is_finite() != turn.worth.is_finite()) {
                    queue.push(turn);
                    break;
                }
                if self.penalty[turn.broker as usize] > 0.0 {
                    turns.push(turn);
                }
            }
            let brokers: Vec<u32> = turns.iter().map(|turn| turn.broker).collect();
            let next = queue.peek().map_or(0.0, |turn| turn.worth);
            let looks = self.look_at(&brokers, |descent, broker| descent.moves(broker, side));
            for (turn, look) in turns.into_iter().zip(looks) {
                let floor = if turn.worth.is_finite() { (next * TURN_SHARE).max(f64::MIN_POSITIVE) } else { f64::INFINITY };
                let left = self.relieve(turn.broker, look, floor);
                if left > 0.0 {
                    // What was made changed what is left: look again in its own turn.
                    queue.push(Turn { worth: if left.is_finite() { left } else { turn.worth }, broker: turn.broker });
                }
            }
        }
    }

    /// Brokers looked at before anything is changed: the same number whatever the threads, so that the result is the same.
    fn at_once(&self) -> usize {
        (self.members.len() / 12).clamp(1, AT_ONCE_MAX)
    }

    /// Looks at several brokers, on as many threads as there are.
    fn look_at<T: Send>(&mut self, brokers: &[u32], look: impl Fn(&Self, u32) -> Look<T> + Sync) -> Vec<Look<T>> {
        self.refresh_extremes(brokers.len());
        let descent = &*self;
        let each = |brokers: &[u32]| brokers.iter().map(|&broker| look(descent, broker)).collect::<Vec<_>>();
        let share = brokers.len().div_ceil(self.threads.max(1)).max(1);
        let looks = std::thread::scope(|scope| {
            let mut parts = brokers.chunks(share);
            let own = parts.next().unwrap_or_default();
            let others: Vec<_> = parts.map(|part| scope.spawn(|| each(part))).collect();
            let mut looks = each(own);
            for other in others {
                looks.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            }
            looks
        });
        self.cursor = self.cursor.wrapping_add(1);
        self.spend(looks.iter().map(|look| look.evaluations).sum());
        looks
    }

    fn relocate(&mut self, slot: u32, to: u32) {
        let from = self.placement.holder(slot);
        self.change(self.model.owner[slot as usize] as usize, |placement, model| placement.relocate(model, slot, to));
        self.note(self.model.owner[slot as usize], slot, [from, to]);
    }

    fn lead(&mut self, partition: usize, to: u32) {
        let from = self.placement.leader[partition];
        self.change(partition, |placement, model| placement.lead(model, partition, to));
        self.note(partition as u32, steps::LEADERSHIP, [from, to]);
    }

    /// Changes one partition, and what is counted of its topic with it.
    fn change(&mut self, partition: usize, how: impl FnOnce(&mut Placement, &Model<'_>)) {
        if let Some(topics) = &mut self.topics {
            topics.count(self.model, &self.placement, partition, false);
        }
        how(&mut self.placement, self.model);
        if let Some(topics) = &mut self.topics {
            topics.count(self.model, &self.placement, partition, true);
        }
    }

    /// Takes the two ends of a change as they are now.
    fn note(&mut self, partition: u32, slot: u32, ends: [u32; 2]) {
        let mut penalty = self.steps.penalty();
        for broker in ends {
            penalty += self.refresh(broker);
        }
        self.steps.push(partition, slot, ends[1], self.placement.tally.bytes, penalty, self.outside);
    }

    /// Takes a broker as it is now; gives the change of its penalty.
    fn refresh(&mut self, broker: u32) -> f64 {
        let at = broker as usize;
        let cell = &mut self.cells[at];
        cell.load = field::vector(&self.placement.load[at]);
        let (before, after) = (self.penalty[at], cell.penalty());
        self.penalty[at] = after;
        // Leadership may go to a misplaced replica on a broker of another group, which is not counted here.
        if self.model.broker(broker).group == self.group {
            self.outside += u32::from(after > 0.0);
            self.outside -= u32::from(before > 0.0);
        }
        after - before
    }

    /// What the bytes of a move count: those it adds to the plan, and a charge for being a move at all.
    fn price(&self, slot: u32, to: u32) -> f64 {
        self.charge + self.bytes_added(slot, to).max(0.0)
    }

    /// The least that leaving its broker can cost.
    fn price_of_leaving(&self, slot: u32) -> f64 {
        let partition = self.model.owner[slot as usize] as usize;
        let holder = self.placement.holder(slot);
        let is_home = self.model.slots[slot as usize] == holder || self.model.list(partition).contains(&holder);
        self.charge + if is_home { self.model.partitions[partition].bytes() as f64 } else { 0.0 }
    }

    /// Bytes that a move adds to the plan: less than none when it goes back to where its copy still is.
    fn bytes_added(&self, slot: u32, to: u32) -> f64 {
        let partition = self.model.owner[slot as usize] as usize;
        let home = self.model.list(partition);
        let bytes = self.model.partitions[partition].bytes() as f64;
        match (home.contains(&self.placement.holder(slot)), home.contains(&to)) {
            (true, false) => bytes,
            (false, true) => -bytes,
            _ => 0.0,
        }
    }

    /// Whether the capacity limits let `broker` take a replica of `partition`.
    fn fits(&self, partition: usize, broker: u32, leads: bool) -> bool {
        let more = self.model.partitions[partition].role(leads);
        self.takes(broker, &more)
    }

    fn fits_leadership(&self, partition: usize, broker: u32) -> bool {
        let facts = &self.model.partitions[partition];
        let (leads, follows) = (facts.leads(), facts.follows());
        let more = [0, 1, 2, 3].map(|r| leads[r].saturating_sub(follows[r]));
        let list = self.placement.list(self.model, partition);
        self.takes(broker, &more)
            && (!self.model.is_capped()
                || within_caps(self.model, self.placement.tally_with(self.model, partition, list, broker)))
    }

    /// Whether `broker` may hold one more replica.
    fn has_place(&self, broker: u32) -> bool {
        self.placement.count[broker as usize] < self.model.places[broker as usize]
    }

    fn takes(&self, broker: u32, more: &crate::model::Loads) -> bool {
        let facts = self.model.broker(broker);
        (0..4).all(|r| {
            more[r] == 0
                || !is_limited(self.model, facts, r, Strictness::Full)
                || self.placement.load[broker as usize][r] + more[r] <= facts.limit[r]
        })
    }

    fn is_affordable(&self, slot: u32, to: u32) -> bool {
        !self.model.is_capped() || self.affords(&[(slot, to)])
    }

    /// Whether the plan stays within its caps with these replicas, of different partitions, moved.
    fn affords(&self, moves: &[(u32, u32)]) -> bool {
        let model = self.model;
        let mut tally = self.placement.tally;
        for &(slot, to) in moves {
            let partition = model.owner[slot as usize] as usize;
            let from = self.placement.holder(slot);
            let list: Vec<u32> = self.placement.list(model, partition).iter().map(|&b| if b == from { to } else { b }).collect();
            let leader = self.placement.leader[partition];
            let leader = if leader == from { to } else { leader };
            let after = self.placement.tally_with(model, partition, &list, leader);
            tally = tally.plus(after).minus(self.placement.tally);
        }
        within_caps(model, tally)
    }

    fn spend(&mut self, evaluations: usize) {
        *self.evaluations = self.evaluations.saturating_sub(evaluations as u64);
    }

    fn is_spent(&self) -> bool {
        *self.evaluations == 0
    }
}

/// Rounds of leadership, moves and exchanges; each lowers the penalty, the number is a guard.
const ROUNDS_MAX: usize = 16;
/// A round that takes a smaller share of the penalty is the last.
const ROUND_GAIN_MIN: f64 = 0.01;
