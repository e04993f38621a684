//! A statement as pages: A4, one font whose characters are all equally wide, so that a place on a page is a line and a column.

use super::csv::date;
use super::{Line, Statement};
use crate::{id_text, posting};
use anyhow::{Context, anyhow};
use krilla::Document;
use krilla::geom::Point;
use krilla::metadata::Metadata;
use krilla::page::PageSettings;
use krilla::text::{Font, TextDirection};

/// A4, in points.
const PAGE: (f32, f32) = (595.0, 842.0);
/// Where columns and lines begin, in points.
const MARGIN: u16 = 40;
/// A column, in points.
const COLUMN: u16 = 5;
/// A line, in points.
const LINE: u16 = 11;
/// The size at which a character of DejaVu Sans Mono, 1233 of 2048 units wide, is a column wide.
const SIZE: f32 = 8.305;
/// Columns and lines of a page. The last two lines are the footer's.
const WIDTH: usize = 103;
const LINES: usize = 68;

/// Where the text of a movement begins, and how wide it is.
const TEXT: (usize, usize) = (11, 44);
/// Where amounts, balances and records end.
const AMOUNT_END: usize = 71;
const BALANCE_END: usize = 87;
const RECORD_END: usize = WIDTH;

/// A line of a page: pieces of text and the columns where they begin.
#[derive(Default)]
struct Row {
    pieces: Vec<(usize, String)>,
    bold: bool,
}

impl Row {
    fn left(mut self, column: usize, text: impl Into<String>) -> Row {
        self.pieces.push((column, text.into()));
        self
    }

    /// Ends before this column.
    fn right(self, end: usize, text: impl Into<String>) -> Row {
        let text = text.into();
        let begin = end.saturating_sub(text.chars().count());
        self.left(begin, text)
    }

    fn bold(self) -> Row {
        Row { bold: true, ..self }
    }
}

/// The pages.
///
/// # Errors
/// When the pages cannot be put together, which the library alone could tell why.
pub fn pdf(statement: &Statement) -> anyhow::Result<Vec<u8>> {
    let font = |data: &'static [u8]| Font::new(data.into(), 0).context("the font of this program cannot be read");
    let fonts = [font(dejavu::sans_mono::regular())?, font(dejavu::sans_mono::bold())?];
    let mut document = Document::new();
    document.set_metadata(Metadata::new().title(format!("Statement of account {}", statement.number)));
    let rows: Vec<Row> = head(statement).into_iter().chain(body(statement)).chain(foot(statement)).collect();
    let pages: Vec<&[Row]> = rows.chunks(LINES - 2).collect();
    let settings = PageSettings::from_wh(PAGE.0, PAGE.1).ok_or_else(|| anyhow!("A4 is no page"))?;
    for (number, page) in (1..).zip(&pages) {
        let mut drawn = document.start_page_with(settings.clone());
        let mut surface = drawn.surface();
        let footer =
            Row::default().left(0, statement.number.as_str()).right(WIDTH, format!("{number} / {}", pages.len()));
        let lines = page.iter().enumerate().chain([(LINES - 1, &footer)]);
        for (line, Row { pieces, bold }) in lines {
            for (column, text) in pieces {
                for (offset, run, direction) in runs(text) {
                    let at = Point::from_xy(place(column + offset, COLUMN), place(line + 1, LINE));
                    surface.draw_text(at, fonts[usize::from(*bold)].clone(), SIZE, &run, false, direction);
                }
            }
        }
        surface.finish();
        drawn.finish();
    }
    document.finish().map_err(|error| anyhow!("a statement could not be made into pages: {error:?}"))
}

/// A text in runs of one direction, and the columns where they begin: one letter that is read from the right must not turn the digits around it.
fn runs(text: &str) -> Vec<(usize, String, TextDirection)> {
    let mut runs: Vec<(usize, String, TextDirection)> = vec![];
    for (column, char) in text.chars().enumerate() {
        let right = is_from_the_right(char);
        match runs.last_mut() {
            Some((_, run, direction)) if (*direction == TextDirection::RightToLeft) == right => run.push(char),
            _ => {
                let direction = if right { TextDirection::RightToLeft } else { TextDirection::LeftToRight };
                runs.push((column, char.to_string(), direction));
            }
        }
    }
    runs
}

/// Letters of the scripts that are written from the right (Unicode 16, the blocks from Hebrew to Arabic Extended-A, and the later ones).
const fn is_from_the_right(char: char) -> bool {
    matches!(char, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}' | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
        && !matches!(char, '\u{660}'..='\u{669}' | '\u{6f0}'..='\u{6f9}' | '\u{7c0}'..='\u{7c9}')
}

/// From the edge of the page, in points.
fn place(number: usize, each: u16) -> f32 {
    f32::from(MARGIN + u16::try_from(number).unwrap_or(0).saturating_mul(each))
}

