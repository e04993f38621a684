//! Commands as bytes. The table is in `mod.rs`.

use super::CodecError;
use super::bytes::{Chunk, Order, Reader, Writer, amount, flag, number_128};
use crate::{
    AccountId, Action, Command, Create, Direction, Item, Key, Memo, OpenAccount, Period, SetLimits, SetStatus,
    SetWindow, Settle, Timestamp, TransferId, TransferKind, UtcOffset,
};

const LINKED: u8 = 0x80;
const HAS_FLOOR: u8 = 1;
const HAS_CEILING: u8 = 2;
const HAS_KEY: u8 = 1;
const HAS_EXPIRY: u8 = 2;
const HAS_AMOUNT: u8 = 1;
const HAS_COUNT: u8 = 2;
const HAS_MEMO: u8 = 4;
const PAYABLE_NOW: u8 = 8;

/// Appends one command.
pub(crate) fn write<O: Order>(out: &mut Writer<'_, O>, item: &Item) {
    let linked = if item.linked { LINKED } else { 0 };
    match &item.command {
        Command::OpenAccount(open) => {
            out.byte(1 | linked);
            out.u128(open.account.0);
            out.amount(open.floor);
            out.amount(open.ceiling);
            out.status(open.status);
        }
        Command::SetLimits(limits) => {
            out.byte(2 | linked);
            out.byte(flag(limits.floor.is_some(), HAS_FLOOR) | flag(limits.ceiling.is_some(), HAS_CEILING));
            out.u128(limits.account.0);
            limits.floor.into_iter().chain(limits.ceiling).for_each(|limit| out.amount(limit));
        }
        Command::SetStatus(status) => {
            out.byte(3 | linked);
            out.u128(status.account.0);
            out.status(status.status);
        }
        Command::Create(create) => write_create(out, 4 | linked, create),
        Command::Settle(settle) => {
            out.byte(5 | linked);
            write_settle(out, settle);
        }
        Command::SetWindow(window) => {
            out.byte(6 | linked);
            write_set_window(out, window);
        }
    }
}

fn write_create<O: Order>(out: &mut Writer<'_, O>, tag: u8, create: &Create) {
    let flags = flag(create.key.is_some(), HAS_KEY)
        | flag(create.expires_at.is_some(), HAS_EXPIRY)
        | flag(create.memo != Memo::NONE, HAS_MEMO)
        | flag(create.payable_now, PAYABLE_NOW);
    let fixed = Chunk::<O, 59>::new().byte(0, tag).byte(1, kind_byte(create.kind)).byte(2, flags);
    let fixed = fixed.u128(3, create.id.0).u128(19, create.payer.0).u128(35, create.payee.0).amount(51, create.amount);
    out.chunk(&fixed);
    if let Some(key) = create.key {
        out.u128(key.0);
    }
    if let Some(expires_at) = create.expires_at {
        out.i64(expires_at.0);
    }
    out.memo(create.memo);
}

fn write_settle<O: Order>(out: &mut Writer<'_, O>, settle: &Settle) {
    let (action, amount) = match settle.action {
        Action::Capture(part) => (0, part),
        Action::Release => (1, None),
        Action::Accept => (2, None),
        Action::Decline => (3, None),
        Action::Withdraw => (4, None),
        Action::Expire => (5, None),
    };
    out.byte(action);
    out.byte(flag(amount.is_some(), HAS_AMOUNT) | flag(settle.memo != Memo::NONE, HAS_MEMO));
    out.u128(settle.transfer.0);
    if let Some(amount) = amount {
        out.amount(amount);
    }
    out.memo(settle.memo);
}

fn write_set_window<O: Order>(out: &mut Writer<'_, O>, set: &SetWindow) {
    out.byte(direction_byte(set.direction));
    out.byte(period_byte(set.period));
    out.byte(flag(set.max_amount.is_some(), HAS_AMOUNT) | flag(set.max_count.is_some(), HAS_COUNT));
    out.u128(set.account.0);
    out.i64(set.offset.minutes().into());
    if let Some(max) = set.max_amount {
        out.amount(max);
    }
    if let Some(max) = set.max_count {
        out.u32(max);
    }
}

