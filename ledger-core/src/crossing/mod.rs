//! The bytes that go into a sandbox and those that come out: a whole batch as one question, all that was decided as one answer.
//!
//! For hosts that post many thousands of commands a second, to whom the typed interface costs more than the decisions. Not for keeping:
//! both sides are of one build. The lowest byte comes first; commands are as in [`crate::codec`] otherwise.
//!
//! | thing | bytes |
//! | --- | --- |
//! | question | version `1`, time i64, then accounts, transfers and items, each with their count u32 before |
//! | account | status, flags (1 holds), id 16, balance, floor, ceiling i64; with holds: held out, held in i64 |
//! | transfer | kind, state, flags (2 expiry, 4 memo), id 16, payer 16, payee 16, amount, moved, created at i64, expiry i64?, memo 16?; if refused: code, amount i64? |
//! | answer | version `1`, a verdict for each item, then the count u32 of accounts that changed, and those |
//! | verdict | 0 account: place u32, account; 1 transfer: payer's and payee's place u32, payer's and payee's balance i64; 2 repeated; 3 refused: code, amount i64? |
//! | changed account | place u32, flags (1 terms), balance, held out, held in i64; with terms: floor, ceiling i64, status |
//!
//! The *place* of an account is its number in the question, from 0; those that are opened follow in the order in which they are.
//! An answer says where the accounts are that it moved, so that who asked can check every receipt without searching.

use crate::book::Change;
use crate::codec::bytes::{Chunk, LittleEndian, Order, Reader, Writer, amount, count, flag, number_128, status_byte};
use crate::codec::{CodecError, item};
use crate::posting::{Answers, Decision, Done, post_group};
use crate::{
    Account, AccountId, Amount, BATCH_MAX, Book, Item, Memo, Rejection, Timestamp, Transfer, TransferId, TransferKind,
    TransferState,
};
use alloc::vec::Vec;

/// The version of both question and answer.
pub const VERSION: u8 = 1;

const HAS_EXPIRY: u8 = 2;
const HAS_MEMO: u8 = 4;
const HAS_TERMS: u8 = 1;
const HAS_HOLDS: u8 = 1;

/// Appends the question for the batch `batch`, to be decided at `now` against these accounts and transfers, each of which has its id for
/// itself.
pub fn question(out: &mut Vec<u8>, accounts: &[Account], transfers: &[Transfer], batch: &[Item], now: Timestamp) {
    out.reserve(
        32 + ACCOUNT_SIZE_MAX * accounts.len() + TRANSFER_SIZE_MAX * transfers.len() + ITEM_SIZE_MAX * batch.len(),
    );
    let mut out = Writer::<LittleEndian>::new(out);
    out.byte(VERSION);
    out.i64(now.0);
    out.count(accounts.len());
    accounts.iter().for_each(|account| write_account(&mut out, account));
    out.count(transfers.len());
    transfers.iter().for_each(|transfer| write_transfer(&mut out, transfer));
    out.count(batch.len());
    batch.iter().for_each(|item| item::write(&mut out, item));
}

const ACCOUNT_FIXED: usize = 1 + 1 + 16 + 3 * 8;
const ACCOUNT_SIZE_MAX: usize = ACCOUNT_FIXED + 2 * 8;
const TRANSFER_FIXED: usize = 3 + 3 * 16 + 3 * 8;
const TRANSFER_SIZE_MAX: usize = TRANSFER_FIXED + 8 + 16 + 9;
const ITEM_SIZE_MAX: usize = 3 + 3 * 16 + 8 + 16 + 8 + 16;

/// Decides the batch of a question as [`crate::post`] does.
///
/// # Errors
/// When the bytes are no question: also when an id is there twice, or the batch has more than [`BATCH_MAX`] items.
///
/// # Panics
/// As [`crate::post`].
pub fn answer(question: &[u8]) -> Result<Vec<u8>, CodecError> {
    let mut reader = Reader::<LittleEndian>::new(question);
    if reader.byte()? != VERSION {
        return Err(reader.wrong());
    }
    let now = Timestamp(reader.i64()?);
    let mut book = read_book(&mut reader)?;
    let items = reader.count()?;
    if items > BATCH_MAX {
        return Err(reader.wrong());
    }
    book.make_room(items);
    let mut answer =
        Answer { bytes: Vec::with_capacity(32 + items * VERDICT_SIZE + book.accounts_len() * CHANGED_SIZE) };
    answer.bytes.push(VERSION);
    let mut group: Vec<Item> = Vec::new();
    for _ in 0..items {
        let item = item::read(&mut reader)?;
        if !item.linked && group.is_empty() {
            post_group(&mut book, &[item], now, &mut answer);
            continue;
        }
        group.push(item);
        if !item.linked {
            post_group(&mut book, &group, now, &mut answer);
            group.clear();
        }
    }
    post_group(&mut book, &group, now, &mut answer);
    reader.end()?;
    assert!(book.drift() == 0, "the balances no longer sum to what they did");
    Ok(answer.close(&book))
}

