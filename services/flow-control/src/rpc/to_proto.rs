//! From views and events to wire types. Must not know commands.

use ballast_cluster::{BrokerId, StepKey, Timestamp};
use ballast_events::{Envelope, Event};
use ballast_proto::common::v1::Actor;
use ballast_proto::flow::v1 as proto;
use ballast_throttle::{AdmissionEvent, ListEntry, ThrottleEvent};

use super::sentences;
use crate::commands::DecisionsFrom;
use crate::governor::Swept;
use crate::status::{BrokerStatus, Status};
use crate::view::View;

pub(super) fn throttle(view: &View, status: &Status) -> proto::Throttle {
    let mut brokers = status.brokers.clone();
    for (broker, limit) in &view.limits {
        let row = brokers.entry(*broker).or_default();
        // The governor has not looked since: what is recorded is the best there is.
        row.limit = row.limit.or(Some(limit.to));
        row.target = row.target.or(Some(limit.to));
        row.is_owed |= limit.is_owed;
    }
    let waiting = view.steps.iter().filter_map(|(key, step)| Some((key, step.withheld.as_ref()?)));
    proto::Throttle {
        cluster: view.cluster.clone(),
        frozen: view.frozen,
        rate_max_bytes_per_second: view.rate_max.map(|rate| rate.bytes_per_second),
        sampled_at: status.sampled_at.map(time),
        brokers: brokers.into_iter().filter(|(_, row)| row.takes_part()).map(|(id, row)| broker(id, row)).collect(),
        entries: view.entries().into_iter().cloned().map(replica).collect(),
        withheld: waiting.map(|(key, (code, detail))| withheld(key, code, detail)).collect(),
        sequence: view.sequence,
    }
}

fn broker(BrokerId(broker): BrokerId, row: BrokerStatus) -> proto::BrokerThrottle {
    proto::BrokerThrottle {
        broker,
        limit_bytes_per_second: row.limit.map(|rate| rate.bytes_per_second),
        target_bytes_per_second: row.target.filter(|_| row.is_ramping).map(|rate| rate.bytes_per_second),
        ramping: row.is_ramping,
        foreign_limit: row.foreign,
        counted_bytes_per_second: row.counted,
        floor_bytes_per_second: row.floor,
        user_in_bytes_per_second: row.used.user_in,
        user_out_bytes_per_second: row.used.user_out,
        capacity_in_bytes_per_second: row.used.capacity_in,
        capacity_out_bytes_per_second: row.used.capacity_out,
        headroom_in_bytes_per_second: row.headroom_in,
        headroom_out_bytes_per_second: row.headroom_out,
        debt: row.is_owed,
        reason: row.reason,
    }
}

fn withheld(key: &StepKey, code: &str, detail: &str) -> proto::WithheldStep {
    let StepKey { task, step, attempt } = key.clone();
    proto::WithheldStep { task, step, attempt, reason_code: code.to_owned(), detail: detail.to_owned() }
}

fn replica(entry: ListEntry) -> proto::ThrottledReplica {
    proto::ThrottledReplica { topic: entry.topic, partition: entry.partition, broker: entry.broker.0 }
}

pub(super) fn swept(cluster: &str, swept: Swept) -> proto::SweepThrottlesResponse {
    let ids = |brokers: Vec<BrokerId>| brokers.into_iter().map(|BrokerId(id)| id).collect();
    let limit = |(BrokerId(broker), value)| proto::ForeignLimit { broker, value };
    proto::SweepThrottlesResponse {
        cluster: cluster.to_owned(),
        entries: swept.entries.into_iter().map(replica).collect(),
        brokers: ids(swept.brokers),
        debts: ids(swept.debts),
        foreign_entries: swept.foreign_entries.into_iter().map(replica).collect(),
        foreign_limits: swept.foreign_limits.into_iter().map(limit).collect(),
    }
}

pub(super) fn page_token(next: DecisionsFrom) -> String {
    format!("{}.{}", next.throttle, next.admission)
}

pub(super) fn decision(envelope: &Envelope, event: &Event) -> proto::ThrottleDecision {
    let header = &envelope.header;
    let mut decision = proto::ThrottleDecision {
        sequence: envelope.sequence,
        r#type: header.event_type.clone(),
        recorded_at: Some(time(header.recorded_at)),
        text: sentences::of(event),
        actor: Some(Actor {
            principal: header.actor.principal.clone(),
            method: header.actor.method.clone(),
            role: header.actor.role.clone(),
            source: header.actor.source.clone(),
        }),
        reason: header.reason.clone(),
        ..proto::ThrottleDecision::default()
    };
    match event {
        Event::Throttle(event) => about_throttle(&mut decision, event),
        Event::Admission(event) => about_admission(&mut decision, event),
        _ => {}
    }
    decision
}

fn about_throttle(decision: &mut proto::ThrottleDecision, event: &ThrottleEvent) {
    match event {
        ThrottleEvent::RateIntended { broker, from, to, .. } => {
            decision.broker = Some(broker.0);
            decision.from_bytes_per_second = Some(from.bytes_per_second);
            decision.to_bytes_per_second = Some(to.bytes_per_second);
        }
        ThrottleEvent::RateConfirmed { broker, rate } => {
            decision.broker = Some(broker.0);
            decision.to_bytes_per_second = Some(rate.bytes_per_second);
        }
        ThrottleEvent::RateReleaseIntended { broker }
        | ThrottleEvent::RateReleased { broker }
        | ThrottleEvent::DebtRecorded { broker }
        | ThrottleEvent::DebtPaid { broker }
        | ThrottleEvent::ForeignThrottleSeen { broker, .. }
        | ThrottleEvent::ForeignThrottleGone { broker } => decision.broker = Some(broker.0),
        ThrottleEvent::ListIntended { step, .. }
        | ThrottleEvent::ListConfirmed { step }
        | ThrottleEvent::ListReleaseIntended { step, .. }
        | ThrottleEvent::ListReleased { step } => about_step(decision, step),
        ThrottleEvent::LimitSet { rate_max } => decision.to_bytes_per_second = rate_max.map(|rate| rate.bytes_per_second),
        ThrottleEvent::Swept { .. } => {}
    }
}

fn about_admission(decision: &mut proto::ThrottleDecision, event: &AdmissionEvent) {
    match event {
        AdmissionEvent::Withheld { step, reason_code, .. } => {
            about_step(decision, step);
            decision.reason_code.clone_from(reason_code);
        }
        AdmissionEvent::Admitted { step, .. } | AdmissionEvent::Withdrawn { step } => about_step(decision, step),
        AdmissionEvent::Opened | AdmissionEvent::Frozen | AdmissionEvent::Unfrozen => {}
    }
}

fn about_step(decision: &mut proto::ThrottleDecision, step: &StepKey) {
    (decision.task, decision.step) = (Some(step.task.clone()), Some(step.step));
}

fn time(timestamp: Timestamp) -> ballast_proto::Timestamp {
    ballast_proto::Timestamp::from_milliseconds(timestamp.milliseconds)
}
