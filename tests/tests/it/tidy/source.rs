//! The files of the project, and which of their characters are code, comment or string.
//!
//! What is built or fetched is left out. Works without git, so that it can be run on an unpacked archive.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold no source: what is built, fetched or stored.
const SKIPPED: [&str; 7] = ["target", "dist", "data", "node_modules", ".git", "pkg", "proptest-regressions"];

/// A text file.
pub(super) struct Source {
    /// From the top of the project, with `/`.
    pub(super) path: String,
    pub(super) text: String,
}

impl Source {
    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// True for code that only tests run.
    pub(super) fn is_test(&self) -> bool {
        let folders = ["tests/", "benches/", "ledger-core/tests/"];
        folders.iter().any(|folder| self.path.starts_with(folder)) || self.path.ends_with("/tests.rs")
    }

    /// The text with comments and the insides of strings blanked out: same lines, same columns.
    pub(super) fn code(&self) -> String {
        kept(&self.text, Kind::Code)
    }

    /// The text with everything but the insides of strings blanked out.
    pub(super) fn strings(&self) -> String {
        kept(&self.text, Kind::String)
    }

    /// The code before a test module at the end of the file.
    pub(super) fn code_without_tests(&self) -> String {
        let code = self.code();
        let tests = code.match_indices("#[cfg(test)]").map(|(at, _)| at);
        let inline = tests.filter(|at| {
            let item = code[*at..].lines().nth(1).unwrap_or_default();
            item.trim_start().starts_with("mod ") && item.trim_end().ends_with('{')
        });
        let end = inline.min().unwrap_or(code.len());
        code[..end].into()
    }
}

/// Every text file of the project, in the order of paths.
pub(super) fn sources() -> Vec<Source> {
    let top = top();
    let mut paths = Vec::new();
    walk(&top, &mut paths);
    paths.sort();
    let read = |path: &PathBuf| {
        let text = String::from_utf8(fs::read(path).ok()?).ok()?;
        let path = path.strip_prefix(&top).ok()?.to_string_lossy().replace('\\', "/");
        Some(Source { path, text })
    };
    let sources: Vec<Source> = paths.iter().filter_map(read).collect();
    assert!(
        sources.iter().any(|source| source.path == "ledger-core/src/lib.rs"),
        "the project was not found at {}",
        top.display()
    );
    sources
}

/// The Rust files among [`sources`].
pub(super) fn rust() -> Vec<Source> {
    sources().into_iter().filter(Source::is_rust).collect()
}

fn top() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("the crate is in a folder of the project").to_path_buf()
}

fn walk(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder can be read").flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && !SKIPPED.contains(&name.as_str()) => walk(&path, paths),
            Ok(kind) if kind.is_file() && !name.ends_with(".log") => paths.push(path),
            _ => {}
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Code,
    Comment,
    String,
}

/// Blanks out every character that is not of `kind`, but for line ends.
fn kept(text: &str, kind: Kind) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let (of, length) = token(rest);
        let (token, after) = rest.split_at(length);
        out.extend(token.chars().map(|c| if of == kind || c == '\n' { c } else { ' ' }));
        rest = after;
    }
    out
}

/// What `text` begins with, and how long that is in bytes.
fn token(text: &str) -> (Kind, usize) {
    if text.starts_with("//") {
        return (Kind::Comment, text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return (Kind::Comment, text.find("*/").map_or(text.len(), |end| end + 2));
    }
    if let Some(hashes) = raw_string(text) {
        let open = text.find('"').map_or(text.len(), |quote| quote + 1);
        let close = format!("\"{hashes}");
        return (Kind::String, text[open..].find(&close).map_or(text.len(), |end| open + end + close.len()));
    }
    if text.starts_with('"') {
        let mut escaped = false;
        let end = text.char_indices().skip(1).find(|(_, c)| {
            let ends = *c == '"' && !escaped;
            escaped = *c == '\\' && !escaped;
            ends
        });
        return (Kind::String, end.map_or(text.len(), |(at, _)| at + 1));
    }
    // A character, which may be a quote; not a lifetime.
    let mut chars = text.char_indices();
    if let (Some((_, '\'')), Some((_, second)), Some((third, c))) = (chars.next(), chars.next(), chars.next()) {
        if second == '\\' {
            let end = text[third + c.len_utf8()..].find('\'');
            return (Kind::String, end.map_or(text.len(), |end| third + c.len_utf8() + end + 1));
        }
        if c == '\'' {
            return (Kind::String, third + 1);
        }
    }
    // A word is taken whole, so that its last letter is not read as the prefix of a raw string.
    let word = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    (Kind::Code, word.max(text.chars().next().map_or(0, char::len_utf8)))
}

/// The hashes of a raw string that begins here.
fn raw_string(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let hashes = rest.find(|c| c != '#')?;
    rest[hashes..].starts_with('"').then(|| &rest[..hashes])
}

/// Numbered lines in which `word` stands for itself, and is not part of a longer word.
pub(super) fn lines_with(text: &str, word: &str) -> Vec<usize> {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let alone = |line: &str| {
        line.match_indices(word).any(|(at, _)| {
            let before = line[..at].chars().next_back().is_some_and(part) && word.starts_with(part);
            let after = line[at + word.len()..].chars().next().is_some_and(part) && word.ends_with(part);
            !before && !after
        })
    };
    (1..).zip(text.lines()).filter(|(_, line)| alone(line)).map(|(number, _)| number).collect()
}

#[test]
fn strings_and_comments_are_told_from_code() {
    let text = "let a = \"x // \\\" y\"; // z\nlet b = r#\"q\"q\"#; /* c */ f::<'a>('\"', '\\'', b'x'); d";
    let source = Source { path: String::new(), text: text.into() };
    let words = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(words(source.code()), "let a = ; let b = ; f::<'a>( , , b ); d");
    assert_eq!(words(source.strings()), "\"x // \\\" y\" r#\"q\"q\"# '\"' '\\'' 'x'");
    assert_eq!(source.code().len(), text.len());
    assert_eq!(lines_with("ab\na b\nxab", "ab"), [1]);
}
