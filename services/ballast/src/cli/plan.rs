//! `plan create | list | show | moves | explain | export | offline`. Must not know how plans are found.

use ballast_cluster::TopicPartition;
use ballast_proto::analyzer::v1::analyzer_service_client::AnalyzerServiceClient;
use ballast_proto::analyzer::v1::{
    ExplainMoveRequest, GetPlanRequest, ListPlanMovesRequest, ListPlansRequest, Move, Plan, PlanSummary,
};
use clap::Subcommand;

use super::client::{ANSWER_BYTES_MAX, Transport, connect, unary};
use super::exit::CliError;
use super::goal_flags::{GoalFlags, parse_partition};
use super::output;
use super::plan_offline::OfflineArgs;
use super::{ClientOptions, plan_offline, plan_view};

#[derive(Subcommand, Debug)]
pub enum PlanCommand {
    /// Plan a goal on the present cluster: ranked alternatives and a plan id. Nothing moves.
    Create(Box<GoalFlags>),
    /// All plans, the newest first.
    List,
    /// One plan with its alternatives.
    Show {
        id: String,
        /// The alternative to show in detail.
        #[arg(long, value_name = "K", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        alternative: u32,
    },
    /// All moves of one alternative in start order.
    Moves {
        id: String,
        #[arg(long, value_name = "K", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        alternative: u32,
    },
    /// What each alternative does with one partition, and why.
    Explain {
        id: String,
        #[arg(value_name = "TOPIC:PARTITION", value_parser = parse_partition)]
        partition: TopicPartition,
    },
    /// One alternative as input for kafka-reassign-partitions.
    Export {
        id: String,
        #[arg(long, value_name = "K", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        alternative: u32,
    },
    /// Plan on a snapshot file, without a server.
    Offline(Box<OfflineArgs>),
}

type Client = AnalyzerServiceClient<Transport>;

pub async fn analyzer(options: &ClientOptions) -> Result<Client, CliError> {
    Ok(AnalyzerServiceClient::new(connect(&options.server).await?).max_decoding_message_size(ANSWER_BYTES_MAX))
}

pub async fn run(options: &ClientOptions, command: PlanCommand) -> Result<(), CliError> {
    let output = options.output();
    match command {
        PlanCommand::Create(flags) => create(options, &flags).await,
        PlanCommand::List => {
            let mut client = analyzer(options).await?;
            let plans = list(&mut client, options.cluster()).await?;
            output.many(&plans, |plan| plan.name.clone(), |output| plan_view::list(output, &plans))
        }
        PlanCommand::Show { id, alternative } => {
            let mut client = analyzer(options).await?;
            let plan = get(&mut client, &id).await?;
            if !plan.alternatives.iter().any(|known| known.rank == alternative) {
                let known = plan.alternatives.len();
                let message = format!("{} has alternatives 1 to {known}, not {alternative}", plan.name);
                return Err(CliError::coded("ALTERNATIVE_NOT_FOUND", message));
            }
            output.one(&plan, &plan.name, |output| plan_view::show(output, &plan, alternative))
        }
        PlanCommand::Moves { id, alternative } => {
            let mut client = analyzer(options).await?;
            let plan = full_name(&mut client, &id).await?;
            let moves = all_moves(&mut client, &plan, alternative).await?;
            output.many(&moves, plan_view::name, |output| format!("{}\n{} moves", plan_view::moves(output, &moves), moves.len()))
        }
        PlanCommand::Explain { id, partition } => {
            let mut client = analyzer(options).await?;
            let plan = full_name(&mut client, &id).await?;
            let request = ExplainMoveRequest { plan, topic: partition.topic, partition: partition.partition };
            let answer = client.explain_move(unary(request)).await?.into_inner();
            output.one(&answer, &answer.plan, |output| plan_view::explain(output, &answer))
        }
        PlanCommand::Export { id, alternative } => {
            let mut client = analyzer(options).await?;
            let plan = full_name(&mut client, &id).await?;
            let moves = all_moves(&mut client, &plan, alternative).await?;
            output::line(&output::pretty(&reassignment_json(&moves))?)
        }
        PlanCommand::Offline(args) => plan_offline::run(options, &args),
    }
}

async fn create(options: &ClientOptions, flags: &GoalFlags) -> Result<(), CliError> {
    // A plan is only recorded and nothing moves: there is nothing to confirm.
    let mut client = analyzer(options).await?;
    let answer = client.create_plan(unary(flags.request(options)?)).await?.into_inner();
    let mut plan = answer.plan.ok_or_else(|| CliError::incomplete("plan"))?;
    if !plan.name.is_empty() {
        complete(&mut client, &mut plan).await?;
    }
    options.output().one(&plan, &plan.name, |output| {
        let mut text = plan_view::show(output, &plan, 1);
        if !plan.name.is_empty() {
            text.push_str(&format!("\n\nCarry it out: ballast task create --plan {} [--alternative K]", plan.name));
        }
        text
    })
}

