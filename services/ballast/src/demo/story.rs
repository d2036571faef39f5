//! The chapters of the demo, in order. Each does, waits until it is seen, and says what was seen. Must not know services but through
//! their port.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use ballast_clock::Clock;
use ballast_cluster::BrokerId;
use ballast_proto::analyzer::v1::create_plan_request::Goal;
use ballast_proto::analyzer::v1::{EvacuateGoal, Plan, RebalanceGoal};
use ballast_proto::monitor::v1::BrokerState;
use ballast_proto::task::v1::{StepState, Task, TaskState};
use ballast_sim_cluster::SimCluster;
use tokio::time::sleep;

use super::center::Center;
use super::clients::{Clients, LOOK_INTERVAL};
use super::narrator::Narrator;
use super::{Ending, failed};
use crate::cli::exit::CliError;
use crate::cli::task_view::{is_end, state};
use crate::cli::{audit, plan_view};
use crate::quantity::{bytes, rate};

/// The broker that dies: among the fullest of its rack, so that there is something to heal.
const VICTIM: i32 = 3;
/// Looks at what the Monitor must see soon.
const LOOKS_MAX: u32 = 150;
/// Real time without a control center after its crash.
const OUTAGE: Duration = Duration::from_millis(1_500);

pub struct Story<'a> {
    narrator: &'a Narrator,
    cluster: &'a SimCluster,
    data_dir: &'a Path,
    clock: Clock,
}

impl<'a> Story<'a> {
    pub fn new(narrator: &'a Narrator, cluster: &'a SimCluster, data_dir: &'a Path, clock: Clock) -> Self {
        Self { narrator, cluster, data_dir, clock }
    }

    pub async fn tell(&self) -> Result<Ending, CliError> {
        let center = self.start().await?;
        let mut clients = Clients::connect(&center.url()).await?;
        self.meet(&mut clients).await?;
        self.lose_a_broker(&mut clients).await?;
        let plan = self.plan(&mut clients).await?;
        let healing = self.begin_healing(&mut clients, &plan).await?;
        let center = self.crash(center, &mut clients, &healing).await?;
        let healed = self.heal(&mut clients, &healing).await?;
        let rolled_back = self.rebalance_and_roll_back(&mut clients).await?;
        let verified_sequence = self.account(&mut clients, &healed).await?;
        center.drain().await;
        Ok(Ending {
            steps: healed.steps_done + rolled_back.steps_done,
            bytes: healed.bytes_done + rolled_back.bytes_done,
            verified_sequence,
        })
    }

    async fn start(&self) -> Result<Center, CliError> {
        Center::start(self.cluster, self.data_dir, self.clock).await
    }

    async fn meet(&self, clients: &mut Clients) -> Result<(), CliError> {
        self.narrator.chapter("A cluster at work");
        let mut cluster = clients.cluster().await?;
        while !cluster.model_ready {
            sleep(LOOK_INTERVAL).await;
            cluster = clients.cluster().await?;
        }
        let counts = cluster.counts.unwrap_or_default();
        self.narrator.say(&format!(
            "{} brokers carry {} topics with {} partitions and {} replicas; producers and consumers are busy.",
            counts.brokers, counts.topics, counts.partitions, counts.replicas
        ));
        let mut broker = clients.broker(VICTIM).await?;
        // A rate needs two measurements.
        while broker.network_in_bytes_per_second == 0 {
            sleep(LOOK_INTERVAL).await;
            broker = clients.broker(VICTIM).await?;
        }
        self.narrator.say(&format!(
            "Broker {VICTIM} holds {} of the replicas ({}) and leads {} partitions, taking in {}.",
            broker.replicas,
            bytes(broker.disk_bytes),
            broker.leaders,
            rate(broker.network_in_bytes_per_second)
        ));
        Ok(())
    }

    async fn lose_a_broker(&self, clients: &mut Clients) -> Result<(), CliError> {
        self.narrator.chapter(&format!("Broker {VICTIM} dies"));
        let died = self.clock.now();
        self.cluster.kill(BrokerId(VICTIM));
        self.narrator.say("Its process is gone without a word. Nobody tells Ballast: it must notice by itself.");
        let mut suspected = false;
        loop {
            let broker = clients.broker(VICTIM).await?;
            let seconds = self.clock.now().milliseconds_since(died) / 1_000;
            if broker.suspected_since.is_some() && !suspected {
                suspected = true;
                self.narrator.say(&format!(
                    "After {seconds} s: suspected. Two witnesses agree, but a restart would look the same, so a grace time runs."
                ));
            }
            if broker.state() == BrokerState::Dead {
                let counts = clients.cluster().await?.counts.unwrap_or_default();
                self.narrator.say(&format!(
                    "After {seconds} s: lost. {} partitions are short of a replica; {} have no leader.",
                    counts.under_replicated, counts.offline
                ));
                return Ok(());
            }
            sleep(LOOK_INTERVAL).await;
        }
    }

