//! What a generated cluster shall be like, and the shapes that have a name. Must not know how one comes about.

use std::fmt;

/// A cluster in figures. Start from [`Shape::new`] or [`Shape::preset`] and change what matters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shape {
    /// Name of the cluster.
    pub name: String,
    /// Numbered from 1.
    pub brokers: u32,
    pub topics: u32,
    /// Of all topics together; each has at least one. Partitions per topic are lognormal, s 1.2.
    pub partitions: u32,
    /// Of all partitions together. Every partition has `replicas / partitions`, rounded down; what is left goes, one each, to the
    /// partitions of whole topics as long as they fit.
    pub replicas: u32,
    /// 0: no broker has one, each is a rack of its own. Every group is spread over all of them.
    pub racks: u32,
    /// Resource groups of equal size. One is called "default", several "g0", "g1" and so on.
    pub groups: u32,
    /// Brokers of half the usual capacity, in percent.
    pub small_percent: u32,
    /// Brokers of twice the usual capacity, in percent.
    pub large_percent: u32,
    /// s of the lognormal weight by which a broker was chosen at placement, in hundredths. 0: even.
    pub placement_skew: u32,
    /// The same for leadership.
    pub leader_skew: u32,
    /// Partitions with twenty times their traffic and size, in thousandths.
    pub hot_per_mille: u32,
    /// Partitions placed without regard to racks, in thousandths.
    pub careless_per_mille: u32,
    /// Brokers that died with what they held.
    pub dead: u32,
    /// Brokers that were just added and hold nothing.
    pub new: u32,
    /// Brokers that shall be emptied and are not yet.
    pub draining: u32,
    /// Broker 1 holds at least so many replicas, those of the smallest partitions. 0: it is like the others.
    pub crowd: u32,
    /// Another seed is another cluster of the same shape.
    pub seed: u64,
}

/// Name, what it is like, brokers, topics, partitions, replicas, racks.
type Preset = (&'static str, &'static str, [u32; 5]);

const PRESETS: [Preset; 9] = [
    ("fleet-200", "200 brokers, 60 k replicas", [200, 1_667, 20_000, 60_000, 4]),
    ("fleet-1000", "1,000 brokers, 300 k replicas", [1_000, 8_333, 100_000, 300_000, 5]),
    ("groups-300", "300 brokers in 6 groups, 7,000 topics, 270 k replicas", [300, 7_000, 130_000, 270_000, 3]),
    ("fleet-450", "450 brokers, 20 k topics, 300 k replicas", [450, 20_000, 100_000, 300_000, 3]),
    ("cc-270", "270 brokers, 10,500 topics, 1.3 M replicas", [270, 10_500, 433_333, 1_299_999, 6]),
    ("cc-215", "215 brokers, 3,500 topics, 2.8 M replicas: above 10,000 a broker", [215, 3_500, 933_333, 2_799_999, 5]),
    ("fleet-10000", "10,000 brokers, 1.2 M replicas", [10_000, 33_333, 400_000, 1_200_000, 20]),
    ("evacuate-200", "200 brokers, 10 k replicas on broker 1", [200, 3_333, 40_000, 120_000, 4]),
    ("mixed-60", "60 brokers of mixed sizes, 18 k replicas", [60, 500, 6_000, 18_000, 3]),
];

impl Shape {
    /// Three replicas, three racks, one group, a fifth of the brokers small and a fifth large, placement skew 0.4.
    pub fn new(brokers: u32, topics: u32, partitions: u32) -> Shape {
        Shape {
            name: "lab".into(),
            brokers,
            topics,
            partitions,
            replicas: partitions.saturating_mul(3),
            racks: 3,
            groups: 1,
            small_percent: 20,
            large_percent: 20,
            placement_skew: 40,
            leader_skew: 30,
            hot_per_mille: 0,
            careless_per_mille: 0,
            dead: 0,
            new: 0,
            draining: 0,
            crowd: 0,
            seed: 0,
        }
    }

    /// The shape of that name.
    pub fn preset(name: &str) -> Option<Shape> {
        let (name, _, [brokers, topics, partitions, replicas, racks]) = PRESETS.iter().find(|preset| preset.0 == name)?;
        let mut shape = Shape::new(*brokers, *topics, *partitions);
        (shape.name, shape.replicas, shape.racks) = ((*name).to_owned(), *replicas, *racks);
        match *name {
            "groups-300" => shape.groups = 6,
            "evacuate-200" => shape.crowd = 10_000,
            "mixed-60" => (shape.small_percent, shape.large_percent) = (35, 35),
            _ => {}
        }
        Some(shape)
    }

    /// Every preset's name and what it is like.
    pub fn presets() -> impl Iterator<Item = (&'static str, &'static str)> {
        PRESETS.iter().map(|preset| (preset.0, preset.1))
    }

    /// Replicas that every partition has at least.
    pub fn replication(&self) -> u32 {
        self.replicas / self.partitions.max(1)
    }

    /// Replicas of the partition that has most.
    fn replication_max(&self) -> u32 {
        self.replication() + u32::from(!self.replicas.is_multiple_of(self.partitions.max(1)))
    }

    /// Whether there can be such a cluster.
    pub fn check(&self) -> Result<(), ShapeError> {
        let unless = |holds: bool, problem: &str| if holds { Ok(()) } else { Err(ShapeError(problem.to_owned())) };
        unless(self.topics > 0, "a cluster needs a topic")?;
        unless(self.partitions >= self.topics, "there are fewer partitions than topics, and each has at least one")?;
        unless(self.replicas >= self.partitions, "there are fewer replicas than partitions, and each has at least one")?;
        unless(self.groups > 0 && self.groups <= self.topics, "there is at least one group, and each has a topic")?;
        unless(self.brokers <= i32::MAX as u32, "broker ids end at 2147483647")?;
        let percent = self.small_percent.saturating_add(self.large_percent);
        unless(percent <= 100, "small and large brokers together are more than all")?;
        unless(self.placement_skew <= 300 && self.leader_skew <= 300, "a skew above 3.00 (300) puts everything on one broker")?;
        unless(self.hot_per_mille <= 1000 && self.careless_per_mille <= 1000, "more than 1000 in a thousand")?;
        let set_apart = u64::from(self.dead) + u64::from(self.draining) + u64::from(self.new);
        unless(set_apart <= u64::from(self.brokers), "dead, new and draining brokers together are more than all")?;
        // New brokers are dealt to the groups in turn: the group that is smallest and got most of them has fewest old ones.
        let old = (self.brokers / self.groups).saturating_sub(self.new.div_ceil(self.groups));
        let needed = self.replication_max();
        unless(old >= needed, &format!("a group has {old} brokers that are not new, and its partitions have {needed} replicas"))?;
        unless(self.new == 0 || old >= self.racks, "a rack of some group would have new brokers only")?;
        unless(self.crowd <= self.partitions / self.groups, "broker 1 cannot hold more partitions than its group has")
    }
}

/// Why there can be no such cluster, as a sentence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShapeError(String);

impl fmt::Display for ShapeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl std::error::Error for ShapeError {}
