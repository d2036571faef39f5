//! Topics, their partitions and loads, scaled to how much the brokers can carry. Must not know where replicas lie.

use ballast_cluster::{Load, Partition, Topic};

use crate::dice::Dice;
use crate::fleet::{Member, UNIT, group_name};
use crate::shape::Shape;

/// Logarithmic deviations: partitions of a topic, rates of topics, of partitions within one, retention of topics.
const PARTITIONS_SPREAD: f64 = 1.2;
const TOPIC_RATE_SPREAD: f64 = 1.3;
const PARTITION_RATE_SPREAD: f64 = 0.3;
const RETENTION_SPREAD: f64 = 0.6;
/// Consumer groups that read everything: 1 to 4, each as likely.
const FAN_OUT_MAX: u64 = 4;
const HOT: f64 = 20.0;

/// Mean utilisations aimed at, of the brokers that hold something.
const DISK: f64 = 0.42;
const NETWORK: f64 = 0.38;
const CPU: f64 = 0.36;
/// What one partition may take of a usual broker: its own load within the band of any broker but a small one, and with hot
/// partitions more than any usual broker should have.
const SHARE_MAX: f64 = 0.3;
const HOT_SHARE_MAX: f64 = 0.6;

pub(crate) struct Traffic {
    /// Sorted by name, partitions without replicas yet.
    pub topics: Vec<Topic>,
    /// Replicas of each partition, by topic.
    pub replication: Vec<u32>,
    /// Outgoing capacity of half a usual broker.
    pub out_per_unit: u64,
}

/// A topic before anything is scaled.
struct Draft {
    partitions: u32,
    replication: u32,
    rate: f64,
    retention: f64,
    fan_out: u64,
}

impl Draft {
    /// Bytes out of the leader per byte in.
    fn out(&self) -> f64 {
        (self.fan_out + u64::from(self.replication) - 1) as f64
    }

    /// Work of all replicas per byte in: a leader takes a byte in twice as dearly as a follower, and sends.
    fn work(&self) -> f64 {
        self.leader_work() + f64::from(self.replication - 1)
    }

    fn leader_work(&self) -> f64 {
        2.0 + self.out()
    }
}

/// What one unit of rate, of rate times retention, and of work comes to.
struct Scale {
    rate: f64,
    size: f64,
    work: f64,
    out_per_unit: u64,
    share_max: f64,
}

pub(crate) fn traffic(shape: &Shape, members: &[Member], dice: &mut Dice) -> Traffic {
    let drafts = drafts(shape, dice);
    let rates: Vec<Vec<f64>> = drafts.iter().map(|draft| partition_rates(shape, draft, dice)).collect();
    let units: u64 = members.iter().filter(|member| member.is_old()).map(|member| member.units).sum();
    let share_max = if shape.hot_per_mille > 0 { HOT_SHARE_MAX } else { SHARE_MAX };
    let scale = scale(&drafts, &rates, units as f64, share_max);
    let groups = groups(shape, members, &drafts, &rates);
    let mut topics = Vec::with_capacity(drafts.len());
    for (at, ((draft, rates), group)) in drafts.iter().zip(&rates).zip(groups).enumerate() {
        let partitions = rates.iter().enumerate().map(|(index, &rate)| partition(draft, index as u32, rate, &scale)).collect();
        topics.push(Topic {
            name: name(at, drafts.len()),
            id: Some(topic_id(dice)),
            group: group_name(shape.groups, group),
            min_insync_replicas: if draft.replication > 2 { 2 } else { 1 },
            partitions,
        });
    }
    Traffic { topics, replication: drafts.iter().map(|draft| draft.replication).collect(), out_per_unit: scale.out_per_unit }
}

fn drafts(shape: &Shape, dice: &mut Dice) -> Vec<Draft> {
    let topics = shape.topics as usize;
    let weights: Vec<f64> = (0..topics).map(|_| dice.lognormal(PARTITIONS_SPREAD)).collect();
    let sum: f64 = weights.iter().sum();
    // One each, the rest by weight; what rounding leaves over, less than one each, goes to the first ones.
    let spare = f64::from(shape.partitions - shape.topics);
    let mut counts: Vec<u32> = weights.iter().map(|weight| 1 + (spare * weight / sum) as u32).collect();
    let left = shape.partitions.saturating_sub(counts.iter().sum());
    counts.iter_mut().take(left as usize).for_each(|count| *count += 1);
    let mut more = shape.replicas - shape.replication() * shape.partitions;
    let mut draft = |partitions: u32| {
        let extra = partitions <= more;
        more -= if extra { partitions } else { 0 };
        Draft {
            partitions,
            replication: shape.replication() + u32::from(extra),
            rate: dice.lognormal(TOPIC_RATE_SPREAD),
            retention: dice.lognormal(RETENTION_SPREAD),
            fan_out: 1 + dice.below(FAN_OUT_MAX),
        }
    };
    counts.into_iter().map(&mut draft).collect()
}

