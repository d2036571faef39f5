//! What a plan must stay within as flags, whatever its goal. Must not know how a plan is kept there.

use ballast_analyzer::with_matched_topics;
use ballast_cluster::{BrokerId, Snapshot, TopicPartition};
use ballast_events::TopicPatterns;
use ballast_planner::{Band, CapacityShares, FailureRoom, Limits};
use ballast_proto::analyzer::v1 as wire;
use clap::{Args, ValueEnum};
use regex::Regex;

use super::exit::CliError;
use super::goal_flags::parse_partition;
use crate::quantity::parse_size;

const CHANGES: &str = "What may change";
const DESTINATIONS: &str = "Where replicas may go";
const DEMANDS: &str = "What the plan must keep or reach";
const COSTS: &str = "What the plan may cost";

#[derive(Args, Clone, Debug)]
pub struct LimitFlags {
    /// Topics with a match anywhere in their name stay as they are; repeatable.
    #[arg(long, value_name = "REGEX", value_parser = parse_pattern, help_heading = CHANGES)]
    pub exclude_topic: Vec<String>,
    /// Only topics with a match anywhere in their name change, and what --only-partition names; repeatable.
    #[arg(long, value_name = "REGEX", value_parser = parse_pattern, help_heading = CHANGES)]
    pub only_topic: Vec<String>,
    /// Only these partitions change, and what --only-topic names; repeatable.
    #[arg(long, value_name = "T:P", value_parser = parse_partition, help_heading = CHANGES)]
    pub only_partition: Vec<TopicPartition>,
    /// Topics that nobody writes to or reads from stay as they are.
    #[arg(long, help_heading = CHANGES)]
    pub ignore_idle_topics: bool,
    /// Topics whose replicas and leaders are spread evenly already stay as they are.
    #[arg(long, help_heading = CHANGES)]
    pub keep_spread_topics: bool,
    /// Brokers that get nothing.
    #[arg(long, value_delimiter = ',', value_name = "ID,..", help_heading = DESTINATIONS)]
    pub exclude_broker: Vec<i32>,
    /// The only brokers that get replicas and leadership.
    #[arg(long, value_delimiter = ',', value_name = "ID,..", help_heading = DESTINATIONS)]
    pub only_to_broker: Vec<i32>,
    /// The lists of --topic may name brokers outside the topic's group.
    #[arg(long, conflicts_with_all = ["evacuate", "drain", "demote", "expand", "rebalance"], help_heading = DESTINATIONS)]
    pub across_groups: bool,
    /// Least leaders on each broker of each topic with a match anywhere in its name; repeatable.
    #[arg(long, value_name = "REGEX=N", value_parser = parse_min_leaders, help_heading = DEMANDS)]
    pub min_leaders: Vec<(String, u32)>,
    /// No broker gets more than its even share of any topic; what crowds is spread.
    #[arg(long, help_heading = DEMANDS)]
    pub spread_topics: bool,
    /// Room for the load of any one of these, should it fail.
    #[arg(long, value_enum, value_name = "WHAT", help_heading = DEMANDS)]
    pub failure_room: Option<Room>,
    /// Most replicas on one broker [default: 10000].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = DEMANDS)]
    pub max_replicas_per_broker: Option<u32>,
    /// Share of a broker's disk that the plan may fill [default: 0.8].
    #[arg(long, value_name = "SHARE", value_parser = parse_share, help_heading = DEMANDS)]
    pub max_utilization_disk: Option<u32>,
    /// Share of a broker's network, in and out, that the plan may load [default: 0.8].
    #[arg(long, value_name = "SHARE", value_parser = parse_share, help_heading = DEMANDS)]
    pub max_utilization_network: Option<u32>,
    /// Share of a broker's cpu that the plan may load [default: 0.7].
    #[arg(long, value_name = "SHARE", value_parser = parse_share, help_heading = DEMANDS)]
    pub max_utilization_cpu: Option<u32>,
    /// Most bytes to copy, e.g. 10GB.
    #[arg(long, value_name = "N", value_parser = parse_size, help_heading = COSTS)]
    pub max_bytes: Option<u64>,
    /// Most replicas to copy, and most partitions to change.
    #[arg(long, value_name = "N", help_heading = COSTS)]
    pub max_moves: Option<u64>,
    /// Most partitions to give another leader.
    #[arg(long, value_name = "N", help_heading = COSTS)]
    pub max_leader_moves: Option<u64>,
}

/// What may fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Room {
    Broker,
    Rack,
}

/// Refused here already, so that a typing error costs no connection.
fn parse_pattern(text: &str) -> Result<String, String> {
    Regex::new(text)
        .map(|_| text.to_owned())
        .map_err(|error| error.to_string().lines().last().unwrap_or("no regular expression").to_owned())
}

/// `REGEX=N`.
fn parse_min_leaders(text: &str) -> Result<(String, u32), String> {
    let refused = || format!("{text:?} is no least number of leaders: write e.g. ^orders$=1");
    let (pattern, leaders) = text.rsplit_once('=').filter(|(pattern, _)| !pattern.is_empty()).ok_or_else(refused)?;
    let leaders = leaders.parse().ok().filter(|leaders| *leaders > 0).ok_or_else(refused)?;
    Ok((parse_pattern(pattern)?, leaders))
}

