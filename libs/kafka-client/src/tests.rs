//! The client against servers that misbehave on purpose: what each kind of failure is called.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ballast_cluster::{BrokerId, TopicPartition};
use ballast_kafka::{KafkaAdmin, KafkaError};
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::{
    AlterPartitionReassignmentsRequest, ApiVersionsRequest, ApiVersionsResponse, BrokerId as WireBrokerId,
    DescribeClusterRequest, DescribeClusterResponse, DescribeQuorumRequest, ElectLeadersRequest, SaslHandshakeRequest,
    SaslHandshakeResponse,
};
use kafka_protocol::protocol::{Encodable, HeaderVersion, Request, StrBytes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

mod controllers;

/// What a fake broker does with a request, by API key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Answer,
    Silence,
    HangUp,
    Garbage,
}

/// A fake broker: negotiates versions, describes a cluster of itself, answers SASL handshakes with `sasl_error`, and treats
/// everything else in one manner.
#[derive(Clone)]
struct Fake {
    description: Manner,
    rest: Manner,
    sasl_error: i16,
    /// Requests other than negotiation and description.
    asked: Arc<AtomicUsize>,
}

impl Fake {
    fn that(rest: Manner) -> Self {
        Self { description: Manner::Answer, rest, sasl_error: 34, asked: Arc::default() }
    }

    /// Serves on a free port; gives its address.
    async fn serve(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let fake = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let fake = fake.clone();
                tokio::spawn(async move { fake.talk(stream, address.port()).await });
            }
        });
        address.to_string()
    }

    async fn talk(&self, mut stream: TcpStream, port: u16) {
        while let Ok(length) = stream.read_u32().await {
            let mut frame = vec![0; length as usize];
            if stream.read_exact(&mut frame).await.is_err() {
                return;
            }
            let number = |at: usize| i16::from_be_bytes([frame[at], frame[at + 1]]);
            let (key, version, correlation_id) = (number(0), number(2), &frame[4..8]);
            let (manner, body) = match key {
                ApiVersionsRequest::KEY => (Manner::Answer, answer::<ApiVersionsRequest>(&versions(), version)),
                SaslHandshakeRequest::KEY => {
                    let response = SaslHandshakeResponse::default().with_error_code(self.sasl_error);
                    (Manner::Answer, answer::<SaslHandshakeRequest>(&response, version))
                }
                DescribeClusterRequest::KEY => (self.description, answer::<DescribeClusterRequest>(&itself(port), version)),
                _ => {
                    self.asked.fetch_add(1, Ordering::Relaxed);
                    (self.rest, Bytes::from_static(&[0xff; 8]))
                }
            };
            match manner {
                Manner::Silence => {}
                Manner::HangUp => return,
                Manner::Answer | Manner::Garbage => {
                    let length = u32::try_from(body.len() + 4).expect("short").to_be_bytes();
                    let reply = [&length[..], correlation_id, &body].concat();
                    stream.write_all(&reply).await.expect("the client listens");
                }
            }
        }
    }
}

fn versions() -> ApiVersionsResponse {
    let api = |key: i16, max: i16| ApiVersion::default().with_api_key(key).with_min_version(0).with_max_version(max);
    ApiVersionsResponse::default().with_api_keys(vec![
        api(DescribeClusterRequest::KEY, 1),
        api(AlterPartitionReassignmentsRequest::KEY, 1),
        api(ElectLeadersRequest::KEY, 2),
    ])
}

fn itself(port: u16) -> DescribeClusterResponse {
    let broker = DescribeClusterBroker::default()
        .with_broker_id(WireBrokerId(7))
        .with_host(StrBytes::from_static_str("127.0.0.1"))
        .with_port(i32::from(port));
    DescribeClusterResponse::default().with_cluster_id(StrBytes::from_static_str("fake")).with_brokers(vec![broker])
}

fn answer<R: Request>(response: &R::Response, version: i16) -> Bytes {
    let mut body = BytesMut::new();
    if R::Response::header_version(version) == 1 {
        body.extend_from_slice(&[0]);
    }
    response.encode(&mut body, version).expect("the fake speaks the version");
    body.freeze()
}

fn config(server: &str) -> KafkaClientConfig {
    KafkaClientConfig {
        connect_deadline: Duration::from_millis(500),
        read_deadline: Duration::from_millis(400),
        write_deadline: Duration::from_millis(300),
        ..KafkaClientConfig::new(vec![server.to_owned()])
    }
}

async fn refused(server: &str) -> KafkaError {
    KafkaClient::connect(config(server)).await.err().expect("this server cannot be used")
}

async fn reassign(client: &KafkaClient) -> KafkaError {
    let targets = [(TopicPartition::new("orders", 0), Some(vec![BrokerId(7)]))];
    client.alter_partition_reassignments(&targets).await.expect_err("nobody answers")
}

