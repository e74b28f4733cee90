//! Resource quantities (k8s.io/apimachinery `resource.Quantity`), as far as comparing them needs.
//!
//! The API server rewrites quantities into a canonical form: `1000m` becomes `1`. So texts that
//! were applied and texts that are observed cannot be compared as they are.

use crate::json::Json;

/// A quantity in billionths, large enough for every value that the API server accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity(i128);

impl Quantity {
    /// The sum of two quantities, or the largest one where the sum is larger.
    pub(crate) fn plus(self, other: Quantity) -> Quantity {
        Quantity(self.0.saturating_add(other.0))
    }
}

const NANO: i128 = 1_000_000_000;

/// Parses `20Gi`, `0.5`, `100m`, `1e3`. `None` when the text is not a quantity, or too large.
pub fn parse(text: &str) -> Option<Quantity> {
    let negative = text.starts_with('-');
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let end = digits.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(digits.len());
    let (number, suffix) = (digits.get(..end)?, digits.get(end..)?);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let scale = suffix_in_nanos(suffix)?;
    let mut value: i128 =
        if whole.is_empty() { 0 } else { whole.parse::<i128>().ok()?.checked_mul(scale)? };
    let mut place = scale;
    for digit in fraction.bytes() {
        if !digit.is_ascii_digit() {
            return None;
        }
        // Rounds up to a billionth, as the API server does.
        let step = i128::from(digit - b'0').checked_mul(place)?;
        value = value.checked_add((step + 9) / 10)?;
        place = (place / 10).max(1);
    }
    Some(Quantity(if negative { -value } else { value }))
}

fn suffix_in_nanos(suffix: &str) -> Option<i128> {
    Some(match suffix {
        "n" => 1,
        "u" => 1_000,
        "m" => 1_000_000,
        "" => NANO,
        "k" => NANO * 1_000,
        "M" => NANO * 1_000_000,
        "G" => NANO * 1_000_000_000,
        "T" => NANO * 1_000_000_000_000,
        "P" => NANO * 1_000_000_000_000_000,
        "E" => NANO * 1_000_000_000_000_000_000,
        "Ki" => NANO << 10,
        "Mi" => NANO << 20,
        "Gi" => NANO << 30,
        "Ti" => NANO << 40,
        "Pi" => NANO << 50,
        "Ei" => NANO << 60,
        exponent => {
            let exponent: i32 = exponent.strip_prefix(['e', 'E'])?.parse().ok()?;
            let factor = 10_i128.checked_pow(exponent.unsigned_abs())?;
            if exponent >= 0 { NANO.checked_mul(factor)? } else { NANO / factor }
        }
    })
}

/// Nothing.
pub const ZERO: Quantity = Quantity(0);

/// A quantity as JSON has it: a text, or a whole number.
pub fn of(value: &Json<'_>) -> Option<Quantity> {
    match value {
        Json::Str(text) => parse(text),
        Json::Int(number) => i128::from(*number).checked_mul(NANO).map(Quantity),
        _ => None,
    }
}

/// Whether the text is a quantity greater than zero.
pub fn is_positive(text: &str) -> bool {
    parse(text) > Some(ZERO)
}

/// Whether two texts mean the same quantity.
pub fn same(one: &str, other: &str) -> bool {
    matches!((parse(one), parse(other)), (Some(one), Some(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use super::{parse, same};

    #[test]
    fn quantities_are_equal_however_they_are_written() {
        for (one, other) in [
            ("1000m", "1"),
            ("1024Mi", "1Gi"),
            ("0.5", "500m"),
            ("1e3", "1k"),
            ("1E3", "1000"),
            ("1.5Gi", "1536Mi"),
            ("100e-2", "1"),
            (".5", "500m"),
        ] {
            assert!(same(one, other), "{one} and {other}");
        }
    }

    #[test]
    fn other_texts_are_not_equal() {
        for (one, other) in [("1G", "1Gi"), ("1", "1m"), ("", ""), ("x", "x"), ("1Q", "1Q")] {
            assert!(!same(one, other), "{one} and {other}");
        }
    }

    #[test]
    fn quantities_are_ordered_by_value() {
        assert!(parse("20Gi") > parse("19Gi"));
        assert!(parse("-1") < parse("0"));
        assert_eq!(parse("99999999999999999999999999999999999999999E"), None);
    }
}