    async fn plan(&self, clients: &mut Clients) -> Result<Plan, CliError> {
        self.narrator.chapter("Plans, ranked by what they cost");
        let goal = Goal::Evacuate(EvacuateGoal { brokers: vec![VICTIM] });
        let plan = clients.plan(goal, "broker lost").await?;
        let least = plan.bounds.as_ref().map_or(0, |bounds| bounds.moved_bytes);
        self.narrator.say(&format!("{}: no plan can copy less than {}.", plan.name, bytes(least)));
        self.narrator.say(&plan_view::alternatives(&self.narrator.output, &plan));
        if let Some(first) = plan.alternatives.first() {
            self.narrator.say(&format!("The first is taken: {}", first.why));
        }
        Ok(plan)
    }

    /// Until half of the steps are over and something is being copied.
    async fn begin_healing(&self, clients: &mut Clients, plan: &Plan) -> Result<Task, CliError> {
        self.narrator.chapter("Carrying it out in recorded steps, under a throttle");
        let mut task = clients.start(&plan.name, "restore full replication").await?;
        self.narrator.say(&format!(
            "{} has {} steps; each is written down with its undo before Kafka is asked for it.",
            task.name, task.steps_total
        ));
        let mut progress = self.narrator.progress();
        let mut limit_told = false;
        while !is_end(task.state()) && (task.steps_done * 2 < task.steps_total || task.moves_in_flight == 0) {
            sleep(LOOK_INTERVAL).await;
            task = clients.task(&task.name).await?;
            progress.show(&task);
            if !limit_told && task.moves_in_flight > 0 {
                limit_told = self.tell_limits(clients).await?;
            }
        }
        Ok(task)
    }

    /// Whether there were limits to tell of.
    async fn tell_limits(&self, clients: &mut Clients) -> Result<bool, CliError> {
        let limits: Vec<u64> =
            clients.throttle().await?.brokers.iter().filter_map(|broker| broker.limit_bytes_per_second).collect();
        let (Some(least), Some(most)) = (limits.iter().min(), limits.iter().max()) else { return Ok(false) };
        self.narrator.say(&format!(
            "{} brokers are limited, now to {} … {}: what their users leave free.",
            limits.len(),
            rate(*least),
            rate(*most)
        ));
        Ok(true)
    }

    async fn crash(&self, center: Center, clients: &mut Clients, task: &Task) -> Result<Center, CliError> {
        self.narrator.chapter("The control center crashes half-way");
        let before = clients.task(&task.name).await?;
        center.crash();
        self.narrator.say(&format!(
            "Killed with {} of {} steps done and {} moves in flight. Kafka goes on copying what it was asked for.",
            before.steps_done, before.steps_total, before.moves_in_flight
        ));
        sleep(OUTAGE).await;
        let center = self.start().await?;
        *clients = Clients::connect(&center.url()).await?;
        let after = clients.task(&task.name).await?;
        self.narrator.say(&format!(
            "Started again from the log alone: {} is {}, {} of {} steps done, {} moves in flight are recognised as its own and none is asked for twice.",
            after.name,
            state(&after),
            after.steps_done,
            after.steps_total,
            after.moves_in_flight
        ));
        Ok(center)
    }

    async fn heal(&self, clients: &mut Clients, task: &Task) -> Result<Task, CliError> {
        self.narrator.chapter("Healed");
        let task = self.follow(clients, &task.name).await?;
        if task.state() != TaskState::Succeeded {
            return Err(failed(format!("the evacuation ended {}: {}", state(&task), task.detail)));
        }
        let cluster = self.settled(clients, |counts| counts.under_replicated == 0).await?;
        let left = clients.replica_lists().await?.values().filter(|list| list.contains(&VICTIM)).count();
        if left > 0 || cluster.offline > 0 {
            return Err(failed(format!(
                "{left} replica lists still name broker {VICTIM}, {} partitions have no leader",
                cluster.offline
            )));
        }
        self.narrator.say(&format!(
            "All {} partitions have their full number of replicas in sync, none on broker {VICTIM}.",
            cluster.partitions
        ));
        let throttle = clients.throttle().await?;
        self.narrator.say(&format!("Throttles of ours left on the cluster: {} list entries.", throttle.entries.len()));
        Ok(task)
    }

