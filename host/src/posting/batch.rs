//! One batch, in one transaction: lock, load, decide, write. Who waits for it, and trying again, are in `lane.rs`.

use super::history::Step;
use super::idempotency::{self, Kept, Known};
use super::journal::{self, Hash};
use super::rows::{self, AccountRow, Appended, TransferRow};
use super::{Book, Entry, Failure, Group};
use crate::engine::{Engine, Posted};
use crate::store::{Db, Error, Tx, Value};
use ledger_core::{
    Account, AccountId, Command, Item, Key, LedgerId, Outcome, Receipt, Rejection, Timestamp, TransferId,
    TransferReceipt, Verdict, codec,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A batch whose commit was tried: enough to find out later whether it is durable, and to answer if it is.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    seq: i64,
    hash: Hash,
    outcomes: Vec<Vec<Outcome>>,
}

/// Decides the groups and makes what they did durable. The outcomes come in the order of the groups.
///
/// `unknown` is an earlier attempt at the same batch whose commit may have succeeded: if it did, its outcomes are the answer.
pub(super) async fn run(
    db: &Db,
    engine: &Engine,
    ledger: LedgerId,
    groups: &[Group],
    clock: Timestamp,
    unknown: Option<&Attempt>,
) -> Result<Vec<Vec<Outcome>>, Failure> {
    let mut tx = db.begin().await?;
    let head = lock(&mut tx, ledger).await?.ok_or(Failure::NoLedger)?;
    if let Some(attempt) = unknown
        && is_durable(&mut tx, ledger, attempt).await?
    {
        return Ok(attempt.outcomes.clone());
    }
    let now = clock.max(head.at);
    let loaded = load(&mut tx, ledger, groups).await?;
    let posted = engine.post(loaded.book(), loaded.items.clone(), now).await?;
    let changes = Changes::of(&head, groups, &loaded, &posted);
    let outcomes = by_group(groups, posted.outcomes);
    if changes.journaled.is_empty() {
        return Ok(outcomes);
    }
    let hash = write(&mut tx, ledger, &head, &changes, now).await?;
    for (place, group) in groups.iter().enumerate() {
        if changes.accepted.contains(&place) {
            companions(&mut tx, group, place).await?;
        }
    }
    let attempt = Attempt { seq: head.seq + 1, hash, outcomes };
    match tx.commit().await {
        Ok(()) => Ok(attempt.outcomes),
        Err(error) if error.outcome_unknown() => Err(Failure::Unknown { attempt, error }),
        Err(error) => Err(error.into()),
    }
}

/// The head of a ledger: where the next batch continues.
struct Head {
    seq: i64,
    hash: Hash,
    at: Timestamp,
    last_position: i64,
}

/// Locks the ledger's row: batches of one ledger follow each other, whichever host they come from.
async fn lock(tx: &mut Tx, ledger: LedgerId) -> Result<Option<Head>, Error> {
    let sql = "select head_seq, head_hash, head_at, last_position from ledger where ledger_id = $1";
    let Some(row) = tx.fetch_for_update(sql, vec![ledger.0.into()]).await? else { return Ok(None) };
    let hash = row.bytes("head_hash")?.try_into();
    Ok(Some(Head {
        seq: row.int("head_seq")?,
        hash: hash.map_err(|_| Error::Corrupt("the head of the journal is no hash".into()))?,
        at: Timestamp(row.int("head_at")?),
        last_position: row.int("last_position")?,
    }))
}

/// Whether the journal has the record of this attempt. The lock is held, so the attempt is not under way any more.
async fn is_durable(tx: &mut Tx, ledger: LedgerId, attempt: &Attempt) -> Result<bool, Error> {
    let sql = "select hash from journal where ledger_id = $1 and seq = $2";
    let row = tx.fetch_optional(sql, vec![ledger.0.into(), attempt.seq.into()]).await?;
    Ok(row.map(|row| row.bytes("hash")).transpose()?.is_some_and(|hash| hash == attempt.hash))
}

