//! The Analyzer's events. Must not know how plans are made or carried out.

use std::sync::Arc;

use ballast_events::PlanEvent;
use ballast_proto::event::v1 as proto;

use crate::catalog::EventType;
use crate::input::{input_from_proto, input_to_proto};
use crate::large::{self, StreamSets};
use crate::outcome::{outcome_from_proto, outcome_to_proto};
use crate::read::{self, Malformed, required};
use crate::topology::{brokers_from_proto, brokers_to_proto};
use crate::write::Encoded;

pub(crate) const TYPES: &[EventType] = &[EventType::of::<proto::PlanDrafted>("plan.drafted")];

pub(crate) fn encode(event: &PlanEvent) -> Encoded {
    let PlanEvent::PlanDrafted { plan, base_sequence, goal, brokers, seed, band_parts_per_million, snapshot, input, outcome } =
        event;
    let outcome = large::large(&outcome_to_proto(outcome));
    let input = input.as_ref().map(|input| large::large(&input_to_proto(input)));
    let message = proto::PlanDrafted {
        plan: plan.clone(),
        base_sequence: *base_sequence,
        goal: goal.clone(),
        brokers: brokers_to_proto(brokers),
        seed: *seed,
        band_parts_per_million: *band_parts_per_million,
        snapshot: Some(large::set_to_proto(snapshot)),
        outcome: Some(outcome.set.clone()),
        input: input.as_ref().map(|input| input.set.clone()),
    };
    let mut encoded = Encoded::closing("plan.drafted", outcome, &message);
    encoded.chunks.extend(input.into_iter().flat_map(|input| input.chunks));
    encoded
}

pub(crate) fn decode(event_type: &str, payload: &[u8], sets: &mut StreamSets<'_>) -> Result<PlanEvent, Malformed> {
    match event_type {
        "plan.drafted" => {
            let message: proto::PlanDrafted = read::message(payload)?;
            let outcome = outcome_from_proto(sets.close(message.outcome.as_ref())?)?;
            let input = match &message.input {
                Some(set) => Some(Arc::new(input_from_proto(sets.close(Some(set))?)?)),
                None => None,
            };
            Ok(PlanEvent::PlanDrafted {
                plan: message.plan,
                base_sequence: message.base_sequence,
                goal: message.goal,
                brokers: brokers_from_proto(message.brokers),
                seed: message.seed,
                band_parts_per_million: message.band_parts_per_million,
                snapshot: large::set_from_proto(&required(message.snapshot, "snapshot")?)?,
                input,
                outcome: Arc::new(outcome),
            })
        }
        other => Err(read::unlisted(other)),
    }
}
