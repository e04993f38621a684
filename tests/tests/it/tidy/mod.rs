//! The house rules as tests: what a reviewer would otherwise have to say each time. Each failure says what to do.
//!
//! No rule here looks at meaning. Tokens are looked for in code without comments and strings (`source.rs`), so prose may
//! name what code may not use.

mod source; // the files, and what in them is code
mod words; // tokens that must not be written, or only in some places
mod layers; // who may know whom
mod files; // names, first lines, machine paths
mod migrations; // both databases have the same schema
mod ratchet; // long files and functions get fewer, never more
mod component; // the sandbox stays closed

/// Something to put right, and where.
struct Finding {
    path: String,
    /// From 1; 0 for the file as a whole.
    line: usize,
    problem: String,
}

impl Finding {
    fn new(path: &str, line: usize, problem: impl Into<String>) -> Finding {
        Finding { path: path.into(), line, problem: problem.into() }
    }
}

/// Fails with every finding, or passes.
fn none(findings: impl IntoIterator<Item = Finding>) {
    let say = |finding: Finding| format!("{}:{}: {}", finding.path, finding.line, finding.problem);
    let findings: Vec<String> = findings.into_iter().map(say).collect();
    assert!(findings.is_empty(), "{} to put right:\n{}", findings.len(), findings.join("\n"));
}
