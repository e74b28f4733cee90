//! Whether this process may write.

use std::time::Instant;

/// Whether this process may write. A controller looks at the current value before every write.
///
/// ```
/// use orascache_controller::MayWrite;
/// use std::time::{Duration, Instant};
///
/// assert!(MayWrite::Always.is_in_force() && !MayWrite::No.is_in_force());
/// let claim = MayWrite::Until(Instant::now() + Duration::from_secs(10));
/// assert!(claim.is_in_force());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MayWrite {
    /// Another process may.
    No,
    /// This process may until then, as the holder of a lease that it renews. The right ends at
    /// that time by itself: a process that was paused for long finds it ended.
    Until(Instant),
    /// There is no other process.
    Always,
}

impl MayWrite {
    /// Whether this process may write at this moment.
    pub fn is_in_force(self) -> bool {
        match self {
            MayWrite::No => false,
            MayWrite::Until(end) => Instant::now() < end,
            MayWrite::Always => true,
        }
    }
}
