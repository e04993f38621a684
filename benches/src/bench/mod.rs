//! The benches, by name. Each is a file that says which question it answers.

mod sqlite; // durable batches against a bare loop
mod engine; // the core, natively and in the component

use crate::plan::Plan;
use crate::report::Table;
use clap::ValueEnum;
use tokio::runtime::Runtime;

/// What can be measured.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Bench {
    /// Durable batches on SQLite, against a bare prepared loop
    Sqlite,
    /// The core's decision, natively and in the component
    Engine,
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
            Bench::Sqlite => sqlite::run(plan, runtime),
            Bench::Engine => engine::run(plan, runtime),
        }
    }
}
