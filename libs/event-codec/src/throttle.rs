//! Throttle and admission events. Must not know what they lead to.

use ballast_cluster::{BrokerId, StepKey};
use ballast_proto::event::v1 as proto;
use ballast_throttle::{AdmissionEvent, ListEntry, Rate, ThrottleEvent};

use crate::catalog::EventType;
use crate::read::{self, Malformed, required};
use crate::topology::{time_from_proto, time_to_proto};
use crate::write::Encoded;

pub(crate) const THROTTLE_TYPES: &[EventType] = &[
    EventType::of::<proto::ThrottleRateIntended>("throttle.rate-intended"),
    EventType::of::<proto::ThrottleRateConfirmed>("throttle.rate-confirmed"),
    EventType::of::<proto::ThrottleListIntended>("throttle.list-intended"),
    EventType::of::<proto::ThrottleListConfirmed>("throttle.list-confirmed"),
    EventType::of::<proto::ThrottleListReleaseIntended>("throttle.list-release-intended"),
    EventType::of::<proto::ThrottleListReleased>("throttle.list-released"),
    EventType::of::<proto::ThrottleRateReleaseIntended>("throttle.rate-release-intended"),
    EventType::of::<proto::ThrottleRateReleased>("throttle.rate-released"),
    EventType::of::<proto::ThrottleDebtRecorded>("throttle.debt-recorded"),
    EventType::of::<proto::ThrottleDebtPaid>("throttle.debt-paid"),
    EventType::of::<proto::ThrottleForeignThrottleSeen>("throttle.foreign-throttle-seen"),
    EventType::of::<proto::ThrottleForeignThrottleGone>("throttle.foreign-throttle-gone"),
    EventType::of::<proto::ThrottleLimitSet>("throttle.limit-set"),
    EventType::of::<proto::ThrottleSwept>("throttle.swept"),
];
pub(crate) const ADMISSION_TYPES: &[EventType] = &[
    EventType::of::<proto::AdmissionOpened>("admission.opened"),
    EventType::of::<proto::AdmissionAdmitted>("admission.admitted"),
    EventType::of::<proto::AdmissionWithheld>("admission.withheld"),
    EventType::of::<proto::AdmissionWithdrawn>("admission.withdrawn"),
    EventType::of::<proto::AdmissionFrozen>("admission.frozen"),
    EventType::of::<proto::AdmissionUnfrozen>("admission.unfrozen"),
];

