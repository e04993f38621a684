//! Reads the text of a scenario. What its lines mean is in the module above.

use super::{Begin, Block, Line, Scenario, Step, Tie};
use ledger_core::{
    AccountStatus, Action, Amount, Direction, Period, Rejection, Timestamp, TransferKind, Unit, UtcOffset,
};

/// Reads a scenario.
///
/// # Errors
/// The number of the first line that means nothing, and why.
pub fn parse(text: &str) -> Result<Scenario, (usize, String)> {
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    let mut lines = lines.peekable();
    let (number, first) = lines.next().ok_or((1, "nothing happens".to_owned()))?;
    let unit = unit(first).map_err(|problem| (number, problem))?;
    let http = lines.next_if(|(_, line)| line.trim() == "surfaces: http").is_some();
    let mut blocks: Vec<Block> = Vec::new();
    let mut group: Option<Vec<Line>> = None;
    for (number, text) in lines {
        let at = |problem: String| (number, problem);
        match (text.trim(), group.take()) {
            ("linked", None) => group = Some(Vec::new()),
            ("end", Some(lines)) => blocks.push(Block { lines, tie: Tie::Linked }),
            ("cut", Some(lines)) => blocks.push(Block { lines, tie: Tie::Cut }),
            ("linked" | "end" | "cut", _) => {
                return Err(at("groups begin with `linked`, and end with `end` or `cut`".into()));
            }
            (trimmed, in_group) => {
                let line = line(number, trimmed, &unit).map_err(at)?;
                if http {
                    expressible_in_http(&line.step, in_group.is_some()).map_err(at)?;
                }
                match in_group {
                    Some(mut lines) => {
                        lines.push(line);
                        group = Some(lines);
                    }
                    None => blocks.push(Block { lines: vec![line], tie: Tie::Alone }),
                }
            }
        }
    }
    if group.is_some() {
        return Err((text.lines().count(), "the last group does not end".into()));
    }
    Ok(Scenario { unit, http, blocks })
}

fn unit(line: &str) -> Result<Unit, String> {
    let mut words = Words::of(line);
    words.exactly("unit")?;
    let (code, scale) = (words.next("a code")?, words.next("a scale")?);
    let scale = scale.parse().map_err(|_| format!("{scale} is not a scale"))?;
    Unit::new(code, scale).map_err(|error| format!("no such unit: {error:?}"))
}

fn line(number: usize, text: &str, unit: &Unit) -> Result<Line, String> {
    let mut words = Words::of(text);
    let step = step(&mut words, unit)?;
    let answer = words.rest();
    let expected = match (&step, answer.as_slice()) {
        (Step::Now(_), []) => String::new(),
        (Step::Account { .. } | Step::Limits { .. } | Step::Status { .. } | Step::Window { .. }, []) => "ok".into(),
        (Step::Balance { .. } | Step::Available { .. } | Step::Room { .. }, [amount]) => {
            unit.format(self::amount(amount, unit)?)
        }
        (Step::State { .. }, [word]) if STATES.contains(word) => (*word).into(),
        (Step::Begin(_) | Step::Settle { .. } | Step::Again { .. } | Step::Preview(_), ["repeated"]) => {
            "repeated".into()
        }
        (_, answer) => outcome(answer, unit)?,
    };
    Ok(Line { number, text: text.into(), step, expected })
}

const STATES: [&str; 9] =
    ["none", "held", "requested", "posted", "released", "declined", "withdrawn", "expired", "refused"];

/// `ok`, or a refusal with the amount that comes with it.
fn outcome(answer: &[&str], unit: &Unit) -> Result<String, String> {
    let refusal = |word: &str| {
        let mut all = (1..=u8::MAX).map_while(|code| Rejection::from_code(code, Amount::ZERO));
        all.find(|rejection| rejection.word() == word).ok_or_else(|| format!("no answer is called {word:?}"))
    };
    match answer {
        [] => Err("what must come of it?".into()),
        ["ok"] => Ok("ok".into()),
        [word] if refusal(word)?.amount().is_none() => Ok((*word).into()),
        [word, amount] if refusal(word)?.amount().is_some() => {
            Ok(format!("{word} {}", unit.format(self::amount(amount, unit)?)))
        }
        other => Err(format!("{:?} is not an answer, or lacks its amount", other.join(" "))),
    }
}

