//! Why a plan moves a partition, or why it does not. Must not plan: it tells what the plan and its snapshot show.

use ballast_cluster::{BrokerId, Partition, Snapshot, TopicPartition};
use ballast_planner::{Alternative, GoalKind};
use ballast_proto::analyzer::v1 as wire;

use crate::rpc::{to_proto, utilization};
use crate::view::Plan;

/// One explanation per alternative, by rank.
pub fn explanations(plan: &Plan, snapshot: &Snapshot, at: &TopicPartition, partition: &Partition) -> Vec<wire::MoveExplanation> {
    let explain = |(rank, alternative)| {
        let told = explanation(plan, at, partition, rank, alternative);
        let touched = told.r#move.as_ref().map(|planned| touched(partition, planned)).unwrap_or_default();
        wire::MoveExplanation { brokers: utilization::changes(snapshot, alternative, &touched), ..told }
    };
    (1..).zip(&plan.outcome.alternatives).map(explain).collect()
}

/// Who loses or gets the replica or the leadership, those who lose first.
fn touched(partition: &Partition, planned: &wire::Move) -> Vec<BrokerId> {
    let leader_after = planned.to.first().copied();
    let leader_before = partition.leader.map(|leader| leader.0);
    let leader_changes = leader_before != leader_after;
    let losing = planned.from.iter().filter(|id| !planned.to.contains(id) || (leader_changes && leader_before == Some(**id)));
    let getting = planned.to.iter().filter(|id| !planned.from.contains(id) || (leader_changes && leader_after == Some(**id)));
    losing.chain(getting).copied().map(BrokerId).collect()
}

fn explanation(
    plan: &Plan,
    at: &TopicPartition,
    partition: &Partition,
    rank: u32,
    alternative: &Alternative,
) -> wire::MoveExplanation {
    let found = (1..).zip(&alternative.moves).find(|(_, planned)| planned.at == *at);
    let unmet: Vec<wire::UnmetGoal> = alternative
        .unmet
        .iter()
        .filter(|unmet| unmet.topic.as_ref() == Some(&at.topic) && unmet.partition == Some(at.partition))
        .map(to_proto::unmet)
        .collect();
    let explanation = match (&found, unmet.first()) {
        (Some((_, planned)), _) => planned.reason.clone(),
        (None, Some(unmet)) => format!("left as it is: {}", unmet.reason),
        (None, None) => why_left_alone(plan, at, partition),
    };
    wire::MoveExplanation {
        rank,
        label: alternative.label.as_str().to_owned(),
        r#move: found.map(|(_, planned)| to_proto::planned_move(planned)),
        position: found.map_or(0, |(position, _)| position),
        explanation,
        unmet,
        brokers: Vec::new(),
    }
}

fn why_left_alone(plan: &Plan, at: &TopicPartition, partition: &Partition) -> String {
    if partition.is_reassigning() {
        return "left as it is: a reassignment of it was pending".to_owned();
    }
    if let Some(limits) = &plan.limits {
        let all_may_change = limits.only_topics.is_empty() && limits.only_partitions.is_empty();
        if limits.excluded_topics.contains(&at.topic) {
            return "left as it is: its topic was excluded".to_owned();
        }
        if !all_may_change && !limits.only_topics.contains(&at.topic) && !limits.only_partitions.contains(at) {
            return "left as it is: only other topics or partitions were allowed to change".to_owned();
        }
    }
    let named = |broker: &BrokerId| plan.goal.brokers.contains(broker);
    let brokers = plan.goal.brokers.iter().map(BrokerId::to_string).collect::<Vec<_>>().join(", ");
    match plan.goal.kind {
        GoalKind::Evacuate | GoalKind::Drain | GoalKind::Demote if !partition.replicas.iter().any(named) => {
            format!("left as it is: it had no replica on broker {brokers}")
        }
        GoalKind::Evacuate | GoalKind::Drain => "left as it is: it was excluded, or a cap left no room for it".to_owned(),
        GoalKind::Demote if partition.replicas.last().is_some_and(named) => {
            format!("left as it is: broker {brokers} came last in its list already")
        }
        GoalKind::Demote => "left as it is: it was excluded, or a cap left no room for it".to_owned(),
        GoalKind::Topic => "left as it is: no list was asked for it, or it had that list already".to_owned(),
        GoalKind::Expand => format!("left as it is: broker {brokers} was filled with other partitions"),
        GoalKind::Rebalance => {
            "left as it is: moving it was not needed for any constraint and not worth its bytes for balance".to_owned()
        }
    }
}
