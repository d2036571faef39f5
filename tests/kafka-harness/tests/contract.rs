//! The contract suite on real brokers: what the simulated cluster is held to.

use std::sync::Arc;

use ballast_kafka_client::KafkaClient;
use ballast_kafka_contract::{run_all, run_matching};
use ballast_kafka_harness::{Options, RealCluster, RealClusterUnderTest, real_brokers_are_available};

#[tokio::test(flavor = "multi_thread")]
async fn real_brokers_obey_the_contract() {
    if !real_brokers_are_available() {
        return;
    }
    let options = Options { version: version(), brokers: 5, port_base: 21_200, ..Options::default() };
    let cluster = Arc::new(RealCluster::start(options).await);
    // Without the controllers other nodes get the writes of brokers' configs.
    let plain = KafkaClient::connect(cluster.client_config()).await.expect("a started cluster answers");
    let plain = RealClusterUnderTest::new(cluster.clone(), Arc::new(plain));
    for part in ["rates", "killed_broker"] {
        run_matching(&plain, part).await;
    }
    let admin = Arc::new(cluster.client().await);
    run_all(&RealClusterUnderTest::new(cluster, admin)).await;
}

/// `BALLAST_KAFKA_VERSION` runs the suite on another version, such as 3.9.2.
#[expect(clippy::disallowed_methods, reason = "which version to test is for the environment to say")]
fn version() -> String {
    std::env::var("BALLAST_KAFKA_VERSION").unwrap_or_else(|_| Options::default().version)
}
