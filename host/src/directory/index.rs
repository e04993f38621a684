//! The rows of the directory that go with an entity's, as statements for the transaction that writes those. Nothing here reads.

use super::engine::{self, NewTag};
use super::fold;
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

/// What follows the rows of an entity's tags in `entity_tag`: tags that are new come into the vocabulary, which everybody is shown if the entity
/// can be found.
pub fn tag_statements<'n>(
    db: &Db,
    entity: u128,
    names: impl IntoIterator<Item = &'n String>,
    now: i64,
) -> Vec<Statement> {
    let mut names: Vec<&String> = names.into_iter().collect();
    names.sort();
    names.dedup();
    let mut statements = engine::add_tags(db, &names.into_iter().map(|name| new_tag(name)).collect::<Vec<_>>());
    if !statements.is_empty() {
        statements.push(enter(entity, now));
    }
    statements
}

/// What follows a change of status: whether an entity can be found. If it could not be before, its tags are new to everybody.
pub fn set_listed(entity: u128, listed: bool, now: i64) -> Vec<Statement> {
    if !listed {
        let sql = "update entity_tag set listed = false where entity_id = $1";
        return vec![Statement { sql, values: vec![entity.into()] }];
    }
    let sql = "update entity_tag set listed = true, added_at = $2 where entity_id = $1 and listed = false";
    vec![Statement { sql, values: vec![entity.into(), now.into()] }, enter(entity, now)]
}

fn enter(entity: u128, now: i64) -> Statement {
    let sql = "update tag set entered_at = $2
               where entered_at is null and name in (select name from entity_tag where entity_id = $1 and listed = true)";
    Statement { sql, values: vec![entity.into(), now.into()] }
}

pub(super) fn new_tag(name: &str) -> NewTag {
    let key = fold(name);
    NewTag { id: mint_id(), name: name.into(), tokens: word_tokens(&key), key }
}
