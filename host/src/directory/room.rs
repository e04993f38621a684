//! Room for searches: how many of them read, and how many compare texts, at the same time. However many come at once, they wait for each other
//! here, and keep neither the connections that others need nor the threads that answer them. What they look for is not told here.

use crate::store::{Db, Error, Row, Value};
use std::sync::{Arc, LazyLock};
use std::thread::available_parallelism;
use tokio::sync::Semaphore;

/// Connections that searches have at the same time: half of those that a SQLite file has for readers.
const READING_MAX: usize = 4;

/// Searches that compare texts at the same time, on a machine that has no more cores.
const COMPARING_MIN: usize = 2;

/// Of this process, whose cores they share.
static ROOM: LazyLock<Room> = LazyLock::new(|| {
    let cores = available_parallelism().map_or(COMPARING_MIN, usize::from);
    Room { reading: Semaphore::new(READING_MAX), comparing: Arc::new(Semaphore::new(cores.max(COMPARING_MIN))) }
});

struct Room {
    reading: Semaphore,
    comparing: Arc<Semaphore>,
}

/// All rows that a query gives, when it is this search's turn to read.
///
/// # Errors
/// When the database fails.
pub(super) async fn read(db: &Db, sql: &'static str, values: Vec<Value>) -> Result<Vec<Row>, Error> {
    let _turn = ROOM.reading.acquire().await.map_err(|error| Error::Unavailable(error.into()))?;
    db.fetch_all(sql, values).await
}

/// What `work` comes to, which takes its time, on a thread that may be kept. Who has asked may go away: its turn ends with the work.
///
/// # Errors
/// When it panics.
pub(super) async fn compare<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    let turn = Arc::clone(&ROOM.comparing).acquire_owned().await.map_err(|error| Error::Unavailable(error.into()))?;
    let working = tokio::task::spawn_blocking(move || {
        let done = work();
        drop(turn);
        done
    });
    working.await.map_err(|error| Error::Unavailable(error.into()))
}
