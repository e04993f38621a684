//! How amounts and dates are written in answers. Reading them is in `fields.rs` and `extract.rs`.

use ledger_core::{Amount, Unit};
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// An amount as a JSON number, written from its digits.
pub(super) fn number(amount: Amount, unit: &Unit) -> Box<RawValue> {
    RawValue::from_string(unit.format(amount)).expect("a decimal number is JSON")
}

/// What an amount of a transfer must be.
pub(super) fn amount_rule(unit: &Unit) -> String {
    let places = match unit.scale() {
        0 => "without decimal places".into(),
        2 => "with up to two decimal places".into(),
        scale => format!("with up to {scale} decimal places"),
    };
    format!("Please enter a valid numeric amount to send {places}.")
}

/// RFC 3339, in UTC.
pub(super) fn date(microseconds: i64) -> String {
    let instant = OffsetDateTime::from_unix_timestamp_nanos(i128::from(microseconds) * 1_000);
    instant.ok().and_then(|instant| instant.format(&Rfc3339).ok()).unwrap_or_default()
}
