//! Tags: the words for what an entity offers and wants. What they are searched by is in `directory`.

use crate::directory::{fold, is_joined};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Tags of each kind that an entity may have.
pub const TAGS_MAX: usize = 10;
/// Characters of a tag.
pub const TAG_LENGTH_MAX: usize = 50;

/// The tags as they are kept: lower case, words joined by `-`, each once. Letters, digits and marks of every script stay, in composed form, so
/// that what was typed in another form is the same tag; what nobody sees goes.
pub fn tag_names(typed: &[String]) -> Vec<String> {
    let mut names: Vec<String> = vec![];
    for text in typed {
        let name = tag_name(text);
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// A tag or a category as it is kept; empty when there is no letter or digit in it.
pub fn tag_name(typed: &str) -> String {
    let composed: String = typed.chars().filter(|char| !is_joined(*char)).nfc().collect();
    let kept = |char: char| if char.is_alphanumeric() || is_combining_mark(char) { char } else { ' ' };
    let words: String = composed.to_lowercase().nfc().map(kept).collect();
    // A mark belongs to the letter before it.
    let words = words.split_whitespace().map(|word| word.trim_start_matches(is_combining_mark));
    let name = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-");
    // Signs that count as letters and mean nothing without others: nobody could find them.
    if fold(&name).is_empty() { String::new() } else { name }
}

#[cfg(test)]
mod tests {
    use super::tag_names;

    #[test]
    fn digits_accents_and_scripts_stay() {
        let typed = [
            "  ! ! ! A 1 Unique Tag ! ! !  ",
            "   THE  Changed   TAG!  ",
            "3D-Printing",
            "Café",
            "ሻይ ቤት",
            "café",
            "--",
            "\u{fe7a}",
            "\u{37a}",
        ];
        let names = tag_names(&typed.map(String::from));
        assert_eq!(names, ["a-1-unique-tag", "the-changed-tag", "3d-printing", "café", "ሻይ-ቤት"]);
    }

    #[test]
    fn marks_stay_and_what_nobody_sees_goes() {
        for (typed, name) in [
            ("cafe\u{301}", "café"),
            ("CAFE\u{301}", "café"),
            ("हिन्दी सिखाना", "हिन्दी-सिखाना"),
            ("ቡና፡ቤት።", "ቡና-ቤት"),
            ("ad\u{200b}min\u{202e}", "admin"),
            ("\u{feff}24h", "24h"),
            ("\u{301}\u{302}", ""),
            ("a \u{301}b", "a-b"),
            ("🍕", ""),
            ("Alice’s", "alices"),
            ("İstanbul", "i\u{307}stanbul"),
        ] {
            let names = tag_names(&[typed.into()]);
            assert_eq!(names, if name.is_empty() { vec![] } else { vec![name] }, "{typed}");
            assert_eq!(tag_names(&names), names, "kept as it is");
        }
    }
}
