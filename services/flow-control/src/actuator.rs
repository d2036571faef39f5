//! Reads and writes limits and lists on Kafka, in as few calls as possible. Must not know why, nor what is ours.
//!
//! A write whose outcome is unknown is an error like others: whoever asked reads back, and knows that it may arrive late.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ballast_cluster::BrokerId;
use ballast_kafka::{ConfigAlteration, ConfigOperation, ConfigResource, ConfigSource, ErrorCode, KafkaAdmin, KafkaError};
use ballast_throttle::ListEntry;

const RATE: &str = "leader.replication.throttled.rate";
const LIST: &str = "leader.replication.throttled.replicas";
const WINDOW_SAMPLES: &str = "replication.quota.window.num";
const WINDOW_SAMPLE_SECONDS: &str = "replication.quota.window.size.seconds";

/// What a broker says about its leader-side limit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct BrokerLimit {
    /// The value in force; `None`: no limit.
    pub(crate) value: Option<String>,
    /// It is set on this very broker, not inherited from the default of all or from its file.
    pub(crate) is_own: bool,
    /// Length of the limiter's window.
    pub(crate) window_seconds: u32,
}

/// A topic's list as set.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct TopicList {
    entries: BTreeSet<String>,
    is_set: bool,
}

impl TopicList {
    pub(crate) fn has(&self, entry: &ListEntry) -> bool {
        self.is_wildcard() || self.entries.contains(&entry.in_list())
    }

    /// Every replica of the topic is limited; single entries can be neither added nor taken out.
    pub(crate) fn is_wildcard(&self) -> bool {
        self.entries.contains("*")
    }

    /// Set, and nothing in it.
    pub(crate) fn is_left_empty(&self) -> bool {
        self.is_set && self.entries.is_empty()
    }

    /// Entries as (partition, broker), those that can be read.
    pub(crate) fn replicas(&self) -> impl Iterator<Item = (u32, BrokerId)> + '_ {
        let pair = |entry: &String| {
            let (partition, broker) = entry.split_once(':')?;
            Some((partition.parse().ok()?, BrokerId(broker.parse().ok()?)))
        };
        self.entries.iter().filter_map(pair)
    }
}

pub(crate) type Answers<K, V> = BTreeMap<K, Result<V, KafkaError>>;

#[derive(Clone)]
pub(crate) struct Actuator {
    pub(crate) kafka: Arc<dyn KafkaAdmin>,
}

impl Actuator {
    pub(crate) async fn limits(&self, brokers: impl IntoIterator<Item = BrokerId>) -> Answers<BrokerId, BrokerLimit> {
        let brokers: BTreeSet<BrokerId> = brokers.into_iter().collect();
        if brokers.is_empty() {
            return Answers::new();
        }
        let resources: Vec<ConfigResource> = brokers.iter().map(|broker| ConfigResource::Broker(*broker)).collect();
        match self.kafka.describe_configs(&resources, &[RATE, WINDOW_SAMPLES, WINDOW_SAMPLE_SECONDS]).await {
            Err(error) => brokers.into_iter().map(|broker| (broker, Err(error.clone()))).collect(),
            Ok(answers) => {
                let of = |(resource, answer): (ConfigResource, Result<Vec<_>, _>)| match resource {
                    ConfigResource::Broker(broker) => Some((broker, answer.map(|entries| broker_limit(&entries)))),
                    ConfigResource::Topic(_) | ConfigResource::BrokerDefault => None,
                };
                answers.into_iter().filter_map(of).collect()
            }
        }
    }

    pub(crate) async fn lists(&self, topics: impl IntoIterator<Item = String>) -> Answers<String, TopicList> {
        let topics: BTreeSet<String> = topics.into_iter().collect();
        if topics.is_empty() {
            return Answers::new();
        }
        let resources: Vec<ConfigResource> = topics.iter().cloned().map(ConfigResource::Topic).collect();
        match self.kafka.describe_configs(&resources, &[LIST]).await {
            Err(error) => topics.into_iter().map(|topic| (topic, Err(error.clone()))).collect(),
            Ok(answers) => {
                let of = |(resource, answer): (ConfigResource, Result<Vec<_>, _>)| match resource {
                    ConfigResource::Topic(topic) => Some((topic, answer.map(|entries| topic_list(&entries)))),
                    ConfigResource::Broker(_) | ConfigResource::BrokerDefault => None,
                };
                answers.into_iter().filter_map(of).collect()
            }
        }
    }

    /// Sets limits; returns the brokers that did not take theirs.
    pub(crate) async fn set_limits(&self, limits: &BTreeMap<BrokerId, u64>) -> BTreeMap<BrokerId, KafkaError> {
        let set = |(broker, rate): (&BrokerId, &u64)| alter_broker(*broker, ConfigOperation::Set(rate.to_string()));
        self.alter_brokers(limits.iter().map(set).collect()).await
    }

    /// Deletes limits; returns the brokers that did not take it.
    pub(crate) async fn delete_limits(&self, brokers: &[BrokerId]) -> BTreeMap<BrokerId, KafkaError> {
        self.alter_brokers(brokers.iter().map(|broker| alter_broker(*broker, ConfigOperation::Delete)).collect()).await
    }

