//! Plans as people read them. Must not know where a plan came from.

use ballast_proto::analyzer::v1::{
    Alternative, ExplainMoveResponse, Move, Plan, PlanGoal, PlanSummary, ResourceBalance, Resources, UnmetGoal,
};

use super::output::{Output, facts, ids, plain};
use crate::quantity::{bytes, duration_seconds};

/// Moves that `plan show` prints; `plan moves` prints all.
pub const MOVES_SHOWN: usize = 12;
/// Unmet goals that `plan show` prints for one alternative.
const UNMET_SHOWN: usize = 8;

pub fn list(output: &Output, plans: &[PlanSummary]) -> String {
    let mut table = output.table(["plan", "cluster", "goal", "moves", "copied", "leaders", "about", "unmet", "created"]);
    for plan in plans {
        let cost = plan.cost.unwrap_or_default();
        table.add_row([
            output.bold(&plan.name),
            plain(&plan.cluster),
            plain(goal(plan.goal.as_ref())),
            output.number(plan.moves_total),
            output.number(bytes(cost.moved_bytes)),
            output.number(cost.leader_moves),
            output.number(duration_seconds(cost.estimated_seconds)),
            output.number(plan.unmet_total),
            plain(plan.created_at.map(|at| at.to_string()).unwrap_or_default()),
        ]);
    }
    table.to_string()
}

/// The whole plan: head, ranked alternatives, and the first one in detail.
pub fn show(output: &Output, plan: &Plan, rank: u32) -> String {
    let mut text = format!("{}  {} on cluster {}", output.heading(&title(plan)), goal(plan.goal.as_ref()), plan.cluster);
    if let Some(bounds) = &plan.bounds {
        let least = bounds.seconds.map_or_else(
            || "no headroom to copy with".to_owned(),
            |seconds| format!("{} at full headroom", duration_seconds(seconds)),
        );
        text.push_str(&format!("\nAt least {} must be copied; {least}.", bytes(bounds.moved_bytes)));
    }
    text.push_str(&format!("\n\n{}\n", alternatives(output, &plan.alternatives)));
    let Some(chosen) = plan.alternatives.iter().find(|alternative| alternative.rank == rank).or(plan.alternatives.first()) else {
        return text;
    };
    text.push_str(&format!("\n{} {}: {}\n", output.heading("Alternative"), chosen.rank, chosen.why));
    if let Some(balance) = &chosen.balance {
        text.push_str(&balance_table(output, balance.before.as_ref(), balance.after.as_ref()));
        text.push('\n');
    }
    if !chosen.unmet.is_empty() {
        text.push_str(&format!("\n{}\n{}\n", output.heading("Not reached"), unmet(&chosen.unmet)));
    }
    if chosen.moves_total == 0 {
        text.push_str("\nNothing to move.");
        return text;
    }
    let shown = &chosen.moves[..chosen.moves.len().min(MOVES_SHOWN)];
    text.push_str(&format!("\n{}", moves(output, shown)));
    let rest = usize::try_from(chosen.moves_total).unwrap_or(usize::MAX).saturating_sub(shown.len());
    if rest > 0 {
        let all = if plan.name.is_empty() {
            "-o json prints them all".to_owned()
        } else {
            format!("ballast plan moves {} --alternative {}", plan.name, chosen.rank)
        };
        text.push_str(&format!("\n… and {rest} more: {all}"));
    }
    text
}

fn title(plan: &Plan) -> String {
    if plan.name.is_empty() { "plan (not recorded)".into() } else { plan.name.clone() }
}

fn goal(goal: Option<&PlanGoal>) -> String {
    use ballast_proto::analyzer::v1::GoalKind as Kind;
    let Some(goal) = goal else { return "-".into() };
    let kind = match goal.kind() {
        Kind::Rebalance => "rebalance",
        Kind::Evacuate => "evacuate",
        Kind::Drain => "drain",
        Kind::Demote => "demote",
        Kind::Expand => "expand",
        Kind::Topic => "topic",
        Kind::Unspecified => "?",
    };
    if goal.brokers.is_empty() { kind.into() } else { format!("{kind} {}", ids(&goal.brokers)) }
}

