//! An account's past: does a question about it stay quick, however long it is?

use crate::database::Engine;
use crate::ledger::{Bed, Form};
use crate::plan::Plan;
use crate::progress;
use crate::report::{Row, Table, Target, grouped};
use crate::statistics::{Latency, Spread, nanos};
use crate::workload::{Payment, Random, account};
use anyhow::{bail, ensure};
use hesabu::accounts::{self, Listing, Period};
use hesabu::posting::Entry;
use ledger_core::{BATCH_MAX, Timestamp};
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
             middle and the oldest; the balance in the middle of the time; and a statement of the middle third of the time, with its first \
             page of {PAGE}.",
            lengths.join(", ")
        ),
    );
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let database = engine.fresh(runtime)?;
        let last = u64::try_from(plan.pasts.len())? + OTHERS;
        let bed = runtime.block_on(Bed::open(&database.url, last))?;
        let from = hesabu::system_clock();
        let written = runtime.block_on(write_pasts(&bed, &plan.pasts))?;
        let time = (from, hesabu::system_clock());
        for (number, &length) in (0..).zip(&plan.pasts) {
            ask(plan, runtime, engine, &bed, number, length, &mut table)?;
            look_back(plan, runtime, engine, &bed, (number, length), time, &mut table)?;
        }
        let proof = runtime.block_on(bed.prove())?;
        table.note(format!("{} with {} transfers: {proof}.", engine.name(), grouped(written)));
        runtime.block_on(bed.close());
        database.remove(runtime)?;
    }
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

/// Asks what one account had, and what moved on it, at a time long gone.
fn look_back(
    plan: &Plan,
    runtime: &Runtime,
    engine: Engine,
    bed: &Bed,
    (number, length): (u64, u64),
    (from, to): (Timestamp, Timestamp),
    table: &mut Table,
) -> anyhow::Result<()> {
    let third = (to.0 - from.0) / 3;
    let case = |what: &str| format!("{}, {} transfers, {what}", engine.name(), grouped(length));
    let balance = || async {
        let middle = Timestamp(from.0 + (to.0 - from.0) / 2);
        accounts::balance_at(&bed.posting, bed.ledger, account(number), middle).await?;
        anyhow::Ok(())
    };
    add(plan, runtime, case("a past balance"), table, balance)?;
    let statement = || async {
        let period = Period { from: Timestamp(from.0 + third), to: Timestamp(from.0 + 2 * third) };
        let told = accounts::statement(&bed.posting, bed.ledger, account(number), period, 0, PAGE).await?;
        let changes: i64 = told.movements.iter().map(|movement| movement.change.minor()).sum();
        let whole = told.movements.len() == usize::try_from(told.total)?;
        ensure!(!whole || told.opening.minor() + changes == told.closing.minor(), "a statement does not add up");
        anyhow::Ok(())
    };
    add(plan, runtime, case("a statement"), table, statement)
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
