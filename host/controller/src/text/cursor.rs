//! Goes over JSON text once, from the left to the right.

use std::borrow::Cow;

/// A place in JSON text.
pub(crate) struct Cursor<'t> {
    text: &'t str,
    at: usize,
}

/// The name of a member, as it is written: with its quotes and escapes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Name<'t>(pub(crate) &'t str);

impl<'t> Name<'t> {
    /// Whether this is that name, however it is escaped.
    pub(crate) fn is(self, name: &str) -> bool {
        let Some(inner) = self.0.strip_prefix('"').and_then(|text| text.strip_suffix('"')) else {
            return false;
        };
        // An escape is longer than what it stands for.
        let may_have_escape = inner.len() > name.len() && inner.contains('\\');
        if inner == name { !name.contains('\\') } else { may_have_escape && self.text() == name }
    }

    /// The name without quotes and escapes.
    pub(crate) fn text(self) -> Cow<'t, str> {
        string(self.0).unwrap_or_default()
    }

    /// The name when it has no escape.
    fn plain(self) -> Option<&'t str> {
        let inner = self.0.strip_prefix('"')?.strip_suffix('"')?;
        (!inner.as_bytes().contains(&b'\\')).then_some(inner)
    }
}

/// The string that a value is; `None` when it is of another type.
pub(crate) fn string(value: &str) -> Option<Cow<'_, str>> {
    match Name(value).plain() {
        Some(plain) => Some(Cow::Borrowed(plain)),
        None => serde_json::from_str(value).ok().map(Cow::Owned),
    }
}

/// A text as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl<'t> Cursor<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Cursor { text, at: 0 }
    }

    /// The number of bytes before the cursor.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// Goes over an object. `member` gets the name of each member, and goes over its value. Goes
    /// over any other value without calling it, and returns false then.
    pub(crate) fn object(&mut self, mut member: impl FnMut(&mut Self, Name<'t>)) -> bool {
        if !self.take(b'{') {
            self.value();
            return false;
        }
        while self.peek() == Some(b'"') {
            let name = Name(self.value());
            self.take(b':');
            member(self, name);
            if !self.take(b',') {
                break;
            }
        }
        self.take(b'}');
        true
    }

    /// Goes over an array. `item` is called for each item, and goes over it. Goes over any other
    /// value without calling it.
    pub(crate) fn array(&mut self, mut item: impl FnMut(&mut Self)) {
        if !self.take(b'[') {
            self.value();
            return;
        }
        while self.peek().is_some_and(|byte| byte != b']') {
            item(self);
            if !self.take(b',') {
                break;
            }
        }
        self.take(b']');
    }

    /// Goes over a value, and returns its text.
    pub(crate) fn value(&mut self) -> &'t str {
        let first = self.peek();
        let start = self.at;
        match first {
            Some(b'"') => self.skip_string(),
            Some(b'{' | b'[') => self.skip_nested(),
            _ => self.skip_word(),
        }
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The next byte that is no white space.
    fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.byte() {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn skip_string(&mut self) {
        self.at += 1;
        loop {
            let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
            self.at += until_quote_or_backslash(rest);
            match self.byte() {
                // What is escaped is one byte or begins with one.
                Some(b'\\') => self.at = self.text.len().min(self.at + 2),
                Some(_) => {
                    self.at += 1;
                    return;
                }
                None => return,
            }
        }
    }

    fn skip_nested(&mut self) {
        let mut depth = 0_usize;
        while let Some(byte) = self.byte() {
            match byte {
                b'"' => {
                    self.skip_string();
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return;
            }
        }
    }

    /// A number, `true`, `false` or `null`.
    fn skip_word(&mut self) {
        while let Some(byte) = self.byte() {
            if matches!(byte, b',' | b'}' | b']' | b':' | b' ' | b'\n' | b'\r' | b'\t') {
                return;
            }
            self.at += 1;
        }
    }
}

/// The number of bytes before the first quote or backslash. It looks at eight bytes at once: most of
/// an object is in strings.
fn until_quote_or_backslash(bytes: &[u8]) -> usize {
    const LOW: u64 = u64::from_le_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    // The lowest bit that is set is that of the first byte that is zero.
    let zeros = |word: u64| word.wrapping_sub(LOW) & !word & HIGH;
    let (words, rest) = bytes.as_chunks::<8>();
    let mut at = 0;
    for word in words {
        let word = u64::from_le_bytes(*word);
        let found =
            zeros(word ^ u64::from_le_bytes([b'"'; 8])) | zeros(word ^ u64::from_le_bytes([b'\\'; 8]));
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    at + rest.iter().position(|byte| matches!(byte, b'"' | b'\\')).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::{quoted, string, until_quote_or_backslash};
    use crate::text::{items, member, members};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    /// A value in JSON text, put together of what the scan finds in it.
    fn rebuilt(text: &str) -> Value {
        match text.trim().as_bytes().first() {
            Some(b'{') => {
                let found = members(text).into_iter();
                found.map(|(name, value)| (name.text().into_owned(), rebuilt(value))).collect()
            }
            Some(b'[') => items(text).into_iter().map(rebuilt).collect(),
            Some(b'"') => string(text.trim()).expect("a string").into_owned().into(),
            _ => serde_json::from_str(text).expect("a word"),
        }
    }

    fn json_value() -> impl Strategy<Value = Value> {
        let text = "[a-z\"\\\\{}\\[\\],: \u{e4}\u{1f600}\u{7}]{0,6}";
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            text.prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(text, inner, 0..4)
                    .prop_map(|members| members.into_iter().collect::<Value>()),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_value_is_found_whatever_white_space_is_around_it(value in json_value()) {
            prop_assert_eq!(&rebuilt(&value.to_string()), &value);
            let pretty = serde_json::to_string_pretty(&value).expect("JSON");
            prop_assert_eq!(&rebuilt(&pretty), &value);
        }

        #[test]
        fn a_text_that_is_no_json_is_gone_over_to_its_end(text in "[a{}\\[\\]\",:\\\\ \u{e4}]{0,24}") {
            for value in items(&text).into_iter().chain(members(&text).into_iter().map(|(_, value)| value)) {
                prop_assert!(value.len() <= text.len());
            }
        }
    }

    proptest! {
        #[test]
        fn the_first_quote_or_backslash_is_found(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let first = bytes.iter().position(|byte| matches!(byte, b'"' | b'\\'));
            prop_assert_eq!(until_quote_or_backslash(&bytes), first.unwrap_or(bytes.len()));
        }

        #[test]
        fn a_quote_after_bytes_like_it_is_found(bytes in "[!\"#\\[\\]\\\\]{0,24}") {
            let first = bytes.find(['"', '\\']);
            prop_assert_eq!(until_quote_or_backslash(bytes.as_bytes()), first.unwrap_or(bytes.len()));
        }
    }

    #[test]
    fn a_name_is_found_however_it_is_escaped() {
        assert_eq!(member(r#"{"b":1,"\u0061":[2]}"#, "a"), Some("[2]"));
        assert_eq!(member(r#"{"b":{"a":1}}"#, "a"), None);
        assert_eq!(member("[1]", "a"), None);
        assert_eq!(string("1"), None);
        assert_eq!(string(&quoted("a\"\u{1f600}")).as_deref(), Some("a\"\u{1f600}"));
        assert_eq!(rebuilt(&json!([[], {}, ""]).to_string()), json!([[], {}, ""]));
    }
}
