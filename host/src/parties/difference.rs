//! What a change makes of an entity, in words for the log.

use super::{Change, Entity};
use crate::audit::changes;

/// `Name: old -> new` for each field that changes.
pub(super) fn difference(entity: &Entity, change: &Change) -> String {
    let details = &entity.details;
    let texts = [
        ("Name", &details.name, &change.name),
        ("Email", &details.email, &change.email),
        ("Telephone", &details.telephone, &change.telephone),
        ("Incorporation type", &details.inc_type, &change.inc_type),
        ("Company number", &details.company_number, &change.company_number),
        ("Website", &details.website, &change.website),
        ("Description", &details.description, &change.description),
        ("Address", &details.address, &change.address),
        ("City", &details.city, &change.city),
        ("Region", &details.region, &change.region),
        ("Postal code", &details.postal_code, &change.postal_code),
        ("Country", &details.country, &change.country),
    ];
    let lists = [
        ("Offers", &entity.offers, &change.offers),
        ("Wants", &entity.wants, &change.wants),
        ("Categories", &entity.categories, &change.categories),
    ];
    let flags = [
        ("Show tags matched", details.show_tags_matched, change.show_tags_matched),
        ("Daily match email", details.daily_match_email, change.daily_match_email),
    ];
    let turnover = change.declared_turnover.map(|new| {
        let told = |turnover: Option<i64>| turnover.map(|amount| amount.to_string()).unwrap_or_default();
        ("Declared turnover", told(details.declared_turnover), told(new))
    });
    let texts = texts.into_iter().filter_map(|(what, old, new)| Some((what, old.clone(), new.clone()?)));
    let lists = lists.into_iter().filter_map(|(what, old, new)| Some((what, old.join(" "), new.as_ref()?.join(" "))));
    let flags = flags.into_iter().filter_map(|(what, old, new)| Some((what, old.to_string(), new?.to_string())));
    changes(texts.chain(lists).chain(flags).chain(turnover))
}
