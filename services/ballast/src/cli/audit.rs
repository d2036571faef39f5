//! `audit log | show | state-at | explain | verify | export`. Must not know what events mean beyond their fields.

use ballast_clock::Clock;
use ballast_proto::event::v1 as wire;
use ballast_proto::event::v1::event_log_service_client::EventLogServiceClient;
use ballast_proto::event::v1::{Event, EventFilter, GetStateAtResponse};
use clap::Subcommand;
use serde_json::Value;

use super::ClientOptions;
use super::client::{ANSWER_BYTES_MAX, Transport, connect, unary};
use super::exit::{CliError, Exit};
use super::output::{Format, Output, facts, maybe, plain};
use crate::quantity::{Span, rate};

#[derive(Subcommand, Debug)]
pub enum AuditCommand {
    /// Every event that matches, the oldest first.
    Log {
        /// Of this task and its steps.
        #[arg(long, value_name = "ID")]
        task: Option<String>,
        /// RFC 3339, e.g. 2026-11-21T10:00:00Z, or how long ago, e.g. 2h.
        #[arg(long, value_name = "T", value_parser = parse_since)]
        since: Option<ballast_proto::Timestamp>,
        /// Event type or family, e.g. task.accepted or throttle.
        #[arg(long = "type", value_name = "X")]
        event_type: Option<String>,
        #[arg(long, value_name = "SEQUENCE", default_value_t = 1)]
        from: u64,
    },
    /// One event in full.
    Show { sequence: u64 },
    /// How things stood after this event.
    StateAt { sequence: u64 },
    /// What led to this event, back to its first cause.
    Explain { sequence: u64 },
    /// Check the whole log: order, chain, checksums, payloads.
    Verify,
    /// Everything, one JSON object a line.
    Export,
}

type Client = EventLogServiceClient<Transport>;

/// An instant, or a duration before now.
fn parse_since(text: &str) -> Result<ballast_proto::Timestamp, String> {
    if let Ok(ago) = text.parse::<Span>() {
        let milliseconds = i64::try_from(ago.0.as_millis()).map_err(|_| "too long ago".to_owned())?;
        return Ok(ballast_proto::Timestamp::from_milliseconds(
            Clock::system().now().plus_milliseconds(-milliseconds).milliseconds,
        ));
    }
    let instant: jiff::Timestamp =
        text.parse().map_err(|_| "neither an instant such as 2026-11-21T10:00:00Z nor a time ago such as 2h".to_owned())?;
    Ok(ballast_proto::Timestamp::from_milliseconds(instant.as_millisecond()))
}

pub async fn run(options: &ClientOptions, command: AuditCommand) -> Result<(), CliError> {
    let mut client: Client =
        EventLogServiceClient::new(connect(&options.server).await?).max_decoding_message_size(ANSWER_BYTES_MAX);
    let output = options.output();
    match command {
        AuditCommand::Log { task, since, event_type, from } => {
            let filter = EventFilter {
                task: task.unwrap_or_default(),
                r#type: event_type.map(family_or_type).unwrap_or_default(),
                cluster: options.cluster(),
                since,
                ..EventFilter::default()
            };
            log(&mut client, filter, from, &output).await
        }
        AuditCommand::Export => {
            let filter = EventFilter { with_chunks: true, cluster: options.cluster(), ..EventFilter::default() };
            log(&mut client, filter, 1, &options.output_or(Format::Jsonl)).await
        }
        AuditCommand::Show { sequence } => {
            let event = client.get_event(unary(wire::GetEventRequest { sequence })).await?.into_inner().event;
            let event = event.ok_or_else(|| CliError::incomplete("event"))?;
            output.one(&json(&event)?, &event.sequence.to_string(), |output| view(output, &event))
        }
        AuditCommand::Explain { sequence } => {
            let events = client.explain_event(unary(wire::ExplainEventRequest { sequence })).await?.into_inner().events;
            let values = events.iter().map(json).collect::<Result<Vec<Value>, _>>()?;
            output.many(&values, |event| event["sequence"].to_string(), |_| chain(&events))
        }
        AuditCommand::StateAt { sequence } => {
            let state = client.get_state_at(unary(wire::GetStateAtRequest { sequence })).await?.into_inner();
            output.one(&state, &state.sequence.to_string(), |output| state_view(output, &state))
        }
        AuditCommand::Verify => verify(&mut client, &output).await,
    }
}

