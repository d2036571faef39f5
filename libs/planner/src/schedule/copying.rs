//! A dry run of a plan's copies: when each starts and when the last one ends, if every broker sends and receives within its
//! headroom in a few streams, and one replica of a partition is copied at a time. Must not know rules or goals.
//!
//! Time is in microseconds, rates are ten times bytes per second. A copy starts with a share of the smaller of its two ends, and
//! gets more when one of them would idle; whoever has most to copy goes first, the longest copy of a broker before its others.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::{Entry, tenfold_headroom};
use crate::model::{Loads, Model, NETWORK_IN, NETWORK_OUT, NOBODY};

/// A copy starts with at most this part of what the smaller of its ends can do, and not with less than that part of it.
const SHARE_MOST: u128 = 4;
const SHARE_LEAST: u128 = 16;
/// Waiting copies of one broker that are looked at when some of its rate becomes free.
const LOOK_AHEAD_MAX: usize = 16;
/// Slowest rate that an estimate assumes where a broker's figures leave no headroom.
const RATE_FLOOR_BYTES_PER_SECOND: u64 = 1_000_000;

/// One direction of one broker.
#[derive(Default)]
struct Port {
    rate: u128,
    /// The part of it that no running copy has.
    free: u128,
    /// Microseconds that all its copies take at its full rate.
    work: u128,
    /// Copies that have not started, the most pressing first.
    waiting: Vec<u32>,
    running: Vec<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Comes after another copy of its entry.
    Held,
    Waiting,
    Running,
    Done,
}

struct Copy {
    entry: u32,
    stage: Stage,
    /// Places of its ends among the ports; a copy without a source has one.
    ends: [u32; 2],
    /// Rate times microseconds that are left, as of `since`.
    left: u128,
    rate: u128,
    since: u128,
}

pub(super) struct DryRun {
    /// Per entry: when its first copy starts.
    pub starts: Vec<u128>,
    pub end: u128,
}

pub(super) fn dry_run(model: &Model<'_>, present: &[Loads], entries: &[Entry]) -> DryRun {
    let mut run = Run::new(model, present, entries);
    run.all();
    DryRun { starts: run.starts, end: run.now }
}

struct Run {
    copies: Vec<Copy>,
    /// Incoming of every broker, then outgoing of every broker.
    ports: Vec<Port>,
    /// When a copy ends at the rate that it had when this was noted.
    ends: BinaryHeap<Reverse<(u128, u32)>>,
    starts: Vec<u128>,
    now: u128,
}

impl Run {
    fn new(model: &Model<'_>, present: &[Loads], entries: &[Entry]) -> Run {
        let brokers = model.brokers.len() as u32;
        let mut ports: Vec<Port> = Vec::with_capacity(2 * model.brokers.len());
        for r in [NETWORK_IN, NETWORK_OUT] {
            ports.extend((0..brokers).map(|broker| {
                let rate = rate(model, present, broker, r);
                Port { rate, free: rate, ..Port::default() }
            }));
        }
        let mut copies = Vec::new();
        for (at, entry) in entries.iter().enumerate() {
            let facts = &model.partitions[entry.partition];
            let left = u128::from(facts.bytes()) * 10_000_000;
            for (which, &to) in entry.added.iter().enumerate() {
                let from = if facts.leader == NOBODY { to } else { brokers + facts.leader };
                let stage = if which == 0 { Stage::Waiting } else { Stage::Held };
                copies.push(Copy { entry: at as u32, stage, ends: [to, from], left, rate: 0, since: 0 });
                for end in both([to, from]) {
                    ports[end].work += left;
                }
            }
        }
        for port in &mut ports {
            port.work = port.work.div_ceil(port.rate);
        }
        let mut run = Run { copies, ports, ends: BinaryHeap::new(), starts: vec![0; entries.len()], now: 0 };
        run.queue_up(entries);
        run
    }

    fn queue_up(&mut self, entries: &[Entry]) {
        let press = |copy: &Copy| {
            let work = copy.ends.map(|end| self.ports[end as usize].work);
            (entries[copy.entry as usize].class, Reverse(work[0].max(work[1])), Reverse(copy.left))
        };
        let mut order: Vec<u32> = (0..self.copies.len() as u32).collect();
        order.sort_by_cached_key(|&at| (press(&self.copies[at as usize]), at));
        for at in order.into_iter().filter(|&at| self.copies[at as usize].stage == Stage::Waiting) {
            for end in both(self.copies[at as usize].ends) {
                self.ports[end].waiting.push(at);
            }
        }
    }

    fn all(&mut self) {
        loop {
            // Also where all that runs has ended and something waits behind more than is looked ahead.
            for port in 0..self.ports.len() {
                self.use_rate(port);
            }
            if self.ends.is_empty() {
                return;
            }
            while let Some(Reverse((end, at))) = self.ends.pop() {
                let copy = &self.copies[at as usize];
                if copy.stage != Stage::Running || copy.since + copy.left.div_ceil(copy.rate) != end {
                    continue;
                }
                self.now = end;
                self.finish(at);
            }
        }
    }

