//! The Analyzer on a made-up snapshot and the memory log.

use std::collections::BTreeMap;
use std::sync::Arc;

use ballast_analyzer::{Analyzer, AnalyzerRpc};
use ballast_clock::Clock;
use ballast_cluster::{Broker, BrokerId, BrokerState, Capacity, Load, Partition, Snapshot, Timestamp, Topic};
use ballast_event_codec::{Decoder, Meta, new_events, read_snapshot};
use ballast_event_log::{Append, Context, EventLog, MemoryLog};
use ballast_events::{ClusterEvent, Event, PlanEvent, StreamName};
use ballast_planner::{Band, GoalKind, plan};
use ballast_proto::analyzer::v1 as wire;
use ballast_proto::analyzer::v1::analyzer_service_server::AnalyzerService;
use ballast_proto::analyzer::v1::create_plan_request::Goal;
use tokio::sync::watch;
use tonic::{Request, Status};
use tonic_types::StatusExt as _;

const REQUEST: &str = "0d1f6f8e-3f0e-4c57-9d0f-0d9a7f3d6a11";

fn broker(id: i32, state: BrokerState) -> Broker {
    let capacity = Capacity {
        cpu_millicores: 0,
        disk_bytes: 1_000_000_000_000,
        network_in_bytes_per_second: 100_000_000,
        network_out_bytes_per_second: 100_000_000,
    };
    let rack = Some(["a", "b", "c"][id as usize % 3].to_owned());
    Broker { id: BrokerId(id), rack, host: None, group: "default".into(), state, capacity, log_dirs: Vec::new() }
}

/// Six brokers in three racks, the third dead; one topic of 12 partitions on all of them.
fn snapshot(taken_at: Timestamp) -> Snapshot {
    let state = |id| if id == 3 { BrokerState::Dead } else { BrokerState::Alive };
    let partition = |index: u32| {
        let replicas: Vec<BrokerId> = (0..3).map(|step| BrokerId(((index + step) % 6) as i32 + 1)).collect();
        let in_sync: Vec<BrokerId> = replicas.iter().filter(|broker| broker.0 != 3).copied().collect();
        let load = Load {
            size_bytes: 1_000_000_000,
            produce_bytes_per_second: 10_000,
            consume_bytes_per_second: Some(0),
            ..Load::default()
        };
        Partition { index, leader: in_sync.first().copied(), replicas, in_sync, load, ..Partition::default() }
    };
    let partitions = (0..12).map(partition).collect();
    let topic =
        Topic { name: "orders".into(), id: Some("A".into()), group: "default".into(), min_insync_replicas: 2, partitions };
    let brokers = (1..=6).map(|id| broker(id, state(id))).collect();
    Snapshot { cluster: "c1".into(), sequence: 7, taken_at: Some(taken_at), brokers, topics: vec![topic] }
}

struct Scene {
    log: Arc<MemoryLog>,
    model: watch::Sender<Option<Arc<Snapshot>>>,
    clock: Clock,
    rpc: AnalyzerRpc,
}

impl Scene {
    fn begin() -> Self {
        let clock = Clock::starting_at(Timestamp::from_milliseconds(1_800_000_000_000));
        let log = Arc::new(MemoryLog::new(clock));
        let model = watch::Sender::new(Some(Arc::new(snapshot(clock.now()))));
        let rpc = analyzer(&log, &model, clock).rpc();
        Self { log, model, clock, rpc }
    }

    async fn create(&self, request: wire::CreatePlanRequest) -> Result<wire::CreatePlanResponse, Status> {
        self.rpc.create_plan(Request::new(request)).await.map(tonic::Response::into_inner)
    }
}

fn analyzer(log: &Arc<MemoryLog>, model: &watch::Sender<Option<Arc<Snapshot>>>, clock: Clock) -> Arc<Analyzer> {
    Arc::new(Analyzer::new(log.clone(), BTreeMap::from([("c1".to_owned(), model.subscribe())]), clock, None))
}

fn evacuate(broker: i32) -> wire::CreatePlanRequest {
    let goal = Some(Goal::Evacuate(wire::EvacuateGoal { brokers: vec![broker] }));
    wire::CreatePlanRequest { cluster: "c1".into(), goal, request_id: REQUEST.into(), ..Default::default() }
}

