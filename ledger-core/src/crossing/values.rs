//! Accounts, windows and transfers as bytes. The table is in the module above.

use crate::codec::bytes::{Chunk, Order, Reader, Writer, amount, flag, number_128, status_byte};
use crate::codec::{CodecError, item};
use crate::{
    Account, AccountId, Amount, Date, Memo, Timestamp, Transfer, TransferId, TransferKind, TransferState, Window,
};

pub(super) const ACCOUNT_FIXED: usize = 1 + 1 + 16 + 3 * 8;
pub(super) const ACCOUNT_SIZE_MAX: usize = ACCOUNT_FIXED + 2 * 8;
pub(super) const WINDOW_SIZE_MAX: usize = 4 + 3 + 8 + 4 + 4 + 8 + 8 + 8 + 4;
pub(super) const TRANSFER_FIXED: usize = 3 + 3 * 16 + 3 * 8;
pub(super) const TRANSFER_SIZE_MAX: usize = TRANSFER_FIXED + 8 + 16 + 9;

const HAS_HOLDS: u8 = 1;
const WINDOWED: u8 = 2;
const HAS_EXPIRY: u8 = 2;
const HAS_MEMO: u8 = 4;
const HAS_AMOUNT: u8 = 1;
const HAS_COUNT: u8 = 2;

pub(super) fn write_account<O: Order>(out: &mut Writer<'_, O>, account: &Account) {
    let holds = account.held_out != Amount::ZERO || account.held_in != Amount::ZERO;
    let flags = flag(holds, HAS_HOLDS) | flag(account.windowed, WINDOWED);
    let fixed = Chunk::<O, ACCOUNT_FIXED>::new().byte(0, status_byte(account.status)).byte(1, flags);
    let fixed = fixed.u128(2, account.id.0).amount(18, account.balance);
    out.chunk(&fixed.amount(26, account.floor).amount(34, account.ceiling));
    if holds {
        out.amount(account.held_out);
        out.amount(account.held_in);
    }
}

#[inline]
pub(super) fn read_account<O: Order>(reader: &mut Reader<'_, O>) -> Result<Account, CodecError> {
    let status = reader.status()?;
    let flags = reader.flags(HAS_HOLDS | WINDOWED)?;
    let fixed = reader.chunk::<40>()?;
    let amount = |at| amount::<O, 40>(fixed, at);
    let open = |floor, ceiling| Account::open(AccountId(number_128::<O, 40>(fixed, 0)), floor, ceiling);
    let account = || Some(Account { balance: amount(16)?, status, ..open(amount(24)?, amount(32)?) });
    let account = account().ok_or_else(|| reader.wrong())?;
    // Most accounts have neither.
    if flags == 0 {
        return Ok(account);
    }
    let windowed = flags & WINDOWED != 0;
    if flags & HAS_HOLDS == 0 {
        return Ok(Account { windowed, ..account });
    }
    Ok(Account { held_out: read_positive(reader)?, held_in: read_positive(reader)?, windowed, ..account })
}

/// An amount that is never below zero.
fn read_positive<O: Order>(reader: &mut Reader<'_, O>) -> Result<Amount, CodecError> {
    let amount = reader.amount()?;
    if amount >= Amount::ZERO { Ok(amount) } else { Err(reader.wrong()) }
}

pub(super) fn write_window<O: Order>(out: &mut Writer<'_, O>, place: usize, window: &Window) {
    out.count(place);
    out.byte(item::direction_byte(window.direction));
    out.byte(item::period_byte(window.period));
    out.byte(flag(window.max_amount.is_some(), HAS_AMOUNT) | flag(window.max_count.is_some(), HAS_COUNT));
    out.amount(window.used_amount);
    out.u32(window.used_count);
    out.u32(window.began.0.cast_unsigned());
    out.i64(window.since.0);
    out.i64(window.offset.minutes().into());
    if let Some(max) = window.max_amount {
        out.amount(max);
    }
    if let Some(max) = window.max_count {
        out.u32(max);
    }
}

pub(super) fn read_window<O: Order>(
    reader: &mut Reader<'_, O>,
    id_at: impl Fn(usize) -> Option<AccountId>,
) -> Result<(usize, Window), CodecError> {
    let place = reader.count()?;
    let account = id_at(place).ok_or_else(|| reader.wrong())?;
    let (direction, period) = (item::read_direction(reader)?, item::read_period(reader)?);
    let flags = reader.flags(HAS_AMOUNT | HAS_COUNT)?;
    let window = Window {
        account,
        direction,
        period,
        used_amount: read_positive(reader)?,
        used_count: reader.u32()?,
        began: Date(reader.u32()?.cast_signed()),
        since: Timestamp(reader.i64()?),
        offset: item::read_offset(reader)?,
        max_amount: if flags & HAS_AMOUNT != 0 { Some(read_positive(reader)?) } else { None },
        max_count: if flags & HAS_COUNT != 0 { Some(reader.u32()?) } else { None },
    };
    Ok((place, window))
}

pub(super) fn write_transfer<O: Order>(out: &mut Writer<'_, O>, transfer: &Transfer) {
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

pub(super) fn read_transfer<O: Order>(reader: &mut Reader<'_, O>) -> Result<Transfer, CodecError> {
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
