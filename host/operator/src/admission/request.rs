//! What the host itself reads of a review. The component reads the rest.

use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::fmt;

/// Longest name of an object (`DNS1123SubdomainMaxLength` of k8s.io/apimachinery).
const LONGEST_NAME: usize = 253;

/// Which request it is.
#[derive(Default, Deserialize)]
pub(super) struct Request<'a> {
    #[serde(borrow, default)]
    pub(super) uid: Cow<'a, str>,
    /// Name of the object.
    #[serde(borrow, default)]
    pub(super) name: Cow<'a, str>,
}

impl<'a> Request<'a> {
    /// Reads a whole review.
    pub(super) fn of(review: &'a str) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Review<'a> {
            #[serde(borrow, default)]
            request: Request<'a>,
        }
        let review: Review<'_> = serde_json::from_str(review)?;
        Ok(review.request)
    }
}

/// Where a request belongs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Place<'a> {
    /// Whether it is about a ConfigMap.
    pub(super) is_config_map: bool,
    pub(super) namespace: Cow<'a, str>,
}

impl<'a> Place<'a> {
    /// Reads a review until kind and namespace are known. API servers write both before the object,
    /// which is nearly all of the text. Whether the rest is JSON is for the component to say.
    pub(super) fn of(review: &'a str) -> Result<Self, serde_json::Error> {
        let mut found = Found::default();
        let mut reader = serde_json::Deserializer::from_str(review);
        let read = Members { of: Of::Review, found: &mut found }.deserialize(&mut reader);
        match (read.and_then(|()| reader.end()), found) {
            (Err(error), Found { is_config_map: None, .. } | Found { namespace: None, .. }) => Err(error),
            (_, Found { is_config_map, namespace }) => Ok(Self {
                is_config_map: is_config_map.unwrap_or_default(),
                namespace: namespace.unwrap_or_default(),
            }),
        }
    }
}

#[derive(Default)]
struct Found<'a> {
    is_config_map: Option<bool>,
    namespace: Option<Cow<'a, str>>,
}

impl Found<'_> {
    fn is_complete(&self) -> bool {
        self.is_config_map.is_some() && self.namespace.is_some()
    }
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(borrow, default)]
    group: Cow<'a, str>,
    #[serde(borrow, default)]
    kind: Cow<'a, str>,
}

/// A text that is not copied where it has no escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Clone, Copy)]
enum Of {
    Review,
    Request,
}

/// Reads the members of an object, and breaks off with an error once enough is found.
struct Members<'f, 'a> {
    of: Of,
    found: &'f mut Found<'a>,
}

impl<'a> DeserializeSeed<'a> for Members<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for Members<'_, 'a> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.of {
            Of::Review => "struct Review",
            Of::Request => "struct Request",
        })
    }

    fn visit_map<A: MapAccess<'a>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(Text(key)) = members.next_key()? {
            match (self.of, key.as_ref()) {
                (Of::Review, "request") => {
                    members.next_value_seed(Members { of: Of::Request, found: self.found })?;
                }
                (Of::Request, "kind") if self.found.is_config_map.is_some() => {
                    return Err(A::Error::duplicate_field("kind"));
                }
                (Of::Request, "kind") => {
                    let kind: Kind<'_> = members.next_value()?;
                    self.found.is_config_map = Some(kind.group.is_empty() && kind.kind == "ConfigMap");
                }
                (Of::Request, "namespace") if self.found.namespace.is_some() => {
                    return Err(A::Error::duplicate_field("namespace"));
                }
                (Of::Request, "namespace") => {
                    let Text(namespace) = members.next_value()?;
                    self.found.namespace = Some(namespace);
                }
                _ => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
            if self.found.is_complete() {
                return Err(A::Error::custom("enough is known"));
            }
        }
        Ok(())
    }
}

/// How many texts of a review are taken for names: each costs a look into the cache, and a body of
/// several megabytes may have a million of them.
const MOST_NAMES: usize = 256;

