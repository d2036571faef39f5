//! Says in one sentence what an event decided. Must not know wire types.

use ballast_events::Event;
use ballast_throttle::{AdmissionEvent, ListEntry, ThrottleEvent};

pub(super) fn of(event: &Event) -> String {
    match event {
        Event::Throttle(event) => of_throttle(event),
        Event::Admission(event) => of_admission(event),
        _ => String::new(),
    }
}

fn of_throttle(event: &ThrottleEvent) -> String {
    match event {
        ThrottleEvent::RateIntended { broker, from, to, ramp_seconds, reason } => {
            let (from, to) = (from.bytes_per_second, to.bytes_per_second);
            format!("broker {broker}: {from} to {to} B/s over {ramp_seconds} s ({reason})")
        }
        ThrottleEvent::RateConfirmed { broker, rate } => format!("broker {broker} shows {} B/s", rate.bytes_per_second),
        ThrottleEvent::ListIntended { entries, .. } => format!("listing {}", listed(entries)),
        ThrottleEvent::ListConfirmed { .. } => "the list entries show".to_owned(),
        ThrottleEvent::ListReleaseIntended { entries, .. } => format!("taking {} out of the list", listed(entries)),
        ThrottleEvent::ListReleased { .. } => "the list entries are gone".to_owned(),
        ThrottleEvent::RateReleaseIntended { broker } => format!("broker {broker}: no step needs its limit, deleting it"),
        ThrottleEvent::RateReleased { broker } => format!("broker {broker} has no limit of ours"),
        ThrottleEvent::DebtRecorded { broker } => {
            format!("broker {broker} is dead: its limit will be deleted when it returns")
        }
        ThrottleEvent::DebtPaid { broker } => format!("broker {broker} is back, its limit is deleted"),
        ThrottleEvent::ForeignThrottleSeen { broker, value } => {
            format!("broker {broker} has a limit of {value} B/s that Ballast did not set: it is used and left alone")
        }
        ThrottleEvent::ForeignThrottleGone { broker } => format!("broker {broker}: the limit that Ballast did not set is gone"),
        ThrottleEvent::LimitSet { rate_max: Some(rate) } => {
            format!("no broker's limit may be above {} B/s", rate.bytes_per_second)
        }
        ThrottleEvent::LimitSet { rate_max: None } => "limits are left to the control law".to_owned(),
        ThrottleEvent::Swept { entries, brokers } => {
            let brokers: Vec<String> = brokers.iter().map(ToString::to_string).collect();
            match (entries.is_empty(), brokers.is_empty()) {
                (true, true) => "swept: nothing was left".to_owned(),
                _ => format!("swept {}; limits of brokers {}", listed(entries), brokers.join(", ")),
            }
        }
    }
}

fn of_admission(event: &AdmissionEvent) -> String {
    match event {
        AdmissionEvent::Opened => "flow control started: grants that were not used are void".to_owned(),
        AdmissionEvent::Admitted { .. } => "the step may start".to_owned(),
        AdmissionEvent::Withheld { detail, .. } => format!("the step waits: {detail}"),
        AdmissionEvent::Withdrawn { .. } => "the grant ran out".to_owned(),
        AdmissionEvent::Frozen => "frozen: nothing new is admitted, no rate is raised".to_owned(),
        AdmissionEvent::Unfrozen => "unfrozen".to_owned(),
    }
}

/// `topic 0:1, 0:2 and 5 more`.
fn listed(entries: &[ListEntry]) -> String {
    const SHOWN: usize = 6;
    let mut text = String::new();
    let mut topic = "";
    for entry in entries.iter().take(SHOWN) {
        if !text.is_empty() {
            text.push_str(", ");
        }
        if entry.topic != topic {
            text.push_str(&entry.topic);
            text.push(' ');
            topic = &entry.topic;
        }
        text.push_str(&entry.in_list());
    }
    match entries.len() {
        0 => "nothing".to_owned(),
        SHOWN.. if entries.len() > SHOWN => format!("{text} and {} more", entries.len() - SHOWN),
        _ => text,
    }
}