fn head(statement: &Statement) -> Vec<Row> {
    let Statement { unit, period, .. } = statement;
    let mut rows = vec![Row::default().left(0, "Statement of account").bold(), Row::default()];
    for part in wrapped(&statement.name, WIDTH) {
        rows.push(Row::default().left(0, part).bold());
    }
    rows.push(Row::default().left(0, format!("Account {}", statement.number)));
    rows.push(Row::default().left(0, format!("From {} to {} (UTC)", date(period.from.0), date(period.to.0))));
    rows.push(Row::default().left(0, format!("All amounts in {}", unit.code())));
    rows.push(Row::default());
    let titles = Row::default().left(0, "Date").left(TEXT.0, "From or to, what for").right(AMOUNT_END, "Amount");
    rows.push(titles.right(BALANCE_END, "Balance").right(RECORD_END, "Record").bold());
    rows.push(bound("Opening balance", unit.format_fixed(statement.opening)));
    rows
}

fn body(statement: &Statement) -> impl Iterator<Item = Row> {
    statement.lines.iter().flat_map(|line| movement(statement, line))
}

/// A movement: who and how much in its first line, what for below.
fn movement(Statement { unit, .. }: &Statement, Line { movement, number, name, .. }: &Line) -> Vec<Row> {
    let day = date(movement.at).chars().take(10).collect::<String>();
    let texts = wrapped(&format!("{number} {name}"), TEXT.1).into_iter().chain(wrapped(&movement.description, TEXT.1));
    let mut rows: Vec<Row> = texts.map(|text| Row::default().left(TEXT.0, text)).collect();
    if rows.is_empty() {
        rows.push(Row::default());
    }
    let first = std::mem::take(&mut rows[0]).left(0, day).right(AMOUNT_END, unit.format_fixed(movement.change));
    rows[0] =
        first.right(BALANCE_END, unit.format_fixed(movement.balance)).right(RECORD_END, movement.record.to_string());
    rows
}

fn foot(statement: &Statement) -> Vec<Row> {
    let Statement { unit, head: (records, hash), .. } = statement;
    let total = |what: &str, amount: String| Row::default().left(TEXT.0, what).right(AMOUNT_END, amount);
    vec![
        bound("Closing balance", unit.format_fixed(statement.closing)),
        Row::default(),
        total("In all, came", unit.format_fixed(statement.paid_in)),
        total("In all, went", unit.format_fixed(statement.paid_out)),
        Row::default(),
        Row::default().left(0, "To check this against the journal of the ledger:").bold(),
        Row::default().left(0, format!("ledger  {}", id_text(statement.ledger.0))),
        Row::default().left(0, format!("account {}", id_text(statement.account.0))),
        Row::default().left(0, format!("records {records}")),
        Row::default().left(0, format!("hash    {}", posting::hash_text(hash))),
    ]
}

fn bound(what: &str, balance: String) -> Row {
    Row::default().left(TEXT.0, what).right(BALANCE_END, balance).bold()
}

/// A text in lines of at most so many characters, broken between words where it can be. At least one line for a text that is not empty;
/// what cannot be seen is left out, so that nobody can turn a line around or hide a part of it.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let visible: String =
        text.chars().map(|char| if char.is_whitespace() { ' ' } else { char }).filter(is_visible).collect();
    let (mut lines, mut line) = (vec![], String::new());
    for word in visible.split(' ').filter(|word| !word.is_empty()) {
        for part in word.chars().collect::<Vec<_>>().chunks(width) {
            let (taken, more) = (line.chars().count(), part.len());
            if taken > 0 && taken + 1 + more > width {
                lines.push(std::mem::take(&mut line));
            } else if taken > 0 {
                line.push(' ');
            }
            line.extend(part);
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// Neither a control character nor one that only steers how others are shown (Unicode 16, categories Cc and, of Cf, the ones for direction
/// and joining).
fn is_visible(char: &char) -> bool {
    !char.is_control()
        && !matches!(*char, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{ad}')
}

#[cfg(test)]
mod tests {
    use super::{runs, wrapped};

    #[test]
    fn digits_stay_as_they_are_beside_letters_from_the_right() {
        let runs: Vec<(usize, String)> = runs("12 שלום 34").into_iter().map(|(column, run, _)| (column, run)).collect();
        assert_eq!(runs, [(0, "12 ".into()), (3, "שלום".into()), (7, " 34".into())]);
    }

    #[test]
    fn texts_are_broken_between_words() {
        assert_eq!(wrapped("", 5), Vec::<String>::new());
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("abcdefghij kl", 4), ["abcd", "efgh", "ij", "kl"]);
        assert_eq!(wrapped("a\r\nb\u{202e}c\u{200b}", 9), ["a bc"]);
        assert_eq!(wrapped("ሻይ ቤት", 2), ["ሻይ", "ቤት"]);
    }
}
