//! Brings brokers inside the band by the change that pays most per byte copied, the worst broker first.
//! Must not know goals, labels or how a plan is reported. A plain descent: every change lowers the penalty.

mod candidates;
mod scope;
mod steps;

use crate::band::Edges;
use crate::model::{DISK, Model, NOBODY};
use crate::placement::Placement;
use candidates::{Change, Seen};
pub(crate) use scope::Scope;
pub(crate) use steps::Steps;

/// A change must take at least this share of the penalty of the broker it is made for.
const GAIN_SHARE_MIN: f64 = 0.01;
/// What evenness inside the band counts beside distance from it, when changes that both gain are compared.
const EVENNESS_WEIGHT: f64 = 0.02;
/// Brokers looked at as the other end of a change before all are.
const OTHERS_FIRST: usize = 6;

pub(crate) struct Descent<'a> {
    model: &'a Model<'a>,
    placement: Placement,
    edges: Edges,
    scope: Scope,
    /// Per broker, as the placement stands.
    penalty: Vec<f64>,
    unevenness: Vec<f64>,
    evaluations: &'a mut u64,
    /// Bytes that a change is charged beside those it copies, so that free ones are not infinitely good.
    charge: f64,
    steps: Steps,
    /// What was the best in the last look, the best last.
    shortlist: Vec<Seen>,
}

impl<'a> Descent<'a> {
    pub fn new(model: &'a Model<'a>, placement: &Placement, scope: Scope, evaluations: &'a mut u64) -> Self {
        let edges = Edges::new(model, placement);
        let brokers = model.brokers.len() as u32;
        let penalty: Vec<f64> =
            (0..brokers).map(|broker| edges.penalty(model, broker, &placement.load[broker as usize])).collect();
        let unevenness: Vec<f64> =
            (0..brokers).map(|broker| edges.unevenness(broker, &placement.load[broker as usize])).collect();
        let total: u128 = model.partitions.iter().map(|facts| u128::from(facts.bytes())).sum();
        let charge = total as f64 / model.partitions.len().max(1) as f64 / 20.0 + 1.0;
        let steps = Steps::start(penalty.iter().sum());
        Descent {
            model,
            placement: placement.clone(),
            edges,
            scope,
            penalty,
            unevenness,
            evaluations,
            charge,
            steps,
            shortlist: Vec::new(),
        }
    }

    /// Descends until no change pays or the evaluations are spent, then takes back what turned out not to be needed.
    pub fn run(&mut self) {
        loop {
            let before = self.steps.len();
            self.pass();
            if self.steps.len() == before || *self.evaluations == 0 {
                break;
            }
        }
        self.return_home();
    }

    pub fn into_steps(self) -> Steps {
        self.steps
    }

    /// Works on the worst broker that can still be helped, until none can.
    fn pass(&mut self) {
        let mut stuck = vec![false; self.model.brokers.len()];
        while *self.evaluations > 0 {
            let mut worst: Option<u32> = None;
            for broker in 0..stuck.len() as u32 {
                let penalty = self.penalty[broker as usize];
                let worse = worst.is_none_or(|other| penalty > self.penalty[other as usize]);
                if !stuck[broker as usize] && penalty > 0.0 && worse {
                    worst = Some(broker);
                }
            }
            let Some(worst) = worst else { return };
            match self.best_change(worst) {
                Some(change) => {
                    self.make(change);
                    self.follow_up(worst);
                }
                None => stuck[worst as usize] = true,
            }
        }
    }

    /// The change that pays most per byte for `broker`: to or from a few likely others, else any other, else an exchange.
    fn best_change(&mut self, broker: u32) -> Option<Change> {
        if self.model.broker(broker).closed {
            return None;
        }
        self.shortlist.clear();
        let takers = self.others(broker, true);
        let givers = self.others(broker, false);
        let (full, empty) = self.sides(broker);
        for most in [OTHERS_FIRST, usize::MAX] {
            let mut best = None;
            if full {
                self.consider_outgoing(broker, &takers[..takers.len().min(most)], &mut best);
            }
            if empty {
                self.consider_incoming(broker, &givers[..givers.len().min(most)], &mut best);
            }
            if best.is_some() || takers.len().max(givers.len()) <= most {
                return best.or_else(|| self.best_exchange(broker, &takers, &givers));
            }
        }
        self.best_exchange(broker, &takers, &givers)
    }

    /// Whether a broker is too full, or too empty, on some resource.
    fn sides(&self, broker: u32) -> (bool, bool) {
        let at = broker as usize;
        let (load, low) = (&self.placement.load[at], &self.edges.low[at]);
        let high = |r: usize| self.edges.high[at][r].min(self.model.brokers[at].limit[r].max(low[r]));
        ((0..4).any(|r| load[r] > high(r)), (0..4).any(|r| load[r] < low[r]))
    }

