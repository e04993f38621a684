//! The windows of an account: in memory, and as its row has them.
//!
//! They are part of the row and lag with it. What the row has not counted yet is counted when the row is brought up to date
//! (`recover.rs`, `follow.rs`), by the rule of the core.

use super::rows;
use crate::store::Error;
use ledger_core::{AccountId, Amount, Date, Direction, Period, Timestamp, Transfer, UtcOffset, Window};
use std::borrow::Cow;
use std::fmt::Write as _;

/// At most one for each direction and period, in their order. Most accounts have none.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Windows(Box<[Window]>);

fn key(window: &Window) -> (Direction, Period) {
    (window.direction, window.period)
}

/// What an account has that has none.
const NONE: &str = "[]";

/// A window's numbers as they are stored: direction, period, the maxima, what is used, and when it began, was set and has its midnight.
type Stored = [Option<i64>; 9];

impl Windows {
    pub(super) const fn all(&self) -> &[Window] {
        &self.0
    }

    /// Takes in a window that changed. One without maxima was taken away.
    pub(super) fn change(&mut self, window: Window) {
        let found = self.0.binary_search_by_key(&key(&window), key);
        if let (Ok(place), true) = (found, window.limits()) {
            self.0[place] = window;
            return;
        }
        let mut all = std::mem::take(&mut self.0).into_vec();
        match found {
            Ok(place) => drop(all.remove(place)),
            Err(place) if window.limits() => all.insert(place, window),
            Err(_) => {}
        }
        self.0 = all.into();
    }

    /// Counts what a transfer that has come to its state passes through the account one way.
    pub(super) fn count(&mut self, direction: Direction, transfer: &Transfer, now: Timestamp) {
        for window in self.0.iter_mut().filter(|window| window.direction == direction) {
            *window = window.after(transfer, now);
        }
    }

    /// As `account.windows` has them: an array of arrays, in JSON.
    pub(super) fn text(&self) -> Cow<'static, str> {
        if self.0.is_empty() {
            return Cow::Borrowed(NONE);
        }
        let mut text = String::from("[");
        for window in &*self.0 {
            text.push_str(if text.len() > 1 { ",[" } else { "[" });
            for (place, number) in numbers(window).into_iter().enumerate() {
                let comma = if place > 0 { "," } else { "" };
                // Writing to memory does not fail.
                let _ = match number {
                    Some(number) => write!(text, "{comma}{number}"),
                    None => write!(text, "{comma}null"),
                };
            }
            text.push(']');
        }
        text.push(']');
        Cow::Owned(text)
    }

    /// Of this account, as its row has them.
    ///
    /// # Errors
    /// When the text is not what is written of any windows, byte for byte.
    pub(super) fn stored(account: AccountId, text: &str) -> Result<Windows, Error> {
        if text == NONE {
            return Ok(Windows::default());
        }
        let wrong = || Error::Corrupt("the windows of an account are not as they are written".into());
        let all = text.strip_prefix("[[").and_then(|text| text.strip_suffix("]]")).ok_or_else(wrong)?;
        let each = |text| window(account, stored_numbers(text).ok_or_else(wrong)?);
        let windows = Windows(all.split("],[").map(each).collect::<Result<_, _>>()?);
        let in_order = windows.0.is_sorted_by(|a, b| key(a) < key(b));
        if in_order && windows.text() == text { Ok(windows) } else { Err(wrong()) }
    }
}

fn stored_numbers(text: &str) -> Option<Stored> {
    let number = |text: &str| if text == "null" { Some(None) } else { text.parse().ok().map(Some) };
    text.split(',').map(number).collect::<Option<Vec<_>>>()?.try_into().ok()
}

