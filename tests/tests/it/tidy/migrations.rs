//! Both databases have the same files, and in them the same tables, columns, constraints, indexes and views in the same order.

use super::source::sources;
use std::collections::BTreeMap;

#[test]
fn both_databases_have_the_same_schema() {
    let (sqlite, postgres) = (schema("migrations/sqlite/"), schema("migrations/postgres/"));
    assert!(!sqlite.is_empty(), "there are no migrations");
    let names = |schema: &BTreeMap<String, Vec<String>>| schema.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&sqlite), names(&postgres), "each migration has a file of the same name for the other database");
    for (file, ours) in &sqlite {
        let theirs = &postgres[file];
        // A table that only one of them builds anew: every test that reads it shows that it has the same columns.
        if theirs.is_empty() && ours.iter().all(|name| name.contains("new_")) {
            continue;
        }
        let differ = ours.iter().zip(theirs).find(|(ours, theirs)| ours != theirs);
        assert_eq!(differ, None, "{file}: left SQLite, right PostgreSQL; give both the same names in the same order");
        assert_eq!(ours.len(), theirs.len(), "{file}: one database has more at its end than the other");
    }
}

/// What each file of a folder defines.
fn schema(folder: &str) -> BTreeMap<String, Vec<String>> {
    let files =
        sources().into_iter().filter_map(|source| Some((source.path.strip_prefix(folder)?.to_owned(), source.text)));
    files.map(|(file, text)| (file, defined(&text))).collect()
}

/// `table.column` for each column, and the names of everything else, without types.
fn defined(text: &str) -> Vec<String> {
    let mut defined = Vec::new();
    let mut table: Option<String> = None;
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with("--")) {
        let words: Vec<&str> =
            line.split(|c: char| c.is_whitespace() || "(,;".contains(c)).filter(|word| !word.is_empty()).collect();
        match words.as_slice() {
            // What SQLite's full-text search makes of a table and an index of its own, PostgreSQL has as a table and an index of the kind that
            // holds words.
            ["create", "virtual", "table", name, ..] | ["create", "table", name, ..] => {
                defined.push(format!("table {name}"));
                table = Some((*name).into());
            }
            ["create", "index", ..] if line.contains(" using gin ") => {}
            ["create", ..] => {
                let name =
                    words.iter().position(|word| ["index", "view"].contains(word)).and_then(|at| words.get(at + 1));
                defined.push(format!("{} {}", words[1], name.unwrap_or(&line)));
            }
            ["alter", "table", name, "add", "column", column, ..] => defined.push(format!("{name}.{column}")),
            _ if line.starts_with(')') => table = None,
            // A setting of full-text search.
            [_, "=", ..] => {}
            [first, ..] => {
                let Some(table) = &table else { continue };
                if !["primary", "unique", "check", "foreign", "constraint"].contains(first) {
                    defined.push(format!("{table}.{first}"));
                }
                let constraints = words.iter().zip(words.iter().skip(1)).filter(|(word, _)| **word == "constraint");
                defined.extend(constraints.map(|(_, name)| format!("{table} constraint {name}")));
            }
            [] => {}
        }
    }
    defined
}

#[test]
fn columns_are_read_from_sql() {
    let sql = "-- x\ncreate table a (\n  -- c\n  id uuid not null,\n  n bigint constraint n_positive check (n > 0),\n  primary key (id)\n);\n\
               create unique index \"a.n\" on a (n);\nalter table a add column m text;";
    assert_eq!(defined(sql), ["table a", "a.id", "a.n", "a constraint n_positive", "unique \"a.n\"", "a.m"]);
    let sqlite = "create virtual table s using fts5 (\n  id unindexed,\n  tokens,\n  tokenize = 'ascii'\n);\ncreate index t on a (n);";
    let postgres = "create table s (\n  id uuid not null,\n  tokens tsvector\n);\ncreate index i on s using gin (tokens);\ncreate index t on a (n);";
    assert_eq!(defined(sqlite), ["table s", "s.id", "s.tokens", "index t"]);
    assert_eq!(defined(postgres), defined(sqlite));
}
