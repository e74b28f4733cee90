//! Leaves secrets out of records.
//!
//! Only inputs are redacted. The output that is recorded is what the component answers to the
//! redacted input: a pure function of an input without a secret cannot reveal the secret. Texts are
//! not removed but replaced by a keyed digest: equal texts stay equal, and decisions stay what they
//! were as far as possible. The key is random, is in memory only, and differs in every process.
//!
//! What is secret comes from two sources: general knowledge about Kubernetes, which is a table
//! (`rules`), and the guest, whose description has JSON pointers to secret values of its primaries.
//! `pass` walks through an input, `text` looks into texts, and `found` keeps what was left out in
//! order to find it elsewhere.

mod found;
mod pass;
pub mod rules;
mod text;

use super::Decision;
use orascache_contract::Description;
use pass::Pass;
use rand::RngCore;
use sha2::{Digest, Sha256};

/// Bytes of the digest that replaces a text.
const DIGEST_BYTES: usize = 6;
/// What every replacement begins with.
const REPLACEMENT: &str = "redacted-";

/// Rules about what is left out of records.
pub struct Redaction {
    key: [u8; 32],
    /// Names that the user gave.
    names: Vec<String>,
}

/// What redaction makes of an input.
pub(super) enum Redacted {
    /// There is no secret in it.
    Unchanged,
    /// The input without its secrets. The output is still that of the whole input.
    Changed(Box<Decision>),
    /// The input is no JSON, so that secrets cannot be found in it, or has more secrets than can be
    /// searched for.
    Unreadable,
}

impl Redaction {
    /// `names` are of annotations, labels, environment variables or fields of objects: all text
    /// under them is left out, beside what always is.
    pub fn new(names: Vec<String>) -> Self {
        let mut key = [0; 32];
        rand::rng().fill_bytes(&mut key);
        Self { key, names }
    }

    /// Redacts the input of a decision. `description` is that of the guest which decided.
    pub(super) fn apply(&self, description: &Description, decision: &Decision) -> Redacted {
        let is_review = matches!(decision, Decision::Review { .. });
        let mut pass = Pass::new(self, description, is_review);
        let redacted = match decision {
            Decision::Reconcile { observed, output } => pass
                .observed(observed)
                .map(|observed| Decision::Reconcile { observed, output: output.clone() }),
            Decision::Attend { observed, output } => {
                pass.observed(observed).map(|observed| Decision::Attend { observed, output: output.clone() })
            }
            Decision::Review { review, context, output } => pass
                .review(review, context)
                .map(|(review, context)| Decision::Review { review, context, output: output.clone() }),
        };
        match redacted {
            Ok(_) if !pass.is_complete() => Redacted::Unreadable,
            Ok(redacted) if pass.has_changed() => Redacted::Changed(Box::new(redacted)),
            Ok(_) => Redacted::Unchanged,
            Err(_) => Redacted::Unreadable,
        }
    }

    /// Whether the user gave that name.
    fn is_named(&self, name: &str) -> bool {
        self.names.iter().any(|named| named == name)
    }

    /// Whether a value of that name is secret.
    fn is_secret(&self, name: &str) -> bool {
        self.is_named(name) || rules::is_secret_name(name)
    }

    /// What replaces a text. It is valid as the value of a label too.
    fn replacement(&self, text: &str) -> String {
        let digest = Sha256::new().chain_update(self.key).chain_update(text).finalize();
        format!("{REPLACEMENT}{}", hex::encode(digest.get(..DIGEST_BYTES).unwrap_or_default()))
    }
}

/// Whether a text replaces another one already, since two rules may find the same text.
fn is_replacement(text: &str) -> bool {
    let digits = text.strip_prefix(REPLACEMENT).filter(|digits| digits.len() == DIGEST_BYTES * 2);
    digits.is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests;
