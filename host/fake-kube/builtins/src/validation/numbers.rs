//! Fields that hold numbers.

use fake_kube_apimachinery::status::Cause;
use serde_json::Value;

use crate::json::Fields;

/// Validates that a number field is not negative.
pub(super) fn not_negative(owner: &Value, field: &str, path: &str, causes: &mut Vec<Cause>) {
    if owner.integer(field).is_some_and(|number| number < 0) {
        let sentence = "must be greater than or equal to 0";
        causes.push(Cause::invalid(format!("{path}.{field}"), owner.at(field), sentence));
    }
}

/// Validates that a value is a number or a percentage, and not negative.
pub(super) fn percentage(value: &Value, field: String, causes: &mut Vec<Cause>) {
    let number = match value {
        Value::String(text) => text.strip_suffix('%').and_then(|digits| {
            digits.chars().all(|c| c.is_ascii_digit()).then(|| digits.parse::<i64>().ok()).flatten()
        }),
        Value::Null => return,
        other => other.as_i64(),
    };
    let sentence = match number {
        Some(number) if number < 0 => "must be greater than or equal to 0",
        Some(_) => return,
        None => {
            "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex \
             used for validation is '[0-9]+%')"
        }
    };
    causes.push(Cause::invalid(field, value, sentence));
}