/// `task` means the family `task.`.
fn family_or_type(text: String) -> String {
    if text.contains('.') { text } else { format!("{text}.") }
}

async fn log(client: &mut Client, filter: EventFilter, from: u64, output: &Output) -> Result<(), CliError> {
    let mut request =
        wire::ReadEventsRequest { filter: Some(filter), from_sequence: from, page_size: 1_000, page_token: String::new() };
    loop {
        let page = client.read_events(unary(request.clone())).await?.into_inner();
        for event in &page.events {
            output.record(&json(event)?, &event.sequence.to_string(), |_| line(event))?;
        }
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return Ok(());
        }
    }
}

async fn verify(client: &mut Client, output: &Output) -> Result<(), CliError> {
    let mut request = tonic::Request::new(wire::VerifyLogRequest {});
    // A long log takes long to read; damage is worth the wait.
    request.set_timeout(std::time::Duration::from_secs(3_600));
    let answer = client.verify_log(request).await?.into_inner();
    output.one(&answer, &answer.verified_sequence.to_string(), |_| {
        let verdict = if answer.ok { "sound" } else { "DAMAGED" };
        facts(&[
            ("log", verdict.to_owned()),
            ("events", answer.events.to_string()),
            ("verified up to", answer.verified_sequence.to_string()),
            ("hash", answer.hash.clone()),
        ])
    })?;
    match answer.damage {
        Some(damage) => {
            Err(CliError::ended(Exit::Error, &damage.reason_code, format!("event {}: {}", damage.sequence, damage.message)))
        }
        None if answer.ok => Ok(()),
        None => Err(CliError::coded("LOG_DAMAGED", "the log is damaged")),
    }
}

/// The event with its payload as an object.
fn json(event: &Event) -> Result<Value, CliError> {
    let mut value = serde_json::to_value(event).map_err(|error| CliError::coded("INTERNAL", error.to_string()))?;
    if let Value::Object(fields) = &mut value {
        fields.remove("payload_json");
        fields.insert("payload".into(), payload(event));
    }
    Ok(value)
}

fn payload(event: &Event) -> Value {
    serde_json::from_str(&event.payload_json).unwrap_or(Value::Null)
}

/// One line per event.
pub fn line(event: &Event) -> String {
    let at = event.recorded_time.map(|at| at.to_string()).unwrap_or_default();
    let by = event.actor.as_ref().map(|actor| actor.principal.as_str()).filter(|principal| *principal != "ballast");
    let by = by.map_or_else(String::new, |by| format!("  by {by}"));
    let why = if event.reason.is_empty() { String::new() } else { format!("  because {:?}", event.reason) };
    format!("{:>8}  {at}  {:<26} {:<26}{}{by}{why}", event.sequence, event.r#type, event.stream, summary(&payload(event)))
}

/// The plain fields of a payload; lists by their length.
fn summary(payload: &Value) -> String {
    const LENGTH_MAX: usize = 140;
    let mut text = String::new();
    for (key, value) in payload.as_object().into_iter().flatten() {
        let shown = match value {
            Value::Null | Value::Object(_) => continue,
            Value::String(empty) if empty.is_empty() => continue,
            Value::String(words) => words.clone(),
            Value::Array(items) if items.iter().all(Value::is_number) && items.len() <= 8 => value.to_string(),
            Value::Array(items) => format!("[{} entries]", items.len()),
            other => other.to_string(),
        };
        text.push_str(&format!(" {key}={shown}"));
    }
    match text.char_indices().nth(LENGTH_MAX) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text,
    }
}

