//! Changing people, listing them, and taking them away. What may become of their entities is in `accounts`.

use super::{EMAIL_TAKEN, Identity, Language, PERSON, Person, email_key, person};
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
    /// Changes what is given and leaves the rest; logged as `act`, with what changed. False: somebody else has the address.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn change_person(&self, id: u128, change: PersonChange, act: Act) -> Result<bool, Error> {
        let mut tx = self.db.begin().await?;
        let there = concatcp!(THERE, " and person_id = $1");
        let Some(row) = tx.fetch_optional(there, vec![id.into()]).await? else { return Ok(true) };
        let old = person(&row)?;
        let PersonChange { email, first_name, last_name, telephone, language } = change;
        let changed = |new: &Option<String>, old: &String| new.clone().unwrap_or_else(|| old.clone());
        let detail = changes([
            ("Email", old.email.clone(), changed(&email, &old.email)),
            ("First name", old.first_name.clone(), changed(&first_name, &old.first_name)),
            ("Last name", old.last_name.clone(), changed(&last_name, &old.last_name)),
            ("Telephone", old.telephone.clone(), changed(&telephone, &old.telephone)),
        ]);
        let sql = "update person set email = coalesce($2, email), email_key = coalesce($3, email_key), first_name = coalesce($4, first_name),
                          last_name = coalesce($5, last_name), telephone = coalesce($6, telephone), language = coalesce($7, language),
                          last_name_key = coalesce($8, last_name_key)
                   where person_id = $1 and deleted_at is null";
        let (key, moved) = (email.as_deref().map(email_key), email.is_some());
        let language = language.map(|language| language.code().to_owned());
        let last_name_key = last_name.as_deref().map(fold);
        let values: [Option<String>; 7] = [email, key, first_name, last_name, telephone, language, last_name_key];
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
        act.saying(detail).write(&mut tx).await?;
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
        let now = system_clock().0;
        let statements = [
            Statement {
                sql: "update person set deleted_at = $2, email_key = $3 || email_key, password_hash = '', first_name = '', last_name = '', last_name_key = '', telephone = ''
                      where person_id = $1 and deleted_at is null",
                values: vec![person.into(), now.into(), format!("{DELETED}{} ", crate::id_text(person)).into()],
            },
            Statement {
                sql: "update session set revoked_at = $2 where person_id = $1 and revoked_at is null",
                values: vec![person.into(), now.into()],
            },
            Statement { sql: "delete from password_reset where person_id = $1", values: vec![person.into()] },
        ];
        let mut tx = self.db.begin().await?;
        for (place, Statement { sql, values }) in statements.into_iter().enumerate() {
            if tx.execute(sql, values).await? == 0 && place == 0 {
                // Another administrator was faster.
                return Ok(());
            }
        }
        Act::by(by, Action::UserDeleted).as_administrator().to(person).write(&mut tx).await?;
        tx.commit().await
    }
}