    /// The other brokers of the group, the likeliest first: for takers those that are emptiest where `broker` is too full.
    fn others(&self, broker: u32, takers: bool) -> Vec<u32> {
        let (edges, load) = (&self.edges, &self.placement.load);
        let at = broker as usize;
        let off = [0, 1, 2, 3].map(|r| match takers {
            true => load[at][r] > edges.high[at][r].min(self.model.brokers[at].limit[r]),
            false => load[at][r] < edges.low[at][r],
        });
        let weight = off.map(|off| if off { 1.0 } else { 0.1 });
        let fullness =
            |other: u32| -> f64 { (0..4).map(|r| weight[r] * edges.over_mean(other, r, load[other as usize][r])).sum() };
        let group = self.model.broker(broker).group;
        let mut others: Vec<(f64, u32)> = self
            .model
            .open_brokers(group)
            .filter(|&other| other != broker && !self.model.broker(other).closed)
            .filter(|&other| if takers { self.scope.may_take(broker, other) } else { self.scope.may_take(other, broker) })
            .map(|other| (if takers { fullness(other) } else { -fullness(other) }, other))
            .collect();
        others.sort_by(|a, b| a.0.total_cmp(&b.0).then(self.model.broker(a.1).tie.cmp(&self.model.broker(b.1).tie)));
        others.into_iter().map(|(_, other)| other).collect()
    }

    fn make(&mut self, change: Change) {
        for (partition, list, leader) in change.parts() {
            let touched = [self.placement.list(self.model, partition), &list].concat();
            self.steps.remember(partition, self.placement.list(self.model, partition), self.placement.leader[partition]);
            self.placement.put(self.model, partition, &list, leader);
            for broker in touched {
                self.unevenness[broker as usize] = self.edges.unevenness(broker, &self.placement.load[broker as usize]);
                self.penalty[broker as usize] = self.edges.penalty(self.model, broker, &self.placement.load[broker as usize]);
            }
            let total = self.penalty.iter().sum();
            self.steps.push(partition, list, leader, self.placement.tally.bytes, total);
        }
    }

    /// Takes back changes, the dearest first, that are not needed any more: no broker gets worse without them.
    fn return_home(&mut self) {
        let model = self.model;
        let mut made = self.steps.partitions();
        made.sort_by_key(|&partition| {
            let list = self.placement.list(model, partition);
            let copies = list.iter().filter(|broker| !model.list(partition).contains(broker)).count() as u64;
            (std::cmp::Reverse(model.partitions[partition].bytes().saturating_mul(copies)), partition)
        });
        for partition in made {
            let Some((list, leader)) = self.steps.before(partition) else { continue };
            let now = self.placement.list(model, partition).to_vec();
            let now_leader = self.placement.leader[partition];
            if (now == list && now_leader == leader)
                || crate::rules::broken(model, &self.placement, partition, &list, leader, crate::rules::Strictness::Full)
                    .is_some()
            {
                continue;
            }
            let mut touched = [now.as_slice(), list.as_slice()].concat();
            touched.sort_unstable();
            touched.dedup();
            let penalty_before: f64 = touched.iter().map(|&broker| self.penalty[broker as usize]).sum();
            let outside_before = self.outside(&touched);
            self.placement.put(model, partition, &list, leader);
            let load = &self.placement.load;
            let after: Vec<f64> =
                touched.iter().map(|&broker| self.edges.penalty(model, broker, &load[broker as usize])).collect();
            if after.iter().sum::<f64>() > penalty_before || self.outside(&touched) > outside_before {
                self.placement.put(model, partition, &now, now_leader);
                continue;
            }
            for (&broker, &penalty) in touched.iter().zip(&after) {
                self.penalty[broker as usize] = penalty;
            }
            self.steps.take_back(partition);
        }
    }

    fn outside(&self, brokers: &[u32]) -> u32 {
        brokers.iter().map(|&broker| self.edges.outside(broker, &self.placement.load[broker as usize])).sum()
    }

    /// What a change costs in bytes beyond the plan so far: going back to where a copy still is costs nothing.
    fn bytes(&self, partition: usize, from: u32, to: u32) -> u64 {
        let present = self.model.list(partition);
        match (present.contains(&from), present.contains(&to)) {
            (true, false) => self.model.partitions[partition].follows[DISK],
            _ => 0,
        }
    }

    fn leads(&self, partition: usize, broker: u32) -> bool {
        self.placement.leader[partition] == broker && broker != NOBODY
    }
}
