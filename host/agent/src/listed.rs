//! Lists of names in sentences.

use std::fmt::Display;

/// The names, separated by commas. Of more than `most`, the rest is counted.
pub fn listed<T: Display>(names: impl IntoIterator<Item = T>, most: usize) -> String {
    let mut names = names.into_iter();
    let mut shown: Vec<String> = names.by_ref().take(most).map(|name| name.to_string()).collect();
    let rest = names.count();
    match (rest, shown.pop()) {
        (0, Some(last)) if shown.is_empty() => last,
        (0, Some(last)) => format!("{} and {last}", shown.join(", ")),
        (_, Some(last)) => {
            shown.push(last);
            format!("{} and {rest} more", shown.join(", "))
        }
        (_, None) => rest.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::listed;

    #[test]
    fn long_lists_are_cut() {
        let names = ["a", "b", "c", "d"];
        assert_eq!(listed(names, 4), "a, b, c and d");
        assert_eq!(listed(names, 3), "a, b, c and 1 more");
        assert_eq!(listed(&names[..1], 3), "a");
        assert_eq!(listed(&names[..2], 3), "a and b");
    }
}
