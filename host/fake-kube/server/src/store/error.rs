//! Why the store refuses a write or a read.

/// Why a write did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteRefused {
    /// Create: there is an object with this key.
    Exists,
    /// Replace or remove: there is no object with this key.
    Missing,
    /// Replace or remove: the object has another revision than the expected one.
    Stale,
}

/// The asked revision is older than the history. Carries the oldest revision that the history still
/// has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooOld(pub u64);
