//! Keys as they are packed when there are many: in runs, sorted, some in each page. The tables are `key_run`, `key_page` and
//! `key_prefix`.

use super::bulk::{HAS_KEY_POSTGRES, HAS_KEY_SQLITE};
use super::idempotency::Kept;
use crate::store::{Error, Row, Tx, Value};
use const_format::concatcp;
use ledger_core::{Key, LedgerId};

/// How many keys a page has: so many that the rows of pages cost little, and so few that a page is read in no time.
pub(super) const PAGE_KEYS: usize = 32;

/// A page to be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Page {
    pub(super) run: i64,
    pub(super) first: Key,
    pub(super) entries: Vec<u8>,
}

/// A run of which the last is written, and the last account of the sweep that it belongs to: from here on it is what keeps its keys.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Run {
    pub(super) run: i64,
    /// How many keys it has.
    pub(super) keys: i64,
    /// Of each of them.
    pub(super) prefixes: Vec<u8>,
}

impl Page {
    /// Of these, which are sorted.
    pub(super) fn of(run: i64, keys: &[Kept]) -> Page {
        let mut entries = Vec::with_capacity(keys.len() * 44);
        for kept in keys {
            entries.extend(kept.key.0.to_be_bytes());
            entries.extend(kept.transfer.0.to_be_bytes());
            entries.extend(kept.at.0.to_be_bytes());
            let (command, verdict) = kept.refusal_bytes().unwrap_or_default();
            for bytes in [command, verdict] {
                let length = u16::try_from(bytes.len()).expect("a command in canonical form is short");
                entries.extend(length.to_be_bytes());
                entries.extend(bytes);
            }
        }
        Page { run, first: keys.first().map_or(Key(0), |kept| kept.key), entries }
    }
}

/// A key in a page, as it is stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'p> {
    pub(super) key: Key,
    pub(super) transfer: u128,
    pub(super) at: i64,
    /// In canonical form, if it was refused.
    pub(super) refusal: Option<(&'p [u8], &'p [u8])>,
}

/// The keys of a page, up to the first that cannot be read.
pub(super) fn entries(page: &[u8]) -> impl Iterator<Item = Result<Entry<'_>, Error>> {
    let mut rest = page;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let entry = entry(&mut rest);
        if entry.is_none() {
            rest = &[];
        }
        Some(entry.ok_or_else(|| Error::Corrupt("a page of keys is not in canonical form".into())))
    })
}

fn entry<'p>(rest: &mut &'p [u8]) -> Option<Entry<'p>> {
    let key = Key(u128::from_be_bytes(take(rest)?));
    let (transfer, at) = (u128::from_be_bytes(take(rest)?), i64::from_be_bytes(take(rest)?));
    let (command, verdict) = (take_some(rest)?, take_some(rest)?);
    let refusal = match (command.is_empty(), verdict.is_empty()) {
        (true, true) => None,
        (false, false) => Some((command, verdict)),
        _ => return None,
    };
    Some(Entry { key, transfer, at, refusal })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*bytes)
}

fn take_some<'p>(rest: &mut &'p [u8]) -> Option<&'p [u8]> {
    let length = u16::from_be_bytes(take(rest)?);
    let (bytes, after) = rest.split_at_checked(length.into())?;
    *rest = after;
    Some(bytes)
}

/// In each run there is one page in which the key is, if it is there. Only a page that has its bytes is sent.
const PAGES: &str = "select f.key_digest, f.entries
 from (select $key as key_digest,
              (select p.entries from key_page p
               where p.ledger_id = r.ledger_id and p.run = r.run and p.first_key <= $key order by p.first_key desc limit 1) as entries
       from key_run r where r.ledger_id = $1) f";
const PAGES_SQLITE: &str = concatcp!(PAGES, " where ", HAS_KEY_SQLITE);
const PAGES_POSTGRES: &str = concatcp!(PAGES, " where ", HAS_KEY_POSTGRES);

/// Those of these keys that are in runs.
pub(super) async fn load(tx: &mut Tx, ledger: LedgerId, keys: &[Value]) -> Result<Vec<Kept>, Error> {
    let sql = if matches!(tx, Tx::Postgres { .. }) { PAGES_POSTGRES } else { PAGES_SQLITE };
    let rows = tx.fetch_for_each(sql, &[ledger.0.into()], keys).await?;
    rows.iter().filter_map(|row| found(row).transpose()).collect()
}

fn found(row: &Row) -> Result<Option<Kept>, Error> {
    let key = Key(row.id("key_digest")?);
    for entry in entries(&row.bytes("entries")?) {
        let Entry { key: found, transfer, at, refusal } = entry?;
        if found == key {
            return Kept::stored(key, transfer, at, refusal).map(Some);
        }
    }
    Ok(None)
}

/// Takes away what a host left that died before its run was complete. Only by whoever has just taken the ledger: its keys are in the
/// journal after what the rows have, and are kept anew.
pub(super) async fn drop_unfinished(tx: &mut Tx, ledger: LedgerId, flushed_seq: i64) -> Result<(), Error> {
    let sql = "delete from key_page where ledger_id = $1 and run > $2";
    tx.execute(sql, vec![ledger.0.into(), flushed_seq.into()]).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::{Page, entries};
    use crate::posting::idempotency::Kept;
    use ledger_core::{
        AccountId, Amount, Command, Create, Key, Memo, Rejection, Timestamp, TransferId, TransferKind, Verdict,
    };

    fn kept(number: u128, verdict: &Verdict) -> Kept {
        let create = Create {
            id: TransferId(number / 2),
            kind: TransferKind::Immediate,
            payer: AccountId(1),
            payee: AccountId(2),
            amount: Amount::new(5).unwrap(),
            expires_at: None,
            key: Some(Key(number)),
            payable_now: false,
            memo: Memo::NONE,
        };
        Kept::of(&Command::Create(create), verdict, Timestamp(9)).unwrap()
    }

    #[test]
    fn a_page_has_what_was_put_into_it_and_a_page_that_was_cut_is_none() {
        let began = Verdict::Transfer { payer_balance: Amount::ZERO, payee_balance: Amount::ZERO };
        let keys = [kept(1, &began), kept(2, &Verdict::Refused(Rejection::PayerFrozen)), kept(u128::MAX, &began)];
        let page = Page::of(3, &keys);
        assert_eq!((page.run, page.first), (3, Key(1)));
        let read = entries(&page.entries).map(|entry| {
            let entry = entry.unwrap();
            Kept::stored(entry.key, entry.transfer, entry.at, entry.refusal).unwrap()
        });
        assert_eq!(read.collect::<Vec<_>>(), keys);
        let whole = [0, 1, 2, 3].map(|count| Page::of(3, &keys[..count]).entries.len());
        for end in 0..=page.entries.len() {
            let is_whole = entries(&page.entries[..end]).all(|entry| entry.is_ok());
            assert_eq!(is_whole, whole.contains(&end), "{end} bytes");
        }
    }
}
