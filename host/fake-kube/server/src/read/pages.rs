//! Continue tokens of paged lists.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fake_kube_apimachinery::status::ApiError;
use serde::{Deserialize, Serialize};

use crate::store::Key;

/// A continue token: where the next page starts.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Token {
    v: String,
    /// The revision of the first page; -1 continues with the latest state.
    rv: i64,
    /// The last key of the page before, and a zero byte: the smallest key after it.
    start: String,
}

const VERSION: &str = "meta.k8s.io/v1";

impl Token {
    /// A token that continues after `last`. Keys are relative to the namespace of the request, if
    /// it has one.
    pub(super) fn after(last: &Key, all_namespaces: bool, revision: Option<u64>) -> String {
        let start = if all_namespaces && !last.namespace.is_empty() {
            format!("{}/{}\0", last.namespace, last.name)
        } else {
            format!("{}\0", last.name)
        };
        let rv = revision.and_then(|revision| i64::try_from(revision).ok()).unwrap_or(-1);
        let token = Self { v: VERSION.to_owned(), rv, start };
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(&token).unwrap_or_default())
    }

    pub(super) fn parse(text: &str) -> Result<Self, ApiError> {
        let decoded = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok();
        decoded
            .and_then(|bytes| serde_json::from_slice::<Self>(&bytes).ok())
            .filter(|token| token.v == VERSION)
            .ok_or_else(|| {
                ApiError::bad_request("continue key is not valid: it must come from an earlier list")
            })
    }

    /// The revision to show; `None` is the latest.
    pub(super) fn revision(&self) -> Option<u64> {
        u64::try_from(self.rv).ok()
    }

    /// The last key that was shown.
    pub(super) fn last(&self, namespace: Option<&str>) -> Key {
        let start = self.start.trim_start_matches('/').trim_end_matches('\0');
        match (namespace, start.split_once('/')) {
            (None, Some((namespace, name))) => Key::new(Some(namespace), name),
            _ => Key::new(namespace, start),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_as_written() {
        let key = Key::new(Some("default"), "a");
        let token = Token::parse(&Token::after(&key, true, Some(7))).unwrap();
        assert_eq!((token.revision(), token.last(None)), (Some(7), key.clone()));
        let token = Token::parse(&Token::after(&key, false, None)).unwrap();
        assert_eq!((token.revision(), token.last(Some("default"))), (None, key));
    }

    #[test]
    fn tokens_of_a_real_server_are_understood() {
        let token =
            Token::parse("eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MjU2LCJzdGFydCI6Ii9hXHUwMDAwIn0").unwrap();
        assert_eq!((token.revision(), token.last(Some("x"))), (Some(256), Key::new(Some("x"), "a")));
        assert_eq!(Token::parse("nonsense").unwrap_err().code, 400);
    }
}
