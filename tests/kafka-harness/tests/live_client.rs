//! What the client must do on real brokers beyond the contract suite: listeners it cannot speak to, brokers and controllers that
//! go away and return, and records that must survive all of it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use ballast_clock::Clock;
use ballast_cluster::{BrokerId, TopicPartition};
use ballast_kafka::{ConfigAlteration, ConfigOperation, ConfigResource, KafkaAdmin, KafkaError, OffsetQuery};
use ballast_kafka_client::{KafkaClient, KafkaClientConfig};
use ballast_kafka_harness::{Options, RealCluster, real_brokers_are_available};

const PORT_BASE: u16 = 21_400;
/// Listeners of broker 1 that want security: their ports end in the broker's id.
const TLS_PORT_OF_1: u16 = 21_461;
const SASL_PORT_OF_1: u16 = 21_471;
const RATE: &str = "leader.replication.throttled.rate";

#[tokio::test(flavor = "multi_thread")]
async fn the_client_holds_on_a_live_cluster() {
    if !real_brokers_are_available() {
        return;
    }
    let keys = tempfile::tempdir().expect("a folder for the key store");
    let broker_properties = secured_listeners(&keys.path().join("keys.p12"));
    let options = Options { brokers: 4, port_base: PORT_BASE, broker_properties, ..Options::default() };
    let cluster = RealCluster::start(options).await;
    secured_listeners_are_refused_by_name().await;
    every_acknowledged_record_survives_a_drill(&cluster).await;
    a_broker_is_found_again_after_its_restart(&cluster).await;
    a_dead_brokers_config_needs_the_controllers(&cluster).await;
    writes_without_a_controller_end_in_time_as_unknown(&cluster).await;
}

/// Adds a TLS and a SASL listener to every broker.
fn secured_listeners(key_store: &Path) -> String {
    let made = Command::new("keytool")
        .args(["-genkeypair", "-alias", "broker", "-keyalg", "RSA", "-storetype", "PKCS12", "-storepass", "ballast-test"])
        .args(["-dname", "CN=localhost", "-keystore"])
        .arg(key_store)
        .output()
        .expect("keytool comes with the JDK");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
    let address = |name: &str, tens: u16| format!("{name}://127.0.0.1:{}@ID@", (PORT_BASE + tens) / 10);
    let listeners = [address("PLAINTEXT", 0), address("SSL", 60), address("SASL_PLAINTEXT", 70)].join(",");
    format!(
        "listeners={listeners}\nadvertised.listeners={listeners}\n\
         ssl.keystore.location={}\nssl.keystore.type=PKCS12\nssl.keystore.password=ballast-test\nssl.key.password=ballast-test\n\
         sasl.enabled.mechanisms=PLAIN\nlistener.name.sasl_plaintext.plain.sasl.jaas.config=\
         org.apache.kafka.common.security.plain.PlainLoginModule required user_ballast=\"secret\";\n",
        key_store.display()
    )
}

async fn secured_listeners_are_refused_by_name() {
    for (port, name) in [(TLS_PORT_OF_1, "TLS"), (SASL_PORT_OF_1, "SASL")] {
        let endpoint = format!("127.0.0.1:{port}");
        let error = KafkaClient::connect(KafkaClientConfig::new(vec![endpoint.clone()])).await.err();
        assert_eq!(error, Some(KafkaError::SecurityRequired { endpoint, wants: name }));
    }
}

/// Move, loss of a broker, move away from it, rollback and election, under a producer that wants every replica's word.
async fn every_acknowledged_record_survives_a_drill(cluster: &RealCluster) {
    let client = cluster.client().await;
    let [one, two, three, four] = [1, 2, 3, 4].map(BrokerId);
    let lists = vec![vec![one, two, three], vec![two, three, one], vec![three, one, two]];
    cluster.create_topic("drill", &lists, &[("min.insync.replicas", "2")]).await;
    let producer = cluster.produce_in_background("drill", 3, 50);
    let at = |partition: u32| TopicPartition::new("drill", partition);
    until(async || client.metadata(None, Some(&["drill".into()])).await.is_ok_and(|seen| seen.topic("drill").is_some())).await;

    submit(&client, &at(0), Some(vec![one, two, four])).await;
    until(async || replicas(&client, &at(0)).await == [one, two, four]).await;
    cluster.kill(four).await;
    until(async || {
        client.describe_cluster(None).await.is_ok_and(|seen| seen.brokers.iter().any(|it| it.id == four && it.fenced))
    })
    .await;
    submit(&client, &at(0), Some(vec![three, one, two])).await;
    until(async || replicas(&client, &at(0)).await == [three, one, two]).await;
    until(async || elected(&client, &at(0)).await).await;

    // A move that cannot end, rolled back: cancelled first, then the original list in its order.
    submit(&client, &at(1), Some(vec![two, three, four])).await;
    submit(&client, &at(1), None).await;
    submit(&client, &at(1), Some(vec![two, three, one])).await;
    until(async || replicas(&client, &at(1)).await == [two, three, one]).await;
    assert_eq!(client.list_partition_reassignments().await, Ok(vec![]));

    cluster.restart(four).await;
    let sent = producer.stop().await;
    let read: BTreeSet<Vec<u8>> = cluster.read_all("drill").await.into_iter().map(|record| record.payload).collect();
    let lost: Vec<&String> = sent.acknowledged.iter().filter(|payload| !read.contains(payload.as_bytes())).collect();
    assert!(lost.is_empty(), "{lost:?}");
    assert!(sent.acknowledged.len() > 100, "{} records", sent.acknowledged.len());
    assert_eq!(sent.failed, vec![]);
    eprintln!("drill: {} acknowledged, slowest {:?} ms", sent.acknowledged.len(), sent.latencies_milliseconds.last());
    cluster.delete_topic("drill").await;
}

