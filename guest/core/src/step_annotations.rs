//! Step annotations: those under `oras.converged-computing.github.io/`. Their names are without
//! this prefix here.

use crate::json::{Json, count_steps};
use orascache_api::steps::{ANNOTATION_PREFIX, annotation as name};

/// More annotations than any step needs. Each input is a request of the agent, and costs time to
/// review.
pub(crate) const MAX_ANNOTATIONS: usize = 256;

/// Names and values of the step annotations in a map of annotations.
pub(crate) fn of<'a>(
    annotations: Option<&'a Json<'a>>,
) -> impl Iterator<Item = (&'a str, &'a Json<'a>)> + Clone {
    let members: &[_] = match annotations {
        Some(Json::Object(members)) => members,
        _ => &[],
    };
    members.iter().filter_map(|(key, value)| {
        count_steps(1);
        Some((key.strip_prefix(ANNOTATION_PREFIX)?, value))
    })
}

/// The step annotations of a map, sorted by name. Maps are as long as users make them: whoever
/// compares two of them looks up the one's names here, and does not search the other for each.
#[derive(Debug)]
pub(crate) struct Sorted<'a>(Vec<(&'a str, &'a Json<'a>)>);

impl<'a> FromIterator<(&'a str, &'a Json<'a>)> for Sorted<'a> {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a Json<'a>)>>(annotations: I) -> Self {
        Sorted::sort(annotations.into_iter().collect())
    }
}

impl<'a> Sorted<'a> {
    // Not generic: the component has one copy of the sort.
    fn sort(mut all: Vec<(&'a str, &'a Json<'a>)>) -> Self {
        all.sort_by(|(one, _), (other, _)| {
            count_steps(1);
            one.cmp(other)
        });
        Sorted(all)
    }

    pub(crate) fn of(annotations: Option<&'a Json<'a>>) -> Self {
        of(annotations).collect()
    }

    /// The value of a step annotation.
    pub(crate) fn get(&self, name: &str) -> Option<&'a Json<'a>> {
        let found = self.0.binary_search_by(|(other, _)| {
            count_steps(1);
            (*other).cmp(name)
        });
        found.ok().and_then(|index| self.0.get(index)).map(|(_, value)| *value)
    }
}

/// Annotations that may have a number behind them, as in `input-uri_3`.
pub(crate) const NUMBERED: [&str; 4] =
    [name::INPUT_URI, name::INPUT_PATH, name::OUTPUT_URI, name::OUTPUT_PATH];

/// The annotation without its number, and the number. `input-uri` has none, and comes before
/// `input-uri_0`, `input-uri_1` and so on in numeric order. `None` for annotations that have no
/// numbers.
///
/// A number has one spelling only, so that no two annotations claim the same place.
pub(crate) fn numbered(annotation: &str) -> Option<(&'static str, Option<u32>)> {
    let (base, rest) =
        NUMBERED.into_iter().find_map(|base| annotation.strip_prefix(base).map(|rest| (base, rest)))?;
    if rest.is_empty() {
        return Some((base, None));
    }
    let digits = rest.strip_prefix('_')?;
    let is_canonical = digits == "0" || !digits.starts_with('0');
    let number = (is_canonical && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| digits.parse().ok())
        .flatten()?;
    Some((base, Some(number)))
}

/// Whether the annotation is this one, with a number or without.
pub(crate) fn is_one_of(annotation: &str, base: &str) -> bool {
    numbered(annotation).is_some_and(|(found, _)| found == base)
}

/// The annotations of a step, those with a number without it.
pub(crate) const KNOWN: [&str; 20] = [
    name::CACHE,
    name::INPUT_URI,
    name::INPUT_PATH,
    name::INPUT_WAIT,
    name::INPUT_CONFLICTS,
    name::OUTPUT_URI,
    name::OUTPUT_PATH,
    name::OUTPUT_PIPE,
    name::CONTAINER,
    name::REGISTRY,
    name::REGISTRY_CA,
    name::ORAS_ENV,
    name::REUSE,
    name::REUSE_SALT,
    name::REUSE_FILES,
    name::UNPACK,
    name::COMPRESSION,
    name::PROVENANCE,
    name::ORAS_CONTAINER,
    name::DEBUG,
];

/// Whether a step can have this annotation.
pub(crate) fn is_known(annotation: &str) -> bool {
    numbered(annotation).is_some() || KNOWN.contains(&annotation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotations_are_numbered_in_one_spelling() {
        for (annotation, wanted) in [
            ("input-uri", Some(("input-uri", None))),
            ("input-uri_0", Some(("input-uri", Some(0)))),
            ("input-path_12", Some(("input-path", Some(12)))),
            ("output-uri_4294967295", Some(("output-uri", Some(u32::MAX)))),
            ("output-path_1", Some(("output-path", Some(1)))),
            ("input-uri_4294967296", None),
            ("input-uri_01", None),
            ("input-uri_", None),
            ("input-uri_+1", None),
            ("input-uris", None),
            ("output-pipe_1", None),
            ("input-wait", None),
        ] {
            assert_eq!(numbered(annotation), wanted, "{annotation}");
        }
    }
}
