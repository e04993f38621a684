//! What the program can be told to do: list the benches, measure some or all, print and keep what was found.
//!
//! Each bench runs in a process of its own, so that none inherits another's memory; this one starts them and collects
//! what they found.

use crate::bench::Bench;
use crate::machine::Machine;
use crate::plan::Plan;
use crate::report::{self, Table};
use crate::{load, poster, progress, scratch};
use anyhow::{Context, bail};
use clap::Parser;
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
    /// Batches of these sizes only
    #[arg(long, value_delimiter = ',', value_name = "PAYMENTS")]
    sizes: Vec<usize>,
    /// So many rounds of each side
    #[arg(long)]
    rounds: Option<usize>,
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
    /// Post what standard input says until killed
    #[arg(long, hide = true)]
    post: bool,
}

/// Does what the command line says.
pub fn run() -> ExitCode {
    match follow(&Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            progress::done();
            eprintln!("hesabu-benches: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn follow(cli: &Cli) -> anyhow::Result<ExitCode> {
    if cli.list {
        for bench in Bench::all() {
            println!("{:<16} {}", bench.name(), bench.about());
        }
        return Ok(ExitCode::SUCCESS);
    }
    if cli.load {
        return load::run().map(|()| ExitCode::SUCCESS);
    }
    if cli.post {
        return poster::run().map(|()| ExitCode::SUCCESS);
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
    plan.rounds = cli.rounds.unwrap_or(plan.rounds);
    if !cli.sizes.is_empty() {
        plan.sizes.clone_from(&cli.sizes);
    }
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
    command.args(cli.quick.then_some("--quick"));
    command.args(cli.rounds.map(|rounds| format!("--rounds={rounds}")));
    command.args(cli.sizes.iter().map(|size| format!("--sizes={size}")));
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
