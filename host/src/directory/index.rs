//! The rows of the directory that go with an entity's, as statements for the transaction that writes those. Nothing here reads.

use super::engine::{self, NewTag};
use super::fold;
use super::holding::{add_category, share_categories};
use super::tokens::{gram_tokens, word_tokens};
use crate::mint_id;
use crate::store::{Db, Statement};

/// The folded texts of an entity, or those of them that change.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Keys {
    /// Its name.
    pub name: Option<String>,
    /// Its address, in lower case only.
    pub email: Option<String>,
    /// Its city.
    pub city: Option<String>,
    /// Its region.
    pub region: Option<String>,
    /// Its country.
    pub country: Option<String>,
}

impl Keys {
    /// Of those texts that are given.
    pub fn of(
        name: Option<&str>,
        email: Option<&str>,
        city: Option<&str>,
        region: Option<&str>,
        country: Option<&str>,
    ) -> Keys {
        Keys {
            name: name.map(fold),
            email: email.map(email_key),
            city: city.map(fold),
            region: region.map(fold),
            country: country.map(fold),
        }
    }
}

/// What an address is found by.
pub(super) fn email_key(email: &str) -> String {
    email.trim().to_lowercase()
}

/// Lets a new entity be found by its name.
pub fn add_name(db: &Db, entity: u128, name_key: &str) -> Statement {
    engine::add_name_tokens(db, entity, gram_tokens(name_key))
}

/// Lets an entity be found by another name.
pub fn change_name(db: &Db, entity: u128, name_key: &str) -> Vec<Statement> {
    vec![engine::delete_name_tokens(db, entity), add_name(db, entity, name_key)]
}

/// What comes before a change of an entity's tags in `entity_tag`, after the one that locks the entity: nobody renames or deletes what it has and
/// gets until the transaction ends, and tags that are new come to be.
pub fn hold_tags<'n>(db: &Db, entity: u128, names: impl IntoIterator<Item = &'n String>) -> Vec<Statement> {
    let mut names: Vec<&String> = names.into_iter().collect();
    names.sort();
    names.dedup();
    engine::add_tags(db, Some(entity), &names.into_iter().map(|name| new_tag(name)).collect::<Vec<_>>())
}

/// What comes after it: new tags come into the vocabulary, which everybody is shown, if the entity can be found.
pub fn enter_tags(db: &Db, entity: u128, now: i64) -> Statement {
    Statement { sql: engine::enter_tags(db), values: vec![entity.into(), now.into()] }
}

/// What puts an entity under these categories and no others. One that was deleted meanwhile is not there any more.
pub fn set_categories(db: &Db, entity: u128, names: &[String]) -> Vec<Statement> {
    let mut statements: Vec<Statement> = share_categories(db, entity, names).into_iter().collect();
    let sql = "delete from entity_category where entity_id = $1";
    statements.push(Statement { sql, values: vec![entity.into()] });
    for (place, name) in (0_i64..).zip(names) {
        let values = vec![entity.into(), place.into(), name.as_str().into()];
        statements.push(Statement { sql: add_category(db), values });
    }
    statements
}

/// What follows a change of status: whether an entity can be found. If it could not be before, its tags are new to everybody.
pub fn set_listed(db: &Db, entity: u128, listed: bool, now: i64) -> Vec<Statement> {
    let mut statements = hold_tags(db, entity, []);
    if listed {
        let sql = "update entity_tag set listed = true, added_at = $2 where entity_id = $1 and listed = false";
        statements.push(Statement { sql, values: vec![entity.into(), now.into()] });
        statements.push(enter_tags(db, entity, now));
    } else {
        let sql = "update entity_tag set listed = false where entity_id = $1";
        statements.push(Statement { sql, values: vec![entity.into()] });
    }
    statements
}

pub(super) fn new_tag(name: &str) -> NewTag {
    let key = fold(name);
    NewTag { id: mint_id(), name: name.into(), tokens: word_tokens(&key), key }
}
