//! Step annotations: those under `oras.converged-computing.github.io/`. Their names are without
//! this prefix here.

use crate::json::{Json, count_steps};
use orascache_api::steps::{ANNOTATION_PREFIX, annotation as name};

/// More annotations than any step needs. Each input is a request of the agent, and costs time to
/// review.
pub(crate) const MAX_ANNOTATIONS: usize = 256;

/// Names and values of the step annotations in a map of annotations.
pub(crate) fn of<'a>(annotations: Option<&'a Json<'a>>) -> impl Iterator<Item = (&'a str, &'a Json<'a>)> {
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

impl<'a> Sorted<'a> {
    pub(crate) fn of(annotations: Option<&'a Json<'a>>) -> Self {
        let mut all: Vec<_> = of(annotations).collect();
        all.sort_by(|(one, _), (other, _)| {
            count_steps(1);
            one.cmp(other)
        });
        Sorted(all)
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

/// The place of an input among the inputs: `input-uri` comes first, then `input-uri_N` in numeric
/// order. `None` for other annotations.
///
/// A number has one spelling only, so that no two annotations claim the same place.
pub(crate) fn input_number(annotation: &str) -> Option<Option<u32>> {
    let rest = annotation.strip_prefix(name::INPUT_URI)?;
    if rest.is_empty() {
        return Some(None);
    }
    let digits = rest.strip_prefix('_')?;
    let is_canonical = digits == "0" || !digits.starts_with('0');
    (is_canonical && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| digits.parse().ok())
        .flatten()
        .map(Some)
}

/// Whether the annotation names an input.
pub(crate) fn is_input(annotation: &str) -> bool {
    input_number(annotation).is_some()
}

/// Whether a step can have this annotation.
pub(crate) fn is_known(annotation: &str) -> bool {
    let others = [
        name::CACHE,
        name::CONTAINER,
        name::ORAS_ENV,
        name::INPUT_PATH,
        name::INPUT_WAIT,
        name::OUTPUT_PATH,
        name::OUTPUT_PIPE,
        name::OUTPUT_URI,
        name::REGISTRY,
        name::UNPACK,
        name::DEBUG,
        name::ORAS_CONTAINER,
    ];
    is_input(annotation) || others.contains(&annotation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_numbered_in_one_spelling() {
        for (annotation, wanted) in [
            ("input-uri", Some(None)),
            ("input-uri_0", Some(Some(0))),
            ("input-uri_12", Some(Some(12))),
            ("input-uri_4294967295", Some(Some(u32::MAX))),
            ("input-uri_4294967296", None),
            ("input-uri_01", None),
            ("input-uri_", None),
            ("input-uri_+1", None),
            ("input-uris", None),
            ("output-uri", None),
        ] {
            assert_eq!(input_number(annotation), wanted, "{annotation}");
        }
    }
}
