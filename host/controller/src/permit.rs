//! What a plan may write. A guest's rights end at its description and at its primary: the
//! operator's own rights reach further, and a faulty or hostile guest must not use them.
//!
//! - A plan applies, generates, rotates and deletes objects of owned kinds, and patches objects of related
//!   kinds that are patchable. Of owned kinds these are children and strays. Where the primaries
//!   are objects of others, it may patch the one that it is for, and write no status.
//! - Where primaries live in namespaces, these objects are in the primary's namespace. They are
//!   never in a namespace that is not watched.
//! - What it applies or generates has the primary as its controller. What it deletes is controlled
//!   by the primary according to the cache, or it is a stray: our field manager wrote it, and
//!   nothing controls it. A patch does not change who owns the object, but for one case: it may
//!   release a child, which outlives the primary then.
//! - Roles, webhook configurations and CustomResourceDefinitions are never written, whatever the
//!   description says.

use crate::cache::{Cache, View};
use crate::json_patch::{self, Unusable};
use crate::object::Key;
use crate::owner;
use crate::requests::target;
use crate::roles::Roles;
use crate::text::{ObjectText, Repeated, string};
use crate::watches::{KindIndex, PRIMARY};
use orascache_contract::{Failure, FailureReason, Kind, ObjectPatch, ObjectRef, Verb};
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Groups whose objects give rights or reach into requests of the whole cluster.
const FORBIDDEN_GROUPS: [&str; 3] =
    ["rbac.authorization.k8s.io", "admissionregistration.k8s.io", "apiextensions.k8s.io"];

/// Longest name of an object (`DNS1123SubdomainMaxLength` of apimachinery).
const MAX_NAME: usize = 253;

/// Checks writes of one plan.
pub(crate) struct Permit<'a> {
    pub(crate) cache: &'a Cache,
    pub(crate) roles: &'a Roles,
    pub(crate) primary: &'a Key,
    pub(crate) view: &'a View,
    /// Whether the plan may patch the primary itself.
    pub(crate) patches_primary: bool,
}

/// An object that may be written.
pub(crate) struct Planned<'p> {
    pub(crate) kind: KindIndex,
    pub(crate) key: Key,
    /// The object to write. It names the primary as its controller.
    pub(crate) object: ObjectText<Cow<'p, str>>,
}

/// A patch that may be sent.
pub(crate) struct PlannedPatch {
    pub(crate) kind: KindIndex,
    pub(crate) key: Key,
    /// The JSON Patch. It begins with a test of the UID.
    pub(crate) patch: Vec<u8>,
}

/// Whether objects of this kind are never written.
pub(crate) fn is_forbidden(kind: &Kind) -> bool {
    FORBIDDEN_GROUPS.contains(&kind.group())
}

