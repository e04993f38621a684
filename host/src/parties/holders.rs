//! Who has which account number. It never changes once it is given: what was found is remembered, and true for every host.

use super::Entity;
use crate::store::{Db, Error, Lookup, Question, Row, Value};
use ledger_core::AccountId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What moving money needs to know of an entity: whose it is, and where its money is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Holder {
    /// The entity's account number.
    pub number: String,
    /// Whose entity it is.
    pub person: u128,
    /// Its account.
    pub account: AccountId,
}

impl From<&Entity> for Holder {
    fn from(entity: &Entity) -> Holder {
        Holder { number: entity.account_number.clone(), person: entity.person, account: entity.account }
    }
}

/// Ends with the column of their numbers.
const HOLDERS: &str = "select account_number, person_id, account_id from entity where account_number";

fn holder(row: &Row) -> Result<Holder, Error> {
    Ok(Holder {
        number: row.text("account_number")?,
        person: row.id("person_id")?,
        account: AccountId(row.id("account_id")?),
    })
}

/// Holders that are remembered. Each takes about 150 bytes; at this number they are all forgotten.
const REMEMBERED_MAX: usize = 65_536;

/// Who has which account number.
#[derive(Clone)]
pub struct Holders {
    by_number: Lookup<String, Holder>,
    remembered: Arc<Mutex<HashMap<String, Holder>>>,
}

impl Holders {
    /// Of the entities in `db`.
    ///
    /// # Panics
    /// See [`Lookup::new`].
    pub fn new(db: &Db) -> Holders {
        let question =
            Question { head: HOLDERS, tail: "", read: |row| holder(row).map(|holder| (holder.number.clone(), holder)) };
        Holders { by_number: Lookup::new(db, question), remembered: Arc::default() }
    }

    /// The holders of these account numbers, in the same order; `None` where nobody has the number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn of(&self, numbers: Vec<String>) -> Result<Vec<Option<Holder>>, Error> {
        let mut holders: Vec<Option<Holder>> = {
            let remembered = self.remembered();
            numbers.iter().map(|number| remembered.get(number).cloned()).collect()
        };
        let unknown = || numbers.iter().zip(&holders).filter(|(_, holder)| holder.is_none());
        let asked: Vec<String> = unknown().map(|(number, _)| number.clone()).collect();
        if asked.is_empty() {
            return Ok(holders);
        }
        let mut found = self.by_number.find(asked).await?.into_iter();
        let mut remembered = self.remembered();
        for holder in holders.iter_mut().filter(|holder| holder.is_none()) {
            *holder = found.next().flatten();
            if let Some(found) = holder {
                if remembered.len() >= REMEMBERED_MAX {
                    remembered.clear();
                }
                remembered.insert(found.number.clone(), found.clone());
            }
        }
        drop(remembered);
        Ok(holders)
    }

    fn remembered(&self) -> MutexGuard<'_, HashMap<String, Holder>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The holders of those of these account numbers that somebody has, by number. None comes twice.
///
/// # Errors
/// When the database fails.
pub async fn holders_among<'n>(
    db: &Db,
    numbers: impl IntoIterator<Item = &'n str>,
) -> Result<HashMap<String, Holder>, Error> {
    let keys: Vec<Value> = numbers.into_iter().map(Value::from).collect();
    let mut found = HashMap::with_capacity(keys.len());
    for row in db.fetch_among(HOLDERS, &[], &keys, "").await? {
        let holder = holder(&row)?;
        found.insert(holder.number.clone(), holder);
    }
    Ok(found)
}
