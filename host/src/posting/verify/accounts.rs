//! The proof of the accounts: each row must be what the replay has at the record that the row is current to.

use super::{CHUNK, Replay, Stop, fault};
use crate::engine::Posted;
use crate::posting::rows;
use crate::store::{Error, Tx};
use ledger_core::{AccountId, Receipt};

impl Replay<'_> {
    /// Reads the accounts as they are stored, once, when the replay is where all of them must be at least.
    pub(super) async fn read_accounts_when_due(&mut self, tx: &mut Tx) -> Result<(), Stop> {
        if self.records != self.flushed.seq || self.replayed {
            return Ok(());
        }
        if self.steps != self.flushed.position {
            return Err(fault("ledger", "the place up to which rows were written is not the end of a record"));
        }
        let mut next = Some(0_u128);
        while let Some(first) = next {
            let sql = "select * from account where ledger_id = $1 and account_id >= $2 order by account_id limit $3";
            let stored = tx.fetch_all(sql, vec![self.id().0.into(), first.into(), CHUNK.into()]).await?;
            next = stored.last().map(|row| row.id("account_id")).transpose()?.and_then(|last| last.checked_add(1));
            for row in &stored {
                let id = AccountId(row.id("account_id")?);
                let row = rows::account_row(row).map_err(|error| match error {
                    Error::Corrupt(what) => fault(account_place(id), what),
                    error => Stop::Store(error),
                })?;
                self.stored.insert(id, row);
            }
        }
        Ok(())
    }

    /// Compares the accounts that this record changes, and whose rows are from before it, as they were before it.
    pub(super) fn compare_older(&mut self, seq: i64, posted: &Posted) -> Result<(), Stop> {
        let parties = posted.outcomes.iter().filter_map(|outcome| match outcome {
            Ok(Receipt::Transfer(receipt)) => Some([receipt.transfer.payer, receipt.transfer.payee]),
            _ => None,
        });
        let changed = posted.accounts.iter().map(|account| account.id).chain(parties.flatten());
        for id in changed {
            if self.stored.get(&id).is_some_and(|row| row.as_of < seq) {
                self.compare_account(id)?;
            }
        }
        Ok(())
    }

    fn compare_account(&mut self, id: AccountId) -> Result<(), Stop> {
        let Some(row) = self.stored.remove(&id) else { return Ok(()) };
        match self.accounts.get(&id) {
            None => Err(fault(account_place(id), "the journal knows nothing of it")),
            Some(replayed) if *replayed != row => {
                let what = format!("it is stored as {row:?} and the journal makes it {replayed:?}");
                Err(fault(account_place(id), what))
            }
            Some(_) => {
                self.compared += 1;
                Ok(())
            }
        }
    }

    pub(super) fn compare_accounts(&mut self) -> Result<(), Stop> {
        while let Some(id) = self.stored.keys().next().copied() {
            self.compare_account(id)?;
        }
        let missing = self.accounts.len() - self.compared;
        if missing > 0 {
            return Err(fault("accounts", format!("{missing} of {} are missing", self.accounts.len())));
        }
        let sum: i128 = self.accounts.values().map(|row| i128::from(row.account.balance.minor())).sum();
        if sum != 0 {
            return Err(fault("accounts", format!("their balances sum to {sum} and not to zero")));
        }
        Ok(())
    }
}

fn account_place(id: AccountId) -> String {
    format!("account {}", crate::id_text(id.0))
}
