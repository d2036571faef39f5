//! Refuses goals that make no sense for a snapshot, before anything is planned. Must not know exit codes or wire errors.

use std::collections::BTreeSet;
use std::fmt;

use ballast_cluster::{BrokerId, BrokerState, Snapshot, TopicPartition};

use crate::{Goal, GoalKind, Limits};

/// Why a goal is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum GoalError {
    UnknownBroker(BrokerId),
    UnknownTopic(String),
    UnknownPartition(TopicPartition),
    /// The goal needs brokers to be named, or targets, or takes none.
    WrongShape(&'static str),
    DuplicateBroker(BrokerId),
    DuplicateTarget(TopicPartition),
    DuplicateReplica {
        at: TopicPartition,
        broker: BrokerId,
    },
    ChangedLength {
        at: TopicPartition,
        from: usize,
        to: usize,
    },
    BandOutOfRange,
    ShareOutOfRange,
    /// Named by the goal and excluded by the limits at once.
    ExcludedBroker(BrokerId),
    ExcludedTopic(String),
    /// Evacuation is for dead brokers.
    BrokerAlive(BrokerId),
    /// Drain and expand are for live brokers.
    BrokerDead(BrokerId),
}

/// What kind of refusal it is: decides the exit code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GoalErrorClass {
    NotFound,
    Invalid,
    Precondition,
}

impl GoalError {
    pub fn class(&self) -> GoalErrorClass {
        match self {
            GoalError::UnknownBroker(_) | GoalError::UnknownTopic(_) | GoalError::UnknownPartition(_) => GoalErrorClass::NotFound,
            GoalError::BrokerAlive(_) | GoalError::BrokerDead(_) => GoalErrorClass::Precondition,
            _ => GoalErrorClass::Invalid,
        }
    }

    /// Reason code for clients.
    pub fn reason(&self) -> &'static str {
        match self {
            GoalError::UnknownBroker(_) => "BROKER_NOT_FOUND",
            GoalError::UnknownTopic(_) => "TOPIC_NOT_FOUND",
            GoalError::UnknownPartition(_) => "PARTITION_NOT_FOUND",
            GoalError::BrokerAlive(_) => "BROKER_ALIVE",
            GoalError::BrokerDead(_) => "BROKER_DEAD",
            _ => "GOAL_INVALID",
        }
    }
}

impl fmt::Display for GoalError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GoalError::UnknownBroker(id) => write!(formatter, "broker {id} is not in the cluster"),
            GoalError::UnknownTopic(topic) => write!(formatter, "topic {topic} is not in the cluster"),
            GoalError::UnknownPartition(at) => write!(formatter, "partition {at} is not in the cluster"),
            GoalError::WrongShape(what) => formatter.write_str(what),
            GoalError::DuplicateBroker(id) => write!(formatter, "broker {id} is named twice"),
            GoalError::DuplicateTarget(at) => write!(formatter, "partition {at} is given two replica lists"),
            GoalError::DuplicateReplica { at, broker } => write!(formatter, "the list for {at} names broker {broker} twice"),
            GoalError::ChangedLength { at, from, to } => {
                write!(formatter, "the list for {at} has {to} replicas, the partition has {from}")
            }
            GoalError::BandOutOfRange => formatter.write_str("the band must be greater than 0 and less than 1"),
            GoalError::ShareOutOfRange => formatter.write_str("a capacity share must be greater than 0 and at most 1"),
            GoalError::ExcludedBroker(id) => write!(formatter, "broker {id} is named by the goal and excluded from it"),
            GoalError::ExcludedTopic(topic) => write!(formatter, "topic {topic} is named by the goal and excluded from it"),
            GoalError::BrokerAlive(id) => write!(formatter, "broker {id} is alive: drain it instead of evacuating it"),
            GoalError::BrokerDead(id) => write!(formatter, "broker {id} is dead"),
        }
    }
}

impl std::error::Error for GoalError {}

