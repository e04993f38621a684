//! What goes wrong with the database of one host: decided for each transaction, by the seed, the wave and how many came before it.
//!
//! Reads, writes and the questions of the one who drives are counted apart, because they run on threads of their own.

use super::random::Random;
use hesabu::store::{Access, Error, Fault, Faults, Moment};
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use tokio::sync::Notify;

/// The faults of one host. Clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Chaos(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    woken: Condvar,
    /// Told when the host falls asleep.
    slept: Notify,
    driver: ThreadId,
}

#[derive(Debug)]
struct State {
    reads: Random,
    writes: Random,
    asked: Random,
    rates: Rates,
    condition: Condition,
    /// What struck, by kind.
    struck: BTreeMap<&'static str, u64>,
}

/// How often things go wrong, in percent of transactions.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Rates {
    /// An error at some moment.
    pub(super) fault: u64,
    /// The database is away until the wave is over.
    pub(super) outage: u64,
    /// The host ends.
    pub(super) crash: u64,
    /// The host stands still before it writes, and does not know it.
    pub(super) sleep: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Condition {
    Well,
    /// Without its database until the wave is over.
    Away,
    /// In front of a write, until it is woken.
    Asleep,
    /// Nothing reaches its database any more.
    Dead,
}

impl Chaos {
    /// Nothing goes wrong before the first wave.
    pub(super) fn new() -> Chaos {
        let none = || Random::of(0, 0);
        let state = State {
            reads: none(),
            writes: none(),
            asked: none(),
            rates: Rates::default(),
            condition: Condition::Well,
            struck: BTreeMap::new(),
        };
        let driver = std::thread::current().id();
        Chaos(Arc::new(Inner { state: Mutex::new(state), woken: Condvar::new(), slept: Notify::new(), driver }))
    }

    /// For a database.
    pub(super) fn faults(&self) -> Faults {
        let chaos = self.clone();
        Faults::new(move |access| chaos.strike(access))
    }

    /// From here on, until the next wave.
    pub(super) fn begin_wave(&self, seed: u64, wave: u64, rates: Rates) {
        let mut state = self.state();
        let part = |which: u64| Random::of(seed, wave * 4 + which);
        (state.reads, state.writes, state.asked) = (part(1), part(2), part(3));
        state.rates = rates;
        if state.condition == Condition::Away {
            state.condition = Condition::Well;
        }
    }

    /// Nothing goes wrong any more, but for a host that has ended. One that sleeps goes on, and believes that no time has passed.
    pub(super) fn calm(&self) {
        self.begin_wave(0, 0, Rates::default());
        let mut state = self.state();
        if state.condition == Condition::Asleep {
            state.condition = Condition::Well;
            self.0.woken.notify_all();
        }
    }

    /// The host ends here.
    pub(super) fn kill(&self) {
        self.state().condition = Condition::Dead;
        self.0.woken.notify_all();
    }

    pub(super) fn is_dead(&self) -> bool {
        self.state().condition == Condition::Dead
    }

    pub(super) fn is_asleep(&self) -> bool {
        self.state().condition == Condition::Asleep
    }

    /// Waits until the host falls asleep.
    pub(super) async fn falls_asleep(&self) {
        while !self.is_asleep() {
            self.0.slept.notified().await;
        }
    }

    /// How often it struck, by kind.
    pub(super) fn struck(&self) -> BTreeMap<&'static str, u64> {
        self.state().struck.clone()
    }

    fn strike(&self, access: Access) -> Option<Fault> {
        let asked = std::thread::current().id() == self.0.driver;
        let mut state = self.state();
        if !asked && access == Access::Write && state.falls_asleep() {
            self.0.slept.notify_one();
            while state.condition == Condition::Asleep {
                state = self.0.woken.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
        state.strike(access, asked)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn falls_asleep(&mut self) -> bool {
        let sleeps = self.condition == Condition::Well && self.writes.percent(self.rates.sleep);
        if sleeps {
            self.condition = Condition::Asleep;
            self.count("sleep");
        }
        sleeps || self.condition == Condition::Asleep
    }

    fn strike(&mut self, access: Access, asked: bool) -> Option<Fault> {
        match self.condition {
            Condition::Dead => return Some(gone(Moment::Begin)),
            Condition::Away => return Some(away(Moment::Begin)),
            Condition::Well | Condition::Asleep => {}
        }
        // One that sleeps in front of a write may read beside it, and is not woken by what becomes of that.
        let rates = match self.condition {
            Condition::Asleep => Rates { fault: self.rates.fault, ..Rates::default() },
            _ => self.rates,
        };
        let random = match access {
            _ if asked => &mut self.asked,
            Access::Read => &mut self.reads,
            Access::Write => &mut self.writes,
        };
        // Always as many draws, so that one rate does not shift what another does.
        let (fault, outage, crash) =
            (random.percent(rates.fault), random.percent(rates.outage), random.percent(rates.crash));
        let (kind, statement) = (random.place(10), u32::try_from(random.place(7)).expect("below seven"));
        let after = random.percent(50);
        if asked {
            return fault.then(|| {
                self.count("a reader is refused");
                away(Moment::Begin)
            });
        }
        if crash {
            self.condition = Condition::Dead;
            let after = after && access == Access::Write;
            self.count(if after { "crash after a commit" } else { "crash" });
            return Some(gone(if after { Moment::Committed } else { Moment::Statement(statement) }));
        }
        if outage {
            self.condition = Condition::Away;
            let after = after && access == Access::Write;
            self.count(if after { "outage after a commit" } else { "outage" });
            return Some(away(if after { Moment::Committed } else { Moment::Begin }));
        }
        fault.then(|| self.fault(access, kind, statement))
    }

    fn fault(&mut self, access: Access, kind: usize, statement: u32) -> Fault {
        let at = match access {
            Access::Read => Moment::Begin,
            Access::Write => Moment::Statement(statement),
        };
        let (name, fault) = match (kind, access) {
            (0 | 1, _) => ("try again, at a statement", retry(at)),
            (2, _) => ("away, at a statement", away(at)),
            (3, _) => {
                ("a statement is refused", Fault { moment: at, error: Error::Statement("a fault of this test".into()) })
            }
            (4, _) | (_, Access::Read) => ("away, at the beginning", away(Moment::Begin)),
            (5, _) => ("try again, at the commit", retry(Moment::Commit)),
            (6, _) => ("away, before the commit", away(Moment::Commit)),
            _ => ("away, after the commit", away(Moment::Committed)),
        };
        self.count(name);
        fault
    }

    fn count(&mut self, kind: &'static str) {
        *self.struck.entry(kind).or_default() += 1;
    }
}

/// An error that is not tried again: whoever waited goes away unanswered, as with a process that ends.
fn gone(moment: Moment) -> Fault {
    Fault { moment, error: Error::Statement("this host has ended".into()) }
}

fn away(moment: Moment) -> Fault {
    Fault { moment, error: Error::Unavailable("a fault of this test".into()) }
}

fn retry(moment: Moment) -> Fault {
    Fault { moment, error: Error::Retry("a fault of this test".into()) }
}