    async fn alter_brokers(&self, alterations: Vec<ConfigAlteration>) -> BTreeMap<BrokerId, KafkaError> {
        let failures = self.alter(alterations).await;
        let of = |(resource, error)| match resource {
            ConfigResource::Broker(broker) => Some((broker, error)),
            ConfigResource::Topic(_) | ConfigResource::BrokerDefault => None,
        };
        failures.into_iter().filter_map(of).collect()
    }

    /// Adds entries, one write per topic; returns the topics that did not take theirs.
    pub(crate) async fn append_entries(&self, entries: &BTreeSet<&ListEntry>) -> BTreeMap<String, KafkaError> {
        self.alter_topics(per_topic(entries, ConfigOperation::Append)).await
    }

    /// Takes entries out, one write per topic. Returns the topics that did not take it; a topic that is gone took its list along.
    /// A list that is left empty is still set: see [`Self::delete_lists`].
    pub(crate) async fn subtract_entries(&self, entries: &BTreeSet<&ListEntry>) -> BTreeMap<String, KafkaError> {
        let mut failures = self.alter_topics(per_topic(entries, ConfigOperation::Subtract)).await;
        failures.retain(|_, error| error.code() != Some(ErrorCode::UnknownTopicOrPartition));
        failures
    }

    /// Deletes the keys of lists that were left empty.
    pub(crate) async fn delete_lists(&self, topics: impl IntoIterator<Item = String>) {
        let alteration = |topic| ConfigAlteration {
            resource: ConfigResource::Topic(topic),
            key: LIST.to_owned(),
            operation: ConfigOperation::Delete,
        };
        // Whoever asked goes on looking until the key is gone.
        self.alter_topics(topics.into_iter().map(alteration).collect()).await;
    }

    async fn alter_topics(&self, alterations: Vec<ConfigAlteration>) -> BTreeMap<String, KafkaError> {
        let failures = self.alter(alterations).await;
        let of = |(resource, error)| match resource {
            ConfigResource::Topic(topic) => Some((topic, error)),
            ConfigResource::Broker(_) | ConfigResource::BrokerDefault => None,
        };
        failures.into_iter().filter_map(of).collect()
    }

    async fn alter(&self, alterations: Vec<ConfigAlteration>) -> BTreeMap<ConfigResource, KafkaError> {
        if alterations.is_empty() {
            return BTreeMap::new();
        }
        let answers = match self.kafka.incremental_alter_configs(&alterations).await {
            Ok(answers) => answers,
            Err(error) => alterations.into_iter().map(|alteration| (alteration.resource, Err(error.clone()))).collect(),
        };
        answers.into_iter().filter_map(|(resource, answer)| Some((resource, answer.err()?))).collect()
    }
}

fn alter_broker(broker: BrokerId, operation: ConfigOperation) -> ConfigAlteration {
    ConfigAlteration { resource: ConfigResource::Broker(broker), key: RATE.to_owned(), operation }
}

fn per_topic(entries: &BTreeSet<&ListEntry>, operation: fn(String) -> ConfigOperation) -> Vec<ConfigAlteration> {
    let mut lists: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for entry in entries {
        lists.entry(&entry.topic).or_default().push(entry.in_list());
    }
    let alteration = |(topic, entries): (&str, Vec<String>)| ConfigAlteration {
        resource: ConfigResource::Topic(topic.to_owned()),
        key: LIST.to_owned(),
        operation: operation(entries.join(",")),
    };
    lists.into_iter().map(alteration).collect()
}

fn broker_limit(entries: &[ballast_kafka::ConfigEntry]) -> BrokerLimit {
    let number = |key: &str| {
        let value = entries.iter().find(|entry| entry.key == key).and_then(|entry| entry.value.as_deref());
        value.and_then(|value| value.parse::<u32>().ok())
    };
    // A limit in force is set somewhere; Kafka's own default is none.
    let set = entries.iter().find(|entry| {
        let is_set = !matches!(entry.source, ConfigSource::Default | ConfigSource::Other);
        entry.key == RATE && is_set && entry.value.as_deref().is_some_and(|value| value != i64::MAX.to_string())
    });
    BrokerLimit {
        value: set.and_then(|entry| entry.value.clone()),
        is_own: set.is_some_and(|entry| entry.source == ConfigSource::DynamicBroker),
        // Kafka's defaults where a broker does not say.
        window_seconds: number(WINDOW_SAMPLES).unwrap_or(11).saturating_mul(number(WINDOW_SAMPLE_SECONDS).unwrap_or(1)).max(1),
    }
}

fn topic_list(entries: &[ballast_kafka::ConfigEntry]) -> TopicList {
    let set = entries.iter().find(|entry| entry.key == LIST && entry.source == ConfigSource::DynamicTopic);
    let text = set.and_then(|entry| entry.value.as_deref()).unwrap_or_default();
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(str::to_owned).collect();
    TopicList { entries, is_set: set.is_some() }
}
