//! What administrators change. Whether an entity may trade is decided by the ledger: its account is open for a trading member
//! and frozen for everybody else, and both change in one transaction.

use super::difference::difference;
use super::{Change, Entity, EntityStatus, store};
use crate::audit::{Act, Action, changes};
use crate::directory;
use crate::posting::{Entry, Group, Ledger, Posting, PostingError};
use crate::store::Statement;
use crate::system_clock;
use ledger_core::{Amount, Command, Rejection, SetLimits, SetStatus, Unit};

/// What an administrator changes of an entity; what is `None` stays.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Governed {
    /// What it tells of itself.
    pub change: Change,
    /// How far it is admitted.
    pub status: Option<EntityStatus>,
    /// Floor of its account.
    pub floor: Option<Amount>,
    /// Ceiling of its account.
    pub ceiling: Option<Amount>,
}

/// Applies the change of the administrator `by`, all of it or nothing, to an entity of this ledger.
///
/// # Errors
/// When posting or the database fails. The inner result is the ledger's refusal.
pub async fn govern(
    posting: &Posting,
    ledger: &Ledger,
    entity: &Entity,
    governed: Governed,
    by: u128,
) -> Result<Result<(), Rejection>, PostingError> {
    let db = posting.db();
    let mut companions = store::update_statements(db, entity.id, &governed.change).await.map_err(PostingError::from)?;
    let mut entries = vec![];
    if let Some(status) = governed.status {
        entries.push(Command::SetStatus(SetStatus { account: entity.account, status: status.account_status() }));
        companions.push(set_status(entity.id, status));
        companions.extend(directory::set_listed(db, entity.id, status.is_listed(), system_clock().0));
    }
    let limits = limits(posting, &ledger.unit, entity, &governed).await?;
    companions.extend(acts(entity, &governed, limits, by));
    let Governed { floor, ceiling, .. } = governed;
    if floor.is_some() || ceiling.is_some() {
        entries.push(Command::SetLimits(SetLimits { account: entity.account, floor, ceiling }));
    }
    if entries.is_empty() {
        store::run(db, companions).await.map_err(PostingError::from)?;
        return Ok(Ok(()));
    }
    let entries = entries.into_iter().map(|command| Entry::new(command, "")).collect();
    let outcomes = posting.submit(entity.ledger, Group { entries, companions }).await?;
    // In a refused group, one command has the reason and the others say that they are linked to it.
    let refusals = outcomes.into_iter().filter_map(Result::err);
    Ok(refusals.reduce(|first, other| if first == Rejection::LinkedFailed { other } else { first }).map_or(Ok(()), Err))
}

/// How far the account may go from now on and could before, for the log: in major units, and a debt as a positive amount.
async fn limits(posting: &Posting, unit: &Unit, entity: &Entity, governed: &Governed) -> Result<String, PostingError> {
    let Governed { floor, ceiling, .. } = governed;
    if floor.is_none() && ceiling.is_none() {
        return Ok(String::new());
    }
    // Without an account, the ledger refuses what follows.
    let Some(account) = posting.account(entity.ledger, entity.account).await? else { return Ok(String::new()) };
    let told = |what, old: Amount, new: Option<Amount>| Some((what, unit.format_fixed(old), unit.format_fixed(new?)));
    let positive = told("Max positive balance", account.ceiling, *ceiling);
    let negative = told("Max negative balance", account.floor.negated(), floor.map(Amount::negated));
    Ok(changes([positive, negative].into_iter().flatten()))
}

/// What the log says of it.
fn acts(entity: &Entity, governed: &Governed, limits: String, by: u128) -> Vec<Statement> {
    let act = |action, detail| Act::by(by, action).as_administrator().to(entity.id).saying(detail).statement();
    let status = governed.status.map(|new| changes([("Status", entity.status.word().into(), new.word().into())]));
    let told = [status.unwrap_or_default(), difference(entity, &governed.change)];
    let told = told.into_iter().filter(|told| !told.is_empty()).collect::<Vec<_>>().join("; ");
    let mut acts = vec![];
    if !told.is_empty() {
        acts.push(act(Action::EntityChanged, told));
    }
    if !limits.is_empty() {
        acts.push(act(Action::LimitsChanged, limits));
    }
    acts
}

fn set_status(entity: u128, status: EntityStatus) -> Statement {
    let first_trades = (status == EntityStatus::TradingAccepted).then(|| system_clock().0);
    Statement {
        sql: "update entity set status = $2, member_since = coalesce(member_since, $3) where entity_id = $1",
        values: vec![entity.into(), status.word().into(), first_trades.into()],
    }
}
