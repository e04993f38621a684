//! Which keys the database may have: whether one is new can mostly be said without asking it.
//!
//! A new key is what nearly every command brings, and to look it up in the database would cost more than to decide its transfer. A Bloom
//! filter says of most of them that they were never kept; the others are looked for. It takes 20 bits for each key, and errs for 1 in
//! 3,000. What a ledger has stored is read into it when a lane takes the ledger: a little at once, a lot beside the first batches,
//! which look every key up until then.

use super::pages;
use crate::store::{Db, Error, Row, Tx};
use fastbloom::BloomFilter;
use ledger_core::{Key, LedgerId};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

/// How many keys the first layer has room for. Each next one has room for sixteen times as many, up to [`LAYER_MAX`]: a new key is looked for in
/// each of them.
const FIRST_LAYER: usize = 1 << 16;
const LAYER_MAX: usize = 1 << 24;
const BITS_PER_KEY: usize = 20;
const HASHES: u32 = 6;

/// Keys of one ledger that may be stored.
#[derive(Default, Debug)]
pub(super) struct Filter {
    kept: Layers,
    /// Those that were stored before.
    stored: Stored,
}

#[derive(Default, Debug)]
enum Stored {
    /// Nobody read them, or others may have kept some since that nobody added.
    #[default]
    Unknown,
    /// All are in `kept`.
    Read,
    /// They are being read.
    Reading(Arc<OnceLock<Layers>>),
}

impl Filter {
    /// Of the keys that the database has now and those that are [added](Filter::add): whatever is kept from now on must be.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn read(db: &Db, tx: &mut Tx, ledger: LedgerId) -> Result<Filter, Error> {
        let mut filter = Filter { kept: Layers::default(), stored: Stored::Read };
        let mut place = Some(Place::Pages { run: -1, first: 0 });
        for _ in 0..2 {
            let Some(next) = place else { break };
            place = read_some(tx, ledger, next, &mut filter.kept).await?;
        }
        if let Some(rest) = place {
            let layers = Arc::new(OnceLock::new());
            filter.stored = Stored::Reading(Arc::clone(&layers));
            let packed = tx.fetch_optional(PACKED, vec![ledger.0.into()]).await?;
            let packed = packed.map_or(Ok(0), |row| row.int("keys"))?;
            tokio::spawn(read_rest(db.clone(), ledger, rest, Layers::for_keys(packed), Arc::downgrade(&layers)));
        }
        Ok(filter)
    }

    /// Whether the stored keys were read, or are being read.
    pub(super) const fn is_known(&self) -> bool {
        !matches!(self.stored, Stored::Unknown)
    }

    /// Whether this key may be stored, or was added. False is certain.
    pub(super) fn may_have(&self, key: Key) -> bool {
        let stored = match &self.stored {
            Stored::Read => false,
            Stored::Reading(layers) => layers.get().is_none_or(|layers| layers.may_have(key)),
            Stored::Unknown => true,
        };
        stored || self.kept.may_have(key)
    }

    pub(super) fn add(&mut self, key: Key) {
        self.kept.add(key);
    }
}

/// Filters, each for more keys than the one before.
#[derive(Debug)]
struct Layers {
    layers: Vec<BloomFilter>,
    /// How many keys the last one has room for still.
    room: usize,
    /// How many the next one will have room for.
    next: usize,
}

impl Default for Layers {
    fn default() -> Layers {
        Layers { layers: vec![], room: 0, next: FIRST_LAYER }
    }
}

impl Layers {
    /// With room for so many in the first.
    fn for_keys(count: i64) -> Layers {
        let next = usize::try_from(count).unwrap_or_default().max(FIRST_LAYER);
        Layers { next, ..Layers::default() }
    }

    fn may_have(&self, key: Key) -> bool {
        let hash = hash(key);
        self.layers.iter().rev().any(|layer| layer.contains_hash(hash))
    }

    fn add(&mut self, key: Key) {
        if self.room == 0 {
            self.room = self.next;
            self.next = (self.room * 16).min(LAYER_MAX);
            self.layers.push(BloomFilter::with_num_bits(self.room * BITS_PER_KEY).hashes(HASHES));
        }
        if let Some(last) = self.layers.last_mut() {
            last.insert_hash(hash(key));
        }
        self.room -= 1;
    }
}

