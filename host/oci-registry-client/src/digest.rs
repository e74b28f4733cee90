//! Digests of content, and readers that check content against them.

use std::fmt;
use std::io::{self, Read};

use sha2::{Digest as _, Sha256, Sha512};

/// Number of bytes that are read at once.
const BUFFER: usize = 64 * 1024;

/// `algorithm:hex` (OCI image-spec, "Digests"). The algorithm is SHA-256 or SHA-512.
///
/// ```
/// use oci_registry_client::Digest;
///
/// let digest = Digest::of(b"abc");
/// assert_eq!(
///     digest.as_str(),
///     "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
/// );
/// assert!(digest.matches(b"abc") && !digest.matches(b"abd"));
/// assert_eq!(Digest::parse("md5:900150983cd24fb0d6963f7d28e17f72"), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(String);

impl Digest {
    /// Reads a digest that came from outside. None where it has another form, or another algorithm.
    pub fn parse(text: &str) -> Option<Self> {
        orascache_api::reference::is_digest(text).then(|| Digest(text.to_owned()))
    }

    /// The SHA-256 digest of bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Digest(format!("sha256:{}", hex::encode(Sha256::digest(bytes))))
    }

    /// The SHA-256 digest of everything that a reader has.
    ///
    /// # Errors
    /// As the reader.
    pub fn of_reader(mut reader: impl Read) -> io::Result<Self> {
        let (mut hasher, mut buffer) = (Sha256::new(), vec![0; BUFFER]);
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok(Digest(format!("sha256:{}", hex::encode(hasher.finalize())))),
                Ok(count) => hasher.update(buffer.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The digest as text, as in a descriptor.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether bytes have this digest.
    pub fn matches(&self, bytes: &[u8]) -> bool {
        let mut hasher = Hasher::of(self);
        hasher.update(bytes);
        hasher.finish() == *self
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

enum Hasher {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hasher {
    fn of(digest: &Digest) -> Self {
        if digest.0.starts_with("sha512:") {
            Hasher::Sha512(Sha512::new())
        } else {
            Hasher::Sha256(Sha256::new())
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Hasher::Sha256(hasher) => hasher.update(bytes),
            Hasher::Sha512(hasher) => hasher.update(bytes),
        }
    }

    fn finish(self) -> Digest {
        match self {
            Hasher::Sha256(hasher) => Digest(format!("sha256:{}", hex::encode(hasher.finalize()))),
            Hasher::Sha512(hasher) => Digest(format!("sha512:{}", hex::encode(hasher.finalize()))),
        }
    }
}

/// A reader that passes content on and compares it with a digest and a size. The read that reaches
/// the end, or the size, fails with [`io::ErrorKind::InvalidData`] where the digest differs, so that
/// its bytes are not passed on; a read beyond the size fails at once.
pub struct VerifyingReader<R> {
    inner: R,
    wanted: Digest,
    size: u64,
    seen: u64,
    hasher: Option<Hasher>,
}

impl<R: Read> VerifyingReader<R> {
    /// A reader of `inner` that expects this digest and this size in bytes.
    pub fn new(inner: R, wanted: Digest, size: u64) -> Self {
        let hasher = Some(Hasher::of(&wanted));
        VerifyingReader { inner, wanted, size, seen: 0, hasher }
    }
}

impl<R: Read> Read for VerifyingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        if let (Some(hasher), Some(bytes)) = (&mut self.hasher, buffer.get(..count)) {
            hasher.update(bytes);
        }
        self.seen += count as u64;
        if self.seen == self.size && count > 0 {
            // The end is taken before the verdict, so that whoever sends the content is done, and not
            // cut off, whatever the verdict is.
            self.seen += self.inner.read(&mut [0])? as u64;
        }
        if self.seen > self.size {
            let sentence = format!("{} has more than the {} bytes of its descriptor", self.wanted, self.size);
            return Err(io::Error::new(io::ErrorKind::InvalidData, sentence));
        }
        if (count == 0 || self.seen == self.size)
            && !buffer.is_empty()
            && let Some(hasher) = self.hasher.take()
        {
            let actual = hasher.finish();
            if actual != self.wanted {
                let sentence = format!("the content of {} is damaged: its digest is {actual}", self.wanted);
                return Err(io::Error::new(io::ErrorKind::InvalidData, sentence));
            }
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From FIPS 180-2, appendix B.1 and C.1.
    const ABC: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    const ABC_512: &str = "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";

    fn read(content: &str, digest: &str, size: u64) -> io::Result<String> {
        let digest = Digest::parse(digest).unwrap();
        let mut text = String::new();
        VerifyingReader::new(content.as_bytes(), digest, size).read_to_string(&mut text).map(|_| text)
    }

    #[test]
    fn content_with_the_right_digest_passes() {
        assert_eq!(read("abc", ABC, 3).unwrap(), "abc");
        assert_eq!(read("abc", ABC_512, 3).unwrap(), "abc");
        assert_eq!(Digest::of(b"abc").as_str(), ABC);
        assert_eq!(Digest::of_reader(&b"abc"[..]).unwrap().as_str(), ABC);
        assert!(Digest::parse(ABC_512).unwrap().matches(b"abc"));
    }

    #[test]
    fn damage_is_an_error_at_the_end_and_surplus_at_once() {
        assert!(read("abd", ABC, 3).unwrap_err().to_string().contains("is damaged"));
        assert!(read("abcd", ABC, 3).unwrap_err().to_string().contains("more than the 3 bytes"));
        assert!(read("ab", ABC, 3).unwrap_err().to_string().contains("is damaged"));
    }

    #[test]
    fn the_last_bytes_of_damaged_content_are_not_passed_on() {
        let digest = Digest::parse(ABC).unwrap();
        let mut reader = VerifyingReader::new(io::Cursor::new(b"abd"), digest, 3);
        let mut buffer = [0; 2];
        assert_eq!(reader.read(&mut buffer).unwrap(), 2);
        assert_eq!(reader.read(&mut buffer).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn the_end_is_taken_before_damaged_content_is_reported() {
        let (mut content, mut took_end) = (io::Cursor::new(b"abd"), false);
        let inner = ReadFn(|buffer: &mut [u8]| {
            let count = content.read(buffer)?;
            took_end |= count == 0;
            Ok(count)
        });
        let mut reader = VerifyingReader::new(inner, Digest::parse(ABC).unwrap(), 3);
        assert!(reader.read(&mut [0; 8]).unwrap_err().to_string().contains("is damaged"));
        drop(reader);
        assert!(took_end);
    }

    /// A reader that is a function.
    struct ReadFn<F>(F);

    impl<F: FnMut(&mut [u8]) -> io::Result<usize>> Read for ReadFn<F> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            (self.0)(buffer)
        }
    }
}