/// Checks a goal and limits against a snapshot. Whether a live broker may be evacuated is the caller's to decide:
/// [`refuse_live_evacuation`].
pub fn validate(snapshot: &Snapshot, goal: &Goal, limits: &Limits) -> Result<(), GoalError> {
    check_shape(goal)?;
    if !goal.band.is_in_range() {
        return Err(GoalError::BandOutOfRange);
    }
    let shares = limits.capacity;
    for share in [shares.disk_parts_per_million, shares.network_parts_per_million, shares.cpu_parts_per_million] {
        if !(1..=1_000_000).contains(&share) {
            return Err(GoalError::ShareOutOfRange);
        }
    }
    let states = |id: BrokerId| snapshot.brokers.iter().find(|broker| broker.id == id).map(|broker| broker.state);
    let mut named = BTreeSet::new();
    for &id in &goal.brokers {
        let state = states(id).ok_or(GoalError::UnknownBroker(id))?;
        if !named.insert(id) {
            return Err(GoalError::DuplicateBroker(id));
        }
        if matches!(goal.kind, GoalKind::Drain | GoalKind::Expand) && state == BrokerState::Dead {
            return Err(GoalError::BrokerDead(id));
        }
    }
    for &id in &limits.excluded_brokers {
        states(id).ok_or(GoalError::UnknownBroker(id))?;
        if named.contains(&id) {
            return Err(GoalError::ExcludedBroker(id));
        }
    }
    check_targets(snapshot, goal, limits)
}

/// Refuses to evacuate a broker that is alive, as a server does; `plan offline` asks "what if it died" and does not call this.
pub fn refuse_live_evacuation(snapshot: &Snapshot, goal: &Goal) -> Result<(), GoalError> {
    let alive = |id: &&BrokerId| snapshot.brokers.iter().any(|broker| broker.id == **id && broker.state != BrokerState::Dead);
    match goal.brokers.iter().find(alive) {
        Some(&id) if goal.kind == GoalKind::Evacuate => Err(GoalError::BrokerAlive(id)),
        _ => Ok(()),
    }
}

fn check_shape(goal: &Goal) -> Result<(), GoalError> {
    let wants_brokers = !matches!(goal.kind, GoalKind::Rebalance | GoalKind::Topic);
    let wants_targets = goal.kind == GoalKind::Topic;
    match (wants_brokers, goal.brokers.is_empty(), wants_targets, goal.targets.is_empty()) {
        (true, true, _, _) => Err(GoalError::WrongShape("this goal needs at least one broker")),
        (false, false, _, _) => Err(GoalError::WrongShape("this goal names no brokers")),
        (_, _, true, true) => Err(GoalError::WrongShape("this goal needs at least one replica list")),
        (_, _, false, false) => Err(GoalError::WrongShape("this goal takes no replica lists")),
        _ => Ok(()),
    }
}

fn check_targets(snapshot: &Snapshot, goal: &Goal, limits: &Limits) -> Result<(), GoalError> {
    let mut seen = BTreeSet::new();
    for (at, list) in &goal.targets {
        let topic = snapshot.topics.iter().find(|topic| topic.name == at.topic);
        let topic = topic.ok_or_else(|| GoalError::UnknownTopic(at.topic.clone()))?;
        let partition = topic.partitions.iter().find(|partition| partition.index == at.partition);
        let partition = partition.ok_or_else(|| GoalError::UnknownPartition(at.clone()))?;
        if !seen.insert(at) {
            return Err(GoalError::DuplicateTarget(at.clone()));
        }
        if limits.excluded_topics.contains(&at.topic) {
            return Err(GoalError::ExcludedTopic(at.topic.clone()));
        }
        let mut members = BTreeSet::new();
        for &id in list {
            if !snapshot.brokers.iter().any(|broker| broker.id == id) {
                return Err(GoalError::UnknownBroker(id));
            }
            if !members.insert(id) {
                return Err(GoalError::DuplicateReplica { at: at.clone(), broker: id });
            }
        }
        if list.len() != partition.replicas.len() {
            return Err(GoalError::ChangedLength { at: at.clone(), from: partition.replicas.len(), to: list.len() });
        }
    }
    Ok(())
}
