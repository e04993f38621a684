//! The proof of the keys: each that a client sent must be kept as it was answered, and no other.
//!
//! Rows lie in the order of the keys, which are random; the journal has them in the order of time. To compare them one by one would
//! be a search for each, or all of them in memory. So both sides are collected, each key with everything that is kept of it
//! (`collection.rs`). Only when the collections differ, each key is searched for, to be named.

use super::collection::{Collection, Draw};
use super::decide::Decider;
use super::{Replay, Stop, fault};
use crate::posting::blocks;
use crate::posting::idempotency::{self, Kept};
use crate::posting::pages::{self, Entry};
use crate::posting::resident::ById;
use crate::store::{Error, Scanned, Tx};
use ledger_core::{Key, codec};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;

/// Rows read by one statement.
const CHUNK: i64 = 65_536;

/// Records in which a key is searched for at a time.
const RECORDS: i64 = 16;

const ROWS: &str = "select key_digest, transfer_id, at, refused_command, refused_verdict
 from idempotency where ledger_id = $1 and key_digest >= $2 order by key_digest limit $3";

const PAGES: &str = "select run, first_key, entries from key_page where ledger_id = $1 order by run, first_key";

const PREFIXES: &str = "select run, prefixes from key_prefix where ledger_id = $1";

/// What the pages of a run have.
#[derive(Default)]
struct Paged {
    keys: i64,
    /// Of what is stored of them to know them by.
    prefixes: Sha256,
}

/// The keys that the journal has, so far.
pub(super) struct Keys {
    draw: Draw,
    /// Those whose rows must be there.
    due: Collection,
    /// Those whose rows may follow, and the records that they are of.
    later: ById<Key, (i64, Kept)>,
}

impl Keys {
    pub(super) fn new() -> Keys {
        Keys { draw: Draw::new(), due: Collection::EMPTY, later: ById::default() }
    }
}

impl Collection {
    fn add_key(&mut self, draw: &Draw, key: u128, transfer: u128, at: i64, refusal: Option<(&[u8], &[u8])>) {
        let ([key_high, key_low], [transfer_high, transfer_low]) = (halves(key), halves(transfer));
        let kept = [key_high, key_low, transfer_high, transfer_low, at.cast_unsigned()];
        let Some((command, verdict)) = refusal else { return self.add(draw, &kept) };
        // Both are canonical, so that where one ends and the other begins is told by themselves.
        let digest = Sha256::new().chain_update(command).chain_update(verdict).finalize();
        let [digest_high, digest_low] = halves(crate::posting::group::first_128(&digest));
        let [a, b, c, d, e] = kept;
        self.add(draw, &[a, b, c, d, e, digest_high, digest_low]);
    }

    fn add_kept(&mut self, draw: &Draw, kept: &Kept) {
        let refusal = kept.refusal_bytes();
        let refusal = refusal.as_ref().map(|(command, verdict)| (&command[..], &verdict[..]));
        self.add_key(draw, kept.key.0, kept.transfer.0, kept.at.0, refusal);
    }
}

/// The upper and the lower half.
const fn halves(number: u128) -> [u64; 2] {
    [(number >> 64) as u64, (number & 0xffff_ffff_ffff_ffff) as u64]
}

/// A key as it is stored, in a row or in a page.
struct Stored<'r> {
    key: Key,
    transfer: u128,
    at: i64,
    refusal: Option<(&'r [u8], &'r [u8])>,
}

impl Stored<'_> {
    fn is(&self, kept: &Kept) -> bool {
        let refusal = kept.refusal_bytes();
        let refusal = refusal.as_ref().map(|(command, verdict)| (&command[..], &verdict[..]));
        (self.transfer, self.at, self.refusal) == (kept.transfer.0, kept.at.0, refusal)
    }
}

impl Keys {
    /// Adds a stored key to the others, or holds it against the journal if it need not be stored yet.
    fn meet(&self, stored: &Stored<'_>, found: &mut Collection) -> Result<(), Stop> {
        match self.later.get(&stored.key) {
            None => found.add_key(&self.draw, stored.key.0, stored.transfer, stored.at, stored.refusal),
            Some((_, kept)) if stored.is(kept) => {}
            Some((seq, kept)) => return Err(fault(place(kept, *seq), OTHER)),
        }
        Ok(())
    }
}

impl Decider {
    /// A record keeps a key.
    pub(super) fn keep(&mut self, seq: i64, kept: Kept) {
        if let Some(never) = kept.refused_transfer() {
            if self.refused.contains_key(&kept.key) {
                // It was refused before, and is answered so again.
                return;
            }
            self.refused.insert(kept.key, never);
        }
        if seq > self.flushed.seq {
            self.keys.later.insert(kept.key, (seq, kept));
        } else {
            self.keys.due.add_kept(&self.keys.draw, &kept);
        }
    }
}

