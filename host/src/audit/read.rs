//! Pages of the action log, the newest act first.

use super::{Action, Category};
use crate::identity::{KEY_WAS, email_key};
use crate::store::{Db, Error, Row};
use crate::system_clock;
use std::time::Duration;

/// Which acts: those for which everything given is true.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ActFilter {
    /// Of the person with this address, or of somebody who said so.
    pub email: Option<String>,
    /// As this.
    pub category: Option<Category>,
    /// One of these, done as this; empty for any.
    pub actions: Vec<(Category, Action)>,
    /// Has this text in its detail.
    pub detail: Option<String>,
    /// At this time or later, in microseconds since the epoch.
    pub from: Option<i64>,
    /// Before this time.
    pub to: Option<i64>,
}

/// An act as it was logged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoggedAct {
    /// Its id.
    pub id: u128,
    /// When, in microseconds since the epoch.
    pub at: i64,
    /// As whom.
    pub category: Category,
    /// Who, if it is somebody known.
    pub person: Option<u128>,
    /// Their address as it is now, or what a stranger said; may be empty.
    pub email: String,
    /// What.
    pub action: Action,
    /// To what, if not to themselves.
    pub subject: Option<u128>,
    /// More about it; may be empty.
    pub detail: String,
}

/// How far the time in an id and the time of an act may lie apart: an id is made before its act waits for its turn.
const APART: Duration = Duration::from_secs(86_400);

/// $1 and $2 the key of an address or null, $3 a category, $4 categories with an action between commas, $5 a text, $6 and $7 a period, $8 and
/// $9 the ids between which the acts of that period are.
const WHERE: &str = const_format::formatcp!(" where ($1 is null or a.email_key = $1 or a.person_id in (
        select k.person_id from person k where k.email_key = $1 or (k.deleted_at is not null and substr(k.email_key, {KEY_WAS}) = $2))) and ($3 is null or a.category = $3)
   and ($4 is null or replace($4, ',' || a.category || ' ' || a.action || ',', '') <> $4) and ($5 is null or replace(a.detail, $5, '') <> a.detail)
   and a.at >= $6 and a.at < $7 and a.act_id between $8 and $9");
const COUNT: &str = const_format::concatcp!("select count(*) as n from act a", WHERE);
const PAGE: &str = const_format::concatcp!(
    "select a.act_id, a.at, a.category, a.person_id, coalesce(p.email, a.email_key, '') as email, a.action, a.subject_id, a.detail
     from act a left join person p on p.person_id = a.person_id",
    WHERE,
    " order by a.act_id desc limit $10 offset $11"
);

/// A page of the log, and how many acts there are in all.
///
/// # Errors
/// When the database fails.
pub async fn page(db: &Db, filter: &ActFilter, offset: i64, limit: i64) -> Result<(Vec<LoggedAct>, i64), Error> {
    let key = filter.email.as_deref().map(email_key);
    let actions = filter.actions.iter().map(|(category, action)| format!(",{} {},", category.word(), action.word()));
    let actions = actions.reduce(|all, word| all + &word);
    let (from, to) = (filter.from.unwrap_or(0), filter.to.unwrap_or(i64::MAX));
    let values = vec![
        key.clone().into(),
        key.into(),
        filter.category.map(|category| category.word().to_owned()).into(),
        actions.into(),
        filter.detail.clone().into(),
        from.into(),
        to.into(),
        first_id(from.saturating_sub(apart())).into(),
        first_id(to.min(system_clock().0.saturating_add(apart())).saturating_add(apart())).into(),
    ];
    let total = db.fetch_optional(COUNT, values.clone()).await?.map_or(Ok(0), |row| row.int("n"))?;
    let values = values.into_iter().chain([limit.into(), offset.into()]).collect();
    let acts = db.fetch_all(PAGE, values).await?.iter().map(logged).collect::<Result<_, _>>()?;
    Ok((acts, total))
}

/// The least id that is made at a time: its first 48 bits are milliseconds since the epoch (RFC 9562, section 5.7).
fn first_id(microseconds: i64) -> u128 {
    u128::try_from(microseconds / 1_000).unwrap_or(0) << 80
}

fn apart() -> i64 {
    i64::try_from(APART.as_micros()).unwrap_or(i64::MAX)
}

fn logged(row: &Row) -> Result<LoggedAct, Error> {
    Ok(LoggedAct {
        id: row.id("act_id")?,
        at: row.int("at")?,
        category: if row.text("category")? == Category::User.word() { Category::User } else { Category::Admin },
        person: row.optional_id("person_id")?,
        email: row.text("email")?,
        action: Action::from_word(&row.text("action")?)?,
        subject: row.optional_id("subject_id")?,
        detail: row.text("detail")?,
    })
}
