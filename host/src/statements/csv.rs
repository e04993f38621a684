//! A statement as rows: one for the balance before, one for each movement, one for the balance after.

use super::{Line, Statement};
use crate::{id_text, posting};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const COLUMNS: [&str; 9] =
    ["date", "transfer", "account", "name", "description", "amount", "balance", "journal record", "hash of the record"];

/// The rows, as UTF-8.
///
/// # Panics
/// Never: memory can be written to.
pub fn csv(statement: &Statement) -> Vec<u8> {
    let mut rows = csv::Writer::from_writer(vec![]);
    let Statement { unit, period, opening, closing, head, .. } = statement;
    let mut put = |row: [String; 9]| rows.write_record(row).expect("memory can be written to");
    put(COLUMNS.map(String::from));
    let bound = |at: i64, what: &str, balance: String, [record, hash]: [String; 2]| {
        let [none, nobody, nothing, no_amount] = [const { String::new() }; 4];
        [date(at), none, nobody, nothing, what.into(), no_amount, balance, record, hash]
    };
    put(bound(period.from.0, "Opening balance", unit.format(*opening), [const { String::new() }; 2]));
    for line in &statement.lines {
        put(row(statement, line));
    }
    let proof = [head.0.to_string(), posting::hash_text(&head.1)];
    put(bound(period.to.0, "Closing balance", unit.format(*closing), proof));
    rows.into_inner().expect("memory can be written to")
}

fn row(Statement { unit, .. }: &Statement, line: &Line) -> [String; 9] {
    let moved = &line.movement;
    [
        date(moved.at),
        id_text(moved.transfer.0),
        line.number.clone(),
        harmless(&line.name),
        harmless(&moved.description),
        unit.format(moved.change),
        unit.format(moved.balance),
        moved.record.to_string(),
        posting::hash_text(&line.hash),
    ]
}

/// A text that others wrote. A spreadsheet takes one that begins like a formula for a formula, and would do what it says; an apostrophe
/// before it makes it a text.
fn harmless(text: &str) -> String {
    let begins = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    if begins { format!("'{text}") } else { text.to_owned() }
}

/// RFC 3339, in UTC.
pub(super) fn date(microseconds: i64) -> String {
    let instant = OffsetDateTime::from_unix_timestamp_nanos(i128::from(microseconds) * 1_000);
    instant.ok().and_then(|instant| instant.format(&Rfc3339).ok()).unwrap_or_default()
}
