//! Means, bands and extremes, each group against its own mean, edges inside, exactly. Must not know how a state came about.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use crate::cluster::{Cluster, RESOURCES};
use crate::exact::compare;
use crate::plan::{Alternative, Spread};
use crate::state::State;
use crate::{Findings, Rule};

/// What printing at least six decimals may lose.
const PRINTED: f64 = 1e-6;

/// Load and capacity of a group in a resource, over its open brokers that have some.
#[derive(Clone, Copy, Default)]
struct Sum {
    load: u128,
    capacity: u128,
}

/// The sums of each resource and group: what means are made of.
pub(crate) struct Means([Vec<Sum>; 4]);

impl Means {
    pub fn of(cluster: &Cluster, state: &State) -> Means {
        let sums = |r: usize| {
            let mut sums = vec![Sum::default(); cluster.groups];
            for (broker, facts) in cluster.brokers.iter().enumerate() {
                if cluster.is_open(broker) && facts.capacity[r] > 0 {
                    sums[facts.group].load += state.load[broker][r];
                    sums[facts.group].capacity += facts.capacity[r];
                }
            }
            sums
        };
        Means([0, 1, 2, 3].map(sums))
    }

    /// A broker's utilisation over the mean, and whether that is below, in or above the band; `None` where it has none.
    fn place(&self, cluster: &Cluster, broker: usize, r: usize, own: u128) -> Option<(f64, Ordering)> {
        let facts = &cluster.brokers[broker];
        let Sum { load, capacity } = self.0[r][facts.group];
        let own_capacity = facts.capacity[r];
        if !cluster.measured[r] || !cluster.is_open(broker) || own_capacity == 0 || load == 0 {
            return None;
        }
        // own / own_capacity against load / capacity x (1 -+ band), multiplied out.
        let band = u128::from(cluster.band_millionths);
        let edge = |millionths: u128| compare(own * 1_000_000, capacity, load, own_capacity * millionths);
        let side = match (edge(1_000_000 - band), edge(1_000_000 + band)) {
            (Ordering::Less, _) => Ordering::Less,
            (_, Ordering::Greater) => Ordering::Greater,
            _ => Ordering::Equal,
        };
        Some(((own as f64 / own_capacity as f64) / (load as f64 / capacity as f64), side))
    }

    /// How far outside the band a broker is, in shares of the mean. 0 inside.
    pub fn distance(&self, cluster: &Cluster, state: &State, broker: usize, r: usize) -> f64 {
        match self.place(cluster, broker, r, state.load[broker][r]) {
            Some((ratio, side)) if side != Ordering::Equal => (ratio - 1.0).abs() - cluster.band_millionths as f64 / 1e6,
            _ => 0.0,
        }
    }
}

/// Calls `each` with every broker that has a band in a resource: its number, utilisation over the mean, and where it is.
fn measure(cluster: &Cluster, state: &State, r: usize, mut each: impl FnMut(usize, f64, Ordering)) {
    let means = Means::of(cluster, state);
    for broker in 0..cluster.brokers.len() {
        if let Some((ratio, side)) = means.place(cluster, broker, r, state.load[broker][r]) {
            each(broker, ratio, side);
        }
    }
}

/// Every broker that is outside, with the resource and the side.
pub(crate) fn outside(cluster: &Cluster, state: &State) -> BTreeSet<(usize, usize)> {
    let mut found = BTreeSet::new();
    for r in 0..4 {
        measure(cluster, state, r, |broker, _, side| {
            if side != Ordering::Equal {
                found.insert((broker, r));
            }
        });
    }
    found
}

/// How far outside brokers are on each resource, summed.
pub(crate) fn distance(cluster: &Cluster, state: &State) -> [f64; 4] {
    let means = Means::of(cluster, state);
    [0, 1, 2, 3].map(|r| (0..cluster.brokers.len()).map(|broker| means.distance(cluster, state, broker, r)).sum())
}

pub(crate) fn outside_brokers(cluster: &Cluster, state: &State) -> BTreeSet<usize> {
    outside(cluster, state).into_iter().map(|(broker, _)| broker).collect()
}

fn spread(cluster: &Cluster, state: &State, r: usize) -> Spread {
    let mut found = Spread { max_over_mean: None, min_over_mean: None, outside: None };
    measure(cluster, state, r, |_, ratio, side| {
        found.max_over_mean = Some(found.max_over_mean.map_or(ratio, |most| most.max(ratio)));
        found.min_over_mean = Some(found.min_over_mean.map_or(ratio, |least| least.min(ratio)));
        found.outside = Some(found.outside.unwrap_or(0) + u64::from(side != Ordering::Equal));
    });
    found
}

pub(crate) fn check(cluster: &Cluster, before: &State, after: &State, alternative: &Alternative, findings: &mut Findings) {
    for (when, given, state) in [("before", &alternative.before, before), ("after", &alternative.after, after)] {
        for (r, given) in given.iter().enumerate() {
            let found = spread(cluster, state, r);
            let near = |given: Option<f64>, found: Option<f64>| match (given, found) {
                (Some(given), Some(found)) => (given - found).abs() <= PRINTED * found.max(1.0),
                (given, found) => given.is_none() && found.is_none(),
            };
            let same = near(given.max_over_mean, found.max_over_mean)
                && near(given.min_over_mean, found.min_over_mean)
                && given.outside == found.outside;
            findings.unless(same, Rule::Balance, || format!("{} {when} is {found:?}, not {given:?}", RESOURCES[r]));
        }
    }
}
