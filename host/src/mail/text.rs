//! What people typed, made fit for a mail: no line of a header that they begin, nothing that turns the direction of what stands beside it.

use crate::visible;

/// Characters of a name or a subject: what is longer was not meant to be read.
const LINE_MAX: usize = 120;

/// One line of at most [`LINE_MAX`] characters: whatever is no visible character becomes a space.
pub(super) fn one_line(text: &str) -> String {
    let visible = text.chars().map(|c| if is_hidden(c) || c.is_whitespace() { ' ' } else { c });
    // What is typed may be any length, and only its beginning is looked at.
    let visible: String = visible.take(4 * LINE_MAX).collect();
    let line = visible.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= LINE_MAX {
        return line;
    }
    let kept: String = line.chars().take(LINE_MAX - 1).collect();
    format!("{}…", kept.trim_end())
}

/// The lines that somebody wrote, without what is no visible character, and without empty ones at both ends.
pub fn cleaned(text: &str) -> String {
    let unix = text.replace("\r\n", "\n").replace('\r', "\n");
    let visible: String = unix.chars().filter(|c| *c == '\n' || *c == '\t' || !is_hidden(*c)).collect();
    visible.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// What nobody sees, and marks of direction: beside them stand words that others have written. The joiners of scripts that need them stay.
fn is_hidden(c: char) -> bool {
    visible::is_hidden(c) || matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_begins_another_line() {
        assert_eq!(one_line("Alice\r\nBcc: eve@example.org"), "Alice Bcc: eve@example.org");
        assert_eq!(one_line("a\u{2028}b\u{2029}c\u{85}d\0e\tf"), "a b c d e f");
        assert_eq!(one_line("\u{202e}evil\u{2066}x"), "evil x");
        assert_eq!(one_line("  \n "), "");
        let long = one_line(&"x".repeat(5_000));
        assert_eq!((long.chars().count(), long.ends_with('…')), (LINE_MAX, true));
        assert_eq!(one_line(&"é".repeat(LINE_MAX)), "é".repeat(LINE_MAX));
    }

    #[test]
    fn lines_stay_and_what_hides_goes() {
        assert_eq!(cleaned("\r\n one\r\ntwo \u{202e}three\rfour\u{7}\n\n"), "one\ntwo three\nfour");
        assert_eq!(cleaned("\u{0}\u{1b}\u{200b} \n"), "");
        assert_eq!(cleaned("می\u{200c}خواهم ☺"), "می\u{200c}خواهم ☺");
    }
}
