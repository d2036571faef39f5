//! IncrementalAlterConfigs and DescribeConfigs. Must not know what the keys mean. A broker checks that configs of a broker are its
//! own, so those go to it, or to the active controller, which takes all of them.

use std::collections::BTreeMap;

use ballast_cluster::BrokerId;
use ballast_kafka::{Batch, ConfigAlteration, ConfigEntry, ConfigOperation, ConfigResource, ConfigSource, KafkaError};
use futures::future::join_all;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::DescribeConfigsResult;
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::{DescribeConfigsRequest, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};

use crate::batch::{Gathered, ITEMS_PER_REQUEST_MAX, in_order};
use crate::cluster::Cluster;
use crate::refusal::{check, is_not_controller};
use crate::wire;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const ALTER: &str = "IncrementalAlterConfigs";
const DESCRIBE: &str = "DescribeConfigs";

/// Who is asked about a resource.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Route {
    AnyBroker,
    Broker(BrokerId),
    Controller,
}

pub(crate) async fn alter(cluster: &Cluster, alterations: &[ConfigAlteration]) -> Result<Batch<ConfigResource>, KafkaError> {
    let mut resources: BTreeMap<&ConfigResource, Vec<&ConfigAlteration>> = BTreeMap::new();
    let mut order: Vec<&ConfigResource> = Vec::new();
    for alteration in alterations {
        let known = resources.entry(&alteration.resource).or_default();
        if known.is_empty() {
            order.push(&alteration.resource);
        }
        known.push(alteration);
    }
    let routes = pieces(order.iter().copied(), |resource| match resource {
        ConfigResource::Broker(_) if cluster.has_controllers() => Route::Controller,
        other => own_route(other),
    });
    let sent = routes.iter().map(|(route, piece)| alter_piece(cluster, *route, piece, &resources));
    let mut gathered = Gathered::new();
    for ((_, piece), outcome) in routes.iter().zip(join_all(sent).await) {
        gathered.add(piece.iter().map(|resource| (*resource).clone()), outcome);
    }
    gathered.finish().map(|results| ordered(order, results))
}

async fn alter_piece(
    cluster: &Cluster,
    route: Route,
    piece: &[&ConfigResource],
    alterations: &BTreeMap<&ConfigResource, Vec<&ConfigAlteration>>,
) -> Result<Batch<ConfigResource>, KafkaError> {
    let call = cluster.write(ALTER);
    let resource = |resource: &&ConfigResource| {
        let (resource_type, name) = named(resource);
        let configs = alterations.get(resource).into_iter().flatten().map(|alteration| alterable(alteration)).collect();
        AlterConfigsResource::default()
            .with_resource_type(resource_type)
            .with_resource_name(wire::text(&name))
            .with_configs(configs)
    };
    let request = IncrementalAlterConfigsRequest::default().with_resources(piece.iter().map(resource).collect());
    let answer = call
        .run(async {
            match route {
                Route::AnyBroker => cluster.ask_for_controller(&call, &request, 0, not_controller).await,
                Route::Broker(broker) => cluster.ask_broker(&call, broker, &request, 0).await,
                Route::Controller => cluster.ask_controller(&call, &request, 0, not_controller).await,
            }
        })
        .await?;
    let missing = call.malformed(&answer.endpoint, "the answer leaves out a resource".into());
    let results = answer.response.responses.iter().filter_map(|result| {
        let resource = resource_of(result.resource_type, &result.resource_name)?;
        Some((resource, check(ALTER, result.error_code, result.error_message.as_ref())))
    });
    Ok(in_order(piece.iter().map(|resource| (*resource).clone()), results, &missing))
}

/// The error of the whole answer, which has no field for it: a node that is not the controller refuses every resource.
fn not_controller(response: &IncrementalAlterConfigsResponse) -> i16 {
    let all = response.responses.iter().all(|result| is_not_controller(result.error_code));
    response.responses.first().filter(|_| all).map_or(0, |result| result.error_code)
}

pub(crate) async fn describe(
    cluster: &Cluster,
    resources: &[ConfigResource],
    keys: &[&str],
) -> Result<Batch<ConfigResource, Vec<ConfigEntry>>, KafkaError> {
    let routes = pieces(resources, own_route);
    let sent = routes.iter().map(|(route, piece)| describe_piece(cluster, *route, piece, keys));
    let mut gathered = Gathered::new();
    for ((_, piece), outcome) in routes.iter().zip(join_all(sent).await) {
        gathered.add(piece.iter().map(|resource| (*resource).clone()), outcome);
    }
    gathered.finish().map(|results| ordered(resources, results))
}

async fn describe_piece(
    cluster: &Cluster,
    route: Route,
    piece: &[&ConfigResource],
    keys: &[&str],
) -> Result<Batch<ConfigResource, Vec<ConfigEntry>>, KafkaError> {
    let call = cluster.read(DESCRIBE);
    let resource = |resource: &&ConfigResource| {
        let (resource_type, name) = named(resource);
        DescribeConfigsResource::default()
            .with_resource_type(resource_type)
            .with_resource_name(wire::text(&name))
            .with_configuration_keys(Some(keys.iter().map(|key| wire::text(key)).collect()))
    };
    let request = DescribeConfigsRequest::default().with_resources(piece.iter().map(resource).collect());
    let via = match route {
        Route::Broker(broker) => Some(broker),
        Route::AnyBroker | Route::Controller => None,
    };
    let answer = call.run(cluster.ask(&call, via, &request, 1)).await?;
    let missing = call.malformed(&answer.endpoint, "the answer leaves out a resource".into());
    let results = answer.response.results.iter().filter_map(|result| {
        let resource = resource_of(result.resource_type, &result.resource_name)?;
        let checked = check(DESCRIBE, result.error_code, result.error_message.as_ref());
        Some((resource, checked.map(|()| entries(result))))
    });
    Ok(in_order(piece.iter().map(|resource| (*resource).clone()), results, &missing))
}

