//! What others have that an entity looks for, as a row of `mail` carries it: a line for each.

use uuid::Uuid;

/// Somebody else has what an entity looks for, or looks for what it has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Match {
    /// The other offers it; if not, they want it.
    pub offered: bool,
    /// What.
    pub tag: String,
    /// The other entity.
    pub entity: u128,
}

pub(super) fn to_lines(matches: &[Match]) -> String {
    let line = |Match { offered, tag, entity }: &Match| {
        let kind = if *offered { "offer" } else { "want" };
        format!("{kind} {} {tag}\n", Uuid::from_u128(*entity).simple())
    };
    matches.iter().map(line).collect()
}

/// What is no line is left out.
pub(super) fn from_lines(lines: &str) -> Vec<Match> {
    let read = |line: &str| {
        let (kind, rest) = line.split_once(' ')?;
        let (entity, tag) = rest.split_once(' ')?;
        let entity = Uuid::parse_str(entity).ok()?.as_u128();
        Some(Match { offered: kind == "offer", tag: tag.to_owned(), entity })
    };
    lines.lines().filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_are_read_as_they_were_written() {
        let matches = [(true, "café", 7), (false, "two words", u128::MAX)];
        let matches = matches.map(|(offered, tag, entity)| Match { offered, tag: tag.into(), entity });
        assert_eq!(from_lines(&to_lines(&matches)), matches);
        assert_eq!(from_lines("offer\nwant x y\n"), []);
    }
}
