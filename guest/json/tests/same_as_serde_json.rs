//! The tree reads and writes JSON as `serde_json` does.

use orascache_json::Json;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::Value;

/// Strings with everything that is escaped, of all lengths around a word.
fn string() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        4 => proptest::char::range('a', 'z'),
        1 => proptest::char::range('\0', '\u{ff}'),
        1 => proptest::sample::select(vec!['"', '\\', '/', '\u{7f}', '\u{2028}', '\u{1f600}']),
    ];
    vec(character, 0..24).prop_map(String::from_iter)
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        string().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            btree_map(string(), inner, 0..6).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A text, one byte of which is another one, or is left out. All of it is ASCII.
fn damaged() -> impl Strategy<Value = String> {
    let text = value().prop_map(|value| value.to_string().replace(|char: char| !char.is_ascii(), "x"));
    (text, any::<proptest::sample::Index>(), proptest::option::of(0_u8..128)).prop_map(
        |(text, place, other)| {
            let mut bytes = text.into_bytes();
            let place = place.index(bytes.len());
            match other {
                Some(byte) => bytes[place] = byte,
                None => drop(bytes.remove(place)),
            }
            String::from_utf8(bytes).expect("ASCII")
        },
    )
}

proptest! {
    #[test]
    fn texts_are_read_and_written_as_they_are(value in value()) {
        let text = value.to_string();
        prop_assert_eq!(Json::parse(&text).expect("JSON").to_text(), text);
    }

    #[test]
    fn white_space_between_values_is_left_out(value in value()) {
        let spaced = serde_json::to_string_pretty(&value).expect("JSON").replace('\n', "\r\n\t");
        prop_assert_eq!(Json::parse(&spaced).expect("JSON").to_text(), value.to_string());
    }

    #[test]
    fn damaged_texts_are_accepted_and_understood_alike(text in damaged()) {
        let reference = serde_json::from_str::<Value>(&text);
        match Json::parse(&text) {
            Ok(tree) => prop_assert_eq!(tree.to_text().parse::<Value>().ok(), reference.ok(), "{}", text),
            Err(error) => prop_assert!(reference.is_err(), "{text}: {error}"),
        }
    }

    #[test]
    fn escapes_are_read_alike(
        text in r#""([a-z]{0,9}(\\["\\/bfnrtux]|\\u[dD][89a-fA-F][0-9a-f]{2}|\\u[0-9a-fA-F]{3,4}))*""#,
    ) {
        let reference = serde_json::from_str::<String>(&text).ok();
        let tree = Json::parse(&text).ok();
        prop_assert_eq!(tree.as_ref().and_then(Json::as_str), reference.as_deref(), "{}", text);
    }

    #[test]
    fn no_beginning_of_a_text_is_accepted_but_a_whole_one(value in value(), at in any::<proptest::sample::Index>()) {
        let text = value.to_string();
        let begun = text.get(..at.index(text.len())).unwrap_or_default();
        prop_assert_eq!(Json::parse(begun).is_ok(), serde_json::from_str::<Value>(begun).is_ok(), "{}", begun);
    }
}

#[test]
fn both_stop_at_the_same_depth() {
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        for (depth, is_read) in [(127, true), (128, false), (100_000, false)] {
            let text = format!("{}0{}", open.repeat(depth), close.repeat(depth));
            assert_eq!(Json::parse(&text).is_ok(), is_read, "{depth} {open}");
            assert_eq!(serde_json::from_str::<Value>(&text).is_ok(), is_read, "{depth} {open}");
        }
    }
    // Levels that have ended do not count.
    let text = format!("[{}0]", "[[]],{},".repeat(200));
    assert!(Json::parse(&text).is_ok());
}

#[test]
fn errors_say_what_is_wrong_and_where() {
    for (text, error) in [
        ("", "the text ends too early at line 1 column 1"),
        ("[1,\n 2,,3]", "expected a value at line 2 column 5"),
        ("{\n\"a\" 1}", "expected `:` behind a member name at line 2 column 6"),
        (r#"{"a":1,}"#, "expected a member name in quotation marks at line 1 column 9"),
        (r#"{"a":1 "b"}"#, "expected `,` or `}` at line 1 column 9"),
        ("[1 2]", "expected `,` or `]` at line 1 column 5"),
        ("[tru]", "expected true, false or null at line 1 column 3"),
        ("[01]", "expected `,` or `]` at line 1 column 4"),
        ("[1.]", "this is not how JSON writes a number at line 1 column 4"),
        ("[1e308]", "a number that is too large to be read everywhere at line 1 column 7"),
        (r#"["a"#, "a string does not end at line 1 column 4"),
        ("[\"a\nb\"]", "a control character in a string, which must be escaped at line 1 column 4"),
        (r#"["a\x"]"#, "no such escape in JSON at line 1 column 6"),
        (r#"["\ud800"]"#, "half of a surrogate pair at line 1 column 9"),
        ("1 2", "more text behind the value at line 1 column 4"),
    ] {
        assert_eq!(Json::parse(text).map_err(|error| error.to_string()), Err(error.to_owned()), "{text}");
    }
}