/// Keys without a value are left out, unless they are secrets.
fn entries(result: &DescribeConfigsResult) -> Vec<ConfigEntry> {
    let told = result.configs.iter().filter(|config| config.value.is_some() || config.is_sensitive);
    let entry = told.map(|config| ConfigEntry {
        key: config.name.to_string(),
        value: config.value.as_ref().map(ToString::to_string),
        source: source(config.config_source),
    });
    let mut entries: Vec<ConfigEntry> = entry.collect();
    entries.sort_by(|a, b| a.key.cmp(&b.key));
    entries
}

/// Requests to send: the resources of each route, in pieces.
fn pieces<'a>(
    resources: impl IntoIterator<Item = &'a ConfigResource>,
    route: impl Fn(&ConfigResource) -> Route,
) -> Vec<(Route, Vec<&'a ConfigResource>)> {
    let mut routes: BTreeMap<Route, Vec<&ConfigResource>> = BTreeMap::new();
    for resource in resources {
        routes.entry(route(resource)).or_default().push(resource);
    }
    let cut = |(route, resources): (Route, Vec<&'a ConfigResource>)| {
        resources.chunks(ITEMS_PER_REQUEST_MAX).map(|piece| (route, piece.to_vec())).collect::<Vec<_>>()
    };
    routes.into_iter().flat_map(cut).collect()
}

fn own_route(resource: &ConfigResource) -> Route {
    match resource {
        ConfigResource::Broker(broker) => Route::Broker(*broker),
        ConfigResource::Topic(_) | ConfigResource::BrokerDefault => Route::AnyBroker,
    }
}

/// The results in the order in which the resources were named.
fn ordered<'a, V>(
    order: impl IntoIterator<Item = &'a ConfigResource>,
    results: Batch<ConfigResource, V>,
) -> Batch<ConfigResource, V> {
    let missing = KafkaError::Malformed { endpoint: "the cluster".into(), cause: "the answer leaves out a resource".into() };
    in_order(order.into_iter().cloned(), results, &missing)
}

/// Kafka's type and name of a resource; the default of all brokers is the broker without a name.
fn named(resource: &ConfigResource) -> (i8, String) {
    match resource {
        ConfigResource::Topic(name) => (TOPIC, name.clone()),
        ConfigResource::Broker(broker) => (BROKER, broker.to_string()),
        ConfigResource::BrokerDefault => (BROKER, String::new()),
    }
}

fn resource_of(resource_type: i8, name: &str) -> Option<ConfigResource> {
    match (resource_type, name) {
        (TOPIC, name) => Some(ConfigResource::Topic(name.to_owned())),
        (BROKER, "") => Some(ConfigResource::BrokerDefault),
        (BROKER, id) => id.parse().ok().map(|id| ConfigResource::Broker(BrokerId(id))),
        _ => None,
    }
}

fn alterable(alteration: &ConfigAlteration) -> AlterableConfig {
    let (operation, value) = match &alteration.operation {
        ConfigOperation::Set(value) => (0, Some(value)),
        ConfigOperation::Delete => (1, None),
        ConfigOperation::Append(value) => (2, Some(value)),
        ConfigOperation::Subtract(value) => (3, Some(value)),
    };
    AlterableConfig::default()
        .with_name(wire::text(&alteration.key))
        .with_config_operation(operation)
        .with_value(value.map(|value| wire::text(value)))
}

fn source(number: i8) -> ConfigSource {
    match number {
        1 => ConfigSource::DynamicTopic,
        2 => ConfigSource::DynamicBroker,
        3 => ConfigSource::DynamicBrokerDefault,
        4 => ConfigSource::StaticBroker,
        5 => ConfigSource::Default,
        _ => ConfigSource::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_have_the_names_that_kafka_gives_back() {
        let resources =
            [ConfigResource::Topic("orders".into()), ConfigResource::Broker(BrokerId(4)), ConfigResource::BrokerDefault];
        for resource in resources {
            let (resource_type, name) = named(&resource);
            assert_eq!(resource_of(resource_type, &name), Some(resource));
        }
        assert_eq!(resource_of(8, "4"), None);
    }

    #[test]
    fn each_broker_and_each_thousand_resources_make_a_request() {
        let mut resources: Vec<ConfigResource> =
            (0..1_500).map(|index| ConfigResource::Topic(format!("topic-{index}"))).collect();
        resources.extend([
            ConfigResource::Broker(BrokerId(2)),
            ConfigResource::BrokerDefault,
            ConfigResource::Broker(BrokerId(1)),
        ]);
        let cut: Vec<(Route, usize)> = pieces(&resources, own_route).iter().map(|(route, piece)| (*route, piece.len())).collect();
        let broker = |id: i32| (Route::Broker(BrokerId(id)), 1);
        assert_eq!(cut, vec![(Route::AnyBroker, 1_000), (Route::AnyBroker, 501), broker(1), broker(2)]);
    }
}
