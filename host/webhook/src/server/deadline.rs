//! Reads how long the API server waits: `?timeout=5s`, a duration as Go writes it.

use std::time::Duration;

/// A tenth of what the API server waits is left for the answer to reach it.
const MARGIN: u32 = 10;

/// Time from the headers of a request to its answer, at most `most`. `query` is that of its URI.
pub(super) fn of(query: Option<&str>, most: Duration) -> Duration {
    let given = query.unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("timeout="));
    match given.and_then(parse) {
        Some(waits) => most.min(waits - waits / MARGIN),
        None => most,
    }
}

/// Parses a duration as `time.ParseDuration` of Go does: numbers with fraction and unit, in any
/// order. `None` for texts that Go refuses, negative durations, and those that do not fit.
fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, from_unit) = rest.split_at_checked(unit_at)?;
        // `number` has only digits and dots here: Rust would also parse `inf` and `1e9`.
        let number: f64 = number.parse().ok()?;
        let next_at = from_unit.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(from_unit.len());
        let (unit, after) = from_unit.split_at_checked(next_at)?;
        let seconds = number * unit_seconds(unit)?;
        total = total.checked_add(Duration::try_from_secs_f64(seconds).ok()?)?;
        rest = after;
    }
    Some(total)
}

fn unit_seconds(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" => 1e-9,
        // Queries contain the micro sign percent-encoded.
        "us" | "µs" | "μs" | "%C2%B5s" | "%c2%b5s" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_of_go_are_parsed() {
        let cases = [
            ("5s", 5_000),
            ("500ms", 500),
            ("1m0s", 60_000),
            ("1h2m3.5s", 3_723_500),
            ("+.5s", 500),
            ("1.s", 1_000),
            ("0", 0),
            ("1500000us", 1_500),
            ("2000000µs", 2_000),
        ];
        for (text, milliseconds) in cases {
            assert_eq!(parse(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn texts_that_go_refuses_are_refused() {
        for text in [
            "",
            "5",
            "s",
            ".",
            ".s",
            "-5s",
            "1x",
            "5s5",
            "1..5s",
            "1e3s",
            "infs",
            "5 s",
            "99999999999999999999h",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_deadline_is_before_that_of_the_api_server() {
        let most = Duration::from_secs(10);
        assert_eq!(of(Some("timeout=5s"), most), Duration::from_millis(4_500));
        assert_eq!(of(Some("a=b&timeout=500ms"), most), Duration::from_millis(450));
        assert_eq!(of(Some("timeout=30s"), most), most);
        assert_eq!(of(Some("timeout=nonsense"), most), most);
        assert_eq!(of(Some("xtimeout=1s"), most), most);
        assert_eq!(of(None, most), most);
    }

    proptest! {
        #[test]
        fn any_text_gives_a_deadline(text in ".{0,30}") {
            let deadline = of(Some(&format!("timeout={text}")), Duration::from_secs(10));
            prop_assert!(deadline <= Duration::from_secs(10));
        }

        #[test]
        fn sums_of_units_add_up(h in 0_u64..100, m in 0_u64..100, ms in 0_u64..100_000) {
            let expected = Duration::from_millis((h * 60 + m) * 60_000 + ms);
            prop_assert_eq!(parse(&format!("{h}h{m}m{ms}ms")), Some(expected));
        }
    }
}
