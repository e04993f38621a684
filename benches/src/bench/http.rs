//! Single proposals over HTTP: how many does one server answer in a second, each durable first, and how long does one wait?

use crate::contest::{Limit, Rounds, Side, in_turns};
use crate::database::{Database, Engine};
use crate::http_side::{CONNECTIONS, HttpSide};
use crate::ledger::{Bed, Proof};
use crate::load::Payees;
use crate::network::{Member, admit};
use crate::pgbench::PgBench;
use crate::plan::Plan;
use crate::report::{Row, Table, Target, grouped};
use crate::scratch::Fresh;
use crate::server::Server;
use crate::statistics::{Latency, Spread};
use anyhow::{bail, ensure};
use tokio::runtime::Runtime;

/// What 99 of 100 answers may take, in microseconds.
const P99_MAX: u64 = 25_000;

/// A server with members, on a database of its own.
pub(crate) struct Site {
    pub(crate) database: Database,
    pub(crate) data: Fresh,
    pub(crate) members: Vec<Member>,
}

impl Site {
    /// Members in the database; no server yet.
    pub(crate) fn new(runtime: &Runtime, database: Database, members: usize) -> anyhow::Result<Site> {
        let data = Fresh::new("data")?;
        let members = runtime.block_on(admit(&database.url, &data.path, members))?;
        Ok(Site { database, data, members })
    }

    pub(crate) fn start(&self) -> anyhow::Result<Server> {
        Server::start(&self.database.url, &self.data.path)
    }

    /// Proves the books: each proposal is one transfer row. No server runs.
    pub(crate) fn prove(&self, runtime: &Runtime) -> anyhow::Result<Proof> {
        runtime.block_on(async {
            let bed = Bed::open(&self.database.url, 0).await?;
            let proof = bed.prove().await?;
            bed.close().await;
            Ok(proof)
        })
    }
}

/// Uniform load on both engines, against `pgbench`.
pub(crate) fn uniform(plan: &Plan, runtime: &Runtime) -> anyhow::Result<Table> {
    let mut table = Table::new(
        "http",
        &format!(
            "Single `POST /api/v1/transfers` from another process over {CONNECTIONS} keep-alive connections among {} members: token checked, \
             answered when durable; against pgbench with 8 clients and a bare transfer in one prepared statement.",
            grouped(u64::try_from(plan.members)?)
        ),
    );
    let mut sites = vec![];
    for engine in [Engine::Sqlite, Engine::Postgres] {
        sites.push((engine, Site::new(runtime, engine.fresh(runtime)?, plan.members)?));
    }
    let servers = sites.iter().map(|(_, site)| site.start()).collect::<anyhow::Result<Vec<_>>>()?;
    let mut pgbench = PgBench::new(runtime, plan.members)?;
    let served = sites.iter().zip(&servers);
    let mut hesabu: Vec<HttpSide<'_>> =
        served.map(|((_, site), server)| HttpSide::new(server, &site.members, Payees::Anybody)).collect();
    let mut sides: Vec<&mut dyn Side> = hesabu.iter_mut().map(|side| side as &mut dyn Side).collect();
    sides.push(&mut pgbench);
    let rounds = in_turns("http", &mut sides, plan.rounds, limit(plan))?;
    let [sqlite, postgres, baseline] = &*rounds else { bail!("there are {} sides", rounds.len()) };
    for ((engine, _), measured, target) in [(&sites[0], sqlite, 1_000), (&sites[1], postgres, 600)] {
        let row = Row::rates(engine.name(), "requests/s", measured);
        table.add(row.map(|row| row.against("pgbench", measured, baseline).target(Target::RatioAtLeast(target))));
        table.add(p99(engine.name(), measured));
    }
    let answered: Vec<u64> = hesabu.iter().map(|side| side.answered).collect();
    pgbench.prove(runtime)?;
    pgbench.database.remove(runtime)?;
    for (((engine, site), server), answered) in sites.into_iter().zip(servers).zip(answered) {
        end(runtime, engine, site, server, answered, &mut table)?;
    }
    Ok(table)
}

/// Every transfer touches one account, against uniform load on the same server.
pub(crate) fn hot(plan: &Plan, runtime: &Runtime) -> anyhow::Result<Table> {
    let mut table = Table::new(
        "http-hot",
        &format!(
            "The same when every one of {} members pays one shop, so that every transfer touches its account; against uniform load on the \
             same server.",
            grouped(u64::try_from(plan.members)?)
        ),
    );
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let site = Site::new(runtime, engine.fresh(runtime)?, plan.members)?;
        let server = site.start()?;
        let mut hot = HttpSide::new(&server, &site.members, Payees::First);
        let mut uniform = HttpSide::new(&server, &site.members, Payees::Anybody);
        let what = format!("http-hot: {}", engine.name());
        let rounds = in_turns(&what, &mut [&mut hot, &mut uniform], plan.rounds, limit(plan))?;
        let [measured, baseline] = &*rounds else { bail!("there are {} sides", rounds.len()) };
        let row = Row::rates(engine.name(), "requests/s", measured);
        table.add(row.map(|row| row.against("uniform", measured, baseline).target(Target::RatioAtLeast(800))));
        table.add(p99(engine.name(), measured));
        let answered = hot.answered + uniform.answered;
        end(runtime, engine, site, server, answered, &mut table)?;
    }
    Ok(table)
}

fn limit(plan: &Plan) -> Limit {
    Limit { time: plan.http_time, count: u64::MAX }
}

/// How long the slowest of a hundred waited, by round.
fn p99(engine: &str, rounds: &Rounds) -> Option<Row> {
    let of_round = |sample: &crate::contest::Sample| Latency::of(sample.latencies.clone());
    let spread = Spread::of(rounds.0.iter().filter_map(of_round).map(|latency| latency.p99 / 1_000))?;
    Some(Row::plain(format!("{engine}, p99 of an answer"), "µs", spread).target(Target::Below(P99_MAX)))
}

/// Stops the server, and holds what it answered against what its ledger has.
fn end(
    runtime: &Runtime,
    engine: Engine,
    site: Site,
    server: Server,
    answered: u64,
    table: &mut Table,
) -> anyhow::Result<()> {
    server.stop()?;
    let proof = site.prove(runtime)?;
    ensure!(proof.steps == answered, "{answered} transfers were answered and {} are in the ledger", proof.steps);
    table.note(format!("{}: {} answered, and as many are in the ledger; {proof}.", engine.name(), grouped(answered)));
    site.database.remove(runtime)
}
