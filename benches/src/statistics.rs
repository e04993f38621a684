//! What is said of many measurements: spreads, percentiles, rates and ratios. All in integers, and nothing is printed here.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The smallest, the middle and the largest of some values. Of an even number, the middle is the lower of the two.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub(crate) struct Spread {
    pub(crate) min: u64,
    pub(crate) median: u64,
    pub(crate) max: u64,
}

impl Spread {
    /// Nothing of nothing.
    pub(crate) fn of(values: impl IntoIterator<Item = u64>) -> Option<Spread> {
        let mut values: Vec<u64> = values.into_iter().collect();
        values.sort_unstable();
        let (min, max) = (*values.first()?, *values.last()?);
        Some(Spread { min, median: values[(values.len() - 1) / 2], max })
    }
}

/// How long single things took.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub(crate) struct Latency {
    /// Half took no longer, in nanoseconds.
    pub(crate) p50: u64,
    /// 99 of 100 took no longer.
    pub(crate) p99: u64,
}

impl Latency {
    /// Nothing of nothing.
    pub(crate) fn of(mut durations: Vec<Duration>) -> Option<Latency> {
        durations.sort_unstable();
        Some(Latency { p50: nanos(percentile(&durations, 50)?), p99: nanos(percentile(&durations, 99)?) })
    }
}

/// The smallest of the sorted values that so many of a hundred do not exceed.
fn percentile(sorted: &[Duration], of_hundred: usize) -> Option<Duration> {
    let rank = (sorted.len() * of_hundred).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

/// So many in this time, as a number for each second.
pub(crate) fn per_second(count: u64, elapsed: Duration) -> u64 {
    let scaled = u128::from(count) * 1_000_000_000 / elapsed.as_nanos().max(1);
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

/// `part` as thousandths of `whole`, rounded to the nearest.
pub(crate) fn permille(part: u64, whole: u64) -> u64 {
    let whole = u128::from(whole.max(1));
    u64::try_from((u128::from(part) * 1_000 + whole / 2) / whole).unwrap_or(u64::MAX)
}

/// A duration in nanoseconds; 584 years and more are all the same.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_and_percentiles_are_values_that_were_measured() {
        assert_eq!(Spread::of([]), None);
        assert_eq!(Spread::of([3, 1, 2]), Some(Spread { min: 1, median: 2, max: 3 }));
        assert_eq!(Spread::of([4, 1, 3, 2]).map(|spread| spread.median), Some(2));
        let sorted: Vec<Duration> = (1..=200).map(Duration::from_nanos).collect();
        assert_eq!(Latency::of(sorted), Some(Latency { p50: 100, p99: 198 }));
        assert_eq!(Latency::of(vec![Duration::from_nanos(7)]), Some(Latency { p50: 7, p99: 7 }));
    }

    #[test]
    fn rates_and_ratios_are_rounded_and_never_divide_by_zero() {
        assert_eq!(per_second(500, Duration::from_millis(250)), 2_000);
        assert_eq!(per_second(1, Duration::ZERO), 1_000_000_000);
        assert_eq!(permille(2, 3), 667);
        assert_eq!(permille(5, 0), 5_000);
    }
}