pub(crate) fn encode_throttle(event: &ThrottleEvent) -> Encoded {
    match event.clone() {
        ThrottleEvent::RateIntended { broker: BrokerId(broker), from, to, ramp_seconds, reason } => {
            let (from_bytes_per_second, to_bytes_per_second) = (from.bytes_per_second, to.bytes_per_second);
            let message =
                proto::ThrottleRateIntended { broker, from_bytes_per_second, to_bytes_per_second, ramp_seconds, reason };
            Encoded::of("throttle.rate-intended", &message)
        }
        ThrottleEvent::RateConfirmed { broker: BrokerId(broker), rate } => {
            let bytes_per_second = rate.bytes_per_second;
            Encoded::of("throttle.rate-confirmed", &proto::ThrottleRateConfirmed { broker, bytes_per_second })
        }
        ThrottleEvent::LimitSet { rate_max } => {
            let rate_max_bytes_per_second = rate_max.map(|rate| rate.bytes_per_second);
            Encoded::of("throttle.limit-set", &proto::ThrottleLimitSet { rate_max_bytes_per_second })
        }
        ThrottleEvent::RateReleaseIntended { broker: BrokerId(broker) } => {
            Encoded::of("throttle.rate-release-intended", &proto::ThrottleRateReleaseIntended { broker })
        }
        ThrottleEvent::RateReleased { broker: BrokerId(broker) } => {
            Encoded::of("throttle.rate-released", &proto::ThrottleRateReleased { broker })
        }
        ThrottleEvent::DebtRecorded { broker: BrokerId(broker) } => {
            Encoded::of("throttle.debt-recorded", &proto::ThrottleDebtRecorded { broker })
        }
        ThrottleEvent::DebtPaid { broker: BrokerId(broker) } => {
            Encoded::of("throttle.debt-paid", &proto::ThrottleDebtPaid { broker })
        }
        ThrottleEvent::ForeignThrottleSeen { broker: BrokerId(broker), value } => {
            Encoded::of("throttle.foreign-throttle-seen", &proto::ThrottleForeignThrottleSeen { broker, value })
        }
        ThrottleEvent::ForeignThrottleGone { broker: BrokerId(broker) } => {
            Encoded::of("throttle.foreign-throttle-gone", &proto::ThrottleForeignThrottleGone { broker })
        }
        ThrottleEvent::ListIntended { step, entries } => {
            let (step, entries) = (Some(step_to_proto(step)), entries_to_proto(entries));
            Encoded::of("throttle.list-intended", &proto::ThrottleListIntended { step, entries })
        }
        ThrottleEvent::ListConfirmed { step } => {
            Encoded::of("throttle.list-confirmed", &proto::ThrottleListConfirmed { step: Some(step_to_proto(step)) })
        }
        ThrottleEvent::ListReleaseIntended { step, entries } => {
            let (step, entries) = (Some(step_to_proto(step)), entries_to_proto(entries));
            Encoded::of("throttle.list-release-intended", &proto::ThrottleListReleaseIntended { step, entries })
        }
        ThrottleEvent::ListReleased { step } => {
            Encoded::of("throttle.list-released", &proto::ThrottleListReleased { step: Some(step_to_proto(step)) })
        }
        ThrottleEvent::Swept { entries, brokers } => {
            let brokers = brokers.into_iter().map(|BrokerId(broker)| broker).collect();
            Encoded::of("throttle.swept", &proto::ThrottleSwept { entries: entries_to_proto(entries), brokers })
        }
    }
}

pub(crate) fn encode_admission(event: &AdmissionEvent) -> Encoded {
    match event.clone() {
        AdmissionEvent::Opened => Encoded::of("admission.opened", &proto::AdmissionOpened {}),
        AdmissionEvent::Admitted { step, expires_at } => {
            let (step, expires_at) = (Some(step_to_proto(step)), Some(time_to_proto(expires_at)));
            Encoded::of("admission.admitted", &proto::AdmissionAdmitted { step, expires_at })
        }
        AdmissionEvent::Withheld { step, reason_code, detail } => {
            let step = Some(step_to_proto(step));
            Encoded::of("admission.withheld", &proto::AdmissionWithheld { step, reason_code, detail })
        }
        AdmissionEvent::Withdrawn { step } => {
            Encoded::of("admission.withdrawn", &proto::AdmissionWithdrawn { step: Some(step_to_proto(step)) })
        }
        AdmissionEvent::Frozen => Encoded::of("admission.frozen", &proto::AdmissionFrozen {}),
        AdmissionEvent::Unfrozen => Encoded::of("admission.unfrozen", &proto::AdmissionUnfrozen {}),
    }
}

