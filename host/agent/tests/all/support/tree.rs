//! Writes and compares trees of files.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Content that cannot be compressed, different for each seed: a counter, hashed by multiplication.
pub fn content(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut content = Vec::with_capacity(bytes + 8);
    while content.len() < bytes {
        // xorshift64* (Vigna, 2016).
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        content.extend_from_slice(&state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
    }
    content.truncate(bytes);
    content
}

/// Writes a file with a mode, and the directories above it.
pub fn write(path: &Path, content: impl AsRef<[u8]>, mode: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Everything below a directory: path, and kind with mode and content. Long contents are given by
/// their digest.
pub fn tree(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut left = vec![PathBuf::new()];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(root.join(&directory)).unwrap() {
            let entry = entry.unwrap();
            let path = directory.join(entry.file_name());
            let metadata = entry.metadata().unwrap();
            let mode = metadata.mode() & 0o7777;
            let what = if metadata.is_symlink() {
                let target = fs::read_link(entry.path()).unwrap();
                format!("link {:?}", target.as_os_str().as_bytes().escape_ascii().to_string())
            } else if metadata.is_dir() {
                left.push(path.clone());
                format!("directory {mode:o}")
            } else if !metadata.is_file() {
                format!("special {mode:o}")
            } else {
                let content = fs::read(entry.path()).unwrap();
                let shown = match std::str::from_utf8(&content) {
                    Ok(text) if text.len() < 200 => format!("{text:?}"),
                    _ => format!("{} bytes {}", content.len(), oci_registry_client::Digest::of(&content)),
                };
                format!("file {mode:o} {shown}")
            };
            found.insert(path, what);
        }
    }
    found
}

/// Paths of everything below a directory.
pub fn paths(root: &Path) -> Vec<String> {
    tree(root).into_keys().map(|path| path.to_string_lossy().into_owned()).collect()
}

/// Whether there is a file of this name somewhere below a directory that may change meanwhile.
pub fn holds(root: &Path, name: &str) -> bool {
    let Ok(entries) = fs::read_dir(root) else { return false };
    entries.flatten().any(|entry| {
        entry.file_name() == name
            || entry.file_type().is_ok_and(|kind| kind.is_dir()) && holds(&entry.path(), name)
    })
}
