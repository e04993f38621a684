//! When a job is to be done: at the same time of each hour or each day, in UTC.

use anyhow::bail;
use std::fmt;

const MINUTE: i64 = 60 * 1_000_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A time of day, in UTC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DailyTime {
    /// Since midnight.
    minutes: i64,
}

impl DailyTime {
    /// When it is quiet in most of the places where Swahili is spoken.
    pub(super) const QUIET: DailyTime = DailyTime { minutes: 23 * 60 + 30 };

    /// Reads `07:00`.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(text: &str) -> anyhow::Result<DailyTime> {
        let two = |digits: &str| -> Option<i64> {
            (digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_digit())).then(|| digits.parse().ok())?
        };
        let time = text.split_once(':').and_then(|(hours, minutes)| Some((two(hours)?, two(minutes)?)));
        match time {
            Some((hours @ 0..24, minutes @ 0..60)) => Ok(DailyTime { minutes: hours * 60 + minutes }),
            _ => bail!("HESABU_DIGEST_AT={text} is not a time of day in UTC, such as 07:00"),
        }
    }
}

/// When a job is to be done. Instants are in microseconds since the epoch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Schedule {
    period: i64,
    /// From the beginning of each period.
    offset: i64,
}

impl Schedule {
    /// Every day at this time.
    pub(super) const fn daily(at: DailyTime) -> Schedule {
        Schedule { period: DAY, offset: at.minutes * MINUTE }
    }

    /// Every hour, so many minutes past it.
    pub(super) const fn hourly(minute: i64) -> Schedule {
        Schedule { period: HOUR, offset: minute * MINUTE }
    }

    /// The first instant after this one.
    pub(super) const fn next(self, after: i64) -> i64 {
        self.latest(after) + self.period
    }

    /// The last instant up to this one.
    pub(super) const fn latest(self, upto: i64) -> i64 {
        (upto - self.offset).div_euclid(self.period) * self.period + self.offset
    }

    /// What a run is for that was planned for `planned` and begins `now`: that, or the last time that it should have been done if it was not
    /// for longer than a period.
    pub(super) const fn meant(self, planned: i64, now: i64) -> i64 {
        if now - planned > self.period { self.latest(now) } else { planned }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "every {} minutes from {}", self.period / MINUTE, self.offset / MINUTE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day_are_read() {
        for (text, minutes) in [("07:00", 420), ("00:00", 0), ("23:59", 1_439)] {
            assert_eq!(DailyTime::read(text).unwrap(), DailyTime { minutes });
        }
        for text in ["", "7:00", "24:00", "12:60", "12", "12:0", "-1:00", "+1:00", "07:00:00", "ab:cd"] {
            DailyTime::read(text).unwrap_err();
        }
    }

    #[test]
    fn a_schedule_goes_on_and_on() {
        let daily = Schedule::daily(DailyTime::read("07:00").unwrap());
        let seven = 20_000 * DAY + 7 * HOUR;
        assert_eq!((daily.latest(seven), daily.latest(seven - 1)), (seven, seven - DAY));
        assert_eq!((daily.next(seven), daily.next(seven - 1)), (seven + DAY, seven));
        assert_eq!(daily.meant(seven, seven + HOUR), seven);
        assert_eq!(daily.meant(seven, seven + 3 * DAY + HOUR), seven + 3 * DAY);
        let hourly = Schedule::hourly(5);
        assert_eq!(hourly.next(seven), seven + 5 * MINUTE);
        assert_eq!(hourly.to_string(), "every 60 minutes from 5");
    }
}
