//! Favorites: entities that an entity wants to find again. Whether it may have one as a favorite is asked here, whose it is elsewhere.

use super::LISTED;
use crate::audit::{Act, Action};
use crate::store::{Db, Error, Value};
use const_format::formatcp;
use std::collections::HashSet;

/// Adds a favorite to an entity of the person `by`, or takes it away; doing so again changes nothing. False: there is no such entity, or it cannot be found and is
/// no favorite yet.
///
/// # Errors
/// When the database fails.
pub async fn set_favorite(db: &Db, entity: u128, favorite: u128, is_favorite: bool, by: u128) -> Result<bool, Error> {
    let values = || vec![entity.into(), favorite.into()];
    let mut tx = db.begin().await?;
    let sql = if is_favorite {
        formatcp!(
            "insert into favorite (entity_id, favorite_id) select $1, entity_id from entity where entity_id = $2 and status in {LISTED}
             on conflict (entity_id, favorite_id) do nothing"
        )
    } else {
        "delete from favorite where entity_id = $1 and favorite_id = $2"
    };
    let changed = tx.execute(sql, values()).await? > 0;
    if changed {
        let what = if is_favorite { "added" } else { "removed" };
        Act::by(by, Action::FavoriteSet).to(favorite).saying(what).write(&mut tx).await?;
    }
    let known = formatcp!(
        "select 1 as one from entity where entity_id = $2
         and (status in {LISTED} or exists (select 1 from favorite where entity_id = $1 and favorite_id = $2))"
    );
    let good = changed || tx.fetch_optional(known, values()).await?.is_some();
    tx.commit().await?;
    Ok(good)
}

/// Which of these entities are favorites of an entity.
///
/// # Errors
/// When the database fails.
pub async fn favorites_among(db: &Db, entity: u128, among: &[u128]) -> Result<HashSet<u128>, Error> {
    let keys: Vec<Value> = among.iter().map(|id| (*id).into()).collect();
    let head = "select favorite_id from favorite where entity_id = $1 and favorite_id";
    let rows = db.fetch_among(head, &[entity.into()], &keys, "").await?;
    rows.iter().map(|row| row.id("favorite_id")).collect()
}
