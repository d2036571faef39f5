//! A whole plan as protobuf: bounds, alternatives, moves. Must not know when one is recorded.

use ballast_cluster::{BrokerId, Reassignment, TopicPartition};
use ballast_planner::{
    Alternative, Balance, Bounds, Cost, Label, Outcome, PerResource, Resource, ResourceBalance, Unmet, UnmetGoal,
};
use ballast_proto::event::v1 as proto;

use crate::read::{Malformed, required};
use crate::topology::{brokers_from_proto, brokers_to_proto};

pub(crate) fn outcome_to_proto(outcome: &Outcome) -> proto::PlanOutcome {
    let Bounds { moved_bytes, seconds, max_utilization } = outcome.bounds;
    let bounds = proto::PlanBounds {
        moved_bytes,
        seconds,
        max_utilization_disk: max_utilization.disk,
        max_utilization_network_in: max_utilization.network_in,
        max_utilization_network_out: max_utilization.network_out,
        max_utilization_cpu: max_utilization.cpu,
    };
    let alternatives = outcome.alternatives.iter().map(alternative_to_proto).collect();
    proto::PlanOutcome { bounds: Some(bounds), alternatives }
}

pub(crate) fn outcome_from_proto(outcome: proto::PlanOutcome) -> Result<Outcome, Malformed> {
    let bounds = required(outcome.bounds, "bounds")?;
    let max_utilization = PerResource {
        disk: bounds.max_utilization_disk,
        network_in: bounds.max_utilization_network_in,
        network_out: bounds.max_utilization_network_out,
        cpu: bounds.max_utilization_cpu,
    };
    Ok(Outcome {
        bounds: Bounds { moved_bytes: bounds.moved_bytes, seconds: bounds.seconds, max_utilization },
        alternatives: outcome.alternatives.into_iter().map(alternative_from_proto).collect::<Result<_, _>>()?,
    })
}

fn alternative_to_proto(alternative: &Alternative) -> proto::PlanAlternative {
    let Cost { moved_bytes, replica_moves, leader_moves, estimated_seconds, peak_broker_in_bytes } = alternative.cost;
    proto::PlanAlternative {
        label: label_to_proto(alternative.label).into(),
        why: alternative.why.clone(),
        cost: Some(proto::PlanCost { moved_bytes, replica_moves, leader_moves, estimated_seconds, peak_broker_in_bytes }),
        before: Some(balance_to_proto(&alternative.balance.before)),
        after: Some(balance_to_proto(&alternative.balance.after)),
        unmet: alternative.unmet.iter().map(unmet_to_proto).collect(),
        moves: alternative.moves.iter().map(move_to_proto).collect(),
    }
}

fn alternative_from_proto(alternative: proto::PlanAlternative) -> Result<Alternative, Malformed> {
    let label = label_from_proto(alternative.label())?;
    let proto::PlanCost { moved_bytes, replica_moves, leader_moves, estimated_seconds, peak_broker_in_bytes } =
        required(alternative.cost, "cost")?;
    Ok(Alternative {
        label,
        why: alternative.why,
        cost: Cost { moved_bytes, replica_moves, leader_moves, estimated_seconds, peak_broker_in_bytes },
        balance: Balance {
            before: balance_from_proto(required(alternative.before, "before")?),
            after: balance_from_proto(required(alternative.after, "after")?),
        },
        unmet: alternative.unmet.into_iter().map(unmet_from_proto).collect::<Result<_, _>>()?,
        moves: alternative.moves.into_iter().map(move_from_proto).collect::<Result<_, _>>()?,
    })
}

fn balance_to_proto(balance: &PerResource<ResourceBalance>) -> proto::PlanBalance {
    let resource = |resource| {
        let ResourceBalance { max_over_mean, min_over_mean, outside } = *balance.get(resource);
        Some(proto::PlanResourceBalance { max_over_mean, min_over_mean, outside })
    };
    proto::PlanBalance {
        disk: resource(Resource::Disk),
        network_in: resource(Resource::NetworkIn),
        network_out: resource(Resource::NetworkOut),
        cpu: resource(Resource::Cpu),
    }
}

fn balance_from_proto(balance: proto::PlanBalance) -> PerResource<ResourceBalance> {
    let resource = |resource: Option<proto::PlanResourceBalance>| {
        let proto::PlanResourceBalance { max_over_mean, min_over_mean, outside } = resource.unwrap_or_default();
        ResourceBalance { max_over_mean, min_over_mean, outside }
    };
    PerResource {
        disk: resource(balance.disk),
        network_in: resource(balance.network_in),
        network_out: resource(balance.network_out),
        cpu: resource(balance.cpu),
    }
}

fn unmet_to_proto(unmet: &Unmet) -> proto::PlanUnmet {
    proto::PlanUnmet {
        goal: goal_to_proto(unmet.goal).into(),
        hard: unmet.hard,
        resource: resource_to_proto(unmet.resource).into(),
        broker: unmet.broker.map(|broker| broker.0),
        topic: unmet.topic.clone(),
        partition: unmet.partition,
        reason: unmet.reason.clone(),
    }
}

fn unmet_from_proto(unmet: proto::PlanUnmet) -> Result<Unmet, Malformed> {
    Ok(Unmet {
        goal: goal_from_proto(unmet.goal())?,
        hard: unmet.hard,
        resource: resource_from_proto(unmet.resource()),
        broker: unmet.broker.map(BrokerId),
        topic: unmet.topic,
        partition: unmet.partition,
        reason: unmet.reason,
    })
}

