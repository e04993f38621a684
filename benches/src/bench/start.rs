//! Starting: how long until a server on a large ledger is ready and answers, after it was stopped, and after it was killed under load?

use super::http::Site;
use crate::database::Engine;
use crate::http_side::CONNECTIONS;
use crate::load::{self, LoadPlan, Payees};
use crate::plan::Plan;
use crate::poster;
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

/// Rounds in which a process is killed that posts batches: each makes the ledger a good deal larger.
const BATCH_KILLS: u64 = 2;

/// How long it took from starting the server, in milliseconds.
#[derive(Default)]
struct Starts {
    /// Until it said that it was ready.
    ready: Vec<u64>,
    /// Until it had answered a first transfer: by then it has what it keeps in memory.
    answered: Vec<u64>,
}

impl Starts {
    fn add(&mut self, runtime: &Runtime, site: &Site) -> anyhow::Result<Server> {
        let server = site.start()?;
        load::propose(runtime, &server.address, &site.members)?;
        self.answered.push(millis(server.begun.elapsed())?);
        self.ready.push(millis(server.ready_after)?);
        Ok(server)
    }

    fn tell(self, case: &str, below: u64, table: &mut Table) {
        for (until, took) in [("ready", self.ready), ("a first transfer is answered", self.answered)] {
            let row = Spread::of(took).map(|spread| Row::plain(format!("{case}, until {until}"), "ms", spread));
            table.add(row.map(|row| row.target(Target::Below(below))));
        }
    }
}

/// Measures on SQLite, on the largest ledger that was filled.
pub(crate) fn run(plan: &Plan, runtime: &Runtime) -> anyhow::Result<Table> {
    let transfers = plan.stored.iter().copied().max().unwrap_or_default();
    let mut table = Table::new(
        "start",
        &format!(
            "From starting the server on a SQLite ledger with {} transfers: after a clean stop, after kill -9 while it answers \
             {CONNECTIONS} connections, and after kill -9 of a process that had posted {} payments with keys in the largest batches.",
            grouped(transfers),
            grouped(plan.killed_after)
        ),
    );
    let database = Engine::Sqlite.filled(runtime, plan.few, transfers)?;
    let site = Site::new(runtime, database, CONNECTIONS)?;
    let before = site.prove(runtime)?.steps;
    // The first start may compile the component; the next find it in the data folder.
    site.start()?.stop()?;
    let (mut clean, mut killed, mut killed_in_batches) = (Starts::default(), Starts::default(), Starts::default());
    let mut answered = 0;
    for round in 1..=plan.rounds {
        progress::say(&format!("start: round {round} of {}", plan.rounds));
        let server = clean.add(runtime, &site)?;
        answered += 1 + kill_under_load(plan, &site, server)?;
        killed.add(runtime, &site)?.stop()?;
        answered += 1;
    }
    for round in 1..=BATCH_KILLS {
        progress::say(&format!("start: after batches, round {round} of {BATCH_KILLS}"));
        answered += poster::killed_after(&site.database.url, plan.few, plan.killed_after)?;
        killed_in_batches.add(runtime, &site)?.stop()?;
        answered += 1;
    }
    clean.tell("after a clean stop", CLEAN_MAX, &mut table);
    killed.tell("after kill -9 under HTTP load", KILLED_MAX, &mut table);
    killed_in_batches.tell("after kill -9 of batches", KILLED_MAX, &mut table);
    let proof = site.prove(runtime)?;
    // What was under way at a kill may have become durable without an answer.
    let under_way = u64::try_from(CONNECTIONS * plan.rounds)? + 2 * poster::STEP * BATCH_KILLS;
    let most = answered + under_way;
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
