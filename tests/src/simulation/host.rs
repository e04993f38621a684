//! One host of a simulation: real posting, over a database that fails, with a clock that the simulation sets.

use super::chaos::Chaos;
use super::gate::Gate;
use super::random::Random;
use hesabu::engine::Engine;
use hesabu::posting::{Clock, Pace, Posting};
use hesabu::store::Db;
use ledger_core::{LedgerId, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// A process, as far as its database and its callers can tell.
pub(super) struct Host {
    /// Its number, among all that there were.
    pub(super) number: u64,
    /// The database without faults, to look at what it has.
    pub(super) db: Db,
    pub(super) posting: Posting,
    pub(super) chaos: Chaos,
    gate: Arc<Gate>,
    ledger: LedgerId,
}

/// The time of all hosts.
#[derive(Clone, Debug, Default)]
pub(super) struct Time(Arc<AtomicI64>);

impl Time {
    pub(super) fn set(&self, now: Timestamp) {
        self.0.store(now.0, Ordering::Relaxed);
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
}

/// What takes a server millions of transfers takes a simulation a few.
pub(super) fn pace(random: &mut Random) -> Pace {
    let batch_max = random.one(&[1, 3, 8, 8_190]);
    let sweep = random.one(&[1, 8, 40]);
    Pace {
        batch_max,
        ahead_min: random.one(&[1, 4, 512]),
        crowd_min: 2,
        linger: Duration::from_micros(100),
        // Pauses of 2, 4, 8, 16 and 32 ms: five tries, also when a machine that is busy adds some milliseconds to them.
        try_for: Duration::from_millis(45),
        idle: if random.percent(50) { Duration::from_millis(1) } else { Duration::from_secs(3_600) },
        idle_rows: random.one(&[1, 3, 4_096]),
        sweep_alone: sweep,
        sweep_among_others: sweep,
        accounts_max: random.one(&[0, 4, 1_000]),
    }
}

impl Host {
    pub(super) fn start(number: u64, db: Db, engine: &Engine, ledger: LedgerId, time: &Time, pace: Pace) -> Host {
        let (chaos, gate) = (Chaos::new(), Arc::new(Gate::default()));
        let clock: Clock = {
            let (time, gate) = (time.clone(), Arc::clone(&gate));
            Arc::new(move || {
                gate.pass();
                time.now()
            })
        };
        let posting = Posting::paced(db.clone().with_faults(chaos.faults()), engine.clone(), clock, pace);
        Host { number, db, posting, chaos, gate, ledger }
    }

    /// Runs `send` while the lane stands still, so that it finds everything that was sent at once. When the lane does not come to
    /// stand there, because the database is away or the host sleeps, `send` runs all the same.
    pub(super) async fn at_once(&self, send: impl AsyncFnOnce()) {
        self.gate.shut();
        let posting = self.posting.clone();
        let ledger = self.ledger;
        // Nothing is to be decided, so nothing is written.
        let mut empty = tokio::spawn(async move { posting.submit_batch(ledger, vec![]).await });
        tokio::select! {
            () = self.gate.is_reached() => {}
            () = self.chaos.falls_asleep() => {}
            _ = &mut empty => {}
        }
        send().await;
        self.gate.open();
    }
}
