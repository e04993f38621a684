//! Durable batches on SQLite: how far is posting, with all it does, from a bare prepared loop on the same disk?

use crate::bare_sqlite::BareSqlite;
use crate::contest::{Side, in_turns};
use crate::ledger::{Bed, FORMS, Form};
use crate::plan::Plan;
use crate::posting_side::PostingSide;
use crate::report::{Row, Table, Target, grouped};
use crate::scratch::Fresh;
use tokio::runtime::Runtime;

/// Measures every size against the bare loop.
pub(crate) fn run(plan: &Plan, runtime: &Runtime) -> anyhow::Result<Table> {
    let mut table = Table::new(
        "sqlite",
        "Durable batches of random payments through posting (component, ids checked, limits, journal, history) on SQLite, against a \
         bare prepared loop of two balance updates and one insert: same disk, same durability, no check, no index.",
    );
    for &size in &plan.sizes {
        measure(plan, runtime, size, &mut table)?;
    }
    Ok(table)
}

fn measure(plan: &Plan, runtime: &Runtime, size: usize, table: &mut Table) -> anyhow::Result<()> {
    let folder = Fresh::new("sqlite")?;
    let bed = runtime.block_on(Bed::open(&folder.sqlite(), plan.few))?;
    let mut bare = BareSqlite::new(plan.few, size)?;
    // A batch of one has one form.
    let forms = if size == 1 { &FORMS[..1] } else { FORMS };
    let side = |form: &Form| PostingSide::new(runtime.handle(), std::slice::from_ref(&bed), size, *form);
    let mut hesabu: Vec<PostingSide> = forms.iter().map(side).collect();
    let mut sides: Vec<&mut dyn Side> = hesabu.iter_mut().map(|side| side as &mut dyn Side).collect();
    sides.push(&mut bare);
    let words = grouped(u64::try_from(size)?);
    let mut rounds = in_turns(&format!("sqlite: batches of {words}"), &mut sides, plan.rounds, plan.limit)?;
    let baseline = rounds.pop().unwrap_or_default();
    let target = Target::RatioAtLeast(if size < 1_000 { 600 } else { 800 });
    for (form, measured) in forms.iter().zip(&rounds) {
        let form = if size == 1 { "one at a time" } else { form.words() };
        let row = Row::rates(format!("{words}, {form}"), "transfers/s", measured);
        table.add(row.map(|row| row.against("bare loop", measured, &baseline).target(target)));
    }
    bare.prove()?;
    let proof = runtime.block_on(bed.prove())?;
    table.note(format!("Batches of {words}: {proof}."));
    runtime.block_on(bed.close());
    Ok(())
}
