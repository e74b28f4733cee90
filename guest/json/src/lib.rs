//! A borrowed JSON tree: small to compile and quick to build. Its strings point into the input
//! text.
//!
//! Most of the time of a decision goes into reading, comparing and writing such trees.
//!
//! ```
//! use orascache_json::Json;
//!
//! let tree = Json::parse(r#"{"spec":{"replicas":2,"cpu":0.50}}"#).unwrap();
//! assert_eq!(tree.get("spec").and_then(|spec| spec.get("replicas")), Some(&Json::Int(2)));
//! assert_eq!(tree.to_text(), r#"{"spec":{"replicas":2,"cpu":0.50}}"#);
//! ```

mod error;
mod number;
mod plain;
mod read;
#[cfg(feature = "steps")]
pub mod steps;
mod write;

use std::borrow::Cow;

pub use error::ParseError;
pub use number::Number;

/// A JSON value whose strings borrow from the text it was read from, where they have no escapes.
#[derive(Clone, Debug, PartialEq)]
pub enum Json<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number that is not written like an [`Json::Int`]: it has a fraction or an exponent, it is
    /// `-0`, or it is too large. No decision depends on its value, but a quantity that is copied
    /// may be such a number. Its text is kept for that.
    OtherNumber(Number<'a>),
    /// A string.
    Str(Cow<'a, str>),
    /// An array.
    Array(Vec<Json<'a>>),
    /// An object. Members stay in order; Kubernetes objects are small enough for a linear look-up.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

impl<'a> Json<'a> {
    /// A member of an object: the first one, where several have this name.
    // Hundreds of places look up members. This and the next functions are not inlined, since each
    // copy is as large as a small function.
    #[inline(never)]
    pub fn get(&self, key: &str) -> Option<&Json<'a>> {
        match self {
            Json::Object(members) => members
                .iter()
                .find(|(name, _)| {
                    count_steps(1);
                    is_same(name, key)
                })
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// A member of an object. Null counts as absent.
    #[inline(never)]
    pub fn member(&self, key: &str) -> Option<&Json<'a>> {
        self.get(key).filter(|value| !matches!(value, Json::Null))
    }

    /// A member of a member of an object. Null counts as absent.
    pub fn member_of(&self, first: &str, second: &str) -> Option<&Json<'a>> {
        self.member(first)?.member(second)
    }

    /// The items of a member that is a list; none where there is no such list.
    #[inline(never)]
    pub fn items(&self, key: &str) -> &[Json<'a>] {
        let items = self.get(key).and_then(Json::as_array).unwrap_or_default();
        count_steps(items.len());
        items
    }

    /// The member `name`, by which Kubernetes tells the items of most lists apart.
    #[inline(never)]
    pub fn name(&self) -> Option<&str> {
        self.get("name").and_then(Json::as_str)
    }

    /// The string, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Json::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The items, if it is an array.
    pub fn as_array(&self) -> Option<&[Json<'a>]> {
        match self {
            Json::Array(items) => Some(items),
            _ => None,
        }
    }

    /// An object of those members that have a value.
    pub fn object<const N: usize>(mut members: [(&'static str, Option<Json<'a>>); N]) -> Json<'a> {
        collect(&mut members)
    }

    /// Whether it contains a number that is not an [`Json::Int`].
    pub fn has_other_number(&self) -> bool {
        match self {
            Json::OtherNumber(_) => true,
            Json::Array(items) => items.iter().any(Json::has_other_number),
            Json::Object(members) => members.iter().any(|(_, value)| value.has_other_number()),
            _ => false,
        }
    }

    /// How messages call the type of the value.
    pub fn type_name(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "a boolean",
            Json::Int(_) => "a number",
            Json::OtherNumber(_) => "a number with a fraction",
            Json::Str(_) => "a string",
            Json::Array(_) => "a list",
            Json::Object(_) => "an object",
        }
    }
}

/// Counts how many members and items are visited, so that tests find loops within loops. Does
/// nothing without the feature `steps`.
#[inline(always)]
pub fn count_steps(_number: usize) {
    #[cfg(feature = "steps")]
    steps::add(_number);
}

/// Whether two texts are the same. Names of members are short: comparing them four bytes at a time is
/// faster than a call of the function that compares memory.
#[inline(always)]
fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    let (words, rest) = one.as_chunks::<4>();
    let (other_words, other_rest) = other.as_chunks::<4>();
    words.iter().zip(other_words).all(|(word, other)| word == other)
        && rest.iter().zip(other_rest).all(|(byte, other)| byte == other)
}

/// Not generic, so that arrays of all lengths share its code.
fn collect<'a>(members: &mut [(&'static str, Option<Json<'a>>)]) -> Json<'a> {
    let mut kept = Vec::with_capacity(members.len());
    for (key, value) in members {
        if let Some(value) = value.take() {
            kept.push((Cow::Borrowed(*key), value));
        }
    }
    Json::Object(kept)
}

impl<'a> From<&'a str> for Json<'a> {
    fn from(text: &'a str) -> Self {
        Json::Str(Cow::Borrowed(text))
    }
}

impl From<String> for Json<'_> {
    fn from(text: String) -> Self {
        Json::Str(Cow::Owned(text))
    }
}

impl<'a> From<Cow<'a, str>> for Json<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        Json::Str(text)
    }
}

impl From<i64> for Json<'_> {
    fn from(number: i64) -> Self {
        Json::Int(number)
    }
}

impl From<bool> for Json<'_> {
    fn from(value: bool) -> Self {
        Json::Bool(value)
    }
}

impl<'a> From<Vec<Json<'a>>> for Json<'a> {
    fn from(items: Vec<Json<'a>>) -> Self {
        Json::Array(items)
    }
}
