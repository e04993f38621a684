//! The bytes that are hashed: commands and verdicts in one canonical form, for the journal and for compact transport.
//!
//! Version 1. Integers are big-endian; what is absent takes no bytes and is told by a flag. Every value has exactly one
//! form, and decoding refuses every other, so that equal hashes mean equal content.
//!
//! | thing | bytes |
//! | --- | --- |
//! | batch | version `1`, time i64, count u32, then an item and its verdict for each |
//! | item | tag (high bit set: linked to the next), then by tag |
//! | 1 open account | id 16, floor i64, ceiling i64, status |
//! | 2 set limits | flags (1 floor, 2 ceiling), id 16, floor i64?, ceiling i64? |
//! | 3 set status | id 16, status |
//! | 4 create | kind, flags (1 key, 2 expiry, 4 memo, 8 payable now), id 16, payer 16, payee 16, amount i64, key 16?, expiry i64?, memo 16? |
//! | 5 settle | action, flags (1 amount, 4 memo), transfer 16, amount i64?, memo 16? |
//! | verdict | 0 account; 1 transfer: payer's and payee's balance i64; 2 repeated; 3 refused: code, amount i64? |

use crate::{
    AccountId, AccountStatus, Action, Amount, Command, Create, Item, Key, Memo, OpenAccount, Rejection, SetLimits,
    SetStatus, Settle, Timestamp, TransferId, TransferKind, Verdict,
};
use alloc::vec::Vec;

/// The version that [`encode_batch`] writes and [`decode_batch`] reads.
pub const VERSION: u8 = 1;

const LINKED: u8 = 0x80;
const HAS_FLOOR: u8 = 1;
const HAS_CEILING: u8 = 2;
const HAS_KEY: u8 = 1;
const HAS_EXPIRY: u8 = 2;
const HAS_AMOUNT: u8 = 1;
const HAS_MEMO: u8 = 4;
const PAYABLE_NOW: u8 = 8;

/// Bytes that are not the canonical form of anything; `at` is the offset of the first that is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CodecError {
    /// Offset from the start.
    pub at: usize,
}

/// Appends a batch as the journal keeps it.
///
/// # Panics
/// When there are more than `u32::MAX` entries; a batch has at most [`crate::BATCH_MAX`].
pub fn encode_batch(out: &mut Vec<u8>, now: Timestamp, entries: &[(Item, Verdict)]) {
    out.push(VERSION);
    out.extend(now.0.to_be_bytes());
    out.extend(u32::try_from(entries.len()).expect("a batch is shorter than 2^32").to_be_bytes());
    for (item, verdict) in entries {
        encode_item(out, item);
        encode_verdict(out, verdict);
    }
}

/// Reads what [`encode_batch`] wrote, to the last byte.
///
/// # Errors
/// When the bytes are anything but a canonical batch of [`VERSION`].
pub fn decode_batch(bytes: &[u8]) -> Result<(Timestamp, Vec<(Item, Verdict)>), CodecError> {
    let mut reader = Reader { bytes, at: 0 };
    if reader.byte()? != VERSION {
        return Err(CodecError { at: 0 });
    }
    let now = Timestamp(reader.i64()?);
    let count = u32::from_be_bytes(reader.take()?);
    let mut entries = Vec::new();
    for _ in 0..count {
        entries.push((decode_item(&mut reader)?, decode_verdict(&mut reader)?));
    }
    reader.end()?;
    Ok((now, entries))
}

/// Appends one command.
pub fn encode_item(out: &mut Vec<u8>, item: &Item) {
    let linked = if item.linked { LINKED } else { 0 };
    match &item.command {
        Command::OpenAccount(open) => {
            out.push(1 | linked);
            out.extend(open.account.0.to_be_bytes());
            put_amount(out, open.floor);
            put_amount(out, open.ceiling);
            out.push(status_byte(open.status));
        }
        Command::SetLimits(limits) => {
            out.push(2 | linked);
            out.push(flag(limits.floor.is_some(), HAS_FLOOR) | flag(limits.ceiling.is_some(), HAS_CEILING));
            out.extend(limits.account.0.to_be_bytes());
            limits.floor.into_iter().chain(limits.ceiling).for_each(|limit| put_amount(out, limit));
        }
        Command::SetStatus(status) => {
            out.push(3 | linked);
            out.extend(status.account.0.to_be_bytes());
            out.push(status_byte(status.status));
        }
        Command::Create(create) => {
            out.push(4 | linked);
            encode_create(out, create);
        }
        Command::Settle(settle) => {
            out.push(5 | linked);
            encode_settle(out, settle);
        }
    }
}

