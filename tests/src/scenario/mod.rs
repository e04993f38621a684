//! Scenarios: texts that read like a ledger, and are run on every path by which the ledger can be reached.
//!
//! ```text
//! # Holds count: what is reserved cannot be sent twice.
//! unit KES-MC 2
//! account alice floor -100 ceiling 500
//! account bob floor 0 ceiling 500
//!
//! hold h1 alice -> bob 60       ok
//! hold h2 alice -> bob 50       floor-exceeded 40
//! capture h1                    ok
//! balance alice                 -60
//! ```
//!
//! An arrow leads from who pays to who is paid, also for requests. Every command ends with what must come of it: `ok`,
//! `repeated`, or the word of a refusal with its amount; of account commands, `ok` can be left out.
//!
//! | line | meaning |
//! | --- | --- |
//! | `unit CODE SCALE` | what is counted; first line but for comments |
//! | `surfaces: http` | the file uses only what HTTP can express; refused when it does not |
//! | `account NAME floor A ceiling B [frozen]` | opens an account; `none` for no limit |
//! | `limits NAME floor A ceiling B` | moves its limits |
//! | `status NAME open\|frozen\|closed` | changes its status |
//! | `window NAME in\|out day\|week\|month [amount A] [count N] [utc MINUTES]` | limits what may pass in a period, which begins so many minutes before that of UTC; without amount and count, takes the limit away |
//! | `transfer\|hold\|request ID P -> Q AMOUNT [expires SECONDS] [payable] [keyed] [memo WORD]` | begins a transfer; `payable`: refuse a request that could not be paid now |
//! | `capture ID [AMOUNT]`, `release ID`, `accept ID`, `decline ID`, `withdraw ID`, `expire ID` | settles it |
//! | `preview` and a line that begins a transfer | what would come of it |
//! | `again ID` | the very command that began it first, once more |
//! | `balance\|available\|room NAME` | an amount |
//! | `state ID` | a word, `none` when there is no such transfer |
//! | `now SECONDS` | moves the clock, which begins at 0 |
//! | `linked` … `end` | the lines between succeed or fail together; closed with `cut`, the batch ends inside of the group |

mod parse; // text to steps
mod ledger; // steps to the core's commands
mod native; // decided by the core in this process
mod component; // decided by the component in its sandbox
mod posting; // decided and stored by the host
mod http; // asked of a server

pub use ledger::{Decide, Ledger};
pub use parse::parse;

use crate::database::Engine;
use component::Component;
use http::Http;
use ledger_core::{AccountStatus, Action, Amount, Direction, Period, Timestamp, TransferKind, Unit, UtcOffset};
use native::Native;
use posting::Posted;
use std::fmt::Write;
use std::path::PathBuf;
use std::pin::Pin;

/// What a runner is about to say.
pub type Answering<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A text, read.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What amounts are in.
    pub unit: Unit,
    /// Whether HTTP can express it.
    pub http: bool,
    /// What to do, in order.
    pub blocks: Vec<Block>,
}

/// Lines that are run together.
#[derive(Clone, Debug)]
pub struct Block {
    /// One, or those of a linked group.
    pub lines: Vec<Line>,
    /// How they hang together.
    pub tie: Tie,
}

/// How the lines of a block hang together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tie {
    /// One line for itself.
    Alone,
    /// A linked group.
    Linked,
    /// A linked group inside of which its batch ends.
    Cut,
}

/// A step and what must come of it.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its number in the file, from 1.
    pub number: usize,
    /// As it is written.
    pub text: String,
    /// What to do.
    pub step: Step,
    /// The answer, with amounts in their shortest form. Empty when nothing is answered.
    pub expected: String,
}

/// What to do.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the table above says what each line means")]
pub enum Step {
    Account {
        name: String,
        floor: Amount,
        ceiling: Amount,
        frozen: bool,
    },
    Limits {
        name: String,
        floor: Amount,
        ceiling: Amount,
    },
    Status {
        name: String,
        status: AccountStatus,
    },
    Window {
        name: String,
        direction: Direction,
        period: Period,
        max_amount: Option<Amount>,
        max_count: Option<u32>,
        offset: UtcOffset,
    },
    Begin(Begin),
    Preview(Begin),
    Settle {
        id: String,
        action: Action,
    },
    Again {
        id: String,
    },
    Balance {
        name: String,
    },
    Available {
        name: String,
    },
    Room {
        name: String,
    },
    State {
        id: String,
    },
    Now(Timestamp),
}

