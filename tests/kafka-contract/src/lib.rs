//! One suite of statements that every implementation of `KafkaAdmin` obeys, simulated or real: each is a public function that
//! panics where the cluster behaves otherwise. Must not know which implementation it runs against.
//!
//! Statements need a cluster of at least five live brokers that nobody else changes meanwhile. They make their own topics, delete
//! them, leave no throttle behind and restart every broker they kill. What differs by Kafka version asks `version()`.

mod scene;

pub mod cancelling;
pub mod configuring;
pub mod describing;
pub mod electing;
pub mod failing;
pub mod reassigning;
pub mod throttling;

use std::{sync::Arc, time::Duration};

use ballast_clock::Clock;
use ballast_cluster::{BrokerId, TopicPartition};
use ballast_kafka::KafkaAdmin;

/// A cluster that the suite may use as it likes. The methods panic when they fail: they are the test bench, not under test.
#[async_trait::async_trait]
pub trait ClusterUnderTest: Send + Sync {
    fn admin(&self) -> Arc<dyn KafkaAdmin>;

    /// Major and minor Kafka version.
    fn version(&self) -> (u32, u32);

    /// The clock that the cluster lives by: virtual or the machine's.
    fn clock(&self) -> Clock;

    /// Put before the name of every topic and group, for clusters that are used more than once.
    fn name_prefix(&self) -> String {
        "contract".to_owned()
    }

    /// Creates a topic with one partition per list. Returns when it is asked for, not when every broker knows it.
    async fn create_topic(&self, name: &str, assignment: &[Vec<BrokerId>], configs: &[(&str, &str)]);

    async fn delete_topic(&self, name: &str);

    /// Appends about `bytes` to the partition and returns when all in-sync replicas have them.
    async fn produce(&self, at: &TopicPartition, bytes: u64);

    /// Commits an offset for a consumer group without members.
    async fn commit_group_offset(&self, group: &str, at: &TopicPartition, offset: i64);

    /// Marks a broker (4.3 and later) so that Kafka places no new replica on it, or takes the mark away. Returns when asked for.
    async fn set_cordoned(&self, broker: BrokerId, cordoned: bool);

    /// Begins to move a replica to another directory of its broker, slowly enough to be seen under way for seconds. `false`: this
    /// bench cannot.
    async fn move_between_log_dirs(&self, at: &TopicPartition, broker: BrokerId) -> bool;

    /// Stops a broker without warning (kill -9). Returns at once.
    async fn kill(&self, broker: BrokerId);

    /// Starts a killed broker again with the data it had. Returns at once.
    async fn restart(&self, broker: BrokerId);

    /// Lets `duration` pass on [`ClusterUnderTest::clock`].
    async fn pause(&self, duration: Duration) {
        self.clock().sleep(duration).await;
    }
}

/// Runs every statement, one after the other, and names each on standard error before it begins.
pub async fn run_all(cluster: &dyn ClusterUnderTest) {
    run_matching(cluster, "").await;
}

/// Runs the statements whose name contains `part`.
pub async fn run_matching(cluster: &dyn ClusterUnderTest, part: &str) {
    macro_rules! run {
        ($($area:ident :: $statement:ident,)*) => {$(
            if stringify!($statement).contains(part) {
                let started = cluster.clock().now();
                eprintln!("contract: {}", stringify!($statement));
                Box::pin($area::$statement(cluster)).await;
                eprintln!("contract:   held, {} ms", cluster.clock().now().milliseconds_since(started));
            }
        )*};
    }
    run! {
        describing::the_cluster_lists_its_brokers_alive,
        describing::every_broker_gives_metadata_and_tells_who_answered,
        describing::an_unknown_topic_is_left_out_of_metadata,
        describing::the_quorum_has_a_leader_among_its_voters,
        describing::committed_group_offsets_are_listed,
        describing::log_dirs_show_sizes,
        describing::a_replica_that_moves_between_directories_shows_as_future,
        describing::leaders_and_replicas_tell_their_end_offsets,
        describing::a_deleted_topic_vanishes_and_its_name_comes_back_with_another_id,
        reassigning::reassignment_moves_a_partition,
        reassigning::an_idle_partition_moves_at_once,
        reassigning::reorder_is_instant_and_leader_stays,
        reassigning::a_pending_reassignment_is_listed_until_it_completes,
        reassigning::submitting_the_same_target_twice_changes_nothing,
        reassigning::override_with_another_target_completes_there,
        reassigning::replication_factor_change_is_refused,
        reassigning::bad_targets_are_refused_one_by_one,
        reassigning::a_topic_deleted_while_moving_vanishes_from_the_list,
        cancelling::cancel_without_reassignment_is_named,
        cancelling::cancel_restores_members_but_loses_order,
        cancelling::explicit_original_list_after_cancel_restores_order,
        cancelling::explicit_original_list_while_copying_is_a_rollback_only_before_4_3,
        cancelling::cancel_after_override_does_not_give_the_original_list,
        electing::preferred_election_codes,
        configuring::config_append_subtract_and_delete,
        configuring::broker_rates_are_set_read_and_deleted,
        configuring::bad_rates_and_unknown_topics_are_refused,
        configuring::stock_configs_tell_their_source,
        configuring::a_cordon_is_read_and_keeps_no_explicit_target_away,
        throttling::a_rate_without_list_slows_nothing,
        throttling::rate_with_list_slows_a_copy,
        throttling::replica_end_offset_shows_progress,
        failing::killed_broker_is_fenced_and_listed,
        failing::a_fenced_target_is_accepted_and_hangs,
        failing::a_dead_target_is_overridden_by_a_live_one,
        failing::a_dead_replica_kept_in_the_target_blocks_before_4_3_and_not_after,
        failing::a_replaced_broker_returns_without_the_replica,
        failing::a_leaderless_partition_cannot_be_moved_and_heals_when_its_leader_returns,
    }
}
