//! An answer, read by who asked.

use super::values::{read_account, read_window};
use super::{HAS_TERMS, VERSION};
use crate::codec::CodecError;
use crate::codec::bytes::{LittleEndian, Reader, amount, count};
use crate::{Account, AccountId, Amount, Rejection, Window};

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

/// Reads an answer from its beginning to its end: the verdicts, then the accounts and the windows that changed.
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

    /// How many accounts changed, after the last verdict; after the last of them, how many windows.
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
            let (floor, ceiling, status) = (reader.amount()?, reader.amount()?, reader.status()?);
            account = Account { floor, ceiling, status, windowed: reader.flags(1)? != 0, ..account };
        }
        Ok((place, account))
    }

    /// The place of the account of the next window that changed, and the window. There are as many as [`AnswerReader::changes`] tells after
    /// the last account. `id_at` tells the id of the account at a place.
    ///
    /// # Errors
    /// When the bytes are none, or there is no account at the place.
    pub fn window(&mut self, id_at: impl Fn(usize) -> Option<AccountId>) -> Result<(usize, Window), CodecError> {
        read_window(&mut self.reader, id_at)
    }

    /// After the last window, nothing may follow.
    ///
    /// # Errors
    /// When something does.
    pub const fn end(&self) -> Result<(), CodecError> {
        self.reader.end()
    }
}
