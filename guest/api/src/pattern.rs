//! Patterns for names of tags and repositories: `run-*`, `flow/*`, `*`.

/// Longest pattern, in bytes: that of a tag (distribution-spec, "Pulling manifests").
const MAX_LENGTH: usize = 128;

/// What a pattern of tags must be. Follows the value.
pub const TAG_PATTERN: &str = "must be a pattern of tags: letters, digits, '_', '.', '-', and '*' for any characters and '?' for one, like run-*";
/// What a pattern of repositories must be. Follows the value.
pub const REPOSITORY_PATTERN: &str = "must be a pattern of repositories: lower case letters, digits, '_', '.', '-', '/', and '*' for any characters and '?' for one, like flow/*";

/// Whether a pattern matches a whole name. `*` stands for any number of characters, and `?` for one.
///
/// ```
/// use orascache_api::pattern::matches;
///
/// assert!(matches("run-*", "run-12") && matches("*", "") && matches("v?.*", "v1.2"));
/// assert!(!matches("run-*", "rerun-1") && !matches("v?", "v10"));
/// ```
pub fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut at, mut read) = (0, 0);
    // Where the last star is, and how much of the name it has taken: it takes one more when the rest
    // does not match.
    let mut star: Option<(usize, usize)> = None;
    while let Some(byte) = name.get(read) {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(wanted) if wanted == byte || *wanted == b'?' => {
                at += 1;
                read += 1;
            }
            _ => match &mut star {
                None => return false,
                Some((before, taken)) => {
                    *taken += 1;
                    at = *before + 1;
                    read = *taken;
                }
            },
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(|byte| *byte == b'*')
}

/// Whether a text is a pattern of tags.
pub fn is_tag_pattern(text: &str) -> bool {
    is_pattern(text, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}

/// Whether a text is a pattern of repositories.
pub fn is_repository_pattern(text: &str) -> bool {
    let inner = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'.' | b'-' | b'/')
    };
    is_pattern(text, inner) && !text.starts_with('/') && !text.ends_with('/') && !text.contains("//")
}

fn is_pattern(text: &str, inner: impl Fn(u8) -> bool) -> bool {
    (1..=MAX_LENGTH).contains(&text.len())
        && text.bytes().all(|byte| inner(byte) || matches!(byte, b'*' | b'?'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_are_told_from_other_texts() {
        for right in ["*", "run-*", "v1.?_x", "Latest"] {
            assert!(is_tag_pattern(right), "{right}");
        }
        for wrong in ["", "a/b", "run *", "[a]", "é", &"a".repeat(129)] {
            assert!(!is_tag_pattern(wrong), "{wrong}");
        }
        assert!(is_repository_pattern("flow/*") && is_repository_pattern("a/b-c"));
        for wrong in ["", "/a", "a/", "a//b", "Flow/*", "a:1"] {
            assert!(!is_repository_pattern(wrong), "{wrong}");
        }
    }

    /// The definition, without regard to time.
    fn slow(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, _) => name.is_empty(),
            (Some((b'*', rest)), _) => (0..=name.len()).any(|taken| slow(rest, &name[taken..])),
            (Some((wanted, rest)), Some((byte, behind))) => {
                (wanted == byte || *wanted == b'?') && slow(rest, behind)
            }
            (Some(_), None) => false,
        }
    }

    proptest! {
        #[test]
        fn a_pattern_matches_as_its_definition_says(pattern in "[ab*?]{0,8}", name in "[ab]{0,10}") {
            prop_assert_eq!(matches(&pattern, &name), slow(pattern.as_bytes(), name.as_bytes()));
        }
    }
}
