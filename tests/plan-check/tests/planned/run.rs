//! Plans on a snapshot and gives both as the JSON that commands print. Must not look into either.

use ballast_analyzer::PlanDocument;
use ballast_cluster::Snapshot;
use ballast_plan_check::{CheckOptions, Finding, Report, check};
use ballast_planner::{Goal, Limits, plan, validate};
use serde_json::Value;

/// A question and its answer, as documents.
pub struct Planned {
    pub snapshot: Value,
    pub plan: Value,
    pub options: CheckOptions,
}

impl Planned {
    #[track_caller]
    pub fn new(snapshot: &Snapshot, goal: &Goal, limits: &Limits, seed: u64) -> Planned {
        validate(snapshot, goal, limits).expect("the tests ask for what can be asked for");
        let outcome = plan(snapshot, goal, limits, seed);
        let document = PlanDocument {
            cluster: &snapshot.cluster,
            base_sequence: snapshot.sequence,
            data_bytes: Some(snapshot.data_bytes()),
            goal,
            seed,
            outcome: &outcome,
            timings: Some(ballast_proto::analyzer::v1::Timings::default()),
        };
        Planned {
            snapshot: serde_json::from_str(&ballast_snapshot_file::write(snapshot)).expect("what is written is JSON"),
            plan: serde_json::to_value(document).expect("a plan is JSON"),
            options: options(goal, limits),
        }
    }

    pub fn check(&self) -> Result<Report, Vec<Finding>> {
        check(&self.snapshot, &self.plan, &self.options)
    }
}

fn options(goal: &Goal, limits: &Limits) -> CheckOptions {
    let network = u64::from(limits.capacity.network_parts_per_million);
    let list = |ids: &[ballast_cluster::BrokerId]| ids.iter().map(|id| i64::from(id.0)).collect::<Vec<i64>>();
    let targets = goal.targets.iter().map(|(at, ids)| (at.topic.clone(), u64::from(at.partition), list(ids)));
    CheckOptions {
        targets: targets.collect(),
        excluded_topics: limits.excluded_topics.clone(),
        excluded_brokers: list(&limits.excluded_brokers),
        only_topics: limits.only_topics.clone(),
        only_partitions: limits.only_partitions.iter().map(|at| (at.topic.clone(), u64::from(at.partition))).collect(),
        only_to_brokers: list(&limits.only_to_brokers),
        across_groups: limits.across_groups,
        spread_topics: limits.spread_topics,
        bytes_max: limits.bytes_max,
        moves_max: limits.moves_max,
        leader_moves_max: limits.leader_moves_max,
        limits: [
            u64::from(limits.capacity.disk_parts_per_million),
            network,
            network,
            u64::from(limits.capacity.cpu_parts_per_million),
        ],
        replicas_per_broker_max: u64::from(limits.replicas_per_broker_max),
    }
}
