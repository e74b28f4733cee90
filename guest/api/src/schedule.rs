//! Schedules as CronJobs have them: five fields, or a name such as `@daily`
//! (kubernetes.io/docs/concepts/workloads/controllers/cron-jobs, "Schedule syntax").

/// What a schedule must be. Follows the value.
pub const SCHEDULE: &str = "must be a schedule in cron's five fields, like 0 3 * * *, or a name like @daily";

/// Longest schedule, in bytes.
const MAX_LENGTH: usize = 100;
/// Names of schedules.
const NAMES: [&str; 7] = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];
/// Smallest and largest number of each field: minute, hour, day of the month, month, day of the week.
const FIELDS: [(u8, u8); 5] = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 6)];
/// Names of months and of days of the week, which replace numbers.
const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// Whether a text is a schedule.
///
/// ```
/// use orascache_api::schedule::is_schedule;
///
/// assert!(is_schedule("0 3 * * *") && is_schedule("*/15 8-18 * * mon-fri") && is_schedule("@daily"));
/// assert!(!is_schedule("0 3 * *") && !is_schedule("60 3 * * *") && !is_schedule("TZ=UTC 0 3 * * *"));
/// ```
pub fn is_schedule(text: &str) -> bool {
    if text.starts_with('@') {
        return NAMES.contains(&text);
    }
    let mut fields = text.split_ascii_whitespace();
    let mut bounds = FIELDS.iter().enumerate();
    text.len() <= MAX_LENGTH
        && bounds.all(|(place, bounds)| fields.next().is_some_and(|field| is_field(field, place, *bounds)))
        && fields.next().is_none()
}

/// A list of ranges, each with a step or without.
fn is_field(field: &str, place: usize, bounds: (u8, u8)) -> bool {
    field.split(',').all(|part| {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (part, None),
        };
        let is_step = step.is_none_or(|step| number(step).is_some_and(|step| step > 0));
        let value = |text: &str| value(text, place).filter(|value| (bounds.0..=bounds.1).contains(value));
        let is_range = match range.split_once('-') {
            _ if matches!(range, "*" | "?") => true,
            Some((first, last)) => value(first).zip(value(last)).is_some_and(|(first, last)| first <= last),
            None => value(range).is_some(),
        };
        is_step && is_range
    })
}

/// A number, or the name of a month or a day.
fn value(text: &str, place: usize) -> Option<u8> {
    let (names, first): (&[&str], u8) = match place {
        3 => (&MONTHS, 1),
        4 => (&DAYS, 0),
        _ => (&[], 0),
    };
    let named = names.iter().position(|name| name.eq_ignore_ascii_case(text));
    let named = named.and_then(|index| u8::try_from(index).ok()).map(|index| index + first);
    named.or_else(|| number(text))
}

fn number(text: &str) -> Option<u8> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_are_told_from_other_texts() {
        for right in [
            "* * * * *",
            "0 0 1 1 0",
            "59 23 31 12 6",
            "*/5 * * * *",
            "0,30 8-18/2 * JAN-mar sun",
            "0 3 ? * *",
            "0  3\t* * *",
            "@weekly",
        ] {
            assert!(is_schedule(right), "{right}");
        }
        for wrong in [
            "",
            "@every 1h",
            "0 3 * * * *",
            "0 24 * * *",
            "0 0 0 * *",
            "0 0 * 13 *",
            "0 0 * * 7",
            "5-1 * * * *",
            "*/0 * * * *",
            "a * * * *",
            "1,,2 * * * *",
            "+1 * * * *",
            "mon * * * *",
            "0 0 * * mon-",
            "-1 0 * * *",
            &format!("{}* * * * *", "0,".repeat(60)),
        ] {
            assert!(!is_schedule(wrong), "{wrong}");
        }
    }
}