    /// Shows a task until it ends.
    async fn follow(&self, clients: &mut Clients, name: &str) -> Result<Task, CliError> {
        let mut progress = self.narrator.progress();
        loop {
            let task = clients.task(name).await?;
            if is_end(task.state()) {
                progress.close(&task);
                return Ok(task);
            }
            if task.state() == TaskState::NeedsOperator {
                return Err(failed(format!("{name} needs an operator: {} ({})", task.detail, task.reason_code)));
            }
            progress.show(&task);
            sleep(LOOK_INTERVAL).await;
        }
    }

    async fn settled(
        &self,
        clients: &mut Clients,
        wanted: impl Fn(&ballast_proto::monitor::v1::ClusterCounts) -> bool,
    ) -> Result<ballast_proto::monitor::v1::ClusterCounts, CliError> {
        loop {
            let counts = clients.cluster().await?.counts.unwrap_or_default();
            if wanted(&counts) {
                return Ok(counts);
            }
            sleep(LOOK_INTERVAL).await;
        }
    }

    async fn rebalance_and_roll_back(&self, clients: &mut Clients) -> Result<Task, CliError> {
        self.narrator.chapter("A rebalance is begun, and taken back");
        let before = clients.replica_lists().await?;
        let plan = clients.plan(Goal::Rebalance(RebalanceGoal {}), "even out the load").await?;
        self.narrator.say(&plan_view::alternatives(&self.narrator.output, &plan));
        let mut task = clients.start(&plan.name, "even out the load").await?;
        let mut progress = self.narrator.progress();
        while !is_end(task.state()) && (task.steps_done < 3 || task.bytes_done == 0) {
            sleep(LOOK_INTERVAL).await;
            task = clients.task(&task.name).await?;
            progress.show(&task);
        }
        progress.close(&task);
        if is_end(task.state()) {
            self.narrator.say("There was so little to move that it ended before it could be taken back.");
            return Ok(task);
        }
        clients.roll_back(&task.name, "changed my mind").await?;
        self.narrator.say("Cancelled with --mode roll-back: moves in flight and finished ones go back to their recorded lists.");
        let task = self.follow(clients, &task.name).await?;
        let partitions = self.until_lists_are(clients, &before).await?;
        let ended = state(&task);
        self.narrator.say(&format!("It ended {ended}; all {partitions} replica lists are what they were, in the same order."));
        Ok(task)
    }

    /// The Monitor sees the last of them at its next look. Gives how many there are.
    async fn until_lists_are(&self, clients: &mut Clients, wanted: &BTreeMap<String, Vec<i32>>) -> Result<usize, CliError> {
        for _ in 0..LOOKS_MAX {
            if clients.replica_lists().await? == *wanted {
                return Ok(wanted.len());
            }
            sleep(LOOK_INTERVAL).await;
        }
        let lists = clients.replica_lists().await?;
        let different = wanted.iter().filter(|(partition, list)| lists.get(*partition) != Some(list)).count();
        Err(failed(format!("after the roll-back {different} replica lists are not what they were")))
    }

    /// Gives the last verified sequence.
    async fn account(&self, clients: &mut Clients, healed: &Task) -> Result<u64, CliError> {
        self.narrator.chapter("Everything is on record");
        let steps = clients.steps(&healed.name).await?;
        let done = steps.iter().filter(|step| step.state() == StepState::Succeeded).count();
        self.narrator.say(&format!(
            "Of the evacuation's {} steps {done} succeeded. Why was the last one taken? From the effect back to the cause:",
            steps.len()
        ));
        if let Some(last) = clients.last_event(&healed.name, "step.succeeded").await? {
            for event in clients.explain(last.sequence).await? {
                self.narrator.say(&format!("  ↳ {}", audit::line(&event).trim_start()));
            }
        }
        let verified = clients.verify().await?;
        if !verified.ok {
            let damage = verified.damage.map(|damage| damage.message).unwrap_or_default();
            return Err(failed(format!("the log is damaged: {damage}")));
        }
        self.narrator.say(&format!(
            "The log holds {} events; order, checksums and hash chain are sound up to {}.",
            verified.events, verified.verified_sequence
        ));
        Ok(verified.verified_sequence)
    }
}
