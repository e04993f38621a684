//! What a batch may touch: the accounts and transfers that were loaded for it. Loading and storing are the host's.

use crate::{Account, AccountId, Transfer, TransferId};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// The working set of a batch. What is not in it does not exist for the batch.
#[derive(Clone, Debug)]
pub struct Book {
    /// In the order of their ids.
    accounts: Vec<Entry>,
    transfers: BTreeMap<TransferId, Transfer>,
    /// What to put back if the linked group in progress fails, newest last. `None` outside of a group.
    undo: Option<Vec<Undo>>,
}

/// An account and what it was when the book was made, so that what changed can be told at the end.
#[derive(Clone, Debug)]
struct Entry {
    now: Account,
    loaded: Option<Account>,
}

#[derive(Clone, Debug)]
enum Undo {
    Account(usize, Account),
    Opened(usize),
    Transfer(TransferId, Option<Transfer>),
}

/// What no book can hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BookError {
    /// The account is in it already.
    AccountTwice(AccountId),
    /// The transfer is in it already.
    TransferTwice(TransferId),
}

impl Book {
    /// A book of these accounts and no transfers. Of two accounts with the same id, the later counts.
    pub fn new(accounts: impl IntoIterator<Item = Account>) -> Book {
        let by_id: BTreeMap<AccountId, Account> = accounts.into_iter().map(|account| (account.id, account)).collect();
        let accounts = by_id.into_values().map(|account| Entry { now: account, loaded: Some(account) }).collect();
        Book { accounts, transfers: BTreeMap::new(), undo: None }
    }

    /// A book of what was loaded.
    ///
    /// # Errors
    /// When an id is there twice.
    pub fn load(accounts: &[Account], transfers: &[Transfer]) -> Result<Book, BookError> {
        let mut entries: Vec<Entry> =
            accounts.iter().map(|account| Entry { now: *account, loaded: Some(*account) }).collect();
        entries.sort_unstable_by_key(|entry| entry.now.id);
        if let Some(pair) = entries.windows(2).find(|pair| pair[0].now.id == pair[1].now.id) {
            return Err(BookError::AccountTwice(pair[0].now.id));
        }
        let mut by_id = BTreeMap::new();
        for transfer in transfers {
            if by_id.insert(transfer.id, *transfer).is_some() {
                return Err(BookError::TransferTwice(transfer.id));
            }
        }
        Ok(Book { accounts: entries, transfers: by_id, undo: None })
    }

    /// The account as it is now.
    pub fn account(&self, id: AccountId) -> Option<&Account> {
        self.index(id).ok().map(|index| &self.accounts[index].now)
    }

    /// The transfer as it is now.
    pub fn transfer(&self, id: TransferId) -> Option<&Transfer> {
        self.transfers.get(&id)
    }

    /// All accounts, in the order of their ids.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.iter().map(|entry| &entry.now)
    }

    /// The accounts that differ from what was loaded, in the order of their ids.
    pub fn changed_accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.iter().filter(|entry| entry.loaded != Some(entry.now)).map(|entry| &entry.now)
    }

    /// The sum of all balances less the sum when the book was made: zero, or the ledger is broken.
    pub(crate) fn drift(&self) -> i128 {
        let of = |account: &Account| i128::from(account.balance.minor());
        self.accounts.iter().map(|entry| of(&entry.now) - entry.loaded.as_ref().map_or(0, of)).sum()
    }

    /// Where an account is, or where it would have to be.
    pub(crate) fn index(&self, id: AccountId) -> Result<usize, usize> {
        self.accounts.binary_search_by_key(&id, |entry| entry.now.id)
    }

    pub(crate) fn at(&self, index: usize) -> &Account {
        &self.accounts[index].now
    }

    /// Inserts a new account at the place that [`Book::index`] gave.
    pub(crate) fn open_account(&mut self, index: usize, account: Account) {
        self.accounts.insert(index, Entry { now: account, loaded: None });
        self.remember(Undo::Opened(index));
    }

    pub(crate) fn set_account(&mut self, index: usize, account: Account) {
        let before = core::mem::replace(&mut self.accounts[index].now, account);
        self.remember(Undo::Account(index, before));
    }

    pub(crate) fn set_transfer(&mut self, transfer: Transfer) {
        let before = self.transfers.insert(transfer.id, transfer);
        self.remember(Undo::Transfer(transfer.id, before));
    }

    fn remember(&mut self, step: Undo) {
        if let Some(undo) = &mut self.undo {
            undo.push(step);
        }
    }

    /// From here on, [`Book::roll_back`] can undo.
    pub(crate) fn begin_group(&mut self) {
        self.undo = Some(Vec::new());
    }

    /// Keeps what the group did.
    pub(crate) fn keep_group(&mut self) {
        self.undo = None;
    }

    /// Puts everything back to where the group began.
    pub(crate) fn roll_back(&mut self) {
        for step in self.undo.take().into_iter().flatten().rev() {
            match step {
                Undo::Account(index, before) => self.accounts[index].now = before,
                Undo::Opened(index) => {
                    self.accounts.remove(index);
                }
                Undo::Transfer(id, Some(before)) => {
                    self.transfers.insert(id, before);
                }
                Undo::Transfer(id, None) => {
                    self.transfers.remove(&id);
                }
            }
        }
    }
}
