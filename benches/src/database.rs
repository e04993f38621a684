//! Databases of both engines for the ledgers that are measured: empty, or filled once in a run and copied.

use crate::contest::{Limit, Side};
use crate::ledger::{Bed, Form};
use crate::posting_side::PostingSide;
use crate::progress;
use crate::report::grouped;
use crate::scratch::{self, Fresh};
use crate::workload::Payments;
use anyhow::Context;
use ledger_core::BATCH_MAX;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;
use tokio::runtime::Runtime;

/// The environment variable with the address of a PostgreSQL server on which databases may be made.
const POSTGRES: &str = "HESABU_TEST_POSTGRES";

/// What the databases that benches fill are called on a server.
const PREFIX: &str = "bench_";

/// Payments that a database is filled with before progress is told again.
const FILL_STEP: u64 = 500_000;

/// Where ledgers are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Engine {
    /// Embedded.
    Sqlite,
    /// On the server that the environment names.
    Postgres,
}

/// A database of its own. [`Database::remove`] makes room; what is left goes with the run.
#[derive(Debug)]
pub struct Database {
    /// Its address.
    pub url: String,
    folder: Option<Fresh>,
}

impl Engine {
    /// For people.
    pub const fn name(self) -> &'static str {
        match self {
            Engine::Sqlite => "SQLite",
            Engine::Postgres => "PostgreSQL",
        }
    }

    /// An empty database.
    pub fn fresh(self, runtime: &Runtime) -> anyhow::Result<Database> {
        match self {
            Engine::Sqlite => {
                let folder = Fresh::new("ledger")?;
                Ok(Database { url: folder.sqlite(), folder: Some(folder) })
            }
            Engine::Postgres => {
                let name = format!("{PREFIX}{}", uuid::Uuid::now_v7().simple());
                let url = runtime.block_on(create(&name, "template1"))?;
                Ok(Database { url, folder: None })
            }
        }
    }

    /// A database with `accounts` accounts and `transfers` payments among them. On SQLite, a copy of one that is filled when it is
    /// asked for the first time in a run.
    pub fn filled(self, runtime: &Runtime, accounts: u64, transfers: u64) -> anyhow::Result<Database> {
        let database = self.fresh(runtime)?;
        match &database.folder {
            None => {
                fill(runtime, &database.url, accounts, transfers)?;
                runtime.block_on(settle(&database.url))?;
            }
            Some(folder) => {
                let kept = kept_sqlite(runtime, accounts, transfers)?;
                progress::say("copying the filled database");
                for entry in std::fs::read_dir(kept)? {
                    let entry = entry?;
                    let copy = folder.path.join(entry.file_name());
                    std::fs::copy(entry.path(), &copy)?;
                    // The first rounds would wait for the disk to take it in.
                    File::open(copy)?.sync_all()?;
                }
            }
        }
        Ok(database)
    }
}

/// A SQLite database like [`Engine::filled`], made of the kept one with `from` payments itself, which is then no longer kept: there
/// is room on the disk for one of them.
pub fn grown(runtime: &Runtime, accounts: u64, from: u64, transfers: u64) -> anyhow::Result<Database> {
    let folder = Fresh::new("ledger")?;
    std::fs::rename(kept_sqlite(runtime, accounts, from)?, &folder.path)?;
    let database = Database { url: folder.sqlite(), folder: Some(folder) };
    fill(runtime, &database.url, accounts, transfers - from)?;
    Ok(database)
}

impl Database {
    /// Makes room.
    pub fn remove(self, runtime: &Runtime) -> anyhow::Result<()> {
        if self.folder.is_none() {
            runtime.block_on(drop_database(&self.url))?;
        }
        Ok(())
    }
}

/// The folder of a SQLite database that was filled in this run, and is closed.
fn kept_sqlite(runtime: &Runtime, accounts: u64, transfers: u64) -> anyhow::Result<PathBuf> {
    let kept = scratch::folder("kept")?.join(format!("{accounts}-{transfers}"));
    if !kept.exists() {
        let folder = Fresh::new("filling")?;
        fill(runtime, &folder.sqlite(), accounts, transfers)?;
        std::fs::rename(&folder.path, &kept)?;
    }
    Ok(kept)
}

/// Posts so many payments to a database, each with a key, in the largest batches and a last one of what remains.
fn fill(runtime: &Runtime, url: &str, accounts: u64, transfers: u64) -> anyhow::Result<()> {
    let bed = runtime.block_on(Bed::open(url, accounts))?;
    let largest = u64::try_from(BATCH_MAX)?;
    let mut side = PostingSide::new(runtime.handle(), std::slice::from_ref(&bed), BATCH_MAX, Form::Keyed);
    let mut done = 0;
    while transfers - done >= largest {
        progress::say(&format!("filling a database: {} of {} transfers", grouped(done), grouped(transfers)));
        let count = FILL_STEP.min(transfers - done);
        done += side.round(Limit { time: Duration::MAX, count })?.count;
    }
    let rest = usize::try_from(transfers - done)?;
    let mut payments = Payments::new(0, accounts, bed.ids.clone());
    runtime.block_on(bed.submit(payments.batch(rest).map(|payment| Form::Keyed.entry(&payment)).collect()))?;
    drop(side);
    runtime.block_on(bed.close());
    Ok(())
}

/// Lets a PostgreSQL database finish what it does after millions of rows came at once, which is not what the first rounds are to be
/// measured with: the rows are to have been stored for long.
pub(crate) async fn settle(url: &str) -> anyhow::Result<()> {
    progress::say("vacuuming the filled database");
    let mut connection = PgConnection::connect(url).await?;
    connection.execute("vacuum analyze").await?;
    connection.execute("checkpoint").await?;
    Ok(connection.close().await?)
}

/// Makes a database and gives its address.
async fn create(name: &str, template: &str) -> anyhow::Result<String> {
    let server = server()?;
    let mut connection = PgConnection::connect(&server).await?;
    connection.execute(AssertSqlSafe(format!("create database {name} template {template}"))).await?;
    connection.close().await?;
    let (base, _) = server.rsplit_once('/').context("the address of the server ends with a database")?;
    Ok(format!("{base}/{name}"))
}

async fn drop_database(url: &str) -> anyhow::Result<()> {
    let (_, name) = url.rsplit_once('/').context("the address ends with a database")?;
    let mut connection = PgConnection::connect(&server()?).await?;
    connection.execute(AssertSqlSafe(format!("drop database {name} with (force)"))).await?;
    Ok(connection.close().await?)
}

/// The address of the PostgreSQL server.
pub fn server() -> anyhow::Result<String> {
    std::env::var(POSTGRES)
        .with_context(|| format!("{POSTGRES} is not set: use `make bench`, or scripts/postgres.sh run -- …"))
}
