//! How much was done, and what went wrong on the way.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::ops::AddAssign;

/// Counts of one seed or many.
#[derive(Clone, Default, Debug)]
pub struct Tally {
    /// Seeds that went through.
    pub seeds: u64,
    /// Waves of requests.
    pub waves: u64,
    /// Requests that were sent, each time anew.
    pub sent: u64,
    /// Requests that were answered.
    pub answered: u64,
    /// Commands of theirs that were refused.
    pub refused: u64,
    /// Commands of theirs that came before.
    pub repeated: u64,
    /// Records in the journals.
    pub records: u64,
    /// Times that somebody read an account while others posted.
    pub reads: u64,
    /// Hosts that ended without warning.
    pub crashes: u64,
    /// Hosts that slept while others posted.
    pub sleeps: u64,
    /// Hosts that were stopped and started again.
    pub restarts: u64,
    /// Times that the clock was set back.
    pub set_back: u64,
    /// Faults, by kind.
    pub faults: BTreeMap<&'static str, u64>,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.seeds += other.seeds;
        self.waves += other.waves;
        self.sent += other.sent;
        self.answered += other.answered;
        self.refused += other.refused;
        self.repeated += other.repeated;
        self.records += other.records;
        self.reads += other.reads;
        self.crashes += other.crashes;
        self.sleeps += other.sleeps;
        self.restarts += other.restarts;
        self.set_back += other.set_back;
        for (kind, count) in other.faults {
            *self.faults.entry(kind).or_default() += count;
        }
    }
}

impl Display for Tally {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Tally { seeds, waves, sent, answered, refused, repeated, records, reads, .. } = self;
        let Tally { crashes, sleeps, restarts, set_back, faults, .. } = self;
        writeln!(f, "{seeds} seeds, {waves} waves, {sent} requests sent and {answered} answered, {records} records")?;
        writeln!(f, "{refused} commands refused, {repeated} repeated, {reads} reads beside them")?;
        writeln!(
            f,
            "{crashes} hosts ended, {sleeps} slept, {restarts} were stopped; {set_back} times the clock was set back"
        )?;
        let total: u64 = faults.values().sum();
        writeln!(f, "{total} faults:")?;
        faults.iter().try_for_each(|(kind, count)| writeln!(f, "  {count:>8} {kind}"))
    }
}
