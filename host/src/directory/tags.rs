//! The vocabulary of tags: listing and searching it, and what administrators change of it. A tag enters it when an administrator makes it, or when
//! an entity that can be found has it; it leaves it when an administrator deletes it.

use super::engine::{Forms, set_tag_tokens, tag_list, without_tokens};
use super::holding::{again, tags_alone, unused_alone};
use super::index::new_tag;
use super::matching::{Rank, Typed, best};
use super::room::{compare, read};
use super::tokens::meaning_any;
use super::{Term, TermFault, typed};
use crate::audit::{Act, Action, changes};
use crate::store::{Db, Error, Row, Statement, Tx, Value};
use crate::system_clock;
use std::collections::BTreeSet;

/// The most tags that one list of what is offered or wanted stands for: the best ones. Each costs a look into an index, so that these cost a few
/// milliseconds; more would be a search for a letter or two.
const EXPANDED_MAX: usize = 1_024;

/// The constraint that stands in the way when there is one of the name.
const TAKEN: &str = "tag.name";

/// A tag that may be meant.
struct Candidate {
    term: Term,
    key: String,
}

/// Those of these tags that are meant, the best first.
fn ranked<'c>(typed: &[Typed], candidates: &'c [Candidate]) -> Vec<(Rank, &'c Candidate)> {
    let matching = |candidate: &Candidate| best(typed, &candidate.key);
    let mut found: Vec<(Rank, &Candidate)> =
        candidates.iter().filter_map(|candidate| Some((matching(candidate)?, candidate))).collect();
    found.sort_by_key(|(rank, candidate)| (*rank, &candidate.key, &candidate.term.name));
    found
}

/// A page of the tags that match a text, the best first, or of all by name; and how many there are.
///
/// # Errors
/// When the database fails.
pub async fn tags(db: &Db, fragment: Option<&str>, offset: i64, limit: i64) -> Result<(Vec<Term>, i64), Error> {
    let Some(fragment) = fragment else { return all(db, offset, limit).await };
    let meant: Vec<Typed> = typed(fragment).as_deref().and_then(Typed::of).into_iter().collect();
    let candidates = candidates(db, meant.iter(), true).await?;
    let (offset, limit) = (usize::try_from(offset).unwrap_or(usize::MAX), usize::try_from(limit).unwrap_or_default());
    compare(move || {
        let found = ranked(&meant, &candidates);
        let page = found.iter().skip(offset).take(limit).map(|(_, candidate)| candidate.term.clone()).collect();
        (page, i64::try_from(found.len()).unwrap_or(i64::MAX))
    })
    .await
}

async fn all(db: &Db, offset: i64, limit: i64) -> Result<(Vec<Term>, i64), Error> {
    let count = "select count(*) as n from tag where entered_at is not null";
    let total = read(db, count, vec![]).await?.first().map_or(Ok(0), |row| row.int("n"))?;
    let page = "select tag_id, name from tag where entered_at is not null order by name_key, name limit $1 offset $2";
    let rows = read(db, page, vec![limit.into(), offset.into()]).await?;
    Ok((rows.iter().map(term).collect::<Result<_, _>>()?, total))
}

/// The lists of tags that two lists of what somebody typed stand for; `None` where nothing was asked. Each word of a text must be meant by a word
/// of the tag.
pub(super) async fn expand(
    db: &Db,
    offers: &[String],
    wants: &[String],
    shown_only: bool,
) -> Result<[Option<String>; 2], Error> {
    let asked = [!offers.is_empty(), !wants.is_empty()];
    if asked == [false, false] {
        return Ok([None, None]);
    }
    let once = |list: &[String]| {
        let meant: BTreeSet<Typed> = list.iter().filter_map(|text| Typed::of(&typed(text)?)).collect();
        meant.into_iter().collect::<Vec<Typed>>()
    };
    let meant = [once(offers), once(wants)];
    let candidates = candidates(db, meant.iter().flatten(), shown_only).await?;
    let pair = |(rank, candidate): (Rank, &Candidate)| (candidate.term.name.clone(), rank.number());
    let tags = move |typed: Vec<Typed>| -> Vec<(String, i64)> {
        ranked(&typed, &candidates).into_iter().take(EXPANDED_MAX).map(pair).collect()
    };
    let [offered, wanted] = compare(move || meant.map(tags)).await?.map(|tags| tag_list(db, &tags));
    Ok([asked[0].then_some(offered), asked[1].then_some(wanted)])
}