fn reason(status: &Status) -> String {
    status.get_error_details().error_info().map(|info| info.reason.clone()).unwrap_or_default()
}

#[tokio::test]
async fn the_same_request_id_gives_the_same_plan() {
    let scene = Scene::begin();
    let first = scene.create(evacuate(3)).await.expect("broker 3 is dead");
    let head = scene.log.head().borrow().sequence;
    let again = scene.create(evacuate(3)).await.expect("the same answer");
    assert_eq!((first.replayed, again.replayed), (false, true));
    assert_eq!(first.plan, again.plan);
    assert_eq!(scene.log.head().borrow().sequence, head, "nothing is recorded twice");
    let plan = first.plan.expect("a plan");
    assert!(plan.name.starts_with("plan-") && plan.name.len() == 17, "{}", plan.name);
    assert_eq!((plan.base_sequence, plan.cluster.as_str()), (7, "c1"));
    let other = scene.create(wire::CreatePlanRequest { seed: 5, ..evacuate(3) }).await.expect_err("another body");
    assert_eq!(reason(&other), "REQUEST_ID_CONFLICT");
}

#[tokio::test]
async fn a_plan_is_read_back_from_the_log_by_another_process() {
    let scene = Scene::begin();
    let created = scene.create(evacuate(3)).await.expect("broker 3 is dead").plan.expect("a plan");
    let later = analyzer(&scene.log, &scene.model, scene.clock).rpc();
    let request = wire::GetPlanRequest { plan: created.name.clone() };
    let read = later.get_plan(Request::new(request)).await.expect("it is recorded").into_inner().plan.expect("a plan");
    assert_eq!(wire::Plan { timings: None, ..created.clone() }, read);
    let listed = later.list_plans(Request::new(wire::ListPlansRequest::default())).await.expect("a list").into_inner();
    assert_eq!(listed.plans.iter().map(|plan| plan.name.as_str()).collect::<Vec<_>>(), [created.name.as_str()]);
    let request = wire::ExplainMoveRequest { plan: created.name.clone(), topic: "orders".into(), partition: 0 };
    let explained = later.explain_move(Request::new(request)).await.expect("the partition is there").into_inner();
    assert_eq!(explained.replicas, [1, 2, 3]);
    assert!(explained.explanations.iter().all(|explanation| !explanation.explanation.is_empty()));
    for explanation in &explained.explanations {
        let planned = explanation.r#move.as_ref().expect("broker 3 had a replica");
        let target = planned.to.iter().find(|id| !planned.from.contains(id)).expect("it is replaced");
        let disk = |id: i32| {
            let change = explanation.brokers.iter().find(|change| change.broker == id).expect("it is touched");
            (change.before.and_then(|before| before.disk), change.after.and_then(|after| after.disk))
        };
        // Six replicas of a thousandth of the disk each; the dead one carries nothing.
        assert!(disk(*target) > (Some(0.006), Some(0.006)) && disk(3) == (Some(0.0), Some(0.0)), "{explanation:?}");
    }
}

/// With every limit that a plan can have.
fn limited(goal: Goal) -> wire::CreatePlanRequest {
    wire::CreatePlanRequest {
        goal: Some(goal),
        seed: 3,
        band_parts_per_million: Some(50_000),
        time_budget_milliseconds: Some(10),
        exclude_topics: vec!["^aud".into()],
        exclude_brokers: vec![1],
        max_bytes: Some(20_000_000_000),
        max_moves: Some(9),
        max_leader_moves: Some(8),
        only_topics: vec!["ord".into()],
        only_partitions: vec![wire::TopicPartition { topic: "orders".into(), partition: 3 }],
        only_to_brokers: vec![2, 4, 5, 6],
        min_leaders: vec![wire::MinLeaders { topics: "^orders$".into(), leaders: 1 }],
        spread_topics: true,
        ignore_idle_topics: true,
        failure_room: wire::FailureRoom::Broker.into(),
        max_replicas_per_broker: Some(1_000),
        max_utilization_disk_parts_per_million: Some(850_000),
        max_utilization_network_parts_per_million: Some(750_000),
        max_utilization_cpu_parts_per_million: Some(650_000),
        ..evacuate(3)
    }
}