pub(crate) fn decode_throttle(event_type: &str, payload: &[u8]) -> Result<ThrottleEvent, Malformed> {
    Ok(match event_type {
        "throttle.rate-intended" => {
            let message: proto::ThrottleRateIntended = read::message(payload)?;
            let (from, to) = (Rate::new(message.from_bytes_per_second), Rate::new(message.to_bytes_per_second));
            let (broker, ramp_seconds) = (BrokerId(message.broker), message.ramp_seconds);
            ThrottleEvent::RateIntended { broker, from, to, ramp_seconds, reason: message.reason }
        }
        "throttle.rate-confirmed" => {
            let proto::ThrottleRateConfirmed { broker, bytes_per_second } = read::message(payload)?;
            ThrottleEvent::RateConfirmed { broker: BrokerId(broker), rate: Rate::new(bytes_per_second) }
        }
        "throttle.list-intended" => {
            let proto::ThrottleListIntended { step, entries } = read::message(payload)?;
            ThrottleEvent::ListIntended { step: step_from_proto(step)?, entries: entries_from_proto(entries) }
        }
        "throttle.list-confirmed" => {
            let proto::ThrottleListConfirmed { step } = read::message(payload)?;
            ThrottleEvent::ListConfirmed { step: step_from_proto(step)? }
        }
        "throttle.list-release-intended" => {
            let proto::ThrottleListReleaseIntended { step, entries } = read::message(payload)?;
            ThrottleEvent::ListReleaseIntended { step: step_from_proto(step)?, entries: entries_from_proto(entries) }
        }
        "throttle.list-released" => {
            let proto::ThrottleListReleased { step } = read::message(payload)?;
            ThrottleEvent::ListReleased { step: step_from_proto(step)? }
        }
        "throttle.limit-set" => {
            let proto::ThrottleLimitSet { rate_max_bytes_per_second } = read::message(payload)?;
            ThrottleEvent::LimitSet { rate_max: rate_max_bytes_per_second.map(Rate::new) }
        }
        "throttle.swept" => {
            let proto::ThrottleSwept { entries, brokers } = read::message(payload)?;
            let brokers = brokers.into_iter().map(BrokerId).collect();
            ThrottleEvent::Swept { entries: entries_from_proto(entries), brokers }
        }
        other => decode_broker(other, payload)?,
    })
}

/// The events that say no more than the broker, and whose limit it has.
fn decode_broker(event_type: &str, payload: &[u8]) -> Result<ThrottleEvent, Malformed> {
    Ok(match event_type {
        "throttle.rate-release-intended" => {
            let proto::ThrottleRateReleaseIntended { broker } = read::message(payload)?;
            ThrottleEvent::RateReleaseIntended { broker: BrokerId(broker) }
        }
        "throttle.rate-released" => {
            let proto::ThrottleRateReleased { broker } = read::message(payload)?;
            ThrottleEvent::RateReleased { broker: BrokerId(broker) }
        }
        "throttle.debt-recorded" => {
            let proto::ThrottleDebtRecorded { broker } = read::message(payload)?;
            ThrottleEvent::DebtRecorded { broker: BrokerId(broker) }
        }
        "throttle.debt-paid" => {
            let proto::ThrottleDebtPaid { broker } = read::message(payload)?;
            ThrottleEvent::DebtPaid { broker: BrokerId(broker) }
        }
        "throttle.foreign-throttle-seen" => {
            let proto::ThrottleForeignThrottleSeen { broker, value } = read::message(payload)?;
            ThrottleEvent::ForeignThrottleSeen { broker: BrokerId(broker), value }
        }
        "throttle.foreign-throttle-gone" => {
            let proto::ThrottleForeignThrottleGone { broker } = read::message(payload)?;
            ThrottleEvent::ForeignThrottleGone { broker: BrokerId(broker) }
        }
        other => return Err(read::unlisted(other)),
    })
}

pub(crate) fn decode_admission(event_type: &str, payload: &[u8]) -> Result<AdmissionEvent, Malformed> {
    Ok(match event_type {
        "admission.opened" => AdmissionEvent::Opened,
        "admission.admitted" => {
            let proto::AdmissionAdmitted { step, expires_at } = read::message(payload)?;
            let expires_at = time_from_proto(required(expires_at, "expires_at")?);
            AdmissionEvent::Admitted { step: step_from_proto(step)?, expires_at }
        }
        "admission.withheld" => {
            let proto::AdmissionWithheld { step, reason_code, detail } = read::message(payload)?;
            AdmissionEvent::Withheld { step: step_from_proto(step)?, reason_code, detail }
        }
        "admission.withdrawn" => {
            let proto::AdmissionWithdrawn { step } = read::message(payload)?;
            AdmissionEvent::Withdrawn { step: step_from_proto(step)? }
        }
        "admission.frozen" => AdmissionEvent::Frozen,
        "admission.unfrozen" => AdmissionEvent::Unfrozen,
        other => return Err(read::unlisted(other)),
    })
}

fn step_to_proto(step: StepKey) -> proto::StepKey {
    proto::StepKey { task: step.task, step: step.step, attempt: step.attempt }
}

