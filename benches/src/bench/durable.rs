//! Durable batches: how far is posting, with all it does, from the barest program that keeps two balances and a row?

use crate::bare_postgres::BarePostgres;
use crate::bare_sqlite::BareSqlite;
use crate::contest::{Side, in_turns};
use crate::database::{Database, Engine};
use crate::ledger::{Bed, FORMS, Form, Proof};
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
    // A database for each: keys are written behind, and would be paid for by whoever comes after.
    let mut stands = vec![];
    for _ in FORMS {
        stands.push(Stand::new(case, runtime, plan.few)?);
    }
    let mut bare = Bare::all(case.engine, runtime, plan.few, size)?;
    let hesabu = FORMS.iter().zip(&stands);
    let mut hesabu: Vec<PostingSide> =
        hesabu.map(|(form, stand)| PostingSide::new(runtime.handle(), &stand.hosts, size, *form)).collect();
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
    for (form, stand) in FORMS.iter().zip(stands) {
        let proof = stand.prove_and_remove(runtime)?;
        table.note(format!("Batches of {words}, {}: {proof}.", form.words()));
    }
    Ok(())
}

/// A database and the hosts that post to it.
struct Stand {
    database: Database,
    hosts: Vec<Bed>,
}

impl Stand {
    fn new(case: &Case, runtime: &Runtime, accounts: u64) -> anyhow::Result<Stand> {
        let database = case.engine.fresh(runtime)?;
        let mut hosts = vec![runtime.block_on(Bed::open(&database.url, accounts))?];
        while hosts.len() < case.hosts {
            hosts.push(runtime.block_on(hosts[0].beside(&database.url))?);
        }
        Ok(Stand { database, hosts })
    }

    fn prove_and_remove(mut self, runtime: &Runtime) -> anyhow::Result<Proof> {
        for host in self.hosts.drain(1..) {
            runtime.block_on(host.close());
        }
        let proof = runtime.block_on(self.hosts[0].prove())?;
        for host in self.hosts {
            runtime.block_on(host.close());
        }
        self.database.remove(runtime)?;
        Ok(proof)
    }
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