/// All tags that one of these may mean, and some that none does.
async fn candidates(db: &Db, meant: impl Iterator<Item = &Typed>, shown_only: bool) -> Result<Vec<Candidate>, Error> {
    let texts: BTreeSet<&str> = meant.map(Typed::text).collect();
    if texts.is_empty() {
        return Ok(vec![]);
    }
    let forms = Forms::of(db);
    let query = meaning_any(texts, forms.operators);
    let rows = read(db, forms.tag_candidates, vec![query.into(), shown_only.into()]).await?;
    rows.iter().map(|row| Ok(Candidate { term: term(row)?, key: row.text("name_key")? })).collect()
}

fn term(row: &Row) -> Result<Term, Error> {
    Ok(Term { id: row.id("tag_id")?, name: row.text("name")? })
}

/// Makes a tag, for the administrator `by`. One that only entities have that cannot be found becomes everybody's.
///
/// # Errors
/// When the database fails. The inner result is why it was not made.
pub async fn create_tag(db: &Db, name: &str, by: u128) -> Result<Result<Term, TermFault>, Error> {
    let mut tx = db.begin().await?;
    let new = new_tag(name);
    // Gives the row that is made or becomes everybody's, and none when it is that already.
    let sql = "insert into tag (tag_id, name, name_key, entered_at) values ($1, $2, $3, $4)
               on conflict (name) do update set entered_at = excluded.entered_at where tag.entered_at is null
               returning tag_id, name";
    let values = vec![new.id.into(), name.into(), new.key.into(), system_clock().0.into()];
    let Some(row) = tx.fetch_optional(sql, values).await? else { return Ok(Err(TermFault::Exists)) };
    let made = term(&row)?;
    if made.id == new.id {
        run(&mut tx, set_tag_tokens(db, new.id, Some(new.tokens))).await?;
    }
    Act::by(by, Action::TagCreated).as_administrator().to(made.id).saying(name).write(&mut tx).await?;
    tx.commit().await?;
    Ok(Ok(made))
}

/// Renames a tag, for the administrator `by`, everywhere.
///
/// # Errors
/// When the database fails. The inner result is why it was not renamed.
pub async fn rename_tag(db: &Db, id: u128, name: &str, by: u128) -> Result<Result<Term, TermFault>, Error> {
    again(move || rename_once(db, id, name, by)).await
}

async fn rename_once(db: &Db, id: u128, name: &str, by: u128) -> Result<Result<Term, TermFault>, Error> {
    let mut tx = db.begin().await?;
    let held = hold(db, &mut tx, id, Some(name)).await?;
    let Some(old) = held.iter().find(|tag| tag.term.id == id && tag.shown) else { return Ok(Err(TermFault::Missing)) };
    let old = old.term.clone();
    if old.name == name {
        return Ok(Ok(old));
    }
    if let Some(other) = held.iter().find(|tag| tag.term.id != id) {
        if other.shown {
            return Ok(Err(TermFault::Exists));
        }
        // Nobody has seen this one: the renamed tag takes its place.
        delete(db, &mut tx, other.term.id).await?;
    }
    let renamed = new_tag(name);
    let sql = "update tag set name = $2, name_key = $3 where tag_id = $1";
    match tx.execute(sql, vec![id.into(), name.into(), renamed.key.into()]).await {
        // Somebody has taken the name since it was looked for: the next try sees it.
        Err(error) if error.violates(TAKEN) => return Err(Error::Retry(error.into())),
        changed => changed?,
    };
    run(&mut tx, set_tag_tokens(db, id, Some(renamed.tokens))).await?;
    // Nobody has the same tag twice.
    let twice = "delete from entity_tag where name = $1 and exists (
                   select 1 from entity_tag o where o.entity_id = entity_tag.entity_id and o.kind = entity_tag.kind and o.name = $2)";
    let given = "update entity_tag set name = $2 where name = $1";
    for sql in [twice, given] {
        tx.execute(sql, vec![old.name.as_str().into(), name.into()]).await?;
    }
    Act::by(by, Action::TagChanged)
        .as_administrator()
        .to(id)
        .saying(changes([("Name", old.name, name.to_owned())]))
        .write(&mut tx)
        .await?;
    tx.commit().await?;
    Ok(Ok(Term { id, name: name.into() }))
}