    fn finish(&mut self, at: u32) {
        let copy = &mut self.copies[at as usize];
        copy.stage = Stage::Done;
        let Copy { entry, ends, rate, .. } = *copy;
        for end in both(ends) {
            self.ports[end].free += rate;
            self.ports[end].running.retain(|&running| running != at);
        }
        if let Some(next) = self.copies.get_mut(at as usize + 1).filter(|next| next.entry == entry) {
            next.stage = Stage::Waiting;
            let ends = next.ends;
            for end in both(ends) {
                self.ports[end].waiting.insert(0, at + 1);
            }
            self.use_rate(ends[0] as usize);
        }
        for end in both(ends).rev() {
            self.use_rate(end);
        }
    }

    /// Starts copies of a port while it has rate for them, then lets running ones have the rest.
    fn use_rate(&mut self, port: usize) {
        while self.start_one(port) {}
        while self.quicken_one(port) {}
    }

    /// Starts the most pressing copy of a port whose other end has rate as well; whether there was one.
    fn start_one(&mut self, port: usize) -> bool {
        if self.ports[port].free * SHARE_LEAST < self.ports[port].rate && self.ports[port].running.len() > 1 {
            return false;
        }
        let mut waiting = std::mem::take(&mut self.ports[port].waiting);
        let is_gone = |at: &u32| matches!(self.copies[*at as usize].stage, Stage::Running | Stage::Done);
        // What started from its other end is dropped from the front now, from the middle when it gets there.
        let gone = waiting.iter().take_while(|at| is_gone(at)).count();
        waiting.drain(..gone);
        let able = |&&at: &&u32| self.copies[at as usize].stage == Stage::Waiting && self.grant(at) > 0;
        let found = waiting.iter().take(LOOK_AHEAD_MAX).find(able).copied();
        if found.is_none() && waiting.iter().take(LOOK_AHEAD_MAX).filter(|at| is_gone(at)).count() > LOOK_AHEAD_MAX / 2 {
            waiting.retain(|at| !is_gone(at));
        }
        self.ports[port].waiting = waiting;
        let Some(at) = found else { return false };
        let rate = self.grant(at);
        let copy = &mut self.copies[at as usize];
        copy.stage = Stage::Running;
        copy.since = self.now;
        let (entry, ends) = (copy.entry as usize, copy.ends);
        let is_first = at == 0 || self.copies[at as usize - 1].entry as usize != entry;
        if is_first {
            self.starts[entry] = self.now;
        }
        for end in both(ends) {
            self.ports[end].running.push(at);
        }
        self.add_rate(at, rate);
        true
    }

    /// The rate that a copy would start with; 0 where that is too little.
    fn grant(&self, at: u32) -> u128 {
        let ends = || both(self.copies[at as usize].ends).map(|end| &self.ports[end]);
        let most = ends().map(|port| (port.rate / SHARE_MOST).max(1)).min().unwrap_or(0);
        let granted = ends().map(|port| port.free).min().unwrap_or(0).min(most);
        if granted * SHARE_LEAST >= most * SHARE_MOST { granted } else { 0 }
    }

    /// Gives free rate of a port to its running copy that would end last and can use it; whether there was one.
    fn quicken_one(&mut self, port: usize) -> bool {
        // Less is not worth a new reckoning.
        let least = (self.ports[port].rate / (4 * SHARE_LEAST)).max(1);
        if self.ports[port].free < least {
            return false;
        }
        let spare = |at: u32| both(self.copies[at as usize].ends).map(|end| self.ports[end].free).min().unwrap_or(0);
        let end = |at: u32| {
            let copy = &self.copies[at as usize];
            copy.since + copy.left / copy.rate
        };
        let able = self.ports[port].running.iter().copied().filter(|&at| spare(at) >= least);
        let Some(at) = able.max_by_key(|&at| (end(at), Reverse(at))) else { return false };
        self.add_rate(at, spare(at));
        true
    }

    fn add_rate(&mut self, at: u32, more: u128) {
        let copy = &mut self.copies[at as usize];
        copy.left = copy.left.saturating_sub(copy.rate * (self.now - copy.since));
        copy.since = self.now;
        copy.rate += more;
        self.ends.push(Reverse((self.now + copy.left.div_ceil(copy.rate), at)));
        for end in both(copy.ends) {
            self.ports[end].free -= more;
        }
    }
}

/// The ends of a copy as places among the ports: one where it has no source.
fn both([to, from]: [u32; 2]) -> impl DoubleEndedIterator<Item = usize> {
    [Some(to as usize), (from != to).then_some(from as usize)].into_iter().flatten()
}

fn rate(model: &Model<'_>, present: &[Loads], broker: u32, r: usize) -> u128 {
    match tenfold_headroom(model, present, broker, r) {
        0 => 10 * u128::from((model.broker(broker).capacity[r] / 100).max(RATE_FLOOR_BYTES_PER_SECOND)),
        headroom => headroom,
    }
}
