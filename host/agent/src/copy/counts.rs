//! What a copy did, in numbers.

use crate::transfer::progress::size;
use serde_json::{Value, json};
use std::fmt;
use std::ops::AddAssign;

/// Numbers of what was copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Artifacts that the destination did not have, or whose tag was moved.
    pub copied: usize,
    /// Artifacts that were there already, under their tags.
    pub there: usize,
    /// Artifacts that could not be copied.
    pub failed: usize,
    /// Bytes of the blobs that were sent.
    pub sent: u64,
    /// Blobs that the destination took over from another repository.
    pub mounted: usize,
}

impl Counts {
    /// The numbers of artifacts, as the operator reads them.
    pub fn numbers(&self) -> Value {
        json!({"copied": self.copied, "skipped": self.there, "failed": self.failed})
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.copied += other.copied;
        self.there += other.there;
        self.failed += other.failed;
        self.sent += other.sent;
        self.mounted += other.mounted;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let artifacts = if self.copied == 1 { "artifact" } else { "artifacts" };
        write!(f, "copied {} {artifacts} ({} sent", self.copied, size(self.sent))?;
        match self.mounted {
            0 => {}
            1 => write!(f, ", 1 blob mounted")?,
            mounted => write!(f, ", {mounted} blobs mounted")?,
        }
        write!(f, "), {} there already", self.there)?;
        if self.failed > 0 {
            write!(f, ", {} failed", self.failed)?;
        }
        Ok(())
    }
}
