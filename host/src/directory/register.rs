//! Searching for entities of any status, as administrators do.

use super::engine::Forms;
use super::index::email_key;
use super::room::read;
use super::search::id;
use super::tags::expand;
use super::{categories_named, typed};
use crate::store::{Db, Error, Row, Value};
use ledger_core::{AccountId, LedgerId};

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

/// Those whom a filter lets through: what it says, in the form in which it is asked.
#[derive(Debug)]
pub struct Register<'d> {
    db: &'d Db,
    /// None: nobody can be meant.
    values: Option<Vec<Value>>,
}

/// An entity, and where its money is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Registered {
    /// Its id.
    pub entity: u128,
    /// The ledger.
    pub ledger: LedgerId,
    /// Its account there.
    pub account: AccountId,
}

impl Register<'_> {
    /// Those of `db` whom `filter` lets through.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn of<'d>(db: &'d Db, filter: &RegisterFilter) -> Result<Register<'d>, Error> {
        Ok(Register { db, values: values(db, filter).await? })
    }

    /// A page of them, oldest first, and how many they are in all.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn page(&self, offset: i64, limit: i64) -> Result<(Vec<u128>, i64), Error> {
        let Some(values) = &self.values else { return Ok((vec![], 0)) };
        let forms = Forms::of(self.db);
        let count = read(self.db, forms.register_count, values.clone()).await?;
        let total = count.first().map_or(Ok(0), |row| row.int("n"))?;
        let values = values.iter().cloned().chain([limit.into(), offset.into()]).collect();
        let rows = read(self.db, forms.register_page, values).await?;
        Ok((rows.iter().map(id).collect::<Result<_, _>>()?, total))
    }

    /// The next of them after `last`, which is 0 before the first, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn after(&self, last: u128, limit: i64) -> Result<Vec<Registered>, Error> {
        let Some(values) = &self.values else { return Ok(vec![]) };
        let values = values.iter().cloned().chain([last.into(), limit.into()]).collect();
        let rows = read(self.db, Forms::of(self.db).register_after, values).await?;
        let registered = |row: &Row| {
            let (ledger, account) = (LedgerId(row.id("ledger_id")?), AccountId(row.id("account_id")?));
            Ok(Registered { entity: id(row)?, ledger, account })
        };
        rows.iter().map(registered).collect()
    }
}

/// What the statements are given; see `engine.rs`.
async fn values(db: &Db, filter: &RegisterFilter) -> Result<Option<Vec<Value>>, Error> {
    let RegisterFilter { name, city, region, country, .. } = filter;
    let texts = [name, city, region, country].map(|text| text.as_deref().map(typed));
    if texts.contains(&Some(None)) {
        return Ok(None);
    }
    let [name, city, region, country] = texts.map(Option::flatten);
    let category = match &filter.category {
        None => None,
        Some(text) => match categories_named(db, std::slice::from_ref(text)).await?.pop().flatten() {
            None => return Ok(None),
            some => some,
        },
    };
    let [offers, wants] = expand(db, &filter.offers, &filter.wants, false).await?;
    // One list of words, each between commas, is one value however many there are.
    let statuses = filter.statuses.iter().map(|word| format!(",{word},")).reduce(|all, word| all + &word);
    Ok(Some(vec![
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
    ]))
}
