//! What the program can be told to do. Each command prints for people; `--json` prints for programs.

mod backup;
mod demo;
mod import;
mod journal;
mod logs;

pub(crate) use backup::{backup, restore};
pub(crate) use demo::demo;
pub(crate) use import::{Import, import};
pub(crate) use journal::journal;
pub(crate) use logs::start_logging;

use anyhow::{Context, bail};
use hesabu::api::Connections;
use hesabu::app::{self, App};
use hesabu::audit::{Act, Action};
use hesabu::config::{Config, Protection};
use hesabu::engine::{COMPONENT, Engine};
use hesabu::identity::{EMAIL_TAKEN, Identity, NewPerson, PasswordFault, TokenKeys, password_faults};
use hesabu::jobs::Background;
use hesabu::limits::Places;
use hesabu::mail::{ADDRESS_MAX, is_address};
use hesabu::posting::{Progress, Report};
use hesabu::store::{Db, Error};
use hesabu::{api, mint_id, posting};
use std::fs::{File, TryLockError};
use std::io::{ErrorKind, IsTerminal, Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

/// How long the last requests may take after the signal to stop.
const SHUTDOWN_MAX: Duration = Duration::from_secs(30);

/// How often a terminal is told how far a proof is.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

pub(crate) async fn serve(config: &Config) -> anyhow::Result<ExitCode> {
    let stop = signal_to_stop();
    let app = App::start(config).await?;
    let _alone = alone(&app.db)?;
    let listener = listen(config.listen, "HESABU_LISTEN").await?;
    let address = listener.local_addr()?;
    let background = Background::begin(&app)?;
    let unit = app.ledger.unit.code();
    let program = std::env::args().next().unwrap_or_else(|| "hesabu".into());
    let welcome = format!(
        "Hesabu serves mutual credit in {unit} at http://{address}/api/v1\n\
         Make the first administrator:  {program} admin create --email you@example.org\n\
         Then follow \"A first trade\" in the README. Stop with Ctrl-C.\n"
    );
    // Whoever started it may have stopped listening; that is no reason not to serve.
    let _ = std::io::stdout().write_all(welcome.as_bytes()).and_then(|()| std::io::stdout().flush());
    let Protection { connections_max: most, keep_alive, .. } = config.protection;
    let places = Places::new(config.protection.connections_max_by_address, config.protection.proxies.clone());
    let connections = Connections { most, places, keep_alive };
    let metrics = match config.metrics_listen {
        Some(address) => Some(listen(address, "HESABU_METRICS_LISTEN").await?),
        None => None,
    };
    let metrics = metrics.map(|listener| {
        tokio::spawn(api::serve(
            listener,
            api::metrics_router(app.clone()),
            connections.clone(),
            std::future::pending(),
        ))
    });
    let (stopping, stopped) = tokio::sync::oneshot::channel();
    let server = api::serve(listener, api::router(app.clone()), connections, async move {
        stop.await;
        tracing::info!("stopping: finishing what is in flight");
        let _ = stopping.send(());
    });
    let overdue = async {
        let _ = stopped.await;
        tokio::time::sleep(SHUTDOWN_MAX).await;
    };
    tokio::select! {
        () = server => {}
        () = overdue => tracing::warn!("some requests did not finish in time"),
    }
    // Figures of the end are worth as much as others.
    metrics.iter().for_each(tokio::task::JoinHandle::abort);
    background.end().await;
    app.close().await;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

async fn listen(address: SocketAddr, setting: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("{address} cannot be listened on ({setting})"))
}

/// Keeps a SQLite database for this process as long as the value lives: two that post would each have books of their own in memory. On
/// PostgreSQL they share the ledger, and nothing is kept.
fn alone(db: &Db) -> anyhow::Result<Option<File>> {
    db.file().map_or(Ok(None), alone_with)
}

/// The same for the database of this file, which may not be there yet.
fn alone_with(file: PathBuf) -> anyhow::Result<Option<File>> {
    let mut path = file.into_os_string();
    path.push(".lock");
    let file = File::create(&path).with_context(|| format!("{} cannot be made", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => bail!(
            "another hesabu is using this SQLite database, and only on PostgreSQL can several post: stop it first, or send it what is to be done"
        ),
        // A file system without locks.
        Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => Ok(None),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("{} cannot be locked", path.display())),
    }
}

/// Ctrl-C or SIGTERM. Listens from the call on, not only from when it is first waited for: what comes in between would end the process
/// in the middle of its work.
fn signal_to_stop() -> impl Future<Output = ()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let signals = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
        async move {
            let [interrupt, terminate] = signals.map(async |signal| match signal {
                Ok(mut signal) => drop(signal.recv().await),
                // It cannot be listened for; the system then ends the process.
                Err(_) => std::future::pending().await,
            });
            tokio::select! { () = interrupt => {}, () = terminate => {} }
        }
    }
    #[cfg(not(unix))]
    async {
        let _ = tokio::signal::ctrl_c().await;
    }
}

