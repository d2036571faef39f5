//! Records into and out of a cluster through librdkafka, with acks=all: what was acknowledged must be readable later. Must not
//! know what happens to the cluster meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ballast_clock::Clock;
use ballast_cluster::TopicPartition;
use futures::future::join_all;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Message, Offset, TopicPartitionList};
use tokio::task::JoinHandle;

use crate::RealCluster;

const TIMEOUT: Duration = Duration::from_secs(30);
const COMPLAINTS_MAX: usize = 100;

/// A record as it was read back.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Record {
    pub partition: i32,
    pub offset: i64,
    pub payload: Vec<u8>,
}

/// What a [`BackgroundProducer`] has sent.
#[derive(Clone, Default, Debug)]
pub struct Sent {
    /// Payloads that all in-sync replicas had.
    pub acknowledged: Vec<String>,
    /// Payloads that were given up on, with the error.
    pub failed: Vec<(String, String)>,
    /// From sending to the acknowledgement, sorted.
    pub latencies_milliseconds: Vec<i64>,
}

/// Sends small records with unique payloads until it is stopped, to the partitions of one topic in turn.
pub struct BackgroundProducer {
    stopping: Arc<AtomicBool>,
    task: JoinHandle<Sent>,
}

impl BackgroundProducer {
    /// Waits for what is on its way and gives the account of it all.
    pub async fn stop(self) -> Sent {
        self.stopping.store(true, Ordering::Relaxed);
        self.task.await.expect("the producer does not panic")
    }
}

/// Reads a topic as it grows, until it is stopped.
pub struct BackgroundConsumer {
    stopping: Arc<AtomicBool>,
    task: JoinHandle<Vec<Vec<u8>>>,
}

impl BackgroundConsumer {
    /// The payloads in the order in which they were given out, each partition's in its own. `settle` more seconds are read first.
    pub async fn stop(self, settle: Duration) -> Vec<Vec<u8>> {
        Clock::system().sleep(settle).await;
        self.stopping.store(true, Ordering::Relaxed);
        self.task.await.expect("the consumer does not panic")
    }
}

impl RealCluster {
    /// Starts to read partitions 0 to `partitions` - 1 of a topic from what comes next. Errors of brokers that vanish are passed
    /// over: a consumer has to live with them.
    pub fn consume_in_background(&self, topic: &str, partitions: u32) -> BackgroundConsumer {
        let stopping = Arc::new(AtomicBool::new(false));
        let until = stopping.clone();
        let consumer: BaseConsumer = self.consumer("ballast-harness-follower");
        let mut wanted = TopicPartitionList::new();
        for partition in 0..i32::try_from(partitions).expect("a test has few partitions") {
            wanted.add_partition_offset(topic, partition, Offset::End).expect("an offset is valid");
        }
        consumer.assign(&wanted).expect("the partitions exist");
        let task = tokio::task::spawn_blocking(move || {
            let mut payloads = Vec::new();
            while !until.load(Ordering::Relaxed) {
                if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
                    payloads.push(message.payload().unwrap_or_default().to_vec());
                }
            }
            payloads
        });
        BackgroundConsumer { stopping, task }
    }

    /// Appends `records` records of `size_bytes` to one partition; returns when all in-sync replicas have them.
    pub async fn produce(&self, at: &TopicPartition, records: u64, size_bytes: usize) {
        let producer = self.producer();
        let payload = vec![b'x'; size_bytes];
        let partition = i32::try_from(at.partition).expect("a test has few partitions");
        let sending = (0..records).map(|_| {
            let record: FutureRecord<'_, (), Vec<u8>> = FutureRecord::to(&at.topic).partition(partition).payload(&payload);
            producer.send(record, TIMEOUT)
        });
        for result in join_all(sending).await {
            result.unwrap_or_else(|(error, _)| panic!("producing to {at}: {error}"));
        }
    }

    /// Starts a producer of `records_per_second` to partitions 0 to `partitions` - 1.
    pub fn produce_in_background(&self, topic: &str, partitions: u32, records_per_second: u32) -> BackgroundProducer {
        let stopping = Arc::new(AtomicBool::new(false));
        let until = stopping.clone();
        let (producer, topic, clock) = (self.producer(), topic.to_owned(), Clock::system());
        let task = tokio::spawn(async move {
            let pause = Duration::from_secs(1) / records_per_second;
            let mut under_way = Vec::new();
            while !until.load(Ordering::Relaxed) {
                let payload = format!("{topic}-{}", under_way.len());
                let partition = i32::try_from(under_way.len() as u64 % u64::from(partitions)).expect("a test has few partitions");
                under_way.push(tokio::spawn(send_one(producer.clone(), topic.clone(), partition, payload, clock)));
                clock.sleep(pause).await;
            }
            account(join_all(under_way).await.into_iter().map(|sent| sent.expect("sending does not panic")))
        });
        BackgroundProducer { stopping, task }
    }

    /// Everything that a topic holds, partition by partition.
    pub async fn read_all(&self, topic: &str) -> Vec<Record> {
        let consumer: BaseConsumer = self.consumer("ballast-harness-reader");
        let topic = topic.to_owned();
        tokio::task::spawn_blocking(move || read_to_the_end(&consumer, &topic)).await.expect("reading does not panic")
    }

    /// Commits an offset for a group without members.
    pub async fn commit_group_offset(&self, group: &str, at: &TopicPartition, offset: i64) {
        let consumer: BaseConsumer = self.consumer(group);
        let partition = i32::try_from(at.partition).expect("a test has few partitions");
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset(&at.topic, partition, Offset::Offset(offset)).expect("an offset is valid");
        let commit = move || consumer.commit(&offsets, CommitMode::Sync);
        tokio::task::spawn_blocking(commit).await.expect("committing does not panic").expect("the coordinator takes the offset");
    }

    fn producer(&self) -> FutureProducer {
        let mut config = self.librdkafka();
        config.set("acks", "all").set("linger.ms", "2").set("message.timeout.ms", "60000").set("retry.backoff.ms", "50");
        config.set("message.max.bytes", "10000000").create().expect("librdkafka takes the config")
    }

    fn consumer(&self, group: &str) -> BaseConsumer {
        let mut config = self.librdkafka();
        config.set("group.id", group).set("enable.auto.commit", "false").set("enable.partition.eof", "false");
        config.create().expect("librdkafka takes the config")
    }
}

