//! What an operator's tools see of a running server: probes, metrics, JSON logs, traces, and the end of streams when it drains.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use ballast_proto::analyzer::v1::analyzer_service_client::AnalyzerServiceClient;
use ballast_proto::analyzer::v1::create_plan_request::Goal;
use ballast_proto::analyzer::v1::{CreatePlanRequest, DrainGoal};
use ballast_proto::task::v1::WatchTaskRequest;
use ballast_proto::task::v1::task_manager_service_client::TaskManagerServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};
use tonic_types::StatusExt as _;

use super::server::Server;

/// Status and body of a plain HTTP request.
async fn get(url: &str, path: &str) -> (u16, String) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let address = url.trim_start_matches("http://");
    let mut connection = tokio::net::TcpStream::connect(address).await.expect("the port is open");
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await.expect("it takes the request");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.expect("it answers in text");
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_and_metrics_are_on_the_same_port() {
    let server = Server::start();
    for path in ["/livez", "/readyz"] {
        assert_eq!(get(&server.url, path).await.0, 200, "{path}");
    }
    // Slow at first, so that what is told of moves in flight can be seen.
    server.json(&["throttle", "set", "--max", "2MB/s", "--yes"]);
    let plan = server.name(&["plan", "create", "--drain", "3"]);
    server.name(&["task", "create", "--plan", &plan, "--yes"]);
    let of_moves = ["ballast_task_no_progress_seconds{", "ballast_moves_in_flight{", "ballast_move_remaining_bytes{"];
    let mut is_slow = true;
    let wanted = [
        "ballast_build_info{",
        "ballast_event_log_append_duration_seconds_count",
        "ballast_event_log_head_sequence",
        "ballast_event_log_size_bytes",
        "ballast_projection_lag_events{projection=\"monitor\"}",
        "ballast_projection_lag_events{projection=\"analyzer\"}",
        "ballast_projection_lag_events{projection=\"task-manager\"}",
        "ballast_projection_lag_events{projection=\"flow-control\"}",
        "ballast_tasks{kind=\"drain\",state=",
        "ballast_task_transitions_total{state=\"RUNNING\"}",
        "ballast_task_duration_seconds_count{kind=\"drain\",outcome=\"SUCCEEDED\"} 1",
        "ballast_task_no_progress_seconds{",
        "ballast_moves_in_flight{",
        "ballast_move_transferred_bytes_total{",
        "ballast_move_remaining_bytes{",
        "ballast_throttle_limit_bytes_per_second{",
        "ballast_throttle_utilization_ratio{",
        "ballast_throttle_decisions_total{",
        "ballast_stale_throttles{",
        "ballast_balance_max_to_mean_ratio{",
        "ballast_unmet_goals{",
        "ballast_model_age_seconds{",
        "ballast_model_valid_ratio{",
        "ballast_plan_duration_seconds_count{kind=\"drain\"} 1",
        "rpc_server_call_duration_seconds_count{",
    ];
    let mut missing = Vec::from(wanted);
    for _ in 0..600 {
        let (_, text) = get(&server.url, "/metrics").await;
        missing.retain(|name| !text.lines().any(|line| line.starts_with(name)));
        if missing.is_empty() {
            break;
        }
        if is_slow && !missing.iter().any(|name| of_moves.contains(name)) {
            server.json(&["throttle", "set", "--auto", "--yes"]);
            is_slow = false;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(missing, Vec::<&str>::new());
}

#[test]
fn json_logs_are_one_object_a_line() {
    let mut server = Server::start_with(&[("BALLAST_LOGGING__FORMAT", "json")]);
    server.check_refused(&["task", "cancel", "task-none", "--yes"], 3, "TASK_NOT_FOUND");
    server.stop();
    let logs = server.logs();
    let mut messages = Vec::new();
    for line in &logs {
        let logged: BTreeMap<String, Value> =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{line} is no object: {error}"));
        for key in ["timestamp", "level", "message", "target"] {
            assert!(logged.get(key).is_some_and(Value::is_string), "{key} is missing in {line}");
            assert_eq!(line.matches(&format!("\"{key}\":")).count(), 1, "{key} is there twice in {line}");
        }
        messages.extend(logged["message"].as_str().map(str::to_owned));
    }
    for wanted in ["listening", "ready", "command rejected", "draining", "stopped"] {
        assert!(messages.iter().any(|message| message == wanted), "{wanted} is not in {messages:?}");
    }
    let rejected = logs.iter().find(|line| line.contains("command rejected")).expect("it was just seen");
    let rejected: Value = serde_json::from_str(rejected).expect("it was just read");
    assert_eq!((&rejected["reason_code"], &rejected["subject"]), (&"TASK_NOT_FOUND".into(), &"task-none".into()));
    assert_eq!(rejected["span"]["rpc.method"], "ballast.task.v1.TaskManagerService/CancelTask");
}

/// Keeps the spans that it is sent.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Span>>>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(&self, request: Request<ExportTraceServiceRequest>) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let scopes = request.into_inner().resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(scopes.flat_map(|scope| scope.spans));
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn drain(broker: i32) -> CreatePlanRequest {
    let goal = Some(Goal::Drain(DrainGoal { brokers: vec![broker] }));
    CreatePlanRequest { goal, request_id: "0d1f6f8e-3f0e-4c57-9d0f-0d9a7f3d6a11".into(), ..CreatePlanRequest::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_s_trace_goes_on_in_the_exported_spans_and_in_the_log() {
    let collector = Collector::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let endpoint = format!("http://{}", listener.local_addr().expect("it is bound"));
    let collecting = tonic::transport::Server::builder().add_service(TraceServiceServer::new(collector.clone()));
    tokio::spawn(collecting.serve_with_incoming(TcpListenerStream::new(listener)));

    let mut server = Server::start_with(&[("BALLAST_TELEMETRY__OTLP_ENDPOINT", &endpoint)]);
    server.until("the cluster is known", || server.json(&["cluster", "get"])["model_ready"] == true);
    let (trace, parent) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let traceparent = format!("00-{trace}-{parent}-01");
    let mut client = AnalyzerServiceClient::connect(server.url.clone()).await.expect("it serves");
    let mut request = Request::new(drain(3));
    request.metadata_mut().insert("traceparent", traceparent.parse().expect("it is ASCII"));
    let plan = client.create_plan(request).await.expect("it plans").into_inner().plan.expect("a plan");
    let event = server.json(&["audit", "show", &plan.sequence.to_string()]);
    assert_eq!((&event["type"], &event["traceparent"]), (&"plan.drafted".into(), &traceparent.as_str().into()), "{event}");
    // What was not sent yet is sent when the server ends.
    server.stop();

    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let spans = collector.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let ours: Vec<&Span> = spans.iter().filter(|span| hex(&span.trace_id) == trace).collect();
    let call = ours.iter().find(|span| hex(&span.parent_span_id) == parent).expect("the call is a child of the caller's span");
    let method = call.attributes.iter().find(|attribute| attribute.key == "rpc.method").and_then(|method| method.value.clone());
    assert!(format!("{method:?}").contains("ballast.analyzer.v1.AnalyzerService/CreatePlan"), "{method:?}");
    assert!(spans.len() > ours.len(), "calls without a trace have spans of their own");
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_ends_streams_by_name_and_gives_the_lease_back() {
    let mut server = Server::start();
    server.json(&["throttle", "set", "--max", "100kB/s", "--yes"]);
    let plan = server.name(&["plan", "create", "--drain", "3"]);
    let task = server.name(&["task", "create", "--plan", &plan, "--yes"]);
    let mut client = TaskManagerServiceClient::connect(server.url.clone()).await.expect("it serves");
    let request = WatchTaskRequest { task: task.clone(), after_sequence: 0 };
    let mut watch = client.watch_task(request).await.expect("the task is there").into_inner();
    watch.message().await.expect("the watch begins").expect("with the state of the task");
    server.terminate();
    let ended = loop {
        match watch.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the watch ended as if the task were over"),
            Err(status) => break status,
        }
    };
    let reason = ended.get_error_details().error_info().map(|info| info.reason.clone());
    assert_eq!(reason.as_deref(), Some("DRAINING"), "{ended:?}");
    server.wait();
    server.start_again("BALLAST_LISTEN", "127.0.0.1:0");
    let logged = server.run(&["audit", "log", "--type", "lease.released", "-o", "json"]);
    assert_eq!(String::from_utf8_lossy(&logged.stdout).lines().count(), 1, "the first process gave its lease back");
    server.until("the task goes on", || server.json(&["task", "get", &task])["state"] == "RUNNING");
}
