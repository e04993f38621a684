//! Changing people, listing them, and taking them away. What may become of their entities is in `accounts`.

use super::session::end_sessions;
use super::{EMAIL_TAKEN, Identity, Language, PERSON, Person, cleared, email_key, person};
use crate::audit::{Act, Action, changes};
use crate::directory::{best_first, fold};
use crate::store::{Error, Statement, Value};
use crate::system_clock;
use const_format::concatcp;

/// A change of a person: what is `None` stays.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct PersonChange {
    /// Only administrators change it.
    pub email: Option<String>,
    /// Given name.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// As typed.
    pub telephone: Option<String>,
    /// How they are written to.
    pub language: Option<Language>,
    /// In the clear, for as long as it takes to hash it. For administrators to give to members: whoever changes their own keeps a session.
    pub password: Option<String>,
}

/// Which members: those for whom everything given is true.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct PeopleFilter {
    /// Has this e-mail address, in any case.
    pub email: Option<String>,
    /// Has this in the family name, in any case and with any accents, or one that may be misspelt so.
    pub last_name: Option<String>,
}

/// What the key of a deleted person's address begins with; then comes their id, a space, and the key as it was. It has a space, so nobody's
/// address is like it.
const DELETED: &str = "deleted ";

/// Where the key as it was begins in that of a deleted person, counted from 1.
pub(crate) const KEY_WAS: usize = DELETED.len() + 36 + 2;

const THERE: &str = concatcp!(PERSON, " where deleted_at is null");

const MEMBERS: &str = concatcp!(THERE, " and not administrator");

/// Ids and folded family names of all members that have one, which the index `person_last_name` has.
const NAMES: &str = "select person_id, last_name_key from person where deleted_at is null and not administrator and last_name_key <> ''";

