//! The snapshot of the contract's section 2 as numbers, with brokers in the state that the goal gives them. Must not know moves.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use crate::json::Place;
use crate::plan::Goal;
use crate::{CheckOptions, Finding, Rule};

pub(crate) const DISK: usize = 0;
pub(crate) const NETWORK_IN: usize = 1;
pub(crate) const NETWORK_OUT: usize = 2;
pub(crate) const RESOURCES: [&str; 4] = ["disk", "network_in", "network_out", "cpu"];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Standing {
    /// Alive or new: may get replicas, and counts in means.
    Open,
    Draining,
    Dead,
}

pub(crate) struct Broker {
    pub id: i64,
    pub rack: usize,
    pub group: usize,
    pub standing: Standing,
    /// Named by the goal.
    pub named: bool,
    /// Gets nothing.
    pub excluded: bool,
    pub capacity: [u128; 4],
}

pub(crate) struct Topic {
    pub name: String,
    pub group: usize,
    pub excluded: bool,
}

/// Brokers by their place in [`Cluster::brokers`].
pub(crate) struct Partition {
    pub topic: usize,
    pub index: u64,
    pub replicas: Vec<usize>,
    /// `None` also where the one it has is dead.
    pub leader: Option<usize>,
    /// The living ones.
    pub in_sync: Vec<usize>,
    pub reassigning: bool,
    pub size: u64,
    /// What a leader and what a follower carries.
    pub leads: [u128; 4],
    pub follows: [u128; 4],
}

pub(crate) struct Cluster {
    pub name: String,
    pub sequence: u64,
    pub band_millionths: u64,
    pub goal: Goal,
    pub brokers: Vec<Broker>,
    pub topics: Vec<Topic>,
    pub partitions: Vec<Partition>,
    pub groups: usize,
    /// No partition has null there.
    pub measured: [bool; 4],
    /// Racks with an open broker of the group, by group.
    open_racks: Vec<usize>,
    broker_at: HashMap<i64, usize>,
    partition_at: HashMap<String, HashMap<u64, usize>>,
}

type Found<T> = Result<T, Finding>;

/// Gives each new name the next number.
#[derive(Default)]
struct Numbers(BTreeMap<String, usize>);

impl Numbers {
    fn of(&mut self, name: &str) -> usize {
        let next = self.0.len();
        *self.0.entry(name.to_owned()).or_insert(next)
    }
}

impl Cluster {
    pub fn read(snapshot: &Value, goal: &Goal, options: &CheckOptions) -> Found<Cluster> {
        let top = Place::top(snapshot, "snapshot");
        top.at("format")?.one_of(&["ballast.snapshot.v1"])?;
        let (mut racks, mut groups) = (Numbers::default(), Numbers::default());
        let brokers = top.at("brokers")?.list(|place| broker(&place, goal, options).map(|read| (place, read)))?;
        let brokers: Vec<Broker> = brokers
            .into_iter()
            .map(|(place, mut broker)| {
                // A broker without a rack is one of its own; configured names cannot begin so.
                let own = format!("\0{}", broker.id);
                broker.rack = racks.of(place.maybe("rack").and_then(|rack| rack.text().ok()).unwrap_or(&own));
                broker.group = groups.of(group_of(&place));
                broker
            })
            .collect();
        let broker_at: HashMap<i64, usize> = brokers.iter().enumerate().map(|(at, broker)| (broker.id, at)).collect();
        let (mut topics, mut partitions, mut partition_at) = (Vec::new(), Vec::new(), HashMap::new());
        let mut measured = [true; 4];
        top.at("topics")?.list(|place| {
            let name = place.at("name")?.text()?.to_owned();
            let mut indices = HashMap::new();
            let topic = topics.len();
            for (read, known) in place.at("partitions")?.list(|place| partition(&place, topic, &broker_at, &brokers))? {
                indices.insert(read.index, partitions.len());
                (0..4).for_each(|r| measured[r] &= known[r]);
                partitions.push(read);
            }
            let excluded = options.excluded_topics.contains(&name);
            topics.push(Topic { name: name.clone(), group: groups.of(group_of(&place)), excluded });
            partition_at.insert(name, indices);
            Ok(())
        })?;
        let mut open_racks = vec![BTreeSet::new(); groups.0.len()];
        for broker in brokers.iter().filter(|broker| broker.standing == Standing::Open) {
            open_racks[broker.group].insert(broker.rack);
        }
        Ok(Cluster {
            name: top.at("cluster")?.text()?.to_owned(),
            sequence: top.maybe("sequence").map_or(Ok(0), |place| place.u64())?,
            band_millionths: goal.band_millionths,
            goal: goal.clone(),
            brokers,
            topics,
            partitions,
            groups: groups.0.len(),
            measured,
            open_racks: open_racks.iter().map(BTreeSet::len).collect(),
            broker_at,
            partition_at,
        })
    }

    pub fn broker_at(&self, id: i64) -> Option<usize> {
        self.broker_at.get(&id).copied()
    }

