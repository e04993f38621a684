//! Folding: the form in which texts are compared, so that neither case nor accents nor the way of typing them stand between two people.
//!
//! It is done here and never in SQL: what an engine calls a letter depends on the engine, its version and the language of the database.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{canonical_combining_class, is_combining_mark};

/// A text as it is compared: its words in lower case and without accents, one space between two.
///
/// A text without a letter or digit folds to nothing, and is found by nothing.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let mut between = false;
    for letter in text.nfkd().filter(|letter| !is_joined(*letter)).flat_map(char::to_lowercase) {
        if is_accent(letter) {
            continue;
        }
        // A mark belongs to the letter before it; without one it is no part of a word.
        let in_word = letter.is_alphanumeric() || is_combining_mark(letter) && !between && !folded.is_empty();
        if !in_word {
            between = true;
            continue;
        }
        if between && !folded.is_empty() {
            folded.push(' ');
        }
        between = false;
        match spelled(letter) {
            Some(letters) => folded.push_str(letters),
            None => folded.push(letter),
        }
    }
    folded
}

/// What people who do not have the letter on their keyboard type for it. Unicode takes these for letters of their own.
const fn spelled(letter: char) -> Option<&'static str> {
    Some(match letter {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'ø' => "o",
        'đ' | 'ð' => "d",
        'ł' => "l",
        'þ' => "th",
        'ı' => "i",
        'ς' => "σ",
        _ => return None,
    })
}

/// Whether a mark changes how a letter sounds and not which letter it is: accents, Arabic and Hebrew vowel points. Marks of other classes are
/// letters in all but name: the vowels, viramas and nuktas of Indic scripts, the voicing of kana, the tones of Thai.
fn is_accent(mark: char) -> bool {
    matches!(canonical_combining_class(mark), 1 | 10..=36 | 200..=240)
}

/// Characters that nobody sees and that are no boundary between words, and apostrophes: what is before and after belongs together. Among them
/// are those that turn the direction of text, with which a name could be made to look like another.
pub fn is_joined(char: char) -> bool {
    matches!(
        char,
        '\'' | '\u{2018}' | '\u{2019}' | '\u{2bc}'
        | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
    )
}

#[cfg(test)]
mod tests {
    use super::fold;

    #[test]
    fn what_people_take_for_the_same_folds_to_the_same() {
        for (typed, folded) in [
            ("Organic  Vegetables!", "organic vegetables"),
            ("organic-vegetables", "organic vegetables"),
            ("Café", "cafe"),
            ("Cafe\u{301}", "cafe"),
            ("ＣＡＦＥ ２４ｈ", "cafe 24h"),
            ("Alice’s Restaurant", "alices restaurant"),
            ("Alice's Restaurant", "alices restaurant"),
            ("Straße, Ærø & Łódź", "strasse aero lodz"),
            ("İstanbul ISPARTA ırmak", "istanbul isparta irmak"),
            ("ΟΔΟΣ οδός", "οδοσ οδοσ"),
            ("ሻይ፡ቤት", "ሻይ ቤት"),
            ("हिन्दी की", "हिन्दी की"),
            ("ad\u{200d}min \u{202e}txt", "admin txt"),
            ("مُحَمَّد", "محمد"),
            ("🍕 Palace 🍕", "palace"),
            ("% _ \\ ' \" * ( ) [ ] { } ^ $ . | ? + - : ! & <->", ""),
            ("\u{301}\u{301}", ""),
        ] {
            assert_eq!(fold(typed), folded, "{typed}");
            assert_eq!(fold(folded), folded, "folding twice is folding once");
        }
        assert_ne!(fold("का"), fold("की"), "vowels are letters");
    }
}
