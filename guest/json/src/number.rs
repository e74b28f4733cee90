//! Numbers whose text is kept.

/// The text of a number, as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number<'a>(&'a str);

/// The largest floating-point number of 64 bits (IEEE 754) is 1.7976931348623157e308.
const LARGEST_MAGNITUDE: i64 = 308;
const LARGEST_DIGITS: &str = "17976931348623157";

impl<'a> Number<'a> {
    /// A number that is written as JSON demands. `None` if it is larger than every floating-point
    /// number of 64 bits: `serde_json` refuses it too, and others read it as infinite.
    pub(crate) fn new(text: &'a str) -> Option<Self> {
        let magnitude = magnitude(text)?;
        let fits = magnitude < LARGEST_MAGNITUDE
            || (magnitude == LARGEST_MAGNITUDE && first_digits(text).le(LARGEST_DIGITS.bytes()));
        fits.then_some(Number(text))
    }

    /// The text.
    pub fn text(&self) -> &'a str {
        self.0
    }
}

/// The power of ten of the first digit that is not 0. `None` if the exponent alone is beyond all
/// bounds.
fn magnitude(text: &str) -> Option<i64> {
    let text = text.strip_prefix('-').unwrap_or(text);
    let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let place = if whole != "0" {
        whole.len() as i64 - 1
    } else if let Some(zeros) = fraction.bytes().position(|digit| digit != b'0') {
        -1 - zeros as i64
    } else {
        // Zero, whatever its exponent is.
        return Some(i64::MIN);
    };
    match exponent.parse::<i64>() {
        Ok(exponent) => Some(place.saturating_add(exponent)),
        Err(_) if exponent.starts_with('-') => Some(i64::MIN),
        Err(_) => None,
    }
}

/// The first digits of a number that is not 0, as many as are compared.
fn first_digits(text: &str) -> impl Iterator<Item = u8> {
    let digits = text.bytes().take_while(|byte| !matches!(byte, b'e' | b'E')).filter(u8::is_ascii_digit);
    digits.skip_while(|digit| *digit == b'0').take(LARGEST_DIGITS.len())
}

#[cfg(test)]
mod tests {
    use super::Number;

    #[test]
    fn only_numbers_beyond_those_of_64_bits_are_left_out() {
        let digits = |number| "9".repeat(number);
        for text in [
            "0.5",
            "-0",
            "9.99e+307",
            "1e308",
            "-1.7976931348623157e308",
            "0.17976931348623157E309",
            "0.00000001e316",
            &format!("1{}", "0".repeat(308)),
            "-1E-400",
            "0e999",
            "0.000E99999999999999999999",
            "1e-99999999999999999999",
            "0.0000000001e317",
            &digits(308),
            &format!("{}e-100", digits(400)),
        ] {
            assert!(Number::new(text).is_some(), "{text}");
            assert!(serde_json::from_str::<f64>(text).is_ok(), "{text}");
        }
        for text in [
            "1.7976931348623158e308",
            "-1e400",
            "2E308",
            "1e309",
            "0.0000000001e319",
            "1e99999999999999999999",
            &digits(309),
            &format!("{}.5", digits(100_000)),
        ] {
            assert!(Number::new(text).is_none(), "{text}");
            assert!(serde_json::from_str::<f64>(text).is_err(), "{text}");
        }
    }
}
