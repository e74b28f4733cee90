//! Digests, in one place for the whole crate.

use sha2::{Digest, Sha256};
use std::io::{self, Read};

/// The SHA-256 of some bytes as OCI writes digests (image-spec, descriptor): `sha256:` and 64
/// lower-case hexadecimal digits.
pub fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// The [`digest`] of everything that a reader gives, which need not fit into memory.
pub(crate) fn digest_of(reader: &mut impl Read) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match reader.read(&mut buffer)? {
            0 => break Ok(format!("sha256:{}", hex::encode(hasher.finalize()))),
            read => hasher.update(buffer.get(..read).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{digest, digest_of};

    /// The digest of no bytes is known from FIPS 180-4's test vectors.
    #[test]
    fn digests_are_written_as_oci_writes_them() {
        assert_eq!(digest(b""), "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn the_digest_of_a_stream_is_that_of_its_bytes() {
        let bytes: Vec<u8> = (0..200_000_u32).map(|number| (number % 251) as u8).collect();
        assert_eq!(digest_of(&mut bytes.as_slice()).expect("readable"), digest(&bytes));
    }
}
