//! Account numbers: what people write on an invoice or read out on the telephone.

use rand::Rng;

/// 16 digits, the last of which is a Luhn check digit, so that a mistyped one is almost never somebody else's.
///
/// Looking one up does not need the check digit: a number that nobody has is not found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccountNumber(String);

impl AccountNumber {
    /// A random number. Whether it is taken, the database knows.
    pub fn random() -> AccountNumber {
        let mut rng = rand::rng();
        let mut digits = vec![rng.random_range(1..=9_u8)];
        digits.extend((1..15).map(|_| rng.random_range(0..=9_u8)));
        digits.push(check_digit(&digits));
        AccountNumber(digits.iter().map(|digit| char::from(b'0' + digit)).collect())
    }

    /// The 16 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The digit that makes the Luhn sum of all a multiple of ten (ISO/IEC 7812-1, annex B).
fn check_digit(digits: &[u8]) -> u8 {
    let doubled = |digit: u8| if digit > 4 { 2 * digit - 9 } else { 2 * digit };
    let weighted =
        digits.iter().rev().enumerate().map(|(place, digit)| if place % 2 == 0 { doubled(*digit) } else { *digit });
    let sum: u32 = weighted.map(u32::from).sum();
    u8::try_from((10 - sum % 10) % 10).expect("a digit")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_digits_of_the_document() {
        for number in ["6838115832533278", "5211115451222517", "7132460355005184", "0382855564717143"] {
            let digits: Vec<u8> = number.bytes().map(|byte| byte - b'0').collect();
            assert_eq!(check_digit(&digits[..15]), digits[15], "{number}");
        }
        let number = AccountNumber::random();
        assert_eq!(number.as_str().len(), 16);
        assert!(number.as_str().bytes().all(|byte| byte.is_ascii_digit()));
    }
}