impl Replay<'_> {
    pub(super) async fn prove_keys(&mut self, tx: &mut Tx) -> Result<(), Stop> {
        let (ledger, keys, mut found) = (self.id(), &self.decider.keys, Collection::EMPTY);
        let (mut next, mut readable) = (Some(0_u128), true);
        while let Some(first) = next.take() {
            let mut rows = 0;
            let each = |row: &mut Scanned<'_>| {
                let (key, transfer, at) = (Key(row.id()?), row.id()?, row.int()?);
                rows += 1;
                next = if rows == CHUNK { key.0.checked_add(1) } else { None };
                let (command, verdict) = (row.optional_bytes()?, row.optional_bytes()?);
                readable &= command.is_some() == verdict.is_some();
                keys.meet(&Stored { key, transfer, at, refusal: command.zip(verdict) }, &mut found)?;
                Ok::<_, Stop>(ControlFlow::Continue(()))
            };
            tx.scan(ROWS, &[ledger.0.into(), first.into(), CHUNK.into()], each).await?;
        }
        self.prove_runs(tx, &mut found).await?;
        if readable && found == self.decider.keys.due {
            return Ok(());
        }
        let named = self.search_keys(tx).await;
        // What is not there is found with the records before it, however far the proof had come.
        named.and_then(|()| {
            let (found, due) = (found.count, self.decider.keys.due.count);
            Err(fault("ledger", format!("{found} keys are kept of its records and it should be {due}")))
        })
    }

    /// Adds the keys that are packed. Each run must be in order, or a key in it would not be found, and whole when it is due.
    async fn prove_runs(&self, tx: &mut Tx, found: &mut Collection) -> Result<(), Stop> {
        let rows = tx.fetch_all("select run, keys from key_run where ledger_id = $1", vec![self.id().0.into()]).await?;
        let whole = rows.iter().map(|row| Ok((row.int("run")?, row.int("keys")?)));
        let whole: BTreeMap<i64, i64> = whole.collect::<Result<_, Error>>()?;
        let (mut paged, mut last): (BTreeMap<i64, Paged>, Option<(i64, u128)>) = (BTreeMap::new(), None);
        let mut keys = vec![];
        let each = |row: &mut Scanned<'_>| {
            let (run, first, page) = (row.int()?, row.id()?, row.bytes()?);
            keys.clear();
            for entry in pages::entries(page) {
                let Entry { key, transfer, at, refusal } =
                    entry.map_err(|error| Stop::from(error).at(|| of_run(run)))?;
                let before = last.replace((run, key.0));
                if before >= last || (keys.is_empty() && first != key.0) {
                    return Err(fault(of_run(run), "its keys are not in order: a retry could happen again"));
                }
                keys.push(key);
                self.decider.keys.meet(&Stored { key, transfer, at, refusal }, found)?;
            }
            if keys.is_empty() {
                return Err(fault(of_run(run), "a page of it is empty: a retry could happen again"));
            }
            let paged = paged.entry(run).or_default();
            paged.keys += i64::try_from(keys.len()).unwrap_or(i64::MAX);
            paged.prefixes.update(blocks::prefixes(keys.iter().copied()));
            Ok(ControlFlow::Continue(()))
        };
        tx.scan(PAGES, &[self.id().0.into()], each).await?;
        // The pages of one that is being written are there before it is due.
        paged.retain(|run, _| *run <= self.flushed.seq);
        let count = |run: &i64| paged.get(run).map(|paged| paged.keys);
        if let Some(run) = paged.keys().chain(whole.keys()).find(|run| count(run).as_ref() != whole.get(run)) {
            return Err(fault(of_run(*run), "it is not whole: a retry could happen again"));
        }
        self.prove_prefixes(tx, paged).await
    }

    /// By its prefixes it is known which keys a run has: without one that it has, its key would be taken for new.
    async fn prove_prefixes(&self, tx: &mut Tx, mut paged: BTreeMap<i64, Paged>) -> Result<(), Stop> {
        let each = |row: &mut Scanned<'_>| {
            let (run, stored) = (row.int()?, row.bytes()?);
            let right = paged.remove(&run).is_some_and(|paged| paged.prefixes.finalize() == Sha256::digest(stored));
            let wrong = || fault(of_run(run), "its prefixes are not those of its keys: a retry could happen again");
            right.then_some(ControlFlow::Continue(())).ok_or_else(wrong)
        };
        tx.scan(PREFIXES, &[self.id().0.into()], each).await
    }

    /// Names the first key that is not kept as it was answered.
    async fn search_keys(&mut self, tx: &mut Tx) -> Result<(), Stop> {
        let sql = "select seq, hash, first_position, body from journal where ledger_id = $1 and seq > $2 and seq <= $3 order by seq limit $4";
        let (mut read, mut refused) = (0, HashSet::new());
        while read < self.flushed.seq {
            let values = vec![self.id().0.into(), read.into(), self.flushed.seq.into(), RECORDS.into()];
            for record in tx.fetch_all(sql, values).await? {
                read = record.int("seq")?;
                let place = || super::read::place(read);
                let body = record.bytes("body")?;
                let (at, entries) = codec::decode_batch(&body).map_err(|_| fault(place(), "it is not canonical"))?;
                let kept = entries.iter().filter_map(|(item, verdict)| Kept::of(&item.command, verdict, at));
                // One that was refused is answered so again, and kept once.
                let kept: Vec<Kept> = kept.filter(|kept| kept.refused.is_none() || refused.insert(kept.key)).collect();
                let names: Vec<Key> = kept.iter().map(|kept| kept.key).collect();
                let stored =
                    idempotency::load(tx, self.id(), &names).await.map_err(|error| Stop::from(error).at(place))?;
                let stored: ById<Key, Kept> = stored.into_iter().map(|kept| (kept.key, kept)).collect();
                for kept in &kept {
                    (self.proven.records, self.proven.steps) = (read - 1, record.int("first_position")?);
                    match stored.get(&kept.key) {
                        None => {
                            return Err(fault(self::place(kept, read), "it is missing: a retry would happen again"));
                        }
                        Some(row) if row != kept => return Err(fault(self::place(kept, read), OTHER)),
                        Some(_) => {}
                    }
                }
            }
        }
        Ok(())
    }
}

fn of_run(run: i64) -> String {
    format!("the run of keys of journal record {run}")
}

const OTHER: &str = "it stands for something else than the journal says";

fn place(kept: &Kept, seq: i64) -> String {
    format!("the key of transfer {} (journal record {seq})", crate::id_text(kept.transfer.0))
}
