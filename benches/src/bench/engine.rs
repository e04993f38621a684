//! The decision itself: what does crossing into the component cost beside the native core, and what share of a durable batch is it?

use crate::contest::{Limit, Round, Rounds, Sample, Side, in_turns};
use crate::ledger::{Bed, Form, load_engine};
use crate::plan::Plan;
use crate::posting_side::PostingSide;
use crate::report::{Baseline, Row, Table, Target, grouped};
use crate::scratch::Fresh;
use crate::statistics::{Spread, nanos};
use crate::workload::{Batch, Ids, Payments};
use anyhow::{bail, ensure};
use hesabu::engine::{self, Engine};
use ledger_core::{Account, Book, Item, Outcome, Timestamp, post};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// The component may take this share of a durable batch, in thousandths.
const SHARE_MAX: u64 = 100;

/// Measures every size over few and many accounts.
pub(crate) fn run(plan: &Plan, runtime: &Runtime) -> anyhow::Result<Table> {
    let mut table = Table::new(
        "engine",
        "One batch of payments decided natively (`ledger_core::post`) and by the component (`Engine::post_here`: bytes in, a fresh instance, \
         the call, bytes out, the checks), against the accounts that the batch touches; and the component's time as a share of a durable \
         batch on SQLite. What must be reached is a tenth of a batch with its keys, as everywhere here; beside it, of one without.",
    );
    let engine = load_engine()?;
    for accounts in [plan.few, plan.many] {
        let folder = Fresh::new("engine")?;
        let bed = runtime.block_on(Bed::open(&folder.sqlite(), accounts))?;
        for &size in &plan.sizes {
            measure(plan, runtime, &engine, &bed, size, &mut table)?;
        }
        let proof = runtime.block_on(bed.prove())?;
        table.note(format!("Durable batches over {} accounts: {proof}.", grouped(accounts)));
        runtime.block_on(bed.close());
    }
    Ok(table)
}

fn measure(
    plan: &Plan,
    runtime: &Runtime,
    engine: &Engine,
    bed: &Bed,
    size: usize,
    table: &mut Table,
) -> anyhow::Result<()> {
    let payments = || Payments::new(1, bed.accounts, Ids::from_now());
    let mut native = Native { payments: payments(), size };
    let mut component = Component { payments: payments(), size, engine: engine.clone() };
    let durable = |form| PostingSide::new(runtime.handle(), std::slice::from_ref(bed), size, form);
    let (mut keyed, mut unkeyed) = (durable(Form::Keyed), durable(Form::Unkeyed));
    let (size, accounts) = (grouped(u64::try_from(size)?), grouped(bed.accounts));
    let case = format!("{size} of {accounts} accounts");
    let what = format!("engine: {case}");
    let limit = Limit { time: plan.limit.time / 2, ..plan.limit };
    let mut sides: [&mut dyn Side; 4] = [&mut native, &mut component, &mut keyed, &mut unkeyed];
    let rounds = in_turns(&what, &mut sides, plan.rounds, limit)?;
    let [native, component, keyed, unkeyed] = &*rounds else { bail!("there are {} sides", rounds.len()) };
    let row = |case: String, name: &str, base: &Rounds| {
        let each = Row::plain(case, "ns each", each(component)?);
        let baseline = each_of(name, base);
        // A share of time is the inverse share of speed.
        Some(Row { baseline, ratio: base.ratio_to(component), latency: component.latency(), ..each })
    };
    table.add(row(format!("{case}, component"), "native", native));
    let share = row(format!("{case}, share of a durable batch, a key each"), "durable", keyed);
    table.add(share.map(|row| row.target(Target::RatioAtMost(SHARE_MAX))));
    table.add(row(format!("{case}, share of a durable batch, no keys"), "durable", unkeyed));
    Ok(())
}

/// Nanoseconds for each payment.
fn each(rounds: &Rounds) -> Option<Spread> {
    Spread::of(rounds.0.iter().map(|sample| nanos(sample.elapsed) / sample.count.max(1)))
}

fn each_of(name: &str, rounds: &Rounds) -> Option<Baseline> {
    each(rounds).map(|spread| Baseline { name: name.into(), spread })
}

/// The core as a library.
struct Native {
    payments: Payments,
    size: usize,
}

/// The core as the server calls it.
struct Component {
    payments: Payments,
    size: usize,
    engine: Engine,
}

impl Side for Native {
    fn round(&mut self, limit: Limit) -> anyhow::Result<Sample> {
        timed(limit, &mut self.payments, self.size, |accounts, items| {
            let begun = Instant::now();
            let mut book = Book::load(&accounts, &[], &[]).map_err(|error| anyhow::anyhow!("no book: {error:?}"))?;
            let outcomes = post(&mut book, &items, Timestamp(1));
            Ok((begun.elapsed(), outcomes))
        })
    }
}

impl Side for Component {
    fn round(&mut self, limit: Limit) -> anyhow::Result<Sample> {
        let engine = &self.engine;
        timed(limit, &mut self.payments, self.size, |accounts, items| {
            let book = engine::Book { accounts, ..engine::Book::default() };
            let begun = Instant::now();
            let posted = engine.post_here(&book, &items, Timestamp(1))?;
            Ok((begun.elapsed(), posted.outcomes))
        })
    }
}

/// Decides one batch after the other, each against fresh accounts; only the deciding is timed.
fn timed(
    limit: Limit,
    payments: &mut Payments,
    size: usize,
    mut decide: impl FnMut(Vec<Account>, Vec<Item>) -> anyhow::Result<(Duration, Vec<Outcome>)>,
) -> anyhow::Result<Sample> {
    let round = Round::begin(limit);
    let mut latencies = Vec::new();
    while round.take(size) {
        let Batch { accounts, items } = Batch::from(payments, size);
        let (took, outcomes) = decide(accounts, items)?;
        ensure!(outcomes.len() == size && outcomes.iter().all(Result::is_ok), "a payment was refused");
        latencies.push(took);
    }
    let count = u64::try_from(latencies.len() * size)?;
    Ok(Sample { count, elapsed: latencies.iter().sum(), latencies, memory: None })
}
