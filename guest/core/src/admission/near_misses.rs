//! Warns of annotations and labels that are probably meant for a step and are not read.

use crate::findings::Findings;
use crate::json::{Json, count_steps};
use crate::misspelt::is_meant_for_us;
use orascache_api::steps::ANNOTATION_PREFIX as PREFIX;

/// Keys of one map that are warned of. Who corrects them sees the rest afterwards.
const MAX_WARNINGS: usize = 5;

/// Warns of the near misses in an object's metadata. `path` is the path of its owner in the
/// reviewed object, with a final dot, or empty.
pub(crate) fn warn(owner: &Json<'_>, path: &str, findings: &mut Findings) {
    let annotations = keys(owner, "annotations").filter(|key| is_meant_for_us(key));
    for key in annotations.take(MAX_WARNINGS) {
        findings.warn(format!(
            "{path}metadata.annotations: {key} is not read, so that it asks for no step: write {PREFIX}{}",
            name_of(key)
        ));
    }
    let labels = keys(owner, "labels").filter(|key| key.starts_with(PREFIX) || is_meant_for_us(key));
    for key in labels.take(MAX_WARNINGS) {
        findings.warn(format!(
            "{path}metadata.labels: {key} is a label, and labels ask for no step: write {PREFIX}{} as an annotation",
            name_of(key)
        ));
    }
}

fn keys<'a>(owner: &'a Json<'a>, map: &str) -> impl Iterator<Item = &'a str> {
    let members: &[_] = match owner.member_of("metadata", map) {
        Some(Json::Object(members)) => members,
        _ => &[],
    };
    members.iter().map(|(key, _)| key.as_ref()).inspect(|_| count_steps(1))
}

fn name_of(key: &str) -> &str {
    key.split_once('/').map_or(key, |(_, name)| name)
}