fn encode_create(out: &mut Vec<u8>, create: &Create) {
    out.push(match create.kind {
        TransferKind::Immediate => 0,
        TransferKind::Hold => 1,
        TransferKind::Request => 2,
    });
    out.push(
        flag(create.key.is_some(), HAS_KEY)
            | flag(create.expires_at.is_some(), HAS_EXPIRY)
            | flag(create.memo != Memo::NONE, HAS_MEMO)
            | flag(create.payable_now, PAYABLE_NOW),
    );
    out.extend(create.id.0.to_be_bytes());
    out.extend(create.payer.0.to_be_bytes());
    out.extend(create.payee.0.to_be_bytes());
    put_amount(out, create.amount);
    if let Some(key) = create.key {
        out.extend(key.0.to_be_bytes());
    }
    if let Some(expires_at) = create.expires_at {
        out.extend(expires_at.0.to_be_bytes());
    }
    put_memo(out, create.memo);
}

fn encode_settle(out: &mut Vec<u8>, settle: &Settle) {
    let (action, amount) = match settle.action {
        Action::Capture(part) => (0, part),
        Action::Release => (1, None),
        Action::Accept => (2, None),
        Action::Decline => (3, None),
        Action::Withdraw => (4, None),
        Action::Expire => (5, None),
    };
    out.push(action);
    out.push(flag(amount.is_some(), HAS_AMOUNT) | flag(settle.memo != Memo::NONE, HAS_MEMO));
    out.extend(settle.transfer.0.to_be_bytes());
    if let Some(amount) = amount {
        put_amount(out, amount);
    }
    put_memo(out, settle.memo);
}

/// Appends one verdict.
pub fn encode_verdict(out: &mut Vec<u8>, verdict: &Verdict) {
    match verdict {
        Verdict::Account => out.push(0),
        Verdict::Transfer { payer_balance, payee_balance } => {
            out.push(1);
            put_amount(out, *payer_balance);
            put_amount(out, *payee_balance);
        }
        Verdict::Repeated => out.push(2),
        Verdict::Refused(rejection) => {
            out.push(3);
            out.push(rejection.code());
            if let Some(amount) = rejection.amount() {
                put_amount(out, amount);
            }
        }
    }
}

const fn flag(set: bool, bit: u8) -> u8 {
    if set { bit } else { 0 }
}

fn put_amount(out: &mut Vec<u8>, amount: Amount) {
    out.extend(amount.minor().to_be_bytes());
}

fn put_memo(out: &mut Vec<u8>, memo: Memo) {
    if memo != Memo::NONE {
        out.extend(memo.0.to_be_bytes());
    }
}

const fn status_byte(status: AccountStatus) -> u8 {
    match status {
        AccountStatus::Open => 0,
        AccountStatus::Frozen => 1,
        AccountStatus::Closed => 2,
    }
}

/// Reads one command that stands alone in `bytes`, as [`encode_item`] wrote it.
///
/// # Errors
/// When the bytes are anything else.
pub fn item_from_bytes(bytes: &[u8]) -> Result<Item, CodecError> {
    let mut reader = Reader { bytes, at: 0 };
    let item = decode_item(&mut reader)?;
    reader.end()?;
    Ok(item)
}

/// Reads one verdict that stands alone in `bytes`, as [`encode_verdict`] wrote it.
///
/// # Errors
/// When the bytes are anything else.
pub fn verdict_from_bytes(bytes: &[u8]) -> Result<Verdict, CodecError> {
    let mut reader = Reader { bytes, at: 0 };
    let verdict = decode_verdict(&mut reader)?;
    reader.end()?;
    Ok(verdict)
}

fn decode_item(reader: &mut Reader<'_>) -> Result<Item, CodecError> {
    let tag = reader.byte()?;
    let command = match tag & !LINKED {
        1 => Command::OpenAccount(OpenAccount {
            account: AccountId(reader.u128()?),
            floor: reader.amount()?,
            ceiling: reader.amount()?,
            status: reader.status()?,
        }),
        2 => {
            let flags = reader.flags(HAS_FLOOR | HAS_CEILING)?;
            Command::SetLimits(SetLimits {
                account: AccountId(reader.u128()?),
                floor: if flags & HAS_FLOOR != 0 { Some(reader.amount()?) } else { None },
                ceiling: if flags & HAS_CEILING != 0 { Some(reader.amount()?) } else { None },
            })
        }
        3 => Command::SetStatus(SetStatus { account: AccountId(reader.u128()?), status: reader.status()? }),
        4 => Command::Create(decode_create(reader)?),
        5 => Command::Settle(decode_settle(reader)?),
        _ => return Err(reader.wrong()),
    };
    Ok(Item { command, linked: tag & LINKED != 0 })
}

