//! Posting while everything fails, from seeds: some hundreds of them here, as many as are asked for by `scripts/simulate.sh`.
//!
//! `SEEDS` is how many, `SEED` the first; each seed is a simulation of its own. What one holds is in `tests/src/simulation`.

use hesabu_tests::database::Engine;
use hesabu_tests::simulation::{Stage, Tally, simulate};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// More than a small machine has processors: hosts without their database do nothing but wait.
const THREADS: usize = 4;

/// Many times what a seed takes on a machine that is busy: whoever is not done by then waits for something that never comes.
const PATIENCE: Duration = Duration::from_secs(300);

#[test]
fn posting_keeps_its_promises_while_everything_fails_on_sqlite() {
    let tally = simulate_all(Engine::Sqlite, number("SEED").unwrap_or(1), number("SEEDS").unwrap_or(200));
    if tally.seeds >= 100 {
        // Otherwise the seeds were too tame to prove much.
        assert!(tally.crashes > 0 && tally.sleeps > 0 && tally.restarts > 0 && tally.set_back > 0);
        assert_eq!(tally.faults.len(), FAULTS, "not every kind of fault struck");
        assert!(tally.answered > 0 && tally.sent > tally.answered && tally.repeated > 0);
    }
}

#[test]
fn posting_keeps_its_promises_while_everything_fails_on_postgres() {
    simulate_all(Engine::Postgres, number("SEED").unwrap_or(1), number("SEEDS").unwrap_or(8));
}

/// How many kinds of faults there are.
const FAULTS: usize = 13;

/// Runs these seeds on some threads, and tells what they did.
fn simulate_all(engine: Engine, first: u64, count: u64) -> Tally {
    let (next, all, started) = (AtomicU64::new(first), Mutex::new(Tally::default()), Instant::now());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                let stage = runtime.block_on(Stage::on(engine));
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        return;
                    }
                    let failing = Failing(seed);
                    let simulated = async { tokio::time::timeout(PATIENCE, simulate(&stage, seed)).await };
                    let tally = runtime.block_on(simulated).expect("a simulation stands still");
                    std::mem::forget(failing);
                    let mut all = all.lock().unwrap();
                    *all += tally;
                    if all.seeds % 1_000 == 0 {
                        println!("{} seeds after {:?}", all.seeds, started.elapsed());
                    }
                }
            });
        }
    });
    let tally = all.into_inner().unwrap();
    println!("{tally}in {:?}", started.elapsed());
    tally
}

/// Says the seed of a simulation that panics.
struct Failing(u64);

impl Drop for Failing {
    fn drop(&mut self) {
        println!("Find it again with SEED={} SEEDS=1.", self.0);
    }
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} must be a whole number, not {text:?}")))
}
