//! What the grammar takes and refuses.

use clap::Parser as _;
use clap::error::ErrorKind;

use super::*;

fn check_taken(line: &str) -> Cli {
    let words = std::iter::once("ballast").chain(line.split_whitespace());
    Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{line}: {error}"))
}

fn check_refused(line: &str, kind: ErrorKind) {
    let words = std::iter::once("ballast").chain(line.split_whitespace());
    let error = Cli::try_parse_from(words).expect_err(line);
    assert_eq!((error.kind(), error.exit_code()), (kind, 2), "{line}");
}

#[test]
fn the_grammar_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_of_the_contract_is_understood() {
    for line in [
        "serve --config f.toml --data-dir d --listen 127.0.0.1:0 --insecure --roles monitor,analyzer",
        "demo --brokers 12 --seed 1 --speed 20 --plain",
        "status",
        "status -o json",
        "cluster list",
        "cluster get",
        "cluster snapshot --cluster c1",
        "broker list -o name",
        "broker get 3",
        "broker restore 3 --yes --reason repaired",
        "partition list --under-replicated --offline --reassigning --broker 1 --topic t",
        "lab cluster --brokers 12 --topics 20 --partitions 200 --seed 3 --replication 2 --racks 4 --groups 2 --dead 1 --new 1",
        "lab cluster --preset fleet-200 --draining 2 --shift 1 --kill 3,4",
        "plan list",
        "plan show plan-x",
        "plan moves plan-x --alternative 2",
        "plan explain plan-x t:0",
        "plan export plan-x --alternative 1",
        "task create --plan plan-x --alternative 2 --yes",
        "task list",
        "task get task-x",
        "task steps task-x",
        "task wait task-x --for PAUSED --timeout 10m",
        "task approve task-x",
        "task reject task-x",
        "task pause task-x",
        "task resume task-x",
        "task cancel task-x",
        "task cancel task-x --mode roll-back",
        "task cancel task-x --mode stop-now",
        "task cancel task-x --mode finish-step",
        "task rollback task-x",
        "task decide task-x --step 3 retry",
        "task decide task-x --step 3 mark-done",
        "task watch task-x --from 17",
        "audit log --task task-x --since 2026-11-21T10:00:00Z --type task.accepted --from 3",
        "audit show 3",
        "audit state-at 3",
        "audit explain 3",
        "audit verify",
        "audit export",
        "log verify d",
        "log info d",
        "throttle show",
        "throttle log",
        "throttle set --max 20MB/s",
        "throttle set --auto",
        "throttle sweep",
        "throttle freeze",
        "throttle unfreeze",
        "config check f",
        "config dump --origin",
        "completion bash",
        "version",
    ] {
        check_taken(line);
    }
}

#[test]
fn every_goal_and_limit_of_the_contract_is_understood() {
    for line in [
        "plan create --evacuate 3",
        "plan create --drain 1,2 --band 0.05 --seed 3 --time-budget 10s --exclude-topic ^__ --exclude-broker 4,5",
        "plan create --demote 1 --max-bytes 10 --max-moves 3 --max-leader-moves 2",
        "plan create --expand 7,8 --dry-run",
        "plan create --rebalance --request-id 8f14e45f-ceea-467f-9575-3e1b0a6b8f00",
        "plan create --topic t:0=1,2,3 u:1=2,3",
        "plan create --topic t:0=1,2,3 --topic u:1=2,3",
        "plan create --rebalance --only-topic ^orders --only-topic pay --only-partition t:0 --only-partition t:1",
        "plan create --rebalance --only-to-broker 1,2 --ignore-idle-topics --keep-spread-topics --spread-topics",
        "plan create --rebalance --min-leaders ^orders$=1 --min-leaders pay=2 --failure-room rack --max-replicas-per-broker 4000",
        "plan create --rebalance --max-utilization-disk 0.8 --max-utilization-network 0.75 --max-utilization-cpu 1",
        "plan create --topic t:0=1,2,3 --across-groups",
        "plan offline --snapshot f --drain 1 --only-to-broker 2,3 --failure-room broker --max-utilization-disk 0.85",
        "plan offline --snapshot f.json.zst --rebalance --threads 4",
    ] {
        check_taken(line);
    }
}

#[test]
fn wrong_usage_is_refused_with_exit_code_2() {
    check_refused("", ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand);
    check_refused("fly", ErrorKind::InvalidSubcommand);
    check_refused("plan create", ErrorKind::MissingRequiredArgument);
    check_refused("plan create --drain 1 --rebalance", ErrorKind::ArgumentConflict);
    check_refused("plan create --drain one", ErrorKind::ValueValidation);
    check_refused("plan create --rebalance --band 1.5", ErrorKind::ValueValidation);
    check_refused("plan create --topic t:0", ErrorKind::ValueValidation);
    check_refused("plan create --rebalance --exclude-topic (", ErrorKind::ValueValidation);
    check_refused("plan create --rebalance --only-topic (", ErrorKind::ValueValidation);
    check_refused("plan create --rebalance --only-partition t", ErrorKind::ValueValidation);
    check_refused("plan create --rebalance --min-leaders t=0", ErrorKind::ValueValidation);
    check_refused("plan create --rebalance --max-utilization-cpu 1.1", ErrorKind::ValueValidation);
    check_refused("plan create --rebalance --max-replicas-per-broker 0", ErrorKind::ValueValidation);
    check_refused("plan create --rebalance --failure-room cluster", ErrorKind::InvalidValue);
    check_refused("plan create --rebalance --across-groups", ErrorKind::ArgumentConflict);
    check_refused("plan offline --snapshot f --rebalance --threads 0", ErrorKind::ValueValidation);
    check_refused("plan moves p --alternative 0", ErrorKind::ValueValidation);
    check_refused("throttle set", ErrorKind::MissingRequiredArgument);
    check_refused("throttle set --max fast", ErrorKind::ValueValidation);
    check_refused("throttle set --max 1MB/s --auto", ErrorKind::ArgumentConflict);
    check_refused("status -o yaml", ErrorKind::InvalidValue);
    check_refused("broker restore 1 --request-id x", ErrorKind::ValueValidation);
    check_refused("task wait t --for DONE", ErrorKind::ValueValidation);
    check_refused("task wait t --timeout 10", ErrorKind::ValueValidation);
    check_refused("task cancel t --mode at-once", ErrorKind::InvalidValue);
    check_refused("task decide t --step 1 shrug", ErrorKind::InvalidValue);
    check_refused("task create", ErrorKind::MissingRequiredArgument);
    check_refused("plan offline --rebalance", ErrorKind::MissingRequiredArgument);
    check_refused("serve", ErrorKind::MissingRequiredArgument);
    check_refused("demo --brokers 3", ErrorKind::ValueValidation);
}
