//! Rounds of the measured thing and of its baselines, in turns, so that whatever else the machine does meets both.

use crate::progress;
use crate::statistics::{Latency, Spread, per_second, permille};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How far a round goes: until one of these is reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) time: Duration,
    /// Keeps databases small.
    pub(crate) count: u64,
}

/// A round that has begun. Shared by everybody who works in it.
#[derive(Debug)]
pub(crate) struct Round {
    limit: Limit,
    started: Instant,
    taken: AtomicU64,
}

impl Round {
    pub(crate) fn begin(limit: Limit) -> Round {
        Round { limit, started: Instant::now(), taken: AtomicU64::new(0) }
    }

    /// Whether there is room and time for `count` more; if so, they are taken. The first are always granted.
    pub(crate) fn take(&self, count: usize) -> bool {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        let before = self.taken.fetch_add(count, Ordering::Relaxed);
        before == 0 || (before + count <= self.limit.count && self.started.elapsed() < self.limit.time)
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

/// What one round came to.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// Transfers, or whatever else is counted, that were answered.
    pub(crate) count: u64,
    /// From the first request to the last answer.
    pub(crate) elapsed: Duration,
    /// Of each batch, or request.
    pub(crate) latencies: Vec<Duration>,
    /// High water of the resident memory of the process that was measured, in bytes.
    pub(crate) memory: Option<u64>,
}

/// One of those that take turns.
pub(crate) trait Side {
    /// Works until the limit is reached. Whatever is answered otherwise than by success is an error.
    fn round(&mut self, limit: Limit) -> anyhow::Result<Sample>;
}

/// The rounds of one side.
#[derive(Clone, Default, Debug)]
pub(crate) struct Rounds(pub(crate) Vec<Sample>);

impl Rounds {
    fn rates(&self) -> impl Iterator<Item = u64> {
        self.0.iter().map(|sample| per_second(sample.count, sample.elapsed))
    }

    /// Counted per second.
    pub(crate) fn rate(&self) -> Option<Spread> {
        Spread::of(self.rates())
    }

    /// The middle of the rounds' ratios, in thousandths: each round against the one of the baseline beside it.
    pub(crate) fn ratio_to(&self, baseline: &Rounds) -> Option<u64> {
        let pairs = self.rates().zip(baseline.rates());
        Spread::of(pairs.map(|(measured, baseline)| permille(measured, baseline))).map(|ratios| ratios.median)
    }

    /// Over all rounds.
    pub(crate) fn latency(&self) -> Option<Latency> {
        Latency::of(self.0.iter().flat_map(|sample| sample.latencies.iter().copied()).collect())
    }

    /// The highest of all rounds.
    pub(crate) fn memory(&self) -> Option<u64> {
        self.0.iter().filter_map(|sample| sample.memory).max()
    }
}

/// A short round of each side that is thrown away, then `rounds` of each, in turns. The rounds come in the order of the sides.
pub(crate) fn in_turns(
    what: &str,
    sides: &mut [&mut dyn Side],
    rounds: usize,
    limit: Limit,
) -> anyhow::Result<Vec<Rounds>> {
    let warm_up = Limit { time: limit.time / 4, count: limit.count / 4 };
    progress::say(&format!("{what}: warming up"));
    for side in &mut *sides {
        side.round(warm_up)?;
    }
    let mut all = vec![Rounds::default(); sides.len()];
    for round in 1..=rounds {
        progress::say(&format!("{what}: round {round} of {rounds}"));
        for (side, samples) in sides.iter_mut().zip(&mut all) {
            samples.0.push(side.round(limit)?);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds(counts: &[u64]) -> Rounds {
        let elapsed = Duration::from_secs(1);
        Rounds(counts.iter().map(|&count| Sample { count, elapsed, latencies: vec![], memory: None }).collect())
    }

    #[test]
    fn a_ratio_compares_rounds_that_stood_beside_each_other() {
        // The machine became ten times slower in the third round, for both.
        let (measured, baseline) = (rounds(&[80, 90, 8]), rounds(&[100, 100, 10]));
        assert_eq!(measured.ratio_to(&baseline), Some(800));
        assert_eq!(measured.rate().map(|rate| (rate.min, rate.median, rate.max)), Some((8, 80, 90)));
        assert_eq!(measured.latency(), None);
    }

    #[test]
    fn a_round_grants_the_first_and_ends_at_its_count() {
        let round = Round::begin(Limit { time: Duration::from_secs(60), count: 10 });
        assert!(round.take(6) && round.take(4) && !round.take(1));
        assert!(Round::begin(Limit { time: Duration::ZERO, count: 0 }).take(1));
    }
}
