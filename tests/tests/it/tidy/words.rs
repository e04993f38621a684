//! Tokens that must not be written, and what to write instead.

use super::source::{Source, lines_with, rust, sources};
use super::{Finding, none};

/// Left to be done: not on the main branch. Put together here so that this file passes its own rule.
const LEFT_TO_DO: [&str; 2] = [concat!("FIX", "ME"), concat!("XX", "X")];

/// What no Rust file may write, and what to do instead.
const BANNED: [(&str, &str); 6] = [
    ("dbg!", "remove it, or log with `tracing`"),
    ("todo!", "write it, or leave it out"),
    ("unimplemented!", "write it, or make it impossible to call"),
    ("#[allow", "use #[expect(…, reason = \"…\")], which says why and ends when it is not needed"),
    ("#![allow", "use #![expect(…, reason = \"…\")], which says why and ends when it is not needed"),
    ("#[ignore", "run the test, or delete it; a slow one asks the environment"),
];

#[test]
fn banned_macros_and_attributes() {
    none(BANNED.iter().flat_map(|(word, instead)| banned(word, instead, |_| true)));
}

#[test]
fn no_unwrap_outside_of_tests() {
    let lines = |source: &Source| -> Vec<Finding> {
        let problem = "say with .expect(\"…\") why it cannot fail, or return the failure";
        let lines = lines_with(&source.code_without_tests(), ".unwrap()");
        lines.into_iter().map(|line| Finding::new(&source.path, line, problem)).collect()
    };
    none(rust().iter().filter(|source| !source.is_test()).flat_map(lines));
}

#[test]
fn no_float_in_the_core() {
    let instead = "amounts are integers in minor units: use Amount";
    none(["f32", "f64"].iter().flat_map(|float| banned(float, instead, |path| path.starts_with("ledger-core/"))));
}

#[test]
fn nothing_is_left_to_do() {
    let mut findings = Vec::new();
    for source in sources() {
        for word in LEFT_TO_DO {
            let lines = lines_with(&source.text, word);
            findings.extend(
                lines.iter().map(|line| Finding::new(&source.path, *line, format!("do it, or drop the {word}"))),
            );
        }
    }
    none(findings);
}

/// Where Rust code on the paths that `applies` to contains `word`.
fn banned(word: &str, instead: &str, applies: impl Fn(&str) -> bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in rust().iter().filter(|source| applies(&source.path)) {
        let lines = lines_with(&source.code(), word);
        findings.extend(
            lines.iter().map(|line| Finding::new(&source.path, *line, format!("`{word}` is banned: {instead}"))),
        );
    }
    findings
}
