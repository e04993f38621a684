//! Keys that clients send to be safe when they retry: finding what a key began, and keeping what it was answered.
//!
//! A key that began a transfer points to it. A key whose command was refused for a reason that could change keeps the
//! command and the refusal, so that the first answer is given again. The core compares the contents.

use super::rows::TransferRow;
use crate::store::{Error, Row, Tx, Value};
use ledger_core::{
    Amount, Command, Key, LedgerId, Rejection, Timestamp, Transfer, TransferId, TransferState, Verdict, codec,
};
use std::collections::HashMap;

/// What a key stands for.
pub(super) struct Known {
    pub(super) transfer: TransferId,
    /// When it was first seen.
    pub(super) at: Timestamp,
    /// The transfer that never began, if that was the answer.
    pub(super) refused: Option<TransferRow>,
}

/// A key to be kept.
pub(super) struct Kept {
    pub(super) key: Key,
    pub(super) transfer: TransferId,
    /// The command and why it was refused, if it was.
    pub(super) refused: Option<(ledger_core::Item, Rejection)>,
}

pub(super) async fn load(tx: &mut Tx, ledger: LedgerId, keys: &[Key]) -> Result<HashMap<Key, Known>, Error> {
    let digests: Vec<Value> = keys.iter().map(|key| key.0.into()).collect();
    let rows = tx
        .fetch_among(
            "select key_digest, transfer_id, refused_command, refused_verdict, at
             from idempotency where ledger_id = $1 and key_digest in ",
            &[ledger.0.into()],
            &digests,
            "",
        )
        .await?;
    rows.iter().map(|row| Ok((Key(row.id("key_digest")?), known(row)?))).collect()
}

fn known(row: &Row) -> Result<Known, Error> {
    let (transfer, at) = (TransferId(row.id("transfer_id")?), Timestamp(row.int("at")?));
    let refused = match (row.optional_bytes("refused_command")?, row.optional_bytes("refused_verdict")?) {
        (Some(command), Some(verdict)) => {
            let corrupt = || Error::Corrupt("a kept refusal is not in canonical form".into());
            let (Ok(item), Ok(Verdict::Refused(rejection))) =
                (codec::item_from_bytes(&command), codec::verdict_from_bytes(&verdict))
            else {
                return Err(corrupt());
            };
            let Command::Create(create) = item.command else { return Err(corrupt()) };
            let transfer = Transfer::begun_by(&create, TransferState::Refused(rejection), Amount::ZERO, at);
            Some(TransferRow { transfer, position: 0 })
        }
        _ => None,
    };
    Ok(Known { transfer, at, refused })
}

pub(super) async fn store(tx: &mut Tx, ledger: LedgerId, now: Timestamp, kept: &[Kept]) -> Result<(), Error> {
    let mut values = Vec::with_capacity(kept.len() * 6);
    for Kept { key, transfer, refused } in kept {
        let bytes = refused.as_ref().map(|(item, rejection)| {
            let (mut command, mut verdict) = (vec![], vec![]);
            codec::encode_item(&mut command, &ledger_core::Item { linked: false, ..*item });
            codec::encode_verdict(&mut verdict, &Verdict::Refused(*rejection));
            (command, verdict)
        });
        let (command, verdict) = bytes.unzip();
        values.extend([ledger.0.into(), key.0.into(), transfer.0.into()]);
        values.extend([command.into(), verdict.into(), now.0.into()]);
    }
    tx.insert(
        "insert into idempotency (ledger_id, key_digest, transfer_id, refused_command, refused_verdict, at) values",
        6,
        values,
        "",
    )
    .await
}
