//! Numbers whose text is kept.

/// The text of a number, as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number<'a>(&'a str);

/// Numbers with a digit at this power of ten or above are too large: a floating-point number of 64 bits
/// ends at 1.8e308, and programs would read them differently.
const LIMIT: i64 = 308;

impl<'a> Number<'a> {
    /// A number that is written as JSON demands. `None` if its magnitude is 1e308 or more.
    pub(crate) fn new(text: &'a str) -> Option<Self> {
        (magnitude(text)? < LIMIT).then_some(Number(text))
    }

    /// The text.
    pub fn text(&self) -> &'a str {
        self.0
    }
}

/// The power of ten of the first digit that is not 0. `None` if the exponent alone is beyond all bounds.
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

#[cfg(test)]
mod tests {
    use super::Number;

    #[test]
    fn only_numbers_beyond_those_of_64_bits_are_too_large() {
        let digits = |number| "9".repeat(number);
        for text in [
            "0.5",
            "-0",
            "1e307",
            "9.99e+307",
            "-1E-400",
            "0e999",
            "0.000E99999999999999999999",
            "1e-99999999999999999999",
            "0.0000000001e317",
            &digits(308),
            &format!("{}e-100", digits(400)),
        ] {
            assert!(Number::new(text).is_some(), "{text}");
        }
        for text in [
            "1e308",
            "-1e400",
            "0.1E309",
            "0.0000000001e319",
            "1e99999999999999999999",
            &digits(309),
            &format!("{}.5", digits(100_000)),
        ] {
            assert!(Number::new(text).is_none(), "{text}");
        }
    }
}
