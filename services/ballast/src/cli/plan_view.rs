//! Plans as people read them. Must not know where a plan came from.

use ballast_proto::analyzer::v1::{
    BrokerChange, ExplainMoveResponse, Move, Plan, PlanGoal, PlanSummary, ResourceBalance, Resources, UnmetGoal,
};

use super::output::{Output, facts, ids, maybe, plain};
use crate::quantity::{bytes, duration_seconds};

/// Moves that `plan show` prints; `plan moves` prints all.
pub const MOVES_SHOWN: usize = 12;
/// Where the least that must be copied is less than one part in so many of all data, it is no measure.
const BOUND_SHARE_MIN: u64 = 1_000;

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

/// The whole plan: head, ranked alternatives, and one of them in detail.
pub fn show(output: &Output, plan: &Plan, rank: u32) -> String {
    let mut text = head(output, plan);
    text.push_str(&format!("\n\n{}\n", alternatives(output, plan)));
    let Some(chosen) = plan.alternatives.iter().find(|alternative| alternative.rank == rank).or(plan.alternatives.first()) else {
        return text;
    };
    let title = output.heading(&format!("Alternative {}, {}", chosen.rank, chosen.label));
    text.push_str(&format!("\n{title}: {}\n", chosen.why));
    if let Some(balance) = &chosen.balance {
        text.push_str(&format!("\n{}\n", balance_table(output, balance.before.as_ref(), balance.after.as_ref())));
    }
    if !chosen.unmet.is_empty() {
        text.push_str(&format!("\n{}\n{}\n", output.heading("Not reached"), unmet_table(output, &chosen.unmet)));
    }
    if chosen.moves_total == 0 {
        text.push_str("\nNothing to move.");
        return text;
    }
    let shown = &chosen.moves[..chosen.moves.len().min(MOVES_SHOWN)];
    text.push_str(&format!("\n{}\n{}", output.heading("First to move"), moves(output, shown)));
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

/// What is asked for, and what no plan can undercut.
fn head(output: &Output, plan: &Plan) -> String {
    let band = plan.goal.as_ref().map_or(0.0, |goal| goal.band);
    let mut text = format!(
        "{}  {}, band {}, on cluster {}",
        output.heading(&title(plan)),
        goal(plan.goal.as_ref()),
        share(band),
        plan.cluster
    );
    if let Some(bounds) = &plan.bounds {
        let of_all = plan
            .data_bytes
            .filter(|all| *all > 0)
            .map_or_else(String::new, |all| format!(", {} of all data", precise_share(bounds.moved_bytes as f64 / all as f64)));
        let time = bounds.seconds.map_or_else(
            || "a broker has no headroom to copy with".to_owned(),
            |seconds| format!("alternative 1 takes at least {}", duration_seconds(seconds)),
        );
        text.push_str(&format!("\nReaching the goal copies at least {}{of_all}; {time}.", bytes(bounds.moved_bytes)));
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
pub fn alternatives(output: &Output, plan: &Plan) -> String {
    let mut table = output
        .table(["rank", "label", "copied", "of bound", "moves", "leaders", "about", "disk", "net in", "net out", "cpu", "unmet"]);
    for alternative in &plan.alternatives {
        let cost = alternative.cost.unwrap_or_default();
        let (before, after) =
            alternative.balance.as_ref().map_or((None, None), |balance| (balance.before.as_ref(), balance.after.as_ref()));
        let [disk, network_in, network_out, cpu] =
            RESOURCES.map(|(_, pick)| outside(before.and_then(pick), after.and_then(pick)));
        let hard = alternative.unmet.iter().filter(|unmet| unmet.hard).count();
        let soft = alternative.unmet.len() - hard;
        table.add_row([
            output.number(alternative.rank),
            output.bold(&alternative.label),
            output.number(bytes(cost.moved_bytes)),
            output.number(over_bound(plan, cost.moved_bytes)),
            output.number(cost.replica_moves),
            output.number(cost.leader_moves),
            output.number(duration_seconds(cost.estimated_seconds)),
            output.number(disk),
            output.number(network_in),
            output.number(network_out),
            output.number(cpu),
            output.number(if hard + soft == 0 { "-".to_owned() } else { format!("{hard} hard, {soft} soft") }),
        ]);
    }
    format!(
        "{table}\nOf bound: below 1x it stops short of the goal. Under each resource: brokers outside the band, before → after."
    )
}

/// What is copied, measured by the least that reaches the goal; by all data where that least is next to nothing.
fn over_bound(plan: &Plan, copied: u64) -> String {
    let bound = plan.bounds.as_ref().map_or(0, |bounds| bounds.moved_bytes);
    match plan.data_bytes {
        Some(all) if all > 0 && bound < all / BOUND_SHARE_MIN => {
            let gap = (copied as f64 - bound as f64) / all as f64;
            format!("{}{} of data", if gap < 0.0 { "-" } else { "+" }, precise_share(gap.abs()))
        }
        _ if bound == 0 => "-".into(),
        _ => format!("{:.2}x", copied as f64 / bound as f64),
    }
}

type Pick = fn(&Resources) -> Option<ResourceBalance>;

const RESOURCES: [(&str, Pick); 4] = [
    ("disk", |all| all.disk),
    ("network in", |all| all.network_in),
    ("network out", |all| all.network_out),
    ("cpu", |all| all.cpu),
];

/// Brokers outside the band, before and after.
fn outside(before: Option<ResourceBalance>, after: Option<ResourceBalance>) -> String {
    let count = |side: Option<ResourceBalance>| side.and_then(|side| side.outside);
    match (count(before), count(after)) {
        (None, None) => "-".into(),
        (before, after) => format!("{} → {}", maybe(before), maybe(after)),
    }
}

/// `10 %`.
fn share(fraction: f64) -> String {
    let percent = format!("{:.4}", fraction * 100.0);
    format!("{} %", percent.trim_end_matches('0').trim_end_matches('.'))
}

/// `1.25 %`, `0.004 %`: small ones do not become nothing.
fn precise_share(fraction: f64) -> String {
    let percent = fraction * 100.0;
    if percent == 0.0 || percent >= 0.1 { format!("{percent:.2} %") } else { format!("{percent:.4} %") }
}

fn ratio(value: Option<f64>) -> String {
    value.map_or_else(|| "-".into(), |value| format!("{value:.2}"))
}

fn balance_table(output: &Output, before: Option<&Resources>, after: Option<&Resources>) -> String {
    let mut table = output.table(["resource", "max/mean", "min/mean", "brokers outside the band"]);
    for (name, pick) in RESOURCES {
        let (before, after) = (before.and_then(pick).unwrap_or_default(), after.and_then(pick).unwrap_or_default());
        if before.max_over_mean.is_none() && after.max_over_mean.is_none() {
            table.add_row([plain(name), output.number("not measured"), plain(""), plain("")]);
            continue;
        }
        table.add_row([
            plain(name),
            output.number(format!("{} → {}", ratio(before.max_over_mean), ratio(after.max_over_mean))),
            output.number(format!("{} → {}", ratio(before.min_over_mean), ratio(after.min_over_mean))),
            output.number(outside(Some(before), Some(after))),
        ]);
    }
    table.to_string()
}

/// One line per goal and resource: how many are left, and the worst of them.
fn unmet_table(output: &Output, unmet: &[UnmetGoal]) -> String {
    let mut groups: Vec<(&UnmetGoal, Vec<&UnmetGoal>)> = Vec::new();
    for entry in unmet {
        let same = |known: &&UnmetGoal| known.goal == entry.goal && known.hard == entry.hard && known.resource == entry.resource;
        match groups.iter_mut().find(|(known, _)| same(known)) {
            Some((_, members)) => members.push(entry),
            None => groups.push((entry, vec![entry])),
        }
    }
    groups.sort_by_key(|(first, _)| !first.hard);
    let mut table = output.table(["goal", "", "how many", "the worst"]);
    for (first, members) in groups {
        let worst = members.iter().rev().max_by(|a, b| severity(a).total_cmp(&severity(b)));
        let goal = match &first.resource {
            Some(resource) => format!("{} on {}", first.goal, resource.replace('_', " ")),
            None => first.goal.clone(),
        };
        table.add_row([
            output.bold(goal),
            plain(if first.hard { "hard" } else { "soft" }),
            output.number(members.len()),
            plain(worst.map(|worst| worst.reason.clone()).unwrap_or_default()),
        ]);
    }
    table.to_string()
}

/// How far from the mean a broker stays, by what its sentence says: a plan carries no figure for it. 0 where it says nothing.
fn severity(unmet: &UnmetGoal) -> f64 {
    let said = unmet.reason.split_once(" of the mean").and_then(|(before, _)| before.rsplit(' ').next());
    said.and_then(|ratio| ratio.parse::<f64>().ok()).filter(|ratio| *ratio >= 0.0).map_or(0.0, |ratio| (ratio - 1.0).abs())
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

/// What each alternative does with one partition, why, and what that makes of the brokers it touches.
pub fn explain(output: &Output, answer: &ExplainMoveResponse) -> String {
    let mut text = facts(&[
        ("partition", output.heading(&format!("{}:{}", answer.topic, answer.partition))),
        ("replicas", ids(&answer.replicas)),
        ("leader", maybe(answer.leader)),
        ("in sync", ids(&answer.in_sync)),
        ("size", bytes(answer.size_bytes)),
    ]);
    for explanation in &answer.explanations {
        text.push_str(&format!("\n\n{}", output.heading(&format!("Alternative {}, {}", explanation.rank, explanation.label))));
        if let Some(entry) = &explanation.r#move {
            let copied = if entry.bytes == 0 { "nothing copied".to_owned() } else { format!("{} copied", bytes(entry.bytes)) };
            let place = explanation.position;
            text.push_str(&format!("\n  {} → {}: {copied}, place {place} in the order", ids(&entry.from), ids(&entry.to)));
        }
        text.push_str(&format!("\n  {}", explanation.explanation));
        for unmet in &explanation.unmet {
            text.push_str(&format!("\n  not reached: {}: {}", unmet.goal, unmet.reason));
        }
        if let Some(entry) = &explanation.r#move
            && !explanation.brokers.is_empty()
        {
            text.push_str(&format!("\n{}", broker_table(output, entry, &explanation.brokers)));
        }
    }
    if answer.explanations.iter().any(|explanation| !explanation.brokers.is_empty()) {
        text.push_str("\n\nUnder each resource: share of the broker's capacity, before → after all moves of the alternative.");
    }
    text
}

fn broker_table(output: &Output, entry: &Move, brokers: &[BrokerChange]) -> String {
    let mut table = output.table(["broker", "", "disk", "net in", "net out", "cpu"]);
    for change in brokers {
        let role = match (entry.from.contains(&change.broker), entry.to.contains(&change.broker)) {
            (true, false) => "gives the replica",
            (false, true) => "gets the replica",
            _ if entry.to.first() == Some(&change.broker) => "gets the leadership",
            _ => "gives the leadership",
        };
        let (before, after) = (change.before.unwrap_or_default(), change.after.unwrap_or_default());
        let full = |before: Option<f64>, after: Option<f64>| match (before, after) {
            (Some(before), Some(after)) => output.number(format!("{:.1} % → {:.1} %", before * 100.0, after * 100.0)),
            _ => output.number("-"),
        };
        table.add_row([
            output.number(change.broker),
            plain(role),
            full(before.disk, after.disk),
            full(before.network_in, after.network_in),
            full(before.network_out, after.network_out),
            full(before.cpu, after.cpu),
        ]);
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use ballast_proto::analyzer::v1::Bounds;

    use super::*;
    use crate::cli::output::Format;

    #[test]
    fn what_is_copied_is_measured_by_the_bound_unless_that_is_next_to_nothing() {
        let check = |bound, data_bytes, copied, wanted: &str| {
            let bounds = Some(Bounds { moved_bytes: bound, ..Bounds::default() });
            let plan = Plan { bounds, data_bytes, ..Plan::default() };
            assert_eq!(over_bound(&plan, copied), wanted, "{bound} {data_bytes:?} {copied}");
        };
        check(1_000, Some(10_000), 1_020, "1.02x");
        check(1_000, Some(10_000), 510, "0.51x");
        check(5, Some(10_000), 155, "+1.50 % of data");
        check(0, Some(1_000_000), 40, "+0.0040 % of data");
        check(0, Some(10_000), 0, "+0.00 % of data");
        check(0, None, 40, "-");
        check(10, None, 40, "4.00x");
    }

    #[test]
    fn what_is_unmet_is_counted_and_the_worst_named() {
        let band = |broker: i32, ratio: &str| UnmetGoal {
            goal: "band".into(),
            resource: Some("network_in".into()),
            broker: Some(broker),
            reason: format!("Broker {broker} stays outside, at {ratio} of the mean: why."),
            ..UnmetGoal::default()
        };
        let rack = UnmetGoal { goal: "rack".into(), hard: true, reason: "Two in rack a.".into(), ..UnmetGoal::default() };
        let text = unmet_table(&Output::new(Format::Table, true), &[band(1, "0.880"), band(2, "1.300"), band(3, "0.750"), rack]);
        let lines: Vec<&str> = text.lines().map(str::trim).skip(2).collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[0].starts_with("rack") && lines[0].contains("Two in rack a."), "{text}");
        assert!(
            lines[1].starts_with("band on network in") && lines[1].contains(" 3 ") && lines[1].contains("Broker 2"),
            "{text}"
        );
    }
}
