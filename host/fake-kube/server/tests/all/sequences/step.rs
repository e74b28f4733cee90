//! One request of a sequence.

use serde_json::Value;

/// A request. In paths and bodies `$LATEST` and `$OLDER` stand for resourceVersions of the object:
/// the last one that the server answered with, and the one before.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub method: String,
    /// Path and query.
    pub path: String,
    /// `Content-Type`.
    pub media: String,
    /// Null for requests without a body.
    pub body: Value,
}

pub const LATEST: &str = "$LATEST";
pub const OLDER: &str = "$OLDER";

impl Step {
    /// The path without its query.
    pub fn plain_path(&self) -> &str {
        self.path.split('?').next().unwrap()
    }

    pub fn has_query(&self, part: &str) -> bool {
        self.path.split_once('?').is_some_and(|(_, query)| query.split('&').any(|one| one == part))
    }

    pub fn is_apply(&self) -> bool {
        self.media == "application/apply-patch+yaml"
    }

    /// Whether the request is meant to change something.
    pub fn is_write(&self) -> bool {
        self.method != "GET" && !self.has_query("dryRun=All")
    }
}

/// A server's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
}
