//! What a batch is decided against: from the lane's memory, and from the database what is not there.

use super::blocks::Blocks;
use super::find;
use super::idempotency::{self, Kept};
use super::keys::Known;
use super::lane::Waiting;
use super::mint::IdOrder;
use super::resident::{ById, Resident};
use super::rows::{self, TransferRow};
use super::{Book, Entry};
use crate::store::{Db, Error, Tx};
use foldhash::fast::RandomState;
use ledger_core::{AccountId, Command, Item, Key, LedgerId, Timestamp, TransferId};
use std::collections::{BTreeSet, HashSet};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::SetOnce;

/// What was loaded for a batch.
#[derive(Debug)]
pub(super) struct Loaded {
    /// The commands in order; ids are made, and keys that are known have become the ids they stand for.
    pub(super) items: Vec<Item>,
    /// Where the accounts are that the batch may touch.
    pub(super) places: Vec<u32>,
    pub(super) transfers: ById<TransferId, TransferRow>,
    /// Keys that an earlier batch kept.
    pub(super) known: HashSet<Key, RandomState>,
    /// The last id that was made.
    pub(super) minted: IdOrder,
}

/// Where to read: a transaction that was lent, or, for the ledger's only writer, a connection that is taken when something is to be read at
/// all.
///
/// The only writer needs no snapshot, although its batch before this one may become durable between two of its questions: what that batch
/// changes is never asked for. Accounts that it changed are in memory, and so are the keys that it keeps or writes behind
/// (`keys.rs`); transfers that it began or settled are in [`Before::recent`], or are known to nobody yet by the ids that they were given
/// ([`Before::unwritten`]). All else was durable before, and stays as it is. A host that has lost its ledger may read what does not belong
/// together, and can commit nothing of what it decides on that, nor answer it ([`is_owned`](super::durable::Shared::is_owned)).
pub(super) struct Source<'s> {
    pub(super) db: &'s Db,
    pub(super) lent: Option<&'s mut Tx>,
    pub(super) own: Option<Tx>,
}

impl<'s> Source<'s> {
    /// For the only writer, on a thread that may block.
    pub(super) const fn of(db: &'s Db) -> Source<'s> {
        Source { db, lent: None, own: None }
    }

    async fn tx(&mut self) -> Result<&mut Tx, Error> {
        if let Some(tx) = &mut self.lent {
            return Ok(tx);
        }
        if self.own.is_none() {
            self.own = Some(self.db.read_here().await?);
        }
        self.own.as_mut().ok_or_else(|| Error::Unavailable("the connection was closed".into()))
    }
}

/// The ledger as the lane has it before the batch.
#[derive(Clone, Copy)]
pub(super) struct Before<'l> {
    pub(super) ledger: LedgerId,
    pub(super) resident: &'l Mutex<Resident>,
    /// Transfers that were begun or settled by batches that may not be durable yet.
    pub(super) recent: &'l ById<TransferId, TransferRow>,
    /// Ids that were made for the batch that is being written, and that only its rows can tell about.
    pub(super) unwritten: &'l RangeInclusive<u128>,
    /// The last id that was made.
    pub(super) minted: IdOrder,
    /// The greatest id of all transfers.
    pub(super) newest: u128,
    pub(super) now: Timestamp,
}

/// Loads what the commands touch: keys, then transfers, then accounts.
pub(super) async fn load(source: &mut Source<'_>, before: Before<'_>, waiting: &[Waiting]) -> Result<Loaded, Error> {
    let (mut items, minted) = items(before, waiting);
    let kept = keys(source, before, &items).await?;
    resolve_keys(&mut items, &kept);
    let transfers = transfers(source, before, waiting, &items, &kept).await?;
    let places = accounts(source, before, &items, &transfers).await?;
    Ok(Loaded { items, places, transfers, known: kept.into_keys().collect(), minted })
}

impl Loaded {
    /// As the component is asked.
    pub(super) fn book(&self, resident: &Resident) -> Book {
        let rows = || self.places.iter().map(|place| resident.at(*place));
        Book {
            accounts: rows().map(|row| row.account).collect(),
            windows: rows().flat_map(|row| row.windows.all()).copied().collect(),
            transfers: self.transfers.values().map(|row| row.transfer).collect(),
        }
    }
}

/// The commands, with an id of their own where one is to be made.
fn items(before: Before<'_>, waiting: &[Waiting]) -> (Vec<Item>, IdOrder) {
    let mut order = before.minted;
    let mut items = Vec::with_capacity(entries(waiting).count());
    for entry in entries(waiting) {
        if let Some(id) = entry.given_id() {
            order.pass(id, before.now);
        }
    }
    for entry in entries(waiting) {
        let mut item = Item { command: entry.command, linked: entry.linked };
        if let Command::Create(create) = &mut item.command
            && entry.minted
        {
            create.id = order.mint(before.now);
        }
        items.push(item);
    }
    (items, order)
}

pub(super) fn entries(waiting: &[Waiting]) -> impl Iterator<Item = &Entry> {
    waiting.iter().flat_map(|waiting| &waiting.entries)
}

