//! The ledger core as a WebAssembly component: takes arguments out of the component model, asks the core, puts answers in.
//!
//! Decides nothing itself. Neither does it keep anything from one call to the next.
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

mod convert; // between WIT's words and the core's
mod guest; // what a component brings along

use alloc::vec::Vec;
use guest::exports::hesabu::ledger::{compact, posting as wit};

/// The answers of this component.
struct Ledger;

impl wit::Guest for Ledger {
    fn post(book: wit::Book, batch: Vec<wit::Item>, now: wit::Timestamp) -> Result<wit::Posted, wit::Malformed> {
        if batch.len() > ledger_core::BATCH_MAX {
            return Err(wit::Malformed::BatchTooLarge);
        }
        let mut book = convert::book(&book)?;
        let batch = convert::batch(&batch)?;
        let outcomes = ledger_core::post(&mut book, &batch, ledger_core::Timestamp(now));
        Ok(wit::Posted {
            outcomes: outcomes.into_iter().map(convert::outcome).collect(),
            accounts: book.changed_accounts().copied().map(convert::account).collect(),
            windows: book.changed_windows().copied().map(convert::window).collect(),
        })
    }

    fn preview(book: wit::Book, command: wit::Command, now: wit::Timestamp) -> Result<wit::Outcome, wit::Malformed> {
        let book = convert::book(&book)?;
        let command = convert::command(&command).ok_or(wit::Malformed::Item(0))?;
        Ok(convert::outcome(ledger_core::preview(&book, command, ledger_core::Timestamp(now))))
    }
}

impl compact::Guest for Ledger {
    fn post(question: Vec<u8>) -> Result<Vec<u8>, u32> {
        ledger_core::crossing::answer(&question).map_err(|error| u32::try_from(error.at).unwrap_or(u32::MAX))
    }
}
