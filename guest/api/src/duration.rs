//! Durations, as people write them: `90s`, `30m`, `1h30m`.

use std::fmt;

/// Units from the longest to the shortest, with their seconds.
const UNITS: [(char, u64); 4] = [('d', 24 * 60 * 60), ('h', 60 * 60), ('m', 60), ('s', 1)];

/// A duration of whole seconds, from one second to seven days.
///
/// ```
/// use orascache_api::duration::Duration;
///
/// let duration = Duration::parse("1h30m").unwrap();
/// assert_eq!(duration.seconds(), 5400);
/// assert_eq!(duration.to_string(), "1h30m");
/// assert!(Duration::parse("30").unwrap_err().to_string().contains("write one like"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration {
    seconds: u32,
}

/// Why a text is not a duration. As text, it is the end of a sentence that begins with the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DurationError {
    /// The text has another form.
    NotADuration,
    /// It is shorter than a second, or longer than seven days.
    OutOfBounds,
}

impl Duration {
    /// The longest one: seven days.
    pub const MAX: Duration = Duration { seconds: 7 * 24 * 60 * 60 };

    /// Reads whole numbers with the units `d`, `h`, `m` and `s`, each at most once, the longest
    /// unit first.
    ///
    /// # Errors
    /// When the text is not like that, or is out of bounds.
    pub fn parse(text: &str) -> Result<Self, DurationError> {
        Self::from_seconds(seconds_of(text)?).ok_or(DurationError::OutOfBounds)
    }

    /// A duration of this number of seconds. `None` when it is out of bounds.
    pub fn from_seconds(seconds: u64) -> Option<Self> {
        let seconds = u32::try_from(seconds).ok()?;
        (1..=Self::MAX.seconds).contains(&seconds).then_some(Duration { seconds })
    }

    /// The number of seconds.
    pub fn seconds(self) -> u32 {
        self.seconds
    }
}

/// The longest age, in seconds: ten years of 365 days.
const MAX_AGE: u64 = 3650 * 24 * 60 * 60;
/// What the age of an artifact must be. Follows the value.
pub const AGE: &str = "must be an age, like 12h, 30d or 365d, and at most 3650d";

/// Reads the age of an artifact, in seconds: a duration from one second to ten years.
///
/// # Errors
/// [`AGE`].
///
/// ```
/// use orascache_api::duration::age;
///
/// assert_eq!(age("30d"), Ok(2_592_000));
/// assert!(age("30").is_err() && age("3651d").is_err());
/// ```
pub fn age(text: &str) -> Result<u64, &'static str> {
    seconds_of(text).ok().filter(|seconds| (1..=MAX_AGE).contains(seconds)).ok_or(AGE)
}

/// The seconds of a duration of any length.
fn seconds_of(text: &str) -> Result<u64, DurationError> {
    let mut units = UNITS.iter();
    let mut seconds: u64 = 0;
    let mut rest = text;
    loop {
        let length = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, behind) = rest.split_at_checked(length).ok_or(DurationError::NotADuration)?;
        let unit = behind.chars().next().filter(|_| length > 0).ok_or(DurationError::NotADuration)?;
        let (_, factor) = units.find(|(name, _)| *name == unit).ok_or(DurationError::NotADuration)?;
        // More digits than fit into a number are too long in every unit.
        let number: u64 = digits.parse().map_err(|_| DurationError::OutOfBounds)?;
        seconds = seconds.saturating_add(number.saturating_mul(*factor));
        rest = behind.get(unit.len_utf8()..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(seconds);
        }
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = u64::from(self.seconds);
        for (unit, factor) in UNITS {
            if rest >= factor {
                write!(formatter, "{}{unit}", rest / factor)?;
                rest %= factor;
            }
        }
        Ok(())
    }
}

impl fmt::Display for DurationError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NotADuration => "is no duration: write one like 90s, 30m or 1h30m",
            Self::OutOfBounds => "is out of bounds: write a duration from 1s to 7d",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_sums_of_their_units() {
        for (text, wanted) in [
            ("1s", 1),
            ("90s", 90),
            ("30m", 1800),
            ("2h", 7200),
            ("1h30m", 5400),
            ("1h5s", 3605),
            ("90m90s", 5490),
            ("1d2h3m4s", 93784),
            ("7d", 604_800),
            ("0h1m", 60),
            ("007s", 7),
        ] {
            assert_eq!(Duration::parse(text).map(Duration::seconds), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn other_texts_are_told_apart() {
        for text in [
            "", "30", "m", "1h30", "1m1h", "1s1s", "1.5h", "-1s", "+1s", "1 h", " 1h", "1H", "1ms", "1µ", "é",
        ] {
            assert_eq!(Duration::parse(text), Err(DurationError::NotADuration), "{text}");
        }
        for text in ["0s", "0d0h", "604801s", "8d", "99999999999999999999999s", "18446744073709551615d"] {
            assert_eq!(Duration::parse(text), Err(DurationError::OutOfBounds), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_duration_is_read_as_it_is_printed(seconds in 1_u64..=604_800) {
            let duration = Duration::from_seconds(seconds).unwrap();
            prop_assert_eq!(Duration::parse(&duration.to_string()), Ok(duration));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[0-9dhmsé]{0,24}") {
            let _ = Duration::parse(&text);
        }
    }
}
