//! Reads the tree from a text.

use super::Json;
use super::numbers::{Number, Numbers};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::fmt;

impl<'a> Json<'a> {
    /// Reads a JSON text (RFC 8259).
    ///
    /// # Errors
    /// When the text is not JSON, is nested more than 127 levels deep, or has a number that is
    /// larger than any 64 bit floating-point number.
    pub fn parse(text: &'a str) -> Result<Self, serde_json::Error> {
        let reader = Reader::new();
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let mut tree = TreeVisitor(&reader).deserialize(&mut deserializer)?;
        deserializer.end()?;
        if reader.has_unknown_numbers.get() {
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

/// What is known while a tree is read.
struct Reader<'a> {
    /// Whether the tree has numbers whose text is still unknown.
    has_unknown_numbers: Cell<bool>,
    /// Members of the objects that were begun and not ended, those of the innermost object last. The
    /// vector of an object is made when its size is known, so that it never grows.
    members: RefCell<Vec<(Cow<'a, str>, Json<'a>)>>,
    /// Items of the lists that were begun and not ended.
    items: RefCell<Vec<Json<'a>>>,
}

impl Reader<'_> {
    fn new() -> Self {
        // The first entry belongs to nothing and stays: `split_off` copies what is behind it, and would
        // give away the whole buffer if there were nothing in front.
        let (mut members, mut items) = (Vec::with_capacity(32), Vec::with_capacity(16));
        members.push((Cow::Borrowed(""), Json::Null));
        items.push(Json::Null);
        Reader {
            has_unknown_numbers: Cell::new(false),
            members: RefCell::new(members),
            items: RefCell::new(items),
        }
    }
}

/// Builds the tree.
#[derive(Clone, Copy)]
struct TreeVisitor<'r, 'a>(&'r Reader<'a>);

impl<'a> TreeVisitor<'_, 'a> {
    fn other_number(self) -> Json<'a> {
        self.0.has_unknown_numbers.set(true);
        Json::OtherNumber(Number::UNKNOWN)
    }
}

impl<'de> DeserializeSeed<'de> for TreeVisitor<'_, 'de> {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for TreeVisitor<'_, 'de> {
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
        let begun = self.0.items.borrow().len();
        while let Some(item) = access.next_element_seed(self)? {
            self.0.items.borrow_mut().push(item);
        }
        Ok(Json::Array(self.0.items.borrow_mut().split_off(begun)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let begun = self.0.members.borrow().len();
        while let Some(Key(key)) = access.next_key()? {
            let value = access.next_value_seed(self)?;
            self.0.members.borrow_mut().push((key, value));
        }
        Ok(Json::Object(self.0.members.borrow_mut().split_off(begun)))
    }
}
