//! Generates names and UIDs.

use rand::Rng;

/// The letters of generated names: no vowels and no characters that look alike
/// (`k8s.io/apimachinery/pkg/util/rand`).
const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
const SUFFIX: usize = 5;
const LONGEST_NAME: usize = 63;

/// A name for `generateName`: the prefix, cut so that the suffix fits, and five random letters.
pub fn generate_name(prefix: &str) -> String {
    let mut random = rand::rng();
    let kept: String = prefix.chars().take(LONGEST_NAME - SUFFIX).collect();
    let suffix = (0..SUFFIX).map(|_| {
        let index = random.random_range(0..ALPHABET.len());
        ALPHABET.get(index).copied().map_or('x', char::from)
    });
    kept + &suffix.collect::<String>()
}

/// A random (version 4) UUID.
pub fn new_uid() -> String {
    let bits: u128 = rand::rng().random();
    let bits = (bits & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

#[cfg(test)]
mod tests {
    #[test]
    fn uids_are_version_four() {
        let uid = super::new_uid();
        assert_eq!(uid.len(), 36);
        assert_eq!(uid.as_bytes()[14], b'4');
        assert!(b"89ab".contains(&uid.as_bytes()[19]));
    }

    #[test]
    fn generated_names_fit() {
        assert_eq!(super::generate_name(&"x".repeat(80)).len(), 63);
        assert!(super::generate_name("p-").starts_with("p-"));
    }
}
