//! Long files and long functions: those of today are listed in `tidy_ratchet.txt`; the list gets shorter, never longer.

use super::source::{Source, sources};
use std::collections::BTreeMap;

/// A file that is longer holds more than one thing.
const FILE_LINES_MAX: usize = 500;
/// A function that is longer is not seen at once.
const FUNCTION_LINES_MAX: usize = 70;

const RATCHET: &str = include_str!("../../../tidy_ratchet.txt");

#[test]
fn long_files_and_functions_get_fewer() {
    let (long, listed) = (long(), listed());
    let mut problems = Vec::new();
    for (what, lines) in &long {
        match listed.get(what) {
            None => problems.push(format!("{what} has {lines} lines: cut it where its subjects part")),
            Some(before) if lines > before => {
                problems.push(format!("{what} grew from {before} to {lines} lines: cut it where its subjects part"))
            }
            Some(_) => {}
        }
    }
    let short_now = listed.keys().filter(|what| !long.contains_key(*what));
    problems.extend(short_now.map(|what| format!("{what} is short now: take its line out of tests/tidy_ratchet.txt")));
    assert!(
        problems.is_empty(),
        "files have at most {FILE_LINES_MAX} lines, functions {FUNCTION_LINES_MAX}:\n{}",
        problems.join("\n")
    );
}

/// Each line: `PATH LINES`, or `PATH::FUNCTION LINES`.
fn listed() -> BTreeMap<String, usize> {
    let lines = RATCHET.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let read = |line: &str| {
        let (what, lines) = line.rsplit_once(' ')?;
        Some((what.to_owned(), lines.parse().ok()?))
    };
    lines
        .map(|line| {
            read(line).unwrap_or_else(|| panic!("tests/tidy_ratchet.txt: {line:?} is not a name and a number of lines"))
        })
        .collect()
}

fn long() -> BTreeMap<String, usize> {
    let mut long = BTreeMap::new();
    for source in sources() {
        let lines = source.text.lines().count();
        if (source.is_rust() || source.path.ends_with(".ts")) && lines > FILE_LINES_MAX {
            long.insert(source.path.clone(), lines);
        }
        if source.is_rust() {
            for (name, lines) in functions(&source).into_iter().filter(|(_, lines)| *lines > FUNCTION_LINES_MAX) {
                let longest = long.entry(format!("{}::{name}", source.path)).or_insert(lines);
                *longest = (*longest).max(lines);
            }
        }
    }
    long
}

/// Each function with a body, and how many lines it has from `fn` to its closing brace.
fn functions(source: &Source) -> Vec<(String, usize)> {
    let code = source.code();
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let mut functions = Vec::new();
    for (at, found) in code.match_indices("fn ") {
        let name: String = code[at + found.len()..].chars().take_while(|c| part(*c)).collect();
        let is_word = code[..at].chars().next_back().is_none_or(|c| !part(c));
        if is_word
            && !name.is_empty()
            && let Some(body) = body(&code[at..])
        {
            functions.push((name, body.lines().count()));
        }
    }
    functions
}

/// From the signature to the brace that closes the body; nothing when there is no body.
fn body(code: &str) -> Option<&str> {
    let mut depth = 0_usize;
    let mut brackets = 0_usize;
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets = brackets.saturating_sub(1),
            ';' if depth == 0 && brackets == 0 => return None,
            '{' => depth += 1,
            '}' if depth <= 1 => return Some(&code[..=at]),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[test]
fn functions_are_measured() {
    let text = "trait T { fn none(a: [u8; 3]); }\nfn one() { if x { \"}\" } }\nfn three(\n) {\n}\n";
    let source = Source { path: "x.rs".into(), text: text.into() };
    assert_eq!(functions(&source), [("one".into(), 1), ("three".into(), 3)]);
}
