//! What every handler can reach: the capabilities of one running server, put together once at start.

use crate::config::Config;
use crate::engine::{COMPONENT, Engine};
use crate::identity::{Identity, TokenKeys};
use crate::jobs::DailyTime;
use crate::mail;
use crate::parties::Holders;
use crate::posting::{self, Ledger, Posting};
use crate::store::{self, Db};
use crate::system_clock;
use anyhow::{Context, bail};
use ledger_core::Amount;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// The name of the ledger behind the mutual-credit surface.
const MUTUAL_CREDIT: &str = "mutual-credit";

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
    /// Who somebody is.
    pub identity: Identity,
    /// Who has which account number.
    pub holders: Holders,
    /// The mutual-credit ledger.
    pub ledger: Ledger,
    /// Floor and ceiling of a new member's account.
    pub new_member_limits: (Amount, Amount),
    /// How mails are sent.
    pub mail: mail::Settings,
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
        let keys = TokenKeys::load_or_make(&config.token_key)?;
        Ok(App::from(Parts {
            posting: Posting::new(db.clone(), engine, Arc::new(system_clock)),
            identity: Identity::new(db.clone(), keys),
            holders: Holders::new(&db),
            db,
            ledger,
            new_member_limits: config.new_member_limits,
            mail: config.mail.clone(),
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
    Ok(db)
}

/// Makes a folder that is its owner's alone; one that is there already stays as it is.
fn make_folder(path: &Path) -> std::io::Result<()> {
    let mut folder = std::fs::DirBuilder::new();
    folder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    folder.create(path)
}