fn move_to_proto(reassignment: &Reassignment) -> proto::PlanMove {
    let TopicPartition { topic, partition } = reassignment.at.clone();
    proto::PlanMove {
        at: Some(proto::TopicPartition { topic, partition }),
        topic_id: reassignment.topic_id.clone(),
        from: brokers_to_proto(&reassignment.from),
        to: brokers_to_proto(&reassignment.to),
        bytes: reassignment.bytes,
        reason: reassignment.reason.clone(),
    }
}

fn move_from_proto(wire: proto::PlanMove) -> Result<Reassignment, Malformed> {
    let proto::TopicPartition { topic, partition } = required(wire.at, "at")?;
    Ok(Reassignment {
        at: TopicPartition { topic, partition },
        topic_id: wire.topic_id,
        from: brokers_from_proto(wire.from),
        to: brokers_from_proto(wire.to),
        bytes: wire.bytes,
        reason: wire.reason,
    })
}

fn label_to_proto(label: Label) -> proto::PlanLabel {
    match label {
        Label::Cheapest => proto::PlanLabel::Cheapest,
        Label::Knee => proto::PlanLabel::Knee,
        Label::BestBalance => proto::PlanLabel::BestBalance,
        Label::LeadershipOnly => proto::PlanLabel::LeadershipOnly,
        Label::ByteCap => proto::PlanLabel::ByteCap,
        Label::TightBand => proto::PlanLabel::TightBand,
        Label::SurviveOneFailure => proto::PlanLabel::SurviveOneFailure,
        Label::Only => proto::PlanLabel::Only,
    }
}

fn label_from_proto(label: proto::PlanLabel) -> Result<Label, Malformed> {
    Ok(match label {
        proto::PlanLabel::Unspecified => return Err(Malformed("an alternative has no label that is known".into())),
        proto::PlanLabel::Cheapest => Label::Cheapest,
        proto::PlanLabel::Knee => Label::Knee,
        proto::PlanLabel::BestBalance => Label::BestBalance,
        proto::PlanLabel::LeadershipOnly => Label::LeadershipOnly,
        proto::PlanLabel::ByteCap => Label::ByteCap,
        proto::PlanLabel::TightBand => Label::TightBand,
        proto::PlanLabel::SurviveOneFailure => Label::SurviveOneFailure,
        proto::PlanLabel::Only => Label::Only,
    })
}

fn goal_to_proto(goal: UnmetGoal) -> proto::PlanUnmetGoal {
    match goal {
        UnmetGoal::Liveness => proto::PlanUnmetGoal::Liveness,
        UnmetGoal::Offline => proto::PlanUnmetGoal::Offline,
        UnmetGoal::Rack => proto::PlanUnmetGoal::Rack,
        UnmetGoal::Group => proto::PlanUnmetGoal::Group,
        UnmetGoal::Capacity => proto::PlanUnmetGoal::Capacity,
        UnmetGoal::ReplicaCap => proto::PlanUnmetGoal::ReplicaCap,
        UnmetGoal::Band => proto::PlanUnmetGoal::Band,
        UnmetGoal::Counts => proto::PlanUnmetGoal::Counts,
        UnmetGoal::TopicSpread => proto::PlanUnmetGoal::TopicSpread,
        UnmetGoal::FailureRoom => proto::PlanUnmetGoal::FailureRoom,
        UnmetGoal::NotMeasured => proto::PlanUnmetGoal::NotMeasured,
    }
}

fn goal_from_proto(goal: proto::PlanUnmetGoal) -> Result<UnmetGoal, Malformed> {
    Ok(match goal {
        proto::PlanUnmetGoal::Unspecified => return Err(Malformed("an unmet goal has no kind that is known".into())),
        proto::PlanUnmetGoal::Liveness => UnmetGoal::Liveness,
        proto::PlanUnmetGoal::Offline => UnmetGoal::Offline,
        proto::PlanUnmetGoal::Rack => UnmetGoal::Rack,
        proto::PlanUnmetGoal::Group => UnmetGoal::Group,
        proto::PlanUnmetGoal::Capacity => UnmetGoal::Capacity,
        proto::PlanUnmetGoal::ReplicaCap => UnmetGoal::ReplicaCap,
        proto::PlanUnmetGoal::Band => UnmetGoal::Band,
        proto::PlanUnmetGoal::Counts => UnmetGoal::Counts,
        proto::PlanUnmetGoal::TopicSpread => UnmetGoal::TopicSpread,
        proto::PlanUnmetGoal::FailureRoom => UnmetGoal::FailureRoom,
        proto::PlanUnmetGoal::NotMeasured => UnmetGoal::NotMeasured,
    })
}

fn resource_to_proto(resource: Option<Resource>) -> proto::PlanResource {
    match resource {
        None => proto::PlanResource::Unspecified,
        Some(Resource::Disk) => proto::PlanResource::Disk,
        Some(Resource::NetworkIn) => proto::PlanResource::NetworkIn,
        Some(Resource::NetworkOut) => proto::PlanResource::NetworkOut,
        Some(Resource::Cpu) => proto::PlanResource::Cpu,
    }
}

fn resource_from_proto(resource: proto::PlanResource) -> Option<Resource> {
    match resource {
        proto::PlanResource::Unspecified => None,
        proto::PlanResource::Disk => Some(Resource::Disk),
        proto::PlanResource::NetworkIn => Some(Resource::NetworkIn),
        proto::PlanResource::NetworkOut => Some(Resource::NetworkOut),
        proto::PlanResource::Cpu => Some(Resource::Cpu),
    }
}
