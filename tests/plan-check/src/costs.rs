//! What a plan costs, summed anew from its moves, and the caps that were asked for. Must not know what the moves are good for.

use crate::cluster::Cluster;
use crate::moves::Resolved;
use crate::plan::Alternative;
use crate::state::State;
use crate::{CheckOptions, Findings, Rule};

pub(crate) fn check(
    cluster: &Cluster,
    before: &State,
    moves: &[Resolved],
    alternative: &Alternative,
    options: &CheckOptions,
    findings: &mut Findings,
) {
    let mut received = vec![0_u128; cluster.brokers.len()];
    let (mut bytes, mut replicas, mut leaders) = (0_u128, 0_u64, 0_u64);
    for entry in moves {
        let size = u128::from(cluster.partitions[entry.partition].size);
        for &broker in &entry.added {
            received[broker] += size;
            bytes += size;
            replicas += 1;
        }
        leaders += u64::from(before.leaders[entry.partition] != Some(entry.to[0]));
    }
    let cost = &alternative.cost;
    let mut same = |name: &str, given: u64, found: u128| {
        findings.unless(u128::from(given) == found, Rule::Cost, || format!("{name} is {found}, not {given}"));
    };
    same("moved_bytes", cost.moved_bytes, bytes);
    same("replica_moves", cost.replica_moves, u128::from(replicas));
    same("leader_moves", cost.leader_moves, u128::from(leaders));
    same("peak_broker_in_bytes", cost.peak_broker_in_bytes, received.into_iter().max().unwrap_or(0));
    let mut within = |name: &str, found: u128, cap: Option<u64>| {
        let holds = cap.is_none_or(|cap| found <= u128::from(cap));
        findings.unless(holds, Rule::Cap, || format!("{found} {name} are more than {cap:?}"));
    };
    within("bytes", bytes, options.bytes_max);
    within("replica moves", u128::from(replicas), options.moves_max);
    within("entries", moves.len() as u128, options.moves_max);
    within("leader moves", u128::from(leaders), options.leader_moves_max);
}
