//! What a plan shall reach and what it must stay within. Must not know the cluster it is for.

use ballast_cluster::{BrokerId, TopicPartition};

/// Candidate moves that the search may look at per second of a time budget: the constant that turns time into a number, so
/// that the same budget gives the same plan on every machine.
pub const EVALUATIONS_PER_SECOND: u64 = 100_000_000;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum GoalKind {
    /// Repair every hard violation, then bring every broker inside the band.
    Rebalance,
    /// The named brokers count as dead: elect, then restore the replica count.
    Evacuate,
    /// Empty the named live brokers.
    Drain,
    /// Take leadership from the named brokers and put them last in their lists; nothing is copied.
    Demote,
    /// Fill the named brokers from the others.
    Expand,
    /// Exactly the listed replica lists.
    Topic,
}

impl GoalKind {
    pub const ALL: [GoalKind; 6] =
        [GoalKind::Rebalance, GoalKind::Evacuate, GoalKind::Drain, GoalKind::Demote, GoalKind::Expand, GoalKind::Topic];

    /// As the contract spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            GoalKind::Rebalance => "rebalance",
            GoalKind::Evacuate => "evacuate",
            GoalKind::Drain => "drain",
            GoalKind::Demote => "demote",
            GoalKind::Expand => "expand",
            GoalKind::Topic => "topic",
        }
    }

    /// The kind that the contract spells so.
    pub fn parse(text: &str) -> Option<GoalKind> {
        GoalKind::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Goal {
    pub kind: GoalKind,
    /// The brokers that evacuate, drain, demote and expand name; empty for rebalance and topic.
    pub brokers: Vec<BrokerId>,
    pub band: Band,
    /// The lists that topic asks for; empty for every other kind.
    pub targets: Vec<(TopicPartition, Vec<BrokerId>)>,
}

impl Goal {
    pub fn new(kind: GoalKind, brokers: Vec<BrokerId>) -> Self {
        Self { kind, brokers, band: Band::default(), targets: Vec::new() }
    }
}

/// How far from the mean a broker may be, in millionths: `[mean x (1 - e), mean x (1 + e)]`, edges inside.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Band {
    pub parts_per_million: u32,
}

impl Band {
    pub const fn from_parts_per_million(parts_per_million: u32) -> Self {
        Self { parts_per_million }
    }

    /// Reads a decimal fraction such as `0.10` exactly, with at most six decimals; `None` when it is not one or not in (0, 1).
    pub fn parse(text: &str) -> Option<Band> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(decimals) || decimals.len() > 6 || whole.len() + decimals.len() == 0 {
            return None;
        }
        let whole: u32 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        let millionths: u32 = format!("{decimals:0<6}").parse().ok()?;
        let band = Band { parts_per_million: whole.checked_mul(1_000_000)?.checked_add(millionths)? };
        band.is_in_range().then_some(band)
    }

    /// The fraction, for printing.
    pub fn as_fraction(self) -> f64 {
        f64::from(self.parts_per_million) / 1e6
    }

    pub(crate) fn is_in_range(self) -> bool {
        (1..1_000_000).contains(&self.parts_per_million)
    }
}

impl Default for Band {
    fn default() -> Self {
        Self { parts_per_million: 100_000 }
    }
}

/// What a plan must stay within, whatever its goal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Hard: the share of each capacity that a plan may fill.
    pub capacity: CapacityShares,
    /// Hard: replicas on one broker.
    pub replicas_per_broker_max: u32,
    /// Names of topics whose partitions do not change (patterns are matched by the caller).
    pub excluded_topics: Vec<String>,
    /// Brokers that get no replica and no leadership, and give none unless they are dead, draining or named by the goal.
    pub excluded_brokers: Vec<BrokerId>,
    /// Names of the only topics whose partitions may change; empty: all.
    pub only_topics: Vec<String>,
    /// The only partitions that may change, beside those of `only_topics`; empty: all.
    pub only_partitions: Vec<TopicPartition>,
    /// The only brokers that get replicas and leadership; empty: all.
    pub only_to_brokers: Vec<BrokerId>,
    /// The lists of a topic goal may name brokers outside the topic's group.
    pub across_groups: bool,
    /// Least leaders of a topic on each open broker of its group.
    pub leaders_min: Vec<(String, u32)>,
    /// Hard for new replicas: no broker gets more of a topic than its even share, rounded up; what crowds is spread.
    pub spread_topics: bool,
    /// Topics whose replicas and leaders are spread evenly already stay as they are.
    pub keep_spread_topics: bool,
    /// Topics that nobody writes to or reads from stay as they are.
    pub ignore_idle_topics: bool,
    /// Whose failure the others must have room for.
    pub failure_room: FailureRoom,
    /// Most bytes that a plan may copy.
    pub bytes_max: Option<u64>,
    /// Most entries and most replica moves that a plan may have.
    pub moves_max: Option<u64>,
    /// Most partitions that a plan may give another leader.
    pub leader_moves_max: Option<u64>,
    /// Most candidate moves that the search may look at; `None` is ten seconds' worth.
    pub evaluations_max: Option<u64>,
    /// Threads that look for changes; the plan is the same whatever their number.
    pub threads: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            capacity: CapacityShares::default(),
            replicas_per_broker_max: 10_000,
            excluded_topics: Vec::new(),
            excluded_brokers: Vec::new(),
            only_topics: Vec::new(),
            only_partitions: Vec::new(),
            only_to_brokers: Vec::new(),
            across_groups: false,
            leaders_min: Vec::new(),
            spread_topics: false,
            keep_spread_topics: false,
            ignore_idle_topics: false,
            failure_room: FailureRoom::None,
            bytes_max: None,
            moves_max: None,
            leader_moves_max: None,
            evaluations_max: None,
            threads: 2,
        }
    }
}

/// What may fail without the rest of its group exceeding a capacity limit, its load shared out by capacity.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FailureRoom {
    None,
    Broker,
    Rack,
}

/// Shares of capacity, in millionths.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CapacityShares {
    pub disk_parts_per_million: u32,
    pub network_parts_per_million: u32,
    pub cpu_parts_per_million: u32,
}

impl Default for CapacityShares {
    fn default() -> Self {
        Self { disk_parts_per_million: 800_000, network_parts_per_million: 800_000, cpu_parts_per_million: 700_000 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_band_is_read_exactly_or_not_at_all() {
        let check = |text: &str, millionths: Option<u32>| {
            assert_eq!(Band::parse(text), millionths.map(Band::from_parts_per_million), "{text}");
        };
        check("0.10", Some(100_000));
        check(".05", Some(50_000));
        check("0.000001", Some(1));
        for refused in ["0", "1", "1.0", "-0.1", "0.1234567", "", ".", "ten", "1e-1"] {
            check(refused, None);
        }
    }
}
