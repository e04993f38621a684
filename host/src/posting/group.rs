//! What is handed to posting: commands with their texts, and what must become durable together with them.

use super::beside::Beside;
use crate::store::Statement;
use ledger_core::{Command, Key, Memo, TransferId};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Commands that succeed or fail together, and what else must become durable with them.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// In order; each sees what the ones before it did.
    pub entries: Vec<Entry>,
    /// Run in the same transaction if the group is accepted, and only when it is new: a retry does not run them again.
    pub companions: Vec<Statement>,
}

/// A command with what the host stores beside it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What to decide.
    pub command: Command,
    /// Description or reason. [`Entry::new`] puts its digest into the command.
    pub(super) memo: String,
    /// The transfer that the command begins gets an id from the lane.
    pub(super) minted: bool,
    /// Succeeds or fails together with the next.
    pub(super) linked: bool,
    /// What is told about its transfer.
    pub(super) beside: Vec<Beside>,
    /// What is told once about the transfers of all entries that share it.
    pub(super) shared: Option<Arc<Beside>>,
}

impl Entry {
    /// A command with its text. The text's digest becomes part of the command, and so of the journal.
    pub fn new(command: Command, memo: &str) -> Entry {
        let digest = memo_digest(memo);
        let command = match command {
            Command::Create(create) => Command::Create(ledger_core::Create { memo: digest, ..create }),
            Command::Settle(settle) => Command::Settle(ledger_core::Settle { memo: digest, ..settle }),
            account @ (Command::OpenAccount(_)
            | Command::SetLimits(_)
            | Command::SetStatus(_)
            | Command::SetWindow(_)) => account,
        };
        Entry { command, memo: memo.to_owned(), minted: false, linked: false, beside: vec![], shared: None }
    }

    /// The same, safe to retry: whoever sends `key` again gets the first answer again.
    #[must_use]
    pub fn with_key(mut self, key: Option<Key>) -> Entry {
        if let Command::Create(create) = &mut self.command {
            create.key = key;
        }
        self
    }

    /// The same, whose transfer gets its id when it is decided, in the order of all transfers; the receipt tells it. This is the
    /// fastest. The id in the command is ignored.
    #[must_use]
    pub fn minted(self) -> Entry {
        Entry { minted: true, ..self }
    }

    /// The id that somebody else gave to the transfer that this begins.
    pub(super) fn given_id(&self) -> Option<TransferId> {
        match &self.command {
            Command::Create(create) if !self.minted => Some(create.id),
            _ => None,
        }
    }

    /// The same, with rows that are written together with its transfer; for commands that begin or settle one.
    #[must_use]
    pub fn telling(self, beside: Vec<Beside>) -> Entry {
        Entry { beside, ..self }
    }

    /// The same, with a row that is written once, about the first new transfer of those entries of a batch that share it.
    #[must_use]
    pub fn sharing(self, beside: &Arc<Beside>) -> Entry {
        Entry { shared: Some(Arc::clone(beside)), ..self }
    }

    /// The same, which succeeds or fails together with the entry after it.
    #[must_use]
    pub fn linked(self) -> Entry {
        Entry { linked: true, ..self }
    }
}

/// The key `text` as sent by `sender`: the same text of somebody else is another key.
pub fn key(sender: u128, text: &str) -> Key {
    let mut hasher = Sha256::new();
    hasher.update(sender.to_be_bytes());
    hasher.update(text.as_bytes());
    Key(first_128(&hasher.finalize()))
}

/// First 128 bits of the SHA-256 of a text; nothing for no text.
pub(crate) fn memo_digest(memo: &str) -> Memo {
    if memo.is_empty() { Memo::NONE } else { Memo(first_128(&Sha256::digest(memo.as_bytes()))) }
}

pub(super) fn first_128(digest: &[u8]) -> u128 {
    u128::from_be_bytes(*digest.first_chunk().expect("SHA-256 has 32 bytes"))
}

impl Group {
    /// One command alone.
    pub fn of(command: Command, memo: &str) -> Group {
        Group::from(Entry::new(command, memo))
    }

    /// With statements that become durable together with it.
    #[must_use]
    pub fn with(mut self, companions: Vec<Statement>) -> Group {
        self.companions = companions;
        self
    }
}

impl From<Entry> for Group {
    fn from(entry: Entry) -> Group {
        Group { entries: vec![entry], companions: vec![] }
    }
}
