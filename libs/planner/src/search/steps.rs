//! What a descent did, in order, so that a part of it can be carried out on its own. Must not know why.

use std::collections::BTreeMap;

use crate::model::Model;
use crate::placement::Placement;

struct Step {
    partition: usize,
    list: Vec<u32>,
    leader: u32,
    /// Bytes of the plan after this step.
    bytes: u64,
    /// Penalty of all brokers after this step.
    penalty: f64,
}

pub(crate) struct Steps {
    start_penalty: f64,
    made: Vec<Step>,
    /// Changes that were taken back at the end.
    taken_back: Vec<usize>,
    before: BTreeMap<usize, (Vec<u32>, u32)>,
}

impl Steps {
    pub fn start(start_penalty: f64) -> Self {
        Steps { start_penalty, made: Vec::new(), taken_back: Vec::new(), before: BTreeMap::new() }
    }

    pub fn len(&self) -> usize {
        self.made.len()
    }

    /// Remembers what `partition` had before its first step.
    pub fn remember(&mut self, partition: usize, list: &[u32], leader: u32) {
        self.before.entry(partition).or_insert_with(|| (list.to_vec(), leader));
    }

    pub fn push(&mut self, partition: usize, list: Vec<u32>, leader: u32, bytes: u64, penalty: f64) {
        self.made.push(Step { partition, list, leader, bytes, penalty });
    }

    pub fn take_back(&mut self, partition: usize) {
        self.taken_back.push(partition);
    }

    pub fn partitions(&self) -> Vec<usize> {
        self.before.keys().copied().collect()
    }

    pub fn before(&self, partition: usize) -> Option<(Vec<u32>, u32)> {
        self.before.get(&partition).cloned()
    }

    /// Carries out all of it.
    pub fn apply(&self, model: &Model<'_>, placement: &mut Placement) {
        let mut last: BTreeMap<usize, &Step> = self.made.iter().map(|step| (step.partition, step)).collect();
        for partition in &self.taken_back {
            last.remove(partition);
        }
        for step in last.into_values() {
            placement.put(model, step.partition, &step.list, step.leader);
        }
    }

    /// The placement at the step where the share of penalty taken most exceeds the share of bytes spent; `None` when that is
    /// the start or the end.
    pub fn knee(&self, model: &Model<'_>, start: &Placement) -> Option<Placement> {
        let (first, last) = (start.tally.bytes as f64, self.made.last()?);
        let (spent, taken) = (last.bytes as f64 - first, self.start_penalty - last.penalty);
        if spent <= 0.0 || taken <= 0.0 {
            return None;
        }
        let worth = |step: &Step| (self.start_penalty - step.penalty) / taken - (step.bytes as f64 - first) / spent;
        let mut best = (0.0, 0);
        for (at, step) in self.made.iter().enumerate() {
            if worth(step) > best.0 {
                best = (worth(step), at + 1);
            }
        }
        if best.1 == 0 || best.1 == self.made.len() {
            return None;
        }
        let mut knee = start.clone();
        for step in &self.made[..best.1] {
            knee.put(model, step.partition, &step.list, step.leader);
        }
        Some(knee)
    }
}
