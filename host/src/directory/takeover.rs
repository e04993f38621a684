//! Rows from before there was a directory: folding is not done in SQL, so a host that starts makes what is missing. In small transactions, each of
//! which does nothing that another host has done, or that somebody has changed meanwhile: it can be interrupted, and run by several at once.

use super::engine::add_tags;
use super::fold;
use super::index::{Keys, change_name, new_tag};
use super::tags::run;
use crate::mint_id;
use crate::store::{Db, Error, Row, Value};
use crate::system_clock;

/// Rows of one transaction.
const STEP: i64 = 500;

/// Makes what is missing, and tells how many people, entities, tags and categories were taken over. Entities come last: as long as one of them is
/// from before, something may be missing.
///
/// # Errors
/// When the database fails; what was done until then stays done.
pub async fn take_over(db: &Db) -> Result<u64, Error> {
    let people = people(db).await?;
    let before = "select 1 as one from entity where name_key is null limit 1";
    if db.fetch_optional(before, vec![]).await?.is_none() {
        return Ok(people);
    }
    Ok(people + tags(db).await? + categories(db).await? + entities(db).await?)
}

/// Their family names.
async fn people(db: &Db) -> Result<u64, Error> {
    let sql = "select person_id, last_name from person where last_name_key is null order by person_id limit $1";
    let mut done = 0;
    loop {
        let rows = db.fetch_all(sql, vec![STEP.into()]).await?;
        if rows.is_empty() {
            return Ok(done);
        }
        let mut tx = db.begin().await?;
        for row in &rows {
            let (id, name) = (row.id("person_id")?, row.text("last_name")?);
            // Of somebody who was renamed meanwhile, the next step sees the name of now.
            let given = "update person set last_name_key = $3 where person_id = $1 and last_name = $2 and last_name_key is null";
            done += tx.execute(given, vec![id.into(), name.as_str().into(), fold(&name).into()]).await?;
        }
        tx.commit().await?;
    }
}

async fn entities(db: &Db) -> Result<u64, Error> {
    let sql = "select entity_id, name, email, city, region, country from entity where name_key is null order by entity_id limit $1";
    let mut done = 0;
    loop {
        let rows = db.fetch_all(sql, vec![STEP.into()]).await?;
        if rows.is_empty() {
            return Ok(done);
        }
        let mut tx = db.begin().await?;
        for row in &rows {
            let id = row.id("entity_id")?;
            let (keys, values) = values(row, id)?;
            // Of an entity that was changed meanwhile, the next step sees what it says now.
            let changed = tx
                .execute(
                    "update entity set name_key = $7, email_key = $8, city_key = $9, region_key = $10, country_key = $11
                     where entity_id = $1 and name = $2 and email = $3 and city = $4 and region = $5 and country = $6
                       and name_key is null",
                    values,
                )
                .await?;
            if changed > 0 {
                run(&mut tx, change_name(db, id, &keys.name.unwrap_or_default())).await?;
            }
            done += changed;
        }
        tx.commit().await?;
    }
}

/// The folded texts of a row, and what the update takes.
fn values(row: &Row, id: u128) -> Result<(Keys, Vec<Value>), Error> {
    let mut texts = vec![];
    for column in ["name", "email", "city", "region", "country"] {
        texts.push(row.text(column)?);
    }
    let text = |place: usize| texts.get(place).map(String::as_str);
    let keys = Keys::of(text(0), text(1), text(2), text(3), text(4));
    let Keys { name, email, city, region, country } = keys.clone();
    let mut values = vec![id.into()];
    values.extend(texts.iter().map(|text| text.as_str().into()));
    values.extend([name.into(), email.into(), city.into(), region.into(), country.into()]);
    Ok((keys, values))
}

async fn tags(db: &Db) -> Result<u64, Error> {
    let sql = "select distinct name from entity_tag where not exists (select 1 from tag where tag.name = entity_tag.name) order by name limit $1";
    let enter = "update tag set entered_at = $1
                 where entered_at is null and exists (select 1 from entity_tag t where t.name = tag.name and t.listed = true)";
    let mut done = 0;
    loop {
        let rows = db.fetch_all(sql, vec![STEP.into()]).await?;
        let names = rows.iter().map(|row| row.text("name")).collect::<Result<Vec<_>, _>>()?;
        let mut tx = db.begin().await?;
        run(&mut tx, add_tags(db, None, &names.iter().map(|name| new_tag(name)).collect::<Vec<_>>())).await?;
        let entered = tx.execute(enter, vec![system_clock().0.into()]).await?;
        tx.commit().await?;
        done += u64::try_from(names.len()).unwrap_or(u64::MAX);
        if names.is_empty() && entered == 0 {
            return Ok(done);
        }
    }
}

async fn categories(db: &Db) -> Result<u64, Error> {
    let sql = "select distinct name from entity_category where not exists (select 1 from category c where c.name = entity_category.name) limit $1";
    let mut done = 0;
    loop {
        let rows = db.fetch_all(sql, vec![STEP.into()]).await?;
        if rows.is_empty() {
            return Ok(done);
        }
        let mut tx = db.begin().await?;
        for row in &rows {
            let name = row.text("name")?;
            let key = fold(&name);
            let add = "insert into category (category_id, name, name_key) values ($1, $2, $3) on conflict (name_key) do nothing";
            tx.execute(add, vec![mint_id().into(), name.as_str().into(), key.as_str().into()]).await?;
            // Of two that are taken for the same, one stays.
            let join =
                "update entity_category set name = (select name from category where name_key = $2) where name = $1";
            tx.execute(join, vec![name.into(), key.into()]).await?;
            done += 1;
        }
        tx.commit().await?;
    }
}
