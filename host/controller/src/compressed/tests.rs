//! Texts come back as they were, whatever they are like, and like texts take little memory.

use super::{Compressed, Compressor, MISFITS};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A text of a kind, unlike any of another kind.
fn text(kind: u32, number: usize) -> String {
    let fields: Vec<String> =
        (0..40).map(|field| format!("\"field-{}\":\"{}\"", field * kind, hash(kind, field))).collect();
    format!("{{\"name\":\"object-{number}\",{}}}", fields.join(","))
}

/// Digits without a pattern.
fn hash(kind: u32, field: u32) -> u32 {
    (kind * 7_919 + field).wrapping_mul(2_654_435_761)
}

fn is_small(compressed: &Compressed) -> bool {
    compressed.size() < compressed.length() / 8
}

#[test]
fn a_text_that_is_like_one_before_takes_little_memory() {
    let compressor = Compressor::default();
    for number in 0..100 {
        let text = text(1, number);
        let compressed = compressor.compress(&text);
        assert_eq!(compressed.open(), text);
        assert!(is_small(&compressed), "{compressed:?}");
    }
    assert_eq!(compressor.dictionary_size(), text(1, 0).len(), "one text is enough");
}

#[test]
fn several_forms_of_texts_take_little_memory_side_by_side() {
    let compressor = Compressor::default();
    for number in 0..100 {
        for kind in 1..=4 {
            let text = text(kind, number);
            let compressed = compressor.compress(&text);
            assert_eq!(compressed.open(), text);
            assert!(is_small(&compressed), "{kind}: {compressed:?}");
        }
    }
}

#[test]
fn a_dictionary_that_stopped_fitting_is_replaced_and_texts_of_before_stay() {
    let compressor = Compressor::default();
    let before: Vec<Compressed> = (1..=4).map(|kind| compressor.compress(&text(kind, 0))).collect();
    let after: Vec<Compressed> = (0..200).map(|number| compressor.compress(&text(9, number))).collect();
    for (number, compressed) in after.iter().enumerate() {
        assert_eq!(compressed.open(), text(9, number));
    }
    let misfits = usize::try_from(MISFITS).expect("a small number");
    assert!(after.iter().skip(misfits).all(is_small));
    assert!(!is_small(&after[0]), "a few texts are no reason to learn others");
    for (kind, compressed) in (1..=4).zip(&before) {
        assert_eq!(compressed.open(), text(kind, 0));
    }
    assert_eq!(compressor.dictionary_size(), text(9, 0).len() + 1, "its number has two digits");
}

#[test]
fn security_dictionaries_do_not_grow_with_texts_that_have_nothing_in_common() {
    let compressor = Compressor::default();
    for kind in 1..2_000 {
        compressor.compress(&text(kind, 0));
        assert!(compressor.dictionary_size() <= 16 << 10);
    }
    let long = "x".repeat(1 << 20);
    let before = compressor.dictionary_size();
    assert_eq!(compressor.compress(&long).open(), long);
    assert_eq!(compressor.dictionary_size(), before, "a long text is no part of a dictionary");
}

#[test]
fn a_text_that_compression_makes_longer_is_kept_as_it_is() {
    let compressor = Compressor::default();
    for kind in 1..=4 {
        compressor.compress(&text(kind, 0));
    }
    let random = |length: u32| -> String {
        (0..length).map(|number| char::from(b'!' + (hash(3, number) >> 24) as u8 % 90)).collect()
    };
    for text in [random(300), random(65), random(3), String::new()] {
        let compressed = compressor.compress(&text);
        assert_eq!((compressed.size(), &*compressed.open()), (text.len(), &*text));
    }
}

#[test]
fn texts_are_compared_whatever_they_are_compressed_with() {
    let (one, other) = (Compressor::default(), Compressor::default());
    other.compress(&text(2, 0));
    let first = one.compress(&text(1, 5));
    assert!(first == one.compress(&text(1, 5)) && first == other.compress(&text(1, 5)));
    assert!(first == Compressed::from(&*text(1, 5)));
    for number in [6, 55] {
        let text = text(1, number);
        assert!(first != one.compress(&text) && first != other.compress(&text) && first != (&*text).into());
    }
}

#[test]
fn security_neither_text_nor_dictionary_is_in_debug_output() {
    let compressor = Compressor::default();
    for compressed in [compressor.compress("hidden"), compressor.compress(&"hidden".repeat(20))] {
        assert!(!format!("{compressed:?}").contains("hidden"));
    }
}

/// Any JSON, with the shape of objects now and then.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
        "[a-z]{0,300}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::btree_map("[a-z/]{0,12}|.*", inner, 0..8).prop_map(|members| json!(members)),
        ]
    })
}

proptest! {
    #[test]
    fn any_text_comes_back_as_it_was(values in prop::collection::vec(any_json(), 1..12)) {
        let compressor = Compressor::default();
        let texts: Vec<String> = values.iter().map(Value::to_string).collect();
        // Twice, so that texts are compressed with those that came after them, too.
        let compressed: Vec<Compressed> =
            texts.iter().chain(&texts).map(|text| compressor.compress(text)).collect();
        for (text, compressed) in texts.iter().chain(&texts).zip(&compressed) {
            prop_assert_eq!(&compressed.open(), text);
            prop_assert_eq!(compressed.length(), text.len());
            prop_assert!(compressed.size() <= text.len());
        }
    }
}