impl Identity {
    /// Changes what is given and leaves the rest; logged as `act`, with what changed, and another password as one more. With that, their sessions
    /// end, and they need not wait for the end of a lock. False: somebody else has the address.
    ///
    /// # Errors
    /// When the database or hashing fails.
    pub async fn change_person(&self, id: u128, mut change: PersonChange, act: Act) -> anyhow::Result<bool> {
        let hash = match change.password.take() {
            Some(password) => Some(self.hasher.hash(password).await?),
            None => None,
        };
        let mut tx = self.db.begin().await?;
        let there = concatcp!(THERE, " and person_id = $1");
        let Some(row) = tx.fetch_optional(there, vec![id.into()]).await? else { return Ok(true) };
        let old = person(&row)?;
        let (detail, replaced) = (difference(&old, &change), hash.is_some());
        if detail.is_empty() && !replaced {
            return Ok(true);
        }
        let PersonChange { email, first_name, last_name, telephone, language, password: _ } = change;
        let sql = "update person set email = coalesce($2, email), email_key = coalesce($3, email_key), first_name = coalesce($4, first_name),
                          last_name = coalesce($5, last_name), telephone = coalesce($6, telephone), language = coalesce($7, language),
                          last_name_key = coalesce($8, last_name_key), password_hash = coalesce($9, password_hash)
                   where person_id = $1 and deleted_at is null";
        let (key, moved) = (email.as_deref().map(email_key), email.as_ref().is_some_and(|email| *email != old.email));
        let address = email.clone().unwrap_or(old.email);
        let language = language.map(|language| language.code().to_owned());
        let last_name_key = last_name.as_deref().map(fold);
        let values: [Option<String>; 8] = [email, key, first_name, last_name, telephone, language, last_name_key, hash];
        let values = [id.into()].into_iter().chain(values.map(Value::from)).collect();
        let changed = match tx.execute(sql, values).await {
            Err(error) if error.violates(EMAIL_TAKEN) => return Ok(false),
            changed => changed?,
        };
        // Deleted meanwhile.
        if changed == 0 {
            return Ok(true);
        }
        if moved {
            // What was mailed to the old address is void: it may be somebody else's by now.
            tx.execute("delete from password_reset where person_id = $1", vec![id.into()]).await?;
        }
        if replaced {
            end_sessions(&mut tx, id, None).await?;
            let Statement { sql, values } = cleared(&address);
            tx.execute(sql, values).await?;
            Act { action: Action::PasswordChanged, ..act.clone() }.write(&mut tx).await?;
        }
        if !detail.is_empty() {
            act.saying(detail).write(&mut tx).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// A page of the members, and how many there are in all: oldest first, or those first whose family name matches best what is looked for.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn members(&self, filter: &PeopleFilter, offset: i64, limit: i64) -> Result<(Vec<Person>, i64), Error> {
        let key = filter.email.as_deref().map(email_key);
        let Some(sought) = &filter.last_name else { return self.members_by_address(key, offset, limit).await };
        let rows = match key {
            None => self.db.fetch_all(NAMES, vec![]).await?,
            Some(key) => self.db.fetch_all(concatcp!(NAMES, " and email_key = $1"), vec![key.into()]).await?,
        };
        let names = rows.iter().map(|row| Ok((row.text("last_name_key")?, row.id("person_id")?)));
        let found = best_first(sought, names.collect::<Result<_, Error>>()?).await?;
        let total = i64::try_from(found.len()).unwrap_or(i64::MAX);
        let (offset, limit) =
            (usize::try_from(offset).unwrap_or(usize::MAX), usize::try_from(limit).unwrap_or_default());
        let page: Vec<u128> = found.into_iter().skip(offset).take(limit).collect();
        let mut people = self.people(page.iter().copied()).await?;
        Ok((page.iter().filter_map(|id| people.remove(id)).collect(), total))
    }

    async fn members_by_address(
        &self,
        key: Option<String>,
        offset: i64,
        limit: i64,
    ) -> Result<(Vec<Person>, i64), Error> {
        let count = "select count(*) as n from person
                     where deleted_at is null and not administrator and ($1 is null or email_key = $1)";
        let total = self.db.fetch_optional(count, vec![key.clone().into()]).await?.map_or(Ok(0), |row| row.int("n"))?;
        let page = concatcp!(MEMBERS, " and ($1 is null or email_key = $1) order by person_id limit $2 offset $3");
        let rows = self.db.fetch_all(page, vec![key.into(), limit.into(), offset.into()]).await?;
        Ok((rows.iter().map(person).collect::<Result<_, _>>()?, total))
    }

    /// A member. Administrators are none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn member(&self, id: u128) -> Result<Option<Person>, Error> {
        let sql = concatcp!(MEMBERS, " and person_id = $1");
        self.db.fetch_optional(sql, vec![id.into()]).await?.as_ref().map(person).transpose()
    }

    /// Takes a person away: nobody logs in as them any more, their sessions end, and the address is anybody's again. What they told of
    /// themselves goes, but for the address, which says in the log who they were.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove(&self, person: u128, by: u128) -> Result<(), Error> {
        let sql = "update person set deleted_at = $2, email_key = $3 || email_key, password_hash = '', first_name = '', last_name = '', last_name_key = '', telephone = ''
                   where person_id = $1 and deleted_at is null";
        let key = format!("{DELETED}{} ", crate::id_text(person));
        let mut tx = self.db.begin().await?;
        if tx.execute(sql, vec![person.into(), system_clock().0.into(), key.into()]).await? == 0 {
            // Another administrator was faster.
            return Ok(());
        }
        end_sessions(&mut tx, person, None).await?;
        Act::by(by, Action::UserDeleted).as_administrator().to(person).write(&mut tx).await?;
        tx.commit().await
    }
}

/// `Name: old -> new` for each detail that changes.
fn difference(old: &Person, change: &PersonChange) -> String {
    let texts = [
        ("Email", &old.email, &change.email),
        ("First name", &old.first_name, &change.first_name),
        ("Last name", &old.last_name, &change.last_name),
        ("Telephone", &old.telephone, &change.telephone),
    ];
    let texts = texts.into_iter().filter_map(|(what, old, new)| Some((what, old.clone(), new.clone()?)));
    let code = |language: Option<Language>| language.map_or_else(String::new, |language| language.code().to_owned());
    let language = change.language.map(|new| ("Language", code(old.language), code(Some(new))));
    changes(texts.chain(language))
}
