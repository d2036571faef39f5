//! The checker checked: a sound plan is damaged in many ways, and each must be found under the right rule. Must not know how
//! plans are made.

#[path = "planned/run.rs"]
mod run;

use ballast_cluster::Snapshot;
use ballast_lab::Shape;
use ballast_plan_check::{Rule, check};
use ballast_planner::{Goal, GoalKind, Limits};
use run::Planned;
use serde_json::{Value, json};

fn snapshot() -> Snapshot {
    let mut shape = Shape::new(18, 20, 400);
    (shape.dead, shape.draining, shape.groups, shape.seed) = (1, 1, 2, 5);
    ballast_lab::cluster(&shape)
}

fn sound() -> Planned {
    let planned = Planned::new(&snapshot(), &Goal::new(GoalKind::Rebalance, Vec::new()), &Limits::default(), 0);
    let report = planned.check().unwrap_or_else(|findings| panic!("the plan is not sound to begin with: {findings:?}"));
    assert!(report.alternatives.len() > 1 && report.alternatives[0].hard_unmet == 0);
    planned
}

/// Damages a sound plan and expects a finding under `rule`.
#[track_caller]
fn check_found(rule: Rule, damage: impl FnOnce(&mut Planned)) {
    let mut planned = sound();
    damage(&mut planned);
    match planned.check() {
        Ok(_) => panic!("nothing was found, {rule:?} should be"),
        Err(findings) => assert!(findings.iter().any(|finding| finding.rule == rule), "{rule:?} is not in {findings:?}"),
    }
}

/// Changes one value of the plan by a JSON pointer.
#[track_caller]
fn check_changed(rule: Rule, pointer: &str, change: impl FnOnce(&mut Value)) {
    check_found(rule, |planned| change(planned.plan.pointer_mut(pointer).expect("a place in the plan")));
}

fn more(value: &mut Value) {
    *value = json!(value.as_u64().expect("a number") + 2);
}

const FIRST: &str = "/alternatives/0";

/// Place in the first alternative of an entry that copies, and of what it copies to.
fn copying(planned: &Planned) -> (usize, usize) {
    let moves = planned.plan["alternatives"][0]["moves"].as_array().expect("a list");
    let added = |entry: &Value| {
        let to = entry["to"].as_array().expect("a list");
        to.iter().position(|id| !entry["from"].as_array().expect("a list").contains(id))
    };
    moves.iter().enumerate().rev().find_map(|(at, entry)| Some((at, added(entry)?))).expect("the plan copies something")
}

/// Replaces the broker that is copied to by one that `fits`, given the brokers of the list.
fn copied_to_another(planned: &mut Planned, fits: impl Fn(&Value, &[&Value], &Value) -> bool) {
    let (at, place) = copying(planned);
    let brokers = planned.snapshot["brokers"].as_array().expect("a list").clone();
    let entry = &mut planned.plan["alternatives"][0]["moves"][at];
    let of = |id: &Value| brokers.iter().find(|broker| broker["id"] == *id).expect("known");
    let list: Vec<&Value> = entry["to"].as_array().expect("a list").iter().map(of).collect();
    let now = list[place];
    let absent = |broker: &&Value| !list.contains(broker) && !entry["from"].as_array().expect("a list").contains(&broker["id"]);
    let rest: Vec<&Value> = list.iter().copied().filter(|broker| *broker != now).collect();
    let another = brokers.iter().filter(absent).find(|broker| fits(broker, &rest, now)).expect("there is such a broker");
    entry["to"][place] = another["id"].clone();
}

#[test]
fn wrong_figures_are_found() {
    for figure in ["moved_bytes", "replica_moves", "leader_moves", "peak_broker_in_bytes"] {
        check_changed(Rule::Cost, &format!("{FIRST}/cost/{figure}"), more);
    }
    check_found(Rule::Cost, |planned| {
        let (at, _) = copying(planned);
        more(&mut planned.plan["alternatives"][0]["moves"][at]["bytes"]);
    });
    check_changed(Rule::Balance, &format!("{FIRST}/balance/before/disk/outside"), more);
    check_changed(Rule::Balance, &format!("{FIRST}/balance/after/cpu/outside"), more);
    check_changed(Rule::Balance, &format!("{FIRST}/balance/after/network_in/max_over_mean"), |value| {
        *value = json!(value.as_f64().expect("a number") + 0.00001);
    });
    check_changed(Rule::Balance, &format!("{FIRST}/balance/after/network_out"), |value| {
        *value = json!({"max_over_mean": null, "min_over_mean": null, "outside": null});
    });
}

