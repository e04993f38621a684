//! What a bench found: rows of figures with their targets, as text for people, as JSON for programs, and as a page to keep.

use crate::contest::Rounds;
use crate::machine::Machine;
use crate::statistics::{Latency, Spread};
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// Everything that one bench found.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct Table {
    /// Name of the bench.
    pub(crate) bench: String,
    /// What was measured, against what.
    pub(crate) question: String,
    pub(crate) rows: Vec<Row>,
    /// How the books were proven at the end, and what else is worth knowing.
    pub(crate) notes: Vec<String>,
}

/// One case.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct Row {
    pub(crate) case: String,
    /// What the numbers count.
    pub(crate) unit: String,
    pub(crate) measured: Spread,
    pub(crate) baseline: Option<Baseline>,
    /// Measured to baseline, in thousandths: the middle of the rounds' ratios.
    pub(crate) ratio: Option<u64>,
    pub(crate) target: Option<Target>,
    /// Of batches or requests.
    pub(crate) latency: Option<Latency>,
    /// High water of the measured process, in bytes.
    pub(crate) memory: Option<u64>,
}

/// What a case is compared with.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct Baseline {
    pub(crate) name: String,
    pub(crate) spread: Spread,
}

/// What a case must reach.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub(crate) enum Target {
    /// At least so many thousandths of the baseline.
    RatioAtLeast(u64),
    /// At most so many thousandths of the baseline.
    RatioAtMost(u64),
    /// The median is at least this, in the row's unit.
    AtLeast(u64),
    /// The median is below this, in the row's unit.
    Below(u64),
}

impl Row {
    /// A figure that is compared with nothing.
    pub(crate) fn plain(case: impl Into<String>, unit: &str, measured: Spread) -> Row {
        let (case, unit) = (case.into(), unit.into());
        Row { case, unit, measured, baseline: None, ratio: None, target: None, latency: None, memory: None }
    }

    /// Rates of rounds, in `unit`; nothing of no rounds.
    pub(crate) fn rates(case: impl Into<String>, unit: &str, rounds: &Rounds) -> Option<Row> {
        let row = Row::plain(case, unit, rounds.rate()?);
        Some(Row { latency: rounds.latency(), memory: rounds.memory(), ..row })
    }

    /// The same, against rounds that stood beside them.
    pub(crate) fn against(self, name: &str, measured: &Rounds, baseline: &Rounds) -> Row {
        let spread = baseline.rate().map(|spread| Baseline { name: name.into(), spread });
        Row { baseline: spread, ratio: measured.ratio_to(baseline), ..self }
    }

    /// The same, with what it must reach.
    pub(crate) fn target(self, target: Target) -> Row {
        Row { target: Some(target), ..self }
    }

    /// Whether the target is reached; nothing when there is none.
    pub(crate) fn passes(&self) -> Option<bool> {
        Some(match self.target? {
            Target::RatioAtLeast(least) => self.ratio? >= least,
            Target::RatioAtMost(most) => self.ratio? <= most,
            Target::AtLeast(least) => self.measured.median >= least,
            Target::Below(bound) => self.measured.median < bound,
        })
    }

    fn cells(&self) -> [String; 9] {
        let verdict = self.passes().map(|passes| if passes { "pass" } else { "MISSED" });
        let latency = |of: fn(&Latency) -> u64| self.latency.as_ref().map(|all| duration(of(all)));
        [
            self.case.clone(),
            format!("{} {}", spread(self.measured), self.unit),
            self.baseline.as_ref().map(|base| format!("{} {}", base.name, spread(base.spread))).unwrap_or_default(),
            self.ratio.map(thousandths).unwrap_or_default(),
            self.target.map(|target| target.text(&self.unit)).unwrap_or_default(),
            verdict.unwrap_or_default().into(),
            latency(|latency| latency.p50).unwrap_or_default(),
            latency(|latency| latency.p99).unwrap_or_default(),
            self.memory.map(|bytes| format!("{} MB", grouped(bytes / 1_000_000))).unwrap_or_default(),
        ]
    }
}

/// What the columns hold.
const HEAD: [&str; 9] = ["case", "min / median / max", "baseline", "ratio", "target", "", "p50", "p99", "peak memory"];

impl Target {
    fn text(self, unit: &str) -> String {
        match self {
            Target::RatioAtLeast(least) => format!("≥ {}", thousandths(least)),
            Target::RatioAtMost(most) => format!("≤ {}", thousandths(most)),
            Target::AtLeast(least) => format!("≥ {} {unit}", grouped(least)),
            Target::Below(bound) => format!("< {} {unit}", grouped(bound)),
        }
    }
}

