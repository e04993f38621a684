//! `hesabu journal`: prints the journal, for whoever wants to check it, or a statement against it (`docs/statements.md`).

use anyhow::{Context, bail};
use hesabu::config::Config;
use hesabu::posting::{self, Ledger, hash_text};
use hesabu::store::Db;
use hesabu::{app, id_text};
use serde_json::json;
use std::io::{ErrorKind, Write};
use std::process::ExitCode;

/// Records read at a time.
const RECORDS: i64 = 16;

pub(crate) async fn journal(config: &Config) -> anyhow::Result<ExitCode> {
    let db = Db::open_existing(&config.database_url).await.context("there is no journal to print (DATABASE_URL)")?;
    let Some(ledger) = posting::ledgers(&db).await?.into_iter().find(|ledger| ledger.name == app::MUTUAL_CREDIT) else {
        bail!("there is no ledger in this database, and so no journal");
    };
    let head = json!({
        "ledger": id_text(ledger.id.0),
        "name": ledger.name,
        "unit": ledger.unit.code(),
        "scale": ledger.unit.scale(),
    });
    let printed = print(&db, &ledger, &head.to_string()).await;
    db.close().await;
    match printed {
        // Whoever reads along has seen enough.
        Err(error)
            if error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe) => {}
        printed => printed?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn print(db: &Db, ledger: &Ledger, head: &str) -> anyhow::Result<()> {
    let mut out = std::io::BufWriter::new(std::io::stdout());
    writeln!(out, "{head}")?;
    let mut after = 0;
    loop {
        let records = posting::records(db, ledger.id, after, RECORDS).await?;
        let Some(last) = records.last() else { return Ok(out.flush()?) };
        after = last.seq;
        for record in &records {
            let body: String = record.body.iter().map(|byte| format!("{byte:02x}")).collect();
            writeln!(out, "{}", json!({ "record": record.seq, "hash": hash_text(&record.hash), "body": body }))?;
        }
    }
}
