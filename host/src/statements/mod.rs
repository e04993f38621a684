//! Statements of account: what moved on an entity's account in a period, with the balances before and after it, in a form that somebody
//! who trusts nobody can check. Each line names the record of the journal that has it, and that record's hash; `docs/statements.md` says
//! how to check them against a copy of the journal. Who may read whose is the surfaces' to say.

mod csv; // rows for a spreadsheet
mod pdf; // pages for a person

pub use csv::csv;
pub use pdf::pdf;

use crate::accounts::{self, Movement, Period};
use crate::parties::{self, Entity};
use crate::posting::{self, Hash, Ledger, Posting};
use crate::store::Error;
use ledger_core::{AccountId, Amount, LedgerId, Unit};

/// Lines of a statement: more than anybody reads, and some megabytes in memory.
pub const LINES_MAX: i64 = 10_000;

/// How often a statement is begun anew because its account moved meanwhile.
const TRIES: usize = 20;

/// A statement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Statement {
    /// The entity's account number.
    pub number: String,
    /// The entity's name.
    pub name: String,
    /// What is counted.
    pub unit: Unit,
    /// The ledger, and the account in it, as the journal names them.
    pub ledger: LedgerId,
    /// See `ledger`.
    pub account: AccountId,
    /// The period.
    pub period: Period,
    /// The balance before the first line.
    pub opening: Amount,
    /// The balance after the last.
    pub closing: Amount,
    /// What came in all.
    pub paid_in: Amount,
    /// What went in all, as a positive amount.
    pub paid_out: Amount,
    /// The oldest first.
    pub lines: Vec<Line>,
    /// The number of the journal's newest record when the statement was made, and its hash.
    pub head: (i64, Hash),
}

/// Money that came or went.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// What moved.
    pub movement: Movement,
    /// Account number of the other side.
    pub number: String,
    /// Name of the other side, as it is now.
    pub name: String,
    /// Of the journal's record that has it.
    pub hash: Hash,
}

/// The statement of an entity for a period; none when it would have more than [`LINES_MAX`] lines.
///
/// # Errors
/// When the database fails.
pub async fn statement(
    posting: &Posting,
    ledger: &Ledger,
    entity: &Entity,
    period: Period,
) -> Result<Option<Statement>, Error> {
    let account = entity.account;
    // The head must be that of the movements: while more of them come in between, both are read again. To a period that is over, none come.
    let is_over = period.to <= posting::head_at(posting.db(), ledger.id).await?;
    let mut tries = 0;
    let (told, head) = loop {
        let before = posting.extent(ledger.id, account).await?;
        let told = accounts::statement(posting, ledger.id, account, period, 0, LINES_MAX).await?;
        if told.total > LINES_MAX {
            return Ok(None);
        }
        let head = posting::head(posting.db(), ledger.id).await?;
        if is_over || posting.extent(ledger.id, account).await? == before {
            break (told, head);
        }
        tries += 1;
        if tries == TRIES {
            return Err(Error::Unavailable("an account moves faster than it can be told".into()));
        }
    };
    let others: Vec<AccountId> = told.movements.iter().map(|movement| movement.counterparty).collect();
    let names = parties::names(posting.db(), &others).await?;
    let hashes =
        posting::hashes(posting.db(), ledger.id, told.movements.iter().map(|movement| movement.record)).await?;
    let (mut paid_in, mut paid_out) = (Amount::ZERO, Amount::ZERO);
    let mut lines = Vec::with_capacity(told.movements.len());
    for movement in told.movements {
        let side = if movement.change.is_positive() { &mut paid_in } else { &mut paid_out };
        let moved = if movement.change.is_positive() { movement.change } else { movement.change.negated() };
        *side =
            side.checked_add(moved).ok_or_else(|| Error::Corrupt("an account moved more than there can be".into()))?;
        let missing = || Error::Corrupt(format!("the journal has no record {}", movement.record));
        let hash = *hashes.get(&movement.record).ok_or_else(missing)?;
        let (number, name) = names.get(&movement.counterparty).cloned().unwrap_or_default();
        lines.push(Line { movement, number, name, hash });
    }
    Ok(Some(Statement {
        number: entity.account_number.clone(),
        name: entity.details.name.clone(),
        unit: ledger.unit.clone(),
        ledger: ledger.id,
        account,
        period,
        opening: told.opening,
        closing: told.closing,
        paid_in,
        paid_out,
        lines,
        head,
    }))
}
