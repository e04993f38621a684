//! What a batch may touch: the accounts and transfers that were loaded for it. Loading and storing are the host's.

mod windows; // limits on what may pass in a period

use crate::index::{Free, Index};
use crate::{Account, AccountId, Direction, Period, Transfer, TransferId, Window};
use alloc::vec;
use alloc::vec::Vec;
use windows::{Held, Windows};

/// The working set of a batch. What is not in it does not exist for the batch.
#[derive(Clone, Debug)]
pub struct Book {
    /// As loaded, then those that were opened since.
    accounts: Vec<Account>,
    /// What commands changed of each.
    changed: Vec<Change>,
    account_places: Index,
    windows: Windows,
    /// As loaded, then those that were begun since.
    transfers: Vec<Transfer>,
    transfer_places: Index,
    /// Of all balances as loaded.
    sum: i128,
    /// What to put back if the linked group in progress fails, newest last. `None` outside of a group.
    undo: Option<Vec<Undo>>,
}

/// What commands changed of an account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Change {
    Nothing,
    /// The balance or what is held.
    Money,
    /// The limits, the status or the windows, or everything: it was opened.
    Terms,
}

#[derive(Clone, Debug)]
enum Undo {
    Account { place: usize, before: Account, changed: Change },
    Opened,
    Window { at: usize, before: Held },
    Transfer { place: usize, before: Transfer },
    Begun,
}

/// What no book can hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BookError {
    /// The account is in it already.
    AccountTwice(AccountId),
    /// The transfer is in it already.
    TransferTwice(TransferId),
    /// The window is in it already, limits nothing, or belongs to no account that says it has windows.
    Window(AccountId, Direction, Period),
    /// The account says that it has windows, and there is none.
    WindowMissing(AccountId),
}

impl Book {
    /// A book of these accounts, which have no windows, and no transfers. Of two accounts with the same id, the later counts.
    pub fn new(accounts: impl IntoIterator<Item = Account>) -> Book {
        let mut book = Book::empty(0, 0);
        for account in accounts {
            let account = Account { windowed: false, ..account };
            book.make_room_for_account();
            match book.find(account.id) {
                Ok(place) => book.accounts[place] = account,
                Err(free) => book.add_account(free, account),
            }
        }
        book.loaded()
    }

    /// A book of what was loaded.
    ///
    /// # Errors
    /// When an id is there twice, or the windows are not those of the accounts.
    pub fn load(accounts: &[Account], windows: &[Window], transfers: &[Transfer]) -> Result<Book, BookError> {
        let mut book = Book::empty(accounts.len(), transfers.len());
        accounts.iter().try_for_each(|account| book.load_account(*account))?;
        windows.iter().try_for_each(|window| book.load_window(*window))?;
        book.windows_are_those_of_accounts()?;
        transfers.iter().try_for_each(|transfer| book.load_transfer(*transfer))?;
        Ok(book.loaded())
    }

    /// A book with room for so many, which [`Book::load_account`] and [`Book::load_transfer`] fill and [`Book::loaded`] closes.
    pub(crate) fn empty(accounts: usize, transfers: usize) -> Book {
        Book {
            accounts: Vec::with_capacity(accounts),
            changed: Vec::new(),
            account_places: Index::with_room(accounts),
            windows: Windows::default(),
            transfers: Vec::with_capacity(transfers),
            transfer_places: Index::with_room(transfers),
            sum: 0,
            undo: None,
        }
    }

    pub(crate) fn load_account(&mut self, account: Account) -> Result<(), BookError> {
        let free = self.find(account.id).err().ok_or(BookError::AccountTwice(account.id))?;
        self.add_account(free, account);
        Ok(())
    }

    pub(crate) fn load_window(&mut self, window: Window) -> Result<(), BookError> {
        let refused = BookError::Window(window.account, window.direction, window.period);
        let place = self.find(window.account).map_err(|_| refused)?;
        let at = self.windows.at(place, window.direction, window.period);
        if !self.accounts[place].windowed || !window.limits() || self.windows.held(at).window.is_some() {
            return Err(refused);
        }
        self.windows.put(at, Held { window: Some(window), changed: false });
        Ok(())
    }

    /// After the last window: no account may be without the windows that it says it has, for it would be without limits.
    pub(crate) fn windows_are_those_of_accounts(&self) -> Result<(), BookError> {
        let mut windowed = self.accounts.iter().enumerate().filter(|(_, account)| account.windowed);
        match windowed.find(|(place, _)| !self.is_windowed(*place)) {
            Some((_, account)) => Err(BookError::WindowMissing(account.id)),
            None => Ok(()),
        }
    }

