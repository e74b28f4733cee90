//! Digests as OCI writes them.

/// The text of a SHA-256 digest: `sha256:` and lower-case hexadecimal digits (OCI image-spec,
/// "Digests").
pub(crate) fn sha256_text(digest: impl AsRef<[u8]>) -> String {
    format!("sha256:{}", hex::encode(digest))
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    #[test]
    fn the_empty_string_has_its_known_digest() {
        assert_eq!(
            super::sha256_text(Sha256::digest(b"")),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }
}