/// What was loaded for a batch.
struct Loaded {
    /// The commands of all groups in order, linked within each group; keys that are known have become the ids they stand for.
    items: Vec<Item>,
    accounts: BTreeMap<AccountId, AccountRow>,
    transfers: BTreeMap<TransferId, TransferRow>,
    /// Keys that an earlier batch kept.
    known: BTreeSet<Key>,
}

impl Loaded {
    fn book(&self) -> Book {
        Book {
            accounts: self.accounts.values().map(|row| row.account).collect(),
            transfers: self.transfers.values().map(|row| row.transfer).collect(),
        }
    }
}

/// Loads what the groups touch: keys, then transfers, then accounts, 500 a query.
async fn load(tx: &mut Tx, ledger: LedgerId, groups: &[Group]) -> Result<Loaded, Error> {
    let entries = || groups.iter().flat_map(|group| &group.entries);
    let keys: BTreeSet<Key> = entries().filter_map(|entry| key_of(&entry.command)).collect();
    let known = idempotency::load(tx, ledger, &keys.into_iter().collect::<Vec<_>>()).await?;
    let items = resolve_keys(groups, &known);
    let minted = items.iter().zip(entries()).map(|(item, entry)| entry.minted && item.command == entry.command);
    let named: BTreeSet<TransferId> =
        items.iter().zip(minted).filter_map(|(item, minted)| stored_transfer(item, minted)).collect();
    let (known, refused): (BTreeSet<Key>, Vec<Option<TransferRow>>) =
        known.into_iter().map(|(key, known)| (key, known.refused)).unzip();
    let mut transfers: BTreeMap<TransferId, TransferRow> =
        refused.into_iter().flatten().map(|row| (row.transfer.id, row)).collect();
    let named: Vec<TransferId> = named.into_iter().filter(|id| !transfers.contains_key(id)).collect();
    let stored = rows::load_transfers(tx, ledger, &named).await?;
    transfers.extend(stored.into_iter().map(|row| (row.transfer.id, row)));

    let mut accounts: BTreeSet<AccountId> =
        items.iter().flat_map(|item| named_accounts(&item.command)).flatten().collect();
    accounts.extend(transfers.values().flat_map(|row| [row.transfer.payer, row.transfer.payee]));
    let accounts: Vec<AccountId> = accounts.into_iter().collect();
    let accounts = rows::load_accounts(tx, ledger, &accounts).await?;
    let accounts = accounts.into_iter().map(|row| (row.account.id, row)).collect();
    Ok(Loaded { items, accounts, transfers, known })
}

const fn key_of(command: &Command) -> Option<Key> {
    match command {
        Command::Create(create) => create.key,
        Command::OpenAccount(_) | Command::SetLimits(_) | Command::SetStatus(_) | Command::Settle(_) => None,
    }
}

/// What a command alone is decided against, and when.
pub(super) async fn load_one(
    tx: &mut Tx,
    ledger: LedgerId,
    group: Group,
    clock: Timestamp,
) -> Result<(Book, Timestamp), Error> {
    let sql = "select head_at from ledger where ledger_id = $1";
    let head = tx.fetch_optional(sql, vec![ledger.0.into()]).await?;
    let at = head.map(|row| row.int("head_at")).transpose()?.map_or(clock, Timestamp);
    Ok((load(tx, ledger, &[group]).await?.book(), clock.max(at)))
}

/// The commands as items, linked within each group. A key that came before, in an earlier batch or in this one, stands for the
/// transfer of the first command that had it.
fn resolve_keys(groups: &[Group], known: &HashMap<Key, Known>) -> Vec<Item> {
    let mut first: HashMap<Key, TransferId> = known.iter().map(|(key, known)| (*key, known.transfer)).collect();
    let mut items = vec![];
    for group in groups {
        for (place, entry) in group.entries.iter().enumerate() {
            let mut item = Item { command: entry.command, linked: place + 1 < group.entries.len() };
            if let Command::Create(create) = &mut item.command
                && let Some(key) = create.key
            {
                create.id = *first.entry(key).or_insert(create.id);
            }
            items.push(item);
        }
    }
    items
}

