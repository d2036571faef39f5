//! A cluster, its log, and the control center that is lost and built anew as the seed says; commands reach whichever process lives.
//! Must not judge.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use ballast_clock::Clock;
use ballast_cluster::Timestamp;
use ballast_event_log::{EventLog, MemoryLog};
use ballast_sim_cluster::{SimCluster, SimOptions};
use tonic::service::Routes;
use tonic::{Code, Status};

use crate::center::{Center, NETWORK_BYTES_PER_SECOND};
use crate::dice::Dice;
use crate::mortal::{Death, Life, Mortal};
use crate::witness::{Repetitions, Witness};

pub(crate) const BROKERS: u32 = 6;
pub(crate) const REPLICATION_FACTOR: usize = 3;

pub(crate) struct World {
    pub clock: Clock,
    pub sim: SimCluster,
    pub log: Arc<MemoryLog>,
    pub dice: Dice,
    pub repetitions: Repetitions,
    pub deaths: VecDeque<Death>,
    /// What happened, to be read when a promise is broken.
    pub diary: Vec<String>,
    life: Arc<Life>,
    center: Option<Center>,
    requests: u64,
    mishaps_per_mille: u64,
}

impl World {
    /// A cluster that runs, and nobody who looks after it yet.
    pub fn new(seed: u64) -> Self {
        let clock = Clock::starting_at(Timestamp::from_milliseconds(1_700_000_000_000));
        let options = SimOptions {
            seed,
            brokers: BROKERS,
            racks: 3,
            topics: 2,
            partitions_per_topic: 4,
            replication_factor: REPLICATION_FACTOR as u32,
            mean_partition_bytes: 200_000_000,
            produce_bytes_per_second: 40_000,
            network_bytes_per_second: NETWORK_BYTES_PER_SECOND,
            reaches_dead_brokers_configs: !seed.is_multiple_of(3),
            ..SimOptions::default()
        };
        Self {
            clock,
            sim: SimCluster::new(&options, clock),
            log: Arc::new(MemoryLog::new(clock)),
            dice: Dice(seed),
            repetitions: Repetitions::default(),
            deaths: VecDeque::new(),
            diary: Vec::new(),
            life: Life::new(),
            center: None,
            requests: 0,
            mishaps_per_mille: 0,
        }
    }

    pub fn note(&mut self, what: impl Into<String>) {
        let at = (self.clock.now().milliseconds - 1_700_000_000_000) / 100;
        let sequence = self.log.head().borrow().sequence;
        self.diary.push(format!("{}.{} s, event {sequence}: {}", at / 10, at % 10, what.into()));
    }

    /// From now on this many of a thousand calls to Kafka go wrong.
    pub fn set_mishaps(&mut self, per_mille: u64) {
        self.mishaps_per_mille = per_mille;
        self.sim.set_mishap_chance(per_mille);
    }

    /// Builds the control center, dying ones again and again.
    pub async fn build(&mut self) {
        loop {
            self.center = None;
            self.life = Life::new();
            let death = self.deaths.pop_front();
            let log: Arc<dyn EventLog> = self.log.clone();
            let mortal = Mortal::new(log, self.life.clone(), death);
            let kafka = Witness {
                sim: self.sim.clone(),
                life: self.life.clone(),
                repetitions: self.repetitions.clone(),
                mishaps_per_mille: self.mishaps_per_mille,
            };
            let life = self.life.clone();
            let started = tokio::select! {
                biased;
                () = life.ended() => None,
                started = Center::start(Arc::new(mortal), Arc::new(kafka), self.clock) => Some(started.expect("it starts")),
            };
            if started.is_some() {
                self.center = started;
                return self.note(format!("the control center runs; it dies at {death:?}"));
            }
        }
    }

    /// Loses the control center and builds another one some seconds later.
    async fn rebuild(&mut self) {
        self.center = None;
        self.note("the control center died");
        let pause = self.dice.pick(&[0, 200, 3_000, 40_000]);
        self.clock.sleep(Duration::from_millis(pause)).await;
        self.build().await;
    }

    /// Lets time pass.
    pub async fn pass(&mut self, milliseconds: u64) {
        let end = self.clock.now().plus_milliseconds(milliseconds as i64);
        loop {
            let left = end.milliseconds_since(self.clock.now());
            if left <= 0 {
                break;
            }
            let (life, clock) = (self.life.clone(), self.clock);
            tokio::select! {
                biased;
                () = life.ended() => self.rebuild().await,
                () = clock.sleep(Duration::from_millis(left as u64)) => {}
            }
        }
        if let Some(center) = &mut self.center {
            center.check();
        }
    }

    /// No mishaps as long as the answer is kept: for those who only look.
    pub fn calm(&self) -> Calm {
        self.sim.set_mishap_chance(0);
        Calm { sim: self.sim.clone(), mishaps_per_mille: self.mishaps_per_mille }
    }

    pub fn request_id(&mut self) -> String {
        self.requests += 1;
        uuid::Uuid::from_u128(u128::from(self.requests) << 64 | 0x4000_8000_0000_0000_0000).to_string()
    }

    /// Asks whichever process lives until one answers; refusals are answers.
    pub async fn ask<T, F: Future<Output = Result<T, Status>>>(&mut self, call: impl Fn(Routes) -> F) -> Result<T, Status> {
        for _ in 0..300 {
            let Some(routes) = self.center.as_ref().map(|center| center.routes.clone()) else {
                self.build().await;
                continue;
            };
            let life = self.life.clone();
            let answer = tokio::select! {
                biased;
                () = life.ended() => None,
                answer = call(routes) => Some(answer),
            };
            match answer {
                None => self.rebuild().await,
                Some(Err(status)) if is_worth_another_try(&status) => self.pass(1_000).await,
                Some(answer) => return answer,
            }
        }
        panic!("nobody answers:\n{}", self.diary.join("\n"));
    }
}

pub(crate) struct Calm {
    sim: SimCluster,
    mishaps_per_mille: u64,
}

impl Drop for Calm {
    fn drop(&mut self) {
        self.sim.set_mishap_chance(self.mishaps_per_mille);
    }
}

fn is_worth_another_try(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded | Code::Aborted | Code::Unknown)
}
