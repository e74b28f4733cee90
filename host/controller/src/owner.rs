//! Owner references as text, and the primary as the controller of what its plan applies.

use crate::object::Key;
use crate::text::{Name, Repeated, check_names, items, members, string};
use orascache_contract::Kind;
use serde_json::json;
use std::borrow::Cow;

/// One entry of ownerReferences.
#[derive(Default)]
pub(crate) struct OwnerReference<'t> {
    pub(crate) api_version: Cow<'t, str>,
    pub(crate) kind: Cow<'t, str>,
    pub(crate) name: Cow<'t, str>,
    pub(crate) uid: Cow<'t, str>,
    pub(crate) is_controller: bool,
}

impl<'t> OwnerReference<'t> {
    /// Members that are no strings are empty.
    fn of(members: &[(Name<'t>, &'t str)]) -> Self {
        let mut reference = Self::default();
        for (name, value) in members {
            let text = || string(value).unwrap_or_default();
            match &*name.text() {
                "apiVersion" => reference.api_version = text(),
                "kind" => reference.kind = text(),
                "name" => reference.name = text(),
                "uid" => reference.uid = text(),
                "controller" => reference.is_controller = *value == "true",
                _ => {}
            }
        }
        reference
    }

    /// The group of its kind.
    pub(crate) fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }
}

/// The entry of ownerReferences that names the controller, whatever it is.
pub(crate) fn controlling(references: Option<&str>) -> Option<OwnerReference<'_>> {
    let references = items(references?).into_iter().map(|item| OwnerReference::of(&members(item)));
    references.into_iter().find(|reference| reference.is_controller)
}

/// The ownerReferences of an object with the primary as the controller; `None` when they name it
/// already.
///
/// # Errors
/// With the rest of a sentence about the object, when it names another controller, or has a member
/// twice, so that the API server may read another one than this process.
pub(crate) fn with_controller(
    references: Option<&str>,
    kind: &Kind,
    primary: &Key,
    uid: &str,
) -> Result<Option<String>, String> {
    let references = references.unwrap_or("[]");
    if !references.starts_with('[') {
        return Err("has ownerReferences that are no list".to_owned());
    }
    let mut others = Vec::new();
    let mut is_set = false;
    for text in items(references) {
        let members = members(text);
        check_names(members.iter().map(|(name, _)| *name))
            .map_err(|Repeated(name)| format!("has {name:?} twice in an entry of ownerReferences"))?;
        let reference = OwnerReference::of(&members);
        if reference.is_controller {
            let is_primary = reference.uid == uid
                && *reference.name == *primary.name
                && reference.kind == kind.kind
                && reference.api_version == kind.api_version;
            if !is_primary {
                return Err(format!(
                    "names another controller than {} {primary} in ownerReferences: leave that entry out, \
                     the host adds the right one",
                    kind.kind
                ));
            }
            is_set = true;
        }
        // The API server refuses two entries with one UID.
        if reference.uid != uid {
            others.push(text.to_owned());
        }
    }
    if is_set {
        return Ok(None);
    }
    let primary = json!({
        "apiVersion": kind.api_version, "kind": kind.kind, "name": &*primary.name, "uid": uid,
        "controller": true, "blockOwnerDeletion": true,
    });
    others.push(primary.to_string());
    Ok(Some(format!("[{}]", others.join(","))))
}

#[cfg(test)]
mod tests {
    use super::with_controller;
    use crate::object::Key;
    use crate::testing::kind;
    use serde_json::{Value, json};

    fn set(references: Value) -> Result<Value, String> {
        let text = references.to_string();
        let changed = with_controller(Some(&text), &kind("P"), &Key::new("n", "p"), "U")?;
        Ok(changed.map_or(references, |changed| serde_json::from_str(&changed).expect("JSON")))
    }

    fn ours() -> Value {
        json!({
            "apiVersion": "v1", "kind": "P", "name": "p", "uid": "U", "controller": true,
            "blockOwnerDeletion": true,
        })
    }

    #[test]
    fn a_missing_controller_is_added_and_other_owners_stay() {
        let other = json!({"apiVersion": "v1", "kind": "Q", "name": "q", "uid": "Q"});
        assert_eq!(set(json!([other.clone()])), Ok(json!([other, ours()])));
        let mut weaker = ours();
        weaker["controller"] = json!(false);
        assert_eq!(set(json!([weaker])), Ok(json!([ours()])));
        let added = with_controller(None, &kind("P"), &Key::new("n", "p"), "U").expect("an owner");
        let added: Value = serde_json::from_str(&added.expect("a change")).expect("JSON");
        assert_eq!(added, json!([ours()]));
    }

    #[test]
    fn the_primary_as_it_was_named_stays() {
        let mut named = ours();
        named["blockOwnerDeletion"] = json!(false);
        assert_eq!(set(json!([named.clone()])), Ok(json!([named])));
        let text = json!([named]).to_string();
        assert_eq!(with_controller(Some(&text), &kind("P"), &Key::new("n", "p"), "U"), Ok(None));
    }

    #[test]
    fn another_controller_is_refused() {
        for (member, value) in [("uid", "V"), ("name", "q"), ("kind", "Q"), ("apiVersion", "v2")] {
            let mut other = ours();
            other[member] = json!(value);
            assert!(set(json!([other])).is_err(), "{member}");
        }
        assert!(set(json!({})).is_err());
    }

    #[test]
    fn security_a_reference_that_readers_may_read_in_two_ways_is_refused() {
        let ours = ours().to_string();
        for member in ["uid", "u\\u0069d", "controller"] {
            let twice = format!("[{},\"{member}\":\"V\"}}]", ours.trim_end_matches('}'));
            let refused = with_controller(Some(&twice), &kind("P"), &Key::new("n", "p"), "U");
            assert!(refused.is_err_and(|sentence| sentence.contains("twice")), "{twice}");
        }
    }
}
