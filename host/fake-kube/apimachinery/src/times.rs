//! The times of built-in kinds: `Time` and `MicroTime` of meta/v1.
//!
//! Go decodes any RFC 3339 time and encodes it in UTC, `Time` in whole seconds and `MicroTime` in
//! microseconds. An API server therefore stores another text than it was sent. Finer digits are cut
//! off, not rounded.

use crate::schema::{Schema, TimePrecision};
use crate::status::ApiError;
use jiff::Timestamp;
use serde_json::Value;

/// Rewrites all times of an object to the form in which an API server stores them.
///
/// `kind` and `version` are those of the object; the error names them.
///
/// # Errors
/// 400 with the sentence of Go's decoder for the first field that is not an RFC 3339 time.
pub fn normalise(schema: &Schema, kind: &str, version: &str, object: &mut Value) -> Result<(), ApiError> {
    walk(schema, object).map_err(|problem| {
        ApiError::bad_request(format!(
            "{kind} in version {version:?} cannot be handled as a {kind}: {problem}"
        ))
    })
}

fn walk(schema: &Schema, value: &mut Value) -> Result<(), String> {
    match value {
        Value::Object(members) => members
            .iter_mut()
            .try_for_each(|(name, member)| schema.member(name).map_or(Ok(()), |child| walk(child, member))),
        Value::Array(items) => {
            let Some(child) = &schema.items else { return Ok(()) };
            items.iter_mut().try_for_each(|item| walk(child, item))
        }
        Value::String(text) => {
            if let Some(precision) = schema.time {
                *text = canonical(text, precision)?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The stored form of a time.
fn canonical(text: &str, precision: TimePrecision) -> Result<String, String> {
    let (layout, format) = match precision {
        TimePrecision::Seconds => ("2006-01-02T15:04:05Z07:00", "%Y-%m-%dT%H:%M:%SZ"),
        TimePrecision::Microseconds => ("2006-01-02T15:04:05.000000Z07:00", "%Y-%m-%dT%H:%M:%S.%6fZ"),
    };
    let time = if is_rfc3339(text) { text.parse::<Timestamp>().ok() } else { None };
    match time {
        Some(time) => Ok(time.strftime(format).to_string()),
        None => Err(format!("parsing time {text:?} as {layout:?}: cannot parse {text:?} as \"2006\"")),
    }
}

/// Whether Go's `time.RFC3339` layout accepts the shape of the text. The parser of `jiff` accepts
/// more, for example a leap second or a space instead of the `T`.
fn is_rfc3339(text: &str) -> bool {
    let Some((date, rest)) = text.split_at_checked(19) else { return false };
    let shaped = date.bytes().zip("0000-00-00T00:00:00".bytes()).all(|(byte, shape)| match shape {
        b'0' => byte.is_ascii_digit(),
        other => byte == other,
    });
    let zone = match rest.strip_prefix(['.', ',']) {
        Some(fraction) => {
            let zone = fraction.trim_start_matches(|digit: char| digit.is_ascii_digit());
            if zone.len() == fraction.len() {
                return false;
            }
            zone
        }
        None => rest,
    };
    let offset = |zone: &str| {
        zone.len() == 6
            && zone.bytes().enumerate().all(|(position, byte)| match position {
                0 => matches!(byte, b'+' | b'-'),
                3 => byte == b':',
                _ => byte.is_ascii_digit(),
            })
    };
    shaped && !date.ends_with(":60") && (zone == "Z" || offset(zone))
}

#[cfg(test)]
mod tests {
    use super::{canonical, normalise};
    use crate::builtin_schema;
    use crate::schema::TimePrecision::{Microseconds, Seconds};
    use serde_json::json;

    #[test]
    fn times_are_stored_in_utc_and_cut_to_their_precision() {
        for (given, precision, stored) in [
            ("2026-01-01T10:00:00.987654321+02:00", Seconds, "2026-01-01T08:00:00Z"),
            ("2026-01-01T00:30:00+01:00", Seconds, "2025-12-31T23:30:00Z"),
            ("2026-01-01T10:00:00Z", Seconds, "2026-01-01T10:00:00Z"),
            ("2026-01-01T10:00:00.9999999Z", Microseconds, "2026-01-01T10:00:00.999999Z"),
            ("2026-01-01T10:00:00.5+02:00", Microseconds, "2026-01-01T08:00:00.500000Z"),
            ("2026-01-01T10:00:00Z", Microseconds, "2026-01-01T10:00:00.000000Z"),
        ] {
            assert_eq!(canonical(given, precision).as_deref(), Ok(stored), "{given}");
        }
    }

    #[test]
    fn texts_that_are_no_times_are_refused() {
        for text in [
            "",
            "yesterday",
            "2026-01-01",
            "2026-01-01 10:00:00Z",
            "2026-01-01T10:00:00",
            "2026-01-01T10:00:60Z",
            "2026-02-30T10:00:00Z",
            "2026-01-01T10:00:00.Z",
            "2026-01-01T10:00:00+0200",
            "2026-01-01T10:00:0\u{e9}Z",
        ] {
            let problem = canonical(text, Seconds).expect_err(text);
            assert!(problem.starts_with(&format!("parsing time {text:?} as ")), "{problem}");
        }
    }

    #[test]
    fn times_are_found_at_any_depth_and_errors_name_the_kind() {
        let schema = builtin_schema::schema("", "v1", "Pod").expect("known");
        let pod = |time: &str| {
            json!({
                "metadata": {"managedFields": [{"time": time}], "annotations": {"note": time}},
                "status": {"conditions": [{"lastTransitionTime": time}]},
            })
        };
        let mut given = pod("2026-01-01T10:00:00.5+02:00");
        normalise(&schema, "Pod", "v1", &mut given).expect("valid times");
        let mut stored = pod("2026-01-01T08:00:00Z");
        stored["metadata"]["annotations"]["note"] = json!("2026-01-01T10:00:00.5+02:00");
        assert_eq!(given, stored);
        let refused = normalise(&schema, "Pod", "v1", &mut pod("soon")).expect_err("no time");
        assert_eq!(refused.code, 400);
        assert_eq!(
            refused.message,
            "Pod in version \"v1\" cannot be handled as a Pod: parsing time \"soon\" as \
             \"2006-01-02T15:04:05Z07:00\": cannot parse \"soon\" as \"2006\""
        );
    }
}
