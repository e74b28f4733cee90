//! What the cache keeps of an object.

use crate::text::{Name, members};
use std::collections::BTreeMap;
use std::ops::Range;

/// Kept of every object, so that a guest can tell what it is and whose.
const IDENTITY: [&str; 9] = [
    "/apiVersion",
    "/kind",
    "/metadata/name",
    "/metadata/namespace",
    "/metadata/uid",
    "/metadata/generation",
    "/metadata/deletionTimestamp",
    "/metadata/labels",
    "/metadata/ownerReferences",
];

/// What the cache keeps of the objects of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Retention {
    /// The object as it is. Of managedFields, only the entries of other managers are kept.
    Whole,
    /// The object's identity and these fields.
    Fields(Fields),
}

/// A tree of field names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fields {
    /// The value, whatever is below it.
    Everything,
    /// These members of an object.
    Members(BTreeMap<String, Fields>),
}

impl Retention {
    /// Keeps the identity and the fields that JSON pointers (RFC 6901) name.
    ///
    /// # Errors
    /// With a sentence about a pointer that is none.
    pub(crate) fn fields(pointers: &[String]) -> Result<Self, String> {
        let mut fields = Fields::Members(BTreeMap::new());
        for pointer in IDENTITY.into_iter().chain(pointers.iter().map(String::as_str)) {
            fields.insert(&parse(pointer)?);
        }
        Ok(match fields {
            Fields::Everything => Retention::Whole,
            fields => Retention::Fields(fields),
        })
    }

    /// Keeps what either of them keeps.
    pub(crate) fn join(self, other: Self) -> Self {
        match (self, other) {
            (Retention::Fields(mut fields), Retention::Fields(others)) => {
                fields.merge(others);
                Retention::Fields(fields)
            }
            _ => Retention::Whole,
        }
    }

    /// Whether everything that `other` keeps is kept.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Retention::Whole, _) => true,
            (Retention::Fields(_), Retention::Whole) => false,
            (Retention::Fields(fields), Retention::Fields(others)) => fields.cover(others),
        }
    }

    /// The fields that are kept.
    pub(crate) fn fields_kept(&self) -> &Fields {
        match self {
            Retention::Whole => &Fields::Everything,
            Retention::Fields(fields) => fields,
        }
    }
}

impl Fields {
    fn insert(&mut self, path: &[String]) {
        match (self, path) {
            (fields, []) => *fields = Fields::Everything,
            (Fields::Everything, _) => {}
            (Fields::Members(members), [name, rest @ ..]) => {
                members.entry(name.clone()).or_insert_with(|| Fields::Members(BTreeMap::new())).insert(rest)
            }
        }
    }

    fn merge(&mut self, others: Fields) {
        match (self, others) {
            (Fields::Everything, _) => {}
            (fields, Fields::Everything) => *fields = Fields::Everything,
            (Fields::Members(members), Fields::Members(others)) => {
                for (name, other) in others {
                    members.entry(name).or_insert_with(|| Fields::Members(BTreeMap::new())).merge(other);
                }
            }
        }
    }

    fn cover(&self, others: &Fields) -> bool {
        match (self, others) {
            (Fields::Everything, _) => true,
            (Fields::Members(_), Fields::Everything) => false,
            (Fields::Members(members), Fields::Members(others)) => {
                others.iter().all(|(name, other)| members.get(name).is_some_and(|fields| fields.cover(other)))
            }
        }
    }

    /// What is kept of the member of that name; `None` when it is left out.
    pub(crate) fn member(&self, name: &str) -> Option<&Fields> {
        match self {
            Fields::Everything => Some(self),
            Fields::Members(members) => members.get(name),
        }
    }

    /// Adds what is kept of a value to a text. Returns false, and adds nothing, when there is
    /// nothing.
    pub(crate) fn write(&self, value: &str, text: &mut String) -> bool {
        match (self, value.as_bytes().first()) {
            (Fields::Members(_), Some(b'{')) => {
                text.push('{');
                for (name, value) in members(value) {
                    if let Some(kept) = self.member(&name.text()) {
                        kept.write_member(name, value, text);
                    }
                }
                text.push('}');
            }
            // A pointer into an array keeps all of it: positions would have another meaning
            // otherwise.
            (Fields::Everything, _) | (Fields::Members(_), Some(b'[')) => text.push_str(value),
            (Fields::Members(_), _) => return false,
        }
        true
    }

