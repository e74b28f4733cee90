//! A Kubernetes object as text, and where its members and those of its metadata are.

use super::{Cursor, Name};
use std::ops::Range;

/// A Kubernetes object. The text is gone over once.
#[derive(Clone)]
pub(crate) struct ObjectText<T> {
    text: T,
    members: Vec<Place>,
    metadata: Vec<Place>,
}

/// Where a member is: its name and its value.
#[derive(Clone)]
struct Place {
    name: Range<usize>,
    value: Range<usize>,
}

/// An object has a member of this name twice, so that readers may disagree about its value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Repeated(pub(crate) String);

impl<T: AsRef<str>> ObjectText<T> {
    /// A text that is no object has no members.
    pub(crate) fn new(text: T) -> Self {
        let (mut members, mut metadata) = (Vec::with_capacity(8), Vec::with_capacity(16));
        let whole = text.as_ref();
        Cursor::new(whole).object(|cursor, name| {
            let start = cursor.position();
            if name.is("metadata") {
                cursor.object(|cursor, name| metadata.push(Place::of(whole, name, cursor.value())));
            } else {
                cursor.value();
            }
            let value = whole.get(start..cursor.position()).unwrap_or_default();
            members.push(Place::of(whole, name, value.trim_ascii()));
        });
        Self { text, members, metadata }
    }

    pub(crate) fn text(&self) -> &str {
        self.text.as_ref()
    }

    /// The members, in the order of the text.
    pub(crate) fn members(&self) -> impl Iterator<Item = (Name<'_>, &str)> {
        self.members.iter().map(|place| self.at(place))
    }

    /// The members of the metadata.
    pub(crate) fn metadata_members(&self) -> impl Iterator<Item = (Name<'_>, &str)> {
        self.metadata.iter().map(|place| self.at(place))
    }

    /// The text of a member.
    pub(crate) fn member(&self, name: &str) -> Option<&str> {
        self.members().find(|(found, _)| found.is(name)).map(|(_, value)| value)
    }

    /// The text of a member of the metadata.
    pub(crate) fn metadata(&self, name: &str) -> Option<&str> {
        self.metadata_members().find(|(found, _)| found.is(name)).map(|(_, value)| value)
    }

    /// Checks that neither the object nor its metadata has a member twice.
    ///
    /// # Errors
    /// Names the first that is.
    pub(crate) fn check_members(&self) -> Result<(), Repeated> {
        check_names(self.members().map(|(name, _)| name))?;
        check_names(self.metadata_members().map(|(name, _)| name))
    }

    /// The text with these members of the metadata, each a name and the text of a value. They take
    /// the place of members of the same name.
    pub(crate) fn with_metadata(&self, changes: &[(&str, &str)]) -> String {
        let added: usize = changes.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
        let mut text = String::with_capacity(self.text().len() + added + "\"metadata\":{}".len());
        text.push('{');
        let mut has_metadata = false;
        for (name, value) in self.members() {
            separate(&mut text);
            text.push_str(name.0);
            text.push(':');
            if name.is("metadata") && !has_metadata {
                has_metadata = true;
                self.push_metadata(&mut text, changes);
            } else {
                text.push_str(value);
            }
        }
        if !has_metadata {
            separate(&mut text);
            text.push_str("\"metadata\":");
            self.push_metadata(&mut text, changes);
        }
        text.push('}');
        text
    }

    fn push_metadata(&self, text: &mut String, changes: &[(&str, &str)]) {
        text.push('{');
        for (name, value) in changes {
            separate(text);
            text.push_str(&super::quoted(name));
            text.push(':');
            text.push_str(value);
        }
        let is_changed = |name: Name<'_>| changes.iter().any(|(changed, _)| name.is(changed));
        for (name, value) in self.metadata_members().filter(|(name, _)| !is_changed(*name)) {
            separate(text);
            text.push_str(name.0);
            text.push(':');
            text.push_str(value);
        }
        text.push('}');
    }

    fn at(&self, place: &Place) -> (Name<'_>, &str) {
        let part = |range: &Range<usize>| self.text().get(range.clone()).unwrap_or_default();
        (Name(part(&place.name)), part(&place.value))
    }
}

impl Place {
    /// The name and the value are parts of the text.
    fn of(text: &str, name: Name<'_>, value: &str) -> Self {
        let start = |part: &str| part.as_ptr().addr().wrapping_sub(text.as_ptr().addr());
        let range = |part: &str| start(part)..start(part).wrapping_add(part.len());
        Place { name: range(name.0), value: range(value) }
    }
}

/// Adds a comma, unless the text is at the beginning of an object.
fn separate(text: &mut String) {
    if !text.ends_with('{') {
        text.push(',');
    }
}

/// Checks that no name is there twice.
pub(crate) fn check_names<'t>(names: impl Iterator<Item = Name<'t>>) -> Result<(), Repeated> {
    let mut names: Vec<_> = names.map(Name::text).collect();
    names.sort_unstable();
    let twice = names.windows(2).find_map(|pair| match pair {
        [one, other] if one == other => Some(one.clone().into_owned()),
        _ => None,
    });
    twice.map_or(Ok(()), |name| Err(Repeated(name)))
}

#[cfg(test)]
mod tests {
    use super::{ObjectText, Repeated};
    use serde_json::{Value, json};

    fn object(text: &str) -> ObjectText<&str> {
        ObjectText::new(text)
    }

    #[test]
    fn members_are_found_wherever_they_are() {
        let found = object(r#" { "a" : [1] , "metadata" : { "name" : "n", "x":{"name":"m"} } } "#);
        assert_eq!((found.member("a"), found.member("name")), (Some("[1]"), None));
        assert_eq!((found.metadata("name"), found.metadata("a")), (Some(r#""n""#), None));
        assert_eq!(found.member("metadata"), Some(r#"{ "name" : "n", "x":{"name":"m"} }"#));
        for text in ["[1]", "1", "", r#"{"metadata":[{"name":1}]}"#] {
            assert_eq!(object(text).metadata("name"), None, "{text}");
        }
    }

    #[test]
    fn metadata_is_added_or_replaced_and_the_rest_stays_as_it_is() {
        let changed = |text: &str| object(text).with_metadata(&[("uid", r#""u""#), ("x", "{}")]);
        let expected = json!({"metadata": {"name": "n", "uid": "u", "x": {}}, "spec": 1});
        for text in [
            r#"{"metadata":{"name":"n"},"spec":1}"#,
            r#"{"spec":1,"metadata":{"uid":"v","name":"n","\u0078":[]}}"#,
        ] {
            let found: Value = serde_json::from_str(&changed(text)).expect("JSON");
            assert_eq!(found, expected, "{text}");
        }
        assert_eq!(changed(r#"{"a": 1.0}"#), r#"{"a":1.0,"metadata":{"uid":"u","x":{}}}"#);
        assert_eq!(changed("{}"), r#"{"metadata":{"uid":"u","x":{}}}"#);
    }

    #[test]
    fn a_member_that_is_there_twice_is_named() {
        let repeated = |text: &str| object(text).check_members();
        assert_eq!(repeated(r#"{"a":{"b":1},"b":1,"metadata":{"a":1,"b":2}}"#), Ok(()));
        assert_eq!(repeated(r#"{"metadata":{},"kind":1,"metadata":{}}"#), Err(Repeated("metadata".into())));
        assert_eq!(repeated(r#"{"metadata":{"name":"a","n\u0061me":"b"}}"#), Err(Repeated("name".into())));
    }
}
