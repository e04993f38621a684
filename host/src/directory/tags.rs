//! The vocabulary of tags: listing and searching it, and what administrators change of it. A tag enters it when an administrator makes it, or when
//! an entity that can be found has it; it leaves it when an administrator deletes it.

use super::engine::{Forms, Held, add_tags, hold, set_tag_tokens, tag_list};
use super::index::new_tag;
use super::matching::{Rank, rank};
use super::tokens::meaning_any;
use super::{Term, TermFault, typed};
use crate::audit::{Act, Action, changes};
use crate::store::{Db, Error, Row, Statement, Tx};
use crate::system_clock;

/// The most tags that one list of what is offered or wanted stands for: the best ones. More would be a search for a letter or two.
const EXPANDED_MAX: usize = 256;

/// A tag that may be meant.
struct Candidate {
    term: Term,
    key: String,
    /// Whether it is in the vocabulary.
    shown: bool,
}

/// A page of the tags that match a text, the best first, or of all by name; and how many there are.
///
/// # Errors
/// When the database fails.
pub async fn tags(db: &Db, fragment: Option<&str>, offset: i64, limit: i64) -> Result<(Vec<Term>, i64), Error> {
    let Some(fragment) = fragment else { return all(db, offset, limit).await };
    let Some(fragment) = typed(fragment) else { return Ok((vec![], 0)) };
    let candidates = candidates(db, std::slice::from_ref(&fragment)).await?;
    let shown = candidates.into_iter().filter(|candidate| candidate.shown);
    let mut found: Vec<(Rank, Candidate)> =
        shown.filter_map(|candidate| Some((rank(&fragment, &candidate.key)?, candidate))).collect();
    found.sort_by(|(rank, one), (other_rank, other)| {
        (rank, &one.key, &one.term.name).cmp(&(other_rank, &other.key, &other.term.name))
    });
    let total = i64::try_from(found.len()).unwrap_or(i64::MAX);
    let (offset, limit) = (usize::try_from(offset).unwrap_or(usize::MAX), usize::try_from(limit).unwrap_or_default());
    Ok((found.into_iter().skip(offset).take(limit).map(|(_, candidate)| candidate.term).collect(), total))
}

async fn all(db: &Db, offset: i64, limit: i64) -> Result<(Vec<Term>, i64), Error> {
    let count = "select count(*) as n from tag where entered_at is not null";
    let total = db.fetch_optional(count, vec![]).await?.map_or(Ok(0), |row| row.int("n"))?;
    let page = "select tag_id, name from tag where entered_at is not null order by name_key, name limit $1 offset $2";
    let rows = db.fetch_all(page, vec![limit.into(), offset.into()]).await?;
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
    let texts = [offers, wants].map(|list| list.iter().filter_map(|text| typed(text)).collect::<Vec<String>>());
    let candidates = candidates(db, &texts.concat()).await?;
    let meant = |typed: &[String]| {
        let best = |candidate: &Candidate| typed.iter().filter_map(|text| rank(text, &candidate.key)).min();
        let shown = candidates.iter().filter(|candidate| candidate.shown || !shown_only);
        let mut tags: Vec<(Rank, &Candidate)> =
            shown.filter_map(|candidate| Some((best(candidate)?, candidate))).collect();
        tags.sort_by_key(|(rank, candidate)| (*rank, &candidate.key, &candidate.term.name));
        tags.truncate(EXPANDED_MAX);
        let tags: Vec<(String, i64)> =
            tags.into_iter().map(|(rank, candidate)| (candidate.term.name.clone(), rank.number())).collect();
        tag_list(db, &tags)
    };
    Ok([(!offers.is_empty()).then(|| meant(&texts[0])), (!wants.is_empty()).then(|| meant(&texts[1]))])
}

