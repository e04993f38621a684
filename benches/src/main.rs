//! `hesabu-benches`: measures the whole against its baselines and targets. The parts are measured by `cargo bench` (`benches/benches`).
//!
//! Each bench runs in a process of its own, so that none inherits another's memory; this one starts them and collects
//! what they found.

mod statistics; // what is said of many measurements
mod report; // what is said of a bench
mod machine; // where it was measured
mod plan; // how much is measured
mod progress; // what goes on
mod process; // what a process has used
mod scratch; // where databases lie
mod workload; // what is sent
mod contest; // who takes turns
mod ledger; // the ledger that is measured
mod database; // where it is kept
mod posting_side; // the ledger as one that takes turns
mod bare_sqlite; // a baseline
mod bare_postgres; // another
mod pgbench; // and one for single requests
mod network; // members who trade over HTTP
mod server; // the server that they ask
mod load; // the process that asks for them
mod http_side; // the server as one that takes turns
mod bench; // the benches themselves

use anyhow::{Context, bail};
use bench::Bench;
use clap::Parser;
use machine::Machine;
use plan::Plan;
use report::Table;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

/// Measures Hesabu against its baselines and targets
#[derive(Parser)]
#[command(name = "hesabu-benches")]
struct Cli {
    /// Which benches; all, when none is named
    benches: Vec<Bench>,
    /// List the benches and end
    #[arg(long)]
    list: bool,
    /// Sizes that only show that everything works
    #[arg(long)]
    quick: bool,
    /// Measure with 50 million transfers stored, too (SQLite only; 15 GB of disk)
    #[arg(long)]
    fifty_million: bool,
    /// Print JSON, one bench a line
    #[arg(long)]
    json: bool,
    /// Write the results to this file, too
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Measure the one bench that is named, here, and print what was found for the process that began it
    #[arg(long, hide = true)]
    here: bool,
    /// Send what standard input says, and print what came back
    #[arg(long, hide = true)]
    load: bool,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            progress::done();
            eprintln!("hesabu-benches: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<ExitCode> {
    if cli.list {
        for bench in Bench::all() {
            println!("{:<16} {}", bench.name(), bench.about());
        }
        return Ok(ExitCode::SUCCESS);
    }
    if cli.load {
        return load::run().map(|()| ExitCode::SUCCESS);
    }
    if cli.here {
        return measure_here(cli);
    }
    if cfg!(debug_assertions) {
        eprintln!("this is a debug build: its figures mean nothing; use --release");
    }
    scratch::clear()?;
    let machine = Machine::look()?;
    let benches = if cli.benches.is_empty() { Bench::all() } else { &cli.benches };
    let (mut tables, mut failed) = (vec![], vec![]);
    for bench in benches {
        match measure_beside(cli, *bench) {
            Ok(table) => {
                print(cli, &table)?;
                tables.push(table);
            }
            Err(error) => {
                eprintln!("{}: {error:#}", bench.name());
                failed.push(bench.name());
            }
        }
        if let Some(file) = &cli.write {
            std::fs::write(file, report::page(&machine, cli.quick, &tables))?;
        }
    }
    scratch::clear()?;
    if !failed.is_empty() {
        bail!("these benches failed: {}", failed.join(", "));
    }
    Ok(ExitCode::SUCCESS)
}

/// Measures in this process.
fn measure_here(cli: &Cli) -> anyhow::Result<ExitCode> {
    let [bench] = *cli.benches else { bail!("one bench is measured in one process") };
    let mut plan = if cli.quick { Plan::quick() } else { Plan::whole() };
    plan.fifty_million = cli.fifty_million;
    let runtime = tokio::runtime::Runtime::new()?;
    let table = bench.run(&plan, &runtime)?;
    progress::done();
    println!("{}", serde_json::to_string(&table)?);
    Ok(ExitCode::SUCCESS)
}

/// Measures in a process of its own.
fn measure_beside(cli: &Cli, bench: Bench) -> anyhow::Result<Table> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--here", &bench.name()]).stdout(Stdio::piped());
    command.args(cli.quick.then_some("--quick")).args(cli.fifty_million.then_some("--fifty-million"));
    let output = command.spawn()?.wait_with_output()?;
    if !output.status.success() {
        bail!("it ended with {}", output.status);
    }
    serde_json::from_slice(&output.stdout).context("it did not say what it found")
}

fn print(cli: &Cli, table: &Table) -> anyhow::Result<()> {
    let text = if cli.json { serde_json::to_string(table)? + "\n" } else { table.text() };
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}
