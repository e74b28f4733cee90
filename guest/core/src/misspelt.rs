//! Keys that are probably meant for us: the name of a step annotation under a prefix that is nearly
//! ours, or without any prefix.

use crate::step_annotations::{KNOWN, is_known, numbered};
use orascache_api::steps::{ANNOTATION_PREFIX, annotation as name};

/// Insertions, deletions and replacements of one character by which a prefix may differ from ours.
const MAX_DISTANCE: usize = 2;
/// Parts of our prefix. A prefix with at most [`MAX_DISTANCE`] mistakes has at least one of them.
pub(crate) const PARTS: [&str; 3] = ["oras", "converged", "computing.github"];

/// Whether a key is none of ours, but probably meant to be.
pub(crate) fn is_meant_for_us(key: &str) -> bool {
    let Some((prefix, name)) = key.split_once('/') else { return is_distinctive(key) };
    let ours = ANNOTATION_PREFIX.trim_end_matches('/');
    let is_like_ours = prefix.len().abs_diff(ours.len()) <= MAX_DISTANCE;
    // Most keys are told apart by this, without searching their prefixes.
    if !is_like_ours && !is_distinctive(name) && !is_known(name) {
        return false;
    }
    if prefix == ours || !PARTS.iter().any(|part| prefix.contains(part)) {
        return false;
    }
    let is_of_project = prefix.contains("converged-computing");
    is_distinctive(name) || (is_of_project && is_known(name)) || is_near(prefix, ours)
}

/// The annotation that a name under our prefix is probably meant for, without its prefix.
pub(crate) fn closest(name: &str) -> Option<&'static str> {
    let base = name.split_once('_').map_or(name, |(base, _)| base);
    KNOWN.iter().copied().find(|known| is_near(base, known))
}

/// Whether a name is one that nobody else has. Others may have a `container` or a `registry`.
fn is_distinctive(name: &str) -> bool {
    name == name::CACHE
        || numbered(name).is_some_and(|(base, _)| base == name::INPUT_URI || base == name::OUTPUT_URI)
}

/// Whether at most [`MAX_DISTANCE`] mistakes lead from one text to the other (Levenshtein).
fn is_near(text: &str, wanted: &str) -> bool {
    let (text, wanted) = (text.as_bytes(), wanted.as_bytes());
    if text.len().abs_diff(wanted.len()) > MAX_DISTANCE {
        return false;
    }
    // The distances between the beginning of `text` so far and all beginnings of `wanted`.
    let mut distances: Vec<usize> = (0..=wanted.len()).collect();
    for (row, byte) in text.iter().enumerate() {
        // The distance in the row above and the column to the left.
        let mut diagonal = row;
        let mut left = row + 1;
        for (column, distance) in distances.iter_mut().enumerate() {
            if column == 0 {
                *distance = row + 1;
                continue;
            }
            let is_same = wanted.get(column - 1) == Some(byte);
            let replaced = diagonal + usize::from(!is_same);
            diagonal = *distance;
            left = replaced.min(diagonal + 1).min(left + 1);
            *distance = left;
        }
    }
    distances.last().is_some_and(|distance| *distance <= MAX_DISTANCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_misses_are_told_from_keys_of_others() {
        for key in [
            "oras.converged-computing.io/input-uri",
            "oras.converged-computing.github.com/container",
            "oras.converged-computing.gihub.io/whatever",
            "oras.convergedcomputing.github.io/x",
            "oras.converged-computing.github.io./x",
            "ras.converged-computing.githb.io/x",
            "cache.converged-computing.github.io/output-path",
            "converged-computing.github.io/debug",
            "oras.land/oras-cache",
            "oras-cache",
            "input-uri_3",
            "output-uri",
        ] {
            assert!(is_meant_for_us(key), "{key}");
        }
        for key in [
            "oras.converged-computing.github.io/input-uri",
            "oras.converged-computing.github.io/unknown",
            "cache.converged-computing.github.io/injected",
            "cache.converged-computing.github.io/cache",
            "cache.converged-computing.github.io/inputs",
            "example.org/input-uri",
            "oras.land/container",
            "metrics.converged-computing.github.io/x",
            "container",
            "input-path",
            "app",
            "",
            "/",
        ] {
            assert!(!is_meant_for_us(key), "{key}");
        }
    }

    #[test]
    fn a_misspelt_name_is_near_one_that_exists() {
        for (name, wanted) in [
            ("input-url", Some("input-uri")),
            ("input-url_3", Some("input-uri")),
            ("inputuri", Some("input-uri")),
            ("out-path", None),
            ("cache", None),
            ("reuse-file", Some("reuse-files")),
        ] {
            assert_eq!(closest(name), wanted, "{name}");
        }
    }

    #[test]
    fn distances_are_those_of_levenshtein() {
        for (text, wanted) in [("abcd", true), ("abXd", true), ("aXcX", true), ("bc", true), ("XabcdX", true)]
        {
            assert_eq!(is_near(text, "abcd"), wanted, "{text}");
        }
        for text in ["XXXd", "a", "abcdefg", "dcba", ""] {
            assert!(!is_near(text, "abcd"), "{text}");
        }
    }

    #[test]
    fn every_prefix_that_is_near_ours_has_one_of_its_parts() {
        let ours = ANNOTATION_PREFIX.trim_end_matches('/');
        for (first, _) in ours.char_indices() {
            for (second, _) in ours.char_indices() {
                let mut bytes = ours.as_bytes().to_vec();
                bytes[first] = b'#';
                bytes[second] = b'#';
                let text = String::from_utf8(bytes).unwrap();
                assert!(is_near(&text, ours) && is_meant_for_us(&format!("{text}/x")), "{text}");
            }
        }
    }
}
