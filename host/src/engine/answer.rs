//! What comes out of the sandbox, read and held against what went in: an answer keeps the ledger's sum and does not contradict itself, or
//! nothing of it is stored.
//!
//! The component decides which commands are accepted, and says what every account then is. What an accepted command does to its accounts
//! is told here a second time, in a few lines, and both must come to the same. Which transfer it makes follows from the command, so that
//! no word of a transfer can be changed in there.

use super::windows::Windows;
use super::{Book, EngineError, Posted};
use ledger_core::codec::CodecError;
use ledger_core::crossing::{AnswerReader, Answered};
use ledger_core::{
    Account, AccountId, Amount, Command, Direction, Item, Outcome, Receipt, Timestamp, Transfer, TransferId,
    TransferKind, TransferReceipt, TransferState,
};
use std::collections::HashMap;

/// Reads an answer.
///
/// # Errors
/// When it is none, or none to this question.
pub(super) fn read(book: &Book, batch: &[Item], now: Timestamp, answer: &[u8]) -> Result<Posted, EngineError> {
    let mut reader = AnswerReader::new(answer).map_err(malformed)?;
    let windows = Windows::of(&book.windows);
    let mut ledger = Ledger { book, now, accounts: book.accounts.clone(), windows, transfers: None };
    let mut outcomes = Vec::with_capacity(batch.len());
    for item in batch {
        let outcome = match reader.verdict().map_err(malformed)? {
            Answered::Account { place, account } => Ok(ledger.set_account(&item.command, place, account)?),
            Answered::Transfer { payer, payee, payer_balance, payee_balance } => {
                let transfer = ledger.transfer(&item.command, &outcomes)?;
                ledger.move_money(&transfer, (payer, payer_balance), (payee, payee_balance))?;
                Ok(Receipt::Transfer(TransferReceipt { transfer, payer_balance, payee_balance }))
            }
            Answered::Repeated => Ok(Receipt::Repeated(ledger.repeated(&item.command, &outcomes)?)),
            Answered::Refused(rejection) => Err(rejection),
        };
        outcomes.push(outcome);
    }
    let accounts = ledger.changed(&mut reader)?;
    let ids = &ledger.accounts;
    let windows = ledger.windows.changed(&mut reader, |place| ids.get(place).map(|account| account.id))?;
    reader.end().map_err(malformed)?;
    Ok(Posted { outcomes, accounts, windows })
}

fn malformed(_: CodecError) -> EngineError {
    EngineError::Nonsense("it is no answer")
}

const OTHER_ACCOUNT: EngineError = EngineError::Nonsense("a receipt is about another account");

/// The ledger as the verdicts so far have made it.
struct Ledger<'a> {
    book: &'a Book,
    now: Timestamp,
    /// By place: those of the book, then those that the batch opened.
    accounts: Vec<Account>,
    windows: Windows,
    /// The transfers of the book and of the outcomes so far, as they are now; none until the first command that looks for one.
    transfers: Option<HashMap<TransferId, Transfer>>,
}

