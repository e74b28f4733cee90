//! Writes that did not succeed.

use crate::ObjectRef;
use std::fmt;

/// What was to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub enum Verb {
    /// Create a generated Secret.
    Create,
    /// Server-side apply.
    Apply,
    /// Patch of a related object.
    Patch,
    /// Delete.
    Delete,
}

/// As in `apply`.
impl fmt::Display for Verb {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Verb::Create => "create",
            Verb::Apply => "apply",
            Verb::Patch => "patch",
            Verb::Delete => "delete",
        })
    }
}

/// Why a write did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub enum FailureReason {
    /// The name is taken by an object that the primary does not control.
    NotControlled,
    /// Fields were left to another manager; the message names them.
    FieldOwnedByOther,
    /// The host does not carry out such a write: it reaches beyond what a guest may do.
    NotPermitted,
    /// No answer came.
    Unreachable,
    /// Rights, quotas or admission.
    Forbidden,
    /// The API server's validation.
    Invalid,
    /// The object changed meanwhile.
    Conflict,
    /// The object, its kind or its namespace does not exist.
    NotFound,
    /// The API server asks for patience.
    TooManyRequests,
    /// Another reason, in the API server's own word: `NamespaceTerminating` where the namespace is
    /// being deleted. After that no plan is asked for.
    Other(String),
}

impl FailureReason {
    /// From the reason of the API server's Status (meta/v1 StatusReason). No word of a server's
    /// becomes one of the reasons that only hosts give.
    pub fn from_status(reason: &str) -> Self {
        match reason {
            "Forbidden" => Self::Forbidden,
            "Invalid" => Self::Invalid,
            "Conflict" => Self::Conflict,
            "NotFound" => Self::NotFound,
            "TooManyRequests" => Self::TooManyRequests,
            other => Self::Other(other.to_owned()),
        }
    }

    /// One word in PascalCase, as in `Forbidden`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::NotControlled => "NotControlled",
            Self::FieldOwnedByOther => "FieldOwnedByOther",
            Self::NotPermitted => "NotPermitted",
            Self::Unreachable => "Unreachable",
            Self::Forbidden => "Forbidden",
            Self::Invalid => "Invalid",
            Self::Conflict => "Conflict",
            Self::NotFound => "NotFound",
            Self::TooManyRequests => "TooManyRequests",
            Self::Other(word) => word,
        }
    }
}

impl fmt::Display for FailureReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A write of the last plan that did not succeed, or that was held back.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Failure {
    /// The object that was to be written.
    pub target: ObjectRef,
    /// What was to be done.
    pub verb: Verb,
    /// HTTP status, 0 where no answer came.
    pub code: u16,
    /// Why.
    pub reason: FailureReason,
    /// A sentence.
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::FailureReason;

    #[test]
    fn the_servers_word_is_kept() {
        for word in ["Forbidden", "Invalid", "Conflict", "NotFound", "TooManyRequests", "Expired", ""] {
            assert_eq!(FailureReason::from_status(word).as_str(), word);
        }
    }

    #[test]
    fn a_server_cannot_speak_for_the_host() {
        let reason = FailureReason::from_status("NotControlled");
        assert_eq!(reason, FailureReason::Other("NotControlled".to_owned()));
    }
}