impl Permit<'_> {
    /// An object that the plan wants to apply, or a Secret that it wants to generate or to change.
    ///
    /// Its text is sent as it is, so that the API server has to read it as this process does: no
    /// member that is checked may be there twice.
    pub(crate) fn object<'p>(&self, text: &'p str, verb: Verb) -> Result<Planned<'p>, Box<Failure>> {
        let invalid = |problem: &str| {
            let message = format!("The plan's object cannot be used: {problem}.");
            failure(unknown_target(text), verb, FailureReason::Invalid, message)
        };
        let object = parse(text).map_err(|problem| invalid(&problem))?;
        let member = |value: Option<&str>| value.and_then(string).map(Cow::into_owned);
        let (Some(api_version), Some(kind)) =
            (member(object.member("apiVersion")), member(object.member("kind")))
        else {
            return Err(invalid("apiVersion or kind is missing"));
        };
        let Some(name) = member(object.metadata("name")) else {
            return Err(invalid("metadata.name is missing"));
        };
        let key = Key::new(&member(object.metadata("namespace")).unwrap_or_default(), &name);
        let index = self.cache.index_named(&api_version, &kind).filter(|kind| self.roles.is_owned(*kind));
        let Some((index, definition)) = index.and_then(|index| Some((index, self.cache.kind(index)?))) else {
            let message = format!(
                "{kind} of {api_version} is not among the owned kinds of the description: the plan may not \
                 {verb} {key}."
            );
            return Err(failure(unknown_target(text), verb, FailureReason::NotPermitted, message));
        };
        let target = target(definition, &key);
        self.check_place(definition, &target, verb)?;
        let references = object.metadata("ownerReferences");
        let owned =
            owner::with_controller(references, self.cache.primary_kind(), self.primary, &self.view.uid);
        let owned = owned.map_err(|problem| {
            let message = format!("{target} {problem}.");
            failure(target.clone(), verb, FailureReason::NotPermitted, message)
        })?;
        let object = match owned {
            Some(owners) => {
                ObjectText::new(Cow::Owned(object.with_metadata(&[("ownerReferences", &owners)])))
            }
            None => object,
        };
        Ok(Planned { kind: index, key, object })
    }

    /// An object that the plan wants to delete; `None` when it was deleted already.
    pub(crate) fn deletion(&self, target: &ObjectRef) -> Result<Option<(KindIndex, Key)>, Box<Failure>> {
        let refused =
            |message: String| failure(target.clone(), Verb::Delete, FailureReason::NotPermitted, message);
        let kind = self.cache.index_of(&target.kind).filter(|kind| self.roles.is_owned(*kind));
        let Some(kind) = kind else {
            return Err(refused(format!(
                "{} is not among the owned kinds of the description: the plan may not delete {target}.",
                target.kind.kind
            )));
        };
        self.check_place(&target.kind, target, Verb::Delete)?;
        let Some(uid) = &target.uid else {
            return Err(refused(format!("{target} is not deleted, since the plan does not name its UID.")));
        };
        let key = Key::new(target.namespace.as_deref().unwrap_or_default(), &target.name);
        let known = self.cache.get(kind, &key).filter(|known| *known.uid == **uid);
        match known {
            Some(known) if known.is_stray || known.controller.as_deref() == Some(&*self.view.uid) => {
                Ok(Some((kind, key)))
            }
            None if self.cache.was_deleted(uid) => Ok(None),
            _ => Err(refused(format!(
                "{target} is not deleted: no object of that name and UID is known to be controlled by {}.",
                self.primary
            ))),
        }
    }

    /// A patch of a related object, or of a child or stray of an owned kind that is patchable.
    pub(crate) fn patch(&self, planned: &ObjectPatch) -> Result<PlannedPatch, Box<Failure>> {
        let target = &planned.target;
        let fails =
            |reason: FailureReason, message: String| failure(target.clone(), Verb::Patch, reason, message);
        let is_primary = target.namespace.as_deref().unwrap_or_default() == &*self.primary.namespace
            && *target.name == *self.primary.name
            && target.uid.as_deref() == Some(&*self.view.uid);
        let key = Key::new(target.namespace.as_deref().unwrap_or_default(), &target.name);
        let known = |kind: KindIndex| {
            let known = self.cache.get(kind, &key)?;
            (target.uid.as_deref() == Some(&*known.uid)).then_some(known)
        };
        let is_child = |kind: KindIndex| {
            self.roles.is_owned(kind)
                && known(kind).is_some_and(|known| known.controller.as_deref() == Some(&*self.view.uid))
        };
        let is_stray = |kind: KindIndex| known(kind).is_some_and(|known| known.is_stray);
        let may_patch = |kind: &KindIndex| match *kind {
            PRIMARY => self.patches_primary && is_primary,
            kind => {
                self.roles.is_patchable(kind)
                    && (!self.roles.is_owned(kind) || is_child(kind) || is_stray(kind))
            }
        };
        let Some(kind) = self.cache.index_of(&target.kind).filter(may_patch) else {
            let message = format!(
                "{} is not among the related kinds of the description that are patchable, or {target} is an \
                 object of others: the plan may not patch it.",
                target.kind.kind
            );
            return Err(fails(FailureReason::NotPermitted, message));
        };
        self.check_place(&target.kind, target, Verb::Patch)?;
        let Some(uid) = &target.uid else {
            let message = format!("{target} is not patched, since the plan does not name its UID.");
            return Err(fails(FailureReason::NotPermitted, message));
        };
        let patch = json_patch::with_uid_test(&planned.patch, uid, is_child(kind)).map_err(|unusable| {
            match unusable {
                Unusable::Malformed(problem) => {
                    fails(FailureReason::Invalid, format!("The patch of {target} cannot be used: {problem}."))
                }
                Unusable::ChangesOwner(path) => fails(
                    FailureReason::NotPermitted,
                    format!(
                        "The patch of {target} changes {path:?}: a patch may not change an object's owners."
                    ),
                ),
            }
        })?;
        Ok(PlannedPatch { kind, key, patch })
    }

    /// Refuses forbidden groups, other namespaces, and names that would lead to another path.
    fn check_place(&self, kind: &Kind, target: &ObjectRef, verb: Verb) -> Result<(), Box<Failure>> {
        let refused =
            |message: String| Err(failure(target.clone(), verb, FailureReason::NotPermitted, message));
        if is_forbidden(kind) {
            return refused(format!(
                "{target} belongs to {}: plans never write objects of this group.",
                kind.group()
            ));
        }
        if !is_name(&target.name) {
            return refused(format!("{:?} is no name of an object.", target.name));
        }
        let namespace = target.namespace.as_deref().unwrap_or_default();
        if self.cache.primary_kind().namespaced {
            if !kind.namespaced || namespace != &*self.primary.namespace {
                return refused(format!(
                    "{target} is not in namespace {:?}: the plan of a primary may {verb} objects of its own \
                     namespace alone.",
                    self.primary.namespace
                ));
            }
        } else if kind.namespaced != is_name(namespace) {
            return refused(format!("{target} is not in a namespace as its kind demands."));
        }
        let key = Key::new(namespace, &target.name);
        if !self.cache.index_of(kind).is_some_and(|index| self.cache.is_watched(index, &key)) {
            return refused(format!(
                "{target} is in a namespace that this process does not watch: add it to the listed namespaces."
            ));
        }
        Ok(())
    }
}

