//! The figures of the control law: shares, floors, ages, dead band. Must not know brokers or samples.

/// Why data moves decides how much of a broker the moving may use.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum GoalClass {
    /// For balance only: it can wait.
    Rebalance,
    /// An operator wants replicas elsewhere: drain, expand, demote, explicit lists, rollback.
    Relocate,
    /// Replicas are missing: evacuate.
    Repair,
}

impl GoalClass {
    /// The class of a task's goal as the contract spells goals.
    pub fn of_goal(goal: &str) -> Self {
        match goal {
            "evacuate" => Self::Repair,
            "rebalance" => Self::Rebalance,
            _ => Self::Relocate,
        }
    }
}

/// Figures of the law. The first group weighs most: they say how much of a broker the moving may use.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Law {
    /// Share of a broker's capacity, in percent, that users and moves together may use, by class.
    pub share_percent_rebalance: u64,
    pub share_percent_relocate: u64,
    pub share_percent_repair: u64,
    /// Stands in for a capacity that is not configured.
    pub capacity_bytes_per_second_when_unknown: u64,
    /// Where consumption is not measured: consumed bytes per 100 produced bytes.
    pub fan_out_percent: u64,

    /// Least copy rate of a broker that has something to copy, shared by its targets.
    pub broker_floor_bytes_per_second: u64,
    /// Least copy rate of one partition to one target: below it Kafka's fetch of one batch per window is all that happens.
    pub partition_floor_bytes_per_second: u64,
    /// A copy must be faster than what is produced meanwhile: its floor in percent of the produce rate.
    pub floor_percent_of_produce: u64,

    /// Where a first ramp starts.
    pub start_bytes_per_second: u64,
    /// A change below these, in percent of the present rate, is not worth a ramp.
    pub deadband_drop_percent: u64,
    pub deadband_rise_percent: u64,

    /// Up to this age a sample is believed; above it rates are held.
    pub sample_age_milliseconds_fresh: i64,
    /// Above this age rates go down to the floor and nothing is admitted.
    pub sample_age_milliseconds_max: i64,

    /// Partitions that may be copied from one broker, and to one broker, at a time.
    pub flows_per_broker_max: usize,
}

impl Default for Law {
    fn default() -> Self {
        Self {
            share_percent_rebalance: 75,
            share_percent_relocate: 80,
            share_percent_repair: 90,
            capacity_bytes_per_second_when_unknown: 125_000_000,
            fan_out_percent: 100,
            broker_floor_bytes_per_second: 1_000_000,
            partition_floor_bytes_per_second: 100_000,
            floor_percent_of_produce: 125,
            start_bytes_per_second: 300_000,
            deadband_drop_percent: 3,
            deadband_rise_percent: 8,
            sample_age_milliseconds_fresh: 15_000,
            sample_age_milliseconds_max: 120_000,
            flows_per_broker_max: 10,
        }
    }
}

impl Law {
    /// The law with another share for what operators ask for; balancing gets 5 percent points less, repairs 10 more (at most 95,
    /// and never less than what operators ask for).
    #[must_use]
    pub fn with_share_percent(self, share_percent: u64) -> Self {
        let share_percent_repair = (share_percent + 10).min(95).max(share_percent);
        let (share_percent_rebalance, share_percent_relocate) = (share_percent.saturating_sub(5).max(1), share_percent);
        Self { share_percent_rebalance, share_percent_relocate, share_percent_repair, ..self }
    }

    pub fn share_percent(&self, class: GoalClass) -> u64 {
        match class {
            GoalClass::Rebalance => self.share_percent_rebalance,
            GoalClass::Relocate => self.share_percent_relocate,
            GoalClass::Repair => self.share_percent_repair,
        }
    }

    /// Least rate at which a partition with this produce rate is copied to one target.
    pub fn partition_floor(&self, produce_bytes_per_second: u64) -> u64 {
        let ahead = produce_bytes_per_second.saturating_mul(self.floor_percent_of_produce) / 100;
        ahead.max(self.partition_floor_bytes_per_second)
    }

    /// Whether going from `present` to `wanted` is worth a ramp.
    pub fn is_worth_a_ramp(&self, present: u64, wanted: u64) -> bool {
        let (present, wanted) = (u128::from(present), u128::from(wanted));
        let drop = wanted * 100 < present * u128::from(100 - self.deadband_drop_percent.min(100));
        drop || wanted * 100 > present * u128::from(100 + self.deadband_rise_percent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_shares_are_those_of_80_percent() {
        assert_eq!(Law::default().with_share_percent(80), Law::default());
        let whole = Law::default().with_share_percent(100);
        assert_eq!((whole.share_percent_rebalance, whole.share_percent_repair), (95, 100));
    }

    #[test]
    fn only_a_rise_of_more_than_8_and_a_drop_of_more_than_3_percent_count() {
        let law = Law::default();
        let counts = [960, 970, 1_000, 1_080, 1_090].map(|wanted| law.is_worth_a_ramp(1_000, wanted));
        assert_eq!(counts, [true, false, false, false, true]);
        assert!(law.is_worth_a_ramp(0, 1) && !law.is_worth_a_ramp(0, 0));
    }
}
