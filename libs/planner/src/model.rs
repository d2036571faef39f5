//! The snapshot as flat arrays: u32 ids, integer loads, the goal's view of each broker already applied. Immutable.
//! Must not know how a search walks over it; names appear here only to be given back at the end.

mod brokers;
mod ids;

use std::collections::{BTreeMap, BTreeSet};

use ballast_cluster::{BrokerId, Partition, Snapshot, Topic};

use crate::placement::{Placement, add};
use crate::{Goal, Limits};
use brokers::{broker_facts, set_ties};
use ids::Ids;

/// One number per resource, in the order of [`crate::Resource::ALL`].
pub(crate) type Loads = [u64; 4];
pub(crate) const DISK: usize = 0;
pub(crate) const NETWORK_IN: usize = 1;
pub(crate) const NETWORK_OUT: usize = 2;
pub(crate) const CPU: usize = 3;

/// No broker: the leader of a partition without one.
pub(crate) const NOBODY: u32 = u32::MAX;

/// What a broker is to the planner, after the goal has had its say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Standing {
    /// Alive or new: counted in the mean and free to get replicas.
    Open,
    Draining,
    Dead,
}

#[derive(Clone)]
pub(crate) struct BrokerFacts {
    pub id: BrokerId,
    pub rack: u32,
    pub group: u32,
    pub standing: Standing,
    /// Named by the goal.
    pub named: bool,
    /// Excluded by the limits: gets nothing.
    pub closed: bool,
    /// Not among the only brokers that are to get something.
    pub refuses: bool,
    pub capacity: Loads,
    /// Load above this breaks the capacity rule: 0 where it has no capacity and others have, the largest number where nobody has.
    pub limit: Loads,
    /// Place among equally good brokers: their order, or shuffled by the seed.
    pub tie: u32,
}

#[derive(Clone)]
pub(crate) struct TopicFacts<'a> {
    pub name: &'a str,
    pub id: Option<&'a str>,
    pub group: u32,
    /// Its partitions, one after the other.
    pub partitions: (u32, u32),
}

/// One cache line.
#[derive(Clone)]
#[repr(align(64))]
pub(crate) struct PartitionFacts {
    pub topic: u32,
    pub index: u32,
    /// Its slots are `start..start + len`.
    pub start: u32,
    pub len: u32,
    /// The present leader if it lives, else [`NOBODY`].
    pub leader: u32,
    size: u64,
    produce: u64,
    /// Network out of the leader: what consumers and followers fetch.
    out: u64,
    leader_cpu: u64,
    follower_cpu: u64,
    /// Its topic is excluded: does not change.
    pub excluded: bool,
    /// Its topic is to be left alone while nothing is wrong with it: balancing passes it over.
    pub still: bool,
    /// A reassignment is under way: does not change.
    pub reassigning: bool,
    /// Led by a live replica that the pending reassignment removes.
    pub led_outside: bool,
    /// No live in-sync replica: does not change.
    pub offline: bool,
}

impl PartitionFacts {
    pub fn is_fixed(&self) -> bool {
        self.excluded || self.reassigning || self.offline || self.len == 0
    }

    pub fn bytes(&self) -> u64 {
        self.size
    }

    pub fn leads(&self) -> Loads {
        [self.size, self.produce, self.out, self.leader_cpu]
    }

    pub fn follows(&self) -> Loads {
        [self.size, self.produce, 0, self.follower_cpu]
    }

    pub fn role(&self, leader: bool) -> Loads {
        if leader { self.leads() } else { self.follows() }
    }

    pub fn slots(&self) -> std::ops::Range<usize> {
        self.start as usize..(self.start + self.len) as usize
    }
}

#[derive(Clone)]
pub(crate) struct Model<'a> {
    pub goal: &'a Goal,
    pub limits: &'a Limits,
    /// In an order that follows from what they are and hold, so that other ids give the same plan.
    pub brokers: Vec<BrokerFacts>,
    /// Places of the brokers, by id.
    ids: Ids,
    pub topics: Vec<TopicFacts<'a>>,
    pub partitions: Vec<PartitionFacts>,
    /// The present replica lists, one after the other.
    pub slots: Vec<u32>,
    /// Parallel to `slots`: the partition.
    pub owner: Vec<u32>,
    /// Parallel to `slots`: whether that replica may lead as things are.
    pub in_sync: Vec<bool>,
    /// Load of each broker as things are.
    pub present_load: Vec<Loads>,
    /// Replicas and leaders of each broker as things are.
    pub present_counts: Vec<[u32; 2]>,
    /// Replicas that each broker may hold: the cap, or what it holds now where that is more.
    pub places: Vec<u32>,
    /// Resources whose figure is known for every partition.
    pub measured: [bool; 4],
    /// Per group: its open brokers.
    members: Vec<Vec<u32>>,
    /// Per group: racks with an open broker.
    pub open_racks: Vec<u32>,
    pub group_names: Vec<String>,
}

