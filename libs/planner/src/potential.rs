//! How well a broker takes one more replica or leader: the rise of a convex sum, so that filling the emptiest is cheapest.
//! Must not know rules.

use crate::band::group_sums;
use crate::model::{Loads, Model, Standing};
use crate::placement::Placement;

/// Counts weigh little beside loads: they decide where loads do not.
const COUNT_WEIGHT: f64 = 0.02;

pub(crate) struct Potential {
    /// Per broker and resource: group capacity / (capacity x group load squared).
    weight: Vec<[f64; 4]>,
    /// Per broker: weight of replica and leader counts.
    count: Vec<[f64; 2]>,
}

impl Potential {
    pub fn new(model: &Model<'_>, placement: &Placement) -> Self {
        let sums = group_sums(model, &placement.load);
        let mut members = vec![[0.0f64; 3]; model.group_names.len()];
        for (broker, facts) in model.brokers.iter().enumerate().filter(|(_, facts)| facts.standing == Standing::Open) {
            let group = &mut members[facts.group as usize];
            group[0] += 1.0;
            group[1] += f64::from(placement.count[broker]);
            group[2] += f64::from(placement.leaders[broker]);
        }
        let mut potential = Potential { weight: Vec::new(), count: Vec::new() };
        for facts in &model.brokers {
            let mut weight = [0.0; 4];
            let mut count = [0.0; 2];
            if let Some(sums) = sums.get(facts.group as usize) {
                for r in 0..4 {
                    if facts.capacity[r] > 0 && sums[r].load > 0 {
                        let load = sums[r].load as f64;
                        weight[r] = sums[r].capacity as f64 / facts.capacity[r] as f64 / load / load;
                    }
                }
                let group = members[facts.group as usize];
                count = [1, 2].map(|at| COUNT_WEIGHT * group[0] / group[at].max(1.0) / group[at].max(1.0));
            }
            potential.weight.push(weight);
            potential.count.push(count);
        }
        potential
    }

    /// Rise when `broker` takes one more replica of this load.
    pub fn holding(&self, placement: &Placement, broker: u32, load: &Loads) -> f64 {
        self.held(broker, &placement.load[broker as usize], placement.count[broker as usize], load)
    }

    /// The same for a broker that holds `held` in `count` replicas.
    pub fn held(&self, broker: u32, held: &Loads, count: u32, load: &Loads) -> f64 {
        let at = broker as usize;
        let mut rise = self.count[at][0] * (2.0 * f64::from(count) + 1.0);
        for (r, &more) in load.iter().enumerate() {
            rise += self.weight[at][r] * more as f64 * (2.0 * held[r] as f64 + more as f64);
        }
        rise
    }

    /// Rise when `broker`, a member of the list, leads `partition` rather than follows.
    pub fn leading(&self, model: &Model<'_>, placement: &Placement, partition: usize, broker: u32) -> f64 {
        let at = broker as usize;
        let facts = &model.partitions[partition];
        let leads_now = placement.leader[partition] == broker;
        let held = if placement.list(model, partition).contains(&broker) { facts.role(leads_now) } else { [0; 4] };
        let others = f64::from(placement.leaders[at] - u32::from(leads_now));
        let mut rise = self.count[at][1] * (2.0 * others + 1.0);
        let (leads, follows) = (facts.leads(), facts.follows());
        for (r, held) in held.into_iter().enumerate() {
            let rest = (placement.load[at][r] - held) as f64;
            let (leading, following) = (rest + leads[r] as f64, rest + follows[r] as f64);
            rise += self.weight[at][r] * (leading * leading - following * following);
        }
        rise
    }
}
