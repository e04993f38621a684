//! Tags: the words for what an entity offers and wants.

/// Tags of each kind that an entity may have.
pub const TAGS_MAX: usize = 10;
/// Characters of a tag.
pub const TAG_LENGTH_MAX: usize = 50;

/// The tags as they are kept: lower case, words joined by `-`, each once. Letters and digits of every script stay.
pub fn tag_names(typed: &[String]) -> Vec<String> {
    let mut names: Vec<String> = vec![];
    for text in typed {
        let lower = text.to_lowercase();
        let kept: String = lower.chars().map(|char| if char.is_alphanumeric() { char } else { ' ' }).collect();
        let name = kept.split_whitespace().collect::<Vec<_>>().join("-");
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    names
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
        ];
        let names = tag_names(&typed.map(String::from));
        assert_eq!(names, ["a-1-unique-tag", "the-changed-tag", "3d-printing", "café", "ሻይ-ቤት"]);
    }
}
