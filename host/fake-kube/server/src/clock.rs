//! The present time in the form of meta/v1 `Time`.

use jiff::{SignedDuration, Timestamp};

const FORMAT: &str = "%Y-%m-%dT%H:%M:%SZ";

/// The present time.
pub fn now() -> String {
    Timestamp::now().strftime(FORMAT).to_string()
}

/// The time in `seconds` from now.
pub fn in_seconds(seconds: i64) -> String {
    let then = Timestamp::now().saturating_add(SignedDuration::from_secs(seconds));
    then.unwrap_or_else(|_| Timestamp::now()).strftime(FORMAT).to_string()
}
