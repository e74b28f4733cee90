//! Times as the API server writes them. Guests have no clock, and need no calendar library for
//! this.

/// Seconds since the Unix epoch as `2026-11-24T12:00:00Z`, the form of `metav1.Time`.
///
/// The civil calendar is computed as in Howard Hinnant's "chrono-compatible low-level date
/// algorithms".
///
/// ```
/// assert_eq!(orascache_contract::time::rfc3339(951_782_400), "2000-02-29T00:00:00Z");
/// ```
pub fn rfc3339(epoch_seconds: u64) -> String {
    let days = epoch_seconds / 86_400;
    let second_of_day = epoch_seconds % 86_400;
    // Days since 0000-03-01, so that the leap day is the last of its year.
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        second_of_day / 3_600,
        second_of_day / 60 % 60,
        second_of_day % 60
    )
}

/// The time that [`rfc3339`] writes as this text, in seconds since the Unix epoch. `None` for any
/// other text, and for times before the epoch.
///
/// ```
/// use orascache_contract::time::parse_rfc3339;
///
/// assert_eq!(parse_rfc3339("2000-02-29T00:00:00Z"), Some(951_782_400));
/// assert_eq!(parse_rfc3339("yesterday"), None);
/// ```
pub fn parse_rfc3339(text: &str) -> Option<u64> {
    let number = |from: usize, to: usize| -> Option<u64> {
        let digits = text.get(from..to)?;
        if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let seconds = number(11, 13)?.checked_mul(3_600)? + number(14, 16)? * 60 + number(17, 19)?;
    // The inverse of the computation above.
    let shifted_month = (month.checked_add(9)?) % 12;
    let year_of_march = year.checked_sub(u64::from(month <= 2))?;
    let (era, year_of_era) = (year_of_march / 400, year_of_march % 400);
    let day_of_year = (153 * shifted_month + 2) / 5 + day.checked_sub(1)?;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = (era * 146_097 + day_of_era).checked_sub(719_468)?;
    let epoch_seconds = days * 86_400 + seconds;
    // Dates that do not exist, and other forms, are not written like that.
    (rfc3339(epoch_seconds) == text).then_some(epoch_seconds)
}

#[cfg(test)]
mod tests {
    use super::{parse_rfc3339, rfc3339};

    #[test]
    fn known_instants() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(rfc3339(1_709_210_096), "2024-02-29T12:34:56Z");
        assert_eq!(rfc3339(1_795_521_759), "2026-11-24T12:02:39Z");
        assert_eq!(rfc3339(4_107_542_399), "2100-02-28T23:59:59Z");
    }

    #[test]
    fn every_day_is_read_as_it_is_written() {
        // A prime number of seconds, so that all hours, minutes and seconds occur.
        for step in 0..100_000_u64 {
            let seconds = step * 86_413;
            assert_eq!(parse_rfc3339(&rfc3339(seconds)), Some(seconds));
        }
    }

    #[test]
    fn other_texts_are_no_times() {
        for text in [
            "",
            "2026-11-24",
            "2026-02-30T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-11-24T24:00:00Z",
            "2026-11-24T12:00:00+01:00",
            "2026-11-24T12:00:00.5Z",
            "1969-12-31T23:59:59Z",
            "0000-00-00T00:00:00Z",
            "20é6-11-24T12:00:00Z",
        ] {
            assert_eq!(parse_rfc3339(text), None, "{text}");
        }
    }
}
