//! Whether a text is meant by what somebody typed, and how well: the same on both engines, because it is decided here.

use super::room::compare;
use super::tokens::mistakes_max;
use super::typed;
use crate::store::Error;
use std::collections::BTreeSet;

/// How well a text matches; the smaller, the better.
///
/// In this order: the text itself; it begins with what was typed; it contains it; each typed word is contained in one of its words, or is one of
/// them with few mistakes (none in up to two letters, one in up to five, two in more), and the fewer they are, the better.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Rank {
    class: Class,
    mistakes: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Class {
    Exact,
    Beginning,
    Contained,
    Words,
}

impl Rank {
    /// As a number, for a statement: smaller ones are better.
    pub(super) fn number(self) -> i64 {
        self.class as i64 * 1_000 + i64::try_from(self.mistakes).unwrap_or(i64::MAX).min(999)
    }
}

/// The most words of what somebody types that are looked for, each counted once. No tag has as many: more are meant by nothing.
const WORDS_MAX: usize = 10;

/// A folded text that somebody typed, with its words cut out once for all that it is compared with.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Typed {
    text: String,
    /// Each once, with its letters.
    words: Vec<(String, Vec<char>)>,
}

impl Typed {
    /// None: nothing, or more words than mean anything.
    pub(super) fn of(folded: &str) -> Option<Typed> {
        let words: BTreeSet<&str> = folded.split_whitespace().collect();
        let lettered = |word: &str| (word.to_owned(), word.chars().collect());
        (1..=WORDS_MAX)
            .contains(&words.len())
            .then(|| Typed { text: folded.into(), words: words.into_iter().map(lettered).collect() })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

/// How well a folded text matches the one of these that it matches best; `None`: none of them.
pub(super) fn best(typed: &[Typed], text: &str) -> Option<Rank> {
    let words: Vec<(&str, Vec<char>)> = text.split(' ').map(|word| (word, word.chars().collect())).collect();
    typed.iter().filter_map(|typed| rank(typed, text, &words)).min()
}

fn rank(typed: &Typed, text: &str, words: &[(&str, Vec<char>)]) -> Option<Rank> {
    let class = match text.find(&typed.text) {
        Some(0) if text.len() == typed.text.len() => Class::Exact,
        Some(0) => Class::Beginning,
        Some(_) => Class::Contained,
        None => Class::Words,
    };
    if class != Class::Words {
        return Some(Rank { class, mistakes: 0 });
    }
    let mut mistakes = 0;
    for (typed, letters) in &typed.words {
        let most = mistakes_max(letters.len());
        let of_word = |(word, meant): &(&str, Vec<char>)| match word.contains(typed.as_str()) {
            true => Some(0),
            false if most == 0 => None,
            false => distance(letters, meant, most),
        };
        mistakes += words.iter().filter_map(of_word).min()?;
    }
    Some(Rank { class, mistakes })
}

/// What has a folded text that matches what somebody typed, the best first, and of equals the smaller. Nothing that cannot be part of a text
/// matches anything.
///
/// # Errors
/// When comparing fails.
pub async fn best_first<T: Ord + Send + 'static>(sought: &str, texts: Vec<(String, T)>) -> Result<Vec<T>, Error> {
    let Some(sought) = typed(sought).as_deref().and_then(Typed::of) else { return Ok(vec![]) };
    compare(move || {
        let sought = [sought];
        let ranked = texts.into_iter().filter_map(|(text, what)| Some((best(&sought, &text)?, what)));
        let mut found: Vec<(Rank, T)> = ranked.collect();
        found.sort();
        found.into_iter().map(|(_, what)| what).collect()
    })
    .await
}

/// How many letters must be put in, taken out, changed, or swapped with their neighbours to make the one word of the other (optimal string
/// alignment); `None`: more than `most`.
pub(super) fn distance(typed: &[char], meant: &[char], most: usize) -> Option<usize> {
    if typed.len().abs_diff(meant.len()) > most {
        return None;
    }
    let (mut before, mut last): (Vec<usize>, Vec<usize>) = (vec![], (0..=meant.len()).collect());
    for (row, letter) in typed.iter().enumerate() {
        let mut next = vec![row + 1];
        for (column, other) in meant.iter().enumerate() {
            let changed = last[column] + usize::from(letter != other);
            let mut least = changed.min(last[column + 1] + 1).min(next[column] + 1);
            if row > 0 && column > 0 && *letter == meant[column - 1] && typed[row - 1] == *other {
                least = least.min(before[column - 1] + 1);
            }
            next.push(least);
        }
        if next.iter().all(|cost| *cost > most) {
            return None;
        }
        (before, last) = (last, next);
    }
    last.last().copied().filter(|cost| *cost <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_counted() {
        let between = |typed: &str, meant: &str| {
            distance(&typed.chars().collect::<Vec<_>>(), &meant.chars().collect::<Vec<_>>(), 2)
        };
        for (typed, meant, expected) in [
            ("vegetables", "vegetables", Some(0)),
            ("vegetalbes", "vegetables", Some(1)),
            ("vegtables", "vegetables", Some(1)),
            ("vegetabless", "vegetables", Some(1)),
            ("begetabels", "vegetables", Some(2)),
            ("begatebels", "vegetables", None),
            ("", "ab", Some(2)),
            ("ca", "abc", None),
        ] {
            assert_eq!(between(typed, meant), expected, "{typed} {meant}");
        }
    }

    #[test]
    fn better_matches_come_first() {
        let texts = ["beer", "beer garden", "micro brewed beer", "garden of beers", "bear", "well being"];
        let ranked = |typed: &str| {
            let typed: Vec<Typed> = Typed::of(typed).into_iter().collect();
            let mut found: Vec<_> =
                texts.iter().filter_map(|text| best(&typed, text).map(|rank| (rank, *text))).collect();
            found.sort();
            found.into_iter().map(|(_, text)| text).collect::<Vec<_>>()
        };
        assert_eq!(ranked("beer"), ["beer", "beer garden", "garden of beers", "micro brewed beer", "bear"]);
        assert_eq!(ranked("garden beer"), ["beer garden", "garden of beers"]);
        assert_eq!(ranked("be"), ["bear", "beer", "beer garden", "garden of beers", "micro brewed beer", "well being"]);
        assert_eq!(ranked(""), Vec::<&str>::new());
        assert_eq!(ranked("bx"), Vec::<&str>::new(), "two letters have no mistakes");
    }

    #[test]
    fn words_count_once_and_not_too_many() {
        let words = |typed: &str| Typed::of(typed).map(|typed| typed.words.len());
        assert_eq!(words(&"a ".repeat(99)), Some(1));
        assert_eq!(words("b a b a q"), Some(3));
        assert_eq!(words("a b c d e f g h i j"), Some(10));
        assert_eq!(words("a b c d e f g h i j k"), None);
        assert_eq!(words(""), None);
        let typed = ["tea x", "tea tea"].map(|text| Typed::of(text).unwrap());
        assert_eq!(best(&typed, "house tea"), Some(Rank { class: Class::Words, mistakes: 0 }));
    }
}
