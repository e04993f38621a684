//! What keeps a tag from being renamed or deleted while an entity gets it, and a category likewise: locks of its row on PostgreSQL, and nothing on
//! SQLite, where writers take turns anyway. What is written under them is told elsewhere.
//!
//! The order, for everybody: the row of the entity, then the rows of tags by name, then what entities have of them; categories after tags, in
//! the same way. Whoever changes what an entity has shares the rows of all tags that it has and gets: they do not wait for each other, and
//! whoever only trades waits for nobody. An administrator has the row of a tag alone before anything that entities have of it is touched. So
//! who waits for a tag holds nothing that the other side wants, with two exceptions, in which PostgreSQL ends one of both and it is run again:
//! a batch of a ledger that changes several entities, each of them in order, and tags that are new to two writers at the same time.

use crate::store::{Db, Error, Statement};

/// Tries of a change that met another one.
const TRIES: usize = 5;

/// Makes a change again that met another one.
///
/// # Errors
/// See [`Error`].
pub(super) async fn again<T, F: Future<Output = Result<T, Error>>>(once: impl Fn() -> F) -> Result<T, Error> {
    for _ in 1..TRIES {
        match once().await {
            Err(Error::Retry(_)) => {}
            done => return done,
        }
    }
    once().await
}

/// Shares the tags that an entity has.
pub(super) fn share_tags(db: &Db, entity: u128) -> Option<Statement> {
    // The list is made first: a tag that changed its name while it was waited for is looked at again by itself.
    let sql = "select 1 as one from tag where name = any (array (select name from entity_tag where entity_id = $1))
               order by name for key share";
    matches!(db, Db::Postgres { .. }).then(|| Statement { sql, values: vec![entity.into()] })
}

/// Shares the categories that an entity has and those of these names.
pub(super) fn share_categories(db: &Db, entity: u128, names: &[String]) -> Option<Statement> {
    let sql = "select 1 as one from category
               where name = any (array (select name from entity_category where entity_id = $1 union all select unnest(string_to_array($2, ','))))
               order by name for key share";
    // No name has a comma in it (`parties::tag_name`).
    matches!(db, Db::Postgres { .. }).then(|| Statement { sql, values: vec![entity.into(), names.join(",").into()] })
}

/// Puts the entity `$1` at the place `$2` under the category named `$3`, if there is one.
pub(super) const fn add_category(db: &Db) -> &'static str {
    match db {
        Db::Sqlite { .. } => {
            "insert into entity_category (entity_id, place, name) select $1, $2, name from category where name = $3"
        }
        Db::Postgres { .. } => {
            "insert into entity_category (entity_id, place, name) select $1, $2, name from category where name = $3 for key share"
        }
    }
}

/// The tag with the id `$1` and the one named `$2`, alone.
pub(super) const fn tags_alone(db: &Db) -> &'static str {
    match db {
        Db::Sqlite { .. } => "select tag_id, name, entered_at from tag where tag_id = $1 or name = $2",
        Db::Postgres { .. } => {
            "select tag_id, name, entered_at from tag where tag_id = $1 or name = $2 order by name for update"
        }
    }
}

/// The category with the id `$1`, alone.
pub(super) const fn category_alone(db: &Db) -> &'static str {
    match db {
        Db::Sqlite { .. } => "select category_id, name from category where category_id = $1",
        Db::Postgres { .. } => "select category_id, name from category where category_id = $1 for update",
    }
}

/// Tags after `$1` up to `$2` that nobody was shown and no entity has, alone. Whoever is getting one is not waited for.
pub(super) const fn unused_alone(db: &Db) -> &'static str {
    match db {
        Db::Sqlite { .. } => {
            "select tag_id from tag where entered_at is null and tag_id > $1 and tag_id <= $2
               and not exists (select 1 from entity_tag e where e.name = tag.name)"
        }
        Db::Postgres { .. } => {
            "select tag_id from tag where entered_at is null and tag_id > $1 and tag_id <= $2
               and not exists (select 1 from entity_tag e where e.name = tag.name) for update skip locked"
        }
    }
}
