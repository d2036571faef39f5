//! End-to-end scenarios on real brokers, one after the other on one reused cluster: 1 controller and 6 brokers in 2 racks, short
//! session and throttle window. `cargo test -p ballast-end-to-end --test real_brokers -- NAME` runs those whose name contains NAME.
//! Skipped, loudly, where a JDK or Maven is missing; never in CI.

mod bench;
mod cancelling;
mod goals;
mod healing;
mod idempotency;
mod killing;
mod stock;
mod strangers;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use ballast_kafka_harness::real_brokers_are_available;
use libtest_mimic::{Arguments, Trial};
use tokio::runtime::Runtime;

use bench::Bench;

type Scenario = fn(Arc<Bench>) -> Pin<Box<dyn Future<Output = ()> + Send>>;

fn main() {
    let mut arguments = Arguments::from_args();
    // One cluster, one scenario at a time.
    arguments.test_threads = Some(1);
    let scenarios: [(&str, Scenario); 19] = [
        ("a_dead_brokers_partitions_are_healed_under_load", |bench| {
            Box::pin(healing::a_dead_brokers_partitions_are_healed_under_load(bench))
        }),
        ("expand_fills_an_empty_broker_and_then_plans_nothing", |bench| Box::pin(goals::expand_fills_an_empty_broker(bench))),
        ("drain_empties_a_live_broker_and_then_plans_nothing", |bench| Box::pin(goals::drain_empties_a_live_broker(bench))),
        ("demote_takes_leadership_and_then_plans_nothing", |bench| Box::pin(goals::demote_takes_leadership(bench))),
        ("rebalance_levels_skewed_topics_and_then_plans_nothing", |bench| Box::pin(goals::rebalance_levels_skewed_topics(bench))),
        ("cancel_finish_step_lets_moves_in_flight_end", |bench| Box::pin(cancelling::finish_step(bench))),
        ("cancel_stop_now_puts_moves_in_flight_back", |bench| Box::pin(cancelling::stop_now(bench))),
        ("cancel_roll_back_undoes_everything", |bench| Box::pin(cancelling::roll_back(bench))),
        ("a_rollback_is_paused_and_goes_on", |bench| Box::pin(cancelling::rollback_paused(bench))),
        ("a_finished_task_is_rolled_back_by_a_new_one", |bench| Box::pin(cancelling::rollback_of_a_finished_task(bench))),
        ("ballast_killed_ten_times_finishes_and_submits_nothing_twice", |bench| Box::pin(killing::ten_times(bench))),
        ("the_same_request_a_hundred_times_is_one_task", |bench| Box::pin(idempotency::one_task(bench))),
        ("a_foreign_reassignment_is_waited_for", |bench| Box::pin(strangers::foreign_reassignment(bench))),
        ("an_operators_own_throttle_is_kept", |bench| Box::pin(strangers::foreign_throttle(bench))),
        ("a_cordoned_broker_gets_nothing", |bench| Box::pin(strangers::cordoned_target(bench))),
        ("a_topic_deleted_or_recreated_mid_move_voids_its_steps", |bench| Box::pin(strangers::topics_that_go(bench))),
        ("a_target_that_dies_mid_move_is_named", |bench| Box::pin(strangers::target_dies(bench))),
        ("a_broker_that_returns_during_its_evacuation_is_named", |bench| Box::pin(strangers::broker_returns(bench))),
        ("a_cluster_with_stock_settings_is_healed", |bench| Box::pin(stock::healing_on_stock_settings(bench))),
    ];
    let runtime = Arc::new(Runtime::new().expect("a runtime can be made"));
    let listing = arguments.list || !real_brokers_are_available();
    let bench: Option<Arc<Bench>> = (!listing).then(|| Arc::new(runtime.block_on(Bench::start())));
    let trials = scenarios.into_iter().map(|(name, scenario)| {
        let (runtime, bench) = (runtime.clone(), bench.clone());
        Trial::test(name, move || {
            if let Some(bench) = bench {
                runtime.block_on(async {
                    bench.reset().await;
                    tokio::spawn(scenario(bench)).await
                })?;
            }
            Ok(())
        })
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    // `exit` runs no destructors: the cluster must be taken down before.
    drop(bench);
    drop(runtime);
    conclusion.exit();
}
