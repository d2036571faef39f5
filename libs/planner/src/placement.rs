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

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Placement {
    /// Laid out as the model's slots.
    slots: Vec<u32>,
    pub leader: Vec<u32>,
    pub load: Vec<Loads>,
    /// Replicas per broker.
    pub count: Vec<u32>,
    /// Leaders per broker.
    pub leaders: Vec<u32>,
    /// Slots per live broker; empty until somebody asks for it: see [`Placement::host`].
    hosted: Vec<Vec<u32>>,
    /// Where each slot is in its broker's `hosted`.
    position: Vec<u32>,
    pub tally: Tally,
}

impl Placement {
    /// The lists as they are.
    pub fn present(model: &Model<'_>) -> Self {
        Placement {
            slots: model.slots.clone(),
            leader: model.partitions.iter().map(|partition| partition.leader).collect(),
            load: model.present_load.clone(),
            count: model.present_counts.iter().map(|counts| counts[0]).collect(),
            leaders: model.present_counts.iter().map(|counts| counts[1]).collect(),
            hosted: Vec::new(),
            position: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// From here on it is known which slots a broker holds.
    pub fn host(&mut self, model: &Model<'_>) {
        if !self.hosted.is_empty() {
            return;
        }
        self.hosted = self.count.iter().map(|&count| Vec::with_capacity(count as usize)).collect();
        self.position = vec![0; self.slots.len()];
        for (slot, &broker) in self.slots.iter().enumerate() {
            if !model.is_dead(broker) {
                let hosted = &mut self.hosted[broker as usize];
                self.position[slot] = hosted.len() as u32;
                hosted.push(slot as u32);
            }
        }
    }

    pub fn list(&self, model: &Model<'_>, partition: usize) -> &[u32] {
        &self.slots[model.partitions[partition].slots()]
    }

    /// The broker that holds a slot.
    pub fn holder(&self, slot: u32) -> u32 {
        self.slots[slot as usize]
    }

    /// Slots on a live broker, in no particular order.
    pub fn hosted(&self, broker: u32) -> &[u32] {
        &self.hosted[broker as usize]
    }

    /// Gives `partition` another list or leader.
    pub fn put(&mut self, model: &Model<'_>, partition: usize, list: &[u32], leader: u32) {
        self.tally = self.tally_with(model, partition, list, leader);
        let range = model.partitions[partition].slots();
        for slot in range.clone() {
            self.count_out(model, partition, slot);
        }
        self.slots[range.clone()].copy_from_slice(list);
        self.leader[partition] = leader;
        for slot in range {
            self.count_in(model, partition, slot);
        }
    }

    /// Moves one replica, leadership with it.
    pub fn relocate(&mut self, model: &Model<'_>, slot: u32, to: u32) {
        let partition = model.owner[slot as usize] as usize;
        let before = self.cost(model, partition);
        let from = self.slots[slot as usize];
        self.count_out(model, partition, slot as usize);
        self.slots[slot as usize] = to;
        if self.leader[partition] == from {
            self.leader[partition] = to;
        }
        self.count_in(model, partition, slot as usize);
        self.tally = self.tally.minus(before).plus(self.cost(model, partition));
    }

    /// Gives leadership to another member of the list.
    pub fn lead(&mut self, model: &Model<'_>, partition: usize, leader: u32) {
        let before = self.cost(model, partition);
        let facts = &model.partitions[partition];
        let was = self.leader[partition];
        if was != NOBODY {
            let load = &mut self.load[was as usize];
            subtract(load, &facts.leads());
            add(load, &facts.follows());
            self.leaders[was as usize] -= 1;
        }
        let load = &mut self.load[leader as usize];
        subtract(load, &facts.follows());
        add(load, &facts.leads());
        self.leaders[leader as usize] += 1;
        self.leader[partition] = leader;
        self.tally = self.tally.minus(before).plus(self.cost(model, partition));
    }

    /// The tally if `partition` had `list` and `leader`.
    pub fn tally_with(&self, model: &Model<'_>, partition: usize, list: &[u32], leader: u32) -> Tally {
        self.tally.minus(self.cost(model, partition)).plus(cost(model, partition, list, leader))
    }

    fn cost(&self, model: &Model<'_>, partition: usize) -> Tally {
        cost(model, partition, self.list(model, partition), self.leader[partition])
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

    fn count_in(&mut self, model: &Model<'_>, partition: usize, slot: usize) {
        let broker = self.slots[slot];
        if model.is_dead(broker) {
            return;
        }
        let (at, leads) = (broker as usize, self.leader[partition] == broker);
        add(&mut self.load[at], &model.partitions[partition].role(leads));
        self.count[at] += 1;
        self.leaders[at] += u32::from(leads);
        if !self.hosted.is_empty() {
            self.position[slot] = self.hosted[at].len() as u32;
            self.hosted[at].push(slot as u32);
        }
    }

    fn count_out(&mut self, model: &Model<'_>, partition: usize, slot: usize) {
        let broker = self.slots[slot];
        if model.is_dead(broker) {
            return;
        }
        let (at, leads) = (broker as usize, self.leader[partition] == broker);
        subtract(&mut self.load[at], &model.partitions[partition].role(leads));
        self.count[at] -= 1;
        self.leaders[at] -= u32::from(leads);
        if self.hosted.is_empty() {
            return;
        }
        let position = self.position[slot] as usize;
        self.hosted[at].swap_remove(position);
        if let Some(&moved) = self.hosted[at].get(position) {
            self.position[moved as usize] = position as u32;
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
