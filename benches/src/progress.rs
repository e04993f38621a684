//! What goes on, told on standard error while it goes on. Results are printed by `report.rs`.

use std::io::IsTerminal;

/// One line; on a terminal, over the one before.
pub(crate) fn say(text: &str) {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[2K{text}");
    } else {
        eprintln!("{text}");
    }
}

/// Clears the line on a terminal, before results are printed.
pub(crate) fn done() {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[2K");
    }
}
