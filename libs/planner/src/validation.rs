//! Refuses goals that make no sense for a snapshot, before anything is planned. Must not know exit codes or wire errors.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ballast_cluster::{BrokerId, BrokerState, Snapshot, Topic, TopicPartition};

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
    /// Of this part of the capacity.
    ShareOutOfRange(&'static str),
    /// No broker could hold anything.
    ReplicaCapZero,
    /// Of this topic.
    LeadersMinZero(String),
    /// Lists across groups are for explicit lists only.
    AcrossGroups,
    ThreadsZero,
    /// Named by the goal and excluded by the limits at once.
    ExcludedBroker(BrokerId),
    ExcludedTopic(String),
    /// One of the only brokers that get anything and excluded at once.
    ExcludedDestination(BrokerId),
    /// Named by the goal and not among the only ones that may change.
    TargetNotAmongOnly(TopicPartition),
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
            GoalError::ShareOutOfRange(part) => write!(formatter, "max_utilization_{part} must be greater than 0 and at most 1"),
            GoalError::ReplicaCapZero => formatter.write_str("max_replicas_per_broker must be at least 1"),
            GoalError::LeadersMinZero(topic) => write!(formatter, "min_leaders of topic {topic} must be at least 1"),
            GoalError::AcrossGroups => formatter.write_str("across_groups is only for the goal topic"),
            GoalError::ThreadsZero => formatter.write_str("threads must be at least 1"),
            GoalError::ExcludedBroker(id) => write!(formatter, "broker {id} is named by the goal and excluded from it"),
            GoalError::ExcludedTopic(topic) => write!(formatter, "topic {topic} is named by the goal and excluded from it"),
            GoalError::ExcludedDestination(id) => {
                write!(formatter, "broker {id} is named among the only brokers to move to and excluded")
            }
            GoalError::TargetNotAmongOnly(at) => {
                write!(
                    formatter,
                    "partition {at} is named by the goal and not among the only topics and partitions that may change"
                )
            }
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
    check_figures(goal, limits)?;
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
    for &id in &limits.only_to_brokers {
        states(id).ok_or(GoalError::UnknownBroker(id))?;
        if limits.excluded_brokers.contains(&id) {
            return Err(GoalError::ExcludedDestination(id));
        }
    }
    check_scope(snapshot, limits)?;
    check_targets(snapshot, goal, limits)
}

fn check_figures(goal: &Goal, limits: &Limits) -> Result<(), GoalError> {
    let shares = limits.capacity;
    let named = [
        ("disk", shares.disk_parts_per_million),
        ("network", shares.network_parts_per_million),
        ("cpu", shares.cpu_parts_per_million),
    ];
    if let Some((part, _)) = named.into_iter().find(|(_, share)| !(1..=1_000_000).contains(share)) {
        return Err(GoalError::ShareOutOfRange(part));
    }
    if limits.replicas_per_broker_max == 0 {
        return Err(GoalError::ReplicaCapZero);
    }
    if let Some((topic, _)) = limits.leaders_min.iter().find(|(_, leaders)| *leaders == 0) {
        return Err(GoalError::LeadersMinZero(topic.clone()));
    }
    if limits.across_groups && goal.kind != GoalKind::Topic {
        return Err(GoalError::AcrossGroups);
    }
    if limits.threads == 0 { Err(GoalError::ThreadsZero) } else { Ok(()) }
}