fn view(output: &Output, event: &Event) -> String {
    let actor = event.actor.clone().unwrap_or_default();
    let time = |at: Option<ballast_proto::Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    let mut lines = vec![
        ("event", output.heading(&format!("{} {}", event.sequence, event.r#type))),
        ("stream", format!("{}, version {}", event.stream, event.version)),
        ("recorded", time(event.recorded_time)),
        ("occurred", time(event.occurred_time)),
        ("actor", format!("{} ({}) from {}", actor.principal, actor.method, actor.source)),
        ("id", event.event_id.clone()),
        ("hash", event.hash.clone()),
        ("previous", event.previous_hash.clone()),
    ];
    lines.extend((!event.reason.is_empty()).then(|| ("because", event.reason.clone())));
    lines.extend(event.cluster.clone().map(|cluster| ("cluster", cluster)));
    lines.extend(event.correlation_id.clone().map(|id| ("belongs to", id)));
    lines.extend(event.causation_sequence.map(|sequence| ("caused by", sequence.to_string())));
    lines.extend(event.request_id.clone().map(|id| ("request", id)));
    lines.extend(event.epoch.map(|epoch| ("epoch", epoch.to_string())));
    lines.extend(event.unreadable.clone().map(|why| ("unreadable", why)));
    let payload = serde_json::to_string_pretty(&payload(event)).unwrap_or_default();
    format!("{}\n{payload}", facts(&lines))
}

/// The effect first, each cause under it.
fn chain(events: &[Event]) -> String {
    let lines: Vec<String> =
        events
            .iter()
            .enumerate()
            .map(|(depth, event)| {
                if depth == 0 {
                    line(event)
                } else {
                    format!("{}↳ because of {}", "  ".repeat(depth), line(event).trim_start())
                }
            })
            .collect();
    lines.join("\n")
}

fn state_view(output: &Output, state: &GetStateAtResponse) -> String {
    let at = state.recorded_time.map(|at| at.to_string()).unwrap_or_default();
    let mut text = format!("{} {} ({at})", output.heading("After event"), state.sequence);
    for cluster in &state.clusters {
        text.push_str(&format!(
            "\n\n{}: {} topics, {} partitions ({} under-replicated, {} offline, {} reassigning){}\n",
            output.heading(&cluster.cluster),
            cluster.topics,
            cluster.partitions,
            cluster.under_replicated_partitions,
            cluster.offline_partitions,
            cluster.reassigning_partitions,
            if cluster.frozen { ", frozen" } else { "" },
        ));
        let mut table = output.table(["broker", "rack", "state", "replicas", "leaders", "limit"]);
        for broker in &cluster.brokers {
            let limit = cluster
                .throttles
                .iter()
                .find(|throttle| throttle.broker == broker.id)
                .map(|throttle| throttle.rate_bytes_per_second);
            table.add_row([
                output.number(broker.id),
                plain(maybe(broker.rack.clone())),
                output.state(&broker.state),
                output.number(broker.replicas),
                output.number(broker.leaders),
                output.number(limit.map(rate).unwrap_or_default()),
            ]);
        }
        text.push_str(&table.to_string());
    }
    if !state.tasks.is_empty() {
        let mut table = output.table(["task", "cluster", "plan", "state", "steps done"]);
        for task in &state.tasks {
            table.add_row([
                output.bold(&task.name),
                plain(&task.cluster),
                plain(&task.plan),
                output.state(&task.state),
                output.number(format!("{}/{}", task.steps_succeeded, task.steps)),
            ]);
        }
        text.push_str(&format!("\n\n{table}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_prints_its_payload_as_an_object_in_json() {
        let event =
            Event { sequence: 7, r#type: "task.accepted".into(), payload_json: "{\"task\":\"t\"}".into(), ..Event::default() };
        let value = json(&event).expect("it prints");
        assert_eq!(
            (&value["sequence"], &value["type"], &value["payload"]["task"]),
            (&7.into(), &"task.accepted".into(), &"t".into())
        );
        assert!(value.get("payload_json").is_none());
    }

    #[test]
    fn a_summary_shows_plain_fields_and_counts_lists() {
        let payload = serde_json::json!({"a": 1, "b": "x", "c": [1, 2], "d": [{"e": 1}], "f": null, "g": ""});
        assert_eq!(summary(&payload), " a=1 b=x c=[1,2] d=[1 entries]");
    }

    #[test]
    fn since_is_an_instant_or_a_time_ago() {
        assert_eq!(parse_since("1970-01-01T00:00:01Z").map(|at| at.seconds), Ok(1));
        assert!(parse_since("2h").is_ok_and(|at| at.seconds > 1_700_000_000));
        assert!(parse_since("yesterday").is_err());
    }
}
