//! Modes of directories that their owner cannot write to. They are set last, when everything is in
//! place.

use super::cursor::Cursor;
use super::error::UnpackError;
use cap_std::fs::Dir;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

/// Largest memory for modes, in bytes. It holds about 150,000 read-only directories; other
/// directories need none.
const MOST_BYTES: usize = 16 << 20;

/// Memory of an entry of the map besides its path, in bytes, approximately.
const ENTRY: usize = 64;

/// Paths below the target directory, and their modes.
#[derive(Debug, Default)]
pub(super) struct Modes {
    paths: BTreeMap<Vec<u8>, u32>,
    bytes: usize,
}

impl Modes {
    /// Remembers a mode. `false` if there is no room for it.
    pub(super) fn set(&mut self, path: Vec<u8>, mode: u32) -> bool {
        self.bytes += path.len() + ENTRY;
        self.bytes <= MOST_BYTES && {
            self.paths.insert(path, mode);
            true
        }
    }

    /// Forgets a mode.
    pub(super) fn forget(&mut self, path: &[u8]) {
        self.paths.remove(path);
    }

    /// Adds the modes of another layer. `false` if there is no room for them.
    pub(super) fn extend(&mut self, other: Self) -> bool {
        other.paths.into_iter().all(|(path, mode)| self.set(path, mode))
    }

    /// Sets the modes of directories below `root`. Inner directories come first, since the mode of
    /// an outer one may lock them.
    pub(super) fn apply(&self, root: &Dir, root_path: &Path) -> Result<(), UnpackError> {
        let mut cursor = Cursor::new(root);
        for (path, mode) in self.paths.iter().rev() {
            let parts: Vec<OsString> =
                path.split(|byte| *byte == b'/').map(|part| OsString::from_vec(part.to_vec())).collect();
            cursor
                .go(&parts)
                .and_then(|dir| crate::beneath::set_mode(dir, *mode))
                .map_err(|source| UnpackError::write(&root_path.join(OsStr::from_bytes(path)), source))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_has_a_limit() {
        let mut modes = Modes::default();
        let most = MOST_BYTES / (ENTRY + 8);
        for number in 0..most {
            assert!(modes.set(format!("{number:08}").into_bytes(), 0o555));
        }
        assert!(!modes.set(b"one more".to_vec(), 0o555));
    }
}
