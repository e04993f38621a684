//! Whether a text is meant by what somebody typed, and how well: the same on both engines, because it is decided here.

use super::tokens::mistakes_max;

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

/// How well a folded text matches a folded one that was typed; `None`: not at all.
pub fn rank(typed: &str, text: &str) -> Option<Rank> {
    let class = match text.find(typed) {
        _ if typed.is_empty() => return None,
        Some(0) if text.len() == typed.len() => Class::Exact,
        Some(0) => Class::Beginning,
        Some(_) => Class::Contained,
        None => Class::Words,
    };
    if class != Class::Words {
        return Some(Rank { class, mistakes: 0 });
    }
    let words: Vec<(&str, Vec<char>)> = text.split(' ').map(|word| (word, word.chars().collect())).collect();
    let mut mistakes = 0;
    for typed in typed.split(' ') {
        let letters: Vec<char> = typed.chars().collect();
        let most = mistakes_max(letters.len());
        let of_word = |(word, meant): &(&str, Vec<char>)| {
            if word.contains(typed) { Some(0) } else { distance(&letters, meant, most) }
        };
        mistakes += words.iter().filter_map(of_word).min()?;
    }
    Some(Rank { class, mistakes })
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
            let mut found: Vec<_> =
                texts.iter().filter_map(|text| rank(typed, text).map(|rank| (rank, *text))).collect();
            found.sort();
            found.into_iter().map(|(_, text)| text).collect::<Vec<_>>()
        };
        assert_eq!(ranked("beer"), ["beer", "beer garden", "garden of beers", "micro brewed beer", "bear"]);
        assert_eq!(ranked("garden beer"), ["beer garden", "garden of beers"]);
        assert_eq!(ranked("be"), ["bear", "beer", "beer garden", "garden of beers", "micro brewed beer", "well being"]);
        assert_eq!(ranked(""), Vec::<&str>::new());
        assert_eq!(ranked("bx"), Vec::<&str>::new(), "two letters have no mistakes");
    }
}
