//! Where replicas lie and who leads: skewed by the brokers' weights, within the hard rules. Must not know how loads came about.

use ballast_cluster::{BrokerId, Capacity, Partition, Snapshot};

use crate::dice::Dice;
use crate::fleet::{Member, group_name};
use crate::shape::Shape;

/// A fleet never let a broker come above these shares, in percent: a little below the hard limits.
const DISK_PERCENT: u64 = 76;
const NETWORK_PERCENT: u64 = 76;
const CPU_PERCENT: u64 = 66;
const REPLICAS_MAX: u64 = 10_000;
/// Draws before the emptiest broker is taken instead.
const DRAWS: u32 = 8;
/// Every so many partitions one is not led by the first of its list.
const NOT_PREFERRED: u64 = 33;

/// Brokers of one group and rack, drawn by weight.
struct Rack {
    members: Vec<usize>,
    /// Sums of the weights up to each.
    sums: Vec<u64>,
}

impl Rack {
    fn of(members: &[Member], wanted: impl Fn(&Member) -> bool) -> Rack {
        let mut rack = Rack { members: Vec::new(), sums: Vec::new() };
        for member in members.iter().filter(|member| member.is_old() && wanted(member)) {
            rack.members.push(member.at);
            rack.sums.push(rack.sums.last().unwrap_or(&0) + member.weight);
        }
        rack
    }

    fn draw(&self, dice: &mut Dice) -> usize {
        let aim = dice.below(*self.sums.last().unwrap_or(&0));
        self.members[self.sums.partition_point(|&sum| sum <= aim)]
    }
}

/// What a broker carries: disk, network in, network out, cpu.
#[derive(Clone, Copy, Default)]
struct Carried {
    load: [u64; 4],
    replicas: u64,
}

struct Placer<'a> {
    members: &'a [Member],
    limits: Vec<[u64; 4]>,
    replicas_max: u64,
    carried: Vec<Carried>,
}

/// Fills the lists of every partition of the snapshot, whose brokers are still all alive. `replication` is per topic.
pub(crate) fn place(shape: &Shape, members: &[Member], replication: &[u32], snapshot: &mut Snapshot, dice: &mut Dice) {
    let old: u64 = members.iter().filter(|member| member.is_old()).count() as u64;
    let mut placer = Placer {
        members,
        limits: snapshot.brokers.iter().map(|broker| limits(&broker.capacity)).collect(),
        // Where the mean is near the cap already, the cap is not what shaped the fleet.
        replicas_max: if u64::from(shape.replicas) <= old * REPLICAS_MAX * 4 / 5 { REPLICAS_MAX } else { u64::MAX },
        carried: vec![Carried::default(); members.len()],
    };
    for group in 0..shape.groups as usize {
        let name = group_name(shape.groups, group);
        let whole = Rack::of(members, |member| member.group == group);
        let in_rack = |rack: usize| Rack::of(members, |member| member.group == group && member.rack == Some(rack));
        let racks: Vec<Rack> = (0..shape.racks as usize).map(in_rack).filter(|rack| !rack.members.is_empty()).collect();
        let mut order: Vec<usize> = (0..racks.len()).collect();
        for (topic, &replicas) in snapshot.topics.iter_mut().zip(replication).filter(|(topic, _)| topic.group == name) {
            for partition in &mut topic.partitions {
                let careless = racks.is_empty() || dice.below(1000) < u64::from(shape.careless_per_mille);
                dice.shuffle(&mut order);
                // Rack after rack in turn, so that none holds more than its share; a group has enough brokers for all.
                for turn in 0.. {
                    if partition.replicas.len() == replicas as usize {
                        break;
                    }
                    let rack = if careless { &whole } else { &racks[order[turn % order.len()]] };
                    placer.add(partition, replicas, rack, dice);
                }
                placer.lead(partition, dice);
            }
        }
    }
    if shape.crowd > 0 {
        placer.crowd(snapshot, shape.crowd);
    }
}

fn limits(capacity: &Capacity) -> [u64; 4] {
    [
        capacity.disk_bytes / 100 * DISK_PERCENT,
        capacity.network_in_bytes_per_second / 100 * NETWORK_PERCENT,
        capacity.network_out_bytes_per_second / 100 * NETWORK_PERCENT,
        capacity.cpu_millicores / 100 * CPU_PERCENT,
    ]
}

/// What a follower carries.
fn following(partition: &Partition) -> [u64; 4] {
    let load = &partition.load;
    [load.size_bytes, load.produce_bytes_per_second, 0, load.follower_cpu_millicores.unwrap_or(0)]
}

/// What leading so many replicas adds.
fn leading(partition: &Partition, replicas: usize) -> [u64; 4] {
    let load = &partition.load;
    let out = load.consume_bytes_per_second.unwrap_or(0) + load.produce_bytes_per_second * (replicas as u64 - 1);
    let follower = load.follower_cpu_millicores.unwrap_or(0);
    [0, 0, out, load.leader_cpu_millicores.unwrap_or(0).saturating_sub(follower)]
}

fn index(id: BrokerId) -> usize {
    id.0 as usize - 1
}