/// What is being read of the stored keys, while it is, and about how long the search for the keys of these takes without it.
pub(super) fn being_read(resident: &Mutex<Resident>, waiting: &[Waiting]) -> Option<(Arc<SetOnce<Blocks>>, Duration)> {
    let keys = entries(waiting).filter_map(|entry| key_of(&entry.command));
    super::locked(resident).keys.filter.being_read(keys)
}

/// What earlier batches kept of the commands' keys.
async fn keys(source: &mut Source<'_>, before: Before<'_>, items: &[Item]) -> Result<ById<Key, Kept>, Error> {
    let (mut kept, mut unknown) = (ById::default(), vec![]);
    {
        let resident = super::locked(before.resident);
        for key in items.iter().filter_map(|item| key_of(&item.command)) {
            match resident.keys.find(key) {
                Known::New => {}
                Known::Kept(known) => drop(kept.insert(key, known.clone())),
                Known::Perhaps => unknown.push(key),
            }
        }
    }
    if !unknown.is_empty() {
        unknown.sort_unstable();
        unknown.dedup();
        let stored = idempotency::load(source.tx().await?, before.ledger, &unknown).await?;
        kept.extend(stored.into_iter().map(|kept| (kept.key, kept)));
    }
    if kept.values().any(|kept| kept.refused.is_none() && before.unwritten.contains(&kept.transfer.0)) {
        return Err(Error::Retry("a key stands for a transfer that is being written".into()));
    }
    Ok(kept)
}

pub(super) const fn key_of(command: &Command) -> Option<Key> {
    match command {
        Command::Create(create) => create.key,
        _ => None,
    }
}

/// A key that came before, in an earlier batch or in this one, stands for the transfer of the first command that had it.
fn resolve_keys(items: &mut [Item], kept: &ById<Key, Kept>) {
    let mut first: ById<Key, TransferId> = ById::default();
    first.reserve(items.len());
    first.extend(kept.iter().map(|(key, kept)| (*key, kept.transfer)));
    for item in items {
        if let Command::Create(create) = &mut item.command
            && let Some(key) = create.key
        {
            create.id = *first.entry(key).or_insert(create.id);
        }
    }
}

/// The transfers that the commands settle or may repeat.
async fn transfers(
    source: &mut Source<'_>,
    before: Before<'_>,
    waiting: &[Waiting],
    items: &[Item],
    kept: &ById<Key, Kept>,
) -> Result<ById<TransferId, TransferRow>, Error> {
    let (mut found, mut stored) = (ById::default(), BTreeSet::new());
    for (item, entry) in items.iter().zip(entries(waiting)) {
        let id = match &item.command {
            Command::Settle(settle) => settle.transfer,
            Command::Create(create) => match create.key.and_then(|key| kept.get(&key)) {
                Some(kept) => {
                    if let Some(transfer) = kept.refused_transfer() {
                        found.insert(transfer.id, TransferRow { transfer, position: 0 });
                        continue;
                    }
                    create.id
                }
                // An id that was made for this command is nobody else's, nor is one stored that is greater than all.
                None if entry.minted || create.id.0 > before.newest => continue,
                None => create.id,
            },
            _ => continue,
        };
        match before.recent.get(&id) {
            Some(row) => drop(found.insert(id, row.clone())),
            None => drop(stored.insert(id)),
        }
    }
    let stored: Vec<TransferId> = stored.into_iter().filter(|id| !found.contains_key(id)).collect();
    if !stored.is_empty() {
        let rows = find::transfers(source.tx().await?, before.ledger, &stored).await?;
        found.extend(rows.into_iter().map(|row| (row.transfer.id, row)));
    }
    Ok(found)
}

/// Where the accounts are that the commands touch, each once; what is not in memory is read into it.
async fn accounts(
    source: &mut Source<'_>,
    before: Before<'_>,
    items: &[Item],
    transfers: &ById<TransferId, TransferRow>,
) -> Result<Vec<u32>, Error> {
    let named = items.iter().flat_map(|item| named_accounts(&item.command)).flatten();
    let settled = transfers.values().flat_map(|row| [row.transfer.payer, row.transfer.payee]);
    let (mut places, mut missing) = (Vec::with_capacity(items.len() * 2), vec![]);
    {
        let resident = super::locked(before.resident);
        for id in named.chain(settled) {
            match resident.place(id) {
                Some(place) => places.push(place),
                None => missing.push(id),
            }
        }
    }
    if !missing.is_empty() {
        missing.sort_unstable();
        missing.dedup();
        let rows = rows::load_accounts(source.tx().await?, before.ledger, &missing).await?;
        let mut resident = super::locked(before.resident);
        places.extend(rows.into_iter().map(|row| resident.admit(row)));
    }
    places.sort_unstable();
    places.dedup();
    Ok(places)
}

fn named_accounts(command: &Command) -> [Option<AccountId>; 2] {
    match command {
        Command::OpenAccount(open) => [Some(open.account), None],
        Command::SetLimits(limits) => [Some(limits.account), None],
        Command::SetStatus(status) => [Some(status.account), None],
        Command::SetWindow(window) => [Some(window.account), None],
        Command::Create(create) => [Some(create.payer), Some(create.payee)],
        Command::Settle(_) => [None, None],
    }
}
