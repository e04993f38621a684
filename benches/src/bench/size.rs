//! Does a ledger get slower as there is more in it? Batches over many accounts, over accounts with windows, and after many transfers,
//! against a small, plain and empty ledger in the same run.

use crate::contest::{Limit, Rounds, Side, in_turns};
use crate::database::{Database, Engine, grown};
use crate::ledger::{Bed, FORMS, Form};
use crate::plan::Plan;
use crate::posting_side::PostingSide;
use crate::report::{Row, Table, Target, grouped};
use tokio::runtime::Runtime;

/// A round is shorter here: what is stored shall stay near to what the case says.
const ROUND_MAX: u64 = 100_000;

/// A ledger of a size.
struct Sized {
    words: String,
    database: Database,
    bed: Bed,
}

impl Sized {
    fn of(runtime: &Runtime, words: String, database: Database, accounts: u64) -> anyhow::Result<Sized> {
        let bed = runtime.block_on(Bed::open(&database.url, accounts))?;
        Ok(Sized { words, database, bed })
    }
}

/// Many accounts on SQLite.
pub(crate) fn accounts(plan: &Plan, runtime: &Runtime) -> anyhow::Result<Table> {
    let (few, many) = (grouped(plan.few), grouped(plan.many));
    let mut table = Table::new(
        "sqlite-million",
        &format!(
            "Durable batches through posting on SQLite over {many} accounts, against the same over {few} accounts."
        ),
    );
    let fresh = |count: u64| {
        let database = Engine::Sqlite.fresh(runtime)?;
        Sized::of(runtime, format!("{} accounts", grouped(count)), database, count)
    };
    let ledgers = [fresh(plan.few)?, fresh(plan.many)?];
    compare(plan, runtime, &ledgers, Some(Target::RatioAtLeast(600)), &mut table)?;
    end(runtime, ledgers, &mut table)?;
    Ok(table)
}

/// Accounts with window limits on SQLite. Nothing must be reached; it is to be seen what they cost.
pub(crate) fn windows(plan: &Plan, runtime: &Runtime) -> anyhow::Result<Table> {
    let mut table = Table::new(
        "windows",
        "Durable batches through posting on SQLite where every account may pay and be paid so much a day and a month (four windows each), \
         against accounts without.",
    );
    let fresh = |words: &str| Sized::of(runtime, words.into(), Engine::Sqlite.fresh(runtime)?, plan.few);
    let ledgers = [fresh("no windows")?, fresh("windows")?];
    runtime.block_on(ledgers[1].bed.limit_accounts())?;
    compare(plan, runtime, &ledgers, None, &mut table)?;
    end(runtime, ledgers, &mut table)?;
    Ok(table)
}

/// Many transfers stored.
pub(crate) fn stored(engine: Engine, plan: &Plan, runtime: &Runtime) -> anyhow::Result<Table> {
    let bench = match engine {
        Engine::Sqlite => "stored",
        Engine::Postgres => "stored-postgres",
    };
    let mut table = Table::new(
        bench,
        &format!(
            "Durable batches through posting on {} over {} accounts with many transfers already stored, against an empty ledger.",
            engine.name(),
            grouped(plan.few)
        ),
    );
    let mut ledgers = vec![empty(engine, plan, runtime)?];
    for &transfers in &plan.stored {
        let database = engine.filled(runtime, plan.few, transfers)?;
        ledgers.push(Sized::of(runtime, format!("{} stored", grouped(transfers)), database, plan.few)?);
    }
    compare(plan, runtime, &ledgers, Some(Target::RatioAtLeast(800)), &mut table)?;
    end(runtime, ledgers, &mut table)?;
    Ok(table)
}

/// As many as there is room for, on SQLite. The last bench: it takes the largest of the filled databases, which the ones before copy.
pub(crate) fn most_stored(plan: &Plan, runtime: &Runtime) -> anyhow::Result<Table> {
    let question = "The same with as many stored as there is room for, on SQLite.";
    let mut table = Table::new("stored-most", question);
    let from = plan.stored.iter().copied().max().unwrap_or_default();
    let database = grown(runtime, plan.few, from, plan.most_stored)?;
    let large = Sized::of(runtime, format!("{} stored", grouped(plan.most_stored)), database, plan.few)?;
    let ledgers = [empty(Engine::Sqlite, plan, runtime)?, large];
    compare(plan, runtime, &ledgers, Some(Target::RatioAtLeast(800)), &mut table)?;
    end(runtime, ledgers, &mut table)?;
    Ok(table)
}

/// With its accounts opened by a process that has ended: like the others it begins with nothing in memory.
fn empty(engine: Engine, plan: &Plan, runtime: &Runtime) -> anyhow::Result<Sized> {
    let database = engine.fresh(runtime)?;
    let opened = runtime.block_on(Bed::open(&database.url, plan.few))?;
    runtime.block_on(opened.close());
    Sized::of(runtime, "nothing stored".into(), database, plan.few)
}

/// Compares each ledger with the first.
fn compare(
    plan: &Plan,
    runtime: &Runtime,
    ledgers: &[Sized],
    target: Option<Target>,
    table: &mut Table,
) -> anyhow::Result<()> {
    let limit = Limit { count: plan.limit.count.min(ROUND_MAX), ..plan.limit };
    for (size, form) in plan.sizes.iter().flat_map(|size| FORMS.map(|form| (*size, form))) {
        let side = |sized: &Sized| PostingSide::new(runtime.handle(), std::slice::from_ref(&sized.bed), size, form);
        let mut hesabu: Vec<PostingSide> = ledgers.iter().map(side).collect();
        let mut sides: Vec<&mut dyn Side> = hesabu.iter_mut().map(|side| side as &mut dyn Side).collect();
        let words = format!("{}, {}", grouped(u64::try_from(size)?), form.words());
        let what = format!("{}: batches of {words}", table.bench);
        let rounds: Vec<Rounds> = in_turns(&what, &mut sides, plan.rounds, limit)?;
        let ([first, rest @ ..], [base, measured @ ..]) = (ledgers, &*rounds) else { return Ok(()) };
        for (sized, measured) in rest.iter().zip(measured) {
            let row = Row::rates(format!("{words}, {}", sized.words), "transfers/s", measured);
            let row = row.map(|row| row.against(&first.words, measured, base));
            table.add(row.map(|row| Row { target: target.filter(|_| form == Form::Keyed), ..row }));
        }
    }
    Ok(())
}

/// Proves every ledger and removes it.
fn end(runtime: &Runtime, ledgers: impl IntoIterator<Item = Sized>, table: &mut Table) -> anyhow::Result<()> {
    for Sized { words, database, bed } in ledgers {
        let proof = runtime.block_on(bed.prove())?;
        table.note(format!("At the end, the ledger that began with {words}: {proof}."));
        runtime.block_on(bed.close());
        database.remove(runtime)?;
    }
    Ok(())
}
