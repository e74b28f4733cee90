//! Resource quantities in the canonical form of `resource.Quantity` (k8s.io/apimachinery).

use std::cmp::Ordering;

/// A quantity: a number of nanos (1e-9), and the family of suffixes that it was written with.
#[derive(Clone, Copy, Debug)]
pub struct Quantity {
    nanos: i128,
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    BinarySi,
    DecimalSi,
    DecimalExponent,
}

const NANO: i128 = 1_000_000_000;
const DECIMAL: [(&str, i32); 10] =
    [("n", -9), ("u", -6), ("m", -3), ("", 0), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)];
const BINARY: [(&str, u32); 6] = [("Ki", 10), ("Mi", 20), ("Gi", 30), ("Ti", 40), ("Pi", 50), ("Ei", 60)];

impl Quantity {
    /// Parses a quantity; `None` when the text is not one. Fractions of a nano are rounded up.
    pub fn parse(text: &str) -> Option<Quantity> {
        let negative = text.starts_with('-');
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let end = unsigned.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return None;
        }
        let (scale, format) = scale_of(suffix)?;
        let mut nanos = if whole.is_empty() { 0 } else { whole.parse::<i128>().ok()?.checked_mul(scale)? };
        let mut place = scale;
        let mut inexact = false;
        for digit in fraction.bytes() {
            let part = i128::from(digit - b'0').checked_mul(place)?;
            inexact |= part % 10 != 0;
            nanos = nanos.checked_add(part / 10)?;
            inexact |= place % 10 != 0 && digit != b'0';
            place /= 10;
        }
        nanos = nanos.checked_add(i128::from(inexact))?;
        Some(Quantity { nanos: if negative { -nanos } else { nanos }, format })
    }

    /// The canonical form, in which the API server stores it: `1000m` as `1`, `1024Mi` as `1Gi`,
    /// `0.5` as `500m`.
    pub fn canonical(&self) -> String {
        if self.nanos == 0 {
            return "0".to_owned();
        }
        if self.format == Format::BinarySi && self.nanos.abs() >= 1024 * NANO && self.nanos % NANO == 0 {
            let units = self.nanos / NANO;
            let suffix = BINARY.iter().rev().find(|(_, bits)| units % (1_i128 << bits) == 0);
            return match suffix {
                Some((name, bits)) => format!("{}{name}", units >> bits),
                None => units.to_string(),
            };
        }
        let mut exponent = -9;
        let mut mantissa = self.nanos;
        while mantissa % 1_000 == 0 && exponent < 18 {
            mantissa /= 1_000;
            exponent += 3;
        }
        if self.format == Format::DecimalExponent {
            return if exponent == 0 { mantissa.to_string() } else { format!("{mantissa}e{exponent}") };
        }
        let suffix = DECIMAL.iter().find(|(_, power)| *power == exponent).map_or("", |(name, _)| name);
        format!("{mantissa}{suffix}")
    }

    /// The value in nanos.
    pub fn nanos(&self) -> i128 {
        self.nanos
    }

    /// The value as a floating point number.
    pub fn as_f64(&self) -> f64 {
        self.nanos as f64 / NANO as f64
    }
}

fn scale_of(suffix: &str) -> Option<(i128, Format)> {
    if let Some((_, power)) = DECIMAL.iter().find(|(name, _)| *name == suffix) {
        return Some((10_i128.checked_pow(u32::try_from(power + 9).ok()?)?, Format::DecimalSi));
    }
    if let Some((_, bits)) = BINARY.iter().find(|(name, _)| *name == suffix) {
        return Some((NANO << bits, Format::BinarySi));
    }
    let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    let power = u32::try_from(exponent.checked_add(9)?).ok()?;
    Some((10_i128.checked_pow(power)?, Format::DecimalExponent))
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

/// The canonical form of a quantity; `None` when the text is not one.
pub fn canonical(text: &str) -> Option<String> {
    Quantity::parse(text).map(|quantity| quantity.canonical())
}

#[cfg(test)]
mod tests {
    use super::{Quantity, canonical};
    use proptest::prelude::*;

    #[test]
    fn canonical_forms_are_those_of_a_real_server() {
        for (written, stored) in [
            ("1000m", "1"),
            ("1024Mi", "1Gi"),
            ("0.5", "500m"),
            ("1.5Gi", "1536Mi"),
            ("100m", "100m"),
            ("0", "0"),
            ("0Mi", "0"),
            ("1e3", "1e3"),
            ("1000", "1k"),
            ("1500", "1500"),
            ("-1", "-1"),
            ("2Ki", "2Ki"),
            ("0.5Ki", "512"),
            ("20Gi", "20Gi"),
        ] {
            assert_eq!(canonical(written).as_deref(), Some(stored), "{written}");
        }
        for text in ["", "x", "1x", "1.2.3", "Gi", "1 Gi"] {
            assert_eq!(canonical(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn canonical_is_idempotent_and_keeps_the_value(number in 0_u32..2_000_000, suffix in "(m|k|M|G|Ki|Mi|Gi|)") {
            let text = format!("{number}{suffix}");
            let once = canonical(&text).unwrap();
            prop_assert_eq!(canonical(&once).unwrap(), once.clone());
            prop_assert_eq!(Quantity::parse(&once), Quantity::parse(&text));
        }
    }
}
