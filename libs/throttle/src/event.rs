//! Everything Flow Control records. Must not know how it is stored.

use ballast_cluster::{BrokerId, StepKey, Timestamp};

/// Bytes per second of one broker's leader-side limit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Rate {
    pub bytes_per_second: u64,
}

impl Rate {
    pub const fn new(bytes_per_second: u64) -> Self {
        Self { bytes_per_second }
    }
}

/// `partition:broker` in a topic's `leader.replication.throttled.replicas`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ListEntry {
    pub topic: String,
    pub partition: u32,
    pub broker: BrokerId,
}

impl ListEntry {
    /// The entry as it stands in the topic's list.
    pub fn in_list(&self) -> String {
        format!("{}:{}", self.partition, self.broker)
    }
}

/// Events of `throttle/<c>`. What is intended is recorded before the brokers are told, what they then show after.
#[derive(Clone, PartialEq, Debug)]
pub enum ThrottleEvent {
    /// A rate of ours is about to be changed: a linear ramp from `from` to `to` over `ramp_seconds`, of which the single writes
    /// are not events. Only ever written where the broker had no limit or one of ours, so that releasing it means deleting it.
    RateIntended {
        broker: BrokerId,
        from: Rate,
        to: Rate,
        ramp_seconds: u32,
        reason: String,
    },
    /// The broker shows the rate at the end of the ramp.
    RateConfirmed {
        broker: BrokerId,
        rate: Rate,
    },
    /// Entries of ours are about to be added for this step: those that nobody else had put there before.
    ListIntended {
        step: StepKey,
        entries: Vec<ListEntry>,
    },
    /// The topics show them.
    ListConfirmed {
        step: StepKey,
    },
    /// The step is over: these entries, which no other step needs, are about to be taken out.
    ListReleaseIntended {
        step: StepKey,
        entries: Vec<ListEntry>,
    },
    ListReleased {
        step: StepKey,
    },
    /// No step needs this broker's rate any more: it is about to be deleted.
    RateReleaseIntended {
        broker: BrokerId,
    },
    RateReleased {
        broker: BrokerId,
    },
    /// The broker is dead and cannot be told now: its rate is to be deleted when it returns or the controller endpoint takes it.
    DebtRecorded {
        broker: BrokerId,
    },
    DebtPaid {
        broker: BrokerId,
    },
    /// A limit that is not ours: used, never overwritten.
    ForeignThrottleSeen {
        broker: BrokerId,
        value: String,
    },
    ForeignThrottleGone {
        broker: BrokerId,
    },
    /// `throttle set --max` (`Some`) or `--auto` (`None`).
    LimitSet {
        rate_max: Option<Rate>,
    },
    /// An operator asked for a sweep: what was left of ours without a step, and had to be taken out.
    Swept {
        entries: Vec<ListEntry>,
        brokers: Vec<BrokerId>,
    },
}

/// Events of `admission/<c>`: kept apart so that a step's intent can depend on exactly these.
#[derive(Clone, PartialEq, Debug)]
pub enum AdmissionEvent {
    /// Flow Control started: grants that were not used are void, and this event's sequence is the new epoch.
    Opened,
    Admitted {
        step: StepKey,
        expires_at: Timestamp,
    },
    /// Not now, and why; recorded when the reason changes.
    Withheld {
        step: StepKey,
        reason_code: String,
        detail: String,
    },
    /// A grant that ran out or whose step is over.
    Withdrawn {
        step: StepKey,
    },
    /// Nothing new is admitted, no rate is raised; moves in flight go on.
    Frozen,
    Unfrozen,
}