#[tokio::test]
async fn a_cluster_of_one_is_described() {
    let server = Fake::that(Manner::Silence).serve().await;
    let client = KafkaClient::connect(config(&server)).await.expect("it answers");
    let described = client.describe_cluster(Some(BrokerId(7))).await.expect("it answers");
    assert_eq!((described.cluster_id.as_str(), described.answered_by), ("fake", Some(BrokerId(7))));
}

#[tokio::test]
async fn a_write_without_answer_is_unknown_and_sent_once() {
    for manner in [Manner::Silence, Manner::HangUp, Manner::Garbage] {
        let fake = Fake::that(manner);
        let client = KafkaClient::connect(config(&fake.serve().await)).await.expect("it describes itself");
        let error = reassign(&client).await;
        assert!(matches!(error, KafkaError::Unknown { .. }) && error.is_unknown(), "{error}");
        assert_eq!(fake.asked.load(Ordering::Relaxed), 1);
    }
}

#[tokio::test]
async fn a_write_that_hangs_does_not_hold_up_a_read() {
    let client = KafkaClient::connect(config(&Fake::that(Manner::Silence).serve().await)).await.expect("it describes itself");
    let hung = reassign(&client);
    let read = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        tokio::time::timeout(Duration::from_millis(200), client.describe_cluster(None)).await
    };
    let (write, read) = tokio::join!(hung, read);
    assert!(write.is_unknown());
    assert!(read.expect("long before the write gives up").is_ok());
}

#[tokio::test]
async fn a_read_without_answer_times_out_and_one_cut_off_is_unreachable() {
    let mut fake = Fake::that(Manner::Answer);
    fake.description = Manner::Silence;
    assert!(matches!(refused(&fake.serve().await).await, KafkaError::TimedOut { .. }));
    fake.description = Manner::HangUp;
    assert!(matches!(refused(&fake.serve().await).await, KafkaError::Unreachable { .. }));
    fake.description = Manner::Garbage;
    assert!(KafkaClient::connect(config(&fake.serve().await)).await.is_ok(), "the description itself is well formed");
}

#[tokio::test]
async fn an_api_that_the_broker_lacks_is_named_with_the_broker() {
    let client = KafkaClient::connect(config(&Fake::that(Manner::Answer).serve().await)).await.expect("it describes itself");
    let error = client.describe_quorum().await.expect_err("the fake has no quorum");
    let KafkaError::Unsupported { operation, broker, needs } = error else { panic!("{error}") };
    assert_eq!((operation, broker), ("DescribeQuorum", BrokerId(7)));
    assert!(needs.contains(&DescribeQuorumRequest::KEY.to_string()), "{needs}");
}

#[tokio::test]
async fn a_listener_that_wants_sasl_is_named() {
    let mut fake = Fake::that(Manner::Answer);
    (fake.description, fake.sasl_error) = (Manner::HangUp, 33);
    let server = fake.serve().await;
    assert_eq!(refused(&server).await, KafkaError::SecurityRequired { endpoint: server, wants: "SASL" });
}

/// Gives `first` to whoever sends anything but a TLS handshake, `hello` to the others.
async fn serve_bytes(first: &'static [u8], hello: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut byte = [0];
            if stream.read_exact(&mut byte).await.is_ok() {
                let reply = if byte[0] == 0x16 { hello } else { first };
                // Takes in the rest so that closing does not reset the connection under the reply.
                let _ = stream.write_all(reply).await;
                let _ = stream.shutdown().await;
                let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
            }
        }
    });
    address
}

#[tokio::test]
async fn a_listener_that_wants_tls_is_named_whether_it_alerts_or_hangs_up() {
    const ALERT: &[u8] = &[0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x0a];
    for (first, hello) in [(ALERT, ALERT), (&[][..], ALERT)] {
        let server = serve_bytes(first, hello).await;
        assert_eq!(refused(&server).await, KafkaError::SecurityRequired { endpoint: server, wants: "TLS" });
    }
}

#[tokio::test]
async fn what_is_no_kafka_at_all_is_told_from_what_hangs_up_or_is_not_there() {
    let web = serve_bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n", b"").await;
    assert!(matches!(refused(&web).await, KafkaError::Malformed { .. }));
    let shut = serve_bytes(b"", b"").await;
    assert!(matches!(refused(&shut).await, KafkaError::Unreachable { .. }));
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a free port").local_addr().expect("bound").to_string();
    assert!(matches!(refused(&nobody).await, KafkaError::Unreachable { endpoint, .. } if endpoint == nobody));
}

#[tokio::test]
async fn nothing_is_asked_when_there_is_nothing_to_ask() {
    let fake = Fake::that(Manner::Silence);
    let client = KafkaClient::connect(config(&fake.serve().await)).await.expect("it describes itself");
    assert_eq!(client.alter_partition_reassignments(&[]).await, Ok(vec![]));
    assert_eq!(client.elect_preferred_leaders(&[]).await, Ok(vec![]));
    assert_eq!(client.incremental_alter_configs(&[]).await, Ok(vec![]));
    assert_eq!(fake.asked.load(Ordering::Relaxed), 0);
}