#[test]
fn moves_that_may_not_be_are_found() {
    let at = |planned: &Planned| format!("{FIRST}/moves/{}", copying(planned).0);
    let entry = |planned: &mut Planned, key: &str, value: Value| {
        let pointer = at(planned);
        planned.plan.pointer_mut(&pointer).expect("an entry")[key] = value;
    };
    check_found(Rule::Entry, |planned| entry(planned, "topic", json!("nobody")));
    check_found(Rule::Entry, |planned| entry(planned, "partition", json!(100_000)));
    check_found(Rule::Entry, |planned| entry(planned, "from", json!([1, 2, 3])));
    check_found(Rule::Entry, |planned| entry(planned, "to", json!([1, 1, 2])));
    check_found(Rule::Entry, |planned| entry(planned, "to", json!([1, 7])));
    check_found(Rule::Entry, |planned| entry(planned, "to", json!([1, 7, 1000])));
    check_found(Rule::Entry, |planned| {
        let moves = planned.plan["alternatives"][0]["moves"].as_array_mut().expect("a list");
        moves.push(moves[0].clone());
    });
    check_found(Rule::Entry, |planned| {
        let partition = planned.snapshot["topics"][0]["partitions"][0].clone();
        let same = json!({"topic": planned.snapshot["topics"][0]["name"], "partition": 0, "from": partition["replicas"],
            "to": partition["replicas"], "bytes": 0, "reason": "Nothing."});
        let leads_first = partition["replicas"][0] == partition["leader"];
        assert!(leads_first, "the shape was chosen so");
        planned.plan["alternatives"][0]["moves"].as_array_mut().expect("a list").push(same);
    });
    check_found(Rule::Liveness, |planned| copied_to_another(planned, |broker, _, _| broker["state"] == "dead"));
    check_found(Rule::Liveness, |planned| copied_to_another(planned, |broker, _, _| broker["state"] == "draining"));
    check_found(Rule::Group, |planned| copied_to_another(planned, |broker, _, now| broker["group"] != now["group"]));
    check_found(Rule::Rack, |planned| {
        copied_to_another(planned, |broker, rest, now| {
            broker["group"] == now["group"] && rest.iter().any(|other| other["rack"] == broker["rack"])
        });
    });
    check_found(Rule::Scope, |planned| planned.plan["goal"] = json!({"kind": "drain", "brokers": [2], "band": 0.1}));
    check_found(Rule::Scope, |planned| planned.plan["goal"] = json!({"kind": "demote", "brokers": [2], "band": 0.1}));
    check_found(Rule::Scope, |planned| planned.plan["goal"] = json!({"kind": "expand", "brokers": [2], "band": 0.1}));
    check_found(Rule::Scope, |planned| planned.plan["goal"] = json!({"kind": "topic", "brokers": [], "band": 0.1}));
}

#[test]
fn broken_limits_are_found() {
    check_found(Rule::Capacity, |planned| {
        let (at, place) = copying(planned);
        let target = planned.plan["alternatives"][0]["moves"][at]["to"][place].clone();
        let brokers = planned.snapshot["brokers"].as_array_mut().expect("a list");
        let broker = brokers.iter_mut().find(|broker| broker["id"] == target).expect("known");
        broker["capacity"]["disk_bytes"] = json!(1_000);
    });
    check_found(Rule::ReplicaCap, |planned| planned.options.replicas_per_broker_max = 20);
    check_found(Rule::Cap, |planned| planned.options.bytes_max = Some(1));
    check_found(Rule::Cap, |planned| planned.options.moves_max = Some(1));
    check_found(Rule::Cap, |planned| planned.options.leader_moves_max = Some(0));
    check_found(Rule::Entry, |planned| {
        let topic = planned.plan["alternatives"][0]["moves"][0]["topic"].as_str().expect("a name").to_owned();
        planned.options.excluded_topics.push(topic);
    });
    check_found(Rule::Entry, |planned| planned.options.only_topics.push("another".into()));
    check_found(Rule::Entry, |planned| planned.options.only_partitions.push(("another".into(), 0)));
    check_found(Rule::Entry, |planned| planned.options.only_to_brokers.push(1));
    check_found(Rule::TopicSpread, |planned| planned.options.spread_topics = true);
    check_found(Rule::Entry, |planned| {
        let (at, place) = copying(planned);
        let target = planned.plan["alternatives"][0]["moves"][at]["to"][place].as_i64().expect("an id");
        planned.options.excluded_brokers.push(target);
    });
}