/// One line per alternative.
pub fn alternatives(output: &Output, alternatives: &[Alternative]) -> String {
    let mut table = output.table([
        "rank",
        "label",
        "copied",
        "moves",
        "leaders",
        "about",
        "busiest gets",
        "disk max/mean",
        "hard unmet",
        "soft unmet",
    ]);
    for alternative in alternatives {
        let cost = alternative.cost.unwrap_or_default();
        let disk = |side: Option<&Resources>| side.and_then(|side| side.disk).and_then(|disk| disk.max_over_mean);
        let (before, after) = alternative
            .balance
            .as_ref()
            .map_or((None, None), |balance| (disk(balance.before.as_ref()), disk(balance.after.as_ref())));
        let hard = alternative.unmet.iter().filter(|unmet| unmet.hard).count();
        table.add_row([
            output.number(alternative.rank),
            output.bold(&alternative.label),
            output.number(bytes(cost.moved_bytes)),
            output.number(cost.replica_moves),
            output.number(cost.leader_moves),
            output.number(duration_seconds(cost.estimated_seconds)),
            output.number(bytes(cost.peak_broker_in_bytes)),
            output.number(format!("{} → {}", ratio(before), ratio(after))),
            output.number(hard),
            output.number(alternative.unmet.len() - hard),
        ]);
    }
    table.to_string()
}

fn ratio(value: Option<f64>) -> String {
    value.map_or_else(|| "-".into(), |value| format!("{value:.2}"))
}

fn balance_table(output: &Output, before: Option<&Resources>, after: Option<&Resources>) -> String {
    let mut table = output.table(["resource", "max/mean", "min/mean", "brokers outside the band"]);
    type Pick = fn(&Resources) -> Option<ResourceBalance>;
    let rows: [(&str, Pick); 4] = [
        ("disk", |all| all.disk),
        ("network in", |all| all.network_in),
        ("network out", |all| all.network_out),
        ("cpu", |all| all.cpu),
    ];
    for (name, pick) in rows {
        let (before, after) = (before.and_then(pick).unwrap_or_default(), after.and_then(pick).unwrap_or_default());
        if before.max_over_mean.is_none() && after.max_over_mean.is_none() {
            table.add_row([plain(name), output.number("not measured"), plain(""), plain("")]);
            continue;
        }
        let outside = |side: ResourceBalance| side.outside.map_or_else(|| "-".to_owned(), |outside| outside.to_string());
        table.add_row([
            plain(name),
            output.number(format!("{} → {}", ratio(before.max_over_mean), ratio(after.max_over_mean))),
            output.number(format!("{} → {}", ratio(before.min_over_mean), ratio(after.min_over_mean))),
            output.number(format!("{} → {}", outside(before), outside(after))),
        ]);
    }
    table.to_string()
}

fn unmet(unmet: &[UnmetGoal]) -> String {
    let mut lines: Vec<String> = unmet
        .iter()
        .take(UNMET_SHOWN)
        .map(|unmet| format!("  {} {}: {}", if unmet.hard { "hard" } else { "soft" }, unmet.goal, unmet.reason))
        .collect();
    if unmet.len() > UNMET_SHOWN {
        lines.push(format!("  … and {} more: see -o json", unmet.len() - UNMET_SHOWN));
    }
    lines.join("\n")
}

pub fn moves(output: &Output, moves: &[Move]) -> String {
    let mut table = output.table(["partition", "from", "to", "copied", "why"]);
    for entry in moves {
        table.add_row([
            output.bold(name(entry)),
            plain(ids(&entry.from)),
            plain(ids(&entry.to)),
            output.number(bytes(entry.bytes)),
            plain(&entry.reason),
        ]);
    }
    table.to_string()
}

/// `topic:partition`.
pub fn name(entry: &Move) -> String {
    format!("{}:{}", entry.topic, entry.partition)
}

pub fn explain(output: &Output, answer: &ExplainMoveResponse) -> String {
    let mut text = facts(&[
        ("partition", output.heading(&format!("{}:{}", answer.topic, answer.partition))),
        ("replicas", ids(&answer.replicas)),
        ("leader", super::output::maybe(answer.leader)),
        ("in sync", ids(&answer.in_sync)),
        ("size", bytes(answer.size_bytes)),
    ]);
    for explanation in &answer.explanations {
        text.push_str(&format!("\n\n{} {} ({})\n  ", output.heading("Alternative"), explanation.rank, explanation.label));
        if let Some(entry) = &explanation.r#move {
            text.push_str(&format!(
                "{} → {}, {} copied, place {}\n  ",
                ids(&entry.from),
                ids(&entry.to),
                bytes(entry.bytes),
                explanation.position
            ));
        }
        text.push_str(&explanation.explanation);
        for unmet in &explanation.unmet {
            text.push_str(&format!("\n  not reached: {}: {}", unmet.goal, unmet.reason));
        }
    }
    text
}