#[tokio::test]
async fn a_recorded_plan_is_made_again_from_what_was_recorded() {
    let targets = vec![wire::ReplicaList { topic: "orders".into(), partition: 3, replicas: vec![4, 6, 5] }];
    let topic = limited(Goal::Topic(wire::TopicGoal { targets }));
    let requests = [
        evacuate(3),
        limited(Goal::Evacuate(wire::EvacuateGoal { brokers: vec![3] })),
        limited(Goal::Rebalance(wire::RebalanceGoal {})),
        wire::CreatePlanRequest { keep_spread_topics: true, ..limited(Goal::Rebalance(wire::RebalanceGoal {})) },
        wire::CreatePlanRequest { across_groups: true, ..topic },
    ];
    for request in requests {
        let scene = Scene::begin();
        let created = scene.create(request).await.expect("it makes sense").plan.expect("a plan");
        let (mut decoder, mut drafted) = (Decoder::new(), None);
        for envelope in scene.log.read(1, 10_000).await.expect("the memory log answers") {
            if let Some(Event::Plan(event)) = decoder.decode(&envelope).expect("every event is readable") {
                drafted = Some(event);
            }
        }
        let drafted = drafted.expect("it is recorded");
        let PlanEvent::PlanDrafted { goal, brokers, seed, band_parts_per_million, snapshot, input, outcome, .. } = drafted;
        let snapshot = read_snapshot(scene.log.as_ref(), &snapshot).await.expect("it is recorded");
        let input = input.expect("it is recorded");
        let goal = ballast_planner::Goal {
            kind: GoalKind::parse(&goal).expect("a known kind"),
            brokers,
            band: Band::from_parts_per_million(band_parts_per_million),
            targets: input.targets.clone(),
        };
        assert_eq!(plan(&snapshot, &goal, &input.limits, seed), *outcome, "{goal:?} {:?}", input.limits);
        assert_eq!(created.alternatives.len(), outcome.alternatives.len());
    }
}

#[tokio::test]
async fn limits_that_make_no_sense_are_refused_with_their_name() {
    let scene = Scene::begin();
    let check = async |change: fn(&mut wire::CreatePlanRequest), wanted: &str, named: &str| {
        let mut request = evacuate(3);
        change(&mut request);
        let refusal = scene.create(request).await.expect_err(wanted);
        assert_eq!(reason(&refusal), wanted, "{refusal:?}");
        assert!(refusal.message().contains(named), "{refusal:?}");
    };
    check(|request| request.max_utilization_disk_parts_per_million = Some(0), "GOAL_INVALID", "max_utilization_disk").await;
    check(
        |request| request.max_utilization_network_parts_per_million = Some(1_000_001),
        "GOAL_INVALID",
        "max_utilization_network",
    )
    .await;
    check(|request| request.max_utilization_cpu_parts_per_million = Some(0), "GOAL_INVALID", "max_utilization_cpu").await;
    check(|request| request.max_replicas_per_broker = Some(0), "GOAL_INVALID", "max_replicas_per_broker").await;
    check(|request| request.min_leaders = vec![min_leaders("orders", 0)], "GOAL_INVALID", "min_leaders").await;
    check(|request| request.min_leaders = vec![min_leaders("none", 1)], "TOPIC_NOT_FOUND", "none").await;
    check(|request| request.across_groups = true, "GOAL_INVALID", "across_groups").await;
    check(|request| request.failure_room = 9, "INVALID_ARGUMENT", "failure_room").await;
    check(|request| request.only_topics = vec!["(".into()], "INVALID_ARGUMENT", "regular expression").await;
    check(|request| request.only_topics = vec!["none".into()], "TOPIC_NOT_FOUND", "none").await;
    check(|request| request.only_partitions = vec![partition("none", 0)], "TOPIC_NOT_FOUND", "none").await;
    check(|request| request.only_partitions = vec![partition("orders", 99)], "PARTITION_NOT_FOUND", "orders:99").await;
    check(|request| request.only_to_brokers = vec![99], "BROKER_NOT_FOUND", "99").await;
    let excluded = |request: &mut wire::CreatePlanRequest| {
        request.only_to_brokers = vec![1, 2];
        request.exclude_brokers = vec![2];
    };
    check(excluded, "GOAL_INVALID", "broker 2").await;
}

