//! One healing on a cluster with Kafka's stock settings: session of 9 s, throttle window of 11 s, grace of 10 s.

use std::sync::Arc;
use std::time::Duration;

use ballast_cluster::BrokerId;
use ballast_end_to_end::{ControlCenter, Observer, Settings, eventually};
use ballast_kafka_harness::{Options, RealCluster};

use crate::bench::{Bench, LARGE_BYTES};

const TOPIC: &str = "stock";

pub async fn healing_on_stock_settings(_shared: Arc<Bench>) {
    let options = Options { brokers: 4, session_milliseconds: 9_000, port_base: 23_400, ..Options::default() };
    let cluster = RealCluster::start(options).await;
    let observer = Observer { admin: Arc::new(cluster.client().await) };
    let bench = Bench { cluster, observer };
    bench.topic(TOPIC, &[(&[4, 1, 2], LARGE_BYTES), (&[1, 4, 2], LARGE_BYTES), (&[2, 3, 1], LARGE_BYTES)]).await;
    let settings = Settings { grace_seconds: 10, knows_controller: false, ..Settings::default() };
    let center = ControlCenter::start(&bench.cluster, &settings).await;
    bench.wait_for_model(&center).await;
    bench.wait_for_sizes(&center, TOPIC).await;
    center.command(&["throttle", "set", "--max", "10MB/s"]);
    bench.cluster.kill(BrokerId(4)).await;
    eventually("broker 4 counts as lost", Duration::from_secs(60), || async {
        (center.json(&["broker", "get", "4"])["state"] == "dead").then_some(())
    })
    .await;
    let task = center.task(&center.plan(&["--evacuate", "4"]));
    center.wait_for(&task, "SUCCEEDED", Duration::from_secs(120)).await;
    bench.observer.expect_healthy(TOPIC, 3, &[4], 2).await;
    // Without the controller endpoint the dead broker's config cannot be reached: nothing was set on it, nothing may be left.
    bench.cluster.restart(BrokerId(4)).await;
    bench.observer.expect_alive(BrokerId(4), true).await;
    bench.observer.expect_no_throttles(&bench.cluster.brokers(), &[TOPIC]).await;
}
