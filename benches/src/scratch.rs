//! Folders for databases that last as long as a run: in `target/bench`, on the disk that is measured.

use anyhow::Context;
use std::path::{Path, PathBuf};

/// Where everything is kept.
pub fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench")
}

/// A folder for what may be used again within a run.
pub fn folder(name: &str) -> anyhow::Result<PathBuf> {
    let folder = top().join(name);
    std::fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    Ok(folder)
}

/// Removes everything: at the end of a run, and before one, what a killed run has left.
pub fn clear() -> anyhow::Result<()> {
    match std::fs::remove_dir_all(top()) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// An empty folder, gone with this value.
#[derive(Debug)]
pub struct Fresh {
    /// Where it is.
    pub path: PathBuf,
}

impl Fresh {
    /// A new one, whose name begins with `name`.
    pub fn new(name: &str) -> anyhow::Result<Fresh> {
        let path = folder("fresh")?.join(format!("{name}-{}", uuid::Uuid::now_v7().simple()));
        std::fs::create_dir(&path)?;
        Ok(Fresh { path })
    }

    /// The address of a SQLite database in it.
    pub fn sqlite(&self) -> String {
        sqlite_url(&self.path)
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        // What stays is removed with the whole folder at the end of the run.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// The address of the SQLite database in a folder: the name that the server uses.
pub fn sqlite_url(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("hesabu.db").display())
}
