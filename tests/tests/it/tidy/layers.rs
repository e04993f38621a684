//! Who may know whom: each dependency stays behind the one place that is there to hide it.

use super::source::{lines_with, rust, sources};
use super::{Finding, none};
use std::collections::BTreeSet;

/// The files of the host that may know HTTP and JSON. A path that ends in `/` stands for everything under it.
const HTTP: [&str; 7] = [
    "host/src/api/",
    "host/src/app.rs",
    "host/src/commands/",
    "host/src/error.rs",
    "host/src/extract.rs",
    "host/src/lib.rs",
    "host/src/main.rs",
];

/// What SQL looks like inside a string.
const SQL: [&str; 5] = ["select ", "insert into ", "update ", "delete from ", "create table "];

#[test]
fn wasmtime_only_in_the_engine() {
    only_in(
        "wasmtime",
        &["host/src/engine/"],
        "ask `host/src/engine`, which is the only place that knows how the component runs",
    );
}

#[test]
fn http_and_json_only_in_the_surfaces() {
    for word in ["axum", "serde_json"] {
        only_in(word, &HTTP, "capabilities take and give plain values; translate in `host/src/api`");
    }
}

#[test]
fn sqlx_only_in_the_store() {
    only_in("sqlx", &["host/src/store/"], "use `store::Db`, which hides which database it is");
}

/// A word that only these places of the host may write. Tests and scripts are free to.
fn only_in(word: &str, places: &[&str], instead: &str) {
    let allowed =
        |path: &str| places.iter().any(|place| path == *place || place.ends_with('/') && path.starts_with(place));
    let bound = |path: &str| ["host/", "ledger-core/"].iter().any(|top| path.starts_with(top));
    let mut findings = Vec::new();
    for source in rust().iter().filter(|source| bound(&source.path) && !allowed(&source.path)) {
        let lines = lines_with(&source.code(), word);
        findings.extend(
            lines.iter().map(|line| Finding::new(&source.path, *line, format!("`{word}` is not for here: {instead}"))),
        );
    }
    none(findings);
}

#[test]
fn no_sql_in_the_surfaces() {
    let mut findings = Vec::new();
    for source in rust().iter().filter(|source| source.path.starts_with("host/src/api/") && !source.is_test()) {
        for (number, line) in (1..).zip(source.strings().to_lowercase().lines()) {
            let text = line.trim_start_matches(|c: char| c.is_whitespace() || "r#\"".contains(c));
            if SQL.iter().any(|sql| text.starts_with(sql)) {
                findings.push(Finding::new(
                    &source.path,
                    number,
                    "move the query to the capability that owns the table",
                ));
            }
        }
    }
    none(findings);
}

#[test]
fn surfaces_do_not_know_each_other() {
    let rust = rust();
    let surface = |path: &str| {
        path.strip_prefix("host/src/api/").and_then(|rest| rest.split_once('/')).map(|(name, _)| name.to_owned())
    };
    let surfaces: BTreeSet<String> = rust.iter().filter_map(|source| surface(&source.path)).collect();
    let mut findings = Vec::new();
    for source in &rust {
        let Some(own) = surface(&source.path) else { continue };
        for other in surfaces.iter().filter(|other| **other != own) {
            let lines = lines_with(&source.code(), &format!("{other}::"));
            let problem = format!("`{own}` must not know `{other}`: what both need belongs to a capability");
            findings.extend(lines.iter().map(|line| Finding::new(&source.path, *line, problem.as_str())));
        }
    }
    none(findings);
}

#[test]
fn posting_and_store_know_no_capability() {
    let mut findings = Vec::new();
    for (folder, free) in [("host/src/posting/", &["engine", "posting", "store"][..]), ("host/src/store/", &["store"])]
    {
        for source in rust().iter().filter(|source| source.path.starts_with(folder)) {
            for (number, line) in (1..).zip(source.code().lines()) {
                for (at, used) in line.match_indices("crate::") {
                    let name: String =
                        line[at + used.len()..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                    // A function of the crate itself has no path behind it.
                    let is_module = line[at + used.len() + name.len()..].starts_with("::");
                    if is_module && !free.contains(&name.as_str()) {
                        findings.push(Finding::new(
                            &source.path,
                            number,
                            format!("{folder} must not know `{name}`: pass in what it needs"),
                        ));
                    }
                }
            }
        }
    }
    none(findings);
}

#[test]
fn the_core_depends_on_nothing() {
    let sources = sources();
    let manifest =
        sources.iter().find(|source| source.path == "ledger-core/Cargo.toml").expect("the core has a manifest");
    let section = manifest.text.split("[dependencies]").nth(1).expect("the section stays, to say that it is empty");
    let entries: Vec<&str> =
        section.lines().take_while(|line| !line.starts_with('[')).filter(|line| line.contains('=')).collect();
    assert!(entries.is_empty(), "ledger-core has no dependencies; write the few lines it needs instead of {entries:?}");
}
