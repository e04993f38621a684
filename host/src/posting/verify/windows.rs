//! The proof of the windows: each row must be what the replay has at the journal's end, and no row may be missing.
//!
//! Rows are written with the batch that changes them, so none may be older.

use super::{Replay, Stop, fault};
use crate::posting::windows::{self, WindowKey};
use crate::store::{Row, Tx};
use ledger_core::{AccountId, Direction, Period, Window};
use std::vec::IntoIter;

/// Rows read by one statement.
const CHUNK: i64 = 4_096;

impl Replay<'_> {
    /// Compares all windows, when the replay is at the journal's end.
    pub(super) async fn prove_windows(&mut self, tx: &mut Tx) -> Result<(), Stop> {
        let mut replayed = std::mem::take(&mut self.decider.windows).into_sorted().into_iter();
        let mut after = None;
        loop {
            let rows = windows::load_next(tx, self.id(), after, CHUNK).await?;
            for row in &rows {
                after = Some(prove_window(row, &mut replayed)?);
            }
            if rows.is_empty() {
                break;
            }
        }
        replayed.next().map_or(Ok(()), |window| Err(missing(&window)))
    }
}

/// Compares a row with the next that there must be, and tells its key.
fn prove_window(row: &Row, replayed: &mut IntoIter<Window>) -> Result<WindowKey, Stop> {
    let account = AccountId(row.id("account_id")?);
    let stored = windows::window(row).map_err(|error| Stop::from(error).at(|| account_place(account)))?;
    let key = windows::key(&stored);
    match replayed.as_slice().first() {
        Some(expected) if windows::key(expected) < key => return Err(missing(expected)),
        Some(expected) if windows::key(expected) == key && *expected != stored => {
            let what = format!("it is stored as {stored:?} and the journal makes it {expected:?}");
            return Err(fault(place(key), what));
        }
        Some(expected) if windows::key(expected) == key => {}
        _ => return Err(fault(place(key), "the journal knows nothing of it")),
    }
    replayed.next();
    Ok(key)
}

fn missing(window: &Window) -> Stop {
    fault(place(windows::key(window)), "it is missing: nothing would be limited")
}

fn place((account, direction, period): WindowKey) -> String {
    let way = match direction {
        Direction::Out => "out",
        Direction::In => "in",
    };
    let period = match period {
        Period::Day => "day",
        Period::Week => "week",
        Period::Month => "month",
    };
    format!("{} {way} by {period}", account_place(account))
}

fn account_place(account: AccountId) -> String {
    format!("account {} window", crate::id_text(account.0))
}
