//! Digests of desired objects.

use crate::json::Json;
use orascache_contract::digest::Digest;
use std::hash::Hasher;

/// Sixteen hexadecimal digits that depend on everything in the value.
pub(crate) fn of(value: &Json<'_>) -> String {
    let mut digest = Digest::new();
    feed(value, &mut digest);
    digest.to_hex()
}

/// The digest of a list with these items.
pub(crate) fn of_list(items: &[&Json<'_>]) -> String {
    let mut digest = Digest::new();
    feed_list(items.iter().copied(), &mut digest);
    digest.to_hex()
}

fn feed_list<'j, 'a: 'j>(items: impl ExactSizeIterator<Item = &'j Json<'a>>, digest: &mut Digest) {
    digest.write_u8(6);
    digest.write_u64(items.len() as u64);
    for item in items {
        feed(item, digest);
    }
}

fn feed(value: &Json<'_>, digest: &mut Digest) {
    match value {
        Json::Null => digest.write_u8(0),
        Json::Bool(value) => digest.write_u8(1 + u8::from(*value)),
        Json::Int(value) => {
            digest.write_u8(3);
            digest.write_u64(value.cast_unsigned());
        }
        Json::OtherNumber(_) => digest.write_u8(4),
        Json::Str(text) => {
            digest.write_u8(5);
            digest.write(text.as_bytes());
        }
        Json::Array(items) => feed_list(items.iter(), digest),
        Json::Object(members) => {
            digest.write_u8(7);
            digest.write_u64(members.len() as u64);
            for (key, value) in members {
                digest.write(key.as_bytes());
                feed(value, digest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{of, of_list};
    use crate::json::Json;

    fn digest(text: &str) -> String {
        of(&Json::parse(text).unwrap())
    }

    #[test]
    fn is_the_same_for_ever() {
        // Stored in clusters: if this changes, every child is written once more after an upgrade.
        insta::assert_snapshot!(digest(r#"{"a":[1,25,"x",true,null],"b":{}}"#), @"432873a001408fd8");
    }

    #[test]
    fn is_that_of_the_list_for_its_items() {
        let list = Json::parse(r#"[{"a":[1,"x"]},"b"]"#).unwrap();
        let items: Vec<_> = list.as_array().unwrap().iter().collect();
        assert_eq!(of_list(&items), of(&list));
    }

    #[test]
    fn notices_every_change() {
        let texts = [
            "{}",
            "[]",
            "null",
            "true",
            "false",
            "0",
            "1",
            "5",
            r#""""#,
            r#""a""#,
            r#""ab""#,
            r#"["a","b"]"#,
            r#"["ab"]"#,
            r#"{"a":1}"#,
            r#"{"a":2}"#,
            r#"{"b":1}"#,
            r#"[["a"],"b"]"#,
            r#"[["a","b"]]"#,
            r#""a\u0000""#,
        ];
        let mut digests: Vec<String> = texts.iter().map(|text| digest(text)).collect();
        digests.sort();
        digests.dedup();
        assert_eq!(digests.len(), texts.len());
    }
}
