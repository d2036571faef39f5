//! Dynamic configs of topics and brokers with Kafka's list operations, defaults and sources, and what they mean for throttling.
//! Must not know replication.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub const LEADER_RATE: &str = "leader.replication.throttled.rate";
pub const FOLLOWER_RATE: &str = "follower.replication.throttled.rate";
pub const LEADER_LIST: &str = "leader.replication.throttled.replicas";
pub const FOLLOWER_LIST: &str = "follower.replication.throttled.replicas";
pub const WINDOW: &str = "replication.quota.window.num";
pub const CORDONED: &str = "cordoned.log.dirs";
pub const BACK_OFF: &str = "replica.fetch.backoff.ms";

/// What a broker has when nobody configured it.
const BROKER_DEFAULTS: &[(&str, &str)] = &[
    (WINDOW, "11"),
    ("replication.quota.window.size.seconds", "1"),
    (BACK_OFF, "1000"),
    ("replica.fetch.max.bytes", "1048576"),
    ("replica.fetch.response.max.bytes", "10485760"),
    ("replica.lag.time.max.ms", "30000"),
    ("num.replica.fetchers", "1"),
    ("min.insync.replicas", "1"),
    ("default.replication.factor", "1"),
    ("unclean.leader.election.enable", "false"),
    (CORDONED, ""),
];
const TOPIC_DEFAULTS: &[(&str, &str)] = &[
    (LEADER_LIST, ""),
    (FOLLOWER_LIST, ""),
    ("min.insync.replicas", "1"),
    ("retention.bytes", "-1"),
    ("retention.ms", "604800000"),
    ("segment.bytes", "1073741824"),
    ("cleanup.policy", "delete"),
    ("unclean.leader.election.enable", "false"),
];

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Debug)]
pub enum Resource {
    Topic(String),
    Broker(i32),
    BrokerDefault,
}

#[derive(Clone, Serialize, Deserialize, Debug)]
pub enum Operation {
    Set(String),
    Delete,
    Append(String),
    Subtract(String),
}

#[derive(Clone, Serialize, Deserialize, Debug)]
pub struct Alteration {
    pub resource: Resource,
    pub key: String,
    pub operation: Operation,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    Topic,
    Broker,
    BrokerDefault,
    File,
    Default,
}

#[derive(Clone, Serialize, Deserialize, Debug, Default)]
pub struct Configs {
    topics: BTreeMap<String, BTreeMap<String, String>>,
    brokers: BTreeMap<i32, BTreeMap<String, String>>,
    broker_default: BTreeMap<String, String>,
    /// The brokers' files, alike on all of them.
    file: BTreeMap<String, String>,
}

impl Configs {
    pub fn with_file(file: BTreeMap<String, String>) -> Self {
        Self { file, ..Self::default() }
    }

    /// Changes one key; the error is the reason why Kafka refuses the value.
    pub fn alter(&mut self, alteration: &Alteration) -> Result<(), String> {
        let key = alteration.key.as_str();
        let map = match &alteration.resource {
            Resource::Topic(name) => self.topics.entry(name.clone()).or_default(),
            Resource::Broker(id) => self.brokers.entry(*id).or_default(),
            Resource::BrokerDefault => &mut self.broker_default,
        };
        let entries = |text: &str| text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(str::to_owned).collect();
        let mut present: Vec<String> = map.get(key).map(|text| entries(text)).unwrap_or_default();
        let value = match &alteration.operation {
            Operation::Delete => {
                map.remove(key);
                return Ok(());
            }
            Operation::Set(value) => value.clone(),
            Operation::Append(more) => {
                for entry in entries(more) {
                    if !present.contains(&entry) {
                        present.push(entry);
                    }
                }
                present.join(",")
            }
            Operation::Subtract(fewer) => {
                let leaving: Vec<String> = entries(fewer);
                present.retain(|entry| !leaving.contains(entry));
                present.join(",")
            }
        };
        validate(key, &value)?;
        map.insert(key.to_owned(), value);
        Ok(())
    }

