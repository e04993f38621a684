//! Searching for entities of any status, as administrators do.

use super::engine::Forms;
use super::index::email_key;
use super::search::id;
use super::tags::expand;
use super::{categories_named, typed};
use crate::store::{Db, Error};

/// Which entities a list shows: those for which everything given is true.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct RegisterFilter {
    /// Has one of these statuses, as stored; empty for any.
    pub statuses: Vec<&'static str>,
    /// Has this account number.
    pub account_number: Option<String>,
    /// Has this text in its name.
    pub name: Option<String>,
    /// Has this e-mail address, in any case.
    pub email: Option<String>,
    /// Is in this city; whole, but for case and accents, like the next two.
    pub city: Option<String>,
    /// Is in this region.
    pub region: Option<String>,
    /// Is in this country.
    pub country: Option<String>,
    /// Is under this category.
    pub category: Option<String>,
    /// Offers something that one of these texts means.
    pub offers: Vec<String>,
    /// Wants something that one of these texts means.
    pub wants: Vec<String>,
    /// And has had that tag since then at the earliest, in microseconds since the epoch.
    pub tagged_since: Option<i64>,
}

/// A page of the entities that a filter lets through, oldest first, and how many there are in all.
///
/// # Errors
/// When the database fails.
pub async fn register(db: &Db, filter: &RegisterFilter, offset: i64, limit: i64) -> Result<(Vec<u128>, i64), Error> {
    let RegisterFilter { name, city, region, country, .. } = filter;
    let texts = [name, city, region, country].map(|text| text.as_deref().map(typed));
    if texts.contains(&Some(None)) {
        return Ok((vec![], 0));
    }
    let [name, city, region, country] = texts.map(Option::flatten);
    let category = match &filter.category {
        None => None,
        Some(text) => match categories_named(db, std::slice::from_ref(text)).await?.pop().flatten() {
            None => return Ok((vec![], 0)),
            some => some,
        },
    };
    let [offers, wants] = expand(db, &filter.offers, &filter.wants, false).await?;
    // One list of words, each between commas, is one value however many there are.
    let statuses = filter.statuses.iter().map(|word| format!(",{word},")).reduce(|all, word| all + &word);
    let values = vec![
        statuses.into(),
        filter.account_number.clone().into(),
        name.into(),
        filter.email.as_deref().map(email_key).into(),
        city.into(),
        region.into(),
        country.into(),
        category.into(),
        offers.into(),
        wants.into(),
        filter.tagged_since.unwrap_or(i64::MIN).into(),
    ];
    let forms = Forms::of(db);
    let total = db.fetch_optional(forms.register_count, values.clone()).await?.map_or(Ok(0), |row| row.int("n"))?;
    let values = values.into_iter().chain([limit.into(), offset.into()]).collect();
    let rows = db.fetch_all(forms.register_page, values).await?;
    Ok((rows.iter().map(id).collect::<Result<_, _>>()?, total))
}
