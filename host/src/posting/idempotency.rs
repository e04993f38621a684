//! Keys that clients send to be safe when they retry: finding what a key began, and keeping what it was answered.
//!
//! A key that began a transfer points to it. A key whose command was refused for a reason that could change keeps the
//! command and the refusal, so that the first answer is given again. The core compares the contents.

use super::pages;
use crate::store::{Error, Row, Tx, Value};
use ledger_core::{
    Amount, Command, Create, Item, Key, LedgerId, Rejection, Timestamp, Transfer, TransferId, TransferState, Verdict,
    codec,
};

/// A key and what it stands for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Kept {
    pub(super) key: Key,
    /// The transfer that it began, or would have begun.
    pub(super) transfer: TransferId,
    /// When it was first seen.
    pub(super) at: Timestamp,
    /// The command and why it was refused, if it was.
    pub(super) refused: Option<Box<(Create, Rejection)>>,
}

impl Kept {
    /// What a decided command makes of its key: one that began a transfer, or was refused for a reason that could change.
    pub(super) fn of(command: &Command, verdict: &Verdict, at: Timestamp) -> Option<Kept> {
        let Command::Create(create) = command else { return None };
        let refused = match verdict {
            Verdict::Transfer { .. } => None,
            // Says nothing of this command: another one of its group was the reason.
            Verdict::Refused(Rejection::LinkedFailed) => return None,
            Verdict::Refused(rejection) if rejection.retryable() => Some(Box::new((*create, *rejection))),
            Verdict::Refused(_) | Verdict::Repeated | Verdict::Account => return None,
        };
        Some(Kept { key: create.key?, transfer: create.id, at, refused })
    }

    /// The transfer that never began, if that was the answer.
    pub(super) fn refused_transfer(&self) -> Option<Transfer> {
        let (create, rejection) = self.refused.as_deref()?;
        Some(Transfer::begun_by(create, TransferState::Refused(*rejection), Amount::ZERO, self.at))
    }

    /// As it is stored: `refusal` is the refused command and the verdict.
    ///
    /// # Errors
    /// When these are not in canonical form.
    pub(super) fn stored(key: Key, transfer: u128, at: i64, refusal: Option<(&[u8], &[u8])>) -> Result<Kept, Error> {
        let refused = |(command, verdict)| match (codec::item_from_bytes(command), codec::verdict_from_bytes(verdict)) {
            (Ok(Item { command: Command::Create(create), .. }), Ok(Verdict::Refused(rejection))) => {
                Ok(Box::new((create, rejection)))
            }
            _ => Err(Error::Corrupt("a kept refusal is not in canonical form".into())),
        };
        let refused = refusal.map(refused).transpose()?;
        Ok(Kept { key, transfer: TransferId(transfer), at: Timestamp(at), refused })
    }

    /// The refused command and the verdict as they are stored.
    pub(super) fn refusal_bytes(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        let (create, rejection) = self.refused.as_deref()?;
        let (mut command, mut verdict) = (vec![], vec![]);
        codec::encode_item(&mut command, &Item::alone(Command::Create(*create)));
        codec::encode_verdict(&mut verdict, &Verdict::Refused(*rejection));
        Some((command, verdict))
    }
}

/// What was kept of these keys, as rows or packed.
pub(super) async fn load(tx: &mut Tx, ledger: LedgerId, keys: &[Key]) -> Result<Vec<Kept>, Error> {
    let digests: Vec<Value> = keys.iter().map(|key| key.0.into()).collect();
    let rows = tx
        .fetch_among(
            "select key_digest, transfer_id, refused_command, refused_verdict, at
             from idempotency where ledger_id = $1 and key_digest",
            &[ledger.0.into()],
            &digests,
            "",
        )
        .await?;
    let mut kept: Vec<Kept> = rows.iter().map(row).collect::<Result<_, _>>()?;
    if kept.len() < keys.len() {
        kept.extend(pages::load(tx, ledger, &digests).await?);
    }
    Ok(kept)
}

fn row(row: &Row) -> Result<Kept, Error> {
    let (command, verdict) = (row.optional_bytes("refused_command")?, row.optional_bytes("refused_verdict")?);
    let refusal = command.as_deref().zip(verdict.as_deref());
    Kept::stored(Key(row.id("key_digest")?), row.id("transfer_id")?, row.int("at")?, refusal)
}