fn decode_create(reader: &mut Reader<'_>) -> Result<Create, CodecError> {
    let kind = match reader.byte()? {
        0 => TransferKind::Immediate,
        1 => TransferKind::Hold,
        2 => TransferKind::Request,
        _ => return Err(reader.wrong()),
    };
    let flags = reader.flags(HAS_KEY | HAS_EXPIRY | HAS_MEMO | PAYABLE_NOW)?;
    Ok(Create {
        kind,
        payable_now: flags & PAYABLE_NOW != 0,
        id: TransferId(reader.u128()?),
        payer: AccountId(reader.u128()?),
        payee: AccountId(reader.u128()?),
        amount: reader.amount()?,
        key: if flags & HAS_KEY != 0 { Some(Key(reader.u128()?)) } else { None },
        expires_at: if flags & HAS_EXPIRY != 0 { Some(Timestamp(reader.i64()?)) } else { None },
        memo: reader.memo(flags)?,
    })
}

fn decode_settle(reader: &mut Reader<'_>) -> Result<Settle, CodecError> {
    let action = reader.byte()?;
    let allowed = if action == 0 { HAS_AMOUNT | HAS_MEMO } else { HAS_MEMO };
    let flags = reader.flags(allowed)?;
    let transfer = TransferId(reader.u128()?);
    let part = if flags & HAS_AMOUNT != 0 { Some(reader.amount()?) } else { None };
    let action = match action {
        0 => Action::Capture(part),
        1 => Action::Release,
        2 => Action::Accept,
        3 => Action::Decline,
        4 => Action::Withdraw,
        5 => Action::Expire,
        _ => return Err(reader.wrong()),
    };
    Ok(Settle { transfer, action, memo: reader.memo(flags)? })
}

fn decode_verdict(reader: &mut Reader<'_>) -> Result<Verdict, CodecError> {
    Ok(match reader.byte()? {
        0 => Verdict::Account,
        1 => Verdict::Transfer { payer_balance: reader.amount()?, payee_balance: reader.amount()? },
        2 => Verdict::Repeated,
        3 => {
            let code = reader.byte()?;
            let bare = Rejection::from_code(code, Amount::ZERO).ok_or_else(|| reader.wrong())?;
            let amount = if bare.amount().is_some() { reader.amount()? } else { Amount::ZERO };
            Verdict::Refused(Rejection::from_code(code, amount).ok_or_else(|| reader.wrong())?)
        }
        _ => return Err(reader.wrong()),
    })
}

/// A place in the bytes that moves forward.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    /// The byte just read is wrong.
    const fn wrong(&self) -> CodecError {
        CodecError { at: self.at.saturating_sub(1) }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let chunk = rest.first_chunk::<N>().ok_or(CodecError { at: self.bytes.len() })?;
        self.at += N;
        Ok(*chunk)
    }

    fn byte(&mut self) -> Result<u8, CodecError> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn i64(&mut self) -> Result<i64, CodecError> {
        self.take().map(i64::from_be_bytes)
    }

    fn u128(&mut self) -> Result<u128, CodecError> {
        self.take().map(u128::from_be_bytes)
    }

    fn amount(&mut self) -> Result<Amount, CodecError> {
        Amount::new(self.i64()?).ok_or_else(|| self.wrong())
    }

    fn flags(&mut self, allowed: u8) -> Result<u8, CodecError> {
        let flags = self.byte()?;
        if flags & !allowed == 0 { Ok(flags) } else { Err(self.wrong()) }
    }

    /// A memo of zero is written as an absent one, and only so.
    fn memo(&mut self, flags: u8) -> Result<Memo, CodecError> {
        if flags & HAS_MEMO == 0 {
            return Ok(Memo::NONE);
        }
        let memo = Memo(self.u128()?);
        if memo == Memo::NONE { Err(self.wrong()) } else { Ok(memo) }
    }

    fn status(&mut self) -> Result<AccountStatus, CodecError> {
        match self.byte()? {
            0 => Ok(AccountStatus::Open),
            1 => Ok(AccountStatus::Frozen),
            2 => Ok(AccountStatus::Closed),
            _ => Err(self.wrong()),
        }
    }

    const fn end(&self) -> Result<(), CodecError> {
        if self.at == self.bytes.len() { Ok(()) } else { Err(CodecError { at: self.at }) }
    }
}