pub(crate) async fn migrate(config: &Config) -> anyhow::Result<ExitCode> {
    app::open(config).await?.close().await;
    println!("The database is up to date.");
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn verify(config: &Config, json: bool) -> anyhow::Result<ExitCode> {
    // It judges what is there: it makes nothing and migrates nothing.
    let db = Db::open_existing(&config.database_url).await.context("there is nothing to verify (DATABASE_URL)")?;
    let engine = Engine::load_cached(COMPONENT, &config.data)?;
    let (mut ledger_begun, mut told) = ((String::new(), Instant::now()), None);
    let progress = |ledger: &str, done: Progress| {
        if ledger_begun.0 != ledger {
            ledger_begun = (ledger.to_owned(), Instant::now());
        }
        let due = told.is_none_or(|told: Instant| told.elapsed() > PROGRESS_EVERY);
        if due && std::io::stderr().is_terminal() {
            told = Some(Instant::now());
            eprint!("\r{}\x1b[K", progress_text(ledger, done, ledger_begun.1.elapsed()));
        }
    };
    let reports = posting::verify(&db, &engine, progress).await?;
    if told.is_some() {
        eprintln!();
    }
    for report in &reports {
        if json {
            println!("{}", as_json(report));
        } else {
            println!("{}", as_text(report));
        }
    }
    if reports.is_empty() {
        bail!("there is no ledger in this database, and so nothing to prove");
    }
    let sound = reports.iter().all(|report| report.fault.is_none());
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

pub(crate) fn openapi() -> anyhow::Result<ExitCode> {
    println!("{}", api::mutual_credit_document()?);
    Ok(ExitCode::SUCCESS)
}

/// How far the proof of a ledger is, and how many rows a second it has compared since it began.
fn progress_text(ledger: &str, done: Progress, elapsed: Duration) -> String {
    let Progress { records, steps, steps_in_all } = done;
    let percent = if steps_in_all > 0 { steps.saturating_mul(100) / steps_in_all } else { 100 };
    let rate = i128::from(steps) * 1_000 / i128::try_from(elapsed.as_millis().max(1)).unwrap_or(i128::MAX);
    format!("{ledger}: {percent} %, {records} records, {steps} transfer rows, {rate} rows a second")
}

fn as_text(report: &Report) -> String {
    let Report { ledger, records, steps, accounts, head, fault } = report;
    match fault {
        None => format!(
            "{ledger}: proven. {records} journal records, {steps} transfer rows and {accounts} accounts agree, and the balances sum to zero. Head {head}."
        ),
        Some(fault) => {
            format!("{ledger}: BROKEN at {}: {} ({records} records before it are right).", fault.place, fault.what)
        }
    }
}

fn as_json(report: &Report) -> serde_json::Value {
    let fault = report.fault.as_ref().map(|fault| serde_json::json!({ "place": fault.place, "what": fault.what }));
    serde_json::json!({
        "ledger": report.ledger,
        "proven": report.fault.is_none(),
        "records": report.records,
        "transferRows": report.steps,
        "accounts": report.accounts,
        "head": report.head,
        "fault": fault,
    })
}

pub(crate) async fn create_administrator(config: &Config, email: &str) -> anyhow::Result<ExitCode> {
    if !is_address(email) {
        bail!("{email:?} is not an e-mail address of at most {ADDRESS_MAX} characters");
    }
    if std::io::stdin().is_terminal() {
        eprintln!("Type the password for {email} and press Enter, then Ctrl-D:");
    }
    let mut password = String::new();
    std::io::stdin().read_to_string(&mut password).context("the password could not be read from standard input")?;
    let password = password.trim_end_matches(['\r', '\n']).to_owned();
    let faults = password_faults(&password);
    if !faults.is_empty() {
        let lacks: Vec<&str> = faults.into_iter().map(fault_text).collect();
        bail!("this password will not do: {}", lacks.join("; "));
    }
    // Beside a server that runs, too: nothing is posted.
    let db = app::open(config).await?;
    let identity = Identity::new(db.clone(), TokenKeys::load_or_make(&config.token_key)?);
    let person = NewPerson { email: email.to_owned(), administrator: true, ..NewPerson::default() };
    let added = add_administrator(&db, &identity, &person, password).await?;
    db.close().await;
    match added {
        Ok(()) => println!("{email} is an administrator and can log in at /api/v1/admin/login."),
        Err(error) if error.violates(EMAIL_TAKEN) => bail!("somebody with the address {email} exists already"),
        Err(error) => return Err(error.into()),
    }
    Ok(ExitCode::SUCCESS)
}

/// Adds an administrator, and what the log says of it: nobody knows who is at the console. The inner error is the database's.
async fn add_administrator(
    db: &Db,
    identity: &Identity,
    person: &NewPerson,
    password: String,
) -> anyhow::Result<Result<(), Error>> {
    let id = mint_id();
    let add = identity.add_person(id, person, password).await?;
    let act = Act::by_nobody(Action::AccountCreated).as_administrator().to(id).saying(person.email.as_str());
    let written = async {
        let mut tx = db.begin().await?;
        tx.execute(add.sql, add.values).await?;
        act.write(&mut tx).await?;
        tx.commit().await
    };
    Ok(written.await)
}

const fn fault_text(fault: PasswordFault) -> &'static str {
    match fault {
        PasswordFault::TooShort => "it must have at least 8 characters",
        PasswordFault::TooLong => "it cannot have more than 100 characters",
        PasswordFault::NoLetter => "it must have a letter",
        PasswordFault::NoNumber => "it must have a number",
        PasswordFault::NoSpecial => "it must have a special character",
    }
}