/// Topics and partitions that the limits name must be there: an empty list of what may change would mean all.
fn check_scope(snapshot: &Snapshot, limits: &Limits) -> Result<(), GoalError> {
    let topics: BTreeMap<&str, &Topic> = snapshot.topics.iter().map(|topic| (topic.name.as_str(), topic)).collect();
    let topic = |name: &String| topics.get(name.as_str()).copied().ok_or_else(|| GoalError::UnknownTopic(name.clone()));
    for name in limits.only_topics.iter().chain(limits.leaders_min.iter().map(|(name, _)| name)) {
        topic(name)?;
    }
    for at in &limits.only_partitions {
        if !topic(&at.topic)?.partitions.iter().any(|partition| partition.index == at.partition) {
            return Err(GoalError::UnknownPartition(at.clone()));
        }
    }
    Ok(())
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
        let all_may_change = limits.only_topics.is_empty() && limits.only_partitions.is_empty();
        if !all_may_change && !limits.only_topics.contains(&at.topic) && !limits.only_partitions.contains(at) {
            return Err(GoalError::TargetNotAmongOnly(at.clone()));
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

#[cfg(test)]
mod tests {
    use ballast_cluster::{Broker, Capacity, Partition};

    use super::*;
    use crate::CapacityShares;

    /// Brokers 1 and 2, topics `t` and `u` of one partition each.
    fn snapshot() -> Snapshot {
        let broker = |id| Broker {
            id: BrokerId(id),
            rack: None,
            host: None,
            group: "default".into(),
            state: BrokerState::Alive,
            capacity: Capacity::default(),
            log_dirs: Vec::new(),
        };
        let partitions = vec![Partition { replicas: vec![BrokerId(1)], ..Partition::default() }];
        let topic = |name: &str| Topic {
            name: name.into(),
            id: None,
            group: "default".into(),
            min_insync_replicas: 1,
            partitions: partitions.clone(),
        };
        Snapshot { brokers: [1, 2].map(broker).into(), topics: ["t", "u"].map(topic).into(), ..Snapshot::default() }
    }

    fn goal(kind: GoalKind) -> Goal {
        let targets = vec![(TopicPartition::new("t", 0), vec![BrokerId(2)])];
        Goal { targets: if kind == GoalKind::Topic { targets } else { Vec::new() }, ..Goal::new(kind, Vec::new()) }
    }

    #[test]
    fn limits_that_make_no_sense_are_refused() {
        let check = |kind: GoalKind, change: &dyn Fn(&mut Limits), error: GoalError, reason: &str| {
            let mut limits = Limits::default();
            change(&mut limits);
            assert_eq!(validate(&snapshot(), &goal(kind), &limits), Err(error.clone()));
            assert_eq!(error.reason(), reason, "{error}");
        };
        let invalid = |kind: GoalKind, change: &dyn Fn(&mut Limits), error: GoalError| check(kind, change, error, "GOAL_INVALID");
        let share = |disk, network, cpu| CapacityShares {
            disk_parts_per_million: disk,
            network_parts_per_million: network,
            cpu_parts_per_million: cpu,
        };
        let kind = GoalKind::Rebalance;
        invalid(kind, &|limits| limits.capacity = share(0, 1, 1), GoalError::ShareOutOfRange("disk"));
        invalid(kind, &|limits| limits.capacity = share(1, 1_000_001, 1), GoalError::ShareOutOfRange("network"));
        invalid(kind, &|limits| limits.capacity = share(1_000_000, 1, 0), GoalError::ShareOutOfRange("cpu"));
        invalid(kind, &|limits| limits.replicas_per_broker_max = 0, GoalError::ReplicaCapZero);
        invalid(kind, &|limits| limits.threads = 0, GoalError::ThreadsZero);
        invalid(kind, &|limits| limits.across_groups = true, GoalError::AcrossGroups);
        invalid(kind, &|limits| limits.leaders_min = vec![("t".into(), 0)], GoalError::LeadersMinZero("t".into()));
        let excluded = |limits: &mut Limits| {
            limits.excluded_brokers = vec![BrokerId(2)];
            limits.only_to_brokers = vec![BrokerId(1), BrokerId(2)];
        };
        invalid(kind, &excluded, GoalError::ExcludedDestination(BrokerId(2)));
        let other = GoalError::TargetNotAmongOnly(TopicPartition::new("t", 0));
        invalid(GoalKind::Topic, &|limits| limits.only_topics = vec!["u".into()], other);
        let unknown = TopicPartition::new("t", 1);
        let partition = |limits: &mut Limits| limits.only_partitions = vec![unknown.clone()];
        check(kind, &partition, GoalError::UnknownPartition(unknown.clone()), "PARTITION_NOT_FOUND");
        let topic = || GoalError::UnknownTopic("v".into());
        check(kind, &|limits| limits.only_topics = vec!["v".into()], topic(), "TOPIC_NOT_FOUND");
        check(kind, &|limits| limits.leaders_min = vec![("v".into(), 1)], topic(), "TOPIC_NOT_FOUND");
        let partition = |limits: &mut Limits| limits.only_partitions = vec![TopicPartition::new("v", 0)];
        check(kind, &partition, topic(), "TOPIC_NOT_FOUND");
        let broker = |limits: &mut Limits| limits.only_to_brokers = vec![BrokerId(9)];
        check(kind, &broker, GoalError::UnknownBroker(BrokerId(9)), "BROKER_NOT_FOUND");
    }

    #[test]
    fn what_the_limits_name_may_be_named() {
        let at = TopicPartition::new("t", 0);
        let limits = Limits {
            across_groups: true,
            only_topics: vec!["u".into()],
            only_partitions: vec![at],
            only_to_brokers: vec![BrokerId(2)],
            leaders_min: vec![("u".into(), 1)],
            replicas_per_broker_max: 1,
            ..Limits::default()
        };
        assert_eq!(validate(&snapshot(), &goal(GoalKind::Topic), &limits), Ok(()));
    }
}
