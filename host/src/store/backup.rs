//! A SQLite file copied as it is at one moment, while others go on writing to it.

use super::Error;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

/// Pages copied between two words about how far it is: a quarter of a megabyte, as pages are.
const PAGES: i32 = 64;

/// How long somebody may be in the way of the first look.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// The pause when a file is locked for a moment.
const PAUSE: Duration = Duration::from_millis(20);

/// How far a copy is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pages {
    /// Copied so far.
    pub done: u64,
    /// All there are.
    pub all: u64,
}

/// Copies the database in file `from` into file `to`, which must be empty. Everything that was committed before the call is in the copy, and
/// nothing that was begun after its first step. `progress` may break it off. The copy is durable when its file is synced.
///
/// # Errors
/// When `from` is no database of this program's, when either file fails, or with nothing when it was broken off.
pub fn copy_file(
    from: &Path,
    to: &Path,
    mut progress: impl FnMut(Pages) -> ControlFlow<()>,
) -> Result<Option<Pages>, Error> {
    let source = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    source.busy_timeout(BUSY_TIMEOUT)?;
    // The transaction keeps one state in view. A copy that looked again for each step would begin anew with every commit of somebody else.
    source.execute_batch("begin; select 1 from _sqlx_migrations limit 1; select 1 from journal limit 1")?;
    let mut copy = Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // Until it is complete and synced as a whole, the copy is worth nothing.
    copy.execute_batch("pragma journal_mode = off; pragma synchronous = off")?;
    let backup = Backup::new(&source, &mut copy)?;
    loop {
        let step = backup.step(PAGES)?;
        let so_far = backup.progress();
        let count = |pages: i32| u64::try_from(pages).unwrap_or_default();
        let pages = Pages { done: count(so_far.pagecount - so_far.remaining), all: count(so_far.pagecount) };
        match step {
            StepResult::Done => {
                drop(backup);
                copy.close().map_err(|(_, error)| error)?;
                return Ok(Some(pages));
            }
            StepResult::More => {}
            // Either file is locked for a moment.
            _ => std::thread::sleep(PAUSE),
        }
        if progress(pages).is_break() {
            return Ok(None);
        }
    }
}
