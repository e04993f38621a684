//! A process that posts the largest batches, each payment with a key, until it is killed; and tells how many are durable.

use crate::contest::{Limit, Side};
use crate::ledger::{Bed, Form};
use crate::posting_side::PostingSide;
use anyhow::{Context, ensure};
use ledger_core::BATCH_MAX;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio::runtime::Runtime;

/// The hidden argument that makes this program post until it is killed.
const ARGUMENT: &str = "--post";

/// Payments until the next word on how many are durable. More than these may be durable when it is killed, but not twice as many.
pub(crate) const STEP: u64 = 100_000;

/// Where to post. Read from standard input.
#[derive(Serialize, Deserialize, Debug)]
struct PostPlan {
    url: String,
    accounts: u64,
}

/// Starts such a process, kills it when so many payments are durable, and tells how many it said there were.
pub(crate) fn killed_after(url: &str, accounts: u64, transfers: u64) -> anyhow::Result<u64> {
    let mut command = Command::new(std::env::current_exe()?);
    let mut child = command.arg(ARGUMENT).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let plan = PostPlan { url: url.into(), accounts };
    child.stdin.take().context("its input is piped")?.write_all(&serde_json::to_vec(&plan)?)?;
    let mut lines = BufReader::new(child.stdout.take().context("its output is piped")?).lines();
    let mut durable = 0;
    for line in lines.by_ref() {
        durable = line?.parse()?;
        if durable >= transfers {
            child.kill()?;
            break;
        }
    }
    let status = child.wait()?;
    ensure!(durable >= transfers, "posting ended with {status} after {durable} payments");
    // What it said in its last moment.
    lines.try_fold(durable, |_, line| Ok(line?.parse()?))
}

/// Posts until it is killed.
pub(crate) fn run() -> anyhow::Result<()> {
    let mut input = Vec::new();
    std::io::stdin().read_to_end(&mut input)?;
    let plan: PostPlan = serde_json::from_slice(&input)?;
    let runtime = Runtime::new()?;
    let bed = runtime.block_on(Bed::open(&plan.url, plan.accounts))?;
    let mut side = PostingSide::new(runtime.handle(), std::slice::from_ref(&bed), BATCH_MAX, Form::Keyed);
    let mut durable = 0;
    loop {
        durable += side.round(Limit { time: Duration::MAX, count: STEP })?.count;
        let mut out = std::io::stdout().lock();
        writeln!(out, "{durable}")?;
        out.flush()?;
    }
}
