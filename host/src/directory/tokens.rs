//! Tokens: what the engines index, and what they are asked for. They are lower-case ASCII letters and digits that no engine changes, so that both
//! find the same, and nobody's text is ever read as a query.
//!
//! Two kinds. *Grams* are all runs of one, two and three letters of a word: a text that contains a word has all of its longest grams. *Variants*
//! are what is left of a word's beginning when up to two letters are taken out: two words that differ by up to so many mistakes have one in
//! common. Both find candidates, and leave none out; whether one matches, `matching.rs` decides.

use std::collections::BTreeSet;

/// Letters of a word whose variants are taken: what differs further behind leaves the beginnings equal.
const BEGINNING: usize = 7;

/// Letters of the longest grams.
const GRAM_MAX: usize = 3;

/// How an engine writes a query.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Operators {
    pub(super) and: &'static str,
    pub(super) or: &'static str,
}

/// How many mistakes a word of so many letters may have and still be taken for what it was meant to be.
pub(super) const fn mistakes_max(letters: usize) -> usize {
    match letters {
        0..=2 => 0,
        3..=5 => 1,
        _ => 2,
    }
}

/// The tokens of a folded text that is found by parts of its words, separated by spaces.
pub fn gram_tokens(folded: &str) -> String {
    join(words(folded).flat_map(|word| all_grams(&word)).collect(), " ")
}

/// The tokens of a folded text that is also found by words with mistakes in them.
pub fn word_tokens(folded: &str) -> String {
    let of_word = |word: Vec<char>| {
        // Longer words than these can be meant by words that may have as many mistakes.
        let mistakes = match word.len() {
            0 | 1 => 0,
            2 | 3 => 1,
            _ => 2,
        };
        all_grams(&word).into_iter().chain(variants(&word, mistakes)).collect::<Vec<_>>()
    };
    join(words(folded).flat_map(of_word).collect(), " ")
}

/// The query for all texts that contain each word of a folded one.
pub(super) fn containing(folded: &str, operators: Operators) -> String {
    join(words(folded).flat_map(|word| longest_grams(&word)).collect(), operators.and)
}

/// The query for all texts in which each word of one of these folded ones may be meant.
pub(super) fn meaning_any<'t>(folded: impl IntoIterator<Item = &'t str>, operators: Operators) -> String {
    let of_word = |word: Vec<char>| {
        let grams = join(longest_grams(&word).into_iter().collect(), operators.and);
        let mistakes = mistakes_max(word.len());
        let variants = if mistakes == 0 { BTreeSet::new() } else { variants(&word, mistakes) };
        let any: BTreeSet<String> = variants.into_iter().chain([format!("({grams})")]).collect();
        format!("({})", join(any, operators.or))
    };
    let of_text = |text: &str| format!("({})", join(words(text).map(of_word).collect(), operators.and));
    join(folded.into_iter().map(of_text).collect(), operators.or)
}

fn words(folded: &str) -> impl Iterator<Item = Vec<char>> {
    folded.split_whitespace().map(|word| word.chars().collect())
}

fn all_grams(word: &[char]) -> Vec<String> {
    (1..=GRAM_MAX).flat_map(|length| word.windows(length)).map(|gram| token(['g', 'h'], gram)).collect()
}

/// Those that say most.
fn longest_grams(word: &[char]) -> Vec<String> {
    word.windows(word.len().clamp(1, GRAM_MAX)).map(|gram| token(['g', 'h'], gram)).collect()
}

/// What is left of a word's beginning without up to so many of its letters.
fn variants(word: &[char], mistakes: usize) -> BTreeSet<String> {
    let beginning = word[..word.len().min(BEGINNING)].to_vec();
    let mut left = BTreeSet::from([beginning.clone()]);
    let mut last = left.clone();
    for _ in 0..mistakes {
        let without =
            |text: &Vec<char>, place| text.iter().take(place).chain(text.iter().skip(place + 1)).copied().collect();
        last = last.iter().flat_map(|text| (0..text.len()).map(move |place| without(text, place))).collect();
        left.extend(last.iter().cloned());
    }
    left.iter().map(|text| token(['v', 'w'], text)).collect()
}

/// Letters behind one that says what they are: as they are if all are ASCII, else by their numbers.
fn token([plain, numbered]: [char; 2], letters: &[char]) -> String {
    let mut token = String::new();
    if letters.iter().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit()) {
        token.push(plain);
        token.extend(letters);
    } else {
        token.push(numbered);
        for letter in letters {
            token.push_str(&format!("{:06x}", u32::from(*letter)));
        }
    }
    token
}

fn join(tokens: BTreeSet<String>, between: &str) -> String {
    tokens.into_iter().collect::<Vec<_>>().join(between)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::matching::distance;
    use proptest::prelude::*;

    #[test]
    fn tokens_of_short_texts() {
        assert_eq!(gram_tokens("ab c"), "ga gab gb gc");
        assert_eq!(word_tokens("ab"), "ga gab gb va vab vb");
        assert_eq!(gram_tokens("é"), "h0000e9");
        let operators = Operators { and: " & ", or: " | " };
        assert_eq!(containing("veg a", operators), "ga & gveg");
        assert_eq!(meaning_any(["ab", "abc"], operators), "(((gab))) | (((gabc) | vab | vabc | vac | vbc))");
        assert_eq!(containing("", operators), "");
    }

    proptest! {
        /// The promise that candidates leave nothing out.
        #[test]
        fn words_within_the_mistakes_have_a_variant_in_common(typed in "[abc]{3,12}", meant in "[abc]{1,12}") {
            let (typed, meant): (Vec<char>, Vec<char>) = (typed.chars().collect(), meant.chars().collect());
            let mistakes = mistakes_max(typed.len());
            if distance(&typed, &meant, mistakes).is_some() {
                let indexed = word_tokens(&meant.iter().collect::<String>());
                let indexed: Vec<&str> = indexed.split(' ').collect();
                let shared = variants(&typed, mistakes).iter().any(|variant| indexed.contains(&variant.as_str()));
                prop_assert!(shared, "{typed:?} {meant:?}");
            }
        }
    }
}
