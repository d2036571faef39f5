//! What operators ask for, through the wire types.

use ballast_proto::flow::v1 as proto;
use ballast_proto::flow::v1::flow_control_service_server::FlowControlService;
use ballast_proto::flow::v1::set_throttle_request::Limit;
use ballast_rpc::Reason;
use tonic::Request;
use tonic_types::StatusExt as _;

use super::world::{World, options};
use super::{carry_out, end_task, granted, withheld};
use crate::Rpc;

fn id(number: u32) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

fn rpc(world: &World) -> Rpc {
    Rpc::new(world.flow.clusters.clone())
}

async fn freeze(world: &World, number: u32) -> proto::Throttle {
    let request = proto::FreezeClusterRequest { request_id: id(number), reason: "storm".into(), ..Default::default() };
    rpc(world).freeze_cluster(Request::new(request)).await.unwrap().into_inner().throttle.unwrap()
}

async fn unfreeze(world: &World, number: u32) -> proto::Throttle {
    let request = proto::UnfreezeClusterRequest { request_id: id(number), ..Default::default() };
    rpc(world).unfreeze_cluster(Request::new(request)).await.unwrap().into_inner().throttle.unwrap()
}

async fn set(world: &World, number: u32, limit: Limit) -> proto::Throttle {
    let request = proto::SetThrottleRequest { request_id: id(number), limit: Some(limit), ..Default::default() };
    rpc(world).set_throttle(Request::new(request)).await.unwrap().into_inner().throttle.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_frozen_cluster_admits_nothing_and_raises_nothing() {
    let mut world = World::new(&options()).await;
    world.ready(0).await;
    world.pass_until("granted", async |world| granted(world, 0).await).await;
    world.start(0).await;
    world.pass(3).await;
    assert!(freeze(&world, 1).await.frozen);
    world.ready(1).await;
    world.pass_until("withheld", async |world| withheld(world, 1, "FROZEN").await).await;
    let held = world.configured().await.0;
    world.pass(15).await;
    assert_eq!(world.configured().await.0, held);
    assert!(!granted(&world, 1).await);
    assert!(!unfreeze(&world, 2).await.frozen);
    world.pass_until("granted", async |world| granted(world, 1).await).await;
}

#[tokio::test(start_paused = true)]
async fn freezing_works_while_kafka_does_not_answer() {
    let mut world = World::new(&options()).await;
    world.ready(0).await;
    world.pass_until("granted", async |world| granted(world, 0).await).await;
    world.sim.set_controller_down(true);
    world.pass(3).await;
    let before = world.clock.now();
    assert!(freeze(&world, 1).await.frozen);
    assert!(world.clock.now().milliseconds_since(before) < 1_000);
}

#[tokio::test(start_paused = true)]
async fn a_maximum_bounds_every_limit_from_the_start() {
    let mut world = World::new(&options()).await;
    assert_eq!(set(&world, 1, Limit::RateMaxBytesPerSecond(2_000_000)).await.rate_max_bytes_per_second, Some(2_000_000));
    world.ready(0).await;
    world.pass_until("granted", async |world| granted(world, 0).await).await;
    world.start(0).await;
    for _ in 0..20 {
        world.pass(1).await;
        let limits = world.configured().await.0;
        assert!(limits.values().all(|limit| limit.parse::<u64>().unwrap() <= 2_000_000), "{limits:?}");
    }
    assert_eq!(world.configured().await.0[&1], "2000000");
    assert_eq!(set(&world, 2, Limit::Automatic(true)).await.rate_max_bytes_per_second, None);
    let mut highest = 0;
    for _ in 0..15 {
        world.pass(1).await;
        highest = highest.max(world.configured().await.0[&1].parse::<u64>().unwrap());
    }
    // Until the copy is complete, which it is on the way up.
    assert!(highest > 20_000_000, "{highest}");
}

#[tokio::test(start_paused = true)]
async fn the_throttle_shows_brokers_entries_and_waiting_steps() {
    let mut world = World::new(&options()).await;
    world.set_by_hand(5, "123").await;
    world.ready(0).await;
    world.pass_until("granted", async |world| granted(world, 0).await).await;
    world.start(0).await;
    world.pass(3).await;
    let answer = rpc(&world).get_throttle(Request::new(Default::default())).await.unwrap().into_inner();
    let throttle = answer.throttle.unwrap();
    assert_eq!(throttle.entries.len(), 4);
    let first = &throttle.brokers[0];
    assert_eq!((first.broker, first.ramping, first.target_bytes_per_second), (1, true, Some(78_000_000)));
    assert_eq!((first.user_out_bytes_per_second, first.capacity_out_bytes_per_second), (2_400_000, 100_000_000));
    assert_eq!(throttle.brokers.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn decisions_come_in_the_order_of_the_log_page_by_page() {
    let mut world = World::new(&options()).await;
    carry_out(&mut world, 0).await;
    end_task(&world).await;
    world.pass(5).await;
    let (mut token, mut seen) = (String::new(), Vec::new());
    loop {
        let request = proto::ListThrottleDecisionsRequest { page_size: 3, page_token: token, ..Default::default() };
        let page = rpc(&world).list_throttle_decisions(Request::new(request)).await.unwrap().into_inner();
        assert!(page.decisions.len() <= 3);
        seen.extend(page.decisions);
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert!(seen.windows(2).all(|pair| pair[0].sequence < pair[1].sequence));
    assert!(seen.iter().all(|decision| !decision.text.is_empty()));
    let types: Vec<&str> = seen.iter().map(|decision| decision.r#type.as_str()).collect();
    for wanted in ["admission.opened", "throttle.rate-intended", "admission.admitted", "throttle.rate-released"] {
        assert!(types.contains(&wanted), "{types:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_repeated_request_changes_nothing_and_a_changed_one_is_refused() {
    let world = World::new(&options()).await;
    freeze(&world, 1).await;
    unfreeze(&world, 2).await;
    assert!(!freeze(&world, 1).await.frozen, "the first freeze is long done");
    let request = proto::FreezeClusterRequest { request_id: id(1), reason: "another".into(), ..Default::default() };
    let refused = rpc(&world).freeze_cluster(Request::new(request)).await.unwrap_err();
    assert_eq!(refused.get_error_details().error_info().unwrap().reason, "REQUEST_ID_CONFLICT");
}

#[tokio::test(start_paused = true)]
async fn validation_alone_changes_nothing() {
    let world = World::new(&options()).await;
    let request = proto::FreezeClusterRequest { request_id: id(1), validate_only: true, ..Default::default() };
    let answer = rpc(&world).freeze_cluster(Request::new(request)).await.unwrap().into_inner();
    assert!(!answer.throttle.unwrap().frozen);
}

#[tokio::test(start_paused = true)]
async fn bad_requests_are_refused_by_name() {
    let world = World::new(&options()).await;
    let reason = |status: tonic::Status| status.get_error_details().error_info().unwrap().reason.clone();
    let unknown = proto::GetThrottleRequest { cluster: "c9".into() };
    let status = rpc(&world).get_throttle(Request::new(unknown)).await.unwrap_err();
    assert_eq!(reason(status), ballast_rpc::reason_name(Reason::ClusterNotFound));
    let zero =
        proto::SetThrottleRequest { request_id: id(1), limit: Some(Limit::RateMaxBytesPerSecond(0)), ..Default::default() };
    assert_eq!(reason(rpc(&world).set_throttle(Request::new(zero)).await.unwrap_err()), "INVALID_ARGUMENT");
    let nameless = proto::SweepThrottlesRequest::default();
    assert_eq!(reason(rpc(&world).sweep_throttles(Request::new(nameless)).await.unwrap_err()), "REQUEST_ID_REQUIRED");
    let token = proto::ListThrottleDecisionsRequest { page_token: "x".into(), ..Default::default() };
    assert_eq!(reason(rpc(&world).list_throttle_decisions(Request::new(token)).await.unwrap_err()), "PAGE_TOKEN_INVALID");
}

#[tokio::test(start_paused = true)]
async fn a_sweep_takes_what_lingers_and_names_what_is_not_ours() {
    let mut world = World::new(&options()).await;
    world.set_by_hand(5, "123").await;
    carry_out(&mut world, 0).await;
    world.clock.sleep(std::time::Duration::from_millis(500)).await;
    // The task goes on, so that its limits would stay a little longer.
    assert_eq!(world.configured().await.0.len(), 5);
    let sweep = async |validate_only| {
        let request = proto::SweepThrottlesRequest { request_id: id(7), validate_only, ..Default::default() };
        rpc(&world).sweep_throttles(Request::new(request)).await.unwrap().into_inner()
    };
    let swept = sweep(false).await;
    assert_eq!(swept.brokers, [1, 2, 3, 4]);
    assert_eq!(swept.foreign_limits, [proto::ForeignLimit { broker: 5, value: "123".into() }]);
    assert_eq!(world.configured().await.0, [(5, "123".to_owned())].into());
    assert_eq!(sweep(false).await.brokers, [1, 2, 3, 4], "the same request has the same answer");
}
