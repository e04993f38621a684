//! Which day it is, and when a day, a week and a month begin: civil dates of the proleptic Gregorian calendar.
//!
//! No time zone is here. Whoever names an offset from UTC says where midnight is; zones and their changes are the host's.

use crate::Timestamp;

/// How far civil midnight is from that of UTC, in whole minutes, −14 h ..= 14 h: positive where the sun rises earlier.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct UtcOffset(i16);

impl UtcOffset {
    /// Midnight of UTC.
    pub const UTC: UtcOffset = UtcOffset(0);
    /// The most minutes either way; the widest offset in use is 14 hours.
    pub const MINUTES_MAX: i16 = 14 * 60;

    /// So many minutes, or `None` outside of the range.
    pub const fn new(minutes: i16) -> Option<UtcOffset> {
        let within = -UtcOffset::MINUTES_MAX <= minutes && minutes <= UtcOffset::MINUTES_MAX;
        if within { Some(UtcOffset(minutes)) } else { None }
    }

    /// The number of minutes.
    pub const fn minutes(self) -> i16 {
        self.0
    }
}

/// A civil date, as the number of days since 1970-01-01. Every instant of [`Timestamp`] has one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Date(pub i32);

/// A stretch of civil time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Period {
    /// From midnight to midnight.
    Day,
    /// From Monday to Monday.
    Week,
    /// From the first of a month to that of the next.
    Month,
}

impl Period {
    /// The first day of the period that `date` lies in.
    pub const fn first_day(self, date: Date) -> Date {
        match self {
            Period::Day => date,
            // 1970-01-01 was a Thursday.
            Period::Week => Date(date.0 - (date.0 % 7 + 10) % 7),
            Period::Month => Date(date.0 - (date.day_of_month() - 1)),
        }
    }
}

const MICROSECONDS_PER_MINUTE: i64 = 60_000_000;
const MINUTES_PER_DAY: i64 = 24 * 60;
/// The calendar repeats itself after 400 years.
const DAYS_PER_CYCLE: i64 = 146_097;
const DAYS_PER_CENTURY: i64 = 36_524;
const DAYS_PER_YEAR: i64 = 365;
/// From 0000-03-01, where a year ends with the day that leap years add, to 1970-01-01.
const DAYS_BEFORE_1970: i64 = 719_468;

impl Date {
    /// The date at this instant, where civil midnight is so far from that of UTC.
    pub const fn of(at: Timestamp, offset: UtcOffset) -> Date {
        let minutes = at.0.div_euclid(MICROSECONDS_PER_MINUTE) + offset.0 as i64;
        let days = minutes.div_euclid(MINUTES_PER_DAY);
        // 2^63 microseconds are 106,751,991 days.
        Date(narrowed(days))
    }

    /// 1 to 31.
    const fn day_of_month(self) -> i32 {
        let day = (self.0 as i64 + DAYS_BEFORE_1970).rem_euclid(DAYS_PER_CYCLE);
        // Of the four centuries of a cycle, and of the four years that lead to a leap day, the last is one day longer.
        let century = at_most(day / DAYS_PER_CENTURY, 3);
        let day = day - century * DAYS_PER_CENTURY;
        let day = day % (4 * DAYS_PER_YEAR + 1);
        let year = at_most(day / DAYS_PER_YEAR, 3);
        let day = day - year * DAYS_PER_YEAR;
        // From March on, every five months have 153 days: 31, 30, 31, 30, 31.
        let month = (5 * day + 2) / 153;
        narrowed(day - (153 * month + 2) / 5 + 1)
    }
}

const fn at_most(number: i64, most: i64) -> i64 {
    if number > most { most } else { number }
}

#[expect(clippy::cast_possible_truncation, reason = "days of instants and of months are far inside of 32 bits")]
const fn narrowed(days: i64) -> i32 {
    days as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Day by day from 1 January of the year 1, as one would count on paper.
    #[test]
    fn dates_follow_each_other_as_on_paper() {
        let (mut year, mut month, mut day) = (1, 1, 1);
        // 719,162 days before 1970, a Monday.
        let (mut weekday, mut first_of_month) = (0, Date(-719_162));
        for date in (-719_162..=1_000_000).map(Date) {
            assert_eq!(date.day_of_month(), day, "{year}-{month}-{day}");
            assert_eq!(Period::Day.first_day(date), date);
            assert_eq!(Period::Week.first_day(date), Date(date.0 - weekday), "{year}-{month}-{day}");
            assert_eq!(Period::Month.first_day(date), first_of_month, "{year}-{month}-{day}");
            if (year, month, day) == (1970, 1, 1) {
                assert_eq!(date, Date(0));
            }
            weekday = (weekday + 1) % 7;
            day += 1;
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = match month {
                4 | 6 | 9 | 11 => 30,
                2 if leap => 29,
                2 => 28,
                _ => 31,
            };
            if day > length {
                (month, day, first_of_month) = (month + 1, 1, Date(date.0 + 1));
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
    }

    #[test]
    fn midnight_moves_with_the_offset() {
        let hour = 3_600_000_000;
        let addis = UtcOffset::new(180).unwrap();
        assert_eq!(Date::of(Timestamp(0), UtcOffset::UTC), Date(0));
        assert_eq!(Date::of(Timestamp(-1), UtcOffset::UTC), Date(-1));
        assert_eq!(Date::of(Timestamp(21 * hour - 1), addis), Date(0));
        assert_eq!(Date::of(Timestamp(21 * hour), addis), Date(1));
        assert_eq!(Date::of(Timestamp(hour), UtcOffset::new(-61).unwrap()), Date(-1));
        assert_eq!(UtcOffset::new(841), None);
        assert_eq!(UtcOffset::new(-841), None);
    }

    #[test]
    fn every_instant_has_a_date() {
        for offset in [-840, 0, 840].map(|minutes| UtcOffset::new(minutes).unwrap()) {
            for at in [i64::MIN, i64::MAX].map(Timestamp) {
                let date = Date::of(at, offset);
                let month = Period::Month.first_day(date);
                assert!((0..31).contains(&(date.0 - month.0)));
                assert!((0..7).contains(&(date.0 - Period::Week.first_day(date).0)));
            }
        }
    }
}
