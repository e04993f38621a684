//! Rows of others' tables that become durable with a transfer: what is told about it, and who did it. They are written in the same
//! transaction as the batch, those of all its transfers together. What may fail is a companion (`Group::companions`), and costs more.

use super::Entry;
use crate::store::{Rows, Value};
use ledger_core::{Timestamp, TransferId};
use std::sync::Arc;

/// A row that is written if the transfer of its entry is, and only when that is new: a retry does not write it again.
///
/// Nothing may stand in its way, neither a constraint nor a reference: the whole batch would fail with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Beside {
    /// The statement without its rows: `insert into … (…)`.
    pub head: &'static str,
    /// The row.
    pub values: Vec<Told>,
}

/// A value of a row that is written beside a transfer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Told {
    /// Known before.
    Value(Value),
    /// The id of the transfer, which it may get only when it is decided.
    Transfer,
    /// The ledger's time of the batch, in microseconds since the epoch.
    At,
}

impl<V: Into<Value>> From<V> for Told {
    fn from(value: V) -> Told {
        Told::Value(value.into())
    }
}

/// What is told beside the transfers of a batch.
#[derive(Default)]
pub(super) struct Telling {
    pub(super) rows: Vec<Rows>,
    /// What was shared last. Entries that share something stand together.
    shared: Option<Arc<Beside>>,
}

impl Telling {
    /// Adds what is told beside the transfer of this entry.
    pub(super) fn tell(&mut self, entry: &Entry, transfer: TransferId, at: Timestamp) {
        for beside in &entry.beside {
            self.row(beside, transfer, at);
        }
        if let Some(shared) = &entry.shared
            && !self.shared.as_ref().is_some_and(|last| Arc::ptr_eq(last, shared))
        {
            self.row(shared, transfer, at);
            self.shared = Some(Arc::clone(shared));
        }
    }

    fn row(&mut self, Beside { head, values }: &Beside, transfer: TransferId, at: Timestamp) {
        let place = self.rows.iter().position(|rows| rows.head == *head).unwrap_or_else(|| {
            self.rows.push(Rows { head, width: values.len(), values: vec![] });
            self.rows.len() - 1
        });
        self.rows[place].values.extend(values.iter().map(|value| match value {
            Told::Value(value) => value.clone(),
            Told::Transfer => transfer.0.into(),
            Told::At => at.0.into(),
        }));
    }
}
