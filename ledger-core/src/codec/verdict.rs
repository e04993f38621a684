//! Verdicts as bytes. The table is in `mod.rs`.

use super::CodecError;
use super::bytes::{Order, Reader, Writer};
use crate::Verdict;

/// Appends one verdict.
pub(super) fn write<O: Order>(out: &mut Writer<'_, O>, verdict: &Verdict) {
    match verdict {
        Verdict::Account => out.byte(0),
        Verdict::Transfer { payer_balance, payee_balance } => {
            out.byte(1);
            out.amount(*payer_balance);
            out.amount(*payee_balance);
        }
        Verdict::Repeated => out.byte(2),
        Verdict::Refused(rejection) => {
            out.byte(3);
            out.rejection(*rejection);
        }
    }
}

/// Reads one verdict.
pub(super) fn read<O: Order>(reader: &mut Reader<'_, O>) -> Result<Verdict, CodecError> {
    Ok(match reader.byte()? {
        0 => Verdict::Account,
        1 => Verdict::Transfer { payer_balance: reader.amount()?, payee_balance: reader.amount()? },
        2 => Verdict::Repeated,
        3 => Verdict::Refused(reader.rejection()?),
        _ => return Err(reader.wrong()),
    })
}
