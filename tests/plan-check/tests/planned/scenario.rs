//! Scenario files: a small cluster, a goal and what is expected of the plan that goes furthest, in words. Must not know how
//! plans are made.
//!
//! ```text
//! # what the scenario shows
//! broker 1 rack a [group g] [new|draining|dead] [capacity DISK IN OUT CPU]      # capacity 1000 each unless given
//! topic t [group g] size 10 in 10 out 5 [cpu LEADER FOLLOWER]                   # of each of its partitions; cpu ? is not measured
//! t:0 on 1 2 [leader 2|none] [in-sync 1 2] [size 10] [in 10] [out 5]            # out is what consumers read
//! goal rebalance|evacuate 3|drain 3|demote 3|expand 3|topic t:0=1,2 t:1=2,1 [band 0.10]
//! expect ...                                                                    # see `expectation`
//! ```

use ballast_cluster::{Broker, BrokerId, BrokerState, Capacity, Load, Partition, Snapshot, Topic, TopicPartition};
use ballast_planner::{Band, Goal, GoalKind};

pub struct Scenario {
    pub snapshot: Snapshot,
    pub goal: Goal,
    pub expected: Vec<String>,
}

/// Words after a keyword, up to the next keyword.
fn after<'a>(words: &[&'a str], keyword: &str) -> Option<Vec<&'a str>> {
    const KEYWORDS: [&str; 12] =
        ["rack", "group", "capacity", "size", "in", "out", "cpu", "on", "leader", "in-sync", "band", "new"];
    let at = words.iter().position(|word| *word == keyword)?;
    Some(words[at + 1..].iter().take_while(|word| !KEYWORDS.contains(word)).copied().collect())
}

fn number(words: &[&str], keyword: &str) -> Option<u64> {
    after(words, keyword)?.first()?.parse().ok()
}

fn ids(words: &[&str]) -> Vec<BrokerId> {
    words.iter().filter_map(|word| word.parse().ok()).map(BrokerId).collect()
}

impl Scenario {
    /// Reads a file's text; says by line what it cannot read.
    pub fn read(text: &str) -> Result<Scenario, String> {
        let mut scenario =
            Scenario { snapshot: Snapshot::default(), goal: Goal::new(GoalKind::Rebalance, Vec::new()), expected: Vec::new() };
        scenario.snapshot.cluster = "scenario".into();
        for (line, text) in text.lines().enumerate() {
            let words: Vec<&str> = text.split('#').next().unwrap_or("").split_whitespace().collect();
            let read = match words.as_slice() {
                [] => Some(()),
                ["broker", id, rest @ ..] => scenario.broker(id, rest),
                ["topic", name, rest @ ..] => scenario.topic(name, rest),
                ["goal", kind, rest @ ..] => scenario.goal(kind, rest),
                ["expect", rest @ ..] => {
                    scenario.expected.push(rest.join(" "));
                    Some(())
                }
                [place, rest @ ..] => scenario.partition(place, rest),
            };
            read.ok_or_else(|| format!("line {}: cannot read {text:?}", line + 1))?;
        }
        scenario.snapshot.sort();
        Ok(scenario)
    }

    fn broker(&mut self, id: &str, words: &[&str]) -> Option<()> {
        let has = |state: &str| words.contains(&state);
        let state = match () {
            () if has("dead") => BrokerState::Dead,
            () if has("draining") => BrokerState::Draining,
            () if has("new") => BrokerState::New,
            () => BrokerState::Alive,
        };
        let capacity: Vec<u64> =
            after(words, "capacity").unwrap_or_else(|| vec!["1000"; 4]).iter().filter_map(|word| word.parse().ok()).collect();
        let &[disk_bytes, network_in_bytes_per_second, network_out_bytes_per_second, cpu_millicores] = capacity.as_slice() else {
            return None;
        };
        self.snapshot.brokers.push(Broker {
            id: BrokerId(id.parse().ok()?),
            rack: after(words, "rack").and_then(|rack| rack.first().map(|rack| (*rack).to_owned())),
            host: None,
            group: after(words, "group").and_then(|group| group.first().copied()).unwrap_or("default").to_owned(),
            state,
            capacity: Capacity { cpu_millicores, disk_bytes, network_in_bytes_per_second, network_out_bytes_per_second },
            log_dirs: Vec::new(),
        });
        Some(())
    }

    /// The topic's figures wait in a partition of their own, which the first real one replaces.
    fn topic(&mut self, name: &str, words: &[&str]) -> Option<()> {
        let cpu = after(words, "cpu").unwrap_or_else(|| vec!["0", "0"]);
        let [leader, follower] = cpu.as_slice() else { return None };
        let load = Load {
            size_bytes: number(words, "size")?,
            produce_bytes_per_second: number(words, "in")?,
            consume_bytes_per_second: Some(number(words, "out")?),
            leader_cpu_millicores: leader.parse().ok(),
            follower_cpu_millicores: follower.parse().ok(),
            ..Load::default()
        };
        self.snapshot.topics.push(Topic {
            name: name.to_owned(),
            id: None,
            group: after(words, "group").and_then(|group| group.first().copied()).unwrap_or("default").to_owned(),
            min_insync_replicas: 1,
            partitions: vec![Partition { load, ..Partition::default() }],
        });
        Some(())
    }

    fn partition(&mut self, place: &str, words: &[&str]) -> Option<()> {
        let (topic, index) = place.split_once(':')?;
        let topic = self.snapshot.topics.iter_mut().find(|other| other.name == topic)?;
        let mut load = topic.partitions.first()?.load.clone();
        load.size_bytes = number(words, "size").unwrap_or(load.size_bytes);
        load.produce_bytes_per_second = number(words, "in").unwrap_or(load.produce_bytes_per_second);
        load.consume_bytes_per_second = number(words, "out").or(load.consume_bytes_per_second);
        let replicas = ids(&after(words, "on")?);
        let dead =
            |id: &BrokerId| self.snapshot.brokers.iter().any(|broker| broker.id == *id && broker.state == BrokerState::Dead);
        let in_sync = after(words, "in-sync").map_or_else(|| replicas.clone(), |list| ids(&list));
        let in_sync: Vec<BrokerId> = in_sync.into_iter().filter(|id| !dead(id)).collect();
        let leader = match after(words, "leader") {
            Some(leader) => ids(&leader).first().copied(),
            None => in_sync.first().copied(),
        };
        let index = index.parse().ok()?;
        let partition = Partition { index, replicas, leader, in_sync, load, ..Partition::default() };
        match topic.partitions.first_mut().filter(|first| first.replicas.is_empty()) {
            Some(first) => *first = partition,
            None => topic.partitions.push(partition),
        }
        Some(())
    }

    fn goal(&mut self, kind: &str, words: &[&str]) -> Option<()> {
        self.goal = Goal::new(GoalKind::parse(kind)?, Vec::new());
        if let Some(band) = after(words, "band") {
            self.goal.band = Band::parse(band.first()?)?;
        }
        for word in words.iter().take_while(|word| **word != "band") {
            match word.split_once('=') {
                Some((place, list)) => {
                    let (topic, index) = place.split_once(':')?;
                    let list = ids(&list.split(',').collect::<Vec<_>>());
                    self.goal.targets.push((TopicPartition::new(topic, index.parse().ok()?), list));
                }
                None => self.goal.brokers.push(BrokerId(word.parse().ok()?)),
            }
        }
        Some(())
    }
}