/// How a transfer begins.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the table above says what each word means")]
pub struct Begin {
    pub kind: TransferKind,
    pub id: String,
    pub payer: String,
    pub payee: String,
    pub amount: Amount,
    pub expires_at: Option<Timestamp>,
    pub payable: bool,
    pub keyed: bool,
    pub memo: Option<String>,
}

/// A path by which the ledger can be reached. Answers are in the words of a scenario.
pub trait Runner {
    /// What to call it when it differs.
    fn name(&self) -> &'static str;

    /// Takes one step and says what came of it; nothing for a step that has no answer.
    fn run<'a>(&'a mut self, step: &'a Step) -> Answering<'a, String>;

    /// Whether a batch can end inside of a group. A host closes every group.
    fn leaves_groups_open(&self) -> bool {
        true
    }

    /// Proves what came of all steps, where there is something to prove.
    fn prove(&mut self) -> Answering<'_, ()> {
        Box::pin(async {})
    }

    /// Takes the steps of a linked group; one answer each.
    fn run_linked<'a>(&'a mut self, steps: Vec<&'a Step>, tie: Tie) -> Answering<'a, Vec<String>> {
        Box::pin(async move { steps.iter().map(|_| format!("linked groups cannot be expressed ({tie:?})")).collect() })
    }
}

/// Runs `scenarios/{name}.txt` natively, through the component, through posting on both databases and, where HTTP can
/// express it, through a server on each; all books are then proven.
///
/// # Panics
/// When an answer is not the expected one: with file, line, and what each runner said.
pub async fn check(name: &str) {
    let scenario = load(name);
    let native = Ledger::new(Native::default(), scenario.unit.clone());
    let component = Ledger::new(Component::default(), scenario.unit.clone());
    let mut runners: Vec<Box<dyn Runner>> = vec![Box::new(native), Box::new(component)];
    for engine in Engine::ALL {
        let posted = Posted::on(engine, &scenario.unit).await;
        runners.push(Box::new(Ledger::new(posted, scenario.unit.clone())));
        if scenario.http {
            runners.push(Box::new(Http::on(engine, &scenario.unit).await));
        }
    }
    check_on(name, &scenario, runners).await;
}

/// Reads `scenarios/{name}.txt`.
///
/// # Panics
/// When there is no such file, or a line of it means nothing.
pub fn load(name: &str) -> Scenario {
    let path = path(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    parse(&text).unwrap_or_else(|(line, problem)| panic!("scenarios/{name}.txt:{line}: {problem}"))
}

/// Runs a scenario on each of `runners`.
///
/// # Panics
/// As [`check`] does.
pub async fn check_on(name: &str, scenario: &Scenario, mut runners: Vec<Box<dyn Runner>>) {
    for block in &scenario.blocks {
        let mut answers = Vec::new();
        for runner in &mut runners {
            // Such a group changes nothing, so whoever cannot be told of it misses nothing.
            if block.tie == Tie::Cut && !runner.leaves_groups_open() {
                continue;
            }
            let said = match block.tie {
                Tie::Alone => vec![runner.run(&block.lines[0].step).await],
                tie => runner.run_linked(block.lines.iter().map(|line| &line.step).collect(), tie).await,
            };
            assert_eq!(said.len(), block.lines.len(), "{} answers once for each line", runner.name());
            answers.push((runner.name(), said));
        }
        for (place, line) in block.lines.iter().enumerate() {
            if answers.iter().any(|(_, said)| said[place] != line.expected) {
                panic!(
                    "{}",
                    difference(name, line, answers.iter().map(|(runner, said)| (*runner, said[place].as_str())))
                );
            }
        }
    }
    for runner in &mut runners {
        runner.prove().await;
    }
}

fn difference<'a>(name: &str, line: &Line, answers: impl Iterator<Item = (&'static str, &'a str)>) -> String {
    let mut text =
        format!("scenarios/{name}.txt:{}: {}\n{:>10}: {}", line.number, line.text.trim(), "expected", line.expected);
    for (runner, said) in answers {
        write!(text, "\n{runner:>10}: {said}").expect("writing to a String does not fail");
    }
    text
}

fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "scenarios", &format!("{name}.txt")].iter().collect()
}
