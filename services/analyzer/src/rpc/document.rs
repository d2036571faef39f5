//! A plan that was not recorded, as the plan file of the contract. It serialises straight from the outcome, one move at a time:
//! as wire types, all moves of a big plan are more memory than the planning took. Must not compute anything that is not a matter
//! of form.

use ballast_planner::{Alternative, Goal, Outcome};
use ballast_proto::analyzer::v1 as wire;
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use crate::rpc::to_proto;

/// Serialises as the message of [`PlanDocument::message`] does; a test holds it to that.
pub struct PlanDocument<'a> {
    pub cluster: &'a str,
    pub base_sequence: u64,
    /// Of all replicas in the snapshot, where it is known.
    pub data_bytes: Option<u64>,
    pub goal: &'a Goal,
    pub seed: u64,
    pub outcome: &'a Outcome,
    pub timings: Option<wire::Timings>,
}

impl PlanDocument<'_> {
    /// With the first `moves_max` moves of each alternative.
    pub fn message(&self, moves_max: usize) -> wire::Plan {
        let alternatives = (1..).zip(&self.outcome.alternatives);
        wire::Plan {
            format: to_proto::FORMAT.to_owned(),
            name: String::new(),
            cluster: self.cluster.to_owned(),
            base_sequence: self.base_sequence,
            goal: Some(to_proto::plan_goal(self.goal)),
            seed: self.seed,
            bounds: Some(to_proto::bounds(&self.outcome.bounds)),
            alternatives: alternatives.map(|(rank, found)| to_proto::alternative(rank, found, moves_max)).collect(),
            timings: self.timings,
            created_at: None,
            sequence: 0,
            data_bytes: self.data_bytes,
        }
    }
}

impl Serialize for PlanDocument<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut plan = serializer.serialize_struct("Plan", 12)?;
        plan.serialize_field("format", to_proto::FORMAT)?;
        plan.serialize_field("name", "")?;
        plan.serialize_field("cluster", self.cluster)?;
        plan.serialize_field("base_sequence", &self.base_sequence)?;
        plan.serialize_field("goal", &to_proto::plan_goal(self.goal))?;
        plan.serialize_field("seed", &self.seed)?;
        plan.serialize_field("bounds", &to_proto::bounds(&self.outcome.bounds))?;
        plan.serialize_field("alternatives", &Alternatives(&self.outcome.alternatives))?;
        plan.serialize_field("timings", &self.timings)?;
        plan.serialize_field("created_at", &())?;
        plan.serialize_field("sequence", &0)?;
        plan.serialize_field("data_bytes", &self.data_bytes)?;
        plan.end()
    }
}

struct Alternatives<'a>(&'a [Alternative]);

impl Serialize for Alternatives<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((1..).zip(self.0).map(|(rank, alternative)| Ranked { rank, alternative }))
    }
}

struct Ranked<'a> {
    rank: u32,
    alternative: &'a Alternative,
}

impl Serialize for Ranked<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let head = to_proto::alternative_head(self.rank, self.alternative);
        let mut alternative = serializer.serialize_struct("Alternative", 8)?;
        alternative.serialize_field("rank", &head.rank)?;
        alternative.serialize_field("label", &head.label)?;
        alternative.serialize_field("why", &head.why)?;
        alternative.serialize_field("cost", &head.cost)?;
        alternative.serialize_field("balance", &head.balance)?;
        alternative.serialize_field("unmet", &Each(&self.alternative.unmet, to_proto::unmet))?;
        alternative.serialize_field("moves", &Each(&self.alternative.moves, to_proto::planned_move))?;
        alternative.serialize_field("moves_total", &head.moves_total)?;
        alternative.end()
    }
}

/// A list whose items are turned into wire types while they are written.
struct Each<'a, T, W>(&'a [T], fn(&T) -> W);

impl<T, W: Serialize> Serialize for Each<'_, T, W> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(self.1))
    }
}

#[cfg(test)]
mod tests {
    use ballast_cluster::{Broker, BrokerId, BrokerState, Capacity, Load, Partition, Snapshot, Topic};
    use ballast_planner::{GoalKind, Limits, plan};

    use super::*;

    /// Six brokers, the first three of them crowded, one dead.
    fn snapshot() -> Snapshot {
        let capacity = Capacity {
            cpu_millicores: 1_000,
            disk_bytes: 100_000,
            network_in_bytes_per_second: 10_000,
            network_out_bytes_per_second: 10_000,
        };
        let broker = |id: i32| Broker {
            id: BrokerId(id),
            rack: None,
            host: None,
            group: "default".into(),
            state: if id == 3 { BrokerState::Dead } else { BrokerState::Alive },
            capacity,
            log_dirs: Vec::new(),
        };
        let partition = |index: u32| {
            let replicas: Vec<BrokerId> = (0..2).map(|step| BrokerId(1 + ((index + step) % 3) as i32)).collect();
            let in_sync: Vec<BrokerId> = replicas.iter().copied().filter(|broker| broker.0 != 3).collect();
            let load = Load { size_bytes: 100 + u64::from(index), produce_bytes_per_second: 10, ..Load::default() };
            Partition { index, leader: in_sync.first().copied(), replicas, in_sync, load, ..Partition::default() }
        };
        let partitions = (0..30).map(partition).collect();
        let topic = Topic { name: "t\"\n".into(), id: None, group: "default".into(), min_insync_replicas: 1, partitions };
        Snapshot { cluster: "c".into(), sequence: 5, brokers: (1..=6).map(broker).collect(), topics: vec![topic], taken_at: None }
    }

    #[test]
    fn a_document_prints_as_the_message_does() {
        let goal = Goal::new(GoalKind::Rebalance, Vec::new());
        let outcome = plan(&snapshot(), &goal, &Limits::default(), 0);
        assert!(outcome.alternatives.iter().any(|alternative| !alternative.moves.is_empty() && !alternative.unmet.is_empty()));
        let timings = wire::Timings { read_milliseconds: 1, first_valid_milliseconds: 2, total_milliseconds: 3, threads: 2 };
        for timings in [None, Some(timings)] {
            let document = PlanDocument {
                cluster: "c",
                base_sequence: 5,
                data_bytes: Some(9),
                goal: &goal,
                seed: 7,
                outcome: &outcome,
                timings,
            };
            let message = document.message(usize::MAX);
            let pretty = [serde_json::to_string_pretty(&document), serde_json::to_string_pretty(&message)];
            let [printed, wanted] = pretty.map(|text| text.expect("plans serialise"));
            assert_eq!(printed, wanted);
            let compact = [serde_json::to_string(&document), serde_json::to_string(&message)];
            let [printed, wanted] = compact.map(|text| text.expect("plans serialise"));
            assert_eq!(printed, wanted);
        }
    }
}