/// A share in millionths: a decimal fraction above 0 and at most 1, read exactly.
fn parse_share(text: &str) -> Result<u32, String> {
    let is_whole = text.split_once('.').map_or(text == "1", |(whole, decimals)| {
        whole == "1" && (1..=6).contains(&decimals.len()) && decimals.bytes().all(|byte| byte == b'0')
    });
    let share = if is_whole { Some(1_000_000) } else { Band::parse(text).map(|fraction| fraction.parts_per_million) };
    share.ok_or_else(|| "a fraction above 0 and at most 1 with at most six decimals, e.g. 0.8".to_owned())
}

impl LimitFlags {
    /// For the planner in this process, on this snapshot.
    pub fn limits(&self, snapshot: &Snapshot) -> Result<Limits, CliError> {
        let default = Limits::default();
        let ids = |brokers: &[i32]| brokers.iter().copied().map(BrokerId).collect();
        let patterns = TopicPatterns {
            exclude: self.exclude_topic.clone(),
            only: self.only_topic.clone(),
            leaders_min: self.min_leaders.clone(),
        };
        let limits = Limits {
            capacity: CapacityShares {
                disk_parts_per_million: self.max_utilization_disk.unwrap_or(default.capacity.disk_parts_per_million),
                network_parts_per_million: self.max_utilization_network.unwrap_or(default.capacity.network_parts_per_million),
                cpu_parts_per_million: self.max_utilization_cpu.unwrap_or(default.capacity.cpu_parts_per_million),
            },
            replicas_per_broker_max: self.max_replicas_per_broker.unwrap_or(default.replicas_per_broker_max),
            excluded_brokers: ids(&self.exclude_broker),
            only_partitions: self.only_partition.clone(),
            only_to_brokers: ids(&self.only_to_broker),
            across_groups: self.across_groups,
            spread_topics: self.spread_topics,
            keep_spread_topics: self.keep_spread_topics,
            ignore_idle_topics: self.ignore_idle_topics,
            failure_room: match self.failure_room {
                None => FailureRoom::None,
                Some(Room::Broker) => FailureRoom::Broker,
                Some(Room::Rack) => FailureRoom::Rack,
            },
            bytes_max: self.max_bytes,
            moves_max: self.max_moves,
            leader_moves_max: self.max_leader_moves,
            ..default
        };
        with_matched_topics(snapshot, &patterns, limits).map_err(|error| CliError::coded(error.reason(), error.to_string()))
    }

    /// For a server: a request with these members only.
    pub fn request(&self) -> wire::CreatePlanRequest {
        let partition = |at: &TopicPartition| wire::TopicPartition { topic: at.topic.clone(), partition: at.partition };
        let least = |(topics, leaders): &(String, u32)| wire::MinLeaders { topics: topics.clone(), leaders: *leaders };
        let failure_room = match self.failure_room {
            None => wire::FailureRoom::Unspecified,
            Some(Room::Broker) => wire::FailureRoom::Broker,
            Some(Room::Rack) => wire::FailureRoom::Rack,
        };
        wire::CreatePlanRequest {
            exclude_topics: self.exclude_topic.clone(),
            only_topics: self.only_topic.clone(),
            only_partitions: self.only_partition.iter().map(partition).collect(),
            ignore_idle_topics: self.ignore_idle_topics,
            keep_spread_topics: self.keep_spread_topics,
            exclude_brokers: self.exclude_broker.clone(),
            only_to_brokers: self.only_to_broker.clone(),
            across_groups: self.across_groups,
            min_leaders: self.min_leaders.iter().map(least).collect(),
            spread_topics: self.spread_topics,
            failure_room: failure_room.into(),
            max_replicas_per_broker: self.max_replicas_per_broker,
            max_utilization_disk_parts_per_million: self.max_utilization_disk,
            max_utilization_network_parts_per_million: self.max_utilization_network,
            max_utilization_cpu_parts_per_million: self.max_utilization_cpu,
            max_bytes: self.max_bytes,
            max_moves: self.max_moves,
            max_leader_moves: self.max_leader_moves,
            ..wire::CreatePlanRequest::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_read_exactly_or_refused() {
        let check = |text: &str, millionths: u32| assert_eq!(parse_share(text), Ok(millionths), "{text}");
        check("0.8", 800_000);
        check(".000001", 1);
        check("1", 1_000_000);
        check("1.00", 1_000_000);
        for refused in ["0", "1.01", "1.", "10", "1.0000000", "0.1234567", "-0.5", "80%", ""] {
            assert!(parse_share(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn a_least_number_of_leaders_is_read_or_refused() {
        let check = |text: &str, pattern: &str, leaders| {
            assert_eq!(parse_min_leaders(text), Ok((pattern.to_owned(), leaders)), "{text}");
        };
        check("^orders$=1", "^orders$", 1);
        check("a=b=20", "a=b", 20);
        for refused in ["orders", "=1", "orders=", "orders=0", "orders=-1", "orders=x", "(=1"] {
            assert!(parse_min_leaders(refused).is_err(), "{refused}");
        }
    }
}
