//! The throttle, pure: how fast each broker may give and take migration traffic, and whether a step may start. Must not know
//! why a step exists, Kafka's protocol, storage or the clock.

mod adjust;
mod admit;
mod allocate;
mod event;
mod law;
mod ramp;
mod sample;

pub use adjust::{Decision, Rates, State, adjust, floor_of};
pub use admit::{Candidate, Verdict, admit};
pub use event::{AdmissionEvent, ListEntry, Rate, ThrottleEvent};
pub use law::{GoalClass, Law};
pub use ramp::ramp;
pub use sample::{BrokerUse, Flow, Sample, measure};