/// Reads an object of a plan.
///
/// # Errors
/// With a phrase, when it is no JSON object, or when it can be read in two ways.
fn parse(text: &str) -> Result<ObjectText<Cow<'_, str>>, String> {
    let checked: &RawValue = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let text = match checked.get() {
        // The API server reads applies as YAML, which has no escapes of surrogates.
        text if has_surrogates(text) => {
            let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
            Cow::Owned(value.to_string())
        }
        text => Cow::Borrowed(text),
    };
    let object = ObjectText::new(text);
    object.check_members().map_err(|Repeated(name)| format!("it has {name:?} twice in one object"))?;
    Ok(object)
}

/// Whether a text may have an escape of half a character, such as `\ud83d`.
fn has_surrogates(text: &str) -> bool {
    text.contains("\\ud") || text.contains("\\uD")
}

/// Whether a text is a name, and one segment of a path as it stands.
fn is_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    !text.is_empty() && text.len() <= MAX_NAME && text != "." && text != ".." && text.bytes().all(is_plain)
}

/// A failure that no request led to.
fn failure(target: ObjectRef, verb: Verb, reason: FailureReason, message: String) -> Box<Failure> {
    Box::new(Failure { target, verb, code: 0, reason, message })
}

/// The target of a refused write, as far as the text of the object names it.
fn unknown_target(text: &str) -> ObjectRef {
    let object: Value = serde_json::from_str(text).unwrap_or_default();
    let member =
        |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let namespace = member("/metadata/namespace");
    ObjectRef {
        kind: Kind {
            api_version: member("/apiVersion").into(),
            kind: member("/kind").into(),
            plural: String::new().into(),
            namespaced: !namespace.is_empty(),
        },
        namespace: Some(namespace).filter(|namespace| !namespace.is_empty()),
        name: member("/metadata/name"),
        uid: None,
    }
}

#[cfg(test)]
mod tests {
    use super::{is_name, parse};
    use serde_json::{Value, json};

    #[test]
    fn a_name_is_one_segment_of_a_path() {
        for name in ["a", "my-app.v1", "system:node", "x_y"] {
            assert!(is_name(name), "{name}");
        }
        let long = "x".repeat(254);
        for name in ["", ".", "..", "a/b", "a%2Fb", "a?force=true", "a#b", "a b", "ä", long.as_str()] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn an_object_is_sent_as_it_was_written() {
        for text in [r#"{"b":1.0,"a":"\u003c"}"#, r#"{ "metadata" : {"x":{"x":1,"x":2}} }"#] {
            assert_eq!(parse(text).expect("an object").text(), text);
        }
        assert_eq!(parse(" {} ").expect("an object").text(), "{}");
        assert!(parse("{} {}").is_err() && parse(r#"{"a":}"#).is_err());
    }

    #[test]
    fn security_an_object_that_readers_may_read_in_two_ways_is_refused() {
        for text in [
            r#"{"kind":"A","kind":"B"}"#,
            r#"{"metadata":{"name":"a"},"m\u0065tadata":{"name":"b"}}"#,
            r#"{"metadata":{"ownerReferences":[],"name":"a","ownerReferences":[]}}"#,
        ] {
            assert!(parse(text).is_err_and(|problem| problem.contains("twice")), "{text}");
        }
    }

    #[test]
    fn escapes_that_yaml_does_not_have_are_not_sent() {
        let text = r#"{"a":"\ud83d\ude00","b":"\\ud"}"#;
        let parsed = parse(text).expect("an object");
        assert!(!parsed.text().contains("\\ud83d"), "{}", parsed.text());
        let value: Value = serde_json::from_str(parsed.text()).expect("JSON");
        assert_eq!(value, json!({"a": "\u{1f600}", "b": "\\ud"}));
    }
}
