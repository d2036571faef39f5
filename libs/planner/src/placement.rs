//! Who holds and leads what: a model's lists with changes applied, and the sums that follow from them, kept exact by integers.
//! Must not know rules, goals or why anything changes.

use crate::model::{Loads, Model, NOBODY};

/// What a plan costs so far, compared with the present lists.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Tally {
    pub bytes: u64,
    pub replica_moves: u64,
    pub leader_moves: u64,
    pub entries: u64,
}

impl Tally {
    pub fn plus(self, other: Tally) -> Tally {
        Tally {
            bytes: self.bytes.saturating_add(other.bytes),
            replica_moves: self.replica_moves + other.replica_moves,
            leader_moves: self.leader_moves + other.leader_moves,
            entries: self.entries + other.entries,
        }
    }

    pub fn minus(self, other: Tally) -> Tally {
        Tally {
            bytes: self.bytes.saturating_sub(other.bytes),
            replica_moves: self.replica_moves - other.replica_moves,
            leader_moves: self.leader_moves - other.leader_moves,
            entries: self.entries - other.entries,
        }
    }
}

#[derive(Clone)]
pub(crate) struct Placement {
    /// Laid out as the model's slots.
    slots: Vec<u32>,
    pub leader: Vec<u32>,
    pub load: Vec<Loads>,
    /// Replicas per broker.
    pub count: Vec<u32>,
    /// Leaders per broker.
    pub leaders: Vec<u32>,
    /// Partitions per broker.
    hosted: Vec<Vec<u32>>,
    pub tally: Tally,
}

impl Placement {
    /// The lists as they are.
    pub fn present(model: &Model<'_>) -> Self {
        let brokers = model.brokers.len();
        let mut placement = Placement {
            slots: model.slots.clone(),
            leader: model.partitions.iter().map(|partition| partition.leader).collect(),
            load: vec![[0; 4]; brokers],
            count: vec![0; brokers],
            leaders: vec![0; brokers],
            hosted: vec![Vec::new(); brokers],
            tally: Tally::default(),
        };
        for partition in 0..model.partitions.len() {
            placement.count_in(model, partition);
        }
        placement
    }

    pub fn list(&self, model: &Model<'_>, partition: usize) -> &[u32] {
        &self.slots[model.partitions[partition].slots()]
    }

    pub fn hosted(&self, broker: u32) -> &[u32] {
        &self.hosted[broker as usize]
    }

    /// Gives `partition` another list or leader.
    pub fn put(&mut self, model: &Model<'_>, partition: usize, list: &[u32], leader: u32) {
        self.tally = self.tally_with(model, partition, list, leader);
        self.count_out(model, partition);
        self.slots[model.partitions[partition].slots()].copy_from_slice(list);
        self.leader[partition] = leader;
        self.count_in(model, partition);
    }

    /// The tally if `partition` had `list` and `leader`.
    pub fn tally_with(&self, model: &Model<'_>, partition: usize, list: &[u32], leader: u32) -> Tally {
        let now = cost(model, partition, self.list(model, partition), self.leader[partition]);
        self.tally.minus(now).plus(cost(model, partition, list, leader))
    }

    pub fn is_changed(&self, model: &Model<'_>, partition: usize) -> bool {
        self.leader[partition] != model.partitions[partition].leader || self.list(model, partition) != model.list(partition)
    }

    pub fn changed(&self, model: &Model<'_>) -> Vec<usize> {
        (0..model.partitions.len()).filter(|&partition| self.is_changed(model, partition)).collect()
    }

    /// The list to ask Kafka for: the leader first, the others in the order of their slots.
    pub fn target(&self, model: &Model<'_>, partition: usize) -> Vec<u32> {
        let leader = self.leader[partition];
        let list = self.list(model, partition);
        let mut target = Vec::with_capacity(list.len());
        target.extend(list.iter().filter(|&&broker| broker == leader));
        target.extend(list.iter().filter(|&&broker| broker != leader));
        target
    }

    fn count_in(&mut self, model: &Model<'_>, partition: usize) {
        let facts = &model.partitions[partition];
        for slot in facts.slots() {
            let broker = self.slots[slot] as usize;
            if model.is_dead(broker as u32) {
                continue;
            }
            let leads = self.leader[partition] == broker as u32;
            add(&mut self.load[broker], facts.role(leads));
            self.count[broker] += 1;
            self.leaders[broker] += u32::from(leads);
            self.hosted[broker].push(partition as u32);
        }
    }

    fn count_out(&mut self, model: &Model<'_>, partition: usize) {
        let facts = &model.partitions[partition];
        for slot in facts.slots() {
            let broker = self.slots[slot] as usize;
            if model.is_dead(broker as u32) {
                continue;
            }
            let leads = self.leader[partition] == broker as u32;
            subtract(&mut self.load[broker], facts.role(leads));
            self.count[broker] -= 1;
            self.leaders[broker] -= u32::from(leads);
            let hosted = &mut self.hosted[broker];
            if let Some(at) = hosted.iter().position(|&held| held == partition as u32) {
                hosted.swap_remove(at);
            }
        }
    }
}

pub(crate) fn add(load: &mut Loads, more: &Loads) {
    for (sum, part) in load.iter_mut().zip(more) {
        *sum += part;
    }
}

pub(crate) fn subtract(load: &mut Loads, less: &Loads) {
    for (sum, part) in load.iter_mut().zip(less) {
        *sum -= part;
    }
}

fn cost(model: &Model<'_>, partition: usize, list: &[u32], leader: u32) -> Tally {
    let facts = &model.partitions[partition];
    let present = model.list(partition);
    if list == present && leader == facts.leader {
        return Tally::default();
    }
    let replica_moves = list.iter().filter(|broker| !present.contains(broker)).count() as u64;
    Tally {
        bytes: facts.bytes().saturating_mul(replica_moves),
        replica_moves,
        leader_moves: u64::from(leader != facts.leader && leader != NOBODY),
        entries: 1,
    }
}