impl Placer<'_> {
    fn has_room(&self, at: usize, load: &[u64; 4]) -> bool {
        (0..4).all(|r| self.carried[at].load[r] + load[r] <= self.limits[at][r])
    }

    /// The largest share of its limits that the load would take of a broker, in thousand-millionths.
    fn share(&self, at: usize, load: &[u64; 4]) -> u64 {
        let share = |r: usize| u128::from(load[r]) * 1_000_000_000 / u128::from(self.limits[at][r].max(1));
        (0..4).map(|r| share(r) as u64).max().unwrap_or(0)
    }

    /// How full in the resource that would be fullest.
    fn fullest(&self, at: usize, more: &[u64; 4]) -> u64 {
        let mut load = self.carried[at].load;
        load.iter_mut().zip(more).for_each(|(load, more)| *load += more);
        self.share(at, &load)
    }

    fn carry(&mut self, at: usize, load: &[u64; 4]) {
        for (carried, more) in self.carried[at].load.iter_mut().zip(load) {
            *carried += more;
        }
    }

    /// One more replica on a broker of the rack, if it has one that holds none yet. The first finds room to lead as well.
    fn add(&mut self, partition: &mut Partition, replicas: u32, rack: &Rack, dice: &mut Dice) {
        let load = following(partition);
        let mut room = load;
        if partition.replicas.is_empty() {
            room.iter_mut().zip(leading(partition, replicas as usize)).for_each(|(room, more)| *room += more);
        }
        let holds = |at: usize| partition.replicas.iter().any(|&id| index(id) == at);
        let drawn = (0..DRAWS)
            .map(|_| rack.draw(dice))
            .find(|&at| !holds(at) && self.carried[at].replicas < self.replicas_max && self.has_room(at, &load));
        let emptiest = || rack.members.iter().copied().filter(|&at| !holds(at)).min_by_key(|&at| self.fullest(at, &room));
        let Some(at) = drawn.or_else(emptiest) else { return };
        self.carry(at, &load);
        self.carried[at].replicas += 1;
        partition.replicas.push(self.members[at].id);
    }

    /// Chooses the leader, puts it first but now and then, and has everybody in sync.
    fn lead(&mut self, partition: &mut Partition, dice: &mut Dice) {
        let load = leading(partition, partition.replicas.len());
        let leader_weight = |n: usize| self.members[index(partition.replicas[n])].leader_weight;
        let mut able: Vec<usize> = (0..partition.replicas.len()).collect();
        able.retain(|&n| self.has_room(index(partition.replicas[n]), &load));
        let mut aim = dice.below(able.iter().map(|&n| leader_weight(n)).sum::<u64>().max(1));
        let drawn = able.into_iter().find(|&n| {
            let weight = leader_weight(n);
            let hit = aim < weight;
            aim = aim.saturating_sub(weight);
            hit
        });
        let least_full = || {
            let full = |n: &usize| self.fullest(index(partition.replicas[*n]), &load);
            (0..partition.replicas.len()).min_by_key(full)
        };
        let chosen = drawn.or_else(least_full).unwrap_or(0);
        partition.leader = Some(partition.replicas[chosen]);
        self.carry(index(partition.replicas[chosen]), &load);
        if dice.below(NOT_PREFERRED) > 0 {
            partition.replicas.swap(0, chosen);
        }
        partition.in_sync.clone_from(&partition.replicas);
    }

    /// Broker 1 takes the place of its rack's broker in the partitions that weigh least, as long as it stays within its limits.
    fn crowd(&mut self, snapshot: &mut Snapshot, wanted: u32) {
        let first = &self.members[0];
        let group = first.group_name();
        let same_rack = |id: &BrokerId| first.rack.is_none() || self.members[index(*id)].rack == first.rack;
        let mut lightest: Vec<(u64, usize, usize, usize, [u64; 4])> = Vec::new();
        for (at, topic) in snapshot.topics.iter().enumerate().filter(|(_, topic)| topic.group == group) {
            for (n, partition) in topic.partitions.iter().enumerate().filter(|(_, p)| !p.replicas.contains(&first.id)) {
                let Some(place) = partition.replicas.iter().rposition(same_rack) else { continue };
                let mut load = following(partition);
                if partition.leader == Some(partition.replicas[place]) {
                    load.iter_mut().zip(leading(partition, partition.replicas.len())).for_each(|(load, more)| *load += more);
                }
                lightest.push((self.share(0, &load), at, n, place, load));
            }
        }
        lightest.sort_unstable();
        for (_, topic, n, place, load) in lightest {
            let room = (0..4).all(|r| self.carried[0].load[r] + load[r] <= self.limits[0][r]);
            if !room || self.carried[0].replicas >= u64::from(wanted) {
                break;
            }
            self.carry(0, &load);
            self.carried[0].replicas += 1;
            let partition = &mut snapshot.topics[topic].partitions[n];
            let left = std::mem::replace(&mut partition.replicas[place], first.id);
            partition.leader = partition.leader.map(|leader| if leader == left { first.id } else { leader });
            partition.in_sync.clone_from(&partition.replicas);
        }
    }
}