impl Ledger<'_> {
    /// The receipt of an account command.
    fn set_account(&mut self, command: &Command, place: usize, told: Account) -> Result<Receipt, EngineError> {
        if let Command::OpenAccount(open) = command {
            if place != self.accounts.len() {
                return Err(OTHER_ACCOUNT);
            }
            self.accounts.push(Account::open(open.account, open.floor, open.ceiling));
        }
        let account = self.accounts.get_mut(place).ok_or(OTHER_ACCOUNT)?;
        let named = match command {
            Command::OpenAccount(open) => {
                account.status = open.status;
                open.account
            }
            Command::SetLimits(limits) => {
                account.floor = limits.floor.unwrap_or(account.floor);
                account.ceiling = limits.ceiling.unwrap_or(account.ceiling);
                limits.account
            }
            Command::SetStatus(change) => {
                account.status = change.status;
                change.account
            }
            Command::SetWindow(set) => {
                account.windowed = self.windows.set(set, self.now);
                set.account
            }
            Command::Create(_) | Command::Settle(_) => {
                return Err(EngineError::Nonsense("a transfer is answered with an account"));
            }
        };
        if account.id != named {
            return Err(OTHER_ACCOUNT);
        }
        if *account != told {
            return Err(EngineError::Nonsense("an account is not what the commands have made it"));
        }
        Ok(Receipt::Account(told))
    }

    /// The transfer that an accepted command begins or settles, as it is after it.
    #[inline]
    fn transfer(&mut self, command: &Command, so_far: &[Outcome]) -> Result<Transfer, EngineError> {
        let transfer = match command {
            Command::Create(create) => Transfer::begun(create, self.now),
            Command::Settle(settle) => {
                let before = self.known(so_far).get(&settle.transfer).filter(|transfer| transfer.is_pending());
                before.ok_or(EngineError::Nonsense("it settles what does not wait"))?.settled(settle.action)
            }
            Command::OpenAccount(_) | Command::SetLimits(_) | Command::SetStatus(_) | Command::SetWindow(_) => {
                return Err(EngineError::Nonsense("an account is answered with a transfer"));
            }
        };
        if let Some(transfers) = &mut self.transfers {
            transfers.insert(transfer.id, transfer);
        }
        Ok(transfer)
    }

    fn repeated(&mut self, command: &Command, so_far: &[Outcome]) -> Result<Transfer, EngineError> {
        let first = match command {
            Command::Create(create) => self.known(so_far).get(&create.id).copied(),
            _ => None,
        };
        first.ok_or(EngineError::Nonsense("it repeats what was not there"))
    }

    fn known(&mut self, so_far: &[Outcome]) -> &HashMap<TransferId, Transfer> {
        self.transfers.get_or_insert_with(|| {
            let begun = so_far.iter().filter_map(|outcome| match outcome {
                Ok(Receipt::Transfer(receipt)) => Some(receipt.transfer),
                Ok(Receipt::Account(_) | Receipt::Repeated(_)) | Err(_) => None,
            });
            self.book.transfers.iter().copied().chain(begun).map(|transfer| (transfer.id, transfer)).collect()
        })
    }

    /// What a transfer that has come to its state does to its accounts, whose balances must then be those that are told.
    #[inline]
    fn move_money(
        &mut self,
        transfer: &Transfer,
        (payer, payer_balance): (usize, Amount),
        (payee, payee_balance): (usize, Amount),
    ) -> Result<(), EngineError> {
        let is_settled_hold = transfer.kind == TransferKind::Hold && transfer.state != TransferState::Held;
        let held = match (transfer.kind, transfer.state) {
            (TransferKind::Hold, TransferState::Held) => transfer.amount,
            (TransferKind::Hold, _) => transfer.amount.negated(),
            (TransferKind::Immediate | TransferKind::Request, _) => Amount::ZERO,
        };
        if is_settled_hold && transfer.moved > transfer.amount {
            return Err(EngineError::Nonsense("more is captured than was held"));
        }
        let payer = self.at(payer, transfer.payer)?;
        payer.balance = plus(payer.balance, transfer.moved.negated())?;
        payer.held_out = plus(payer.held_out, held)?;
        let (debited, payer_windowed) = (payer.balance == payer_balance, payer.windowed);
        let payee = self.at(payee, transfer.payee)?;
        payee.balance = plus(payee.balance, transfer.moved)?;
        payee.held_in = plus(payee.held_in, held)?;
        let (credited, payee_windowed) = (payee.balance == payee_balance, payee.windowed);
        if !(debited && credited) {
            return Err(EngineError::Nonsense("a receipt does not follow from the balances before it"));
        }
        if payer_windowed {
            self.windows.count(transfer.payer, Direction::Out, transfer, self.now);
        }
        if payee_windowed {
            self.windows.count(transfer.payee, Direction::In, transfer, self.now);
        }
        Ok(())
    }

    #[inline]
    fn at(&mut self, place: usize, id: AccountId) -> Result<&mut Account, EngineError> {
        self.accounts.get_mut(place).filter(|account| account.id == id).ok_or(OTHER_ACCOUNT)
    }

    /// The accounts that changed, in the order of their places. They are all that changed.
    fn changed(&self, reader: &mut AnswerReader<'_>) -> Result<Vec<Account>, EngineError> {
        let changes = reader.changes().map_err(malformed)?;
        let mut changed = Vec::with_capacity(changes.min(self.accounts.len()));
        let mut next = 0;
        for _ in 0..changes {
            let (place, account) = reader.change(|place| self.before(place)).map_err(malformed)?;
            if place < next {
                return Err(EngineError::Nonsense("the changed accounts are not in order"));
            }
            if self.accounts[place] != account {
                return Err(EngineError::Nonsense("an account is not what the commands have made it"));
            }
            self.unchanged(next, place)?;
            next = place + 1;
            changed.push(account);
        }
        self.unchanged(next, self.accounts.len())?;
        Ok(changed)
    }

    /// What is known of an account without the answer. Of one that was opened, no more than the id.
    fn before(&self, place: usize) -> Option<Account> {
        let opened = || self.accounts.get(place).map(|account| Account::open(account.id, Amount::ZERO, Amount::ZERO));
        self.book.accounts.get(place).copied().or_else(opened)
    }

    /// None of these places was opened or has changed.
    fn unchanged(&self, from: usize, to: usize) -> Result<(), EngineError> {
        if (from..to).all(|place| self.book.accounts.get(place) == Some(&self.accounts[place])) {
            return Ok(());
        }
        Err(EngineError::Nonsense("an account that has changed is not among those that did"))
    }
}

fn plus(amount: Amount, change: Amount) -> Result<Amount, EngineError> {
    amount.checked_add(change).ok_or(EngineError::Nonsense("an amount is out of range"))
}
