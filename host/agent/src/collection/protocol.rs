//! What `prune` and the supervisor of a registry say to each other: requests by HTTP/1.1, answers in
//! JSON.
//!
//! Each request is signed with a key that both read from a Secret. The key itself is never sent, so
//! that nobody learns it from a connection without TLS. What is signed has a challenge in it, which
//! the supervisor chooses and which changes with each collection: nobody can ask for a collection by
//! repeating a request.

use hyper::Method;
use hyper::header::HeaderName;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The only path. POST asks for a collection, GET for what became of it.
pub const PATH: &str = "/v1/collection";
/// Header of each answer with the challenge of the next request.
pub const CHALLENGE: HeaderName = HeaderName::from_static("orascache-challenge");
/// What stands in front of the signature in the header Authorization (RFC 9110, 11.4).
pub const SCHEME: &str = "OrasCache ";
/// Fewest bytes of a key. A shorter one could be guessed.
const SHORTEST_KEY: usize = 16;

/// The key of requests.
pub struct Key(hmac::Key);

impl Key {
    /// Reads the key from a file. Line ends behind it are ignored.
    ///
    /// # Errors
    /// A sentence, where the file cannot be read or holds no key.
    pub fn read(path: &Path) -> Result<Self, String> {
        let file = path.display();
        let content =
            std::fs::read(path).map_err(|error| format!("the key in {file} cannot be read: {error}"))?;
        let key = content.trim_ascii_end();
        if key.len() < SHORTEST_KEY {
            return Err(format!("the key in {file} has less than {SHORTEST_KEY} bytes: make a longer one"));
        }
        Ok(Key::of(key))
    }

    /// The key of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Key(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// The signature of a request (RFC 2104), in hexadecimal digits.
    pub fn sign(&self, method: &Method, challenge: &str) -> String {
        to_hex(hmac::sign(&self.0, signed(method, challenge).as_bytes()).as_ref())
    }

    /// Whether a signature is that of a request. The time that this takes does not depend on the
    /// signature.
    pub fn verifies(&self, method: &Method, challenge: &str, signature: &str) -> bool {
        let signature = from_hex(signature);
        signature.is_some_and(|signature| {
            hmac::verify(&self.0, signed(method, challenge).as_bytes(), &signature).is_ok()
        })
    }
}

fn signed(method: &Method, challenge: &str) -> String {
    format!("{method} {PATH} {challenge}")
}

/// Random bytes, in hexadecimal digits.
///
/// # Errors
/// A sentence, where the system has none.
pub fn random() -> Result<String, String> {
    let mut bytes = [0; 32];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| "the system has no random numbers".to_owned())?;
    Ok(to_hex(&bytes))
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let pairs = (0..text.len()).step_by(2);
    pairs.map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

/// What the supervisor says of its collections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// A random name of the process. Another one knows nothing of the collections before.
    pub supervisor: String,
    /// How many collections were begun.
    pub number: u64,
    /// Whether the last one has not ended.
    pub is_running: bool,
    /// How the last one that has ended did so.
    pub outcome: Option<Outcome>,
}

/// How a collection ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "result")]
pub enum Outcome {
    /// There was nothing to free. The registry took writes all the time.
    Nothing,
    /// Space was freed.
    Freed {
        /// Number of blobs that were deleted.
        blobs: u64,
        /// Their sizes, where the registry stores files.
        bytes: Option<u64>,
        /// For how many seconds the registry took no writes.
        seconds: u64,
    },
    /// It failed. The registry takes writes again.
    Failed {
        /// The rest of a sentence.
        why: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_one_request_and_one_key() {
        let (key, other) = (Key::of(b"one"), Key::of(b"two"));
        let signature = key.sign(&Method::POST, "abc");
        assert_eq!(signature.len(), 64);
        assert!(key.verifies(&Method::POST, "abc", &signature));
        assert!(!key.verifies(&Method::GET, "abc", &signature));
        assert!(!key.verifies(&Method::POST, "abd", &signature));
        assert!(!other.verifies(&Method::POST, "abc", &signature));
        for wrong in ["", "x", "+1", "éé", &signature[..62], &format!("{signature}00")] {
            assert!(!key.verifies(&Method::POST, "abc", wrong), "{wrong}");
        }
    }

    #[test]
    fn random_texts_differ() {
        assert_ne!(random(), random());
    }
}
