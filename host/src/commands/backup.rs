//! `hesabu backup` and `hesabu restore`: the embedded database as one file, taken while a server writes to it, and put back. A file under its
//! own name is always whole: until then it is called `.partial`. PostgreSQL has better tools of its own.

use super::{PROGRESS_EVERY, alone_with, signal_to_stop};
use anyhow::{Context, bail, ensure};
use hesabu::app::make_folder;
use hesabu::config::Config;
use hesabu::store::{Pages, copy_file, file_of};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

pub(crate) async fn backup(config: &Config, file: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let database = embedded(config)?;
    ensure!(database.exists(), "there is no database at {} (DATABASE_URL)", database.display());
    ensure!(!file.exists(), "{} is there already, and a back-up never takes the place of another", file.display());
    let made = Partial::of(file)?.fill(&database).await?;
    ensure!(!file.exists(), "{} was made by somebody else meanwhile", file.display());
    let (bytes, began) = made.name(file)?;
    let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    if json {
        println!("{}", serde_json::json!({ "file": file, "bytes": bytes, "milliseconds": milliseconds }));
    } else {
        println!("{} has everything until now: {bytes} bytes, in {milliseconds} ms.", file.display());
        println!("Prove it:  hesabu verify --database-url sqlite:{}", file.display());
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn restore(config: &Config, file: &Path, replace: bool, json: bool) -> anyhow::Result<ExitCode> {
    let database = embedded(config)?;
    ensure!(file.exists(), "there is no file at {}", file.display());
    if let Some(folder) = database.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        make_folder(folder).with_context(|| format!("the folder {} cannot be made", folder.display()))?;
    }
    let same = fs::canonicalize(file)?;
    ensure!(fs::canonicalize(&database).ok() != Some(same), "{} is the database itself", file.display());
    let _alone = alone_with(database.clone())?;
    let old = parts(&database).iter().any(|part| part.exists());
    ensure!(
        replace || !old,
        "there is a database at {} already: with --replace it is kept beside under another name",
        database.display()
    );
    let made = Partial::of(&database)?.fill(file).await?;
    let aside = if old { Some(set_aside(&database)?) } else { None };
    let kept = || aside.as_ref().map_or_else(String::new, |aside| format!("what was there is {}", aside.display()));
    let (bytes, _) = made.name(&database).with_context(kept)?;
    if json {
        println!("{}", serde_json::json!({ "file": database, "bytes": bytes, "replaced": aside }));
        return Ok(ExitCode::SUCCESS);
    }
    println!("{} is the database of {} now: {bytes} bytes.", database.display(), file.display());
    aside.iter().for_each(|aside| println!("What was there is {}.", aside.display()));
    println!("Prove it with `hesabu verify` before you serve it.");
    Ok(ExitCode::SUCCESS)
}

/// The file of the embedded database.
fn embedded(config: &Config) -> anyhow::Result<PathBuf> {
    match file_of(&config.database_url)? {
        Some(file) => Ok(file),
        None => bail!(
            "this database is PostgreSQL's (DATABASE_URL), which is backed up and restored by its own tools: \
             pg_dump and pg_restore, or pg_basebackup with an archive of its log"
        ),
    }
}

/// Whether an open file still has this name.
fn is_at(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let id = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        file.metadata().ok().map(id) == fs::metadata(path).ok().map(id)
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        path.exists()
    }
}

/// A database's file, and those that SQLite keeps beside it.
fn parts(database: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|end| beside(database, end))
}

fn beside(file: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(end);
    name.into()
}

/// Gives a database another name, with what belongs to it: a log that was left behind would be taken for the next one's.
fn set_aside(database: &Path) -> anyhow::Result<PathBuf> {
    let end = format!(".replaced-{}", hesabu::system_clock().0);
    let aside = beside(database, &end);
    for (part, kept) in parts(database).iter().zip(parts(&aside)) {
        if part.exists() {
            let cannot = || format!("{} cannot be renamed to {}", part.display(), kept.display());
            fs::rename(part, &kept).with_context(cannot)?;
        }
    }
    Ok(aside)
}

/// A copy that is not complete. Dropping it removes it; a process that is killed leaves it under its name.
struct Partial {
    path: PathBuf,
    /// Locked, so that nobody else writes there at the same time.
    file: File,
    began: Instant,
    named: bool,
}

impl Partial {
    /// Of the file that it is to be. What an earlier run left is written over.
    fn of(file: &Path) -> anyhow::Result<Partial> {
        let (path, began) = (beside(file, ".partial"), Instant::now());
        let cannot = || format!("{} cannot be made", path.display());
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        // Hashes of passwords are in it.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).with_context(cannot)?;
        let locked = !matches!(file.try_lock(), Err(TryLockError::WouldBlock));
        // Whoever held the lock until now may have given the file its name: it is a back-up, and not ours to write over.
        ensure!(locked && is_at(&file, &path), "somebody else is writing {}", path.display());
        file.set_len(0).with_context(cannot)?;
        Ok(Partial { path, file, began, named: false })
    }

    /// Copies a database into it, and tells people how far it is. Durable afterwards.
    async fn fill(self, database: &Path) -> anyhow::Result<Partial> {
        let stopped = Arc::new(AtomicBool::new(false));
        let (from, to, stop) = (database.to_owned(), self.path.clone(), Arc::clone(&stopped));
        let copying = tokio::task::spawn_blocking(move || {
            let mut told = Told::default();
            let copied = copy_file(&from, &to, |pages| {
                told.tell(pages);
                if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            told.end();
            copied
        });
        let signal = tokio::spawn({
            let signal = signal_to_stop();
            async move {
                signal.await;
                stopped.store(true, Ordering::Relaxed);
            }
        });
        let copied = copying.await;
        signal.abort();
        let cannot = || format!("{} cannot be copied to {}", database.display(), self.path.display());
        if copied?.with_context(cannot)?.is_none() {
            bail!("stopped: nothing was made");
        }
        self.file.sync_all().with_context(cannot)?;
        Ok(self)
    }

    /// Gives it its name: it is whole. How many bytes it has, and when it was begun.
    fn name(mut self, file: &Path) -> anyhow::Result<(u64, Instant)> {
        let cannot = || format!("{} cannot be renamed to {}", self.path.display(), file.display());
        fs::rename(&self.path, file).with_context(cannot)?;
        self.named = true;
        // The name is durable when the folder is.
        #[cfg(unix)]
        {
            let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            File::open(folder).and_then(|folder| folder.sync_all()).with_context(cannot)?;
        }
        Ok((self.file.metadata()?.len(), self.began))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.named {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// How far it is, on a terminal.
#[derive(Default)]
struct Told(Option<Instant>);

impl Told {
    fn tell(&mut self, Pages { done, all }: Pages) {
        let due = self.0.is_none_or(|told| told.elapsed() > PROGRESS_EVERY);
        if due && std::io::stderr().is_terminal() {
            self.0 = Some(Instant::now());
            eprint!("\r{} % of {all} pages\x1b[K", done * 100 / all.max(1));
        }
    }

    fn end(&self) {
        if self.0.is_some() {
            eprintln!();
        }
    }
}