/// The first texts of a review that may be the name of an object.
pub(super) fn names_in(review: &str) -> impl Iterator<Item = &str> {
    // Names have no quotes and no escapes, so that each is what is between two quotes. What is
    // before a colon is the name of a field.
    let mut parts = review.split('"').peekable();
    std::iter::from_fn(move || {
        loop {
            let part = parts.next()?;
            let is_value = !parts.peek().is_some_and(|next| next.trim_start().starts_with(':'));
            if is_value && is_name(part) {
                return Some(part);
            }
        }
    })
    .take(MOST_NAMES)
}

fn is_name(text: &str) -> bool {
    let is_inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    (1..=LONGEST_NAME).contains(&text.len()) && text.bytes().all(is_inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(review: &str) -> (bool, String) {
        let place = Place::of(review).expect("readable");
        (place.is_config_map, place.namespace.into_owned())
    }

    #[test]
    fn kind_and_namespace_are_read_wherever_they_are() {
        let before = r#"{"request":{"kind":{"group":"","kind":"ConfigMap"},"namespace":"lab","object":{}}}"#;
        let after = r#"{"request":{"object":{"kind":"Pod","namespace":"other"},"namespace":"lab","uid":"1","kind":{"kind":"ConfigMap"}},"apiVersion":"v1"}"#;
        assert_eq!(place(before), (true, "lab".to_owned()));
        assert_eq!(place(after), (true, "lab".to_owned()));
        let other = r#"{"request":{"namespace":"l\u0061b","kind":{"group":"batch","kind":"ConfigMap"}}}"#;
        assert_eq!(place(other), (false, "lab".to_owned()));
        assert_eq!(place(r#"{"request":{"kind":{"kind":"Namespace"}}}"#), (false, String::new()));
        assert_eq!(place("{}"), (false, String::new()));
    }

    #[test]
    fn what_follows_kind_and_namespace_is_not_read() {
        let broken = r#"{"request":{"namespace":"lab","kind":{"kind":"Pod"},"object":{"#;
        assert_eq!(place(broken), (false, "lab".to_owned()));
        assert!(Request::of(broken).is_err());
    }

    #[test]
    fn a_text_that_breaks_off_earlier_is_refused_as_a_whole_read_refuses_it() {
        for review in ["", "{} {}", "null", r#"{"request":{"namespace":"lab","object":{"#] {
            let (Err(whole), Err(place)) = (Request::of(review), Place::of(review)) else {
                panic!("{review} is refused");
            };
            assert_eq!(place.to_string(), whole.to_string(), "{review}");
        }
    }

    #[test]
    fn members_of_a_wrong_type_and_repeated_ones_are_refused() {
        for (review, why) in [
            (r#"{"request":{"namespace":7}}"#, "invalid type: integer `7`"),
            (r#"{"request":{"kind":"Pod"}}"#, "invalid type: string \"Pod\""),
            (r#"{"request":{"namespace":"a","namespace":"b"}}"#, "duplicate field `namespace`"),
            (r#"{"request":{"kind":{},"kind":{}}}"#, "duplicate field `kind`"),
        ] {
            let error = Place::of(review).expect_err("refused").to_string();
            assert!(error.starts_with(why), "{review}: {error}");
        }
    }

    #[test]
    fn names_are_found_among_values() {
        let review = r#"{"metadata" : {"name":"step","labels":{"a.b/c":"shared"}},"x":["shared-2","Pod","a b",""],"y":"\"shared-3\"","z":"shared"}"#;
        let names: Vec<&str> = names_in(review).collect();
        assert_eq!(names, ["step", "shared", "shared-2", "shared"]);
    }

    #[test]
    fn security_of_a_million_names_only_the_first_are_looked_up() {
        let review = format!("[{}\"a\"]", "\"a\",".repeat(1_000_000));
        assert_eq!(names_in(&review).count(), MOST_NAMES);
    }
}