    /// Adds a member with what is kept of its value to the text of an object that is not finished.
    /// Returns where the value is; that is nowhere when nothing of it is kept.
    pub(crate) fn write_member(&self, name: Name<'_>, value: &str, text: &mut String) -> Range<usize> {
        let before = text.len();
        if !text.ends_with('{') {
            text.push(',');
        }
        text.push_str(name.0);
        text.push(':');
        let start = text.len();
        if !self.write(value, text) {
            text.truncate(before);
            return 0..0;
        }
        start..text.len()
    }
}

/// The names that a JSON pointer consists of.
fn parse(pointer: &str) -> Result<Vec<String>, String> {
    if pointer.is_empty() {
        return Ok(Vec::new());
    }
    let Some(names) = pointer.strip_prefix('/') else {
        return Err(format!(
            "{pointer:?} is no JSON pointer (RFC 6901): write it with a leading slash, as in \
             \"/spec/accessModes\""
        ));
    };
    names.split('/').map(|name| unescape(name, pointer)).collect()
}

fn unescape(name: &str, pointer: &str) -> Result<String, String> {
    let mut parts = name.split('~');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = match (part.strip_prefix('0'), part.strip_prefix('1')) {
            (Some(rest), _) => {
                text.push('~');
                rest
            }
            (_, Some(rest)) => {
                text.push('/');
                rest
            }
            (None, None) => {
                return Err(format!(
                    "{pointer:?} is no JSON pointer (RFC 6901): write ~0 for a tilde and ~1 for a slash"
                ));
            }
        };
        text.push_str(rest);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::Retention;
    use serde_json::{Value, json};

    fn reduced(kept: &Retention, object: &Value) -> Value {
        let mut text = String::new();
        assert!(kept.fields_kept().write(&object.to_string(), &mut text));
        serde_json::from_str(&text).expect("JSON")
    }

    fn fields(pointers: &[&str]) -> Retention {
        let pointers: Vec<String> = pointers.iter().map(|&pointer| pointer.to_owned()).collect();
        Retention::fields(&pointers).expect("pointers")
    }

    #[test]
    fn identity_and_named_fields_are_kept_and_nothing_else() {
        let object = json!({
            "apiVersion": "v1", "kind": "K", "data": {"secret": "s"},
            "metadata": {
                "name": "n", "namespace": "s", "uid": "u", "generation": 2, "resourceVersion": "7",
                "deletionTimestamp": "t", "creationTimestamp": "t", "labels": {"a": "b"},
                "annotations": {"long": "text", "x/y": "kept"}, "ownerReferences": [{"uid": "o"}],
            },
            "spec": {"modes": ["A"], "size": {"min": 1, "max": 2}, "list": [{"a": 1, "b": 2}], "text": "t"},
        });
        let kept = fields(&[
            "/metadata/annotations/x~1y",
            "/spec/modes",
            "/spec/size/min",
            "/spec/list/0/a",
            "/spec/text/deeper",
            "/spec/absent",
        ]);
        let expected = json!({
            "apiVersion": "v1", "kind": "K",
            "metadata": {
                "name": "n", "namespace": "s", "uid": "u", "generation": 2, "deletionTimestamp": "t",
                "labels": {"a": "b"}, "annotations": {"x/y": "kept"}, "ownerReferences": [{"uid": "o"}],
            },
            "spec": {"modes": ["A"], "size": {"min": 1}, "list": [{"a": 1, "b": 2}]},
        });
        assert_eq!(reduced(&kept, &object), expected);
        assert_eq!(reduced(&Retention::Whole, &object), object);
    }

    #[test]
    fn the_empty_pointer_keeps_the_whole_object() {
        assert_eq!(fields(&[""]), Retention::Whole);
    }

    #[test]
    fn a_pointer_covers_what_is_below_it() {
        let spec = fields(&["/spec"]);
        assert!(spec.covers(&fields(&["/spec/a", "/spec/b/c"])) && spec.covers(&fields(&[])));
        assert!(!spec.covers(&fields(&["/status"])) && !spec.covers(&Retention::Whole));
        assert!(!fields(&["/spec/a"]).covers(&spec));
        assert!(Retention::Whole.covers(&spec));
        let both = fields(&["/spec/a"]).join(fields(&["/status"]));
        assert!(both.covers(&fields(&["/spec/a/b", "/status/c"])));
        assert_eq!(both.join(Retention::Whole), Retention::Whole);
    }

    #[test]
    fn a_text_that_is_no_pointer_is_refused_with_what_to_write() {
        for (pointer, hint) in [("spec", "leading slash"), ("/a~2b", "~0"), ("/a~", "~0")] {
            let refused = Retention::fields(&[pointer.to_owned()]).expect_err(pointer);
            assert!(refused.contains(hint), "{refused}");
        }
    }
}