/// Reads one command.
pub(crate) fn read<O: Order>(reader: &mut Reader<'_, O>) -> Result<Item, CodecError> {
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
        4 => Command::Create(read_create(reader)?),
        5 => Command::Settle(read_settle(reader)?),
        6 => Command::SetWindow(read_set_window(reader)?),
        _ => return Err(reader.wrong()),
    };
    Ok(Item { command, linked: tag & LINKED != 0 })
}

fn read_create<O: Order>(reader: &mut Reader<'_, O>) -> Result<Create, CodecError> {
    let kind = read_kind(reader)?;
    let flags = reader.flags(HAS_KEY | HAS_EXPIRY | HAS_MEMO | PAYABLE_NOW)?;
    let fixed = reader.chunk::<56>()?;
    Ok(Create {
        kind,
        payable_now: flags & PAYABLE_NOW != 0,
        id: TransferId(number_128::<O, 56>(fixed, 0)),
        payer: AccountId(number_128::<O, 56>(fixed, 16)),
        payee: AccountId(number_128::<O, 56>(fixed, 32)),
        amount: amount::<O, 56>(fixed, 48).ok_or_else(|| reader.wrong())?,
        key: if flags & HAS_KEY != 0 { Some(Key(reader.u128()?)) } else { None },
        expires_at: if flags & HAS_EXPIRY != 0 { Some(Timestamp(reader.i64()?)) } else { None },
        memo: reader.memo(flags & HAS_MEMO != 0)?,
    })
}

fn read_settle<O: Order>(reader: &mut Reader<'_, O>) -> Result<Settle, CodecError> {
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
    Ok(Settle { transfer, action, memo: reader.memo(flags & HAS_MEMO != 0)? })
}

fn read_set_window<O: Order>(reader: &mut Reader<'_, O>) -> Result<SetWindow, CodecError> {
    let (direction, period) = (read_direction(reader)?, read_period(reader)?);
    let flags = reader.flags(HAS_AMOUNT | HAS_COUNT)?;
    Ok(SetWindow {
        direction,
        period,
        account: AccountId(reader.u128()?),
        offset: read_offset(reader)?,
        max_amount: if flags & HAS_AMOUNT != 0 { Some(reader.amount()?) } else { None },
        max_count: if flags & HAS_COUNT != 0 { Some(reader.u32()?) } else { None },
    })
}

pub(crate) const fn direction_byte(direction: Direction) -> u8 {
    match direction {
        Direction::Out => 0,
        Direction::In => 1,
    }
}

pub(crate) fn read_direction<O: Order>(reader: &mut Reader<'_, O>) -> Result<Direction, CodecError> {
    match reader.byte()? {
        0 => Ok(Direction::Out),
        1 => Ok(Direction::In),
        _ => Err(reader.wrong()),
    }
}

pub(crate) const fn period_byte(period: Period) -> u8 {
    match period {
        Period::Day => 0,
        Period::Week => 1,
        Period::Month => 2,
    }
}

pub(crate) fn read_period<O: Order>(reader: &mut Reader<'_, O>) -> Result<Period, CodecError> {
    match reader.byte()? {
        0 => Ok(Period::Day),
        1 => Ok(Period::Week),
        2 => Ok(Period::Month),
        _ => Err(reader.wrong()),
    }
}

pub(crate) fn read_offset<O: Order>(reader: &mut Reader<'_, O>) -> Result<UtcOffset, CodecError> {
    let minutes = i16::try_from(reader.i64()?).ok();
    minutes.and_then(UtcOffset::new).ok_or_else(|| reader.wrong())
}

pub(crate) const fn kind_byte(kind: TransferKind) -> u8 {
    match kind {
        TransferKind::Immediate => 0,
        TransferKind::Hold => 1,
        TransferKind::Request => 2,
    }
}

pub(crate) fn read_kind<O: Order>(reader: &mut Reader<'_, O>) -> Result<TransferKind, CodecError> {
    match reader.byte()? {
        0 => Ok(TransferKind::Immediate),
        1 => Ok(TransferKind::Hold),
        2 => Ok(TransferKind::Request),
        _ => Err(reader.wrong()),
    }
}