fn step(words: &mut Words<'_>, unit: &Unit) -> Result<Step, String> {
    let verb = words.next("a verb")?;
    Ok(match verb {
        "account" => {
            let (name, (floor, ceiling)) = (words.next("a name")?.into(), limits(words, unit)?);
            Step::Account { name, floor, ceiling, frozen: words.next_if("frozen") }
        }
        "limits" => {
            let (name, (floor, ceiling)) = (words.next("a name")?.into(), limits(words, unit)?);
            Step::Limits { name, floor, ceiling }
        }
        "status" => {
            let name = words.next("a name")?.into();
            let status = match words.next("a status")? {
                "open" => AccountStatus::Open,
                "frozen" => AccountStatus::Frozen,
                "closed" => AccountStatus::Closed,
                other => return Err(format!("no status is called {other:?}")),
            };
            Step::Status { name, status }
        }
        "window" => window(words, unit)?,
        "transfer" | "hold" | "request" => Step::Begin(begin(verb, words, unit)?),
        "preview" => {
            let verb = words.next("what to preview")?;
            Step::Preview(begin(verb, words, unit)?)
        }
        "capture" => {
            let id = words.next("an id")?.into();
            let part = words.next_amount().map(|text| amount(text, unit)).transpose()?;
            Step::Settle { id, action: Action::Capture(part) }
        }
        "release" => Step::Settle { id: words.next("an id")?.into(), action: Action::Release },
        "accept" => Step::Settle { id: words.next("an id")?.into(), action: Action::Accept },
        "decline" => Step::Settle { id: words.next("an id")?.into(), action: Action::Decline },
        "withdraw" => Step::Settle { id: words.next("an id")?.into(), action: Action::Withdraw },
        "expire" => Step::Settle { id: words.next("an id")?.into(), action: Action::Expire },
        "again" => Step::Again { id: words.next("an id")?.into() },
        "balance" => Step::Balance { name: words.next("a name")?.into() },
        "available" => Step::Available { name: words.next("a name")?.into() },
        "room" => Step::Room { name: words.next("a name")?.into() },
        "state" => Step::State { id: words.next("an id")?.into() },
        "now" => Step::Now(seconds(words.next("seconds")?)?),
        other => return Err(format!("no verb is called {other:?}")),
    })
}

fn window(words: &mut Words<'_>, unit: &Unit) -> Result<Step, String> {
    let name = words.next("a name")?.into();
    let direction = match words.next("in or out")? {
        "in" => Direction::In,
        "out" => Direction::Out,
        other => return Err(format!("no direction is called {other:?}")),
    };
    let period = match words.next("a period")? {
        "day" => Period::Day,
        "week" => Period::Week,
        "month" => Period::Month,
        other => return Err(format!("no period is called {other:?}")),
    };
    let max_amount = if words.next_if("amount") { Some(amount(words.next("an amount")?, unit)?) } else { None };
    let number = |text: &str| text.parse().map_err(|_| format!("{text:?} is not a number of movements"));
    let max_count = if words.next_if("count") { Some(number(words.next("a count")?)?) } else { None };
    let offset = if words.next_if("utc") { utc_offset(words.next("minutes")?)? } else { UtcOffset::UTC };
    Ok(Step::Window { name, direction, period, max_amount, max_count, offset })
}

fn utc_offset(text: &str) -> Result<UtcOffset, String> {
    let minutes = text.parse().ok().and_then(UtcOffset::new);
    minutes.ok_or_else(|| format!("{text:?} is not a number of minutes from UTC"))
}

