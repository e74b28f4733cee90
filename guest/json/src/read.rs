//! Reads the tree from a text.

use super::Json;
use super::numbers::{Number, Numbers};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

impl<'a> Json<'a> {
    /// Reads a JSON text (RFC 8259).
    ///
    /// # Errors
    /// When the text is not JSON, is nested more than 127 levels deep, or has a number that is
    /// larger than any 64 bit floating-point number.
    pub fn parse(text: &'a str) -> Result<Self, serde_json::Error> {
        let has_unknown_numbers = Cell::new(false);
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let mut tree = TreeVisitor(&has_unknown_numbers).deserialize(&mut deserializer)?;
        deserializer.end()?;
        if has_unknown_numbers.get() {
            fill_in(&mut tree, &mut Numbers::of(text));
        }
        Ok(tree)
    }
}

/// Gives the numbers of a tree their texts. The tree was read from the text with these numbers, and
/// has all its members in their order.
fn fill_in<'a>(tree: &mut Json<'a>, numbers: &mut Numbers<'a>) {
    match tree {
        Json::Int(_) => {
            numbers.next();
        }
        Json::OtherNumber(number) => {
            if let Some(text) = numbers.next() {
                *number = text;
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| fill_in(item, numbers)),
        Json::Object(members) => members.iter_mut().for_each(|(_, value)| fill_in(value, numbers)),
        Json::Null | Json::Bool(_) | Json::Str(_) => {}
    }
}

/// A key that borrows where it can.
struct Key<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a member name")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        // JSON keys are strings, whatever type is asked for. Asking for any type compiles to the
        // least code.
        deserializer.deserialize_any(KeyVisitor)
    }
}

/// Builds the tree, and notes whether it has numbers whose text is still unknown.
#[derive(Clone, Copy)]
struct TreeVisitor<'n>(&'n Cell<bool>);

impl TreeVisitor<'_> {
    fn other_number<'de>(self) -> Json<'de> {
        self.0.set(true);
        Json::OtherNumber(Number::UNKNOWN)
    }
}

impl<'de> DeserializeSeed<'de> for TreeVisitor<'_> {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for TreeVisitor<'_> {
    type Value = Json<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Json::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(value).map_or_else(|_| self.other_number(), Json::Int))
    }

    fn visit_f64<E>(self, _value: f64) -> Result<Self::Value, E> {
        Ok(self.other_number())
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Json::Str(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Json::Str(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(self)? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(Key(key)) = access.next_key()? {
            let value = access.next_value_seed(self)?;
            // Many objects have one member only, and a list has many of these.
            if members.is_empty() {
                members.reserve_exact(1);
            }
            members.push((key, value));
        }
        Ok(Json::Object(members))
    }
}