/// The transfer that may be stored already: one that is settled, or whose id was not made for this command.
fn stored_transfer(item: &Item, minted: bool) -> Option<TransferId> {
    match &item.command {
        Command::Settle(settle) => Some(settle.transfer),
        Command::Create(create) if !minted => Some(create.id),
        Command::Create(_) | Command::OpenAccount(_) | Command::SetLimits(_) | Command::SetStatus(_) => None,
    }
}

fn named_accounts(command: &Command) -> [Option<AccountId>; 2] {
    match command {
        Command::OpenAccount(open) => [Some(open.account), None],
        Command::SetLimits(limits) => [Some(limits.account), None],
        Command::SetStatus(status) => [Some(status.account), None],
        Command::Create(create) => [Some(create.payer), Some(create.payee)],
        Command::Settle(_) => [None, None],
    }
}

/// What a decided batch changes in the database.
struct Changes {
    /// Places of the groups that were accepted and are new.
    accepted: BTreeSet<usize>,
    /// What the journal keeps: whole groups, those that were accepted and those whose refusal must be remembered.
    journaled: Vec<(Item, Verdict)>,
    appended: Vec<Appended>,
    accounts: BTreeMap<AccountId, AccountRow>,
    kept: Vec<Kept>,
    kept_keys: BTreeSet<Key>,
}

impl Changes {
    fn of(head: &Head, groups: &[Group], loaded: &Loaded, posted: &Posted) -> Changes {
        let mut changes = Changes {
            accepted: BTreeSet::new(),
            journaled: vec![],
            appended: vec![],
            accounts: BTreeMap::new(),
            kept: vec![],
            kept_keys: BTreeSet::new(),
        };
        for account in &posted.accounts {
            changes.row(loaded, account.id).account = *account;
        }
        // Where the transfers began that this batch begins and settles.
        let mut begun: HashMap<TransferId, i64> = HashMap::new();
        let mut start = 0;
        for (place, group) in groups.iter().enumerate() {
            let range = start..start + group.entries.len();
            start = range.end;
            let fresh = posted.outcomes[range.clone()]
                .iter()
                .any(|outcome| matches!(outcome, Ok(Receipt::Account(_) | Receipt::Transfer(_))));
            let kept_before = changes.kept.len();
            for (index, entry) in range.clone().zip(&group.entries) {
                let (item, outcome) = (&loaded.items[index], &posted.outcomes[index]);
                if let Ok(Receipt::Transfer(receipt)) = outcome {
                    let position = head.last_position + 1 + count(&changes.appended);
                    changes.append(loaded, &mut begun, position, item, entry, receipt);
                }
                changes.keep(loaded, item, outcome);
            }
            // A group of which a part came before brings its companions a second time.
            if fresh
                && !posted.outcomes[range.clone()].iter().any(|outcome| matches!(outcome, Ok(Receipt::Repeated(_))))
            {
                changes.accepted.insert(place);
            }
            if fresh || changes.kept.len() > kept_before {
                let entries = range.map(|index| (loaded.items[index], Verdict::of(&posted.outcomes[index])));
                changes.journaled.extend(entries);
            }
        }
        changes
    }

    /// The row of an account that this batch writes, as loaded until now.
    fn row(&mut self, loaded: &Loaded, id: AccountId) -> &mut AccountRow {
        self.accounts.entry(id).or_insert_with(|| match loaded.accounts.get(&id) {
            Some(row) => row.clone(),
            None => AccountRow::new(Account::open(id, ledger_core::Amount::ZERO, ledger_core::Amount::ZERO)),
        })
    }