impl<'a> Model<'a> {
    pub fn new(snapshot: &'a Snapshot, goal: &'a Goal, limits: &'a Limits, seed: u64) -> Self {
        let mut groups: BTreeSet<&str> = snapshot.brokers.iter().map(|broker| broker.group.as_str()).collect();
        groups.extend(snapshot.topics.iter().map(|topic| topic.group.as_str()));
        let group_names: Vec<String> = groups.into_iter().map(str::to_owned).collect();
        let brokers = broker_facts(snapshot, goal, limits, &group_names);
        let mut model = Model {
            goal,
            limits,
            open_racks: open_racks(&brokers, group_names.len()),
            ids: Ids::new(brokers.iter().map(|broker| broker.id)),
            brokers,
            topics: Vec::new(),
            partitions: Vec::new(),
            slots: Vec::new(),
            owner: Vec::new(),
            in_sync: Vec::new(),
            members: Vec::new(),
            present_load: Vec::new(),
            present_counts: Vec::new(),
            places: Vec::new(),
            measured: [true; 4],
            group_names,
        };
        let partitions: usize = snapshot.topics.iter().map(|topic| topic.partitions.len()).sum();
        let slots: usize = snapshot.partitions().map(|(_, partition)| partition.replicas.len()).sum();
        model.partitions.reserve_exact(partitions);
        model.slots.reserve_exact(slots);
        model.owner.reserve_exact(slots);
        model.in_sync.reserve_exact(slots);
        let mut topics: Vec<&Topic> = snapshot.topics.iter().collect();
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        let excluded: BTreeSet<&str> = limits.excluded_topics.iter().map(String::as_str).collect();
        let only: BTreeSet<&str> = limits.only_topics.iter().map(String::as_str).collect();
        let only_partitions: BTreeSet<(&str, u32)> =
            limits.only_partitions.iter().map(|at| (at.topic.as_str(), at.partition)).collect();
        let all = only.is_empty() && only_partitions.is_empty();
        for topic in topics {
            let group = group_index(&model.group_names, &topic.group);
            let start = model.partitions.len() as u32;
            let partitions = (start, start + topic.partitions.len() as u32);
            model.topics.push(TopicFacts { name: &topic.name, id: topic.id.as_deref(), group, partitions });
            let mut partitions: Vec<&Partition> = topic.partitions.iter().collect();
            partitions.sort_by_key(|partition| partition.index);
            for partition in partitions {
                let named = all || only.contains(topic.name.as_str());
                let named = named || only_partitions.contains(&(topic.name.as_str(), partition.index));
                model.push(partition, !named || excluded.contains(topic.name.as_str()));
            }
        }
        model.keep_sums_in_range();
        model.put_brokers_in_order(seed);
        model.leave_alone();
        model
    }

    fn push(&mut self, partition: &Partition, excluded: bool) {
        let ids = &self.ids;
        let index_of = |id: BrokerId| ids.get(id).map(|at| at as usize);
        let start = self.slots.len() as u32;
        let mut leader = NOBODY;
        for &id in &partition.replicas {
            let broker = index_of(id).expect("every listed broker has facts: broker_facts adds the unregistered ones as dead");
            let lives = self.brokers[broker].standing != Standing::Dead;
            let leads = lives && partition.leader == Some(id);
            if leads {
                leader = broker as u32;
            }
            self.slots.push(broker as u32);
            self.owner.push(self.partitions.len() as u32);
            self.in_sync.push(lives && (leads || partition.in_sync.contains(&id)));
        }
        let outside = partition.leader.filter(|leader| !partition.replicas.contains(leader)).and_then(index_of);
        let led_outside = outside.is_some_and(|broker| self.brokers[broker].standing != Standing::Dead);
        let load = &partition.load;
        let copies = (partition.replicas.len() as u64).saturating_sub(1);
        let out = load.produce_bytes_per_second.saturating_mul(copies);
        self.measured[NETWORK_OUT] &= load.consume_bytes_per_second.is_some();
        self.measured[CPU] &= load.leader_cpu_millicores.is_some() && load.follower_cpu_millicores.is_some();
        let (size, produce) = (load.size_bytes, load.produce_bytes_per_second);
        self.partitions.push(PartitionFacts {
            topic: (self.topics.len() - 1) as u32,
            index: partition.index,
            start,
            len: partition.replicas.len() as u32,
            leader,
            size,
            produce,
            out: out.saturating_add(load.consume_bytes_per_second.unwrap_or(0)),
            leader_cpu: load.leader_cpu_millicores.unwrap_or(0),
            follower_cpu: load.follower_cpu_millicores.unwrap_or(0),
            excluded,
            still: false,
            reassigning: partition.is_reassigning(),
            led_outside,
            offline: !led_outside && !self.in_sync[start as usize..].contains(&true),
        });
    }

