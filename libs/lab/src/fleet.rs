//! The brokers of a cluster: classes, racks, groups, fates. Must not know topics.

use ballast_cluster::{Broker, BrokerId, BrokerState, Capacity};

use crate::dice::Dice;
use crate::shape::Shape;

/// Capacity of half a usual broker: 24 cores, 6 TB, 5 Gbit/s. Outgoing traffic depends on the fan-out, so its capacity does too.
pub(crate) const UNIT: Capacity = Capacity {
    cpu_millicores: 24_000,
    disk_bytes: 6_000_000_000_000,
    network_in_bytes_per_second: 625_000_000,
    network_out_bytes_per_second: 0,
};

/// One broker before it holds anything.
pub(crate) struct Member {
    /// Place in the list of all.
    pub at: usize,
    pub id: BrokerId,
    /// 1 small, 2 usual, 4 large.
    pub units: u64,
    pub rack: Option<usize>,
    pub group: usize,
    /// What it will be once the cluster is placed.
    pub fate: BrokerState,
    /// How readily it was chosen at placement, and as a leader.
    pub weight: u64,
    pub leader_weight: u64,
    groups: u32,
}

impl Member {
    /// A new broker was not there when the others were filled.
    pub fn is_old(&self) -> bool {
        self.fate != BrokerState::New
    }

    pub fn group_name(&self) -> String {
        group_name(self.groups, self.group)
    }

    pub fn broker(&self, out_per_unit: u64) -> Broker {
        let capacity = Capacity {
            cpu_millicores: UNIT.cpu_millicores * self.units,
            disk_bytes: UNIT.disk_bytes * self.units,
            network_in_bytes_per_second: UNIT.network_in_bytes_per_second * self.units,
            network_out_bytes_per_second: out_per_unit * self.units,
        };
        Broker {
            id: self.id,
            rack: self.rack.map(|rack| format!("r{rack:02}")),
            host: Some(format!("broker-{}", self.id)),
            group: self.group_name(),
            state: BrokerState::Alive,
            capacity,
            log_dirs: Vec::new(),
        }
    }
}

pub(crate) fn group_name(groups: u32, group: usize) -> String {
    if groups == 1 { "default".to_owned() } else { format!("g{group}") }
}

/// Groups are blocks of ids; within one, racks follow each other, and every rack gets the same mix of classes: where a
/// partition has a replica in each rack, no move could make up for a rack that is smaller than the others.
pub(crate) fn members(shape: &Shape, dice: &mut Dice) -> Vec<Member> {
    let (brokers, groups) = (shape.brokers as usize, shape.groups as usize);
    let mut members = Vec::with_capacity(brokers);
    for group in 0..groups {
        let size = (group + 1) * brokers / groups - group * brokers / groups;
        let new = shape.new as usize / groups + usize::from(group < shape.new as usize % groups);
        for within in 0..size {
            let racks = shape.racks as usize;
            let (rack, row) = if racks == 0 { (None, within) } else { (Some(within % racks), within / racks) };
            let at = members.len();
            let units = units(shape, row as u64);
            let fate = if within >= size - new { BrokerState::New } else { BrokerState::Alive };
            let weight = |skew: u32, dice: &mut Dice| (dice.lognormal(f64::from(skew) / 100.0) * 1e6) as u64;
            members.push(Member {
                at,
                id: BrokerId(at as i32 + 1),
                units,
                rack,
                group,
                fate,
                weight: weight(shape.placement_skew, dice).max(1) * units,
                leader_weight: weight(shape.leader_skew, dice).max(1),
                groups: shape.groups,
            });
        }
    }
    if shape.crowd > 0 {
        // What broker 1 shall hold is chosen afterwards, and needs room.
        (members[0].weight, members[0].units) = (1, 4);
    }
    // Who is dead or draining is drawn among those that hold something; broker 1 may have been crowded on purpose.
    let mut old: Vec<usize> = members.iter().filter(|member| member.is_old() && member.at > 0).map(|member| member.at).collect();
    dice.shuffle(&mut old);
    old.push(0);
    for (nth, &at) in old.iter().enumerate().take((shape.dead + shape.draining) as usize) {
        members[at].fate = if nth < shape.dead as usize { BrokerState::Dead } else { BrokerState::Draining };
    }
    members
}

/// Every row of a hundred has its share of each class, evenly mixed.
fn units(shape: &Shape, row: u64) -> u64 {
    let place = (row * 61 + 50) % 100;
    match place {
        place if place < u64::from(shape.small_percent) => 1,
        place if place >= 100 - u64::from(shape.large_percent) => 4,
        _ => 2,
    }
}