const VERDICT_SIZE: usize = 1 + 2 * 4 + 2 * 8;
const CHANGED_SIZE: usize = 4 + 1 + 3 * 8;

fn read_book(reader: &mut Reader<'_, LittleEndian>) -> Result<Book, CodecError> {
    let accounts = reader.count()?;
    let mut book = Book::empty(reader.at_most(accounts, ACCOUNT_FIXED), 0);
    for _ in 0..accounts {
        let account = read_account(reader)?;
        book.load_account(account).map_err(|_| reader.wrong())?;
    }
    let transfers = reader.count()?;
    book.make_room(reader.at_most(transfers, TRANSFER_FIXED));
    for _ in 0..transfers {
        let transfer = read_transfer(reader)?;
        book.load_transfer(transfer).map_err(|_| reader.wrong())?;
    }
    Ok(book.loaded())
}

/// An answer that is being written.
struct Answer {
    bytes: Vec<u8>,
}

impl Answers for Answer {
    fn add(&mut self, book: &Book, decision: Decision) {
        let mut out = Writer::<LittleEndian>::new(&mut self.bytes);
        match decision {
            Ok(Done::Account(place)) => {
                out.byte(0);
                out.count(place);
                write_account(&mut out, book.at(place));
            }
            Ok(Done::Transfer { payer, payee, .. }) => {
                let fixed = Chunk::<LittleEndian, VERDICT_SIZE>::new().byte(0, 1).count(1, payer).count(5, payee);
                out.chunk(&fixed.amount(9, book.at(payer).balance).amount(17, book.at(payee).balance));
            }
            Ok(Done::Repeated(_)) => out.byte(2),
            Err(rejection) => {
                out.byte(3);
                out.rejection(rejection);
            }
        }
    }

    fn mark(&self) -> usize {
        self.bytes.len()
    }

    fn back_to(&mut self, mark: usize) {
        self.bytes.truncate(mark);
    }
}

impl Answer {
    fn close(mut self, book: &Book) -> Vec<u8> {
        let mut out = Writer::<LittleEndian>::new(&mut self.bytes);
        out.count(book.changed().count());
        for (place, account, change) in book.changed() {
            let fixed = Chunk::<LittleEndian, CHANGED_SIZE>::new()
                .count(0, place)
                .byte(4, flag(change == Change::Terms, HAS_TERMS))
                .amount(5, account.balance);
            out.chunk(&fixed.amount(13, account.held_out).amount(21, account.held_in));
            if change == Change::Terms {
                out.amount(account.floor);
                out.amount(account.ceiling);
                out.status(account.status);
            }
        }
        self.bytes
    }
}

/// What an answer says of one item.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answered {
    /// An account command was accepted.
    Account {
        /// The account's place.
        place: usize,
        /// The account as it was after the command.
        account: Account,
    },
    /// A transfer command was accepted.
    Transfer {
        /// The payer's place.
        payer: usize,
        /// The payee's place.
        payee: usize,
        /// The payer's balance after the command.
        payer_balance: Amount,
        /// The payee's balance after the command.
        payee_balance: Amount,
    },
    /// The command came before.
    Repeated,
    /// The command was refused.
    Refused(Rejection),
}

/// Reads an answer from its beginning to its end: the verdicts, then the accounts that changed.
pub struct AnswerReader<'a> {
    reader: Reader<'a, LittleEndian>,
}