    /// Sums stay below 2^63. Only figures that no cluster has come near it; then each is cut to its share of the range.
    fn keep_sums_in_range(&mut self) {
        let most = 1u64 << 63;
        let figures: [fn(&mut PartitionFacts) -> &mut u64; 5] =
            [|p| &mut p.size, |p| &mut p.produce, |p| &mut p.out, |p| &mut p.leader_cpu, |p| &mut p.follower_cpu];
        let mut totals = [0u128; 5];
        for p in &self.partitions {
            for (total, figure) in totals.iter_mut().zip([p.size, p.produce, p.out, p.leader_cpu, p.follower_cpu]) {
                *total += u128::from(figure) * u128::from(p.len);
            }
        }
        for (figure, total) in figures.into_iter().zip(totals) {
            if total > u128::from(most) {
                let share = most / self.slots.len().max(1) as u64;
                for partition in &mut self.partitions {
                    let figure = figure(partition);
                    *figure = share.min(*figure);
                }
            }
        }
    }

    /// The place of a broker.
    pub fn index_of(&self, id: BrokerId) -> Option<u32> {
        self.ids.get(id)
    }

    /// Brokers by what they are and hold, by id only where that is the same; racks by their first broker.
    fn put_brokers_in_order(&mut self, seed: u64) {
        self.take_stock();
        let mut order: Vec<u32> = (0..self.brokers.len() as u32).collect();
        order.sort_by_key(|&at| {
            let at = at as usize;
            let facts = &self.brokers[at];
            let holds = (self.present_load[at], self.present_counts[at], self.places[at]);
            (facts.group, facts.standing as u8, facts.capacity, holds, facts.id)
        });
        let mut place = vec![0u32; order.len()];
        order.iter().zip(0..).for_each(|(&was, is)| place[was as usize] = is);
        self.brokers = order.iter().map(|&was| self.brokers[was as usize].clone()).collect();
        self.present_load = order.iter().map(|&was| self.present_load[was as usize]).collect();
        self.present_counts = order.iter().map(|&was| self.present_counts[was as usize]).collect();
        self.places = order.iter().map(|&was| self.places[was as usize]).collect();
        self.ids = Ids::new(self.brokers.iter().map(|broker| broker.id));
        self.slots.iter_mut().for_each(|broker| *broker = place[*broker as usize]);
        for facts in self.partitions.iter_mut().filter(|facts| facts.leader != NOBODY) {
            facts.leader = place[facts.leader as usize];
        }
        let mut racks: BTreeMap<u32, u32> = BTreeMap::new();
        for facts in &mut self.brokers {
            let next = racks.len() as u32;
            facts.rack = *racks.entry(facts.rack).or_insert(next);
        }
        set_ties(&mut self.brokers, seed);
        let open = |group: usize| {
            let is_open = |&at: &usize| self.brokers[at].standing == Standing::Open && self.brokers[at].group as usize == group;
            (0..self.brokers.len()).filter(is_open).map(|at| at as u32).collect()
        };
        self.members = (0..self.group_names.len()).map(open).collect();
    }