fn min_leaders(topics: &str, leaders: u32) -> wire::MinLeaders {
    wire::MinLeaders { topics: topics.into(), leaders }
}

fn partition(topic: &str, partition: u32) -> wire::TopicPartition {
    wire::TopicPartition { topic: topic.into(), partition }
}

#[tokio::test]
async fn moves_are_listed_in_pages() {
    let scene = Scene::begin();
    let plan = scene.create(evacuate(3)).await.expect("broker 3 is dead").plan.expect("a plan");
    let first = &plan.alternatives[0];
    assert_eq!(first.moves.len(), 6, "every partition with a replica on broker 3 moves");
    let (mut moves, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = wire::ListPlanMovesRequest { plan: plan.name.clone(), alternative: 1, page_size: 4, page_token };
        let page = scene.rpc.list_plan_moves(Request::new(request)).await.expect("a page").into_inner();
        assert!(page.moves.len() <= 4 && page.moves_total as usize == first.moves.len());
        moves.extend(page.moves);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(moves, first.moves);
    let request = wire::ListPlanMovesRequest { plan: plan.name.clone(), alternative: 99, ..Default::default() };
    let refusal = scene.rpc.list_plan_moves(Request::new(request)).await.expect_err("there is no such alternative");
    assert_eq!(reason(&refusal), "ALTERNATIVE_NOT_FOUND");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_its_reason() {
    let scene = Scene::begin();
    let check = async |goal: Option<Goal>, change: fn(&mut wire::CreatePlanRequest), wanted: &str| {
        let mut request = wire::CreatePlanRequest { goal, ..evacuate(3) };
        change(&mut request);
        let refusal = scene.create(request).await.expect_err(wanted);
        assert_eq!(reason(&refusal), wanted, "{refusal:?}");
    };
    let brokers = vec![3];
    let targets = |topic: &str, partition| {
        let targets = vec![wire::ReplicaList { topic: topic.into(), partition, replicas: vec![1, 2, 4] }];
        Some(Goal::Topic(wire::TopicGoal { targets }))
    };
    let dead = || brokers.clone();
    let keep = |_: &mut wire::CreatePlanRequest| {};
    check(Some(Goal::Evacuate(wire::EvacuateGoal { brokers: vec![1] })), keep, "BROKER_ALIVE").await;
    check(Some(Goal::Drain(wire::DrainGoal { brokers: dead() })), keep, "BROKER_DEAD").await;
    check(Some(Goal::Demote(wire::DemoteGoal { brokers: dead() })), keep, "BROKER_DEAD").await;
    check(Some(Goal::Expand(wire::ExpandGoal { brokers: dead() })), keep, "BROKER_DEAD").await;
    check(Some(Goal::Drain(wire::DrainGoal { brokers: vec![99] })), keep, "BROKER_NOT_FOUND").await;
    check(targets("none", 0), keep, "TOPIC_NOT_FOUND").await;
    check(targets("orders", 99), keep, "PARTITION_NOT_FOUND").await;
    let recorded = scene.log.stream_version(&StreamName::audit()).await.expect("the memory log answers");
    assert_eq!(recorded, 7, "refusals are recorded");
    check(None, keep, "INVALID_ARGUMENT").await;
    check(Some(Goal::Drain(wire::DrainGoal::default())), keep, "GOAL_INVALID").await;
    check(Some(Goal::Rebalance(wire::RebalanceGoal {})), |request| request.exclude_topics = vec!["(".into()], "INVALID_ARGUMENT")
        .await;
    check(Some(Goal::Rebalance(wire::RebalanceGoal {})), |request| request.request_id = "7".into(), "REQUEST_ID_REQUIRED").await;
    check(Some(Goal::Rebalance(wire::RebalanceGoal {})), |request| request.cluster = "c9".into(), "CLUSTER_NOT_FOUND").await;
    let after = scene.log.head().borrow().sequence;
    assert_eq!(after, recorded, "malformed requests are not recorded");
    scene.create(evacuate(3)).await.expect("refusals did not use the request id up");
    scene.model.send_replace(None);
    check(
        Some(Goal::Rebalance(wire::RebalanceGoal {})),
        |request| request.request_id = request.request_id.replace('0', "1"),
        "MODEL_NOT_READY",
    )
    .await;
}

#[tokio::test]
async fn validation_records_nothing() {
    let scene = Scene::begin();
    let answer = scene.create(wire::CreatePlanRequest { validate_only: true, ..evacuate(3) }).await.expect("it is planned");
    let plan = answer.plan.expect("a plan");
    assert!(plan.name.is_empty() && !plan.alternatives.is_empty());
    assert_eq!(scene.log.head().borrow().sequence, 0);
}

#[tokio::test]
async fn a_plan_prints_as_the_plan_file() {
    let scene = Scene::begin();
    let plan = scene.create(evacuate(3)).await.expect("broker 3 is dead").plan.expect("a plan");
    let json = serde_json::to_value(&plan).expect("plans serialise");
    assert_eq!(json["format"], "ballast.plan.v1");
    assert_eq!(json["goal"], serde_json::json!({"kind": "evacuate", "brokers": [3], "band": 0.1}));
    let first = &json["alternatives"][0];
    assert_eq!(first["rank"], 1);
    for key in ["max_over_mean", "min_over_mean", "outside"] {
        assert!(first["balance"]["before"]["disk"][key].is_number(), "{first}");
        assert!(first["balance"]["after"]["cpu"][key].is_null(), "{first}");
    }
    for key in ["topic", "partition", "from", "to", "bytes", "reason"] {
        assert!(!first["moves"][0][key].is_null(), "{first}");
    }
    for key in ["read_milliseconds", "first_valid_milliseconds", "total_milliseconds", "threads"] {
        assert!(json["timings"][key].is_u64(), "{json}");
    }
}

#[tokio::test]
async fn suspected_and_cordoned_brokers_get_nothing_new() {
    let scene = Scene::begin();
    let observe = async |event: ClusterEvent| {
        let meta = Meta { cluster: Some("c1".into()), ..Meta::default() };
        let events = new_events(&StreamName::cluster("c1"), &Event::Cluster(event), scene.clock.now(), &meta);
        scene.log.append(Append::new(Context::default(), None, events)).await.expect("the memory log takes it");
    };
    let plan = async |goal: Goal, request_id: u128| {
        let (goal, request_id) = (Some(goal), format!("{request_id:08}-3f0e-4c57-9d0f-0d9a7f3d6a11"));
        let answer = scene.create(wire::CreatePlanRequest { goal, request_id, ..evacuate(3) }).await?;
        let first = answer.plan.expect("a plan").alternatives[0].clone();
        let gets = |broker: i32| first.moves.iter().any(|m| m.to.contains(&broker) && !m.from.contains(&broker));
        Ok::<_, Status>([1, 2, 4, 5, 6].into_iter().filter(|broker| gets(*broker)).collect::<Vec<_>>())
    };
    let evacuate = || Goal::Evacuate(wire::EvacuateGoal { brokers: vec![3] });
    let expand = |broker| Goal::Expand(wire::ExpandGoal { brokers: vec![broker] });
    let onto = |broker| {
        let targets = vec![wire::ReplicaList { topic: "orders".into(), partition: 0, replicas: vec![1, 2, broker] }];
        Goal::Topic(wire::TopicGoal { targets })
    };
    let free = plan(evacuate(), 1).await.expect("broker 3 is dead");
    assert_eq!(free, [6], "the other broker of its rack");
    let (broker, since) = (BrokerId(6), scene.clock.now());
    observe(ClusterEvent::BrokerSuspected { broker, witnesses: Vec::new(), since }).await;
    assert_eq!(plan(evacuate(), 2).await.expect("broker 3 is dead"), [0_i32; 0]);
    assert_eq!(reason(&plan(expand(6), 3).await.expect_err("suspected")), "BROKER_SUSPECTED");
    observe(ClusterEvent::SuspicionCleared { broker }).await;
    assert_eq!(plan(evacuate(), 4).await.expect("broker 3 is dead"), free);
    observe(ClusterEvent::BrokerCordoned { broker }).await;
    assert_eq!(plan(evacuate(), 5).await.expect("broker 3 is dead"), [0_i32; 0]);
    assert_eq!(reason(&plan(onto(6), 6).await.expect_err("cordoned")), "BROKER_CORDONED");
    observe(ClusterEvent::BrokerUncordoned { broker }).await;
    assert_eq!(plan(evacuate(), 7).await.expect("broker 3 is dead"), free);
}
