//! An account's past: does a question about it stay quick, however long it is?

use crate::database::Engine;
use crate::ledger::{Bed, Form};
use crate::plan::Plan;
use crate::progress;
use crate::report::{Row, Table, Target, grouped};
use crate::statistics::{Latency, Spread, nanos};
use crate::workload::{Payment, Random, account};
use anyhow::{bail, ensure};
use hesabu::accounts::{self, Listing};
use hesabu::posting::Entry;
use ledger_core::BATCH_MAX;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// What a page shows: the most that the mutual-credit document allows.
const PAGE: i64 = 20;

/// What the median of a question may take, in microseconds.
const MICROS_MAX: u64 = 2_000;

/// Everybody else, whom the accounts with a past trade with.
const OTHERS: u64 = 10_000;

/// Asks both engines.
pub(crate) fn run(plan: &Plan, runtime: &Runtime) -> anyhow::Result<Table> {
    let lengths: Vec<String> = plan.pasts.iter().map(|length| grouped(*length)).collect();
    let mut table = Table::new(
        "history",
        &format!(
            "Questions about the past of accounts with {} transfers in one ledger: a page of {PAGE} of all transfers, from the newest, the \
             middle and the oldest.",
            lengths.join(", ")
        ),
    );
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let database = engine.fresh(runtime)?;
        let last = u64::try_from(plan.pasts.len())? + OTHERS;
        let bed = runtime.block_on(Bed::open(&database.url, last))?;
        let written = runtime.block_on(write_pasts(&bed, &plan.pasts))?;
        for (number, &length) in (0..).zip(&plan.pasts) {
            ask(plan, runtime, engine, &bed, number, length, &mut table)?;
        }
        let proof = runtime.block_on(bed.prove())?;
        table.note(format!("{} with {} transfers: {proof}.", engine.name(), grouped(written)));
        runtime.block_on(bed.close());
        database.remove(runtime)?;
    }
    table.note("Not measured: a statement for a month, and a balance at a past instant. Nothing answers them yet.");
    Ok(table)
}

/// Gives the first accounts their pasts: those of each are spread evenly over the whole time. Tells how many transfers it took.
async fn write_pasts(bed: &Bed, pasts: &[u64]) -> anyhow::Result<u64> {
    let longest = pasts.iter().copied().max().unwrap_or_default();
    let first_other = u64::try_from(pasts.len())?;
    let mut random = Random::seeded(1);
    let mut written = 0;
    let mut batch: Vec<Entry> = Vec::with_capacity(BATCH_MAX);
    for turn in 0..longest {
        for (number, past) in (0..).zip(pasts) {
            // Its share of all turns: the whole part of turn × past ÷ longest goes up in this one.
            let share = |turn: u64| u128::from(turn) * u128::from(*past) / u128::from(longest);
            if share(turn) == share(turn + 1) {
                continue;
            }
            let other = account(first_other + random.below(OTHERS));
            let (payer, payee) = if turn % 2 == 0 { (account(number), other) } else { (other, account(number)) };
            batch.push(Form::Unkeyed.entry(&Payment { id: bed.ids.take(1), payer, payee, amount: 1 }));
            written += 1;
            if batch.len() == BATCH_MAX {
                bed.submit(std::mem::take(&mut batch)).await?;
                progress::say(&format!("history: {} transfers of the longest past", grouped(turn)));
            }
        }
    }
    bed.submit(batch).await?;
    Ok(written)
}

/// Asks about one account.
fn ask(
    plan: &Plan,
    runtime: &Runtime,
    engine: Engine,
    bed: &Bed,
    number: u64,
    length: u64,
    table: &mut Table,
) -> anyhow::Result<()> {
    let past = i64::try_from(length)?;
    for (place, offset) in [("newest", 0), ("middle", past / 2), ("oldest", (past - PAGE).max(0))] {
        let case = format!("{}, {} transfers, {place} page", engine.name(), grouped(length));
        let page = || async {
            let (page, total) =
                accounts::page(&bed.posting, bed.ledger, account(number), Listing::All, offset, PAGE).await?;
            let expected = usize::try_from(PAGE.min(past - offset))?;
            ensure!(page.len() == expected && total == past, "a page has {} of {total} transfers", page.len());
            anyhow::Ok(())
        };
        add(plan, runtime, case, table, page)?;
    }
    Ok(())
}

/// Asks a question again and again.
fn add<F: Future<Output = anyhow::Result<()>>>(
    plan: &Plan,
    runtime: &Runtime,
    case: String,
    table: &mut Table,
    question: impl Fn() -> F,
) -> anyhow::Result<()> {
    progress::say(&format!("history: {case}"));
    let (mut medians, mut all) = (vec![], vec![]);
    for _ in 0..plan.rounds {
        let begun = Instant::now();
        let mut took: Vec<Duration> = vec![];
        while took.len() < 3 || (begun.elapsed() < plan.limit.time / 5 && took.len() < 1_000) {
            let asked = Instant::now();
            runtime.block_on(question())?;
            took.push(asked.elapsed());
        }
        medians.extend(Spread::of(took.iter().map(|took| nanos(*took) / 1_000)).map(|spread| spread.median));
        all.extend(took);
    }
    let Some(spread) = Spread::of(medians) else { bail!("nothing was asked") };
    let row = Row { latency: Latency::of(all), ..Row::plain(case, "µs", spread) };
    table.add(row.target(Target::Below(MICROS_MAX)));
    Ok(())
}