    /// Whether any account may have windows.
    #[inline]
    pub(crate) fn has_windows(&self) -> bool {
        !self.windows.is_empty()
    }

    fn is_windowed(&self, place: usize) -> bool {
        [Direction::Out, Direction::In].iter().any(|direction| self.windows.of(place, *direction).next().is_some())
    }

    pub(crate) fn load_transfer(&mut self, transfer: Transfer) -> Result<(), BookError> {
        let free = self.find_transfer(transfer.id).err().ok_or(BookError::TransferTwice(transfer.id))?;
        self.add_transfer(free, transfer);
        Ok(())
    }

    /// What is in it now is what was loaded.
    pub(crate) fn loaded(mut self) -> Book {
        self.changed = vec![Change::Nothing; self.accounts.len()];
        self.sum = self.balances();
        self
    }

    /// The account as it is now.
    pub fn account(&self, id: AccountId) -> Option<&Account> {
        self.find(id).ok().map(|place| &self.accounts[place])
    }

    /// The transfer as it is now.
    pub fn transfer(&self, id: TransferId) -> Option<&Transfer> {
        self.find_transfer(id).ok().map(|place| &self.transfers[place])
    }

    /// All accounts, in the order of their ids.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        in_order(self.accounts.iter().collect())
    }

    /// The accounts that a command changed or opened, in the order of their ids. One that several commands changed back to what it was is
    /// among them.
    pub fn changed_accounts(&self) -> impl Iterator<Item = &Account> {
        in_order(self.changed().map(|(_, account, _)| account).collect())
    }

    /// The accounts that a command changed or opened, with their places and what was changed, in the order of the places.
    pub(crate) fn changed(&self) -> impl Iterator<Item = (usize, &Account, Change)> {
        let all = self.accounts.iter().zip(&self.changed).enumerate();
        all.filter(|(_, (_, change))| **change != Change::Nothing)
            .map(|(place, (account, change))| (place, account, *change))
    }

    /// All windows that limit an account, in the order of the accounts' ids, then of directions and periods.
    pub fn windows(&self) -> impl Iterator<Item = &Window> {
        self.accounts().filter(|account| account.windowed).flat_map(|account| {
            let place = self.find(account.id).ok();
            place
                .into_iter()
                .flat_map(|place| self.windows_of(place, Direction::Out).chain(self.windows_of(place, Direction::In)))
        })
    }

    /// The windows that a command set, counted in or gave back to, in the same order. One that was taken away has no maxima.
    pub fn changed_windows(&self) -> impl Iterator<Item = &Window> {
        // A window does not change but with its account.
        self.changed_accounts().flat_map(|account| {
            let place = self.find(account.id).ok();
            place.into_iter().flat_map(|place| self.windows.changed_of(place))
        })
    }

    /// The windows that commands changed, with the places of their accounts, in the order of the places.
    pub(crate) fn windows_changed(&self) -> impl Iterator<Item = (usize, &Window)> {
        self.windows.changed()
    }

    /// The sum of all balances less the sum when the book was made: zero, or the ledger is broken.
    pub(crate) fn drift(&self) -> i128 {
        self.balances() - self.sum
    }

    fn balances(&self) -> i128 {
        self.accounts.iter().map(|account| i128::from(account.balance.minor())).sum()
    }

    pub(crate) fn accounts_len(&self) -> usize {
        self.accounts.len()
    }

    /// Where an account is, or where it would be found.
    #[inline]
    pub(crate) fn find(&self, id: AccountId) -> Result<usize, Free> {
        self.account_places.find(id.0, ids_of(&self.accounts))
    }

    pub(crate) fn at(&self, place: usize) -> &Account {
        &self.accounts[place]
    }

    /// Where a transfer is, or where it would be found.
    #[inline]
    pub(crate) fn find_transfer(&self, id: TransferId) -> Result<usize, Free> {
        self.transfer_places.find(id.0, |place| self.transfers[place].id.0)
    }

    pub(crate) fn transfer_at(&self, place: usize) -> &Transfer {
        &self.transfers[place]
    }

    /// Makes room for so many more transfers.
    pub(crate) fn make_room(&mut self, more: usize) {
        let places = self.transfers.len();
        self.transfers.reserve(more);
        let id_at = |place: usize| self.transfers[place].id.0;
        self.transfer_places.make_room(places + more, places, id_at);
    }

    /// Makes room for one more account. Few batches open one.
    pub(crate) fn make_room_for_account(&mut self) {
        let places = self.accounts.len();
        self.account_places.make_room(places + 1, places, ids_of(&self.accounts));
    }

    /// Adds a new account, for which there is room, and tells its place.
    pub(crate) fn open_account(&mut self, free: Free, account: Account) -> usize {
        self.add_account(free, account);
        self.changed.push(Change::Terms);
        self.remember(Undo::Opened);
        self.accounts.len() - 1
    }

    /// The account, so that its balance and what is held can be changed.
    #[inline]
    pub(crate) fn move_money(&mut self, place: usize) -> &mut Account {
        if let Some(undo) = &mut self.undo {
            undo.push(Undo::Account { place, before: self.accounts[place], changed: self.changed[place] });
        }
        if self.changed[place] == Change::Nothing {
            self.changed[place] = Change::Money;
        }
        &mut self.accounts[place]
    }

    /// The account, so that its limits and its status can be changed.
    pub(crate) fn set_terms(&mut self, place: usize) -> &mut Account {
        self.move_money(place);
        self.changed[place] = Change::Terms;
        &mut self.accounts[place]
    }

    /// The windows that limit what passes through an account one way.
    pub(crate) fn windows_of(&self, place: usize, direction: Direction) -> impl Iterator<Item = &Window> {
        self.windows.of(place, direction).map(|(_, window)| window)
    }

    pub(crate) fn window(&self, place: usize, direction: Direction, period: Period) -> Option<&Window> {
        self.windows.get(place, direction, period)
    }

    /// Puts a window where it belongs, and tells the account whether it has any.
    pub(crate) fn set_window(&mut self, place: usize, window: Window) {
        let at = self.windows.at(place, window.direction, window.period);
        self.put_window(at, window);
        let windowed = self.is_windowed(place);
        self.set_terms(place).windowed = windowed;
    }

    /// Lets each window that limits what passes through an account one way become another one.
    pub(crate) fn change_windows(&mut self, place: usize, direction: Direction, change: impl Fn(&Window) -> Window) {
        for period in [Period::Day, Period::Week, Period::Month] {
            if let Some(before) = self.windows.get(place, direction, period) {
                let after = change(before);
                if after != *before {
                    let at = self.windows.at(place, direction, period);
                    self.put_window(at, after);
                }
            }
        }
    }

    fn put_window(&mut self, at: usize, window: Window) {
        let before = self.windows.held(at);
        self.remember(Undo::Window { at, before });
        self.windows.put(at, Held { window: Some(window), changed: true });
    }

    /// Adds a new transfer, for which there is room, and tells its place.
    #[inline]
    pub(crate) fn begin(&mut self, free: Free, transfer: Transfer) -> usize {
        self.add_transfer(free, transfer);
        self.remember(Undo::Begun);
        self.transfers.len() - 1
    }

    /// The transfer, to be changed.
    pub(crate) fn change_transfer(&mut self, place: usize) -> &mut Transfer {
        if let Some(undo) = &mut self.undo {
            undo.push(Undo::Transfer { place, before: self.transfers[place] });
        }
        &mut self.transfers[place]
    }

    #[inline]
    fn add_account(&mut self, free: Free, account: Account) {
        self.accounts.push(account);
        self.account_places.add(free, self.accounts.len() - 1, ids_of(&self.accounts));
    }

    #[inline]
    fn add_transfer(&mut self, free: Free, transfer: Transfer) {
        self.transfers.push(transfer);
        let id_at = |place: usize| self.transfers[place].id.0;
        self.transfer_places.add(free, self.transfers.len() - 1, id_at);
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
                Undo::Account { place, before, changed } => {
                    (self.accounts[place], self.changed[place]) = (before, changed);
                }
                Undo::Transfer { place, before } => self.transfers[place] = before,
                Undo::Window { at, before } => self.windows.put(at, before),
                // Newest first, so what was added is at the end.
                Undo::Opened => {
                    self.changed.pop();
                    if let Some(account) = self.accounts.pop() {
                        self.account_places.remove_last(self.accounts.len(), account.id.0);
                        self.windows.forget_from(self.accounts.len());
                    }
                }
                Undo::Begun => {
                    if let Some(transfer) = self.transfers.pop() {
                        self.transfer_places.remove_last(self.transfers.len(), transfer.id.0);
                    }
                }
            }
        }
    }
}

fn ids_of(accounts: &[Account]) -> impl Fn(usize) -> u128 {
    |place| accounts[place].id.0
}

/// Loaded in order and little opened, so mostly in order already.
fn in_order(mut accounts: Vec<&Account>) -> impl Iterator<Item = &Account> {
    if !accounts.is_sorted_by_key(|account| account.id) {
        accounts.sort_unstable_by_key(|account| account.id);
    }
    accounts.into_iter()
}
