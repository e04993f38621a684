//! The action log: who did what, and when. Each act is written in the transaction that does it, so that nothing is done that is not
//! logged, and nothing is logged that was not done. What an act is called in an API is that surface's; who may read the log is, too.
//!
//! Invariant: rows are only added. No password, token or text of a message is ever in one.

mod action; // what can be done
mod read; // pages of the log

pub use action::Action;
pub use read::{ActFilter, LoggedAct, page};

use crate::identity::{Door, email_key};
use crate::posting::{Beside, Told};
use crate::store::{Db, Error, Statement, Tx, Value};
use crate::{mint_id, system_clock};

/// As whom somebody acts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Category {
    /// As a member.
    User,
    /// As an administrator, at the API or at the console.
    Admin,
}

impl Category {
    /// As it is stored.
    pub const fn word(self) -> &'static str {
        match self {
            Category::User => "user",
            Category::Admin => "admin",
        }
    }
}

/// Who did something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Who {
    /// Somebody known.
    Person(u128),
    /// Somebody who said that this address is theirs, in the form in which addresses are compared, and is not known by it.
    Stranger(String),
    /// The system by itself, or somebody at its console.
    Nobody,
}

/// Something that was done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Act {
    /// By whom.
    pub who: Who,
    /// As whom.
    pub category: Category,
    /// What.
    pub action: Action,
    /// To which entity, person, tag or transfer, if not to themselves.
    pub subject: Option<u128>,
    /// For people: what changed, which amount.
    pub detail: String,
}

const HEAD: &str = "insert into act (act_id, at, category, person_id, email_key, action, subject_id, detail)";
const WHOLE: &str = const_format::concatcp!(HEAD, " values ($1, $2, $3, $4, $5, $6, $7, $8)");

impl Act {
    /// Something that a person did, as a member, with nothing more to say about it.
    pub const fn by(person: u128, action: Action) -> Act {
        Act { who: Who::Person(person), category: Category::User, action, subject: None, detail: String::new() }
    }

    /// Something that whoever said to have this address did.
    pub fn by_stranger(email: &str, action: Action) -> Act {
        Act { who: Who::Stranger(email_key(email)), ..Act::by(0, action) }
    }

    /// Something that the system did by itself, or somebody at its console.
    pub const fn by_nobody(action: Action) -> Act {
        Act { who: Who::Nobody, category: Category::User, action, subject: None, detail: String::new() }
    }

    /// The same as an administrator, if it was one.
    #[must_use]
    pub fn at(self, door: Door) -> Act {
        if door == Door::Administrator { self.as_administrator() } else { self }
    }

    /// The same as an administrator.
    #[must_use]
    pub fn as_administrator(self) -> Act {
        Act { category: Category::Admin, ..self }
    }

    /// The same, done to this.
    #[must_use]
    pub fn to(self, subject: u128) -> Act {
        Act { subject: Some(subject), ..self }
    }

    /// The same, with this to say about it.
    #[must_use]
    pub fn saying(self, detail: impl Into<String>) -> Act {
        Act { detail: detail.into(), ..self }
    }

    /// For the transaction that does it.
    pub fn statement(&self) -> Statement {
        let Act { category, action, subject, .. } = self;
        let [person, email] = self.whose();
        let (id, at) = (mint_id().into(), system_clock().0.into());
        let (category, action, detail) = (category.word().into(), action.word().into(), self.detail.as_str().into());
        Statement { sql: WHOLE, values: vec![id, at, category, person, email, action, Value::Id(*subject), detail] }
    }

    /// Writes it in the transaction that does it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn write(&self, tx: &mut Tx) -> Result<(), Error> {
        let Statement { sql, values } = self.statement();
        tx.execute(sql, values).await.map(drop)
    }

    /// For the batch that does it to a transfer, which is the subject.
    pub fn beside(&self) -> Beside {
        let [person, email] = self.whose();
        let values = vec![
            mint_id().into(),
            Told::At,
            self.category.word().into(),
            person.into(),
            email.into(),
            self.action.word().into(),
            Told::Transfer,
            self.detail.as_str().into(),
        ];
        Beside { head: HEAD, values }
    }

    /// `person_id` and `email_key`.
    fn whose(&self) -> [Value; 2] {
        match &self.who {
            Who::Person(person) => [(*person).into(), Value::Text(None)],
            Who::Stranger(email) => [Value::Id(None), email.as_str().into()],
            Who::Nobody => [Value::Id(None), Value::Text(None)],
        }
    }
}

/// Logs an act that has no transaction of its own, or is logged before it is done.
///
/// # Errors
/// When the database fails.
pub async fn log(db: &Db, act: &Act) -> Result<(), Error> {
    let mut tx = db.begin().await?;
    act.write(&mut tx).await?;
    tx.commit().await
}

/// What changed, for a log: `Name: old -> new` for each of these that did.
pub fn changes<'c>(of: impl IntoIterator<Item = (&'c str, String, String)>) -> String {
    let changed = of.into_iter().filter(|(_, old, new)| old != new);
    changed.map(|(what, old, new)| format!("{what}: {old} -> {new}")).collect::<Vec<_>>().join("; ")
}
