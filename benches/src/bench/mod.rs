//! The benches, by name. Each is a file that says which question it answers.

mod durable; // durable batches against the barest program
mod size; // many accounts, windows, many transfers
mod http; // single requests
mod memory; // what a server takes
mod start; // until a server is ready
mod history; // an account's past
mod verify; // the proof
mod directory; // finding entities
mod engine; // the core, natively and in the component

use crate::database::Engine;
use crate::plan::Plan;
use crate::report::Table;
use clap::ValueEnum;
use tokio::runtime::Runtime;

/// What can be measured.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Bench {
    /// Durable batches on SQLite, against a bare prepared loop
    Sqlite,
    /// The same over a million accounts, against ten thousand
    SqliteMillion,
    /// The same over accounts with window limits, against accounts without
    Windows,
    /// Durable batches on PostgreSQL, against a bare bulk statement
    Postgres,
    /// The same through two hosts that share a ledger
    PostgresShared,
    /// Durable batches on SQLite with many transfers stored, against an empty ledger
    Stored,
    /// The same on PostgreSQL
    StoredPostgres,
    /// Single proposals over HTTP on both databases, against pgbench
    Http,
    /// The same when every transfer touches one account, against uniform load
    HttpHot,
    /// Questions about long pasts
    History,
    /// Searches among many entities, over HTTP
    Directory,
    /// Replay of the journal
    Verify,
    /// Resident memory of a server, at rest and under load
    Memory,
    /// Start to ready on a large ledger, after a stop and after a kill
    Start,
    /// The core's decision, natively and in the component
    Engine,
    /// Durable batches on SQLite with as many transfers stored as there is room for
    StoredMost,
}

impl Bench {
    /// Every bench, in the order in which a whole run measures them.
    pub(crate) fn all() -> &'static [Bench] {
        Bench::value_variants()
    }

    /// As it is called on the command line.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// What it measures.
    pub(crate) fn about(self) -> String {
        let about = self.to_possible_value().and_then(|value| value.get_help().map(ToString::to_string));
        about.unwrap_or_default()
    }

    /// Measures it, and proves the books at its end.
    pub(crate) fn run(self, plan: &Plan, runtime: &Runtime) -> anyhow::Result<Table> {
        match self {
            Bench::Sqlite => durable::run(&durable::SQLITE, plan, runtime),
            Bench::SqliteMillion => size::accounts(plan, runtime),
            Bench::Windows => size::windows(plan, runtime),
            Bench::Postgres => durable::run(&durable::POSTGRES, plan, runtime),
            Bench::PostgresShared => durable::run(&durable::SHARED, plan, runtime),
            Bench::Stored => size::stored(Engine::Sqlite, plan, runtime),
            Bench::StoredPostgres => size::stored(Engine::Postgres, plan, runtime),
            Bench::Http => http::uniform(plan, runtime),
            Bench::HttpHot => http::hot(plan, runtime),
            Bench::History => history::run(plan, runtime),
            Bench::Directory => directory::run(plan, runtime),
            Bench::Verify => verify::run(plan, runtime),
            Bench::Memory => memory::run(plan, runtime),
            Bench::Start => start::run(plan, runtime),
            Bench::Engine => engine::run(plan, runtime),
            Bench::StoredMost => size::most_stored(plan, runtime),
        }
    }
}
