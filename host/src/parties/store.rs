//! Entities as they are stored: every statement about them. What they are found by is `directory`'s, and is written with them.

use super::difference::difference;
use super::status::stored_status;
use super::{AccountNumber, Change, Details, Entity, EntityStatus};
use crate::audit::Act;
use crate::directory::{self, Keys, LISTED};
use crate::store::{Db, Error, Row, Statement, Value};
use crate::system_clock;
use const_format::formatcp;
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

/// The statements that add an entity, which is pending.
pub(super) fn add_statements(db: &Db, id: u128, owner: &Owner, details: &Details) -> Vec<Statement> {
    let keys = keys(&Change {
        name: Some(details.name.clone()),
        email: Some(details.email.clone()),
        city: Some(details.city.clone()),
        region: Some(details.region.clone()),
        country: Some(details.country.clone()),
        ..Change::default()
    });
    let found = directory::add_name(db, id, keys.name.as_deref().unwrap_or_default());
    vec![add_statement(id, owner, details.clone(), keys), found]
}

/// What an entity is found by, of what a change has.
fn keys(change: &Change) -> Keys {
    let Change { name, email, city, region, country, .. } = change;
    Keys::of(name.as_deref(), email.as_deref(), city.as_deref(), region.as_deref(), country.as_deref())
}

fn add_statement(id: u128, owner: &Owner, details: Details, keys: Keys) -> Statement {
    Statement {
        sql: "insert into entity (entity_id, person_id, ledger_id, account_id, account_number, status, created_at,
                                  name, email, telephone, inc_type, company_number, website, declared_turnover, description,
                                  address, city, region, postal_code, country, show_tags_matched, daily_match_email,
                                  name_key, email_key, city_key, region_key, country_key)
              values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27)",
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
            keys.name.into(),
            keys.email.into(),
            keys.city.into(),
            keys.region.into(),
            keys.country.into(),
        ],
    }
}

/// A tag that an entity has had, and since when.
pub(super) struct HeldTag {
    kind: String,
    name: String,
    added_at: i64,
}

/// The statements that replace an entity's tags and categories, after those that write the entity. A tag that was there keeps the time when it
/// was added.
pub(super) fn list_statements(db: &Db, entity: u128, change: &Change, held: &[HeldTag]) -> Vec<Statement> {
    let (mut statements, now) = (vec![], system_clock().0);
    let names = || [&change.offers, &change.wants].into_iter().flatten().flatten();
    if change.offers.is_some() || change.wants.is_some() {
        statements.extend(directory::hold_tags(db, entity, names()));
    }
    for (kind, names) in [("offer", &change.offers), ("want", &change.wants)] {
        let Some(names) = names else { continue };
        let sql = "delete from entity_tag where entity_id = $1 and kind = $2";
        statements.push(Statement { sql, values: vec![entity.into(), kind.into()] });
        for (place, name) in (0_i64..).zip(names) {
            let since = held.iter().find(|tag| tag.kind == kind && tag.name == *name).map(|tag| tag.added_at);
            statements.push(Statement {
                sql: formatcp!(
                    "insert into entity_tag (entity_id, kind, place, name, added_at, listed)
                     select $1, $2, $3, $4, $5, status in {LISTED} from entity where entity_id = $1 and deleted_at is null"
                ),
                values: vec![
                    entity.into(),
                    kind.into(),
                    place.into(),
                    name.as_str().into(),
                    since.unwrap_or(now).into(),
                ],
            });
        }
    }
    if names().next().is_some() {
        statements.push(directory::enter_tags(db, entity, now));
    }
    if let Some(names) = &change.categories {
        statements.extend(directory::set_categories(db, entity, names));
    }
    statements
}

/// The statements of a change, which lock the entity first. An entity from before there was a directory waits for being taken over. Columns that are not given keep what they have, also what another change gave them meanwhile.
pub(super) async fn update_statements(db: &Db, entity: u128, change: &Change) -> Result<Vec<Statement>, Error> {
    let sql = "select kind, name, added_at from entity_tag where entity_id = $1";
    let held = db.fetch_all(sql, vec![entity.into()]).await?;
    let held = held
        .iter()
        .map(|row| Ok(HeldTag { kind: row.text("kind")?, name: row.text("name")?, added_at: row.int("added_at")? }));
    let held: Vec<HeldTag> = held.collect::<Result<_, Error>>()?;
    let keys = keys(change);
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
                daily_match_email = case when $17 is null then daily_match_email else $17 = 1 end,
                name_key = case when name_key is null then null else coalesce($18, name_key) end, email_key = coalesce($19, email_key), city_key = coalesce($20, city_key),
                region_key = coalesce($21, region_key), country_key = coalesce($22, country_key)
              where entity_id = $1 and deleted_at is null",
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
            keys.name.clone().into(),
            keys.email.into(),
            keys.city.into(),
            keys.region.into(),
            keys.country.into(),
        ],
    };
    let mut statements = vec![update];
    if let Some(name) = keys.name {
        statements.extend(directory::change_name(db, entity, &name));
    }
    statements.extend(list_statements(db, entity, change, &held));
    Ok(statements)
}

