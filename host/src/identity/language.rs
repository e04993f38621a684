//! Languages that people are written to in. What is written is in `mail`.

use crate::store::{Error, Row};

/// A language that this program writes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Swahili.
    Swahili,
}

impl Language {
    /// All of them.
    pub const ALL: [Language; 2] = [Language::English, Language::Swahili];

    /// Its code in ISO 639-1.
    pub const fn code(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::Swahili => "sw",
        }
    }

    /// The language of a code.
    pub fn from_code(code: &str) -> Option<Language> {
        Language::ALL.into_iter().find(|language| language.code() == code)
    }

    /// The one that somebody prefers who says so as browsers do (`Accept-Language: sw-KE, en;q=0.8`); none when they name none of these.
    pub fn preferred(accept: &str) -> Option<Language> {
        let mut best: Option<(Language, u16)> = None;
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let tag = parts.next().unwrap_or_default().to_ascii_lowercase();
            let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(1_000, thousandths);
            let Some(language) = Language::from_code(tag.split('-').next().unwrap_or_default()) else { continue };
            // Of two that are liked as much, the first.
            if quality > best.map_or(0, |(_, quality)| quality) {
                best = Some((language, quality));
            }
        }
        best.map(|(language, _)| language)
    }

    /// Reads a stored code. One that a newer program knows is none.
    pub(crate) fn stored(row: &Row) -> Result<Option<Language>, Error> {
        Ok(row.optional_text("language")?.as_deref().and_then(Language::from_code))
    }
}

/// A quality such as `0.8`, in thousandths; 0 for what is none.
fn thousandths(text: &str) -> u16 {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits: String = decimals.chars().chain("000".chars()).take(3).collect();
    match (whole, digits.parse::<u16>()) {
        ("0", Ok(thousandths)) => thousandths,
        ("1", Ok(_)) => 1_000,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::Language::{self, English, Swahili};

    #[test]
    fn the_language_liked_best_is_found() {
        let cases = [
            ("sw", Some(Swahili)),
            ("sw-KE, en;q=0.8", Some(Swahili)),
            ("de, en-GB;q=0.7, SW;q=0.9", Some(Swahili)),
            ("en, sw", Some(English)),
            ("sw;q=0, en;q=0.1", Some(English)),
            ("sw;q=nonsense", None),
            ("fr, *;q=0.5", None),
            ("swa", None),
            ("", None),
        ];
        for (accept, language) in cases {
            assert_eq!(Language::preferred(accept), language, "{accept}");
        }
    }
}
