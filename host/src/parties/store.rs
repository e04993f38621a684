//! Entities as they are stored: every statement about them.

use super::status::stored_status;
use super::{AccountNumber, Change, Details, Entity, EntityStatus};
use crate::store::{Db, Error, Row, Statement, Value};
use crate::system_clock;
use ledger_core::{AccountId, LedgerId};
use std::collections::HashMap;

/// The constraint that stands in the way when an account number is taken.
pub(super) const NUMBER_TAKEN: &str = "entity.account_number";

/// Whose an entity is, and where its money is: what never changes of it.
pub(super) struct Owner {
    pub(super) person: u128,
    pub(super) ledger: LedgerId,
    pub(super) account: AccountId,
    pub(super) number: AccountNumber,
}

/// Which entities a list shows: those for which everything given is true.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct EntityFilter {
    /// Has one of these statuses; empty for any.
    pub statuses: Vec<EntityStatus>,
    /// Has this account number.
    pub account_number: Option<String>,
    /// Has this text in its name, in any case.
    pub name: Option<String>,
    /// Has this e-mail address, in any case.
    pub email: Option<String>,
}

pub(super) fn add_statement(id: u128, owner: &Owner, details: &Details) -> Statement {
    let details = details.clone();
    Statement {
        sql: "insert into entity (entity_id, person_id, ledger_id, account_id, account_number, status, created_at,
                                  name, email, telephone, inc_type, company_number, website, declared_turnover, description,
                                  address, city, region, postal_code, country, show_tags_matched, daily_match_email)
              values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)",
        values: vec![
            id.into(),
            owner.person.into(),
            owner.ledger.0.into(),
            owner.account.0.into(),
            owner.number.as_str().into(),
            EntityStatus::Pending.word().into(),
            system_clock().0.into(),
            details.name.into(),
            details.email.into(),
            details.telephone.into(),
            details.inc_type.into(),
            details.company_number.into(),
            details.website.into(),
            details.declared_turnover.into(),
            details.description.into(),
            details.address.into(),
            details.city.into(),
            details.region.into(),
            details.postal_code.into(),
            details.country.into(),
            details.show_tags_matched.into(),
            details.daily_match_email.into(),
        ],
    }
}

/// A tag that an entity has had, and since when.
pub(super) struct HeldTag {
    kind: String,
    name: String,
    added_at: i64,
}

/// The statements that replace an entity's tags and categories. A tag that was there keeps the time when it was added.
pub(super) fn list_statements(entity: u128, change: &Change, held: &[HeldTag]) -> Vec<Statement> {
    let mut statements = vec![];
    for (kind, names) in [("offer", &change.offers), ("want", &change.wants)] {
        let Some(names) = names else { continue };
        let sql = "delete from entity_tag where entity_id = $1 and kind = $2";
        statements.push(Statement { sql, values: vec![entity.into(), kind.into()] });
        for (place, name) in (0_i64..).zip(names) {
            let since = held.iter().find(|tag| tag.kind == kind && tag.name == *name).map(|tag| tag.added_at);
            statements.push(Statement {
                sql: "insert into entity_tag (entity_id, kind, place, name, added_at) values ($1, $2, $3, $4, $5)",
                values: vec![
                    entity.into(),
                    kind.into(),
                    place.into(),
                    name.as_str().into(),
                    since.unwrap_or_else(|| system_clock().0).into(),
                ],
            });
        }
    }
    if let Some(names) = &change.categories {
        let sql = "delete from entity_category where entity_id = $1";
        statements.push(Statement { sql, values: vec![entity.into()] });
        for (place, name) in (0_i64..).zip(names) {
            let sql = "insert into entity_category (entity_id, place, name) values ($1, $2, $3)";
            statements.push(Statement { sql, values: vec![entity.into(), place.into(), name.as_str().into()] });
        }
    }
    statements
}

