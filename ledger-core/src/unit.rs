//! Of what: units of account, and amounts as decimal text. The text is parsed digit by digit; no float comes near it.

use crate::Amount;
use alloc::string::String;
use core::fmt::Write;

/// What a ledger counts, for example `KES-MC` with two decimals, or hours with none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unit {
    code: String,
    scale: u8,
}

/// Why a unit cannot be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UnitError {
    /// The code is not 1 to 16 of `A-Z a-z 0-9 -`.
    Code,
    /// More than [`Unit::SCALE_MAX`] decimals.
    Scale,
}

/// Why a text is not an amount of a unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParseAmountError {
    /// Not a plain decimal number: an optional `-`, digits, and perhaps a point and digits. Exponents are not plain.
    NotANumber,
    /// More decimals than the unit has, and not all of them zero.
    TooPrecise,
    /// Outside of the range of [`Amount`].
    OutOfRange,
}

impl Unit {
    /// The most decimals a unit may have.
    pub const SCALE_MAX: u8 = 8;

    /// A unit with `scale` decimals.
    ///
    /// # Errors
    /// When the code is not 1 to 16 of `A-Z a-z 0-9 -`, or the scale is above [`Unit::SCALE_MAX`].
    pub fn new(code: &str, scale: u8) -> Result<Unit, UnitError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if code.is_empty() || code.len() > 16 || !code.bytes().all(plain) {
            return Err(UnitError::Code);
        }
        if scale > Unit::SCALE_MAX {
            return Err(UnitError::Scale);
        }
        Ok(Unit { code: code.into(), scale })
    }

    /// The code, for example `KES-MC`.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// How many decimals a major unit has, 0 to 8.
    pub fn scale(&self) -> u8 {
        self.scale
    }

    /// Reads `12.5` as 1,250 minor units of a unit with two decimals.
    ///
    /// ```
    /// # use ledger_core::*;
    /// let kes = Unit::new("KES", 2).unwrap();
    /// assert_eq!(kes.parse("1234567.89").map(Amount::minor), Ok(123_456_789));
    /// assert_eq!(kes.parse("1.10").map(Amount::minor), Ok(110));
    /// assert_eq!(kes.parse("1.100").map(Amount::minor), Ok(110));
    /// assert_eq!(kes.parse("1.005"), Err(ParseAmountError::TooPrecise));
    /// assert_eq!(kes.parse("1e2"), Err(ParseAmountError::NotANumber));
    /// ```
    ///
    /// # Errors
    /// See [`ParseAmountError`].
    pub fn parse(&self, text: &str) -> Result<Amount, ParseAmountError> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = match digits.split_once('.') {
            Some((_, "")) => return Err(ParseAmountError::NotANumber),
            Some(parts) => parts,
            None => (digits, ""),
        };
        if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
            return Err(ParseAmountError::NotANumber);
        }
        let scale = usize::from(self.scale);
        if fraction.bytes().skip(scale).any(|byte| byte != b'0') {
            return Err(ParseAmountError::TooPrecise);
        }
        let places = fraction.bytes().chain(core::iter::repeat(b'0')).take(scale);
        let mut minor: i64 = 0;
        for byte in whole.bytes().chain(places) {
            let digit = i64::from(byte - b'0');
            minor =
                minor.checked_mul(10).and_then(|tens| tens.checked_add(digit)).ok_or(ParseAmountError::OutOfRange)?;
        }
        Amount::new(if negative { -minor } else { minor }).ok_or(ParseAmountError::OutOfRange)
    }

    /// Writes the shortest decimal text that means `amount`: `157.8`, `-1.23`, `500`.
    pub fn format(&self, amount: Amount) -> String {
        let text = self.format_fixed(amount);
        match text.contains('.') {
            true => text.trim_end_matches('0').trim_end_matches('.').into(),
            false => text,
        }
    }

    /// Writes all decimals, as in `157.80`.
    pub fn format_fixed(&self, amount: Amount) -> String {
        let major = 10_u64.pow(u32::from(self.scale));
        let minor = amount.minor().unsigned_abs();
        let mut text = String::new();
        if amount.minor() < 0 {
            text.push('-');
        }
        let width = usize::from(self.scale);
        let written = match width {
            0 => write!(text, "{minor}"),
            _ => write!(text, "{}.{:0width$}", minor / major, minor % major),
        };
        debug_assert!(written.is_ok(), "writing to a String does not fail");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips_at_every_scale() {
        for scale in 0..=Unit::SCALE_MAX {
            let unit = Unit::new("X", scale).unwrap();
            for minor in
                [0, 1, -1, 9, 10, 99, 100, 101, 123_456_789, -987_654_321, Amount::MAX.minor(), Amount::MIN.minor()]
            {
                let amount = Amount::new(minor).unwrap();
                assert_eq!(unit.parse(&unit.format(amount)), Ok(amount));
                assert_eq!(unit.parse(&unit.format_fixed(amount)), Ok(amount));
            }
        }
    }

    #[test]
    fn text_that_is_not_an_amount() {
        let unit = Unit::new("KES-MC", 2).unwrap();
        for text in
            ["", "-", ".", "1.", ".5", "+1", "1e5", "1E5", "NaN", "inf", "0x10", " 1", "1 ", "1,5", "--1", "1.2.3", "١"]
        {
            assert_eq!(unit.parse(text), Err(ParseAmountError::NotANumber), "{text:?}");
        }
        for text in ["1.001", "0.123", "0.00000000001"] {
            assert_eq!(unit.parse(text), Err(ParseAmountError::TooPrecise), "{text:?}");
        }
        for text in ["10000000000000001", "99999999999999999999999999", "-10000000000000000.01"] {
            assert_eq!(unit.parse(text), Err(ParseAmountError::OutOfRange), "{text:?}");
        }
    }

    #[test]
    fn codes_and_scales_are_checked() {
        assert_eq!(Unit::new("", 2), Err(UnitError::Code));
        assert_eq!(Unit::new("KES MC", 2), Err(UnitError::Code));
        assert_eq!(Unit::new("KES", 9), Err(UnitError::Scale));
    }
}