/// All tags that one of these folded texts may mean, and some that none does.
async fn candidates(db: &Db, typed: &[String]) -> Result<Vec<Candidate>, Error> {
    if typed.is_empty() {
        return Ok(vec![]);
    }
    let forms = Forms::of(db);
    let query = meaning_any(typed, forms.operators);
    let rows = db.fetch_all(forms.tag_candidates, vec![query.into()]).await?;
    let read = |row: &Row| Ok(Candidate { term: term(row)?, key: row.text("name_key")?, shown: row.bool("shown")? });
    rows.iter().map(read).collect()
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
    hold(db, &mut tx, Held::EntityTag).await?;
    run(&mut tx, add_tags(db, &[new_tag(name)])).await?;
    let enter = "update tag set entered_at = $2 where name = $1 and entered_at is null";
    if tx.execute(enter, vec![name.into(), system_clock().0.into()]).await? == 0 {
        return Ok(Err(TermFault::Exists));
    }
    let row = tx.fetch_optional("select tag_id, name from tag where name = $1", vec![name.into()]).await?;
    let made = term(&row.ok_or_else(|| Error::Corrupt(format!("the tag {name} was made and is not there")))?)?;
    Act::by(by, Action::TagCreated).as_administrator().to(made.id).saying(name).write(&mut tx).await?;
    tx.commit().await?;
    Ok(Ok(made))
}

/// Renames a tag, for the administrator `by`, everywhere.
///
/// # Errors
/// When the database fails. The inner result is why it was not renamed.
pub async fn rename_tag(db: &Db, id: u128, name: &str, by: u128) -> Result<Result<Term, TermFault>, Error> {
    let mut tx = db.begin().await?;
    hold(db, &mut tx, Held::EntityTag).await?;
    let Some(old) = shown(&mut tx, id).await? else { return Ok(Err(TermFault::Missing)) };
    if old.name == name {
        return Ok(Ok(old));
    }
    let there = "select tag_id, name, entered_at from tag where name = $1";
    if let Some(row) = tx.fetch_optional(there, vec![name.into()]).await? {
        if row.optional_int("entered_at")?.is_some() {
            return Ok(Err(TermFault::Exists));
        }
        // Nobody has seen this one: the renamed tag takes its place.
        delete(db, &mut tx, row.id("tag_id")?).await?;
    }
    // Nobody has the same tag twice.
    let twice = "delete from entity_tag where name = $1 and exists (
                   select 1 from entity_tag o where o.entity_id = entity_tag.entity_id and o.kind = entity_tag.kind and o.name = $2)";
    let given = "update entity_tag set name = $2 where name = $1";
    for sql in [twice, given] {
        tx.execute(sql, vec![old.name.as_str().into(), name.into()]).await?;
    }
    let renamed = new_tag(name);
    let sql = "update tag set name = $2, name_key = $3 where tag_id = $1";
    tx.execute(sql, vec![id.into(), name.into(), renamed.key.into()]).await?;
    run(&mut tx, set_tag_tokens(db, id, Some(renamed.tokens))).await?;
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
    let mut tx = db.begin().await?;
    hold(db, &mut tx, Held::EntityTag).await?;
    let Some(old) = shown(&mut tx, id).await? else { return Ok(Err(TermFault::Missing)) };
    tx.execute("delete from entity_tag where name = $1", vec![old.name.as_str().into()]).await?;
    delete(db, &mut tx, id).await?;
    Act::by(by, Action::TagDeleted).as_administrator().to(id).saying(old.name.as_str()).write(&mut tx).await?;
    tx.commit().await?;
    Ok(Ok(old))
}

/// A tag of the vocabulary.
async fn shown(tx: &mut Tx, id: u128) -> Result<Option<Term>, Error> {
    let sql = "select tag_id, name from tag where tag_id = $1 and entered_at is not null";
    tx.fetch_optional(sql, vec![id.into()]).await?.as_ref().map(term).transpose()
}

async fn delete(db: &Db, tx: &mut Tx, id: u128) -> Result<(), Error> {
    run(tx, set_tag_tokens(db, id, None)).await?;
    tx.execute("delete from tag where tag_id = $1", vec![id.into()]).await.map(drop)
}

pub(super) async fn run(tx: &mut Tx, statements: Vec<Statement>) -> Result<(), Error> {
    for statement in statements {
        tx.execute(statement.sql, statement.values).await?;
    }
    Ok(())
}
