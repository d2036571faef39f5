//! Whether a broker is gone, by what others say of it: two witnesses and a grace time, never one failed call of ours. Pure:
//! must not know how witnesses are asked or what is done about a verdict.

use std::collections::BTreeSet;

use ballast_cluster::{BrokerId, Timestamp};

/// What was heard in one look at the cluster.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Hearing {
    pub answers: Vec<Answer>,
    /// Brokers that did not answer us themselves.
    pub unreachable: BTreeSet<BrokerId>,
}

/// One broker's word on who serves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    pub by: BrokerId,
    pub serving: BTreeSet<BrokerId>,
}

/// What a hearing says of one broker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Sign {
    Present,
    /// With the witnesses, for the record.
    Gone(Vec<String>),
    /// Too few or contradicting witnesses: nothing changes.
    Unclear,
}

/// What is recorded of a broker so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    Present,
    Suspected { since: Timestamp },
    Lost,
}

/// What is to be recorded of it now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    Suspected { witnesses: Vec<String>, since: Timestamp },
    Cleared,
    Lost { witnesses: Vec<String>, since: Timestamp },
    Returned,
}

/// The sign for one broker. Its own word does not count: a broker that the controller has fenced may still answer.
pub fn sign(broker: BrokerId, hearing: &Hearing) -> Sign {
    let others = || hearing.answers.iter().filter(|answer| answer.by != broker);
    let present = others().filter(|answer| answer.serving.contains(&broker)).count();
    let missing: Vec<String> = others()
        .filter(|answer| !answer.serving.contains(&broker))
        .map(|answer| format!("broker {} does not list it", answer.by))
        .collect();
    match (present, missing.len()) {
        (0, 0) => match hearing.answers.iter().any(|answer| answer.serving.contains(&broker)) {
            true => Sign::Present,
            false => Sign::Unclear,
        },
        // Only one broker is left to ask: its word counts together with our own failed call.
        (0, 1) if hearing.answers.len() == 1 && hearing.unreachable.contains(&broker) => {
            Sign::Gone(missing.into_iter().chain(["it does not answer Ballast".to_owned()]).collect())
        }
        (0, 1) => Sign::Unclear,
        (present, gone) if gone >= 2 && gone > present => Sign::Gone(missing),
        (present, gone) if present >= gone => Sign::Present,
        _ => Sign::Unclear,
    }
}

/// What changes for a broker of this standing when this sign is seen.
pub fn judge(standing: Standing, sign: Sign, now: Timestamp, grace_milliseconds: i64) -> Option<Verdict> {
    match (standing, sign) {
        (Standing::Present, Sign::Gone(witnesses)) => Some(Verdict::Suspected { witnesses, since: now }),
        (Standing::Suspected { .. }, Sign::Present) => Some(Verdict::Cleared),
        (Standing::Suspected { since }, Sign::Gone(witnesses)) if now.milliseconds_since(since) >= grace_milliseconds => {
            Some(Verdict::Lost { witnesses, since })
        }
        (Standing::Lost, Sign::Present) => Some(Verdict::Returned),
        (Standing::Suspected { .. } | Standing::Lost, Sign::Gone(_)) => None,
        (Standing::Present, Sign::Present) => None,
        (_, Sign::Unclear) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hearing(answers: &[(i32, &[i32])], unreachable: &[i32]) -> Hearing {
        let answer = |(by, serving): &(i32, &[i32])| Answer {
            by: BrokerId(*by),
            serving: serving.iter().copied().map(BrokerId).collect(),
        };
        Hearing {
            answers: answers.iter().map(answer).collect(),
            unreachable: unreachable.iter().copied().map(BrokerId).collect(),
        }
    }

    /// Signs of broker 3.
    #[test]
    fn a_broker_is_gone_only_by_two_witnesses() {
        let check = |answers: &[(i32, &[i32])], unreachable: &[i32], wanted: &str| {
            let found = match sign(BrokerId(3), &hearing(answers, unreachable)) {
                Sign::Present => "present",
                Sign::Gone(witnesses) => {
                    assert!(witnesses.len() >= 2, "{witnesses:?}");
                    "gone"
                }
                Sign::Unclear => "unclear",
            };
            assert_eq!(found, wanted, "{answers:?}, unreachable {unreachable:?}");
        };
        check(&[(1, &[1, 2]), (2, &[1, 2])], &[3], "gone");
        check(&[(1, &[1, 2]), (2, &[1, 2])], &[], "gone");
        check(&[(1, &[1, 2, 3]), (2, &[1, 2, 3])], &[3], "present");
        check(&[(1, &[1, 2]), (2, &[1, 2, 3])], &[3], "present");
        check(&[(1, &[1, 2]), (2, &[1, 2]), (4, &[1, 2, 3])], &[3], "gone");
        check(&[(1, &[1, 2])], &[3], "gone");
        check(&[(1, &[1, 2])], &[], "unclear");
        check(&[(1, &[1, 2, 3])], &[3], "present");
        check(&[(3, &[1, 2, 3])], &[1, 2], "present");
        check(&[(1, &[1, 2]), (3, &[1, 2, 3])], &[], "unclear");
        check(&[], &[1, 2, 3], "unclear");
    }

    #[test]
    fn a_broker_is_lost_after_the_grace_and_returns_at_once() {
        let at = Timestamp::from_milliseconds;
        let gone = || Sign::Gone(vec!["one".into(), "two".into()]);
        let suspected = Standing::Suspected { since: at(1_000) };
        let check = |standing, sign, now, wanted: &str| {
            let found = match judge(standing, sign, at(now), 10_000) {
                None => "nothing",
                Some(Verdict::Suspected { since, .. }) => {
                    assert_eq!(since, at(now));
                    "suspected"
                }
                Some(Verdict::Cleared) => "cleared",
                Some(Verdict::Lost { since, .. }) => {
                    assert_eq!(since, at(1_000));
                    "lost"
                }
                Some(Verdict::Returned) => "returned",
            };
            assert_eq!(found, wanted, "{standing:?} at {now}");
        };
        check(Standing::Present, Sign::Present, 1_000, "nothing");
        check(Standing::Present, gone(), 1_000, "suspected");
        check(Standing::Present, Sign::Unclear, 1_000, "nothing");
        check(suspected, gone(), 10_999, "nothing");
        check(suspected, gone(), 11_000, "lost");
        check(suspected, Sign::Unclear, 99_000, "nothing");
        check(suspected, Sign::Present, 2_000, "cleared");
        check(Standing::Lost, gone(), 99_000, "nothing");
        check(Standing::Lost, Sign::Unclear, 99_000, "nothing");
        check(Standing::Lost, Sign::Present, 99_000, "returned");
    }
}