    pub fn partition_at(&self, topic: &str, index: u64) -> Option<usize> {
        self.partition_at.get(topic)?.get(&index).copied()
    }

    pub fn place(&self, partition: usize) -> String {
        let partition = &self.partitions[partition];
        format!("{}:{}", self.topics[partition.topic].name, partition.index)
    }

    pub fn topic(&self, partition: usize) -> &Topic {
        &self.topics[self.partitions[partition].topic]
    }

    pub fn is_dead(&self, broker: usize) -> bool {
        self.brokers[broker].standing == Standing::Dead
    }

    pub fn is_open(&self, broker: usize) -> bool {
        self.brokers[broker].standing == Standing::Open
    }

    /// How many replicas of a list that long one rack may hold.
    pub fn rack_room(&self, group: usize, length: usize) -> usize {
        match self.open_racks[group] {
            0 => length,
            racks if racks >= length => 1,
            racks => length.div_ceil(racks),
        }
    }

    pub fn in_rack(&self, list: &[usize], rack: usize) -> usize {
        list.iter().filter(|&&broker| self.brokers[broker].rack == rack).count()
    }

    /// Whether some rack holds more than it may.
    pub fn is_crowded(&self, partition: usize, list: &[usize]) -> bool {
        let room = self.rack_room(self.topic(partition).group, list.len());
        list.iter().any(|&broker| self.in_rack(list, self.brokers[broker].rack) > room)
    }
}

fn group_of<'a>(place: &Place<'a>) -> &'a str {
    place.maybe("group").and_then(|group| group.text().ok()).unwrap_or("default")
}

/// Rack and group are filled in by the caller, who numbers them.
fn broker(place: &Place<'_>, goal: &Goal, options: &CheckOptions) -> Found<Broker> {
    let id = place.at("id")?.id()?;
    let named = goal.brokers.contains(&id);
    let state = place.at("state")?.one_of(&["alive", "new", "draining", "dead"])?;
    let standing = match (state, goal.kind.as_str()) {
        ("dead", _) => Standing::Dead,
        (_, "evacuate") if named => Standing::Dead,
        (_, "drain") if named => Standing::Draining,
        (_, "expand") if named => Standing::Open,
        ("draining", _) => Standing::Draining,
        _ => Standing::Open,
    };
    let capacity = place.at("capacity")?;
    let of = |key: &str| capacity.at(key)?.u64().map(u128::from);
    Ok(Broker {
        id,
        rack: 0,
        group: 0,
        standing,
        named,
        excluded: options.excluded_brokers.contains(&id)
            || !(options.only_to_brokers.is_empty() || options.only_to_brokers.contains(&id)),
        capacity: [
            of("disk_bytes")?,
            of("network_in_bytes_per_second")?,
            of("network_out_bytes_per_second")?,
            of("cpu_millicores")?,
        ],
    })
}

/// A partition, and which resources are measured for it.
fn partition(
    place: &Place<'_>,
    topic: usize,
    broker_at: &HashMap<i64, usize>,
    brokers: &[Broker],
) -> Found<(Partition, [bool; 4])> {
    let known = |id: i64| {
        let missing = || Finding { rule: Rule::Format, place: "snapshot".into(), problem: format!("broker {id} is not listed") };
        broker_at.get(&id).copied().ok_or_else(missing)
    };
    let list = |key: &str| match place.maybe(key) {
        Some(list) => list.ids()?.into_iter().map(known).collect::<Found<Vec<usize>>>().map(Some),
        None => Ok(None),
    };
    let replicas = place.at("replicas")?.ids()?.into_iter().map(known).collect::<Found<Vec<usize>>>()?;
    let lives = |at: &usize| brokers[*at].standing != Standing::Dead;
    let in_sync = list("in_sync")?.unwrap_or_else(|| replicas.clone()).into_iter().filter(lives).collect();
    let pending = |key: &str| Ok(list(key)?.is_some_and(|list| !list.is_empty()));
    // Absent is 0, null is not measured.
    let load = |key: &str| place.at(key).map_or(Ok(Some(0)), |value| value.optional(|value| value.u64().map(u128::from)));
    let size = place.at("size_bytes")?.u64()?;
    let produce = u128::from(place.at("produce_bytes_per_second")?.u64()?);
    let consume = load("consume_bytes_per_second")?;
    let (leader_cpu, follower_cpu) = (load("leader_cpu_millicores")?, load("follower_cpu_millicores")?);
    let out = consume.unwrap_or(0) + produce * (replicas.len() as u128 - 1);
    let partition = Partition {
        topic,
        index: place.at("partition")?.u64()?,
        leader: place.at("leader")?.optional(|leader| leader.id())?.map(known).transpose()?.filter(lives),
        in_sync,
        reassigning: pending("adding_replicas")? || pending("removing_replicas")?,
        size,
        leads: [u128::from(size), produce, out, leader_cpu.unwrap_or(0)],
        follows: [u128::from(size), produce, 0, follower_cpu.unwrap_or(0)],
        replicas,
    };
    Ok((partition, [true, true, consume.is_some(), leader_cpu.is_some() && follower_cpu.is_some()]))
}