/// A key is the digest of a text: any bits of it are as good as a hash.
fn hash(key: Key) -> u64 {
    u64::try_from(key.0 >> 64).expect("it is the upper half")
}

/// Where reading continues.
#[derive(Clone, Copy)]
enum Place {
    /// After this page.
    Pages { run: i64, first: u128 },
    /// From this key on, among those that have rows.
    Rows { first: u128 },
}

const PACKED: &str = "select cast(coalesce(sum(keys), 0) as bigint) as keys from key_run where ledger_id = $1";
const PAGES: &str = "select run, first_key, entries from key_page
 where ledger_id = $1 and (run, first_key) > ($2, $3) order by run, first_key limit $4";
const ROWS: &str =
    "select key_digest from idempotency where ledger_id = $1 and key_digest >= $2 order by key_digest limit $3";

/// Before it is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// Pages and rows read by one statement.
const PAGES_MAX: usize = 256;
const ROWS_MAX: usize = 8_192;

/// Reads one statement's worth, and tells where to go on; none when that was all.
async fn read_some(tx: &mut Tx, ledger: LedgerId, place: Place, into: &mut Layers) -> Result<Option<Place>, Error> {
    match place {
        Place::Pages { run, first } => {
            let limit = i64::try_from(PAGES_MAX).unwrap_or(i64::MAX);
            let rows = tx.fetch_all(PAGES, vec![ledger.0.into(), run.into(), first.into(), limit.into()]).await?;
            for row in &rows {
                let entries = row.bytes("entries")?;
                pages::entries(&entries).try_for_each(|entry| entry.map(|entry| into.add(entry.key)))?;
            }
            let last = rows.last().filter(|_| rows.len() == PAGES_MAX);
            let after = |row: &Row| Ok(Place::Pages { run: row.int("run")?, first: row.id("first_key")? });
            Ok(Some(last.map_or(Ok::<_, Error>(Place::Rows { first: 0 }), after)?))
        }
        Place::Rows { first } => {
            let limit = i64::try_from(ROWS_MAX).unwrap_or(i64::MAX);
            let rows = tx.fetch_all(ROWS, vec![ledger.0.into(), first.into(), limit.into()]).await?;
            let mut last = first;
            for row in &rows {
                last = row.id("key_digest")?;
                into.add(Key(last));
            }
            let next = if rows.len() == ROWS_MAX { last.checked_add(1) } else { None };
            Ok(next.map(|first| Place::Rows { first }))
        }
    }
}

/// Reads the rest, a little at a time, for as long as somebody waits for it. What is kept meanwhile is added by whoever keeps it, so
/// that it does not matter whether it is seen here too.
async fn read_rest(db: Db, ledger: LedgerId, mut place: Place, mut layers: Layers, whole: Weak<OnceLock<Layers>>) {
    while whole.strong_count() > 0 {
        let read = match db.begin_read().await {
            Ok(mut tx) => read_some(&mut tx, ledger, place, &mut layers).await,
            Err(error) => Err(error),
        };
        match read {
            Ok(Some(next)) => place = next,
            Ok(None) => {
                if let Some(whole) = whole.upgrade() {
                    let _ = whole.set(layers);
                }
                return;
            }
            // Until it can be read, keys are looked up one by one.
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "posting: stored keys could not be read");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Filter, Layers, Stored};
    use ledger_core::Key;

    fn key(number: u64) -> Key {
        crate::posting::key(7, &number.to_string())
    }

    #[test]
    fn every_key_that_was_added_may_be_there_and_few_others() {
        let mut filter = Filter { kept: Layers::default(), stored: Stored::Read };
        (0..300_000).for_each(|number| filter.add(key(number)));
        assert!((0..300_000).all(|number| filter.may_have(key(number))));
        let wrong = (300_000..400_000).filter(|number| filter.may_have(key(*number))).count();
        assert!(wrong < 200, "{wrong} of 100,000");
    }

    #[test]
    fn what_nobody_read_may_be_there() {
        assert!(Filter::default().may_have(key(1)));
    }
}
