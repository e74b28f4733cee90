//! Digests by which states of an object are compared within this process.

use std::hash::{DefaultHasher, Hasher};
use std::ops::Range;

/// A digest of a text without these parts of it, which are in their order.
pub(crate) fn outside(text: &str, parts: &[&Range<usize>]) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut parts: Vec<&Range<usize>> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
    parts.sort_unstable_by_key(|part| part.start);
    let mut from = 0;
    for part in parts {
        hasher.write(text.get(from..part.start).unwrap_or_default().as_bytes());
        from = part.end;
    }
    hasher.write(text.get(from..).unwrap_or_default().as_bytes());
    hasher.finish()
}

/// A digest of a text.
pub(crate) fn of(text: &str) -> u64 {
    outside(text, &[])
}

#[cfg(test)]
mod tests {
    use super::{of, outside};

    #[test]
    fn a_digest_depends_on_what_is_outside_of_the_parts() {
        let digest = |text: &str| outside(text, &[&(4..6), &(1..2), &(0..0)]);
        assert_eq!(digest("a1bc23d"), digest("a4bc56d"));
        assert_ne!(digest("a1bc23d"), digest("a1bc23e"));
        assert_ne!(digest("a1bc23d"), digest("a1bd23d"));
        assert_ne!(of("ab"), of("ac"));
    }
}
