//! Topics with explicit replica lists, made and removed through librdkafka, which is no part of what is tested.

use std::time::Duration;

use ballast_cluster::BrokerId;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;

use crate::RealCluster;

impl RealCluster {
    /// Creates a topic with one partition per list. The controller has it then; brokers learn of it a little later.
    pub async fn create_topic(&self, name: &str, assignment: &[Vec<BrokerId>], configs: &[(&str, &str)]) {
        let lists: Vec<Vec<i32>> = assignment.iter().map(|list| list.iter().map(|broker| broker.0).collect()).collect();
        let lists: Vec<&[i32]> = lists.iter().map(Vec::as_slice).collect();
        let partitions = i32::try_from(lists.len()).expect("a test has few partitions");
        let topic = NewTopic::new(name, partitions, TopicReplication::Variable(&lists));
        let topic = configs.iter().fold(topic, |topic, (key, value)| topic.set(key, value));
        let results = self.topic_admin().create_topics([&topic], &AdminOptions::new()).await.expect("brokers answer");
        assert!(results.iter().all(Result::is_ok), "creating {name}: {results:?}");
    }

    pub async fn delete_topic(&self, name: &str) {
        let results = self.topic_admin().delete_topics(&[name], &AdminOptions::new()).await.expect("brokers answer");
        assert!(results.iter().all(Result::is_ok), "deleting {name}: {results:?}");
    }

    fn topic_admin(&self) -> AdminClient<DefaultClientContext> {
        self.librdkafka().create().expect("librdkafka takes the config")
    }

    pub(crate) fn librdkafka(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.bootstrap_servers().join(","));
        // Dead brokers are part of the tests: look for live ones soon, and keep the log quiet about it.
        config.set("reconnect.backoff.max.ms", "1000").set("log_level", "2");
        config.set("socket.connection.setup.timeout.ms", Duration::from_secs(5).as_millis().to_string());
        config
    }
}