    /// A key's value in force and where it comes from.
    pub fn read(&self, resource: &Resource, key: &str) -> Option<(String, Source)> {
        let default = |defaults: &[(&str, &str)]| {
            defaults.iter().find(|(name, _)| *name == key).map(|(_, value)| ((*value).to_owned(), Source::Default))
        };
        let found = |map: Option<&BTreeMap<String, String>>, source| map?.get(key).map(|value| (value.clone(), source));
        match resource {
            Resource::Topic(name) => found(self.topics.get(name), Source::Topic).or_else(|| {
                let inherited = default(TOPIC_DEFAULTS)?;
                found(Some(&self.broker_default), Source::BrokerDefault)
                    .or_else(|| found(Some(&self.file), Source::File))
                    .or(Some(inherited))
            }),
            Resource::Broker(id) => found(self.brokers.get(id), Source::Broker)
                .or_else(|| found(Some(&self.broker_default), Source::BrokerDefault))
                .or_else(|| found(Some(&self.file), Source::File))
                .or_else(|| default(BROKER_DEFAULTS)),
            Resource::BrokerDefault => found(Some(&self.broker_default), Source::BrokerDefault),
        }
    }

    /// A broker's throttle rate in bytes per second; `None` without limit.
    pub fn rate(&self, broker: i32, key: &str) -> Option<u64> {
        let own = self.brokers.get(&broker).and_then(|map| map.get(key));
        own.or_else(|| self.broker_default.get(key))?.parse().ok()
    }

    /// A number that every broker has by default or from its file.
    pub fn number(&self, broker: i32, key: &str) -> i64 {
        self.read(&Resource::Broker(broker), key).and_then(|(value, _)| value.parse().ok()).unwrap_or(0)
    }

    pub fn forget_topic(&mut self, name: &str) {
        self.topics.remove(name);
    }

    pub fn throttle_table(&self) -> ThrottleTable {
        let mut table = ThrottleTable::default();
        for (topic, map) in &self.topics {
            for (key, side) in [(LEADER_LIST, &mut table.leader), (FOLLOWER_LIST, &mut table.follower)] {
                let Some(text) = map.get(key).filter(|text| !text.is_empty()) else { continue };
                side.insert(topic.clone(), Listed::parse(text));
            }
        }
        table
    }
}

fn validate(key: &str, value: &str) -> Result<(), String> {
    let refused = |wants: &str| Err(format!("Invalid value {value} for configuration {key}: must be {wants}"));
    match key {
        LEADER_RATE | FOLLOWER_RATE if value.parse::<u64>().is_err() => refused("a number of at least 0"),
        LEADER_LIST | FOLLOWER_LIST => {
            let is_entry = |entry: &str| {
                entry
                    .split_once(':')
                    .is_some_and(|(partition, broker)| partition.parse::<u32>().is_ok() && broker.parse::<i32>().is_ok())
            };
            match value == "*" || value.split(',').filter(|entry| !entry.is_empty()).all(is_entry) {
                true => Ok(()),
                false => refused("a list of partition:broker, or *"),
            }
        }
        "min.insync.replicas" if !value.parse::<u32>().is_ok_and(|number| number > 0) => refused("at least 1"),
        _ => Ok(()),
    }
}

/// The throttle lists of all topics, parsed.
#[derive(Clone, Debug, Default)]
pub struct ThrottleTable {
    leader: BTreeMap<String, Listed>,
    follower: BTreeMap<String, Listed>,
}

#[derive(Clone, Debug)]
enum Listed {
    All,
    Replicas(BTreeSet<(u32, i32)>),
}

impl Listed {
    fn parse(text: &str) -> Self {
        if text == "*" {
            return Self::All;
        }
        let pair = |entry: &str| {
            let (partition, broker) = entry.split_once(':')?;
            Some((partition.parse().ok()?, broker.parse().ok()?))
        };
        Self::Replicas(text.split(',').filter_map(pair).collect())
    }

    fn has(&self, partition: u32, broker: i32) -> bool {
        match self {
            Self::All => true,
            Self::Replicas(replicas) => replicas.contains(&(partition, broker)),
        }
    }
}

impl ThrottleTable {
    pub fn lists_leader(&self, topic: &str, partition: u32, broker: i32) -> bool {
        self.leader.get(topic).is_some_and(|listed| listed.has(partition, broker))
    }

    pub fn lists_follower(&self, topic: &str, partition: u32, broker: i32) -> bool {
        self.follower.get(topic).is_some_and(|listed| listed.has(partition, broker))
    }
}