/// Tries of a transaction that met another one.
const TRIES: usize = 5;

/// Runs statements in one transaction.
pub(super) async fn run(db: &Db, statements: Vec<Statement>) -> Result<(), Error> {
    let once = async || {
        let mut tx = db.begin().await?;
        for statement in statements.clone() {
            tx.execute(statement.sql, statement.values).await?;
        }
        tx.commit().await
    };
    for _ in 1..TRIES {
        match once().await {
            Err(Error::Retry(_)) => {}
            done => return done,
        }
    }
    once().await
}

/// Changes what an entity tells of itself; logged as `act`, with what changed. Nothing is done, and nothing logged, when nothing would.
///
/// # Errors
/// When the database fails.
pub async fn update(db: &Db, entity: &Entity, change: &Change, act: Act) -> Result<(), Error> {
    let difference = difference(entity, change);
    if difference.is_empty() {
        return Ok(());
    }
    let mut statements = update_statements(db, entity.id, change).await?;
    statements.push(act.to(entity.id).saying(difference).statement());
    run(db, statements).await
}

/// The statements that take an entity away: nobody finds it any more. What it told of itself goes, but for its name and number, which the
/// transfers of others tell.
pub fn removal_statements(db: &Db, entity: u128) -> Vec<Statement> {
    let now = system_clock().0;
    let of = |sql| Statement { sql, values: vec![entity.into()] };
    let mut statements = vec![Statement {
        sql: "update entity set deleted_at = $2, status = 'rejected', email = '', telephone = '', inc_type = '', company_number = '', website = '',
                declared_turnover = null, description = '', address = '', city = '', region = '', postal_code = '', country = '',
                email_key = '', city_key = '', region_key = '', country_key = '', daily_match_email = false
              where entity_id = $1",
        values: vec![entity.into(), now.into()],
    }];
    statements.extend(directory::set_listed(db, entity, false, now));
    statements.push(of("delete from entity_tag where entity_id = $1"));
    statements.extend(directory::set_categories(db, entity, &[]));
    statements
        .extend([of("delete from favorite where entity_id = $1"), of("delete from favorite where favorite_id = $1")]);
    statements
}

/// An entity by id.
///
/// # Errors
/// When the database fails.
pub async fn entity(db: &Db, id: u128) -> Result<Option<Entity>, Error> {
    let rows =
        db.fetch_all("select * from entity where entity_id = $1 and deleted_at is null", vec![id.into()]).await?;
    Ok(with_lists(db, &rows).await?.pop())
}

/// The entities of a person, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn entities_of(db: &Db, person: u128) -> Result<Vec<Entity>, Error> {
    let rows = db
        .fetch_all(
            "select * from entity where person_id = $1 and deleted_at is null order by entity_id",
            vec![person.into()],
        )
        .await?;
    with_lists(db, &rows).await
}

/// The entities of these people, oldest first. None of them comes twice.
///
/// # Errors
/// When the database fails.
pub async fn entities_of_all(db: &Db, people: &[u128]) -> Result<Vec<Entity>, Error> {
    let keys: Vec<Value> = people.iter().map(|id| (*id).into()).collect();
    let rows = db.fetch_among("select * from entity where deleted_at is null and person_id", &[], &keys, "").await?;
    let mut entities = with_lists(db, &rows).await?;
    entities.sort_by_key(|entity| entity.id);
    Ok(entities)
}

/// The accounts of a person's entities.
///
/// # Errors
/// When the database fails.
pub async fn accounts_of(db: &Db, person: u128) -> Result<Vec<AccountId>, Error> {
    let rows = db.fetch_all("select account_id from entity where person_id = $1", vec![person.into()]).await?;
    rows.iter().map(|row| Ok(AccountId(row.id("account_id")?))).collect()
}

/// The entities of these ids, in the same order. None comes twice.
///
/// # Errors
/// When the database fails.
pub async fn entities_among(db: &Db, ids: &[u128]) -> Result<Vec<Entity>, Error> {
    let keys: Vec<Value> = ids.iter().map(|id| (*id).into()).collect();
    let rows = db.fetch_among("select * from entity where entity_id", &[], &keys, "").await?;
    let mut entities = with_lists(db, &rows).await?;
    let places: HashMap<u128, usize> = ids.iter().enumerate().map(|(place, id)| (*id, place)).collect();
    entities.sort_by_key(|entity| places.get(&entity.id).copied());
    Ok(entities)
}

/// Whether there is any entity.
///
/// # Errors
/// When the database fails.
pub async fn any(db: &Db) -> Result<bool, Error> {
    Ok(db.fetch_optional("select 1 as one from entity limit 1", vec![]).await?.is_some())
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
