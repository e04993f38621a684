//! How money moves: a transfer and the states it passes through. The rules for passing are in `posting`.

use crate::{AccountId, Action, Amount, Create, Memo, Rejection, Timestamp, TransferId};

/// How a transfer was begun.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TransferKind {
    /// Moves at once.
    Immediate,
    /// Begun by the payer: reserves on both sides, moves when captured.
    Hold,
    /// Begun by the payee: reserves nothing, moves when the payer accepts.
    Request,
}

/// Where a transfer stands. [`TransferState::Held`] and [`TransferState::Requested`] are the only states that can change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TransferState {
    /// A hold, waiting to be captured or released.
    Held,
    /// A request, waiting to be accepted, declined or withdrawn.
    Requested,
    /// The money moved.
    Posted,
    /// The hold was given back.
    Released,
    /// The payer said no to the request.
    Declined,
    /// The payee took the request back.
    Withdrawn,
    /// Its time ran out.
    Expired,
    /// It never began. Kept only for ids that a client chose, so that a retry gets the first answer again.
    Refused(Rejection),
}

/// One transfer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Transfer {
    /// Unique in its ledger.
    pub id: TransferId,
    /// How it was begun.
    pub kind: TransferKind,
    /// The account that is debited.
    pub payer: AccountId,
    /// The account that is credited.
    pub payee: AccountId,
    /// The amount proposed, above zero.
    pub amount: Amount,
    /// The amount that moved: zero until posted, then `1 ..= amount`.
    pub moved: Amount,
    /// Where it stands.
    pub state: TransferState,
    /// From this instant on it can no longer be captured or accepted.
    pub expires_at: Option<Timestamp>,
    /// When it was begun.
    pub created_at: Timestamp,
    /// Digest of what the host stores beside it.
    pub memo: Memo,
}

impl Transfer {
    /// The transfer that a command begins. An immediate one has no expiry.
    #[inline]
    pub fn begun_by(create: &Create, state: TransferState, moved: Amount, now: Timestamp) -> Transfer {
        Transfer {
            id: create.id,
            kind: create.kind,
            payer: create.payer,
            payee: create.payee,
            amount: create.amount,
            moved,
            state,
            expires_at: create.expiry(),
            created_at: now,
            memo: create.memo,
        }
    }

    /// The transfer that an accepted command begins: posted at once, or waiting.
    #[inline]
    pub fn begun(create: &Create, now: Timestamp) -> Transfer {
        let (state, moved) = match create.kind {
            TransferKind::Immediate => (TransferState::Posted, create.amount),
            TransferKind::Hold => (TransferState::Held, Amount::ZERO),
            TransferKind::Request => (TransferState::Requested, Amount::ZERO),
        };
        Transfer::begun_by(create, state, moved, now)
    }

    /// What an accepted action makes of the transfer.
    #[must_use]
    pub const fn settled(self, action: Action) -> Transfer {
        let (state, moved) = match action {
            Action::Capture(Some(part)) => (TransferState::Posted, part),
            Action::Capture(None) | Action::Accept => (TransferState::Posted, self.amount),
            Action::Release => (TransferState::Released, self.moved),
            Action::Decline => (TransferState::Declined, self.moved),
            Action::Withdraw => (TransferState::Withdrawn, self.moved),
            Action::Expire => (TransferState::Expired, self.moved),
        };
        Transfer { state, moved, ..self }
    }

    /// True while it waits to be settled.
    pub const fn is_pending(&self) -> bool {
        matches!(self.state, TransferState::Held | TransferState::Requested)
    }
}