#[test]
fn what_is_left_undone_without_a_word_is_found() {
    // The alternative that moves leadership only leaves dead replicas and brokers outside.
    let lazy = |planned: &Planned| -> usize {
        let alternatives = planned.plan["alternatives"].as_array().expect("a list");
        let leaves = |alternative: &Value| {
            ["band", "liveness"]
                .iter()
                .all(|goal| alternative["unmet"].as_array().expect("a list").iter().any(|unmet| unmet["goal"] == *goal))
        };
        alternatives.iter().position(leaves).expect("some alternative stops short")
    };
    for goal in ["band", "liveness"] {
        check_found(Rule::Unmet, |planned| {
            let at = lazy(planned);
            let unmet = planned.plan["alternatives"][at]["unmet"].as_array_mut().expect("a list");
            let place = unmet.iter().position(|unmet| unmet["goal"] == goal).expect("just seen");
            unmet.remove(place);
        });
    }
    check_found(Rule::Unmet, |planned| {
        let at = lazy(planned);
        let hard = &mut planned.plan["alternatives"][at]["unmet"][0]["hard"];
        *hard = json!(!hard.as_bool().expect("true or false"));
    });
    let claim = |goal: &str, hard: bool, resource: Value| {
        json!({"goal": goal, "hard": hard, "resource": resource, "broker": 3, "topic": null, "partition": null,
            "reason": "It is so."})
    };
    for claim in [claim("capacity", true, json!("disk")), claim("replica-cap", true, Value::Null)] {
        check_found(Rule::Unmet, |planned| {
            planned.plan["alternatives"][0]["unmet"].as_array_mut().expect("a list").push(claim);
        });
    }
    check_found(Rule::Unmet, |planned| {
        let unmet = json!({"goal": "not-measured", "hard": false, "resource": "cpu", "broker": null, "topic": null,
            "partition": null, "reason": "It is so."});
        planned.plan["alternatives"][0]["unmet"].as_array_mut().expect("a list").push(unmet);
    });
    // A repair is dropped: what it repaired is broken again, and nobody says so.
    check_found(Rule::Unmet, |planned| {
        let dead = planned.snapshot["brokers"].as_array().expect("a list").iter().find(|broker| broker["state"] == "dead");
        let dead = dead.expect("the shape has one")["id"].clone();
        let moves = planned.plan["alternatives"][0]["moves"].as_array_mut().expect("a list");
        let repair = moves.iter().position(|entry| entry["from"].as_array().expect("a list").contains(&dead));
        moves.remove(repair.expect("the plan repairs"));
    });
}

#[test]
fn bounds_that_do_not_hold_are_found() {
    let damaged = |pointer: &str, value: Value| {
        // Every broker has headroom to copy with, and the wide band is reached.
        let mut goal = Goal::new(GoalKind::Rebalance, Vec::new());
        goal.band = ballast_planner::Band::from_parts_per_million(400_000);
        let mut shape = Shape::new(12, 20, 600);
        shape.placement_skew = 80;
        let mut planned = Planned::new(&ballast_lab::cluster(&shape), &goal, &Limits::default(), 0);
        let report = planned.check().unwrap_or_else(|findings| panic!("{findings:?}"));
        let place = planned.plan.pointer_mut(pointer).expect("a place in the plan");
        let reached = report.alternatives.iter().find(|alternative| alternative.reaches_goal).expect("the band is wide");
        *place = match value {
            Value::String(_) => json!(reached.moved_bytes + 1),
            Value::Bool(_) => json!(place.as_u64().expect("there is headroom") + 2),
            value => value,
        };
        let findings = planned.check().expect_err(pointer);
        assert!(findings.iter().all(|finding| finding.rule == Rule::Bounds), "{findings:?}");
    };
    damaged("/bounds/seconds", json!(true));
    damaged("/bounds/seconds", Value::Null);
    damaged("/bounds/max_utilization/disk", json!(0.99));
    damaged("/bounds/moved_bytes", json!("more than a plan that reaches the goal"));
    damaged(&format!("{FIRST}/cost/estimated_seconds"), json!(1));
}

#[test]
fn what_is_no_frontier_is_found() {
    check_changed(Rule::Frontier, &format!("{FIRST}/rank"), more);
    check_found(Rule::Frontier, |planned| {
        let label = planned.plan["alternatives"][1]["label"].clone();
        planned.plan["alternatives"][0]["label"] = label;
    });
    check_found(Rule::Frontier, |planned| {
        let alternatives = planned.plan["alternatives"].as_array_mut().expect("a list");
        let mut twin = alternatives[0].clone();
        (twin["label"], twin["rank"]) = (json!("tight-band"), json!(alternatives.len() + 1));
        alternatives.push(twin);
    });
    check_changed(Rule::Frontier, "/alternatives", |value| *value = json!([]));
}

#[test]
fn missing_and_misspelt_fields_are_found() {
    for pointer in
        ["/bounds", FIRST, "/alternatives/0/cost", "/alternatives/0/balance/after/disk", "/alternatives/0/moves/0", "/timings"]
    {
        let keys: Vec<String> =
            sound().plan.pointer(pointer).and_then(Value::as_object).expect("an object").keys().cloned().collect();
        // How many moves there are is told beside them for those who leave them out; the contract does not ask for it.
        for key in keys.iter().filter(|key| *key != "moves_total") {
            check_changed(Rule::Format, pointer, |value| drop(value.as_object_mut().expect("an object").remove(key)));
        }
    }
    check_changed(Rule::Format, "/format", |value| *value = json!("ballast.plan.v2"));
    check_changed(Rule::Format, "/base_sequence", more);
    check_changed(Rule::Format, "/cluster", |value| *value = json!("another"));
    check_changed(Rule::Format, &format!("{FIRST}/label"), |value| *value = json!("best"));
    check_changed(Rule::Format, &format!("{FIRST}/why"), |value| *value = json!(""));
    check_changed(Rule::Format, &format!("{FIRST}/moves/0/reason"), |value| *value = json!("because"));
    check_changed(Rule::Format, &format!("{FIRST}/cost/moved_bytes"), |value| *value = json!(1.5));
    let planned = sound();
    assert!(check(&planned.plan, &planned.plan, &planned.options).is_err(), "a plan is no snapshot");
}