fn begin(verb: &str, words: &mut Words<'_>, unit: &Unit) -> Result<Begin, String> {
    let kind = match verb {
        "transfer" => TransferKind::Immediate,
        "hold" => TransferKind::Hold,
        "request" => TransferKind::Request,
        other => return Err(format!("{other:?} does not begin a transfer")),
    };
    let (id, payer) = (words.next("an id")?.into(), words.next("who pays")?.into());
    words.exactly("->")?;
    let (payee, amount) = (words.next("who is paid")?.into(), amount(words.next("an amount")?, unit)?);
    let expires_at = if words.next_if("expires") { Some(seconds(words.next("seconds")?)?) } else { None };
    let payable = words.next_if("payable");
    let keyed = words.next_if("keyed");
    let memo = if words.next_if("memo") { Some(words.next("a memo")?.into()) } else { None };
    Ok(Begin { kind, id, payer, payee, amount, expires_at, payable, keyed, memo })
}

fn limits(words: &mut Words<'_>, unit: &Unit) -> Result<(Amount, Amount), String> {
    let mut limit = |word: &str, none: Amount| {
        words.exactly(word)?;
        match words.next("a limit")? {
            "none" => Ok(none),
            text => amount(text, unit),
        }
    };
    Ok((limit("floor", Amount::MIN)?, limit("ceiling", Amount::MAX)?))
}

fn amount(text: &str, unit: &Unit) -> Result<Amount, String> {
    unit.parse(text).map_err(|error| format!("{text:?} is not an amount: {error:?}"))
}

fn seconds(text: &str) -> Result<Timestamp, String> {
    let seconds: i64 = text.parse().map_err(|_| format!("{text:?} is not a number of seconds"))?;
    seconds.checked_mul(1_000_000).map(Timestamp).ok_or_else(|| format!("{text} seconds are too many"))
}

/// HTTP has no word for the rest; whoever gives it one moves the step up.
fn expressible_in_http(step: &Step, in_group: bool) -> Result<(), String> {
    let plain = |begin: &Begin| begin.expires_at.is_none() && !begin.keyed && begin.memo.is_none();
    let yes = match step {
        Step::Account { floor, ceiling, .. } | Step::Limits { floor, ceiling, .. } => {
            *floor <= Amount::ZERO && Amount::ZERO <= *ceiling && *floor > Amount::MIN && *ceiling < Amount::MAX
        }
        Step::Status { status, .. } => *status != AccountStatus::Closed,
        Step::Begin(begin) => plain(begin),
        Step::Preview(begin) => plain(begin) && begin.kind == TransferKind::Hold,
        Step::Settle { action, .. } => !matches!(action, Action::Capture(Some(_)) | Action::Expire),
        Step::Balance { .. } => true,
        Step::Available { .. } | Step::Room { .. } | Step::State { .. } | Step::Again { .. } | Step::Now(_) => false,
        Step::Window { .. } => false,
    };
    if yes && !in_group {
        Ok(())
    } else {
        Err("HTTP cannot express this: drop `surfaces: http`, or move the line".into())
    }
}

/// The words of a line that are still to be read.
struct Words<'a> {
    rest: std::iter::Peekable<std::str::SplitWhitespace<'a>>,
}

impl<'a> Words<'a> {
    fn of(line: &'a str) -> Words<'a> {
        Words { rest: line.split_whitespace().peekable() }
    }

    fn next(&mut self, what: &str) -> Result<&'a str, String> {
        self.rest.next().ok_or_else(|| format!("{what} is missing"))
    }

    fn exactly(&mut self, word: &str) -> Result<(), String> {
        let found = self.next(word)?;
        if found == word { Ok(()) } else { Err(format!("{word:?} should be where {found:?} is")) }
    }

    fn next_if(&mut self, word: &str) -> bool {
        self.rest.next_if_eq(&word).is_some()
    }

    fn next_amount(&mut self) -> Option<&'a str> {
        self.rest.next_if(|word| word.starts_with(|first: char| first == '-' || first.is_ascii_digit()))
    }

    fn rest(self) -> Vec<&'a str> {
        self.rest.collect()
    }
}