impl<'a> AnswerReader<'a> {
    /// At the first verdict.
    ///
    /// # Errors
    /// When the bytes do not begin as an answer does.
    pub fn new(answer: &'a [u8]) -> Result<AnswerReader<'a>, CodecError> {
        let mut reader = Reader::new(answer);
        if reader.byte()? == VERSION { Ok(AnswerReader { reader }) } else { Err(reader.wrong()) }
    }

    /// The verdict on the next item.
    ///
    /// # Errors
    /// When the bytes are none.
    #[inline]
    pub fn verdict(&mut self) -> Result<Answered, CodecError> {
        let reader = &mut self.reader;
        Ok(match reader.byte()? {
            0 => Answered::Account { place: reader.count()?, account: read_account(reader)? },
            1 => {
                let fixed = reader.chunk::<24>()?;
                let amount = |at| amount::<LittleEndian, 24>(fixed, at).ok_or_else(|| reader.wrong());
                Answered::Transfer {
                    payer: count::<LittleEndian, 24>(fixed, 0),
                    payee: count::<LittleEndian, 24>(fixed, 4),
                    payer_balance: amount(8)?,
                    payee_balance: amount(16)?,
                }
            }
            2 => Answered::Repeated,
            3 => Answered::Refused(reader.rejection()?),
            _ => return Err(reader.wrong()),
        })
    }

    /// How many accounts changed, after the last verdict.
    ///
    /// # Errors
    /// When the bytes are no number.
    pub fn changes(&mut self) -> Result<usize, CodecError> {
        self.reader.count()
    }

    /// The place of the next account that changed, and the account. `before` tells the account at a place, as far as it is known.
    ///
    /// # Errors
    /// When the bytes are none, or nothing is known of the place.
    #[inline]
    pub fn change(&mut self, before: impl Fn(usize) -> Option<Account>) -> Result<(usize, Account), CodecError> {
        let reader = &mut self.reader;
        let place = reader.count()?;
        let before = before(place).ok_or_else(|| reader.wrong())?;
        let has_terms = reader.flags(HAS_TERMS)? != 0;
        let fixed = reader.chunk::<24>()?;
        let amount = |at| amount::<LittleEndian, 24>(fixed, at);
        let account = || {
            Some(Account {
                balance: amount(0)?,
                held_out: amount(8).filter(|held| *held >= Amount::ZERO)?,
                held_in: amount(16).filter(|held| *held >= Amount::ZERO)?,
                ..before
            })
        };
        let mut account = account().ok_or_else(|| reader.wrong())?;
        if has_terms {
            account =
                Account { floor: reader.amount()?, ceiling: reader.amount()?, status: reader.status()?, ..account };
        }
        Ok((place, account))
    }

    /// After the last account, nothing may follow.
    ///
    /// # Errors
    /// When something does.
    pub const fn end(&self) -> Result<(), CodecError> {
        self.reader.end()
    }
}

fn write_account<O: Order>(out: &mut Writer<'_, O>, account: &Account) {
    let holds = account.held_out != Amount::ZERO || account.held_in != Amount::ZERO;
    let fixed = Chunk::<O, ACCOUNT_FIXED>::new().byte(0, status_byte(account.status)).byte(1, flag(holds, HAS_HOLDS));
    let fixed = fixed.u128(2, account.id.0).amount(18, account.balance);
    out.chunk(&fixed.amount(26, account.floor).amount(34, account.ceiling));
    if holds {
        out.amount(account.held_out);
        out.amount(account.held_in);
    }
}

#[inline]
fn read_account<O: Order>(reader: &mut Reader<'_, O>) -> Result<Account, CodecError> {
    let status = reader.status()?;
    let holds = reader.flags(HAS_HOLDS)? != 0;
    let fixed = reader.chunk::<40>()?;
    let amount = |at| amount::<O, 40>(fixed, at);
    let open = |floor, ceiling| Account::open(AccountId(number_128::<O, 40>(fixed, 0)), floor, ceiling);
    let account = || Some(Account { balance: amount(16)?, status, ..open(amount(24)?, amount(32)?) });
    let account = account().ok_or_else(|| reader.wrong())?;
    if !holds {
        return Ok(account);
    }
    Ok(Account { held_out: read_held(reader)?, held_in: read_held(reader)?, ..account })
}

/// Never negative.
fn read_held<O: Order>(reader: &mut Reader<'_, O>) -> Result<Amount, CodecError> {
    let held = reader.amount()?;
    if held >= Amount::ZERO { Ok(held) } else { Err(reader.wrong()) }
}

fn write_transfer<O: Order>(out: &mut Writer<'_, O>, transfer: &Transfer) {
    out.byte(item::kind_byte(transfer.kind));
    out.byte(match transfer.state {
        TransferState::Held => 0,
        TransferState::Requested => 1,
        TransferState::Posted => 2,
        TransferState::Released => 3,
        TransferState::Declined => 4,
        TransferState::Withdrawn => 5,
        TransferState::Expired => 6,
        TransferState::Refused(_) => 7,
    });
    out.byte(flag(transfer.expires_at.is_some(), HAS_EXPIRY) | flag(transfer.memo != Memo::NONE, HAS_MEMO));
    out.u128(transfer.id.0);
    out.u128(transfer.payer.0);
    out.u128(transfer.payee.0);
    out.amount(transfer.amount);
    out.amount(transfer.moved);
    out.i64(transfer.created_at.0);
    if let Some(expires_at) = transfer.expires_at {
        out.i64(expires_at.0);
    }
    out.memo(transfer.memo);
    if let TransferState::Refused(rejection) = transfer.state {
        out.rejection(rejection);
    }
}

fn read_transfer<O: Order>(reader: &mut Reader<'_, O>) -> Result<Transfer, CodecError> {
    let kind: TransferKind = item::read_kind(reader)?;
    let state = reader.byte()?;
    let flags = reader.flags(HAS_EXPIRY | HAS_MEMO)?;
    let mut transfer = Transfer {
        kind,
        state: match state {
            0 => TransferState::Held,
            1 => TransferState::Requested,
            2 | 7 => TransferState::Posted,
            3 => TransferState::Released,
            4 => TransferState::Declined,
            5 => TransferState::Withdrawn,
            6 => TransferState::Expired,
            _ => return Err(reader.wrong()),
        },
        id: TransferId(reader.u128()?),
        payer: AccountId(reader.u128()?),
        payee: AccountId(reader.u128()?),
        amount: reader.amount()?,
        moved: reader.amount()?,
        created_at: Timestamp(reader.i64()?),
        expires_at: if flags & HAS_EXPIRY != 0 { Some(Timestamp(reader.i64()?)) } else { None },
        memo: reader.memo(flags & HAS_MEMO != 0)?,
    };
    if state == 7 {
        transfer.state = TransferState::Refused(reader.rejection()?);
    }
    if transfer.amount.is_positive() { Ok(transfer) } else { Err(reader.wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Action, Command, Create, Settle, post};

    /// More transfers than commands, which the tables of a book must have room for.
    #[test]
    fn a_question_with_many_transfers_is_answered_as_the_core_decides() {
        let amount = |minor| Amount::new(minor).unwrap();
        let hold = |id| Create {
            id: TransferId(id),
            kind: TransferKind::Hold,
            payer: AccountId(1),
            payee: AccountId(2),
            amount: amount(1),
            expires_at: None,
            key: None,
            payable_now: false,
            memo: Memo::NONE,
        };
        let transfers: Vec<Transfer> = (0..1_000).map(|id| Transfer::begun(&hold(id), Timestamp(0))).collect();
        let open = |id| Account::open(AccountId(id), amount(-5_000), amount(5_000));
        let held = amount(1_000);
        let accounts = [Account { held_out: held, ..open(1) }, Account { held_in: held, ..open(2) }];
        let capture = Settle { transfer: TransferId(7), action: Action::Capture(None), memo: Memo::NONE };
        let batch = [Item::alone(Command::Settle(capture)), Item::alone(Command::Create(hold(5_000)))];

        let mut book = Book::load(&accounts, &transfers).unwrap();
        let outcomes = post(&mut book, &batch, Timestamp(1));
        assert!(outcomes.iter().all(Result::is_ok));
        let mut bytes = Vec::new();
        question(&mut bytes, &accounts, &transfers, &batch, Timestamp(1));
        let answer = answer(&bytes).unwrap();
        let mut reader = AnswerReader::new(&answer).unwrap();
        for _ in &batch {
            let verdict = reader.verdict().unwrap();
            assert!(matches!(verdict, Answered::Transfer { payer: 0, payee: 1, .. }), "{verdict:?}");
        }
        assert_eq!(reader.changes(), Ok(2));
        for (place, now) in book.accounts().enumerate() {
            assert_eq!(reader.change(|place| accounts.get(place).copied()), Ok((place, *now)));
        }
        assert_eq!(reader.end(), Ok(()));
    }
}
