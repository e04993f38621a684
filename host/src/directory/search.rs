//! Searching for entities that can be found: everything that is asked must be true of them. Administrators search in `register.rs`.

use super::engine::{BY_CATEGORY, BY_FAVORITE, Forms};
use super::room::read;
use super::tags::expand;
use super::tokens::containing;
use super::{LISTED, categories_named, typed};
use crate::store::{Db, Error, Row, Value};
use const_format::formatcp;

/// What is searched for; what is `None` or empty may be anything.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Search {
    /// Offers something that one of these texts means.
    pub offers: Vec<String>,
    /// Wants something that one of these texts means.
    pub wants: Vec<String>,
    /// And has had that tag since then at the earliest, in microseconds since the epoch.
    pub tagged_since: Option<i64>,
    /// Is under this category.
    pub category: Option<String>,
    /// Has this text in its name.
    pub name: Option<String>,
    /// Is a favorite of this entity.
    pub favorites_of: Option<u128>,
}

/// A page of the entities that a search finds, and how many there are in all. Those come first whose best tag, or whose name, matches best
/// ([`super::Rank`]), and of equals the older ones. Someone who is searched for by both has the sum of both.
///
/// # Errors
/// When the database fails.
pub async fn search(db: &Db, search: &Search, offset: i64, limit: i64) -> Result<(Vec<u128>, i64), Error> {
    if *search == Search::default() {
        return everybody(db, offset, limit).await;
    }
    let name = match &search.name {
        None => None,
        Some(text) => match typed(text) {
            None => return Ok((vec![], 0)),
            some => some,
        },
    };
    let category = match &search.category {
        None => None,
        Some(text) => match categories_named(db, std::slice::from_ref(text)).await?.pop().flatten() {
            None => return Ok((vec![], 0)),
            some => some,
        },
    };
    let forms = Forms::of(db);
    let [offers, wants] = expand(db, &search.offers, &search.wants, true).await?;
    let sql = match (&offers, &wants, &name, search.favorites_of) {
        (Some(_), Some(_), ..) => forms.by_both,
        (Some(_), None, ..) => forms.by_offers,
        (None, Some(_), ..) => forms.by_wants,
        (.., Some(_), _) => forms.by_name,
        (.., Some(_)) => BY_FAVORITE,
        _ => BY_CATEGORY,
    };
    let query = name.as_ref().map(|name| containing(name, forms.operators));
    let since = search.tagged_since.unwrap_or(i64::MIN);
    let values = [
        offers.into(),
        wants.into(),
        since.into(),
        category.into(),
        query.into(),
        name.into(),
        Value::Id(search.favorites_of),
    ];
    let page = |offset: i64, limit: i64| {
        let values = values.iter().cloned().chain([limit.into(), offset.into()]).collect();
        read(db, sql, values)
    };
    let rows = page(offset, limit).await?;
    // Each row says how many there are; after the last one, the first is asked.
    let total = match rows.first() {
        None if offset > 0 => page(0, 1).await?.first().map_or(Ok(0), |row| row.int("total"))?,
        first => first.map_or(Ok(0), |row| row.int("total"))?,
    };
    Ok((rows.iter().map(id).collect::<Result<_, _>>()?, total))
}

async fn everybody(db: &Db, offset: i64, limit: i64) -> Result<(Vec<u128>, i64), Error> {
    let count = formatcp!("select count(*) as n from entity where status in {LISTED}");
    let total = read(db, count, vec![]).await?.first().map_or(Ok(0), |row| row.int("n"))?;
    let page = formatcp!("select entity_id from entity where status in {LISTED} order by entity_id limit $1 offset $2");
    let rows = read(db, page, vec![limit.into(), offset.into()]).await?;
    Ok((rows.iter().map(id).collect::<Result<_, _>>()?, total))
}

pub(super) fn id(row: &Row) -> Result<u128, Error> {
    row.id("entity_id")
}