impl Table {
    pub(crate) fn new(bench: &str, question: &str) -> Table {
        Table { bench: bench.into(), question: question.into(), rows: vec![], notes: vec![] }
    }

    /// Adds a row. A case without a single round has no row.
    pub(crate) fn add(&mut self, row: impl Into<Option<Row>>) {
        self.rows.extend(row.into());
    }

    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// For a terminal.
    pub(crate) fn text(&self) -> String {
        let lines: Vec<[String; 9]> =
            std::iter::once(HEAD.map(String::from)).chain(self.rows.iter().map(Row::cells)).collect();
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths: [usize; 9] = std::array::from_fn(width);
        let mut out = format!("\n{}: {}\n", self.bench, self.question);
        for line in &lines {
            let cells = line.iter().zip(widths).filter(|(_, width)| *width > 0);
            let padded: Vec<String> = cells.map(|(cell, width)| format!("{cell:<width$}")).collect();
            let _ = writeln!(out, "  {}", padded.join("  ").trim_end());
        }
        for note in &self.notes {
            let _ = writeln!(out, "  {note}");
        }
        out
    }

    /// For a page.
    pub(crate) fn markdown(&self) -> String {
        let mut out = format!("\n## {}\n\n{}\n\n", self.bench, self.question);
        let _ = writeln!(out, "| {} |", HEAD.join(" | "));
        let _ = writeln!(out, "|{}", " --- |".repeat(HEAD.len()));
        for row in &self.rows {
            let _ = writeln!(out, "| {} |", row.cells().join(" | "));
        }
        for note in &self.notes {
            let _ = write!(out, "\n{note}\n");
        }
        out
    }
}

/// All tables of a run as a page to keep.
pub(crate) fn page(machine: &Machine, quick: bool, tables: &[Table]) -> String {
    let mut out = String::from(
        "# Results\n\nWritten by `make bench`; the figures are those of one run, and nothing here is typed by hand.\n\n",
    );
    if quick {
        out.push_str("**A quick run: too short to judge by.**\n\n");
    }
    let _ = writeln!(out, "{}", machine.markdown());
    out.push_str(
        "Measured things and baselines took turns in the same run; each figure is min / median / max of the rounds, and a ratio is the\n\
         median of the ratios of rounds that stood beside each other. Latencies are of whole batches, or of requests.\n",
    );
    let missed = tables
        .iter()
        .flat_map(|table| table.rows.iter().filter(|row| row.passes() == Some(false)).map(move |row| (table, row)));
    let missed: Vec<String> = missed.map(|(table, row)| format!("- {}: {}\n", table.bench, row.case)).collect();
    if !missed.is_empty() {
        let _ = write!(out, "\nTargets missed:\n\n{}", missed.concat());
    }
    out.extend(tables.iter().map(Table::markdown));
    out
}

fn spread(spread: Spread) -> String {
    let Spread { min, median, max } = spread;
    match min == max {
        true => grouped(median),
        false => format!("{} / {} / {}", grouped(min), grouped(median), grouped(max)),
    }
}

/// `1234567` as `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn thousandths(value: u64) -> String {
    let text = format!("{}.{:03}", value / 1_000, value % 1_000);
    text.strip_suffix('0').map_or(text.clone(), String::from)
}

/// Nanoseconds with a unit that leaves at least two digits.
fn duration(nanos: u64) -> String {
    match nanos {
        0..10_000 => format!("{} ns", grouped(nanos)),
        10_000..10_000_000 => format!("{} µs", grouped(nanos / 1_000)),
        _ => format!("{} ms", grouped(nanos / 1_000_000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_easy_to_read() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([600, 1_000, 7, 1_234].map(thousandths), ["0.60", "1.00", "0.007", "1.234"]);
        assert_eq!([9_999, 10_000, 25_000_000].map(duration), ["9,999 ns", "10 µs", "25 ms"]);
    }

    #[test]
    fn targets_are_judged_by_ratio_or_by_median() {
        let row = Row::plain("x", "ms", Spread { min: 1, median: 5, max: 9 });
        let with = |ratio, target| Row { ratio, target: Some(target), ..row.clone() }.passes();
        assert_eq!(row.passes(), None);
        assert_eq!(with(Some(600), Target::RatioAtLeast(600)), Some(true));
        assert_eq!(with(Some(101), Target::RatioAtMost(100)), Some(false));
        assert_eq!(with(None, Target::RatioAtLeast(600)), None);
        assert_eq!(with(None, Target::Below(5)), Some(false));
        assert_eq!(with(None, Target::AtLeast(5)), Some(true));
    }
}