type Outcome = (String, Result<i64, String>);

async fn send_one(producer: FutureProducer, topic: String, partition: i32, payload: String, clock: Clock) -> Outcome {
    let started = clock.now();
    let record: FutureRecord<'_, (), String> = FutureRecord::to(&topic).partition(partition).payload(&payload);
    match producer.send(record, TIMEOUT).await {
        Ok(_) => (payload, Ok(clock.now().milliseconds_since(started))),
        Err((error, _)) => (payload, Err(error.to_string())),
    }
}

fn account(outcomes: impl Iterator<Item = Outcome>) -> Sent {
    let mut sent = Sent::default();
    for (payload, outcome) in outcomes {
        match outcome {
            Ok(latency_milliseconds) => {
                sent.acknowledged.push(payload);
                sent.latencies_milliseconds.push(latency_milliseconds);
            }
            Err(error) => sent.failed.push((payload, error)),
        }
    }
    sent.latencies_milliseconds.sort_unstable();
    sent
}

fn read_to_the_end(consumer: &BaseConsumer, topic: &str) -> Vec<Record> {
    let metadata = consumer.fetch_metadata(Some(topic), TIMEOUT).expect("brokers answer");
    let partitions: Vec<i32> = metadata.topics().iter().flat_map(|topic| topic.partitions().iter().map(|it| it.id())).collect();
    let mut wanted = TopicPartitionList::new();
    let mut left = 0_i64;
    for partition in partitions {
        let (start, end) = consumer.fetch_watermarks(topic, partition, TIMEOUT).expect("leaders answer");
        left += end - start;
        wanted.add_partition_offset(topic, partition, Offset::Beginning).expect("an offset is valid");
    }
    consumer.assign(&wanted).expect("the partitions exist");
    let mut records = Vec::new();
    let mut complaints = 0;
    while left > 0 {
        let message = match consumer.poll(TIMEOUT).unwrap_or_else(|| panic!("{left} records of {topic} are not given out")) {
            Ok(message) => message,
            // This is also how librdkafka tells of brokers that come and go; it finds the others by itself.
            Err(error) => {
                complaints += 1;
                assert!(complaints < COMPLAINTS_MAX, "reading {topic}: {error}");
                continue;
            }
        };
        let payload = message.payload().unwrap_or_default().to_vec();
        records.push(Record { partition: message.partition(), offset: message.offset(), payload });
        left -= 1;
    }
    records.sort();
    records
}
