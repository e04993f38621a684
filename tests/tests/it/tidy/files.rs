//! Files: what they are called, how they begin, and what no file may say about the machine it was written on.

use super::source::sources;
use super::{Finding, none};

/// Names that say nothing, so that everything ends up in them.
const EMPTY_NAMES: [&str; 8] = ["utils", "util", "helpers", "helper", "common", "misc", "shared", "stuff"];

/// Where a machine keeps its own. Put together here so that this file passes its own rule.
const MACHINE_PATHS: [&str; 6] = [
    concat!("/work", "/"),
    concat!("/home", "/"),
    concat!("/root", "/"),
    concat!("/Users", "/"),
    concat!("/mnt", "/"),
    concat!(":\\", "Users"),
];

/// Parts of the names of hosts that serve packages.
const REGISTRY_HOSTS: [&str; 8] = [
    concat!("index.", "crates.io"),
    concat!("static.", "crates.io"),
    concat!("registry.", "npmjs"),
    concat!("files.", "pythonhosted"),
    concat!("proxy.", "golang"),
    concat!("artifact", "ory"),
    concat!("nexus", "."),
    concat!("verd", "accio"),
];

#[test]
fn every_source_says_what_it_holds() {
    let is_source = |path: &str| path.ends_with(".rs") || path.ends_with(".ts") || path.ends_with(".tsx");
    let findings = sources().into_iter().filter(|source| is_source(&source.path) && !source.text.starts_with("//! "));
    let problem = "begin with `//! ` and a sentence: what this file holds, and what it does not";
    none(findings.map(|source| Finding::new(&source.path, 1, problem)));
}

#[test]
fn names_say_something() {
    let empty = |path: &str| path.split('/').any(|part| EMPTY_NAMES.contains(&part.split('.').next().unwrap_or(part)));
    let findings = sources().into_iter().filter(|source| empty(&source.path));
    none(
        findings.map(|source| {
            Finding::new(&source.path, 0, "name it after what it is about, or move it to its one caller")
        }),
    );
}

#[test]
fn no_file_knows_the_machine_it_was_written_on() {
    let mut findings = Vec::new();
    for source in sources() {
        for (number, line) in (1..).zip(source.text.lines()) {
            if MACHINE_PATHS.iter().any(|path| begins_a_path(line, path)) {
                findings.push(Finding::new(
                    &source.path,
                    number,
                    "say where it is from the top of the project, or ask the environment",
                ));
            }
            if REGISTRY_HOSTS.iter().any(|host| line.contains(host)) {
                findings.push(Finding::new(
                    &source.path,
                    number,
                    "which registry to use is the machine's to say: drop the host",
                ));
            }
        }
    }
    none(findings);
}

/// A folder begins a path after a space or a quote, not inside of a longer path or an address.
fn begins_a_path(line: &str, path: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || "./_-}~$".contains(c);
    line.match_indices(path).any(|(at, _)| !line[..at].chars().next_back().is_some_and(inside) || path.starts_with(':'))
}

#[test]
fn locked_packages_come_from_the_public_index() {
    let sources = sources();
    let lock = sources.iter().find(|source| source.path == "Cargo.lock").expect("the lock file is kept");
    // cargo's name for it, which every package of this lock file has.
    let public = |line: &str| line.starts_with("source = \"registry+") && line.ends_with(".io-index\"");
    let other = (1..).zip(lock.text.lines()).filter(|(_, line)| line.starts_with("source = ") && !public(line));
    none(other.map(|(number, _)| Finding::new("Cargo.lock", number, "use a released version, from the public index")));
}
