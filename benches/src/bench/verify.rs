//! The proof: how many transfers does `hesabu verify` replay in a second of one core?

use crate::database::Engine;
use crate::ledger::Bed;
use crate::plan::Plan;
use crate::process;
use crate::progress;
use crate::report::{Row, Table, Target, grouped};
use crate::statistics::{Spread, per_second};
use std::time::Instant;
use tokio::runtime::Runtime;

/// Transfers that must be replayed in a second of a core.
const TARGET: u64 = 1_000_000;

/// A ledger of this size is proven several times.
const SMALL: u64 = 1_000_000;

/// Proves each of the filled ledgers.
pub(crate) fn run(plan: &Plan, runtime: &Runtime) -> anyhow::Result<Table> {
    let mut table = Table::new(
        "verify",
        "Replay of a whole journal through the component, with every row compared (SQLite). The processor's time is that of all threads of \
         the process: what one core alone would have taken.",
    );
    for &transfers in &plan.stored {
        let database = Engine::Sqlite.filled(runtime, plan.few, transfers)?;
        let bed = runtime.block_on(Bed::open(&database.url, plan.few))?;
        process::forget_peak(std::process::id())?;
        let (mut cores, mut clocks) = (vec![], vec![]);
        for round in 0..if transfers > SMALL { 1 } else { plan.rounds.min(3) } {
            progress::say(&format!("verify: {} transfers, round {}", grouped(transfers), round + 1));
            let (begun, used) = (Instant::now(), process::own_cpu_time());
            let proof = runtime.block_on(bed.prove())?;
            clocks.push(per_second(proof.steps, begun.elapsed()));
            cores.push(per_second(proof.steps, process::own_cpu_time() - used));
            if round == 0 {
                table.note(format!("{proof}."));
            }
        }
        let memory = Some(process::peak_memory(std::process::id())?);
        let words = grouped(transfers);
        let core = Spread::of(cores).map(|spread| Row::plain(format!("{words}, of one core"), "transfers/s", spread));
        table.add(core.map(|row| Row { memory, ..row }.target(Target::AtLeast(TARGET))));
        table.add(Spread::of(clocks).map(|spread| Row::plain(format!("{words}, by the clock"), "transfers/s", spread)));
        runtime.block_on(bed.close());
        database.remove(runtime)?;
    }
    Ok(table)
}
