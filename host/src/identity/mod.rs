//! Who somebody is: people, passwords, tokens and the sessions behind them. What they may do with an entity is in `parties`.
//!
//! Invariant: no password, hash or token is ever logged or sent back.

mod people; // as administrators see and change them
mod password; // rules and hashes
mod session; // tokens that can be revoked
mod lockout; // logins that fail too often
mod reset; // passwords that were forgotten
mod language; // how people are written to
mod token; // the keys that sign them

pub use language::Language;
pub use lockout::{Lockout, cleared};
pub use password::{PASSWORD_MAX, PASSWORD_MIN, PasswordFault, password_faults};
pub(crate) use people::KEY_WAS;
pub use people::{PeopleFilter, PersonChange};
pub use reset::Reset;
pub use session::{Door, Login, LoginRefused, Session};
pub use token::TokenKeys;

use crate::directory::fold;
use crate::store::{Db, Error, Lookup, Row, Statement, Value};
use const_format::concatcp;
use lockout::Failures;
use password::Hasher;
use session::{SESSIONS, Standing};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// The people of this installation and their sessions.
#[derive(Clone)]
pub struct Identity {
    db: Db,
    keys: Arc<TokenKeys>,
    hasher: Hasher,
    sessions: Lookup<u128, Standing>,
    failures: Failures,
}

/// A person, without the password.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Person {
    /// Its id.
    pub id: u128,
    /// As typed at signup.
    pub email: String,
    /// May be empty, like the names and numbers below.
    pub first_name: String,
    /// Family name.
    pub last_name: String,
    /// As typed.
    pub telephone: String,
    /// The login before the one in use, in microseconds since the epoch.
    pub previous_login_at: Option<i64>,
    /// Where it came from.
    pub previous_login_ip: Option<String>,
    /// The language that they read; none when they never said.
    pub language: Option<Language>,
}

/// What somebody tells of themselves when they sign up.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct NewPerson {
    /// Unique, whatever its case.
    pub email: String,
    /// Given name.
    pub first_name: String,
    /// Family name.
    pub last_name: String,
    /// As typed.
    pub telephone: String,
    /// May log in at the administrators' door.
    pub administrator: bool,
    /// The language that they read; none when they did not say.
    pub language: Option<Language>,
}

/// The constraint that stands in the way when an e-mail address is taken.
pub const EMAIL_TAKEN: &str = "person.email_key";

impl Identity {
    /// The people in `db`, with tokens signed by `keys`.
    ///
    /// # Panics
    /// See [`Lookup::new`].
    pub fn new(db: Db, keys: TokenKeys) -> Identity {
        let sessions = Lookup::new(&db, SESSIONS);
        let failures = Failures::new(Lockout::default());
        Identity { db, keys: Arc::new(keys), hasher: Hasher::default(), sessions, failures }
    }

    /// The same people, locked out in this way.
    #[must_use]
    pub fn with_lockout(self, lockout: Lockout) -> Identity {
        Identity { failures: Failures::new(lockout), ..self }
    }

    /// The statement that adds a person with this password; it meets [`EMAIL_TAKEN`] when the address is.
    ///
    /// # Errors
    /// When hashing fails.
    pub async fn add_person(&self, id: u128, person: &NewPerson, password: String) -> anyhow::Result<Statement> {
        let hash = self.hasher.hash(password).await?;
        Ok(Statement {
            sql: "insert into person (person_id, email, email_key, password_hash, first_name, last_name, telephone,
                                      administrator, created_at, language, last_name_key)
                  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            values: vec![
                id.into(),
                person.email.as_str().into(),
                email_key(&person.email).into(),
                hash.into(),
                person.first_name.as_str().into(),
                person.last_name.as_str().into(),
                person.telephone.as_str().into(),
                person.administrator.into(),
                crate::system_clock().0.into(),
                person.language.map(|language| language.code().to_owned()).into(),
                fold(&person.last_name).into(),
            ],
        })
    }

    /// Whether somebody has this address already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn email_is_taken(&self, email: &str) -> Result<bool, Error> {
        let sql = "select 1 as one from person where email_key = $1";
        Ok(self.db.fetch_optional(sql, vec![email_key(email).into()]).await?.is_some())
    }

    /// A person.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn person(&self, id: u128) -> Result<Option<Person>, Error> {
        let sql = concatcp!(PERSON, " where person_id = $1");
        self.db.fetch_optional(sql, vec![id.into()]).await?.as_ref().map(person).transpose()
    }

    /// Those of these people that there are, by id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn people(&self, ids: impl IntoIterator<Item = u128>) -> Result<HashMap<u128, Person>, Error> {
        let ids: BTreeSet<u128> = ids.into_iter().collect();
        let keys: Vec<Value> = ids.into_iter().map(Value::from).collect();
        let rows = self.db.fetch_among(concatcp!(PERSON, " where person_id"), &[], &keys, "").await?;
        rows.iter().map(|row| person(row).map(|person| (person.id, person))).collect()
    }
}

/// What [`person`] reads.
const PERSON: &str = "select person_id, email, first_name, last_name, telephone, previous_login_at, previous_login_ip, language from person";

/// What an address is found by: people type theirs in any case.
pub fn email_key(email: &str) -> String {
    email.to_lowercase()
}

fn person(row: &Row) -> Result<Person, Error> {
    Ok(Person {
        id: row.id("person_id")?,
        email: row.text("email")?,
        first_name: row.text("first_name")?,
        last_name: row.text("last_name")?,
        telephone: row.text("telephone")?,
        previous_login_at: row.optional_int("previous_login_at")?,
        previous_login_ip: row.optional_text("previous_login_ip")?,
        language: Language::stored(row)?,
    })
}