/// The statements of a change. Columns that are not given keep what they have, also what another change gave them meanwhile.
pub(super) async fn update_statements(db: &Db, entity: u128, change: &Change) -> Result<Vec<Statement>, Error> {
    let sql = "select kind, name, added_at from entity_tag where entity_id = $1";
    let held = db.fetch_all(sql, vec![entity.into()]).await?;
    let held = held
        .iter()
        .map(|row| Ok(HeldTag { kind: row.text("kind")?, name: row.text("name")?, added_at: row.int("added_at")? }));
    let held: Vec<HeldTag> = held.collect::<Result<_, Error>>()?;
    let flag = |flag: Option<bool>| Value::from(flag.map(i64::from));
    let Change { name, email, telephone, inc_type, company_number, website, declared_turnover, .. } = change.clone();
    let Change { description, address, city, region, postal_code, country, .. } = change.clone();
    let update = Statement {
        sql: "update entity set name = coalesce($2, name), email = coalesce($3, email), telephone = coalesce($4, telephone),
                inc_type = coalesce($5, inc_type), company_number = coalesce($6, company_number), website = coalesce($7, website),
                declared_turnover = case when $8 = 1 then $9 else declared_turnover end,
                description = coalesce($10, description), address = coalesce($11, address), city = coalesce($12, city),
                region = coalesce($13, region), postal_code = coalesce($14, postal_code), country = coalesce($15, country),
                show_tags_matched = case when $16 is null then show_tags_matched else $16 = 1 end,
                daily_match_email = case when $17 is null then daily_match_email else $17 = 1 end
              where entity_id = $1",
        values: vec![
            entity.into(),
            name.into(),
            email.into(),
            telephone.into(),
            inc_type.into(),
            company_number.into(),
            website.into(),
            i64::from(declared_turnover.is_some()).into(),
            declared_turnover.flatten().into(),
            description.into(),
            address.into(),
            city.into(),
            region.into(),
            postal_code.into(),
            country.into(),
            flag(change.show_tags_matched),
            flag(change.daily_match_email),
        ],
    };
    let mut statements = vec![update];
    statements.extend(list_statements(entity, change, &held));
    Ok(statements)
}

/// Runs statements in one transaction.
pub(super) async fn run(db: &Db, statements: Vec<Statement>) -> Result<(), Error> {
    let mut tx = db.begin().await?;
    for statement in statements {
        tx.execute(statement.sql, statement.values).await?;
    }
    tx.commit().await
}

/// Changes what an entity tells of itself.
///
/// # Errors
/// When the database fails.
pub async fn update(db: &Db, entity: u128, change: &Change) -> Result<(), Error> {
    run(db, update_statements(db, entity, change).await?).await
}

/// An entity by id.
///
/// # Errors
/// When the database fails.
pub async fn entity(db: &Db, id: u128) -> Result<Option<Entity>, Error> {
    let rows = db.fetch_all("select * from entity where entity_id = $1", vec![id.into()]).await?;
    Ok(with_lists(db, &rows).await?.pop())
}

/// The entities of a person, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn entities_of(db: &Db, person: u128) -> Result<Vec<Entity>, Error> {
    let rows =
        db.fetch_all("select * from entity where person_id = $1 order by entity_id", vec![person.into()]).await?;
    with_lists(db, &rows).await
}

/// The accounts of a person's entities.
///
/// # Errors
/// When the database fails.
pub async fn accounts_of(db: &Db, person: u128) -> Result<Vec<AccountId>, Error> {
    let rows = db.fetch_all("select account_id from entity where person_id = $1", vec![person.into()]).await?;
    rows.iter().map(|row| Ok(AccountId(row.id("account_id")?))).collect()
}

