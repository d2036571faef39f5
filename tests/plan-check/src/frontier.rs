//! Whether the alternatives are a frontier: ranked, each with its own label, none made pointless by another. Must not know how
//! they were found.

use std::collections::BTreeSet;

use crate::balance::{outside, outside_brokers};
use crate::bounds::End;
use crate::cluster::Cluster;
use crate::plan::Plan;
use crate::{Findings, Rule};

pub(crate) fn check(cluster: &Cluster, plan: &Plan, ends: &[End], findings: &mut Findings) {
    let labels: BTreeSet<&str> = plan.alternatives.iter().map(|alternative| alternative.label.as_str()).collect();
    findings.unless(labels.len() == plan.alternatives.len(), Rule::Frontier, || "a label is used twice".to_owned());
    let ranks = plan.alternatives.iter().map(|alternative| alternative.rank);
    findings.unless(ranks.eq(1..=plan.alternatives.len() as u64), Rule::Frontier, || "ranks are not 1, 2, ..".to_owned());
    let alone = plan.alternatives.len() == 1 || !plan.alternatives[0].moves.is_empty();
    findings.unless(alone, Rule::Frontier, || "nothing to do is one alternative".to_owned());
    // Brokers outside, counted once each or once per resource: neither reading may show a pointless plan.
    for per_resource in [false, true] {
        let of = |(alternative, end): (&crate::plan::Alternative, &End)| {
            let hard = alternative.unmet.iter().filter(|unmet| unmet.hard).count() as u64;
            let outside = match per_resource {
                false => outside_brokers(cluster, &end.after).len(),
                true => outside(cluster, &end.after).len(),
            };
            [alternative.cost.moved_bytes, alternative.cost.leader_moves, hard, outside as u64]
        };
        let measures: Vec<[u64; 4]> = plan.alternatives.iter().zip(ends).map(of).collect();
        for (at, one) in measures.iter().enumerate() {
            for (other_at, other) in measures.iter().enumerate().filter(|(other_at, _)| *other_at != at) {
                let dominated = (0..4).all(|d| other[d] <= one[d]) && (one != other || other_at < at);
                findings.unless(!dominated, Rule::Frontier, || {
                    let label = |at: usize| &plan.alternatives[at].label;
                    format!("{} {one:?} is no better in anything than {} {other:?}", label(at), label(other_at))
                });
            }
        }
    }
}
