//! Categories: what administrators put entities under. They are few, and all of them are read each time.

use super::holding::{again, category_alone};
use super::room::read;
use super::{Term, TermFault, fold, typed};
use crate::audit::{Act, Action, changes};
use crate::mint_id;
use crate::store::{Db, Error, Row};

/// The constraint that stands in the way when there is one that is taken for the same.
const TAKEN: &str = "category.name_key";

/// A page of the categories whose names begin with one text and contain the other, by name; and how many there are.
///
/// # Errors
/// When the database fails.
pub async fn categories(
    db: &Db,
    prefix: Option<&str>,
    fragment: Option<&str>,
    offset: i64,
    limit: i64,
) -> Result<(Vec<Term>, i64), Error> {
    let (prefix, fragment) = (prefix.map(typed), fragment.map(typed));
    let mut found = all(db).await?;
    found.retain(|(_, key)| {
        let begins = prefix.as_ref().is_none_or(|text| text.as_ref().is_some_and(|text| key.starts_with(text)));
        begins && fragment.as_ref().is_none_or(|text| text.as_ref().is_some_and(|text| key.contains(text)))
    });
    found.sort_by(|(one, key), (other, other_key)| (key, &one.name).cmp(&(other_key, &other.name)));
    let total = i64::try_from(found.len()).unwrap_or(i64::MAX);
    let (offset, limit) = (usize::try_from(offset).unwrap_or(usize::MAX), usize::try_from(limit).unwrap_or_default());
    Ok((found.into_iter().skip(offset).take(limit).map(|(term, _)| term).collect(), total))
}

/// The names of the categories that these texts name, in whatever case and with whatever accents; none for a text that names none.
///
/// # Errors
/// When the database fails.
pub async fn categories_named(db: &Db, texts: &[String]) -> Result<Vec<Option<String>>, Error> {
    let all = if texts.is_empty() { vec![] } else { all(db).await? };
    let named = |text: &String| {
        let wanted = typed(text)?;
        all.iter().find(|(_, key)| *key == wanted).map(|(term, _)| term.name.clone())
    };
    Ok(texts.iter().map(named).collect())
}

async fn all(db: &Db) -> Result<Vec<(Term, String)>, Error> {
    let rows = read(db, "select category_id, name, name_key from category", vec![]).await?;
    rows.iter().map(|row| Ok((term(row)?, row.text("name_key")?))).collect()
}

fn term(row: &Row) -> Result<Term, Error> {
    Ok(Term { id: row.id("category_id")?, name: row.text("name")? })
}

/// Makes a category, for the administrator `by`.
///
/// # Errors
/// When the database fails. The inner result is why it was not made.
pub async fn create_category(db: &Db, name: &str, by: u128) -> Result<Result<Term, TermFault>, Error> {
    let made = Term { id: mint_id(), name: name.into() };
    let sql = "insert into category (category_id, name, name_key) values ($1, $2, $3)";
    let mut tx = db.begin().await?;
    match tx.execute(sql, vec![made.id.into(), name.into(), fold(name).into()]).await {
        Err(error) if error.violates(TAKEN) => return Ok(Err(TermFault::Exists)),
        made => made?,
    };
    Act::by(by, Action::CategoryCreated).as_administrator().to(made.id).saying(name).write(&mut tx).await?;
    tx.commit().await?;
    Ok(Ok(made))
}

/// Renames a category, for the administrator `by`, also at every entity under it.
///
/// # Errors
/// When the database fails. The inner result is why it was not renamed.
pub async fn rename_category(db: &Db, id: u128, name: &str, by: u128) -> Result<Result<Term, TermFault>, Error> {
    again(move || rename_once(db, id, name, by)).await
}

async fn rename_once(db: &Db, id: u128, name: &str, by: u128) -> Result<Result<Term, TermFault>, Error> {
    let mut tx = db.begin().await?;
    let Some(row) = tx.fetch_optional(category_alone(db), vec![id.into()]).await? else {
        return Ok(Err(TermFault::Missing));
    };
    let old = row.text("name")?;
    let sql = "update category set name = $2, name_key = $3 where category_id = $1";
    match tx.execute(sql, vec![id.into(), name.into(), fold(name).into()]).await {
        Err(error) if error.violates(TAKEN) => return Ok(Err(TermFault::Exists)),
        changed => changed?,
    };
    tx.execute("update entity_category set name = $2 where name = $1", vec![old.as_str().into(), name.into()]).await?;
    Act::by(by, Action::CategoryChanged)
        .as_administrator()
        .to(id)
        .saying(changes([("Name", old, name.to_owned())]))
        .write(&mut tx)
        .await?;
    tx.commit().await?;
    Ok(Ok(Term { id, name: name.into() }))
}

/// Deletes a category, for the administrator `by`, also from every entity under it, and gives what it was.
///
/// # Errors
/// When the database fails. The inner result is why it was not deleted.
pub async fn delete_category(db: &Db, id: u128, by: u128) -> Result<Result<Term, TermFault>, Error> {
    again(move || delete_once(db, id, by)).await
}

async fn delete_once(db: &Db, id: u128, by: u128) -> Result<Result<Term, TermFault>, Error> {
    let mut tx = db.begin().await?;
    let Some(row) = tx.fetch_optional(category_alone(db), vec![id.into()]).await? else {
        return Ok(Err(TermFault::Missing));
    };
    let old = term(&row)?;
    tx.execute("delete from entity_category where name = $1", vec![old.name.as_str().into()]).await?;
    tx.execute("delete from category where category_id = $1", vec![id.into()]).await?;
    Act::by(by, Action::CategoryDeleted).as_administrator().to(id).saying(old.name.as_str()).write(&mut tx).await?;
    tx.commit().await?;
    Ok(Ok(old))
}