fn window(account: AccountId, numbers: Stored) -> Result<Window, Error> {
    let [direction, period, max_amount, max_count, used_amount, used_count, began, since, offset] = numbers;
    let wrong = |what: &str| Error::Corrupt(format!("{what} of a window of an account is out of range"));
    let window = Window {
        account,
        direction: match direction {
            Some(1) => Direction::Out,
            Some(2) => Direction::In,
            _ => return Err(wrong("the direction")),
        },
        period: match period {
            Some(1) => Period::Day,
            Some(2) => Period::Week,
            Some(3) => Period::Month,
            _ => return Err(wrong("the period")),
        },
        max_amount: max_amount.map(not_negative).transpose()?,
        max_count: max_count.map(u32::try_from).transpose().map_err(|_| wrong("the most movements"))?,
        used_amount: not_negative(used_amount.ok_or_else(|| wrong("what is used"))?)?,
        used_count: number(used_count).ok_or_else(|| wrong("how many movements are used"))?,
        began: Date(number(began).ok_or_else(|| wrong("the beginning"))?),
        since: Timestamp(since.ok_or_else(|| wrong("since when it is set"))?),
        offset: number(offset).and_then(UtcOffset::new).ok_or_else(|| wrong("the offset"))?,
    };
    if window.limits() { Ok(window) } else { Err(Error::Corrupt("a window limits nothing".into())) }
}

fn not_negative(minor: i64) -> Result<Amount, Error> {
    let amount = rows::checked(minor)?;
    let wrong = || Error::Corrupt("an amount of a window is negative".into());
    if amount >= Amount::ZERO { Ok(amount) } else { Err(wrong()) }
}

fn number<N: TryFrom<i64>>(number: Option<i64>) -> Option<N> {
    number.and_then(|number| N::try_from(number).ok())
}

fn numbers(window: &Window) -> Stored {
    [
        Some(match window.direction {
            Direction::Out => 1,
            Direction::In => 2,
        }),
        Some(match window.period {
            Period::Day => 1,
            Period::Week => 2,
            Period::Month => 3,
        }),
        window.max_amount.map(Amount::minor),
        window.max_count.map(i64::from),
        Some(window.used_amount.minor()),
        Some(window.used_count.into()),
        Some(window.began.0.into()),
        Some(window.since.0),
        Some(window.offset.minutes().into()),
    ]
}

#[cfg(test)]
mod tests {
    use super::Windows;
    use ledger_core::{AccountId, Amount, Date, Direction, Period, Timestamp, UtcOffset, Window};

    const ALICE: AccountId = AccountId(7);

    fn window(direction: Direction, period: Period, max_count: Option<u32>) -> Window {
        Window {
            account: ALICE,
            direction,
            period,
            max_amount: None,
            max_count,
            used_amount: Amount::MAX,
            used_count: 1,
            began: Date(-3),
            since: Timestamp(i64::MAX),
            offset: UtcOffset::new(-60).unwrap(),
        }
    }

    fn text(windows: &[Window]) -> String {
        let mut all = Windows::default();
        windows.iter().for_each(|window| all.change(*window));
        all.text().into_owned()
    }

    #[test]
    fn what_is_stored_is_read_again_and_nothing_else_is() {
        let day = window(Direction::Out, Period::Day, Some(5));
        let week = Window { max_amount: Some(Amount::ZERO), ..window(Direction::Out, Period::Week, None) };
        let month = window(Direction::In, Period::Month, Some(u32::MAX));
        let stored = text(&[month, week, day]);
        assert_eq!(Windows::stored(ALICE, &stored).unwrap().all(), [day, week, month]);
        assert_eq!(text(&[]), "[]");
        assert_eq!(text(&[day, month, Window { max_count: None, ..day }]), text(&[month]));
        for place in 0..stored.len() {
            for other in ["", " ", "0", "9", ",", "]", "null"] {
                let changed = format!("{}{other}{}", &stored[..place], &stored[place + 1..]);
                let read = Windows::stored(ALICE, &changed);
                assert!(read.is_err() || changed == stored || read.unwrap().text() == changed, "{changed}");
            }
        }
        let [day, week] = [text(&[day]), text(&[week])].map(|text| text[1..text.len() - 1].to_owned());
        for wrong in [format!("[{week},{day}]"), format!("[{day},{day}]"), day, String::new(), "null".into()] {
            assert!(Windows::stored(ALICE, &wrong).is_err(), "{wrong}");
        }
    }
}
