//! Hexadecimal digits and digests, in one place for the whole crate.

use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// Two lower-case hexadecimal digits for each byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The SHA-256 of some bytes as OCI writes digests (image-spec, descriptor): `sha256:` and 64
/// lower-case hexadecimal digits.
pub fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}

#[cfg(test)]
mod tests {
    use super::{digest, hex};

    #[test]
    fn bytes_become_two_digits_each() {
        assert_eq!(hex(&[0, 1, 0xab, 0xff]), "0001abff");
        assert_eq!(hex(&[]), "");
    }

    /// The digest of no bytes is known from FIPS 180-4's test vectors.
    #[test]
    fn digests_are_written_as_oci_writes_them() {
        assert_eq!(digest(b""), "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
