//! Durable batches: how far is posting, with all it does, from the barest program that keeps two balances and a row?

use crate::bare_postgres::BarePostgres;
use crate::bare_sqlite::BareSqlite;
use crate::contest::{Side, in_turns};
use crate::database::Engine;
use crate::ledger::{Bed, FORMS, Form};
use crate::plan::Plan;
use crate::posting_side::PostingSide;
use crate::report::{Row, Table, Target, grouped};
use anyhow::Context;
use tokio::runtime::Runtime;

/// What is measured.
pub(crate) struct Case {
    pub(crate) bench: &'static str,
    pub(crate) question: &'static str,
    pub(crate) engine: Engine,
    /// Hosts that post to the one ledger, each with two clients.
    pub(crate) hosts: usize,
    /// Thousandths of the baseline that a batch of this size must reach.
    pub(crate) target: fn(usize) -> u64,
}

/// One host on SQLite.
pub(crate) const SQLITE: Case = Case {
    bench: "sqlite",
    question: "Durable batches of random payments through posting (component, idempotency, limits, journal, history) on SQLite, against a \
               bare prepared loop of two balance updates and one insert: same disk, same durability, no check, no index. What must be reached \
               is with an idempotency key for each payment; beside it, the same without keys.",
    engine: Engine::Sqlite,
    hosts: 1,
    target: |size| if size < 1_000 { 600 } else { 800 },
};

/// One host on PostgreSQL.
pub(crate) const POSTGRES: Case = Case {
    bench: "postgres",
    question: "The same through one host on PostgreSQL, against one bare bulk statement for each batch (`unnest`: each balance \
               changed once, one row for each payment), on one connection or on two: whichever does more.",
    engine: Engine::Postgres,
    hosts: 1,
    target: |_| 800,
};

/// Two hosts that share a ledger on PostgreSQL.
pub(crate) const SHARED: Case = Case {
    bench: "postgres-shared",
    question: "The same through two hosts that post to one ledger in turns, against the same bare bulk statement.",
    engine: Engine::Postgres,
    hosts: 2,
    target: |_| 500,
};

/// A baseline.
enum Bare {
    Sqlite(BareSqlite),
    Postgres(BarePostgres),
}

/// Measures every size.
pub(crate) fn run(case: &Case, plan: &Plan, runtime: &Runtime) -> anyhow::Result<Table> {
    let mut table = Table::new(case.bench, case.question);
    for &size in &plan.sizes {
        measure(case, plan, runtime, size, &mut table)?;
    }
    Ok(table)
}

fn measure(case: &Case, plan: &Plan, runtime: &Runtime, size: usize, table: &mut Table) -> anyhow::Result<()> {
    let database = case.engine.fresh(runtime)?;
    let mut hosts = vec![runtime.block_on(Bed::open(&database.url, plan.few))?];
    while hosts.len() < case.hosts {
        hosts.push(runtime.block_on(hosts[0].beside(&database.url))?);
    }
    let mut bare = Bare::all(case.engine, runtime, plan.few, size)?;
    let mut hesabu = FORMS.map(|form| PostingSide::new(runtime.handle(), &hosts, size, form));
    let mut sides: Vec<&mut dyn Side> = hesabu.iter_mut().map(|side| side as &mut dyn Side).collect();
    sides.extend(bare.iter_mut().map(|(_, bare)| bare.side()));
    let words = grouped(u64::try_from(size)?);
    let what = format!("{}: batches of {words}", case.bench);
    let mut rounds = in_turns(&what, &mut sides, plan.rounds, plan.limit)?;
    let baselines = rounds.split_off(FORMS.len());
    let named = bare.iter().map(|(name, _)| *name).zip(&baselines);
    // The stronger of the baselines counts.
    let best = named.max_by_key(|(_, rounds)| rounds.rate().map(|rate| rate.median));
    let (name, baseline) = best.context("there is a baseline")?;
    let target = Target::RatioAtLeast((case.target)(size));
    for (form, measured) in FORMS.iter().zip(&rounds) {
        let row = Row::rates(format!("{words}, {}", form.words()), "transfers/s", measured);
        let row = row.map(|row| row.against(name, measured, baseline));
        // What must be reached is said of the whole.
        table.add(row.map(|row| Row { target: (*form == Form::Keyed).then_some(target), ..row }));
    }
    for (_, bare) in bare {
        bare.prove_and_remove(runtime)?;
    }
    drop(hesabu);
    for host in hosts.drain(1..) {
        runtime.block_on(host.close());
    }
    for host in hosts {
        let proof = runtime.block_on(host.prove())?;
        table.note(format!("Batches of {words}: {proof}."));
        runtime.block_on(host.close());
    }
    database.remove(runtime)
}

impl Bare {
    /// Those that an engine has. A single payment after the other has one connection.
    fn all(engine: Engine, runtime: &Runtime, accounts: u64, size: usize) -> anyhow::Result<Vec<(&'static str, Bare)>> {
        let postgres = |connections| BarePostgres::new(runtime, accounts, size, connections).map(Bare::Postgres);
        Ok(match engine {
            Engine::Sqlite => vec![("bare loop", Bare::Sqlite(BareSqlite::new(accounts, size)?))],
            Engine::Postgres if size == 1 => vec![("bare", postgres(1)?)],
            Engine::Postgres => vec![("bare, 1 connection", postgres(1)?), ("bare, 2 connections", postgres(2)?)],
        })
    }

    fn side(&mut self) -> &mut dyn Side {
        match self {
            Bare::Sqlite(side) => side,
            Bare::Postgres(side) => side,
        }
    }

    fn prove_and_remove(self, runtime: &Runtime) -> anyhow::Result<()> {
        match self {
            Bare::Sqlite(side) => side.prove(),
            Bare::Postgres(mut side) => {
                side.prove()?;
                side.database.remove(runtime)
            }
        }
    }
}
