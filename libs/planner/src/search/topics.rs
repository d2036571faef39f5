//! How many replicas and leaders of a topic each broker has, for the topics whose spread a plan must mind. Must not know loads.

use std::collections::HashMap;

use super::Descent;
use crate::model::{Model, NOBODY};
use crate::placement::Placement;

/// Most replicas and leaders of a topic on one broker, and least leaders.
#[derive(Clone, Copy)]
struct Shares {
    replicas_max: u32,
    leaders_max: u32,
    leaders_min: u32,
}

/// Replicas and leaders per (topic, broker), and the shares of each topic that is minded.
pub(super) struct Topics {
    shares: HashMap<u32, Shares>,
    counts: HashMap<(u32, u32), [u32; 2]>,
}

impl Topics {
    /// `None` where no limit speaks of topics.
    pub fn new(model: &Model<'_>, placement: &Placement, group: u32, members: usize) -> Option<Self> {
        let limits = model.limits;
        if !limits.spread_topics && limits.leaders_min.is_empty() {
            return None;
        }
        let least: HashMap<&str, u32> = limits.leaders_min.iter().map(|(topic, least)| (topic.as_str(), *least)).collect();
        let mut totals: HashMap<u32, [u32; 2]> = HashMap::new();
        for facts in &model.partitions {
            if model.topics[facts.topic as usize].group == group {
                let [replicas, partitions] = totals.entry(facts.topic).or_default();
                (*replicas, *partitions) = (*replicas + facts.len, *partitions + 1);
            }
        }
        let mut shares = HashMap::new();
        for (topic, [replicas, partitions]) in totals {
            let leaders_min = least.get(model.topics[topic as usize].name).copied().unwrap_or(0);
            let share = |count: u32| if limits.spread_topics { count.div_ceil(members.max(1) as u32) } else { u32::MAX };
            if limits.spread_topics || leaders_min > 0 {
                let leaders_max = share(partitions).max(leaders_min);
                shares.insert(topic, Shares { replicas_max: share(replicas), leaders_max, leaders_min });
            }
        }
        let mut topics = Topics { shares, counts: HashMap::new() };
        for partition in 0..model.partitions.len() {
            topics.count(model, placement, partition, true);
        }
        Some(topics)
    }

    /// Counts a partition in, or out.
    pub fn count(&mut self, model: &Model<'_>, placement: &Placement, partition: usize, is_in: bool) {
        let topic = model.partitions[partition].topic;
        if !self.shares.contains_key(&topic) {
            return;
        }
        for &broker in placement.list(model, partition) {
            let [replicas, leaders] = self.counts.entry((topic, broker)).or_default();
            let leads = u32::from(placement.leader[partition] == broker);
            if is_in {
                (*replicas, *leaders) = (*replicas + 1, *leaders + leads);
            } else {
                (*replicas, *leaders) = (*replicas - 1, *leaders - leads);
            }
        }
    }

    fn of(&self, topic: u32, broker: u32) -> [u32; 2] {
        self.counts.get(&(topic, broker)).copied().unwrap_or_default()
    }

    /// Whether a replica of `topic` may go from one broker to another, leadership with it or not.
    pub fn may_move(&self, topic: u32, from: u32, to: u32, leads: bool) -> bool {
        let Some(shares) = self.shares.get(&topic) else { return true };
        self.of(topic, to)[0] < shares.replicas_max && (!leads || self.may_lead(topic, from, to))
    }

    /// Whether leadership of `topic` may go from one broker to another.
    pub fn may_lead(&self, topic: u32, from: u32, to: u32) -> bool {
        let Some(shares) = self.shares.get(&topic) else { return true };
        self.of(topic, to)[1] < shares.leaders_max && (from == NOBODY || self.of(topic, from)[1] > shares.leaders_min)
    }

