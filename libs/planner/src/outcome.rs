//! What planning gives back: bounds and ranked alternatives, as the contract's section 3 has them. Must not know how they were found.

use ballast_cluster::{BrokerId, Reassignment};

/// A quotient of exact integers, divided once.
pub type Ratio = f64;

#[derive(Clone, PartialEq, Debug)]
pub struct Outcome {
    pub bounds: Bounds,
    /// Ranked: the first is rank 1. At least one.
    pub alternatives: Vec<Alternative>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Bounds {
    /// No plan that reaches the goal copies fewer bytes.
    pub moved_bytes: u64,
    /// No execution of the first alternative is faster; `None` where a broker has no headroom to copy with.
    pub seconds: Option<u64>,
    /// No plan has a lower highest utilisation; `None` for a resource that is not measured or carries nothing.
    pub max_utilization: PerResource<Option<Ratio>>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Alternative {
    pub label: Label,
    /// One sentence.
    pub why: String,
    pub cost: Cost,
    pub balance: Balance,
    pub unmet: Vec<Unmet>,
    /// In start order, one per changed partition.
    pub moves: Vec<Reassignment>,
}

impl Alternative {
    /// How many hard rules are left unmet.
    pub fn hard_unmet(&self) -> usize {
        self.unmet.iter().filter(|unmet| unmet.hard).count()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Label {
    Cheapest,
    Knee,
    BestBalance,
    LeadershipOnly,
    ByteCap,
    TightBand,
    SurviveOneFailure,
    Only,
}

impl Label {
    /// As the contract spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Label::Cheapest => "cheapest",
            Label::Knee => "knee",
            Label::BestBalance => "best-balance",
            Label::LeadershipOnly => "leadership-only",
            Label::ByteCap => "byte-cap",
            Label::TightBand => "tight-band",
            Label::SurviveOneFailure => "survive-one-failure",
            Label::Only => "only",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Cost {
    pub moved_bytes: u64,
    /// Brokers that get a copy, summed over the moves.
    pub replica_moves: u64,
    /// Partitions that end with another leader.
    pub leader_moves: u64,
    pub estimated_seconds: u64,
    /// Most bytes copied to one broker.
    pub peak_broker_in_bytes: u64,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Balance {
    pub before: PerResource<ResourceBalance>,
    pub after: PerResource<ResourceBalance>,
}

/// All three are `None` for a resource that is not measured or carries nothing.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct ResourceBalance {
    pub max_over_mean: Option<Ratio>,
    pub min_over_mean: Option<Ratio>,
    /// Brokers outside the band.
    pub outside: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Resource {
    Disk,
    NetworkIn,
    NetworkOut,
    Cpu,
}

impl Resource {
    pub const ALL: [Resource; 4] = [Resource::Disk, Resource::NetworkIn, Resource::NetworkOut, Resource::Cpu];

    /// As the contract spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Resource::Disk => "disk",
            Resource::NetworkIn => "network_in",
            Resource::NetworkOut => "network_out",
            Resource::Cpu => "cpu",
        }
    }
}

/// One value per resource, in the contract's order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PerResource<T> {
    pub disk: T,
    pub network_in: T,
    pub network_out: T,
    pub cpu: T,
}

impl<T> PerResource<T> {
    /// From an array in the order of [`Resource::ALL`].
    pub fn from_array([disk, network_in, network_out, cpu]: [T; 4]) -> Self {
        Self { disk, network_in, network_out, cpu }
    }

    pub fn get(&self, resource: Resource) -> &T {
        match resource {
            Resource::Disk => &self.disk,
            Resource::NetworkIn => &self.network_in,
            Resource::NetworkOut => &self.network_out,
            Resource::Cpu => &self.cpu,
        }
    }
}

/// One thing that the alternative leaves undone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unmet {
    pub goal: UnmetGoal,
    pub hard: bool,
    pub resource: Option<Resource>,
    pub broker: Option<BrokerId>,
    pub topic: Option<String>,
    pub partition: Option<u32>,
    /// One sentence.
    pub reason: String,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum UnmetGoal {
    Liveness,
    Offline,
    Rack,
    Group,
    Capacity,
    ReplicaCap,
    Band,
    Counts,
    TopicSpread,
    FailureRoom,
    NotMeasured,
}

impl UnmetGoal {
    /// As the contract spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            UnmetGoal::Liveness => "liveness",
            UnmetGoal::Offline => "offline",
            UnmetGoal::Rack => "rack",
            UnmetGoal::Group => "group",
            UnmetGoal::Capacity => "capacity",
            UnmetGoal::ReplicaCap => "replica-cap",
            UnmetGoal::Band => "band",
            UnmetGoal::Counts => "counts",
            UnmetGoal::TopicSpread => "topic-spread",
            UnmetGoal::FailureRoom => "failure-room",
            UnmetGoal::NotMeasured => "not-measured",
        }
    }

    /// Hard constraints, as against soft goals.
    pub fn is_hard(self) -> bool {
        self <= UnmetGoal::ReplicaCap
    }
}
