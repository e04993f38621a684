//! Where mails go: a server, or files.

use super::settings::Way;
use super::smtp::Smtp;
use anyhow::Context;
use lettre::{Address, Message};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where mails go.
pub(super) enum Transport {
    Files(PathBuf),
    Smtp(Smtp),
}

/// Why a mail was not taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Failure {
    /// It never will be.
    Refused(String),
    /// It may be later.
    Later(String),
    /// Nothing is taken at the moment.
    Down(String),
}

impl Transport {
    /// This way, for mails of a sender at `domain`.
    ///
    /// # Errors
    /// When it cannot be gone.
    pub(super) fn new(way: &Way, domain: &str) -> anyhow::Result<Transport> {
        Ok(match way {
            Way::Files(folder) => {
                make_folder(folder)
                    .with_context(|| format!("the folder {} for mails cannot be made", folder.display()))?;
                Transport::Files(folder.clone())
            }
            Way::Smtp(server) => Transport::Smtp(Smtp::new((**server).clone(), domain)?),
        })
    }

    /// Hands a mail over, in `most` at most. `name` is the same each time that it is tried.
    pub(super) async fn send(
        &self,
        name: &str,
        from: &Address,
        to: &Address,
        mail: &Message,
        most: Duration,
    ) -> Result<(), Failure> {
        match self {
            Transport::Files(folder) => {
                let (folder, name, bytes) = (folder.clone(), name.to_owned(), mail.formatted());
                let written = tokio::task::spawn_blocking(move || write(&folder, &name, &bytes)).await;
                let written = written.unwrap_or_else(|error| Err(std::io::Error::other(error)));
                written.map_err(|error| Failure::Down(format!("the file cannot be written: {error}")))
            }
            Transport::Smtp(smtp) => {
                let sent = tokio::time::timeout(most, smtp.send(from, to, &mail.formatted())).await;
                sent.unwrap_or_else(|_| Err(Failure::Later("the server has not answered in time".into())))
            }
        }
    }
}

impl Transport {
    /// Makes what was taken durable, all of it together: to be asked before its rows go.
    ///
    /// # Errors
    /// When that is not known of some of it. It is tried again, or sent again.
    pub(super) async fn settle(&self) -> std::io::Result<()> {
        match self {
            Transport::Files(folder) => {
                let folder = folder.clone();
                tokio::task::spawn_blocking(move || sync(&folder)).await.unwrap_or_else(|error| Err(error.into()))
            }
            // The server has said so.
            Transport::Smtp(_) => Ok(()),
        }
    }
}

/// Mails are private: only the owner of the folder reads them.
fn make_folder(path: &Path) -> std::io::Result<()> {
    let mut folder = DirBuilder::new();
    folder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    folder.create(path)
}

/// All of it or nothing under its name; written again, it is the same file. Durable only after [`sync`].
fn write(folder: &Path, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let (unfinished, finished) = (folder.join(format!(".{name}.part")), folder.join(format!("{name}.eml")));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file: File = options.open(&unfinished)?;
    file.write_all(bytes)?;
    #[cfg(not(target_os = "linux"))]
    file.sync_all()?;
    std::fs::rename(&unfinished, &finished)
}

/// Makes the files in a folder durable, with their names, by one flush of the disk: one for each file would take it from those who post.
#[cfg(target_os = "linux")]
fn sync(folder: &Path) -> std::io::Result<()> {
    Ok(rustix::fs::syncfs(File::open(folder)?)?)
}

/// Makes the names of the files in a folder durable: elsewhere each file was by itself.
#[cfg(not(target_os = "linux"))]
fn sync(folder: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}
