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

/// Numbers of all sizes, in all ways in which JSON writes them.
fn number() -> impl Strategy<Value = String> {
    r"-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?"
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
    fn numbers_keep_their_texts_where_serde_json_reads_them(number in number()) {
        let tree = Json::parse(&number);
        prop_assert_eq!(tree.is_ok(), serde_json::from_str::<f64>(&number).is_ok(), "{}", number);
        if let Ok(tree) = tree {
            prop_assert_eq!(tree.has_other_number(), number == "-0" || number.parse::<i64>().is_err());
            prop_assert_eq!(tree.to_text(), number);
        }
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
fn pairs_of_surrogates_are_one_character_and_halves_are_none() {
    for (text, character) in [(r#""\ud83d\ude00""#, "\u{1f600}"), (r#""a\uDBFF\uDFFFb""#, "a\u{10ffff}b")] {
        assert_eq!(Json::parse(text).expect(text).as_str(), Some(character));
    }
    for text in [
        r#""\ud800\ud800""#,
        r#""\ud800\u0041""#,
        r#""\ud800\uffff""#,
        r#""\ud800\n""#,
        r#""\ud800A""#,
        r#""\udc00""#,
        r#""\udc00\ud800""#,
    ] {
        assert!(Json::parse(text).is_err(), "{text}");
        assert!(serde_json::from_str::<Value>(text).is_err(), "{text}");
    }
}

#[test]
fn what_json_lacks_is_refused() {
    for text in [
        "[1,]",
        "[,]",
        "{,}",
        "[1}",
        "{\"a\":1]",
        "\u{c}1",
        "\u{a0}1",
        "-",
        "1e",
        "1e+",
        "[.5]",
        "[+1]",
        "[0x1]",
        "''",
    ] {
        assert!(Json::parse(text).is_err(), "{text}");
        assert!(serde_json::from_str::<Value>(text).is_err(), "{text}");
    }
}

#[test]
fn errors_say_what_is_wrong_and_where() {
    for (text, error) in [
        ("", "the text ends too early at line 1 column 1"),
        ("x", "a value was expected at line 1 column 1"),
        ("[1,\n 2,,3]", "a value was expected at line 2 column 4"),
        ("[1,]", "a value was expected at line 1 column 4"),
        ("{\n\"a\" 1}", "`:` was expected behind a member name at line 2 column 5"),
        ("{1:2}", "a member name in quotation marks was expected at line 1 column 2"),
        (r#"{"a":1,}"#, "a member name in quotation marks was expected at line 1 column 8"),
        (r#"{"a":1 "b"}"#, "`,` or `}` was expected at line 1 column 8"),
        ("[1 2]", "`,` or `]` was expected at line 1 column 4"),
        ("[tru]", "no words but true, false and null are known at line 1 column 5"),
        ("[nul", "the text ends too early at line 1 column 5"),
        ("[01]", "a number is not written as JSON demands at line 1 column 3"),
        ("[1.]", "a number is not written as JSON demands at line 1 column 4"),
        ("[-\n]", "a number is not written as JSON demands at line 1 column 3"),
        ("[-", "the text ends too early at line 1 column 3"),
        ("[1, 1e309]", "a number is larger than every floating-point number of 64 bits at line 1 column 5"),
        (r#"["a"#, "a string does not end at line 1 column 4"),
        (r#"["\u12"#, "a string does not end at line 1 column 7"),
        ("[\"a\nb\"]", "a control character in a string is not escaped at line 1 column 4"),
        (r#"["a\x"]"#, "a string has an escape that JSON does not know at line 1 column 5"),
        ("[\"a\\\n\"]", "a string has an escape that JSON does not know at line 1 column 5"),
        (r#"["\ud800"]"#, "a string has half of a surrogate pair at line 1 column 9"),
        ("1 2", "more text follows the value at line 1 column 3"),
    ] {
        assert_eq!(Json::parse(text).map_err(|error| error.to_string()), Err(error.to_owned()), "{text}");
    }
    let text = "[".repeat(128);
    let error = Json::parse(&text).expect_err("too deep").to_string();
    assert_eq!(error, "lists and objects are nested more than 127 levels deep at line 1 column 128");
}
