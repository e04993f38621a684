//! Which characters a text may have that others read: those that are seen. What is not could make one name look like another, begin a line, or
//! turn around what stands beside it. Refusing or cleaning such a text is done by whoever takes it in or gives it out.

/// How many lines a text may have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lines {
    /// One: its end, and tabs, are characters that nobody sees.
    One,
    /// Any number, with tabs.
    Any,
}

/// Whether a text has nothing in it that [`is_hidden`].
pub fn is_visible(text: &str, lines: Lines) -> bool {
    text.chars().all(|c| !is_hidden(c) || lines == Lines::Any && matches!(c, '\n' | '\r' | '\t'))
}

/// Control characters, ends of lines, and those that turn the direction of a text around or only hide in it. What scripts and emoji need stays,
/// seen or not: joiners, marks of direction, soft hyphens, variants.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
        // Letters that are drawn as nothing, and the letters of labels that are drawn as nothing.
        || matches!(c, '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_sees_is_found() {
        for hidden in
            ["\0", "\u{1b}", "\u{7f}", "\u{85}", "\u{200b}", "\u{2028}", "\u{202a}", "\u{202e}", "\u{2060}", "\u{2066}"]
        {
            assert!(!is_visible(&format!("a{hidden}b"), Lines::Any), "{hidden:?}");
        }
        for hidden in ["\u{2069}", "\u{feff}", "\u{fffa}", "\u{3164}", "\u{e0041}"] {
            assert!(!is_visible(hidden, Lines::Any), "{hidden:?}");
        }
        assert!(is_visible("one\r\n\ttwo", Lines::Any));
        for line in ["one\n", "one\rtwo", "\tone"] {
            assert!(!is_visible(line, Lines::One), "{line:?}");
        }
    }

    #[test]
    fn what_scripts_need_stays() {
        for text in [
            "",
            "می\u{200c}خواهم",
            "👩🏾\u{200d}🍳",
            "\u{200f}א\u{200e}\u{61c}",
            "a\u{ad}b",
            "e\u{301}",
            "☕\u{fe0f}",
            "ሻይ",
            "\u{a0}",
        ] {
            assert!(is_visible(text, Lines::One), "{text:?}");
        }
    }
}
