//! The goal of a plan as flags: the same for `plan create` and `plan offline`. Must not know how a plan is found.

use ballast_analyzer::evaluations;
use ballast_cluster::{BrokerId, Snapshot, TopicPartition};
use ballast_planner::{Band, Goal, GoalKind, Limits};
use ballast_proto::analyzer::v1 as wire;
use ballast_proto::analyzer::v1::create_plan_request::Goal as WireGoal;
use clap::{ArgGroup, Args};

use super::ClientOptions;
use super::exit::CliError;
use super::limit_flags::LimitFlags;
use crate::quantity::Span;

const GOAL: &str = "Goal (exactly one)";
const SEARCH: &str = "Search";

#[derive(Args, Clone, Debug)]
#[command(group(ArgGroup::new("goal").required(true).args(["evacuate", "drain", "demote", "expand", "rebalance", "topic"])))]
pub struct GoalFlags {
    /// Dead brokers: restore the replica count elsewhere.
    #[arg(long, value_delimiter = ',', value_name = "ID,..", help_heading = GOAL)]
    pub evacuate: Vec<i32>,
    /// Live brokers, to be emptied.
    #[arg(long, value_delimiter = ',', value_name = "ID,..", help_heading = GOAL)]
    pub drain: Vec<i32>,
    /// Leadership away from live brokers; nothing is copied.
    #[arg(long, value_delimiter = ',', value_name = "ID,..", help_heading = GOAL)]
    pub demote: Vec<i32>,
    /// Live brokers, to be filled.
    #[arg(long, value_delimiter = ',', value_name = "ID,..", help_heading = GOAL)]
    pub expand: Vec<i32>,
    /// Repair every hard violation, then balance.
    #[arg(long, help_heading = GOAL)]
    pub rebalance: bool,
    /// Exactly these replica lists.
    #[arg(long, num_args = 1.., value_name = "T:P=1,2,3", value_parser = parse_target, help_heading = GOAL)]
    pub topic: Vec<Target>,
    /// How far from the mean a broker may be, as a fraction of it.
    #[arg(long, default_value = "0.10", value_name = "FRACTION", value_parser = parse_band, help_heading = SEARCH)]
    pub band: Band,
    /// Another seed may find another plan.
    #[arg(long, default_value_t = 0, value_name = "S", help_heading = SEARCH)]
    pub seed: u64,
    /// How long the search may take; becomes a number of evaluations.
    #[arg(long, value_name = "10s", help_heading = SEARCH)]
    pub time_budget: Option<Span>,
    #[command(flatten)]
    pub limits: LimitFlags,
}

/// `T:P=1,2,3`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    topic: String,
    partition: u32,
    replicas: Vec<i32>,
}

fn parse_target(text: &str) -> Result<Target, String> {
    let refused = || format!("{text:?} is no replica list: write topic:partition=1,2,3");
    let (at, list) = text.rsplit_once('=').ok_or_else(refused)?;
    let at = parse_partition(at).map_err(|_| refused())?;
    let replicas = list.split(',').map(|id| id.trim().parse()).collect::<Result<Vec<i32>, _>>().map_err(|_| refused())?;
    Ok(Target { topic: at.topic, partition: at.partition, replicas })
}

/// `TOPIC:PARTITION`.
pub fn parse_partition(text: &str) -> Result<TopicPartition, String> {
    let refused = || format!("{text:?} is no partition: write topic:partition, e.g. orders:3");
    let (topic, partition) = text.rsplit_once(':').filter(|(topic, _)| !topic.is_empty()).ok_or_else(refused)?;
    Ok(TopicPartition::new(topic, partition.parse().map_err(|_| refused())?))
}

fn parse_band(text: &str) -> Result<Band, String> {
    Band::parse(text).ok_or_else(|| "a fraction between 0 and 1 with at most six decimals, e.g. 0.10".to_owned())
}

impl GoalFlags {
    fn kind(&self) -> (GoalKind, &[i32]) {
        match self {
            Self { evacuate, .. } if !evacuate.is_empty() => (GoalKind::Evacuate, evacuate),
            Self { drain, .. } if !drain.is_empty() => (GoalKind::Drain, drain),
            Self { demote, .. } if !demote.is_empty() => (GoalKind::Demote, demote),
            Self { expand, .. } if !expand.is_empty() => (GoalKind::Expand, expand),
            Self { rebalance: true, .. } => (GoalKind::Rebalance, &[]),
            _ => (GoalKind::Topic, &[]),
        }
    }

    /// For the planner in this process.
    pub fn goal(&self) -> Goal {
        let (kind, brokers) = self.kind();
        let brokers = brokers.iter().copied().map(BrokerId).collect();
        let target = |target: &Target| {
            let replicas = target.replicas.iter().copied().map(BrokerId).collect();
            (TopicPartition::new(target.topic.clone(), target.partition), replicas)
        };
        Goal { kind, brokers, band: self.band, targets: self.topic.iter().map(target).collect() }
    }

    /// For the planner in this process, on this snapshot.
    pub fn limits(&self, snapshot: &Snapshot) -> Result<Limits, CliError> {
        let limits = self.limits.limits(snapshot)?;
        Ok(Limits { evaluations_max: self.time_budget.map(|budget| evaluations(budget.0)), ..limits })
    }

    /// For a server.
    pub fn request(&self, options: &ClientOptions) -> Result<wire::CreatePlanRequest, CliError> {
        let (kind, brokers) = self.kind();
        let brokers = brokers.to_vec();
        let goal = match kind {
            GoalKind::Evacuate => WireGoal::Evacuate(wire::EvacuateGoal { brokers }),
            GoalKind::Drain => WireGoal::Drain(wire::DrainGoal { brokers }),
            GoalKind::Demote => WireGoal::Demote(wire::DemoteGoal { brokers }),
            GoalKind::Expand => WireGoal::Expand(wire::ExpandGoal { brokers }),
            GoalKind::Rebalance => WireGoal::Rebalance(wire::RebalanceGoal {}),
            GoalKind::Topic => WireGoal::Topic(wire::TopicGoal { targets: self.topic.iter().map(Target::to_wire).collect() }),
        };
        let budget = self.time_budget.map(|span| u64::try_from(span.0.as_millis())).transpose();
        Ok(wire::CreatePlanRequest {
            cluster: options.cluster(),
            goal: Some(goal),
            band_parts_per_million: Some(self.band.parts_per_million),
            seed: self.seed,
            time_budget_milliseconds: budget.map_err(|_| CliError::usage("--time-budget is too long"))?,
            request_id: options.request_id(),
            validate_only: options.dry_run,
            reason: options.reason(),
            ..self.limits.request()
        })
    }
}

impl Target {
    fn to_wire(&self) -> wire::ReplicaList {
        wire::ReplicaList { topic: self.topic.clone(), partition: self.partition, replicas: self.replicas.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_list_is_read_or_refused() {
        let target = parse_target("a.b-c:12=3,1,2").expect("it is one");
        assert_eq!(target, Target { topic: "a.b-c".into(), partition: 12, replicas: vec![3, 1, 2] });
        for refused in ["t:1", "t=1,2", "t:x=1", "t:1=", "t:1=a", ":1=2"] {
            assert!(parse_target(refused).is_err(), "{refused}");
        }
    }
}
