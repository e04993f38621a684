//! Whom to write to: entities by their ids or their accounts, with their addresses and the language of the person whose they are.

use super::EntityStatus;
use super::status::stored_status;
use crate::identity::Language;
use crate::store::{Db, Error, Row, Value};
use const_format::concatcp;
use ledger_core::{AccountId, LedgerId};

/// What writing to an entity, or about it, needs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Contact {
    /// Its id.
    pub entity: u128,
    /// Whose it is.
    pub person: u128,
    /// Where its money is.
    pub ledger: LedgerId,
    /// Its account there.
    pub account: AccountId,
    /// 16 digits.
    pub account_number: String,
    /// May be empty.
    pub name: String,
    /// Where notifications go.
    pub email: String,
    /// How far it has been admitted.
    pub status: EntityStatus,
    /// The language that its person reads; none when they never said.
    pub language: Option<Language>,
}

/// What entities are found by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ContactOf {
    /// Their ids.
    Entity,
    /// The ids of their accounts.
    Account,
}

const SELECT: &str =
    "select e.entity_id, e.person_id, e.ledger_id, e.account_id, e.account_number, e.name, e.email, e.status,
        p.language
 from entity e join person p on p.person_id = e.person_id where ";

/// Those of these entities that there are, in no order.
///
/// # Errors
/// When the database fails.
pub async fn contacts(db: &Db, of: ContactOf, ids: &[u128]) -> Result<Vec<Contact>, Error> {
    let keys: Vec<Value> = ids.iter().map(|id| Value::from(*id)).collect();
    let head = match of {
        ContactOf::Entity => concatcp!(SELECT, "e.entity_id"),
        ContactOf::Account => concatcp!(SELECT, "e.account_id"),
    };
    db.fetch_among(head, &[], &keys, "").await?.iter().map(contact).collect()
}

fn contact(row: &Row) -> Result<Contact, Error> {
    Ok(Contact {
        entity: row.id("entity_id")?,
        person: row.id("person_id")?,
        ledger: LedgerId(row.id("ledger_id")?),
        account: AccountId(row.id("account_id")?),
        account_number: row.text("account_number")?,
        name: row.text("name")?,
        email: row.text("email")?,
        status: stored_status(&row.text("status")?)?,
        language: Language::stored(row)?,
    })
}

impl Contact {
    /// Whether it may be found, written to, and write: it was admitted, and is not only waiting for it.
    pub const fn may_be_found(&self) -> bool {
        !matches!(self.status, EntityStatus::Pending | EntityStatus::Rejected)
    }
}