fn partition_rates(shape: &Shape, draft: &Draft, dice: &mut Dice) -> Vec<f64> {
    let mut rate = || {
        let hot = shape.hot_per_mille > 0 && dice.below(1000) < u64::from(shape.hot_per_mille);
        draft.rate * dice.lognormal(PARTITION_RATE_SPREAD) * if hot { HOT } else { 1.0 }
    };
    (0..draft.partitions).map(|_| rate()).collect()
}

/// From the sums over all replicas to the utilisations aimed at.
fn scale(drafts: &[Draft], rates: &[Vec<f64>], units: f64, share_max: f64) -> Scale {
    let (mut rate, mut size, mut work, mut out) = (0.0, 0.0, 0.0, 0.0);
    for (draft, rates) in drafts.iter().zip(rates) {
        let sum: f64 = rates.iter().sum();
        rate += sum * f64::from(draft.replication);
        size += sum * f64::from(draft.replication) * draft.retention;
        work += sum * draft.work();
        out += sum * draft.out();
    }
    let rate = NETWORK * UNIT.network_in_bytes_per_second as f64 * units / rate;
    Scale {
        rate,
        size: DISK * UNIT.disk_bytes as f64 * units / size,
        work: CPU * UNIT.cpu_millicores as f64 * units / work,
        // Round figures: whole megabytes a second.
        out_per_unit: ((out * rate / units / NETWORK / 1e6) as u64 + 1) * 1_000_000,
        share_max,
    }
}

/// Each topic goes to the group that has least work for its capacity.
fn groups(shape: &Shape, members: &[Member], drafts: &[Draft], rates: &[Vec<f64>]) -> Vec<usize> {
    let mut units = vec![0.0; shape.groups as usize];
    for member in members.iter().filter(|member| member.is_old()) {
        units[member.group] += member.units as f64;
    }
    let mut filled = vec![0.0; units.len()];
    let mut choose = |(draft, rates): (&Draft, &Vec<f64>)| {
        let mut least = 0;
        for group in 1..filled.len() {
            if filled[group] < filled[least] {
                least = group;
            }
        }
        filled[least] += rates.iter().sum::<f64>() * draft.work() / units[least];
        least
    };
    drafts.iter().zip(rates).map(&mut choose).collect()
}

fn partition(draft: &Draft, index: u32, rate: f64, scale: &Scale) -> Partition {
    let usual = |per_unit: u64| scale.share_max * 2.0 * per_unit as f64;
    let in_max = usual(UNIT.network_in_bytes_per_second).min(usual(scale.out_per_unit) / draft.out().max(1.0));
    let work = |work: f64| (rate * work * scale.work).min(usual(UNIT.cpu_millicores)).round() as u64;
    let produce = (rate * scale.rate).min(in_max) as u64;
    Partition {
        index,
        replicas: Vec::with_capacity(draft.replication as usize),
        load: Load {
            size_bytes: (rate * draft.retention * scale.size).min(usual(UNIT.disk_bytes)) as u64,
            produce_bytes_per_second: produce,
            consume_bytes_per_second: Some(produce * draft.fan_out),
            leader_cpu_millicores: Some(work(draft.leader_work())),
            follower_cpu_millicores: Some(work(1.0)),
            source: None,
            age_seconds: None,
        },
        ..Partition::default()
    }
}

/// Names that sort by number.
fn name(at: usize, topics: usize) -> String {
    const SUBJECTS: [&str; 8] = ["audit", "billing", "clicks", "devices", "metrics", "orders", "payments", "search"];
    format!("{}.{at:06}", SUBJECTS[at * SUBJECTS.len() / topics])
}

/// 128 bits as Kafka prints them: base64url without padding, 22 characters.
fn topic_id(dice: &mut Dice) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bits = (u128::from(dice.next()) << 64) | u128::from(dice.next());
    let six = |digit: u32| if digit < 21 { (bits >> (122 - 6 * digit)) & 63 } else { (bits & 3) << 4 };
    (0..22).map(|digit| char::from(DIGITS[six(digit) as usize])).collect()
}
