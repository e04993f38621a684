//! Which keys the database may have: whether one is new can mostly be said without asking it.
//!
//! A new key is what nearly every command brings, and to look it up in the database would cost more than to decide its transfer. A filter
//! (`blocks.rs`) says of most of them that they were never kept; the others are looked for. It takes four bytes for each key. What a ledger
//! has stored is read into it when a lane takes the ledger: a little at once, a lot beside the first batches. Until then keys are looked up,
//! unless it comes sooner: for as long as that would take, they wait for it.

use super::blocks::{Blocks, PREFIX};
use super::pages;
use crate::store::{Db, Error, Tx};
use ledger_core::{Key, LedgerId};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::SetOnce;

/// Keys of one ledger that may be stored.
#[derive(Default, Debug)]
pub(super) struct Filter {
    /// Those that came since the ledger was taken: so few at first that the processor has all their blocks at hand.
    kept: Blocks,
    /// Those that were stored before.
    stored: Stored,
}

#[derive(Default, Debug)]
enum Stored {
    /// Nobody read them.
    #[default]
    Unknown,
    /// All were read.
    Read(Blocks),
    /// They are being read, and so many runs would have to be searched meanwhile.
    Reading(Arc<SetOnce<Blocks>>, u32),
}

/// How long a key is looked for in a run: some 27 µs on SQLite, with 50 million keys stored and their pages on the disk.
const SEARCH: Duration = Duration::from_micros(25);

/// Statements that are waited for when a ledger is taken.
const AT_ONCE: usize = 4;

impl Filter {
    /// Of the keys that the database has now and those that are [added](Filter::add): whatever is kept from now on must be.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn read(db: &Db, tx: &mut Tx, ledger: LedgerId) -> Result<Filter, Error> {
        let packed = tx.fetch_optional(PACKED, vec![ledger.0.into()]).await?;
        let (keys, runs) = packed.map_or(Ok((0, 0)), |row| Ok::<_, Error>((row.int("keys")?, row.int("runs")?)))?;
        let kept = Blocks::for_keys(usize::try_from(keys).unwrap_or_default());
        let mut reading = Reading { ledger, kept, next: Some(Place::Runs { after: -1 }) };
        for _ in 0..AT_ONCE {
            reading.go_on(tx).await?;
        }
        if reading.next.is_none() {
            return Ok(Filter { kept: Blocks::default(), stored: Stored::Read(reading.kept) });
        }
        let whole = Arc::new(SetOnce::new());
        tokio::spawn(reading.finish(db.clone(), Arc::downgrade(&whole)));
        let runs = u32::try_from(runs).unwrap_or(u32::MAX);
        Ok(Filter { kept: Blocks::default(), stored: Stored::Reading(whole, runs) })
    }

    /// While stored keys are read into these.
    #[cfg(test)]
    pub(super) fn reading(blocks: &Arc<SetOnce<Blocks>>) -> Filter {
        Filter { kept: Blocks::default(), stored: Stored::Reading(Arc::clone(blocks), 1) }
    }

    /// Whether the stored keys were read, or are being read.
    pub(super) const fn is_known(&self) -> bool {
        !matches!(self.stored, Stored::Unknown)
    }

    /// What is being read of the stored keys, while it is, and about how long it takes to look for these without it.
    pub(super) fn being_read(&self, keys: impl Iterator<Item = Key>) -> Option<(Arc<SetOnce<Blocks>>, Duration)> {
        match &self.stored {
            Stored::Reading(blocks, runs) if !blocks.initialized() => {
                let keys = u32::try_from(keys.count()).unwrap_or(u32::MAX);
                Some((Arc::clone(blocks), SEARCH.saturating_mul(*runs).saturating_mul(keys)))
            }
            _ => None,
        }
    }

    /// Whether this key may be stored, or was added. False is certain.
    pub(super) fn may_have(&self, key: Key) -> bool {
        let stored = || match &self.stored {
            Stored::Read(blocks) => blocks.may_have(key),
            Stored::Reading(blocks, _) => blocks.get().is_none_or(|blocks| blocks.may_have(key)),
            Stored::Unknown => true,
        };
        self.kept.may_have(key) || stored()
    }

    pub(super) fn add(&mut self, key: Key) {
        self.kept.add(key);
    }
}

/// The stored keys of a ledger, as far as they were read.
struct Reading {
    ledger: LedgerId,
    kept: Blocks,
    /// Where reading continues; none at the end.
    next: Option<Place>,
}

#[derive(Clone, Copy)]
enum Place {
    /// After this run.
    Runs { after: i64 },
    /// From this key on, in the pages of a run that has no prefixes.
    Pages { run: i64, first: u128 },
    /// From this key on, among those that have rows.
    Rows { first: u128 },
}