    /// Whether a broker has more replicas of `topic` than its share; the same for leaders.
    fn crowds(&self, topic: u32, broker: u32) -> [bool; 2] {
        let Some(shares) = self.shares.get(&topic) else { return [false; 2] };
        let [replicas, leaders] = self.of(topic, broker);
        [replicas > shares.replicas_max, leaders > shares.leaders_max]
    }

    fn wants_leaders(&self, topic: u32) -> bool {
        self.shares.get(&topic).is_some_and(|shares| shares.leaders_min > 0)
    }

    fn lacks_leaders(&self, topic: u32, broker: u32) -> bool {
        self.shares.get(&topic).is_some_and(|shares| self.of(topic, broker)[1] < shares.leaders_min)
    }
}

impl Descent<'_> {
    /// Spreads what crowds a broker beyond its share of a topic, and gives brokers the leaders that they must have, each where it
    /// weighs least.
    pub(super) fn spread_topics(&mut self) {
        if self.topics.is_none() {
            return;
        }
        let model = self.model;
        for slot in 0..model.slots.len() as u32 {
            let partition = model.owner[slot as usize] as usize;
            let broker = self.placement.holder(slot);
            if self.scope.may_move(partition) && self.is_crowded(partition, broker)[0] {
                let takers = self.members.iter().copied().filter(|&to| to != broker && self.may_take(slot, to));
                if let Some(to) = takers.min_by(|&a, &b| self.rise(slot, a).total_cmp(&self.rise(slot, b)).then(a.cmp(&b))) {
                    self.relocate(slot, to);
                }
            }
        }
        for partition in 0..model.partitions.len() {
            let leader = self.placement.leader[partition];
            if leader == NOBODY || !self.scope.may_lead_elsewhere(partition) || model.group_of(partition) != self.group {
                continue;
            }
            let list = self.placement.list(model, partition).to_vec();
            let needy =
                list.iter().copied().find(|&to| self.lacks_leaders(partition, to) && self.may_lead(partition, leader, to));
            let relief = || list.iter().copied().find(|&to| to != leader && self.may_lead(partition, leader, to));
            let crowded = self.is_crowded(partition, leader)[1];
            if let Some(to) = needy.or_else(|| if crowded { relief() } else { None }) {
                self.lead(partition, to);
            }
        }
        self.bring_leaders();
    }

    /// For brokers that lack leaders of a topic and hold no follower that could lead: a leader moves there as a whole.
    fn bring_leaders(&mut self) {
        let model = self.model;
        for partition in 0..model.partitions.len() {
            let leader = self.placement.leader[partition];
            if leader == NOBODY || !self.scope.may_move(partition) || model.group_of(partition) != self.group {
                continue;
            }
            if !self.topics.as_ref().is_some_and(|topics| topics.wants_leaders(model.partitions[partition].topic)) {
                continue;
            }
            let slot = model.partitions[partition].slots().find(|&slot| self.placement.holder(slot as u32) == leader);
            let needy = |&to: &u32| self.lacks_leaders(partition, to) && slot.is_some_and(|slot| self.may_take(slot as u32, to));
            if let (Some(slot), Some(to)) = (slot, self.members.iter().copied().find(needy)) {
                self.relocate(slot as u32, to);
            }
        }
    }

    fn may_take(&self, slot: u32, to: u32) -> bool {
        self.model.is_welcome(to) && self.scope.may_take(self.placement.holder(slot), to) && self.may_move(slot, to)
    }

    fn rise(&self, slot: u32, to: u32) -> f64 {
        self.cells[to as usize].penalty_with(&self.item(slot)) - self.penalty[to as usize]
    }

    fn is_crowded(&self, partition: usize, broker: u32) -> [bool; 2] {
        let topic = self.model.partitions[partition].topic;
        self.topics.as_ref().map_or([false; 2], |topics| topics.crowds(topic, broker))
    }

    fn lacks_leaders(&self, partition: usize, broker: u32) -> bool {
        let topic = self.model.partitions[partition].topic;
        self.model.is_welcome(broker) && self.topics.as_ref().is_some_and(|topics| topics.lacks_leaders(topic, broker))
    }
}