    fn append(
        &mut self,
        loaded: &Loaded,
        begun: &mut HashMap<TransferId, i64>,
        position: i64,
        item: &Item,
        entry: &Entry,
        receipt: &TransferReceipt,
    ) {
        let transfer = receipt.transfer;
        let (step, settles) = match &item.command {
            Command::Settle(settle) => {
                let stored = || loaded.transfers.get(&transfer.id).map(|row| row.position);
                (Step::settling(settle.action), begun.get(&transfer.id).copied().or_else(stored))
            }
            _ => {
                begun.insert(transfer.id, position);
                (Step::beginning(transfer.kind), None)
            }
        };
        let payer = (self.row(loaded, transfer.payer).chain.push(position, step), receipt.payer_balance);
        let payee = (self.row(loaded, transfer.payee).chain.push(position, step), receipt.payee_balance);
        self.appended.push(Appended { position, step, transfer, memo: entry.memo.clone(), settles, payer, payee });
    }

    /// Keeps the key of a command that began a transfer, and of one that was refused for a reason that could change; once.
    fn keep(&mut self, loaded: &Loaded, item: &Item, outcome: &Outcome) {
        let Command::Create(create) = &item.command else { return };
        let Some(key) = create.key else { return };
        if loaded.known.contains(&key) || self.kept_keys.contains(&key) {
            return;
        }
        let refused = match outcome {
            Ok(Receipt::Transfer(_)) => None,
            // Says nothing of this command: another one of its group was the reason.
            Err(Rejection::LinkedFailed) => return,
            Err(rejection) if rejection.retryable() => Some((*item, *rejection)),
            Ok(Receipt::Account(_) | Receipt::Repeated(_)) | Err(_) => return,
        };
        self.kept_keys.insert(key);
        self.kept.push(Kept { key, transfer: create.id, refused });
    }
}

fn count<T>(items: &[T]) -> i64 {
    i64::try_from(items.len()).expect("a batch has at most BATCH_MAX items")
}

fn by_group(groups: &[Group], outcomes: Vec<Outcome>) -> Vec<Vec<Outcome>> {
    let mut outcomes = outcomes.into_iter();
    groups.iter().map(|group| outcomes.by_ref().take(group.entries.len()).collect()).collect()
}

/// Writes everything but the companions, and tells the hash of the journal's new record.
async fn write(tx: &mut Tx, ledger: LedgerId, head: &Head, changes: &Changes, now: Timestamp) -> Result<Hash, Error> {
    let seq = head.seq + 1;
    let mut body = Vec::new();
    codec::encode_batch(&mut body, now, &changes.journaled);
    let hash = journal::record(&head.hash, ledger, seq, &body);
    tx.execute(
        "insert into journal (ledger_id, seq, hash, body) values ($1, $2, $3, $4)",
        vec![ledger.0.into(), seq.into(), hash.to_vec().into(), body.into()],
    )
    .await?;
    rows::append_transfers(tx, ledger, seq, head.last_position, now, &changes.appended).await?;
    let accounts: Vec<&AccountRow> = changes.accounts.values().collect();
    rows::store_accounts(tx, ledger, seq, &accounts).await?;
    idempotency::store(tx, ledger, now, &changes.kept).await?;
    let steps = || changes.appended.iter().map(|row| row.step);
    let counted =
        |yes: fn(Step) -> bool| i64::try_from(steps().filter(|step| yes(*step)).count()).expect("at most BATCH_MAX");
    let counts = [Step::begins as fn(Step) -> bool, Step::posts, Step::ends].map(counted);
    let mut values: Vec<Value> = vec![ledger.0.into(), seq.into(), hash.to_vec().into(), now.0.into()];
    values.push((head.last_position + count(&changes.appended)).into());
    values.extend(counts.map(Value::from));
    tx.execute(
        "update ledger set head_seq = $2, head_hash = $3, head_at = $4, last_position = $5,
                begun = begun + $6, posted = posted + $7, ended = ended + $8
         where ledger_id = $1",
        values,
    )
    .await?;
    Ok(hash)
}

async fn companions(tx: &mut Tx, group: &Group, place: usize) -> Result<(), Failure> {
    for statement in &group.companions {
        match tx.execute(statement.sql, statement.values.clone()).await {
            Ok(_) => {}
            Err(Error::Constraint { name }) => return Err(Failure::Companion { group: place, constraint: name }),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
