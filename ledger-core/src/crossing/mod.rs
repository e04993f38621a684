//! The bytes that go into a sandbox and those that come out: a whole batch as one question, all that was decided as one answer.
//!
//! For hosts that post many thousands of commands a second, to whom the typed interface costs more than the decisions. Not for keeping:
//! both sides are of one build. The lowest byte comes first; commands are as in [`crate::codec`] otherwise.
//!
//! | thing | bytes |
//! | --- | --- |
//! | question | version `1`, time i64, then accounts, windows, transfers and items, each with their count u32 before |
//! | account | status, flags (1 holds, 2 windowed), id 16, balance, floor, ceiling i64; with holds: held out, held in i64 |
//! | window | place of the account u32, direction, period, flags (1 amount, 2 count), used amount i64, used count u32, began in days u32, since i64, offset in minutes i64, amount i64?, count u32? |
//! | transfer | kind, state, flags (2 expiry, 4 memo), id 16, payer 16, payee 16, amount, moved, created at i64, expiry i64?, memo 16?; if refused: code, amount i64? |
//! | answer | version `1`, a verdict for each item, then the count u32 of accounts that changed, and those, then the count u32 of windows that changed, and those |
//! | verdict | 0 account: place u32, account; 1 transfer: payer's and payee's place u32, payer's and payee's balance i64; 2 repeated; 3 refused: code, amount i64? |
//! | changed account | place u32, flags (1 terms), balance, held out, held in i64; with terms: floor, ceiling i64, status, windowed (0 or 1) |
//!
//! The *place* of an account is its number in the question, from 0; those that are opened follow in the order in which they are.
//! An answer says where the accounts are that it moved, so that who asked can check every receipt without searching.

mod values; // accounts, windows and transfers as bytes
mod reading; // an answer, read by who asked

pub use reading::{AnswerReader, Answered};

use crate::book::Change;
use crate::codec::bytes::{Chunk, LittleEndian, Reader, Writer, flag};
use crate::codec::{CodecError, item};
use crate::posting::{Answers, Decision, Done, post_group};
use crate::{Account, BATCH_MAX, Book, Item, Timestamp, Transfer, Window};
use alloc::vec::Vec;
use values::{
    ACCOUNT_FIXED, ACCOUNT_SIZE_MAX, TRANSFER_FIXED, TRANSFER_SIZE_MAX, WINDOW_SIZE_MAX, read_account, read_transfer,
    read_window, write_account, write_transfer, write_window,
};

/// The version of both question and answer.
pub const VERSION: u8 = 1;

const HAS_TERMS: u8 = 1;

/// Appends the question for the batch `batch`, to be decided at `now` against these accounts, windows and transfers, each of which is there
/// once.
///
/// # Panics
/// When the account of a window is not there.
pub fn question(
    out: &mut Vec<u8>,
    accounts: &[Account],
    windows: &[Window],
    transfers: &[Transfer],
    batch: &[Item],
    now: Timestamp,
) {
    out.reserve(
        36 + ACCOUNT_SIZE_MAX * accounts.len()
            + WINDOW_SIZE_MAX * windows.len()
            + TRANSFER_SIZE_MAX * transfers.len()
            + ITEM_SIZE_MAX * batch.len(),
    );
    let mut out = Writer::<LittleEndian>::new(out);
    out.byte(VERSION);
    out.i64(now.0);
    out.count(accounts.len());
    accounts.iter().for_each(|account| write_account(&mut out, account));
    write_windows(&mut out, accounts, windows);
    out.count(transfers.len());
    transfers.iter().for_each(|transfer| write_transfer(&mut out, transfer));
    out.count(batch.len());
    batch.iter().for_each(|item| item::write(&mut out, item));
}

const ITEM_SIZE_MAX: usize = 3 + 3 * 16 + 8 + 16 + 8 + 16;

fn write_windows(out: &mut Writer<'_, LittleEndian>, accounts: &[Account], windows: &[Window]) {
    out.count(windows.len());
    let mut place = 0;
    for window in windows {
        // In the order of the accounts, as they mostly come, the next one is near.
        let from =
            |at: usize| accounts[at..].iter().position(|account| account.id == window.account).map(|more| at + more);
        place = from(place).or_else(|| from(0)).expect("its account is there");
        write_window(out, place, window);
    }
}

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
    let mut windowed = false;
    for _ in 0..accounts {
        let account = read_account(reader)?;
        windowed |= account.windowed;
        book.load_account(account).map_err(|_| reader.wrong())?;
    }
    for _ in 0..reader.count()? {
        let (_, window) = read_window(reader, |place| (place < accounts).then(|| book.at(place).id))?;
        book.load_window(window).map_err(|_| reader.wrong())?;
    }
    if windowed {
        book.windows_are_those_of_accounts().map_err(|_| reader.wrong())?;
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
                out.byte(u8::from(account.windowed));
            }
        }
        out.count(book.windows_changed().count());
        book.windows_changed().for_each(|(place, window)| write_window(&mut out, place, window));
        self.bytes
    }
}

#[cfg(test)]
mod tests;
