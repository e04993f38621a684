//! What lists of entities are filtered by, for everybody and for administrators alike: lists of tags, and since when.

use super::extract::Query;
use super::fields::Faults;
use crate::parties::TAGS_MAX;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Tags that are asked for.
pub(super) struct Tagged {
    pub(super) offers: Vec<String>,
    pub(super) wants: Vec<String>,
    /// In microseconds since the epoch.
    pub(super) since: Option<i64>,
}

impl Tagged {
    /// `offers`, `wants` and `tagged_since`.
    pub(super) fn of(query: &Query, faults: &mut Faults) -> Tagged {
        let (offers, wants) = (list(query, "offers"), list(query, "wants"));
        if offers.len() > TAGS_MAX || wants.len() > TAGS_MAX {
            faults.add(format!("You can only specify a maximum of {TAGS_MAX} tags."));
        }
        let since = query.get("tagged_since").map(|text| {
            let since = instant(text);
            if since.is_none() {
                faults.add(
                    "tagged_since must be a date and time such as 2019-12-25T12:12:12.001Z, or seconds since 1970.",
                );
            }
            since
        });
        if since.is_some() && offers.is_empty() && wants.is_empty() {
            faults.add("Please specify an offer or want tag.");
        }
        Tagged { offers, wants, since: since.flatten() }
    }
}

fn list(query: &Query, name: &str) -> Vec<String> {
    let elements = query.get(name).unwrap_or_default().split(',').map(str::trim);
    elements.filter(|element| !element.is_empty()).map(str::to_owned).collect()
}

/// RFC 3339, or whole seconds since the epoch; in microseconds since the epoch.
pub(super) fn instant(text: &str) -> Option<i64> {
    let instant = match text.parse::<i64>() {
        Ok(seconds) => OffsetDateTime::from_unix_timestamp(seconds).ok()?,
        // In a query, a plus sign that is not escaped reads as a space.
        Err(_) => OffsetDateTime::parse(&text.replace(' ', "+"), &Rfc3339).ok()?,
    };
    i64::try_from(instant.unix_timestamp_nanos() / 1_000).ok()
}

#[cfg(test)]
mod tests {
    use super::instant;

    #[test]
    fn instants_are_read_in_both_forms() {
        for (text, expected) in [
            ("1970-01-01T00:00:01Z", Some(1_000_000)),
            ("1970-01-01T03:00:01.5+03:00", Some(1_500_000)),
            ("1970-01-01T03:00:01 03:00", Some(1_000_000)),
            ("1577275932", Some(1_577_275_932_000_000)),
            ("-1", Some(-1_000_000)),
            ("2019-12-25", None),
            ("yesterday", None),
            ("99999999999999999", None),
            ("1e9", None),
        ] {
            assert_eq!(instant(text), expected, "{text}");
        }
    }
}