/// The client holds connections that the restart has cut.
async fn a_broker_is_found_again_after_its_restart(cluster: &RealCluster) {
    let client = cluster.client().await;
    let broker = BrokerId(2);
    until(async || client.describe_log_dirs(broker).await.is_ok()).await;
    cluster.kill(broker).await;
    until(async || client.describe_log_dirs(broker).await.is_err()).await;
    let error = client.metadata(Some(broker), None).await.expect_err("it is dead");
    assert!(matches!(error, KafkaError::Unreachable { .. }), "{error}");
    assert!(client.metadata(None, None).await.is_ok(), "another one answers");
    let absent = client.list_offsets(BrokerId(9), OffsetQuery::LeaderEnd, &[TopicPartition::new("x", 0)]).await;
    assert!(matches!(absent, Err(KafkaError::Unreachable { .. })), "{absent:?}");
    cluster.restart(broker).await;
    until(async || client.describe_log_dirs(broker).await.is_ok()).await;
}

async fn a_dead_brokers_config_needs_the_controllers(cluster: &RealCluster) {
    let (through_controllers, plain) = (cluster.client().await, KafkaClient::connect(cluster.client_config()).await);
    let plain = plain.expect("brokers answer");
    assert_eq!((through_controllers.reaches_dead_brokers_configs(), plain.reaches_dead_brokers_configs()), (true, false));
    let (dead, live) = (BrokerId(3), BrokerId(1));
    let alteration = |broker: BrokerId, operation: ConfigOperation| ConfigAlteration {
        resource: ConfigResource::Broker(broker),
        key: RATE.into(),
        operation,
    };
    let both = |operation: ConfigOperation| [alteration(dead, operation.clone()), alteration(live, operation)];
    cluster.kill(dead).await;
    let mixed = plain.incremental_alter_configs(&both(ConfigOperation::Set("7000000".into()))).await.expect("one answers");
    assert!(matches!(&mixed[0], (ConfigResource::Broker(it), Err(KafkaError::Unreachable { .. })) if *it == dead), "{mixed:?}");
    assert_eq!(mixed[1], (ConfigResource::Broker(live), Ok(())));
    for operation in [ConfigOperation::Set("7000000".into()), ConfigOperation::Delete] {
        let results = through_controllers.incremental_alter_configs(&both(operation)).await.expect("the controller answers");
        assert!(results.iter().all(|(_, result)| result.is_ok()), "{results:?}");
    }
    cluster.restart(dead).await;
    until(async || plain.describe_log_dirs(dead).await.is_ok()).await;
}

/// Brokers would answer after 60 s.
async fn writes_without_a_controller_end_in_time_as_unknown(cluster: &RealCluster) {
    let (read_deadline, write_deadline) = (Duration::from_secs(2), Duration::from_secs(3));
    let config = KafkaClientConfig { read_deadline, write_deadline, ..cluster.client_config() };
    let client = KafkaClient::connect(config).await.expect("brokers answer");
    let at = TopicPartition::new("quorum-away", 0);
    cluster.create_topic("quorum-away", &[vec![BrokerId(1), BrokerId(2)]], &[]).await;
    until(async || replicas(&client, &at).await.len() == 2).await;
    cluster.kill_controller().await;
    let clock = Clock::system();
    let started = clock.now();
    let target = vec![BrokerId(2), BrokerId(1)];
    let written = client.alter_partition_reassignments(&[(at.clone(), Some(target.clone()))]).await.expect_err("nobody decides");
    assert!(matches!(written, KafkaError::Unknown { .. }), "{written}");
    let listed = client.list_partition_reassignments().await.expect_err("nobody knows");
    assert!(matches!(listed, KafkaError::TimedOut { .. }), "{listed}");
    assert!(clock.now().milliseconds_since(started) < 7_000);
    assert_eq!(replicas(&client, &at).await, [BrokerId(1), BrokerId(2)], "brokers still tell what they know");
    cluster.restart_controller().await;
    until(async || client.list_partition_reassignments().await.is_ok()).await;
    submit(&client, &at, Some(target.clone())).await;
    until(async || replicas(&client, &at).await == target).await;
}

async fn submit(client: &KafkaClient, at: &TopicPartition, target: Option<Vec<BrokerId>>) {
    let results = client.alter_partition_reassignments(&[(at.clone(), target)]).await.expect("the controller answers");
    assert_eq!(results, vec![(at.clone(), Ok(()))]);
}

async fn replicas(client: &KafkaClient, at: &TopicPartition) -> Vec<BrokerId> {
    let topics = [at.topic.clone()];
    let Ok(metadata) = client.metadata(None, Some(&topics)).await else { return vec![] };
    let topic = metadata.topic(&at.topic);
    let partition = topic.and_then(|topic| topic.partitions.iter().find(|it| it.partition == at.partition));
    partition.map(|it| it.replicas.clone()).unwrap_or_default()
}

/// Elects and tells whether the preferred replica leads.
async fn elected(client: &KafkaClient, at: &TopicPartition) -> bool {
    let _ = client.elect_preferred_leaders(std::slice::from_ref(at)).await;
    let topics = [at.topic.clone()];
    let metadata = client.metadata(None, Some(&topics)).await.expect("brokers answer");
    let partition = metadata.topic(&at.topic).and_then(|topic| topic.partitions.iter().find(|it| it.partition == at.partition));
    partition.is_some_and(|it| it.leader == it.replicas.first().copied())
}

async fn until(held: impl AsyncFn() -> bool) {
    for _ in 0..300 {
        if held().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("waited 60 s in vain");
}
