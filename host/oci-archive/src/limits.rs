//! Limits of archives.

/// Deepest nesting of a layer, its title included. Walking a tree holds up to three open files per
/// level, and a process usually may have 1024.
pub const MAX_DEPTH: usize = 200;

/// Longest name of an entry and longest target of a link, in bytes: Linux's `PATH_MAX`.
pub const MAX_ENTRY_NAME: usize = 4096;

/// How large an archive may become when it is unpacked, so that a small download cannot fill a
/// disk.
///
/// ```
/// use oci_archive::Limits;
///
/// let limits = Limits::default();
/// assert_eq!(limits.allowed_bytes(1000), 1 << 30);
/// assert_eq!(limits.allowed_bytes(1 << 30), 300 << 30);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that are always allowed. 1 GiB by default.
    pub bytes: u64,
    /// Bytes that are allowed for each byte of the compressed archive. 300 by default: Deflate can
    /// reach 1032, and Zstandard 32,000. Zeros packed by [`pack`](crate::pack()) with gzip were
    /// measured at 104, source code, libraries and numbers below 7 with both.
    pub factor: u64,
    /// Entries (files, directories, links) of an archive. 10 million by default.
    pub entries: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 1 << 30, factor: 300, entries: 10_000_000 }
    }
}

impl Limits {
    /// The number of bytes that an archive of `compressed` bytes may become.
    pub fn allowed_bytes(&self, compressed: u64) -> u64 {
        self.bytes.max(self.factor.saturating_mul(compressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_archives_get_the_constant_and_large_ones_the_factor() {
        let limits = Limits::default();
        assert_eq!(limits.allowed_bytes(0), 1 << 30);
        assert_eq!(limits.allowed_bytes(1 << 20), 1 << 30);
        assert_eq!(limits.allowed_bytes(1 << 30), 300 << 30);
        assert_eq!(limits.allowed_bytes(u64::MAX), u64::MAX);
    }
}