    /// The same cluster once `placement` is carried out: what a second planning would see.
    pub fn rebased(&self, placement: &Placement) -> Model<'a> {
        let mut rebased = self.clone();
        for partition in placement.changed(self) {
            let range = self.partitions[partition].slots();
            let target = placement.target(self, partition);
            // A copy is complete only when every replica of the list is in sync.
            let copies = target.iter().any(|broker| !self.list(partition).contains(broker));
            for (slot, &broker) in range.zip(&target) {
                rebased.slots[slot] = broker;
                rebased.in_sync[slot] = copies || self.can_lead(partition, broker);
            }
            rebased.partitions[partition].leader = placement.leader[partition];
        }
        rebased.take_stock();
        rebased
    }

    /// Marks the topics that balancing passes over: idle ones, and those that are spread evenly, where the limits say so.
    fn leave_alone(&mut self) {
        let (ignore_idle, keep_spread) = (self.limits.ignore_idle_topics, self.limits.keep_spread_topics);
        let mut start = 0;
        while (ignore_idle || keep_spread) && start < self.partitions.len() {
            let topic = self.partitions[start].topic;
            let end = start + self.partitions[start..].iter().take_while(|facts| facts.topic == topic).count();
            let idle = self.partitions[start..end].iter().all(|facts| facts.produce == 0 && facts.out == 0);
            if (ignore_idle && idle) || (keep_spread && self.is_spread(start..end)) {
                self.partitions[start..end].iter_mut().for_each(|facts| facts.still = true);
            }
            start = end;
        }
    }

    /// Whether replicas and leaders of these partitions differ by one at most between the open brokers of their group.
    fn is_spread(&self, partitions: std::ops::Range<usize>) -> bool {
        let mut counts: BTreeMap<u32, [u32; 2]> =
            self.open_brokers(self.group_of(partitions.start)).map(|b| (b, [0; 2])).collect();
        for facts in &self.partitions[partitions] {
            for &broker in &self.slots[facts.slots()] {
                let Some([replicas, leaders]) = counts.get_mut(&broker) else { return false };
                (*replicas, *leaders) = (*replicas + 1, *leaders + u32::from(facts.leader == broker));
            }
        }
        let even = |at: usize| {
            let of = || counts.values().map(|counts| counts[at]);
            of().max().unwrap_or(0) - of().min().unwrap_or(0) <= 1
        };
        even(0) && even(1)
    }

    /// Sums up what each broker holds.
    fn take_stock(&mut self) {
        let brokers = self.brokers.len();
        (self.present_load, self.present_counts) = (vec![[0; 4]; brokers], vec![[0; 2]; brokers]);
        let mut listed = vec![0u32; brokers];
        for facts in &self.partitions {
            for &broker in &self.slots[facts.slots()] {
                let (at, leads) = (broker as usize, facts.leader == broker);
                listed[at] += 1;
                if self.brokers[at].standing != Standing::Dead {
                    add(&mut self.present_load[at], &facts.role(leads));
                    let [replicas, leaders] = &mut self.present_counts[at];
                    (*replicas, *leaders) = (*replicas + 1, *leaders + u32::from(leads));
                }
            }
        }
        self.places = listed.into_iter().map(|count| count.max(self.limits.replicas_per_broker_max)).collect();
    }

    pub fn list(&self, partition: usize) -> &[u32] {
        &self.slots[self.partitions[partition].slots()]
    }

    pub fn group_of(&self, partition: usize) -> u32 {
        self.topics[self.partitions[partition].topic as usize].group
    }

    pub fn broker(&self, broker: u32) -> &BrokerFacts {
        &self.brokers[broker as usize]
    }

    pub fn is_dead(&self, broker: u32) -> bool {
        self.broker(broker).standing == Standing::Dead
    }

    /// Free to get replicas and leadership.
    pub fn is_welcome(&self, broker: u32) -> bool {
        let facts = self.broker(broker);
        facts.standing == Standing::Open && !facts.closed && !facts.refuses
    }

    /// Whether `broker`, a member of the partition's list, can lead it once the list holds: in sync now, or newly copied.
    pub fn can_lead(&self, partition: usize, broker: u32) -> bool {
        let slots = self.partitions[partition].slots();
        match self.list(partition).iter().position(|&member| member == broker) {
            Some(at) => self.in_sync[slots.start + at],
            None => !self.is_dead(broker),
        }
    }

    /// Open brokers of a group.
    pub fn open_brokers(&self, group: u32) -> impl Iterator<Item = u32> + '_ {
        self.members.get(group as usize).into_iter().flatten().copied()
    }

    pub fn is_capped(&self) -> bool {
        self.limits.bytes_max.is_some() || self.limits.moves_max.is_some() || self.limits.leader_moves_max.is_some()
    }

    /// "t:0", for sentences.
    pub fn name(&self, partition: usize) -> String {
        let facts = &self.partitions[partition];
        format!("{}:{}", self.topics[facts.topic as usize].name, facts.index)
    }
}

fn group_index(names: &[String], name: &str) -> u32 {
    names.iter().position(|known| known == name).map_or(u32::MAX, |index| index as u32)
}

fn open_racks(brokers: &[BrokerFacts], groups: usize) -> Vec<u32> {
    let mut racks = vec![BTreeSet::new(); groups];
    for broker in brokers.iter().filter(|broker| broker.standing == Standing::Open) {
        racks[broker.group as usize].insert(broker.rack);
    }
    racks.into_iter().map(|set| set.len() as u32).collect()
}
