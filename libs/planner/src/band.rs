//! The band of each broker and resource in exact integers, and how far outside it a load is. Must not know replicas.

use std::collections::BTreeMap;

use crate::FailureRoom;
use crate::model::{Loads, Model, Standing};

/// Load and capacity summed over the open brokers of a group, per resource, brokers without capacity left out.
#[derive(Clone, Copy, Default)]
pub(crate) struct GroupSum {
    pub load: u128,
    pub capacity: u128,
}

pub(crate) fn group_sums(model: &Model<'_>, load: &[Loads]) -> Vec<[GroupSum; 4]> {
    let mut sums = vec![[GroupSum::default(); 4]; model.group_names.len()];
    for (broker, facts) in model.brokers.iter().enumerate().filter(|(_, facts)| facts.standing == Standing::Open) {
        for (r, sum) in sums[facts.group as usize].iter_mut().enumerate() {
            if facts.capacity[r] > 0 && model.measured[r] {
                sum.load += u128::from(load[broker][r]);
                sum.capacity += u128::from(facts.capacity[r]);
            }
        }
    }
    sums
}

/// Lowest and highest load inside the band, per broker and resource. Where no band applies: 0 and the largest number.
pub(crate) struct Edges {
    pub low: Vec<Loads>,
    pub high: Vec<Loads>,
    /// 1 / (capacity x mean): turns a surplus into a share of the mean.
    pub scale: Vec<[f64; 4]>,
    /// Whether any broker has a band in that resource.
    pub active: [bool; 4],
}

impl Edges {
    /// Of these loads.
    pub fn of(model: &Model<'_>, load: &[Loads]) -> Self {
        let sums = group_sums(model, load);
        let brokers = model.brokers.len();
        let mut edges = Edges {
            low: vec![[0; 4]; brokers],
            high: vec![[u64::MAX; 4]; brokers],
            scale: vec![[0.0; 4]; brokers],
            active: [false; 4],
        };
        let width = u128::from(model.goal.band.parts_per_million);
        for (broker, facts) in model.brokers.iter().enumerate().filter(|(_, facts)| facts.standing == Standing::Open) {
            for (r, &sum) in sums[facts.group as usize].iter().enumerate() {
                if facts.capacity[r] == 0 || sum.load == 0 {
                    continue;
                }
                let capacity = u128::from(facts.capacity[r]);
                edges.active[r] = true;
                edges.low[broker][r] = share(sum, capacity, 1_000_000u128.saturating_sub(width), true);
                edges.high[broker][r] = share(sum, capacity, 1_000_000 + width, false);
                edges.scale[broker][r] = sum.capacity as f64 / sum.load as f64 / facts.capacity[r] as f64;
            }
        }
        edges
    }

    /// How many resources `broker` is outside the band on with this load.
    pub fn outside(&self, broker: u32, load: &Loads) -> u32 {
        let (low, high) = (&self.low[broker as usize], &self.high[broker as usize]);
        (0..4).filter(|&r| load[r] < low[r] || load[r] > high[r]).count() as u32
    }

    /// Load as a share of the mean; 0 where no band applies.
    pub fn over_mean(&self, broker: u32, r: usize, load: u64) -> f64 {
        load as f64 * self.scale[broker as usize][r]
    }
}

/// mean x capacity x millionths, rounded into the band: up for the low edge, down for the high one.
fn share(sum: GroupSum, capacity: u128, millionths: u128, up: bool) -> u64 {
    let (mut load, mut whole) = (sum.load, sum.capacity);
    loop {
        let product = load.checked_mul(millionths).and_then(|x| x.checked_mul(capacity));
        let divisor = whole.checked_mul(1_000_000);
        if let (Some(product), Some(divisor)) = (product, divisor) {
            let quotient = if up { product.div_ceil(divisor.max(1)) } else { product / divisor.max(1) };
            return u64::try_from(quotient).unwrap_or(u64::MAX);
        }
        // Figures beyond any cluster's: give up their last bits, not the program.
        (load, whole) = (load >> 8, (whole >> 8).max(1));
    }
}

/// The load up to which each broker leaves room for a failure in its group: the capacity limit less the share of it that the
/// largest broker, or rack, has in the whole. `None` where no room is asked for.
pub(crate) fn failure_room(model: &Model<'_>, room: FailureRoom) -> Option<Vec<Loads>> {
    if room == FailureRoom::None {
        return None;
    }
    let mut limits: Vec<Loads> = model.brokers.iter().map(|broker| broker.limit).collect();
    for group in 0..model.group_names.len() as u32 {
        let members: Vec<u32> = model.open_brokers(group).collect();
        for r in 0..4 {
            let whole: u128 = members.iter().map(|&broker| u128::from(model.broker(broker).capacity[r])).sum();
            let mut failing: BTreeMap<u32, u128> = BTreeMap::new();
            for &broker in &members {
                let unit = if room == FailureRoom::Rack { model.broker(broker).rack } else { broker };
                *failing.entry(unit).or_default() += u128::from(model.broker(broker).capacity[r]);
            }
            let largest = failing.into_values().max().unwrap_or(0);
            for &broker in members.iter().filter(|_| whole > 0) {
                let limit = &mut limits[broker as usize][r];
                *limit = (u128::from(*limit) / whole * (whole - largest) + u128::from(*limit) % whole * (whole - largest) / whole)
                    as u64;
            }
        }
    }
    Some(limits)
}
