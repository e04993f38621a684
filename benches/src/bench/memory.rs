//! Memory: what does a server take when nobody asks, and what at most when many do and a million accounts are there?

use super::http::Site;
use crate::contest::{Limit, Side};
use crate::database::Engine;
use crate::http_side::HttpSide;
use crate::ledger::{Bed, Form};
use crate::load::Payees;
use crate::plan::Plan;
use crate::posting_side::PostingSide;
use crate::process;
use crate::progress;
use crate::report::{Row, Table, Target, grouped};
use crate::statistics::Spread;
use anyhow::Context;
use std::time::Duration;
use tokio::runtime::Runtime;

/// Megabytes at rest, and under load.
const REST_MAX: u64 = 60;
const LOAD_MAX: u64 = 600;

/// How long nobody asks before memory at rest is read.
const REST: Duration = Duration::from_secs(2);

/// Measures on SQLite, where the database's own memory is the server's.
pub(crate) fn run(plan: &Plan, runtime: &Runtime) -> anyhow::Result<Table> {
    let accounts = grouped(plan.many);
    let mut table = Table::new(
        "memory",
        &format!(
            "Resident memory of the server on SQLite, at rest and under HTTP load on a ledger of {accounts} accounts; and of a process that \
             posts {} payments among all of them in batches of {}, each payment with a key.",
            grouped(plan.memory_load),
            grouped(u64::try_from(ledger_core::BATCH_MAX)?)
        ),
    );
    let empty = Site::new(runtime, Engine::Sqlite.fresh(runtime)?, 2)?;
    add(&mut table, "server at rest, empty ledger", rest(&empty)?, Some(REST_MAX));

    let database = Engine::Sqlite.fresh(runtime)?;
    let bed = runtime.block_on(Bed::open(&database.url, plan.many))?;
    let limit = Limit { time: Duration::MAX, count: plan.memory_load };
    progress::say("memory: batches");
    let mut side = PostingSide::new(runtime.handle(), std::slice::from_ref(&bed), ledger_core::BATCH_MAX, Form::Keyed);
    let batches = side.round(limit)?.memory.context("posting tells its memory")?;
    drop(side);
    runtime.block_on(bed.close());

    let site = Site::new(runtime, database, plan.members)?;
    add(&mut table, &format!("server at rest, {accounts} accounts"), rest(&site)?, None);
    let server = site.start()?;
    progress::say("memory: HTTP");
    let mut side = HttpSide::new(&server, &site.members, Payees::Anybody);
    let http =
        side.round(Limit { time: plan.http_time * 2, count: u64::MAX })?.memory.context("a server has memory")?;
    server.stop()?;
    add(&mut table, &format!("server under HTTP load, {accounts} accounts"), http, Some(LOAD_MAX));
    add(&mut table, &format!("process under batch load, {accounts} accounts"), batches, Some(LOAD_MAX));
    let proof = site.prove(runtime)?;
    table.note(format!("{proof}."));
    Ok(table)
}

/// Starts a server, leaves it alone, reads its memory and stops it.
fn rest(site: &Site) -> anyhow::Result<u64> {
    let server = site.start()?;
    std::thread::sleep(REST);
    let memory = process::memory(server.pid())?;
    server.stop()?;
    Ok(memory)
}

fn add(table: &mut Table, case: &str, bytes: u64, below: Option<u64>) {
    let megabytes = Spread::of([bytes.div_ceil(1_000_000)]);
    let target = below.map(Target::Below);
    table.add(megabytes.map(|spread| Row { target, ..Row::plain(case, "MB", spread) }));
}
