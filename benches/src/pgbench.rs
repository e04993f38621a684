//! The baseline of single requests: PostgreSQL's own `pgbench` with a bare transfer in one statement, and nothing around it.

use crate::contest::{Limit, Sample, Side};
use crate::database::{Database, Engine};
use crate::scratch::Fresh;
use anyhow::{Context, ensure};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use tokio::runtime::Runtime;

/// Connections, and threads that serve them: the numbers with which a machine of two cores does most.
const CLIENTS: &str = "8";
const THREADS: &str = "2";

const SCHEMA: &str = "
    create table account (id bigint primary key, balance bigint not null);
    create table transfer (payer bigint not null, payee bigint not null, amount bigint not null, at timestamptz not null);";

/// The lower account changes first, so that no two wait for each other in a circle.
const SCRIPT: &str = r"\set payer random(1, ACCOUNTS)
\set payee 1 + (:payer - 1 + random(1, ACCOUNTS - 1)) % ACCOUNTS
\set amount random(1, 100)
\set low least(:payer, :payee)
\set high greatest(:payer, :payee)
\set change :amount * (case when :payer < :payee then -1 else 1 end)
with first as (update account set balance = balance + :change where id = :low returning id), second as (update account set balance = balance - :change where id = :high and exists (select from first) returning id) insert into transfer (payer, payee, amount, at) select :payer::bigint, :payee::bigint, :amount::bigint, now() from second;
";

/// `pgbench` on a database of its own.
pub(crate) struct PgBench {
    program: PathBuf,
    script: PathBuf,
    pub(crate) database: Database,
    done: u64,
    _folder: Fresh,
}

impl PgBench {
    pub(crate) fn new(runtime: &Runtime, accounts: usize) -> anyhow::Result<PgBench> {
        let database = Engine::Postgres.fresh(runtime)?;
        runtime.block_on(async {
            let mut connection = PgConnection::connect(&database.url).await?;
            connection.execute(SCHEMA).await?;
            let open =
                format!("insert into account select number, 0 from generate_series(1, {accounts}) as a (number)");
            connection.execute(AssertSqlSafe(open)).await?;
            connection.execute("vacuum analyze account").await?;
            connection.close().await
        })?;
        let folder = Fresh::new("pgbench")?;
        let script = folder.path.join("transfer.sql");
        std::fs::write(&script, SCRIPT.replace("ACCOUNTS", &accounts.to_string()))?;
        Ok(PgBench { program: program()?, script, database, done: 0, _folder: folder })
    }

    /// That the baseline did what it was asked to.
    pub(crate) fn prove(&self, runtime: &Runtime) -> anyhow::Result<()> {
        let sql = "select (select count(*) from transfer), (select sum(balance)::bigint from account)";
        let (rows, sum): (i64, i64) = runtime.block_on(async {
            let mut connection = PgConnection::connect(&self.database.url).await?;
            sqlx::query_as(sql).fetch_one(&mut connection).await
        })?;
        ensure!(u64::try_from(rows)? == self.done && sum == 0, "pgbench kept {rows} of {} transfers", self.done);
        Ok(())
    }
}

impl Side for PgBench {
    fn round(&mut self, limit: Limit) -> anyhow::Result<Sample> {
        let seconds = limit.time.as_secs().max(1).to_string();
        let mut command = Command::new(&self.program);
        command.args(["-n", "-M", "prepared", "-c", CLIENTS, "-j", THREADS, "-T", &seconds, "-f"]).arg(&self.script);
        let output = command.arg(&self.database.url).output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let problem = || String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "pgbench ended with {}: {}", output.status, problem());
        let (count, per_second) = result(&text).with_context(|| format!("pgbench said: {text}"))?;
        self.done += count;
        let elapsed = u128::from(count) * 1_000_000_000_000 / u128::from(per_second.max(1));
        let elapsed = Duration::from_nanos(u64::try_from(elapsed)?);
        Ok(Sample { count, elapsed, latencies: vec![], memory: None })
    }
}

/// Transfers, and thousandths of a transfer per second, connecting left out.
fn result(text: &str) -> Option<(u64, u64)> {
    let count = text.lines().find_map(|line| line.strip_prefix("number of transactions actually processed: "))?;
    let rate = text.lines().find_map(|line| line.strip_prefix("tps = "))?.split(' ').next()?;
    let (whole, part) = rate.split_once('.')?;
    let thousandths = format!("{whole}{:0<3.3}", part);
    Some((count.split('/').next()?.trim().parse().ok()?, thousandths.parse().ok()?))
}

/// The newest one that is installed.
fn program() -> anyhow::Result<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = vec![];
    for entry in std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten() {
        let version = entry.file_name().to_string_lossy().parse().unwrap_or_default();
        let program = entry.path().join("bin/pgbench");
        if program.exists() {
            found.push((version, program));
        }
    }
    found.sort();
    Ok(found.pop().map_or_else(|| PathBuf::from("pgbench"), |(_, program)| program))
}

#[cfg(test)]
mod tests {
    use super::result;

    #[test]
    fn what_pgbench_says_is_read() {
        let text = "number of transactions actually processed: 27690\nlatency average = 0.5 ms\n\
                    tps = 13812.7 (without initial connection time)\n";
        assert_eq!(result(text), Some((27_690, 13_812_700)));
        assert_eq!(result("tps = 1.0"), None);
    }
}
