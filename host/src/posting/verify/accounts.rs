//! The proof of the accounts: each row must be what the replay has at the record that the row is current to.

use super::{Replay, Stop, fault};
use crate::engine::Posted;
use crate::posting::history::{Link, Step};
use crate::posting::resident::ById;
use crate::posting::rows::{self, AccountRow};
use crate::store::{Scanned, Tx};
use const_format::formatcp;
use ledger_core::{Account, AccountId, Amount, Receipt, Window};
use std::ops::ControlFlow;

/// Rows read by one statement.
const CHUNK: i64 = 65_536;

const ROWS: &str = formatcp!(
    "select {} from account where ledger_id = $1 and account_id >= $2 order by account_id limit $3",
    rows::ACCOUNT_COLUMNS
);

/// The accounts of a ledger, as the journal has made them so far.
#[derive(Default)]
pub(super) struct Accounts {
    places: ById<AccountId, u32>,
    slots: Vec<Slot>,
    /// Rows that are current to a record after the one up to which all rows must be, until the replay is there.
    newer: ById<AccountId, AccountRow>,
    /// How many rows were compared.
    compared: usize,
}

struct Slot {
    row: AccountRow,
    /// The last record for which the component was asked about it.
    asked: i64,
}

impl Accounts {
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Adds an account to what the component is asked about a record, and its place to the places, unless it is there; tells the place.
    #[inline]
    pub(super) fn ask(
        &mut self,
        id: AccountId,
        seq: i64,
        book: &mut Vec<Account>,
        places: &mut Vec<u32>,
    ) -> Option<u32> {
        let place = *self.places.get(&id)?;
        let slot = &mut self.slots[place as usize];
        if slot.asked != seq {
            slot.asked = seq;
            book.push(slot.row.account);
            places.push(place);
        }
        Some(place)
    }

    /// Where the account is; it is opened now if it is not there.
    pub(super) fn place_or_open(&mut self, id: AccountId) -> u32 {
        *self.places.entry(id).or_insert_with(|| {
            let row = AccountRow::new(Account::open(id, Amount::ZERO, Amount::ZERO));
            self.slots.push(Slot { row, asked: 0 });
            u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 accounts fit into memory")
        })
    }

    /// The account as a record left it.
    pub(super) fn set(&mut self, account: Account, seq: i64) {
        let place = self.place_or_open(account.id);
        self.set_at(place, account, seq);
    }

    /// The account at this place as a record left it.
    #[inline]
    pub(super) fn set_at(&mut self, place: u32, account: Account, seq: i64) {
        let row = &mut self.slots[place as usize].row;
        (row.account, row.as_of) = (account, seq);
    }

    pub(super) fn windows_at(&self, place: u32) -> &[Window] {
        self.slots[place as usize].row.windows.all()
    }

    /// A window as a record left it.
    pub(super) fn change_window(&mut self, window: Window) {
        let place = self.place_or_open(window.account);
        self.slots[place as usize].row.windows.change(window);
    }

    /// Appends a row to the history of an account, and tells what the row carries of it.
    #[inline]
    pub(super) fn append(&mut self, place: u32, position: i64, step: Step, seq: i64) -> Link {
        let row = &mut self.slots[place as usize].row;
        row.as_of = seq;
        row.chain.push(position, step)
    }

    /// Compares the accounts that this record changes, and whose rows are from before it, as they were before it.
    pub(super) fn prove_older(&mut self, seq: i64, posted: &Posted) -> Result<(), Stop> {
        if self.newer.is_empty() {
            return Ok(());
        }
        let parties = posted.outcomes.iter().filter_map(|outcome| match outcome {
            Ok(Receipt::Transfer(receipt)) => Some([receipt.transfer.payer, receipt.transfer.payee]),
            _ => None,
        });
        for id in posted.accounts.iter().map(|account| account.id).chain(parties.flatten()) {
            if self.newer.get(&id).is_some_and(|row| row.as_of < seq)
                && let Some(row) = self.newer.remove(&id)
            {
                self.compare(&row)?;
            }
        }
        Ok(())
    }

    /// Compares the rows that no record has changed since.
    pub(super) fn prove_rest(&mut self) -> Result<(), Stop> {
        let mut rest: Vec<AccountRow> = std::mem::take(&mut self.newer).into_values().collect();
        rest.sort_unstable_by_key(|row| row.account.id);
        rest.iter().try_for_each(|row| self.compare(row))?;
        let missing = self.slots.len() - self.compared;
        if missing > 0 {
            return Err(fault("accounts", format!("{missing} of {} are missing", self.slots.len())));
        }
        let sum: i128 = self.slots.iter().map(|slot| i128::from(slot.row.account.balance.minor())).sum();
        if sum != 0 {
            return Err(fault("accounts", format!("their balances sum to {sum} and not to zero")));
        }
        Ok(())
    }

    fn compare(&mut self, row: &AccountRow) -> Result<(), Stop> {
        let id = row.account.id;
        let Some(place) = self.places.get(&id) else {
            return Err(fault(account_place(id), "the journal knows nothing of it"));
        };
        let replayed = &self.slots[*place as usize].row;
        if replayed != row {
            let what = format!("it is stored as {row:?} and the journal makes it {replayed:?}");
            return Err(fault(account_place(id), what));
        }
        self.compared += 1;
        Ok(())
    }
}

impl Replay<'_> {
    /// Compares all rows of accounts, when the replay is where all of them must be at least. Those that are newer are kept until the
    /// replay is there.
    pub(super) async fn prove_accounts(&mut self, tx: &mut Tx) -> Result<(), Stop> {
        if self.proven.steps != self.flushed.position {
            return Err(fault("ledger", "the place up to which rows were written is not the end of a record"));
        }
        let (ledger, due, accounts) = (self.id(), self.flushed.seq, &mut self.decider.accounts);
        let mut next = Some(0_u128);
        while let Some(first) = next.take() {
            let mut rows = 0;
            let each = |row: &mut Scanned<'_>| {
                let id = AccountId(row.id()?);
                let row = rows::scanned_account(id, row).map_err(|error| Stop::from(error).at(|| account_place(id)))?;
                if row.as_of <= due {
                    accounts.compare(&row)?;
                } else {
                    accounts.newer.insert(id, row);
                }
                rows += 1;
                next = if rows == CHUNK { id.0.checked_add(1) } else { None };
                Ok::<_, Stop>(ControlFlow::Continue(()))
            };
            tx.scan(ROWS, &[ledger.0.into(), first.into(), CHUNK.into()], each).await?;
        }
        Ok(())
    }
}

fn account_place(id: AccountId) -> String {
    format!("account {}", crate::id_text(id.0))
}
