//! Starting: how long until a server on a large ledger is ready, after it was stopped, and after it was killed under load?

use super::http::Site;
use crate::database::Engine;
use crate::http_side::CONNECTIONS;
use crate::load::{self, LoadPlan, Payees};
use crate::plan::Plan;
use crate::progress;
use crate::report::{Row, Table, Target, grouped};
use crate::server::Server;
use crate::statistics::Spread;
use anyhow::ensure;
use std::time::Duration;
use tokio::runtime::Runtime;

/// Milliseconds after a clean stop, and after a kill.
const CLEAN_MAX: u64 = 1_000;
const KILLED_MAX: u64 = 5_000;

/// Measures on SQLite, on the largest ledger that was filled.
pub(crate) fn run(plan: &Plan, runtime: &Runtime) -> anyhow::Result<Table> {
    let transfers = plan.stored.iter().copied().max().unwrap_or_default();
    let mut table = Table::new(
        "start",
        &format!(
            "From starting the server to its saying that it is ready, on a SQLite ledger with {} transfers: after a clean stop, and after \
             kill -9 while it answers {CONNECTIONS} connections.",
            grouped(transfers)
        ),
    );
    let database = Engine::Sqlite.filled(runtime, plan.few, transfers)?;
    let site = Site::new(runtime, database, CONNECTIONS)?;
    let before = site.prove(runtime)?.steps;
    // The first start may compile the component; the next find it in the data folder.
    site.start()?.stop()?;
    let mut clean = vec![];
    for round in 1..=plan.rounds {
        progress::say(&format!("start: after a clean stop, round {round} of {}", plan.rounds));
        let server = site.start()?;
        clean.push(millis(server.took)?);
        server.stop()?;
    }
    let (mut killed, mut answered) = (vec![], 0);
    let mut server = site.start()?;
    for round in 1..=plan.rounds {
        progress::say(&format!("start: after a kill, round {round} of {}", plan.rounds));
        answered += kill_under_load(plan, &site, server)?;
        server = site.start()?;
        killed.push(millis(server.took)?);
    }
    server.stop()?;
    let row = |case: &str, took: Vec<u64>, below: u64| {
        Spread::of(took).map(|spread| Row::plain(case, "ms", spread).target(Target::Below(below)))
    };
    table.add(row("after a clean stop", clean, CLEAN_MAX));
    table.add(row("after kill -9 under load", killed, KILLED_MAX));
    let proof = site.prove(runtime)?;
    // What was under way when a server was killed may have become durable without an answer.
    let most = answered + u64::try_from(CONNECTIONS * plan.rounds)?;
    let durable = proof.steps - before;
    ensure!((answered..=most).contains(&durable), "{answered} transfers were answered and {durable} are durable");
    table.note(format!("{} answered before the kills, {} durable; {proof}.", grouped(answered), grouped(durable)));
    Ok(table)
}

/// Kills a server in the middle of a load, and tells how many proposals it had answered.
fn kill_under_load(plan: &Plan, site: &Site, server: Server) -> anyhow::Result<u64> {
    let load = load::spawn(&LoadPlan {
        address: server.address.clone(),
        connections: CONNECTIONS,
        millis: 60_000,
        seed: u64::from(server.pid()),
        payees: Payees::Anybody,
        until_gone: true,
        members: site.members.clone(),
    })?;
    std::thread::sleep(plan.http_time);
    server.kill()?;
    Ok(u64::try_from(load::report(load)?.latencies.len())?)
}

fn millis(took: Duration) -> anyhow::Result<u64> {
    Ok(u64::try_from(took.as_millis())?)
}