/// Deletes a tag, for the administrator `by`, also from every entity that has it, and gives what it was.
///
/// # Errors
/// When the database fails. The inner result is why it was not deleted.
pub async fn delete_tag(db: &Db, id: u128, by: u128) -> Result<Result<Term, TermFault>, Error> {
    again(move || delete_once(db, id, by)).await
}

async fn delete_once(db: &Db, id: u128, by: u128) -> Result<Result<Term, TermFault>, Error> {
    let mut tx = db.begin().await?;
    let held = hold(db, &mut tx, id, None).await?.pop().filter(|tag| tag.shown);
    let Some(Known { term: old, .. }) = held else { return Ok(Err(TermFault::Missing)) };
    tx.execute("delete from entity_tag where name = $1", vec![old.name.as_str().into()]).await?;
    delete(db, &mut tx, id).await?;
    Act::by(by, Action::TagDeleted).as_administrator().to(id).saying(old.name.as_str()).write(&mut tx).await?;
    tx.commit().await?;
    Ok(Ok(old))
}

/// A tag as it is, and whether it is in the vocabulary.
struct Known {
    term: Term,
    shown: bool,
}

/// The tag of this id and the one of this name, for this transaction alone.
async fn hold(db: &Db, tx: &mut Tx, id: u128, name: Option<&str>) -> Result<Vec<Known>, Error> {
    let name = Value::Text(name.map(str::to_owned));
    let rows = tx.fetch_all(tags_alone(db), vec![id.into(), name]).await?;
    let known = |row: &Row| Ok(Known { term: term(row)?, shown: row.optional_int("entered_at")?.is_some() });
    rows.iter().map(known).collect()
}

async fn delete(db: &Db, tx: &mut Tx, id: u128) -> Result<(), Error> {
    run(tx, set_tag_tokens(db, id, None)).await?;
    tx.execute("delete from tag where tag_id = $1", vec![id.into()]).await.map(drop)
}

/// Forgets those of the next `limit` tags after `last` that nobody was shown and no entity has any more. Gives the last that was looked at; none:
/// there are no more.
///
/// # Errors
/// When the database fails.
pub async fn forget_unused_tags(db: &Db, last: u128, limit: i64) -> Result<Option<u128>, Error> {
    let page = "select tag_id from tag where entered_at is null and tag_id > $1 order by tag_id limit $2";
    let rows = db.fetch_all(page, vec![last.into(), limit.into()]).await?;
    let Some(end) = rows.last().map(|row| row.id("tag_id")).transpose()? else { return Ok(None) };
    let ids = |rows: Vec<Row>| rows.iter().map(|row| row.id("tag_id")).collect::<Result<Vec<u128>, _>>();
    let keys = |ids: &[u128]| ids.iter().map(|id| Value::from(*id)).collect::<Vec<_>>();
    let mut tx = db.begin().await?;
    let held = ids(tx.fetch_all(unused_alone(db), vec![last.into(), end.into()]).await?)?;
    // Whoever was getting one just before they were held has it by now.
    let unused =
        "select tag_id from tag where not exists (select 1 from entity_tag e where e.name = tag.name) and tag_id";
    let unused = ids(tx.fetch_among(unused, &[], &keys(&held), "").await?)?;
    if !unused.is_empty() {
        let (tokens, rows) = without_tokens(db, &unused);
        tx.execute_among(tokens, &[], &rows).await?;
        tx.execute_among("delete from tag where tag_id", &[], &keys(&unused)).await?;
        tx.commit().await?;
    }
    Ok(Some(end))
}

pub(super) async fn run(tx: &mut Tx, statements: Vec<Statement>) -> Result<(), Error> {
    for statement in statements {
        tx.execute(statement.sql, statement.values).await?;
    }
    Ok(())
}
