//! Secrets that were left out, to be left out wherever else they stand in the same input.

use std::collections::HashMap;

/// Shorter secrets are not searched for: they would be found everywhere.
const SEARCHED_BYTES: usize = 8;
/// Secrets that are searched for in one input. Beyond that, searching takes too long, and the input
/// is not recorded.
const AT_MOST: usize = 4_096;

/// The secrets by their first bytes: a search looks at each place of a text once, however many
/// secrets there are.
#[derive(Default)]
pub(super) struct Found {
    by_start: HashMap<[u8; SEARCHED_BYTES], Vec<String>>,
    count: usize,
}

impl Found {
    pub(super) fn add(&mut self, secret: &str) {
        let Some(start) = secret.as_bytes().first_chunk() else { return };
        let secrets = self.by_start.entry(*start).or_default();
        if self.count <= AT_MOST && !secrets.iter().any(|known| known == secret) {
            // The longest one first: it may begin with another one.
            let at = secrets.partition_point(|known| known.len() > secret.len());
            secrets.insert(at, secret.to_owned());
            self.count += 1;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether there are more than can be searched for.
    pub(super) fn is_too_many(&self) -> bool {
        self.count > AT_MOST
    }

    /// The text with replacements for all secrets in it; `None` when there are none.
    pub(super) fn replaced(&self, text: &str, replacement: impl Fn(&str) -> String) -> Option<String> {
        let mut replaced = String::new();
        let (mut copied, mut at) = (0, 0);
        while let Some(start) = text.as_bytes().get(at..).and_then(<[u8]>::first_chunk::<SEARCHED_BYTES>) {
            let secrets = self.by_start.get(start).map(Vec::as_slice).unwrap_or_default();
            let rest = text.as_bytes().get(at..).unwrap_or_default();
            match secrets.iter().find(|secret| rest.starts_with(secret.as_bytes())) {
                Some(secret) => {
                    replaced.push_str(text.get(copied..at).unwrap_or_default());
                    replaced.push_str(&replacement(secret));
                    at += secret.len();
                    copied = at;
                }
                None => at += 1,
            }
        }
        (copied > 0).then(|| {
            replaced.push_str(text.get(copied..).unwrap_or_default());
            replaced
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{AT_MOST, Found};

    #[test]
    fn the_longest_secret_is_replaced_at_every_place() {
        let mut found = Found::default();
        for secret in ["secret-1", "secret-12", "überlänge", "short", "secret-1"] {
            found.add(secret);
        }
        assert_eq!(found.count, 3);
        let replaced = |text| found.replaced(text, |secret| format!("<{}>", secret.len()));
        assert_eq!(replaced("secret-12secret-1,überlängeü").as_deref(), Some("<9><8>,<11>ü"));
        assert_eq!(replaced("secret-"), None);
        assert_eq!(replaced("short and ünrelated"), None);
    }

    #[test]
    fn more_secrets_than_can_be_searched_for_are_noticed() {
        let mut found = Found::default();
        (0..AT_MOST).for_each(|number| found.add(&format!("number-{number}")));
        assert!(!found.is_too_many());
        found.add("one-more-secret");
        assert!(found.is_too_many());
    }
}
