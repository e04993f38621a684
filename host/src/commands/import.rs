//! `hesabu import`: the rows of a CSV file as transfers at once, some thousand at a time. It can be stopped and run again at any time: each
//! row has a key, so nothing happens twice.

use super::{alone, signal_to_stop};
use anyhow::{Context, anyhow, bail};
use clap::Args;
use hesabu::accounts::{self, Form, ImportError, Keys, Placed, Reading, Refusal, Row, Sender};
use hesabu::app::App;
use hesabu::config::Config;
use std::fs::File;
use std::io::{IsTerminal, Read};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Some rows were refused; all others are in the books. (1 says that it could not finish, 2 that it was told nonsense.)
const SOME_REFUSED: u8 = 3;

/// How often progress is told: often to somebody who watches, seldom to a log.
const TELL_TERMINAL: Duration = Duration::from_millis(200);
const TELL_LOG: Duration = Duration::from_secs(10);

/// Refused rows that are told on standard error when there is no file for them.
const TOLD_MAX: u64 = 10;

/// What to import.
#[derive(Args)]
pub(crate) struct Import {
    /// The CSV file, `-` for standard input. Its first row names the columns: payer, payee, amount, and perhaps description and key
    #[arg(value_name = "FILE.csv")]
    file: PathBuf,
    /// For rows without a key of their own: a name that no other file has, such as `wages-2026-11`. With the number of the row it is the key
    #[arg(long, value_name = "NAME")]
    key_prefix: Option<String>,
    /// Write the rows that were refused to this file, with the reason; it can be imported again when it has been put right
    #[arg(long, value_name = "FILE.csv")]
    refused: Option<PathBuf>,
}

pub(crate) async fn import(config: &Config, import: Import, json: bool) -> anyhow::Result<ExitCode> {
    let app = App::start(config).await?;
    let imported = match alone(&app.db) {
        Ok(_alone) => run(&app, import).await,
        Err(error) => Err(error),
    };
    // Also after a failure: what was acknowledged is written out, and the ledger is let go for others at once.
    app.close().await;
    let counts = imported?;
    let Counts { rows, done, repeated, refused, started } = counts;
    let milliseconds = started.elapsed().as_millis();
    if json {
        let summary = serde_json::json!({
            "rows": rows, "done": done, "doneBefore": repeated, "refused": refused,
            "milliseconds": u64::try_from(milliseconds).unwrap_or(u64::MAX),
        });
        println!("{summary}");
    } else {
        println!("{rows} rows: {done} done, {repeated} done before, {refused} refused, in {milliseconds} ms.");
    }
    Ok(if refused == 0 { ExitCode::SUCCESS } else { ExitCode::from(SOME_REFUSED) })
}

/// What became of the rows so far.
struct Counts {
    rows: u64,
    done: u64,
    /// Done by an earlier run.
    repeated: u64,
    refused: u64,
    started: Instant,
}

async fn run(app: &App, import: Import) -> anyhow::Result<Counts> {
    let Import { file, key_prefix, refused } = import;
    let source: Box<dyn Read + Send> = if file.as_os_str() == "-" {
        Box::new(std::io::stdin())
    } else {
        Box::new(File::open(&file).with_context(|| format!("{} cannot be read", file.display()))?)
    };
    let keys = Keys { sender: Keys::OPERATOR, prefix: key_prefix };
    let mut reading = Reading::of(source, app.ledger.unit.clone(), keys).await.map_err(|error| match error {
        error @ ImportError::NoKeys => anyhow!("{error} (--key-prefix)"),
        error => error.into(),
    })?;
    let mut report = Report::to(refused, reading.form())?;
    let stop = signal_to_stop();
    tokio::pin!(stop);
    loop {
        let rows = tokio::select! {
            biased;
            () = &mut stop => bail!("stopped: {}", report.so_far()),
            rows = reading.next_batch() => rows.with_context(|| report.so_far())?,
        };
        if rows.is_empty() {
            return report.end();
        }
        let form = reading.form();
        let each = accounts::post_rows(&app.posting, &app.ledger, form, Sender::Operator, &rows).await;
        report.add(form, &rows, &each.with_context(|| report.so_far())?)?;
    }
}

/// Tells how far it is, and which rows were refused.
struct Report {
    counts: Counts,
    refused: Option<(PathBuf, csv::Writer<File>)>,
    terminal: bool,
    told: Instant,
}

impl Report {
    fn to(refused: Option<PathBuf>, form: &Form) -> anyhow::Result<Report> {
        let refused = match refused {
            None => None,
            Some(path) => {
                let cannot = || format!("{} cannot be written", path.display());
                let file = File::create(&path).with_context(cannot)?;
                let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(file);
                writer.write_record(form.refused_names()).with_context(cannot)?;
                Some((path, writer))
            }
        };
        let now = Instant::now();
        let counts = Counts { rows: 0, done: 0, repeated: 0, refused: 0, started: now };
        Ok(Report { counts, refused, terminal: std::io::stderr().is_terminal(), told: now })
    }

    fn add(&mut self, form: &Form, rows: &[Row], each: &[Result<Placed, Refusal>]) -> anyhow::Result<()> {
        for (row, outcome) in rows.iter().zip(each) {
            self.counts.rows += 1;
            match outcome {
                Ok(Placed { repeated: false, .. }) => self.counts.done += 1,
                Ok(Placed { repeated: true, .. }) => self.counts.repeated += 1,
                Err(refusal) => self.refuse(form, row, *refusal)?,
            }
        }
        // Before anybody hears how far it is.
        if let Some((path, writer)) = &mut self.refused {
            writer.flush().with_context(|| format!("{} cannot be written", path.display()))?;
        }
        let every = if self.terminal { TELL_TERMINAL } else { TELL_LOG };
        if self.told.elapsed() >= every {
            self.tell();
        }
        Ok(())
    }

    fn refuse(&mut self, form: &Form, row: &Row, refusal: Refusal) -> anyhow::Result<()> {
        self.counts.refused += 1;
        match &mut self.refused {
            Some((path, writer)) => {
                let written = writer.write_record(form.refused_fields(row, refusal));
                written.with_context(|| format!("{} cannot be written", path.display()))?;
            }
            None if self.counts.refused <= TOLD_MAX => eprintln!("{}row {}: {refusal}", self.line_start(), row.number),
            None if self.counts.refused == TOLD_MAX + 1 => {
                eprintln!("{}more rows were refused: --refused keeps them all", self.line_start())
            }
            None => {}
        }
        Ok(())
    }

    fn tell(&mut self) {
        self.told = Instant::now();
        let Counts { rows, refused, started, .. } = &self.counts;
        let milliseconds = started.elapsed().as_millis().max(1);
        let rate = u128::from(*rows) * 1_000 / milliseconds;
        let (start, end) = (self.line_start(), if self.terminal { "" } else { "\n" });
        eprint!("{start}{rows} rows, {rate} a second, {refused} refused{end}");
    }

    /// On a terminal progress stays on its line: what is written next takes its place.
    const fn line_start(&self) -> &'static str {
        if self.terminal { "\r\x1b[K" } else { "" }
    }

    fn so_far(&self) -> String {
        let rows = self.counts.rows;
        format!("the first {rows} rows are done or refused; running the same again goes on, and does nothing twice")
    }

    fn end(mut self) -> anyhow::Result<Counts> {
        self.tell();
        if self.terminal {
            eprintln!();
        }
        Ok(self.counts)
    }
}
