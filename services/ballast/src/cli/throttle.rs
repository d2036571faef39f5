//! `throttle show | log | set | sweep | freeze | unfreeze`. Must not know how rates are decided.

use ballast_proto::flow::v1::flow_control_service_client::FlowControlServiceClient;
use ballast_proto::flow::v1::set_throttle_request::Limit;
use ballast_proto::flow::v1::{
    BrokerThrottle, FreezeClusterRequest, GetThrottleRequest, ListThrottleDecisionsRequest, SetThrottleRequest,
    SweepThrottlesRequest, SweepThrottlesResponse, Throttle, ThrottleDecision, UnfreezeClusterRequest,
};
use clap::{ArgGroup, Subcommand};

use super::ClientOptions;
use super::client::{ANSWER_BYTES_MAX, Transport, connect, unary};
use super::confirm::confirm;
use super::exit::CliError;
use super::output::{Output, facts, ids, maybe, plain};
use crate::quantity::{parse_rate, rate};

#[derive(Subcommand, Debug)]
pub enum ThrottleCommand {
    /// The limits as they stand, and why.
    Show,
    /// Every decision with its reason.
    Log,
    /// The most that any broker's limit may be.
    #[command(group(ArgGroup::new("limit").required(true).args(["max", "auto"])))]
    Set {
        /// e.g. 20MB/s, 1.5MiB/s, or bytes per second.
        #[arg(long, value_name = "RATE", value_parser = parse_rate)]
        max: Option<u64>,
        /// Leave it to the law again.
        #[arg(long)]
        auto: bool,
    },
    /// Take out what is left of ours without a step in flight.
    Sweep,
    /// Admit nothing new and raise no rate; moves in flight go on.
    Freeze,
    /// Go on.
    Unfreeze,
}

type Client = FlowControlServiceClient<Transport>;

pub async fn flow_control(options: &ClientOptions) -> Result<Client, CliError> {
    Ok(FlowControlServiceClient::new(connect(&options.server).await?).max_decoding_message_size(ANSWER_BYTES_MAX))
}

pub async fn run(options: &ClientOptions, command: ThrottleCommand) -> Result<(), CliError> {
    match command {
        ThrottleCommand::Show => {
            let request = GetThrottleRequest { cluster: options.cluster() };
            let answer = flow_control(options).await?.get_throttle(unary(request)).await?.into_inner();
            print(options, answer.throttle)
        }
        ThrottleCommand::Log => log(options).await,
        ThrottleCommand::Set { max, .. } => {
            let limit = max.map_or(Limit::Automatic(true), Limit::RateMaxBytesPerSecond);
            let deed = max.map_or_else(|| "decided by load again".to_owned(), |max| format!("at most {}", rate(max)));
            confirm(options, &format!("Limits of all brokers of {} will be {deed}.", options.cluster_named()))?;
            let request = SetThrottleRequest {
                cluster: options.cluster(),
                request_id: options.request_id(),
                reason: options.reason(),
                validate_only: options.dry_run,
                limit: Some(limit),
            };
            let answer = flow_control(options).await?.set_throttle(unary(request)).await?.into_inner();
            print(options, answer.throttle)
        }
        ThrottleCommand::Sweep => sweep(options).await,
        ThrottleCommand::Freeze => {
            confirm(options, &format!("Nothing new will start on {} until it is unfrozen.", options.cluster_named()))?;
            let (cluster, request_id, reason, validate_only) = command_fields(options);
            let request = FreezeClusterRequest { cluster, request_id, reason, validate_only };
            let answer = flow_control(options).await?.freeze_cluster(unary(request)).await?.into_inner();
            print(options, answer.throttle)
        }
        ThrottleCommand::Unfreeze => {
            confirm(options, &format!("Steps that wait on {} will start again.", options.cluster_named()))?;
            let (cluster, request_id, reason, validate_only) = command_fields(options);
            let request = UnfreezeClusterRequest { cluster, request_id, reason, validate_only };
            let answer = flow_control(options).await?.unfreeze_cluster(unary(request)).await?.into_inner();
            print(options, answer.throttle)
        }
    }
}

fn command_fields(options: &ClientOptions) -> (String, String, String, bool) {
    (options.cluster(), options.request_id(), options.reason(), options.dry_run)
}

fn print(options: &ClientOptions, throttle: Option<Throttle>) -> Result<(), CliError> {
    let throttle = throttle.ok_or_else(|| CliError::incomplete("throttle"))?;
    options.output().one(&throttle, &throttle.cluster, |output| view(output, &throttle))
}

