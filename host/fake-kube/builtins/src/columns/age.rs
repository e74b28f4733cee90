//! Ages, as kubectl shows them.

use jiff::Timestamp;

/// The age of an object that was created at `created`, such as `5m3s` or `2d`, or `<unknown>` when
/// that is no time. Both times are RFC 3339.
pub fn age(created: &str, now: &str) -> String {
    match (created.parse::<Timestamp>(), now.parse::<Timestamp>()) {
        (Ok(created), Ok(now)) => human(now.as_second() - created.as_second()),
        _ => "<unknown>".to_owned(),
    }
}

/// apimachinery `duration.HumanDuration`: two units while the smaller one still matters.
pub(super) fn human(seconds: i64) -> String {
    if seconds < -1 {
        return "<invalid>".to_owned();
    }
    let seconds = seconds.max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let years = days / 365;
    let pair = |large: i64, large_unit: &str, small: i64, small_unit: &str| {
        if small == 0 {
            format!("{large}{large_unit}")
        } else {
            format!("{large}{large_unit}{small}{small_unit}")
        }
    };
    if seconds < 120 {
        format!("{seconds}s")
    } else if minutes < 10 {
        pair(minutes, "m", seconds % 60, "s")
    } else if minutes < 180 {
        format!("{minutes}m")
    } else if hours < 8 {
        pair(hours, "h", minutes % 60, "m")
    } else if hours < 48 {
        format!("{hours}h")
    } else if hours < 192 {
        pair(days, "d", hours % 24, "h")
    } else if days < 730 {
        format!("{days}d")
    } else if years < 8 {
        pair(years, "y", days % 365, "d")
    } else {
        format!("{years}y")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_at_most_two_units() {
        const HOUR: i64 = 3600;
        const DAY: i64 = 24 * HOUR;
        for (seconds, text) in [
            (-5, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (303, "5m3s"),
            (600, "10m"),
            (10_799, "179m"),
            (3 * HOUR, "3h"),
            (3 * HOUR + 61, "3h1m"),
            (8 * HOUR, "8h"),
            (48 * HOUR, "2d"),
            (2 * DAY + HOUR, "2d1h"),
            (9 * DAY, "9d"),
            (729 * DAY, "729d"),
            (730 * DAY, "2y"),
            (740 * DAY, "2y10d"),
            (9 * 365 * DAY, "9y"),
        ] {
            assert_eq!(human(seconds), text);
        }
    }

    #[test]
    fn a_missing_time_is_unknown() {
        assert_eq!(age("", "2026-11-23T20:10:19Z"), "<unknown>");
        assert_eq!(age("2026-11-23T20:10:19Z", "2026-11-23T20:15:22.5Z"), "5m3s");
    }
}