fn step_from_proto(step: Option<proto::StepKey>) -> Result<StepKey, Malformed> {
    let proto::StepKey { task, step, attempt } = required(step, "step")?;
    Ok(StepKey { task, step, attempt })
}

fn entries_to_proto(entries: Vec<ListEntry>) -> Vec<proto::ThrottleListEntry> {
    let entry =
        |entry: ListEntry| proto::ThrottleListEntry { topic: entry.topic, partition: entry.partition, broker: entry.broker.0 };
    entries.into_iter().map(entry).collect()
}

fn entries_from_proto(entries: Vec<proto::ThrottleListEntry>) -> Vec<ListEntry> {
    let entry = |entry: proto::ThrottleListEntry| {
        let proto::ThrottleListEntry { topic, partition, broker } = entry;
        ListEntry { topic, partition, broker: BrokerId(broker) }
    };
    entries.into_iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use ballast_cluster::Timestamp;

    use super::*;

    fn step() -> StepKey {
        StepKey { task: "task-7kq3".into(), step: 4, attempt: 2 }
    }

    fn entries() -> Vec<ListEntry> {
        [1, 2].map(|broker| ListEntry { topic: "orders".into(), partition: 7, broker: BrokerId(broker) }).into()
    }

    fn throttle_events() -> Vec<ThrottleEvent> {
        let broker = BrokerId(3);
        let (from, to, reason) = (Rate::new(300_000), Rate::new(u64::MAX), "share".to_owned());
        vec![
            ThrottleEvent::RateIntended { broker, from, to, ramp_seconds: 11, reason },
            ThrottleEvent::RateConfirmed { broker, rate: to },
            ThrottleEvent::ListIntended { step: step(), entries: entries() },
            ThrottleEvent::ListConfirmed { step: step() },
            ThrottleEvent::ListReleaseIntended { step: step(), entries: entries() },
            ThrottleEvent::ListReleased { step: step() },
            ThrottleEvent::RateReleaseIntended { broker },
            ThrottleEvent::RateReleased { broker },
            ThrottleEvent::DebtRecorded { broker },
            ThrottleEvent::DebtPaid { broker },
            ThrottleEvent::ForeignThrottleSeen { broker, value: "1000".into() },
            ThrottleEvent::ForeignThrottleGone { broker },
            ThrottleEvent::LimitSet { rate_max: None },
            ThrottleEvent::LimitSet { rate_max: Some(Rate::new(1)) },
            ThrottleEvent::Swept { entries: entries(), brokers: vec![broker] },
        ]
    }

    fn admission_events() -> Vec<AdmissionEvent> {
        let (reason_code, detail) = ("NO_HEADROOM".to_owned(), "busy".to_owned());
        vec![
            AdmissionEvent::Opened,
            AdmissionEvent::Admitted { step: step(), expires_at: Timestamp::from_milliseconds(1_700_000_000_123) },
            AdmissionEvent::Withheld { step: step(), reason_code, detail },
            AdmissionEvent::Withdrawn { step: step() },
            AdmissionEvent::Frozen,
            AdmissionEvent::Unfrozen,
        ]
    }

    #[test]
    fn every_throttle_event_reads_as_it_was_written() {
        for event in throttle_events() {
            let encoded = encode_throttle(&event);
            assert_eq!(decode_throttle(encoded.event_type, &encoded.payload), Ok(event));
        }
    }

    #[test]
    fn every_admission_event_reads_as_it_was_written() {
        for event in admission_events() {
            let encoded = encode_admission(&event);
            assert_eq!(decode_admission(encoded.event_type, &encoded.payload), Ok(event));
        }
    }

    #[test]
    fn every_type_of_the_table_is_written_and_read() {
        let mut written: Vec<_> = throttle_events().iter().map(|event| encode_throttle(event).event_type).collect();
        written.extend(admission_events().iter().map(|event| encode_admission(event).event_type));
        for known in THROTTLE_TYPES.iter().chain(ADMISSION_TYPES) {
            assert!(written.contains(&known.name), "{}", known.name);
        }
    }
}