async fn log(options: &ClientOptions) -> Result<(), CliError> {
    let mut client = flow_control(options).await?;
    let output = options.output();
    let mut request = ListThrottleDecisionsRequest { cluster: options.cluster(), page_size: 1_000, page_token: String::new() };
    loop {
        let page = client.list_throttle_decisions(unary(request.clone())).await?.into_inner();
        for decision in &page.decisions {
            output.record(decision, &decision.sequence.to_string(), |_| decision_line(decision))?;
        }
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return Ok(());
        }
    }
}

fn decision_line(decision: &ThrottleDecision) -> String {
    let at = decision.recorded_at.map(|at| at.to_string()).unwrap_or_default();
    let broker = decision.broker.map_or_else(String::new, |broker| format!(" broker {broker}"));
    let step = decision.task.as_ref().map_or_else(String::new, |task| format!(" {task} step {}", maybe(decision.step)));
    let change = match (decision.from_bytes_per_second, decision.to_bytes_per_second) {
        (Some(from), Some(to)) => format!(" {} → {}", rate(from), rate(to)),
        (None, Some(to)) => format!(" → {}", rate(to)),
        _ => String::new(),
    };
    let code = if decision.reason_code.is_empty() { String::new() } else { format!(" ({})", decision.reason_code) };
    format!("{:>8}  {at}  {:<26}{broker}{step}{change}  {}{code}", decision.sequence, decision.r#type, decision.text)
}

async fn sweep(options: &ClientOptions) -> Result<(), CliError> {
    confirm(
        options,
        &format!("Throttles of ours that no move needs will be taken off the brokers and topics of {}.", options.cluster_named()),
    )?;
    let (cluster, request_id, reason, validate_only) = command_fields(options);
    let request = SweepThrottlesRequest { cluster, request_id, reason, validate_only };
    let answer = flow_control(options).await?.sweep_throttles(unary(request)).await?.into_inner();
    options.output().one(&answer, &answer.cluster, |_| sweep_view(&answer, options.dry_run))
}

fn sweep_view(answer: &SweepThrottlesResponse, dry_run: bool) -> String {
    let deed = if dry_run { "would be taken out" } else { "taken out" };
    let listed = |brokers: &[i32]| if brokers.is_empty() { "none".to_owned() } else { ids(brokers) };
    facts(&[
        ("list entries", format!("{} {deed}", answer.entries.len())),
        ("limits of brokers", format!("{} {deed}", listed(&answer.brokers))),
        ("dead brokers, later", listed(&answer.debts)),
        ("not ours, left", format!("{} list entries, {} limits", answer.foreign_entries.len(), answer.foreign_limits.len())),
    ])
}

fn view(output: &Output, throttle: &Throttle) -> String {
    let max = throttle
        .rate_max_bytes_per_second
        .map_or_else(|| "decided by load".to_owned(), |max| format!("{} (set by an operator)", rate(max)));
    let mut text = facts(&[
        ("cluster", output.heading(&throttle.cluster)),
        ("frozen", if throttle.frozen { "yes: nothing new starts, no rate is raised" } else { "no" }.to_owned()),
        ("most per broker", max),
        ("measured", throttle.sampled_at.map_or_else(|| "not yet".to_owned(), |at| at.to_string())),
        ("throttled replicas", throttle.entries.len().to_string()),
    ]);
    if !throttle.brokers.is_empty() {
        text.push_str(&format!("\n\n{}", brokers_table(output, &throttle.brokers)));
    }
    if !throttle.withheld.is_empty() {
        let mut table = output.table(["waiting", "step", "try", "reason", "detail"]);
        for step in &throttle.withheld {
            let numbers = [output.number(step.step), output.number(step.attempt)];
            let [at, attempt] = numbers;
            table.add_row([output.bold(&step.task), at, attempt, plain(&step.reason_code), plain(&step.detail)]);
        }
        text.push_str(&format!("\n\n{table}"));
    }
    text
}

fn brokers_table(output: &Output, brokers: &[BrokerThrottle]) -> String {
    let mut table =
        output.table(["broker", "limit", "headed for", "users in", "users out", "headroom in", "headroom out", "why"]);
    for broker in brokers {
        let limit = match (&broker.limit_bytes_per_second, &broker.foreign_limit) {
            (Some(limit), _) => rate(*limit),
            (None, Some(foreign)) => format!("{foreign} (not ours)"),
            (None, None) => "none".into(),
        };
        let why = if broker.debt { format!("dead: taken off when it returns. {}", broker.reason) } else { broker.reason.clone() };
        table.add_row([
            output.number(broker.broker),
            output.number(limit),
            output.number(broker.target_bytes_per_second.map(rate).unwrap_or_default()),
            output.number(rate(broker.user_in_bytes_per_second)),
            output.number(rate(broker.user_out_bytes_per_second)),
            output.number(rate(broker.headroom_in_bytes_per_second)),
            output.number(rate(broker.headroom_out_bytes_per_second)),
            plain(why),
        ]);
    }
    table.to_string()
}
