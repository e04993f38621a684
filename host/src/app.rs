//! What every handler can reach: the capabilities of one running server, put together once at start.

use crate::config::{Config, Protection};
use crate::directory;
use crate::engine::{COMPONENT, Engine};
use crate::identity::{Identity, TokenKeys};
use crate::jobs::DailyTime;
use crate::limits::Limits;
use crate::mail;
use crate::meters;
use crate::parties::Holders;
use crate::posting::{self, Ledger, Looks, Posting};
use crate::store::{self, Db};
use crate::system_clock;
use anyhow::{Context, bail};
use ledger_core::Amount;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// The name of the ledger behind the mutual-credit surface.
pub const MUTUAL_CREDIT: &str = "mutual-credit";

/// One running server. Clones share everything, and cost nothing: every layer of a route makes one for each request.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// The capabilities of a server.
#[derive(Clone)]
pub struct Parts {
    /// Where everything is kept.
    pub db: Db,
    /// Where money moves.
    pub posting: Posting,
    /// How the ledger is.
    pub looks: Looks,
    /// Who somebody is.
    pub identity: Identity,
    /// Who has which account number.
    pub holders: Holders,
    /// The mutual-credit ledger.
    pub ledger: Ledger,
    /// Floor and ceiling of a new member's account.
    pub new_member_limits: (Amount, Amount),
    /// How many requests one client may send.
    pub limits: Limits,
    /// What else keeps the server up.
    pub protection: Protection,
    /// Metrics have an address of their own.
    pub metrics_apart: bool,
    /// Somebody collects spans.
    pub traced: bool,
    /// How mails are sent.
    pub mail: mail::Settings,
    /// How many days a transfer waits for an answer; 0 for ever.
    pub pending_days: u32,
    /// When the daily digest is made.
    pub digest_at: DailyTime,
}

impl From<Parts> for App {
    fn from(parts: Parts) -> App {
        App(Arc::new(parts))
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    /// Opens the database, brings it up to date, loads the component and the keys.
    ///
    /// # Errors
    /// With a sentence that says what to do.
    pub async fn start(config: &Config) -> anyhow::Result<App> {
        // Before anything is there to be measured.
        meters::install();
        let db = open(config).await?;
        let started = Instant::now();
        let engine = tokio::task::spawn_blocking({
            let folder = config.data.clone();
            move || Engine::load_cached(COMPONENT, &folder)
        })
        .await??;
        tracing::info!(elapsed = ?started.elapsed(), "the ledger component is loaded");
        let ledger = posting::ensure_ledger(&db, MUTUAL_CREDIT, &config.unit).await?;
        if ledger.unit != config.unit {
            let (stored, given) = (&ledger.unit, &config.unit);
            bail!(
                "the ledger in this database counts {} with {} decimals, and the configuration says {} with {}: \
                 a ledger's unit never changes; set HESABU_UNIT and HESABU_SCALE to what it counts, or use another database",
                stored.code(),
                stored.scale(),
                given.code(),
                given.scale()
            );
        }
        meters::name_ledger(ledger.id, MUTUAL_CREDIT);
        let keys = TokenKeys::load_or_make(&config.token_key)?;
        let protection = config.protection.clone();
        Ok(App::from(Parts {
            posting: Posting::new(db.clone(), engine, Arc::new(system_clock)),
            looks: Looks::default(),
            identity: Identity::new(db.clone(), keys).with_lockout(protection.lockout),
            holders: Holders::new(&db),
            limits: Limits::start(&db, protection.rates),
            db,
            ledger,
            new_member_limits: config.new_member_limits,
            protection,
            metrics_apart: config.metrics_listen.is_some(),
            traced: config.otlp_endpoint.is_some(),
            mail: config.mail.clone(),
            pending_days: config.pending_days,
            digest_at: config.digest_at,
        }))
    }

    /// Finishes what is in flight.
    pub async fn close(&self) {
        self.posting.close().await;
        self.db.close().await;
    }
}

/// Opens the database of a configuration and brings its schema up to date.
///
/// # Errors
/// With a sentence that says what to do.
pub async fn open(config: &Config) -> anyhow::Result<Db> {
    make_folder(&config.data)
        .with_context(|| format!("the data folder {} cannot be made (HESABU_DATA)", config.data.display()))?;
    let db = Db::open(&config.database_url).await.context("the database cannot be opened (DATABASE_URL)")?;
    store::migrate(&db).await.context("the database cannot be brought up to date")?;
    let taken_over = directory::take_over(&db).await.context("the directory cannot be brought up to date")?;
    if taken_over > 0 {
        tracing::info!(taken_over, "the directory has what was there before it");
    }
    Ok(db)
}

/// Makes a folder that is its owner's alone; one that is there already stays as it is.
///
/// # Errors
/// When it cannot be made.
pub fn make_folder(path: &Path) -> std::io::Result<()> {
    let mut folder = std::fs::DirBuilder::new();
    folder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    folder.create(path)
}
