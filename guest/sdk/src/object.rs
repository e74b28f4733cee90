//! Objects of the API, parsed.

use crate::child::Child;
use crate::conditions;
use orascache_contract::{Error, Kind, ObjectRef};
use serde::Deserialize;
use serde_json::{Value, json};
use std::ops::Deref;

/// Parses JSON text. `what` names it in the message, as in `the Note`.
///
/// # Errors
/// When the text is not what `T` is read from; the sentence says where.
pub fn parse<'a, T: Deserialize<'a>>(what: &str, text: &'a str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| Error::InvalidInput(format!("{what} cannot be read: {error}")))
}

/// An object of the API. It can be indexed like a [`Value`]: what is absent reads as null.
///
/// ```
/// use orascache_guest_sdk::Object;
///
/// let object = Object::parse("the Note", r#"{"metadata":{"name":"a"},"spec":{"text":"b"}}"#)?;
/// assert_eq!((object.name(), object["spec"]["text"].as_str()), ("a", Some("b")));
/// assert!(object["spec"]["title"].is_null());
/// # Ok::<(), orascache_guest_sdk::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Object(Value);

impl Deref for Object {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.0
    }
}

impl Object {
    /// Parses an object. `what` names it in the message, as in `the Note`.
    ///
    /// # Errors
    /// When the text is not JSON, or the object has no name.
    pub fn parse(what: &str, text: &str) -> Result<Self, Error> {
        let object = Self(parse(what, text)?);
        if object.name().is_empty() {
            return Err(Error::InvalidInput(format!("{what} cannot be read: metadata.name is missing")));
        }
        Ok(object)
    }

    /// Parses a list of objects, such as [`Observed::owned`](crate::Observed::owned). `what` names each of them in the
    /// message, as in `ConfigMap`.
    ///
    /// # Errors
    /// As [`parse`](Self::parse); the sentence says which object it is.
    pub fn parse_all(what: &str, texts: &[String]) -> Result<Vec<Self>, Error> {
        let number = |(number, text): (usize, &String)| Self::parse(&format!("{what} {number}"), text);
        texts.iter().enumerate().map(number).collect()
    }

    fn metadata(&self, member: &str) -> Option<&str> {
        self.0["metadata"][member].as_str().filter(|text| !text.is_empty())
    }

    /// `metadata.name`.
    pub fn name(&self) -> &str {
        self.metadata("name").unwrap_or_default()
    }

    /// `metadata.namespace`; none for objects that live in no namespace.
    pub fn namespace(&self) -> Option<&str> {
        self.metadata("namespace")
    }

    /// `metadata.uid`; none for an object that was never in a cluster.
    pub fn uid(&self) -> Option<&str> {
        self.metadata("uid")
    }

    /// Whether the object is being deleted. Its children are left to the garbage collector then.
    pub fn is_being_deleted(&self) -> bool {
        self.metadata("deletionTimestamp").is_some()
    }

    /// A reference that means this very object, and no later one of its name.
    pub fn reference(&self, kind: &Kind) -> ObjectRef {
        ObjectRef {
            kind: kind.clone(),
            namespace: self.namespace().map(str::to_owned),
            name: self.name().to_owned(),
            uid: self.uid().map(str::to_owned),
        }
    }

    /// The entry of `metadata.ownerReferences` that makes this object the controller of another one. The host never
    /// touches an object that its primary does not control.
    pub fn owner_reference(&self) -> Value {
        json!({
            "apiVersion": self.0["apiVersion"], "kind": self.0["kind"], "name": self.name(), "uid": self.uid(),
            "controller": true,
        })
    }

    /// A child of this object: in its namespace, and with this object as its controller.
    pub fn child(&self, kind: &Kind, name: &str) -> Child {
        Child::new(self, kind, name)
    }

    /// What to write into [`Plan::status`](crate::Plan::status): the object with its whole new status. `None` when it
    /// has that status already.
    ///
    /// Conditions are compared by their types, so that those of other writers do not count.
    pub fn with_status(&self, status: &Value) -> Option<String> {
        if conditions::is_same_status(&self.0["status"], status) {
            return None;
        }
        let document = json!({
            "apiVersion": self.0["apiVersion"],
            "kind": self.0["kind"],
            // The UID keeps the status off an object that was recreated meanwhile.
            "metadata": {"name": self.name(), "namespace": self.namespace(), "uid": self.uid()},
            "status": status,
        });
        Some(document.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note() -> Object {
        let text = r#"{"apiVersion":"lab.example.com/v1","kind":"Note","metadata":{"name":"a","namespace":"n","uid":"u"},
            "status":{"seen":1,"conditions":[{"type":"Ready","status":"True"},{"type":"Theirs","status":"True"}]}}"#;
        Object::parse("the Note", text).expect("a Note")
    }

    #[test]
    fn an_unreadable_object_is_named() {
        let sentence = |text: &str| Object::parse("the Note", text).expect_err(text).to_string();
        assert!(sentence("{").starts_with("the Note cannot be read: EOF"), "{}", sentence("{"));
        assert_eq!(sentence("{}"), "the Note cannot be read: metadata.name is missing");
        let second = Object::parse_all("ConfigMap", &[r#"{"metadata":{"name":"a"}}"#.into(), "[]".into()]);
        let second = second.expect_err("a list").to_string();
        assert_eq!(second, "ConfigMap 1 cannot be read: metadata.name is missing");
    }

    #[test]
    fn a_status_is_written_when_it_differs() {
        let ready = json!([{"type": "Ready", "status": "True"}]);
        assert_eq!(note().with_status(&json!({"seen": 1, "conditions": ready})), None);
        for different in [
            json!({"seen": 2, "conditions": ready}),
            json!({"conditions": ready}),
            json!({"seen": 1, "conditions": [{"type": "Ready", "status": "False"}]}),
            json!({"seen": 1, "more": 2, "conditions": ready}),
        ] {
            let text = note().with_status(&different).expect("a difference");
            let written: Value = serde_json::from_str(&text).expect("JSON");
            assert_eq!(written["status"], different);
            assert_eq!(written["metadata"], json!({"name": "a", "namespace": "n", "uid": "u"}));
        }
    }

    #[test]
    fn a_reference_means_the_very_object() {
        let reference = note().reference(&Kind::namespaced("lab.example.com/v1", "Note", "notes"));
        assert_eq!((reference.to_string(), reference.uid.as_deref()), ("Note n/a".to_owned(), Some("u")));
    }
}