const PACKED: &str =
    "select cast(coalesce(sum(keys), 0) as bigint) as keys, count(*) as runs from key_run where ledger_id = $1";
const RUN: &str =
    "select r.run, r.keys, p.prefixes from key_run r left join key_prefix p on p.ledger_id = r.ledger_id and p.run = r.run
 where r.ledger_id = $1 and r.run > $2 order by r.run limit 1";
const PAGES: &str = "select first_key, entries from key_page
 where ledger_id = $1 and run = $2 and first_key >= $3 order by first_key limit $4";
const ROWS: &str =
    "select key_digest from idempotency where ledger_id = $1 and key_digest >= $2 order by key_digest limit $3";

/// Pages and rows read by one statement.
const PAGES_MAX: usize = 256;
const ROWS_MAX: usize = 8_192;

/// Bytes of prefixes that are added before others have their turn.
const PREFIXES_MAX: usize = PREFIX * 65_536;

/// Before it is tried again.
const PAUSE: Duration = Duration::from_secs(1);

impl Reading {
    /// Reads what one statement gives.
    async fn go_on(&mut self, tx: &mut Tx) -> Result<(), Error> {
        self.next = match self.next {
            None => None,
            Some(Place::Runs { after }) => Some(self.run(tx, after).await?),
            Some(Place::Pages { run, first }) => Some(self.pages(tx, run, first).await?),
            Some(Place::Rows { first }) => self.rows(tx, first).await?,
        };
        Ok(())
    }

    async fn run(&mut self, tx: &mut Tx, after: i64) -> Result<Place, Error> {
        let Some(row) = tx.fetch_optional(RUN, vec![self.ledger.0.into(), after.into()]).await? else {
            return Ok(Place::Rows { first: 0 });
        };
        let run = row.int("run")?;
        // None, or those of a version that had shorter ones: they say nothing here.
        let length = i64::try_from(PREFIX).unwrap_or(0) * row.int("keys")?;
        let prefixes = row.optional_bytes("prefixes")?.filter(|prefixes| i64::try_from(prefixes.len()) == Ok(length));
        let Some(prefixes) = prefixes else { return Ok(Place::Pages { run, first: 0 }) };
        for some in prefixes.chunks(PREFIXES_MAX) {
            self.kept.add_stored(some);
            tokio::task::yield_now().await;
        }
        Ok(Place::Runs { after: run })
    }

    async fn pages(&mut self, tx: &mut Tx, run: i64, first: u128) -> Result<Place, Error> {
        let limit = i64::try_from(PAGES_MAX).unwrap_or(i64::MAX);
        let rows = tx.fetch_all(PAGES, vec![self.ledger.0.into(), run.into(), first.into(), limit.into()]).await?;
        for row in &rows {
            let entries = row.bytes("entries")?;
            pages::entries(&entries).try_for_each(|entry| entry.map(|entry| self.kept.add(entry.key)))?;
        }
        let last = rows.last().filter(|_| rows.len() == PAGES_MAX).map(|row| row.id("first_key")).transpose()?;
        let next = last.and_then(|last| last.checked_add(1));
        Ok(next.map_or(Place::Runs { after: run }, |first| Place::Pages { run, first }))
    }

    async fn rows(&mut self, tx: &mut Tx, first: u128) -> Result<Option<Place>, Error> {
        let limit = i64::try_from(ROWS_MAX).unwrap_or(i64::MAX);
        let rows = tx.fetch_all(ROWS, vec![self.ledger.0.into(), first.into(), limit.into()]).await?;
        let mut last = first;
        for row in &rows {
            last = row.id("key_digest")?;
            self.kept.add(Key(last));
        }
        let next = if rows.len() == ROWS_MAX { last.checked_add(1) } else { None };
        Ok(next.map(|first| Place::Rows { first }))
    }

    /// Reads the rest, a little at a time, for as long as somebody waits for it. What is kept meanwhile is added by whoever keeps it, so
    /// that it does not matter whether it is seen here too.
    async fn finish(mut self, db: Db, whole: Weak<SetOnce<Blocks>>) {
        while whole.strong_count() > 0 && self.next.is_some() {
            let read = match db.begin_read().await {
                Ok(mut tx) => self.go_on(&mut tx).await,
                Err(error) => Err(error),
            };
            // Until it can be read, keys are looked up one by one.
            if let Err(error) = read {
                tracing::warn!(error = &error as &dyn std::error::Error, "posting: stored keys could not be read");
                tokio::time::sleep(PAUSE).await;
            }
        }
        if let Some(whole) = whole.upgrade() {
            let _ = whole.set(self.kept);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Filter;
    use ledger_core::Key;

    #[test]
    fn what_nobody_read_may_be_there() {
        assert!(Filter::default().may_have(Key(1)));
    }
}