async fn list(client: &mut Client, cluster: String) -> Result<Vec<PlanSummary>, CliError> {
    let mut request = ListPlansRequest { cluster, page_size: 1_000, page_token: String::new() };
    let mut plans = Vec::new();
    loop {
        let page = client.list_plans(unary(request.clone())).await?.into_inner();
        plans.extend(page.plans);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return Ok(plans);
        }
    }
}

async fn get(client: &mut Client, id: &str) -> Result<Plan, CliError> {
    let plan = full_name(client, id).await?;
    let answer = client.get_plan(unary(GetPlanRequest { plan })).await?.into_inner();
    let mut plan = answer.plan.ok_or_else(|| CliError::incomplete("plan"))?;
    complete(client, &mut plan).await?;
    Ok(plan)
}

/// A plan with many moves comes without them: fetches the rest.
async fn complete(client: &mut Client, plan: &mut Plan) -> Result<(), CliError> {
    for alternative in &mut plan.alternatives {
        if alternative.moves.len() < usize::try_from(alternative.moves_total).unwrap_or(usize::MAX) {
            alternative.moves = all_moves(client, &plan.name, alternative.rank).await?;
        }
    }
    Ok(())
}

async fn all_moves(client: &mut Client, plan: &str, alternative: u32) -> Result<Vec<Move>, CliError> {
    let mut request = ListPlanMovesRequest { plan: plan.to_owned(), alternative, page_size: 1_000, page_token: String::new() };
    let mut moves = Vec::new();
    loop {
        let page = client.list_plan_moves(unary(request.clone())).await?.into_inner();
        moves.extend(page.moves);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return Ok(moves);
        }
    }
}

/// A whole id as it is; the start of one if it is the start of only one.
pub async fn full_name(client: &mut Client, id: &str) -> Result<String, CliError> {
    if is_whole(id, "plan-") {
        return Ok(id.to_owned());
    }
    let plans = list(client, String::new()).await?;
    Ok(unique(id, "plan-", plans.iter().map(|plan| plan.name.as_str())))
}

/// Twelve letters after the prefix.
pub fn is_whole(id: &str, prefix: &str) -> bool {
    id.strip_prefix(prefix).is_some_and(|rest| rest.len() >= 12)
}

/// The only one of `names` that starts with `id`, with or without its prefix; else `id` itself, for the server to refuse.
pub fn unique<'a>(id: &str, prefix: &str, names: impl Iterator<Item = &'a str>) -> String {
    let matching: Vec<&str> =
        names.filter(|name| name.starts_with(id) || name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(id))).collect();
    match matching.as_slice() {
        [only] if !id.is_empty() => (*only).to_owned(),
        _ => id.to_owned(),
    }
}

/// The file that kafka-reassign-partitions takes. Moves that only elect a leader are in it too: their list is what they have.
fn reassignment_json(moves: &[Move]) -> serde_json::Value {
    let partitions: Vec<serde_json::Value> = moves
        .iter()
        .map(|entry| {
            let any: Vec<&str> = entry.to.iter().map(|_| "any").collect();
            serde_json::json!({"topic": entry.topic, "partition": entry.partition, "replicas": entry.to, "log_dirs": any})
        })
        .collect();
    serde_json::json!({"version": 1, "partitions": partitions})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_may_be_cut_short_while_it_is_unique() {
        let names = ["plan-aaaa11112222", "plan-aabb11112222", "plan-cccc11112222"];
        let check = |id: &str, wanted: &str| assert_eq!(unique(id, "plan-", names.into_iter()), wanted, "{id}");
        check("plan-c", "plan-cccc11112222");
        check("cc", "plan-cccc11112222");
        check("aab", "plan-aabb11112222");
        check("aa", "aa");
        check("zz", "zz");
        assert!(is_whole("plan-aaaa11112222", "plan-") && !is_whole("plan-aaaa", "plan-"));
    }

    #[test]
    fn an_export_is_what_kafka_reassign_partitions_takes() {
        let moves = [Move { topic: "t".into(), partition: 3, from: vec![1], to: vec![2], bytes: 5, reason: String::new() }];
        let wanted = serde_json::json!({"version": 1, "partitions": [{"topic": "t", "partition": 3, "replicas": [2], "log_dirs": ["any"]}]});
        assert_eq!(reassignment_json(&moves), wanted);
    }
}