/// A page of the entities that a filter lets through, oldest first, and how many there are in all.
///
/// # Errors
/// When the database fails.
pub async fn entities(db: &Db, filter: &EntityFilter, offset: i64, limit: i64) -> Result<(Vec<Entity>, i64), Error> {
    let EntityFilter { statuses, account_number, name, email } = filter.clone();
    // One list of words, each between commas, is one value however many there are.
    let words = statuses.iter().map(|status| format!(",{},", status.word())).reduce(|all, word| all + &word);
    let values = vec![
        words.into(),
        account_number.into(),
        name.map(|name| name.to_lowercase()).into(),
        email.map(|email| email.to_lowercase()).into(),
    ];
    let count = "select count(*) as n from entity
                 where ($1 is null or replace($1, ',' || status || ',', '') <> $1) and ($2 is null or account_number = $2)
                   and ($3 is null or replace(lower(name), $3, '') <> lower(name)) and ($4 is null or lower(email) = $4)";
    let total = db.fetch_optional(count, values.clone()).await?.map_or(Ok(0), |row| row.int("n"))?;
    let page = "select * from entity
                where ($1 is null or replace($1, ',' || status || ',', '') <> $1) and ($2 is null or account_number = $2)
                  and ($3 is null or replace(lower(name), $3, '') <> lower(name)) and ($4 is null or lower(email) = $4)
                order by entity_id limit $5 offset $6";
    let values = values.into_iter().chain([limit.into(), offset.into()]).collect();
    let rows = db.fetch_all(page, values).await?;
    Ok((with_lists(db, &rows).await?, total))
}

/// Account number and name of the entities that have these accounts.
///
/// # Errors
/// When the database fails.
pub async fn names(db: &Db, accounts: &[AccountId]) -> Result<HashMap<AccountId, (String, String)>, Error> {
    let keys: Vec<Value> = accounts.iter().map(|account| account.0.into()).collect();
    let head = "select account_id, account_number, name from entity where account_id";
    let rows = db.fetch_among(head, &[], &keys, "").await?;
    rows.iter()
        .map(|row| Ok((AccountId(row.id("account_id")?), (row.text("account_number")?, row.text("name")?))))
        .collect()
}

/// Reads entities with their tags and categories, in two queries however many they are.
async fn with_lists(db: &Db, rows: &[Row]) -> Result<Vec<Entity>, Error> {
    let mut entities = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let keys: Vec<Value> = entities.iter().map(|entity| entity.id.into()).collect();
    let tags = "select entity_id, kind, name from entity_tag where entity_id";
    let tags = db.fetch_among(tags, &[], &keys, " order by entity_id, kind, place").await?;
    let categories = "select entity_id, 'category' as kind, name from entity_category where entity_id";
    let categories = db.fetch_among(categories, &[], &keys, " order by entity_id, place").await?;
    let places: HashMap<u128, usize> = entities.iter().enumerate().map(|(place, entity)| (entity.id, place)).collect();
    for row in tags.iter().chain(&categories) {
        let Some(place) = places.get(&row.id("entity_id")?) else { continue };
        let entity = &mut entities[*place];
        let list = match row.text("kind")?.as_str() {
            "offer" => &mut entity.offers,
            "want" => &mut entity.wants,
            _ => &mut entity.categories,
        };
        list.push(row.text("name")?);
    }
    Ok(entities)
}

fn read(row: &Row) -> Result<Entity, Error> {
    Ok(Entity {
        id: row.id("entity_id")?,
        person: row.id("person_id")?,
        account_number: row.text("account_number")?,
        ledger: LedgerId(row.id("ledger_id")?),
        account: AccountId(row.id("account_id")?),
        status: stored_status(&row.text("status")?)?,
        details: Details {
            name: row.text("name")?,
            email: row.text("email")?,
            telephone: row.text("telephone")?,
            inc_type: row.text("inc_type")?,
            company_number: row.text("company_number")?,
            website: row.text("website")?,
            declared_turnover: row.optional_int("declared_turnover")?,
            description: row.text("description")?,
            address: row.text("address")?,
            city: row.text("city")?,
            region: row.text("region")?,
            postal_code: row.text("postal_code")?,
            country: row.text("country")?,
            show_tags_matched: row.bool("show_tags_matched")?,
            daily_match_email: row.bool("daily_match_email")?,
        },
        offers: vec![],
        wants: vec![],
        categories: vec![],
        member_since: row.optional_int("member_since")?,
    })
}
