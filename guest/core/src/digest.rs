//! A digest of desired objects: it notices change, it does not protect against anybody.

use crate::json::Json;
use std::hash::Hasher;

/// FNV-1a (draft-eastlake-fnv), over eight bytes at a time: written out because the digests are stored
/// in clusters and must not change with a library or a compiler.
struct Fnv(u64);

const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        // Mixes the high bits down (the finaliser of SplitMix64), since whole words went in.
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn write(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            let mut buffer = [0; 8];
            buffer.copy_from_slice(word);
            self.write_u64(u64::from_le_bytes(buffer));
        }
        let rest = words.remainder();
        let mut buffer = [0; 8];
        if let Some(room) = buffer.get_mut(..rest.len()) {
            room.copy_from_slice(rest);
        }
        // The length keeps "a" + "b" apart from "ab" and from "a\0".
        self.write_u64(u64::from_le_bytes(buffer));
        self.write_u64(bytes.len() as u64);
    }

    fn write_u64(&mut self, word: u64) {
        // A rotation lets high bits reach low ones between the multiplications.
        self.0 = (self.0 ^ word).wrapping_mul(PRIME).rotate_left(29);
    }

    fn write_u8(&mut self, byte: u8) {
        self.write_u64(u64::from(byte));
    }
}

/// Sixteen hexadecimal digits that depend on everything in the value.
pub(crate) fn of(value: &Json<'_>) -> String {
    let mut hasher = Fnv(OFFSET_BASIS);
    feed(value, &mut hasher);
    format!("{:016x}", hasher.finish())
}

fn feed(value: &Json<'_>, hasher: &mut Fnv) {
    match value {
        Json::Null => hasher.write_u8(0),
        Json::Bool(value) => hasher.write_u8(1 + u8::from(*value)),
        Json::Int(value) => {
            hasher.write_u8(3);
            hasher.write_u64(value.cast_unsigned());
        }
        Json::OtherNumber => hasher.write_u8(4),
        Json::Str(text) => {
            hasher.write_u8(5);
            hasher.write(text.as_bytes());
        }
        Json::Array(items) => {
            hasher.write_u8(6);
            hasher.write_u64(items.len() as u64);
            for item in items {
                feed(item, hasher);
            }
        }
        Json::Object(members) => {
            hasher.write_u8(7);
            hasher.write_u64(members.len() as u64);
            for (key, value) in members {
                hasher.write(key.as_bytes());
                feed(value, hasher);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::of;
    use crate::json::Json;

    fn digest(text: &str) -> String {
        of(&serde_json::from_str::<Json<'_>>(text).unwrap())
    }

    #[test]
    fn is_the_same_for_ever() {
        // Stored in clusters: if this changes, every child is written once more after an upgrade.
        insta::assert_snapshot!(digest(r#"{"a":[1,25,"x",true,null],"b":{}}"#), @"432873a001408fd8");
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
