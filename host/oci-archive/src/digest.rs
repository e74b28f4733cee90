//! Digests as OCI writes them.

use std::fmt::Write;

/// `sha256:` and the digest in lower-case hexadecimal digits.
pub(crate) fn digest_name(digest: impl AsRef<[u8]>) -> String {
    digest.as_ref().iter().fold(String::from("sha256:"), |mut name, byte| {
        // Writing to a string cannot fail.
        let _ = write!(name, "{byte:02x}");
        name
    })
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    #[test]
    fn the_empty_string_has_its_known_digest() {
        assert_eq!(
            super::digest_name(Sha256::digest(b"")),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }
}
