//! Fake controllers that hand over to each other: writes must find the active one and be carried out once.

use std::sync::Mutex;

use ballast_kafka::{ConfigAlteration, ConfigOperation};
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};
use kafka_protocol::protocol::{Decodable, decode_request_header_from_buffer};

use super::*;

const NOT_CONTROLLER: i16 = 41;

/// What the controllers share: who is active, and who has carried out a write.
#[derive(Default)]
struct Quorum {
    ports: Vec<u16>,
    active: Option<usize>,
    carried_out: Vec<usize>,
    refused: usize,
    /// After so many refusals the controller asked last becomes active.
    elected_after: Option<usize>,
}

type Shared = Arc<Mutex<Quorum>>;

/// Starts `count` controllers; gives their addresses.
async fn serve_quorum(count: usize, quorum: &Shared) -> Vec<String> {
    let mut servers = Vec::new();
    for node in 0..count {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        quorum.lock().expect("no panic").ports.push(address.port());
        servers.push(address.to_string());
        let quorum = quorum.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(talk(stream, node, quorum.clone()));
            }
        });
    }
    servers
}

async fn talk(mut stream: TcpStream, node: usize, quorum: Shared) {
    while let Ok(length) = stream.read_u32().await {
        let mut frame = vec![0; length as usize];
        if stream.read_exact(&mut frame).await.is_err() {
            return;
        }
        let number = |at: usize| i16::from_be_bytes([frame[at], frame[at + 1]]);
        let body = match number(0) {
            ApiVersionsRequest::KEY => {
                let mut versions = versions();
                versions
                    .api_keys
                    .push(ApiVersion::default().with_api_key(IncrementalAlterConfigsRequest::KEY).with_max_version(1));
                answer::<ApiVersionsRequest>(&versions, number(2))
            }
            DescribeClusterRequest::KEY => answer::<DescribeClusterRequest>(&described(&quorum), number(2)),
            _ => {
                let mut request = Bytes::from(frame.clone());
                decode_request_header_from_buffer(&mut request).expect("the client writes headers");
                let request =
                    IncrementalAlterConfigsRequest::decode(&mut request, number(2)).expect("the client writes requests");
                answer::<IncrementalAlterConfigsRequest>(&altered(node, &quorum, &request), number(2))
            }
        };
        let length = u32::try_from(body.len() + 4).expect("short").to_be_bytes();
        stream.write_all(&[&length[..], &frame[4..8], &body].concat()).await.expect("the client listens");
    }
}

fn described(quorum: &Shared) -> DescribeClusterResponse {
    let quorum = quorum.lock().expect("no panic");
    let id = |node: usize| WireBrokerId(100 + i32::try_from(node).expect("few"));
    let listed = quorum.ports.iter().enumerate().map(|(node, port)| {
        let host = StrBytes::from_static_str("127.0.0.1");
        DescribeClusterBroker::default().with_broker_id(id(node)).with_host(host).with_port(i32::from(*port))
    });
    let active = quorum.active.map_or(WireBrokerId(-1), id);
    DescribeClusterResponse::default().with_endpoint_type(2).with_controller_id(active).with_brokers(listed.collect())
}

fn altered(node: usize, quorum: &Shared, request: &IncrementalAlterConfigsRequest) -> IncrementalAlterConfigsResponse {
    let mut quorum = quorum.lock().expect("no panic");
    let error_code = if quorum.active == Some(node) {
        quorum.carried_out.push(node);
        0
    } else {
        quorum.refused += 1;
        if quorum.elected_after.is_some_and(|refusals| quorum.refused >= refusals) {
            quorum.active = Some(node);
        }
        NOT_CONTROLLER
    };
    let results = request.resources.iter().map(|resource| {
        let result = AlterConfigsResourceResponse::default().with_error_code(error_code);
        result.with_resource_type(resource.resource_type).with_resource_name(resource.resource_name.clone())
    });
    IncrementalAlterConfigsResponse::default().with_responses(results.collect())
}

fn rate() -> [ConfigAlteration; 1] {
    let operation = ConfigOperation::Set("1000000".into());
    [ConfigAlteration {
        resource: ConfigResource::Broker(BrokerId(7)),
        key: "leader.replication.throttled.rate".into(),
        operation,
    }]
}

async fn client(controllers: Vec<String>) -> KafkaClient {
    let server = Fake::that(Manner::Silence).serve().await;
    let write_deadline = Duration::from_secs(5);
    let config = KafkaClientConfig { controller_bootstrap_servers: controllers, write_deadline, ..config(&server) };
    KafkaClient::connect(config).await.expect("the broker describes itself")
}

#[tokio::test]
async fn writes_go_to_the_active_controller_and_follow_it() {
    let quorum = Shared::default();
    quorum.lock().expect("no panic").active = Some(1);
    let servers = serve_quorum(3, &quorum).await;
    // One that is configured and dead must not matter.
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a free port").local_addr().expect("bound").to_string();
    let client = client(vec![nobody, servers[0].clone()]).await;
    let done = Ok(vec![(ConfigResource::Broker(BrokerId(7)), Ok(()))]);
    assert_eq!(client.incremental_alter_configs(&rate()).await, done);
    quorum.lock().expect("no panic").active = Some(2);
    assert_eq!(client.incremental_alter_configs(&rate()).await, done);
    let quorum = quorum.lock().expect("no panic");
    assert_eq!((quorum.carried_out.clone(), quorum.refused), (vec![1, 2], 1), "the old one refuses once, the new one acts");
}

#[tokio::test]
async fn an_election_among_controllers_is_waited_for() {
    let quorum = Shared::default();
    let servers = serve_quorum(1, &quorum).await;
    let client = client(servers).await;
    let elect = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        quorum.lock().expect("no panic").active = Some(0);
    };
    let rate = rate();
    let (written, ()) = tokio::join!(client.incremental_alter_configs(&rate), elect);
    assert_eq!(written, Ok(vec![(ConfigResource::Broker(BrokerId(7)), Ok(()))]));
}

/// Brokers pass writes on; one that knows no controller has done nothing, so the same write goes out again.
#[tokio::test]
async fn a_broker_that_knows_no_controller_is_asked_again() {
    let quorum = Arc::new(Mutex::new(Quorum { elected_after: Some(3), ..Quorum::default() }));
    let servers = serve_quorum(1, &quorum).await;
    let client = KafkaClient::connect(KafkaClientConfig { write_deadline: Duration::from_secs(5), ..config(&servers[0]) });
    let client = client.await.expect("it describes itself");
    let mut alterations = rate();
    alterations[0].resource = ConfigResource::BrokerDefault;
    let results = client.incremental_alter_configs(&alterations).await;
    assert_eq!(results, Ok(vec![(ConfigResource::BrokerDefault, Ok(()))]));
    let quorum = quorum.lock().expect("no panic");
    assert_eq!((quorum.refused, quorum.carried_out.len()), (3, 1));
}
