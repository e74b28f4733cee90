//! Retention by zot itself (zotregistry.dev, "Retention policies").
//!
//! A tag gets the first of the rules whose patterns it matches. It is kept if that rule has no
//! conditions, or if one of them holds. A tag without a rule would be deleted.

use crate::json::Json;
use crate::tasks::Retention;
use orascache_api::duration::age;

/// How often zot deletes. A schedule is none of its settings.
pub(super) const INTERVAL: &str = "24h";
/// How old blobs are that nothing names, before they go: younger ones may belong to an upload whose
/// manifest is on its way.
pub(super) const BLOBS_STAY: &str = "24h";
/// How old manifests without a tag are, at least, before they go, in seconds: a day.
const UNTAGGED_STAY: u64 = 86_400;
/// Tags stay for an hour whatever else is said, so that nothing goes before the next step has pulled
/// it. In seconds.
const TAGS_STAY: u64 = 3_600;
/// Keys of reused steps: all of the tag, as zot looks for a part of it.
const KEYS: &str = "^key-[0-9a-f]{64}$";

/// What zot is told. The ages have been checked.
pub(super) fn rendered<'a>(retention: &Retention<'a>) -> Json<'a> {
    let max_age = retention.max_age.and_then(|text| age(text).ok());
    let conditions = |patterns: Vec<Json<'a>>| {
        Json::object([
            ("mostRecentlyPushedCount", retention.keep_tags.map(Json::from)),
            ("patterns", (!patterns.is_empty()).then_some(Json::Array(patterns))),
            (
                "pulledWithin",
                retention.unused_since.and_then(|text| age(text).ok()).map(|age| seconds(age).into()),
            ),
            ("pushedWithin", Some(seconds(max_age.unwrap_or(0).max(TAGS_STAY)).into())),
        ])
    };
    // Keys are counted by themselves, and patterns do not choose among them.
    let mut rules = vec![
        conditions(vec![KEYS.into()]),
        conditions(retention.patterns.iter().map(|pattern| expression(pattern).into()).collect()),
    ];
    if !retention.patterns.is_empty() {
        // Other tags are kept.
        rules.push(Json::object([("patterns", Some(Json::Array(vec![".*".into()])))]));
    }
    let policy = Json::object([
        ("deleteReferrers", Some(true.into())),
        // A deleted tag leaves its manifest without one.
        ("deleteUntagged", Some(true.into())),
        ("keepTags", Some(Json::Array(rules))),
        ("repositories", Some(Json::Array(vec!["**".into()]))),
    ]);
    Json::object([
        ("delay", Some(seconds(max_age.unwrap_or(0).max(UNTAGGED_STAY)).into())),
        ("policies", Some(Json::Array(vec![policy]))),
    ])
}

/// A duration as Go reads it, which knows no days.
fn seconds(seconds: u64) -> String {
    format!("{seconds}s")
}

/// The regular expression of a pattern of tags. Of its characters, the dot alone means something else.
fn expression(pattern: &str) -> String {
    format!("^{}$", pattern.replace('.', r"\.").replace('*', ".*").replace('?', "."))
}

#[cfg(test)]
mod tests {
    use super::expression;

    #[test]
    fn patterns_are_expressions_of_whole_tags() {
        for (pattern, wanted) in [("run-*", "^run-.*$"), ("v1.?", r"^v1\..$"), ("a_b", "^a_b$")] {
            assert_eq!(expression(pattern), wanted);
        }
    }
}
