//! Task and step state machines, pure: what a command decides, what an event changes, what is due next. Must not know how
//! targets were chosen, how fast data may move, Kafka's protocol, storage or the clock.

mod apply;
mod decide;
mod event;
mod gate;
mod next;
pub mod reason;
mod slots;
mod standing;
mod state;
mod step;
mod steps;
mod task;
#[cfg(test)]
mod test_world;
mod undo;

pub use apply::{IllegalEvent, apply, apply_in_place};
pub use decide::{Command, Rejection, decide};
pub use event::{Decision, Event, StepEvent, StepOutcome, TaskEvent};
pub use next::{Effect, Sight, next};
pub use slots::{Limits, Slots};
pub use state::{CancelMode, TaskState};
pub use step::{RecordedPartition, StepKind, StepPlan, TaskBody};
pub use steps::steps;
pub use task::{Activity, Intent, Phase, Step, StepState, Task, Totals, Waiting};
pub use undo::{rollback, undo_steps};
