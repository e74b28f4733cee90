//! Titles of layers: relative paths that come from outside.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// Prefix of the hidden directories of pulls in the target directory.
pub(crate) const STAGING_PREFIX: &str = ".orascache-pull-";

/// Longest name of a file on Linux (`NAME_MAX`), in bytes.
pub(crate) const MAX_NAME: usize = 255;

/// Splits a title into its parts. `Err` has the reason why it is refused, as the end of a sentence.
///
/// Empty parts and `.` are dropped: `oras` titles a directory `./data` when it is written like that
/// on its command line.
pub(crate) fn components(title: &str) -> Result<Vec<OsString>, &'static str> {
    if title.starts_with('/') {
        return Err("it is an absolute path; a title is relative to the directory of the pull");
    }
    if title.contains('\0') {
        return Err("it contains a NUL byte");
    }
    let parts: Vec<&str> = title.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.is_empty() {
        return Err("it names no file or directory of its own");
    }
    if parts.contains(&"..") {
        return Err("it contains `..`, which leads out of the directory of the pull");
    }
    if parts.iter().any(|part| part.len() > MAX_NAME) {
        return Err("a part of it is longer than the 255 bytes that a file name can have");
    }
    if parts.len() > crate::MAX_DEPTH {
        return Err("it has more subdirectories than a layer can have");
    }
    if parts.first().is_some_and(|first| first.starts_with(STAGING_PREFIX)) {
        return Err("names that begin with `.orascache-pull-` are used by pulls themselves");
    }
    Ok(parts.into_iter().map(OsString::from).collect())
}

/// Joins parts of a path with slashes.
pub(crate) fn join<T: AsRef<OsStr>>(parts: &[T]) -> Vec<u8> {
    parts.iter().map(|part| part.as_ref().as_bytes()).collect::<Vec<_>>().join(&b'/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_paths_are_titles() {
        for (title, parts) in [
            ("data", &["data"][..]),
            ("./data/", &["data"]),
            ("a//b.txt", &["a", "b.txt"]),
            ("..a/b..", &["..a", "b.."]),
            ("...", &["..."]),
            ("ü", &["ü"]),
        ] {
            let expected: Vec<OsString> = parts.iter().map(OsString::from).collect();
            assert_eq!(components(title), Ok(expected), "{title}");
        }
    }

    #[test]
    fn titles_that_lead_out_of_the_target_are_refused() {
        for title in ["", ".", "..", "/", "/etc", "a/../b", "a/..", "./.", "a\0b", ".orascache-pull-0/x"] {
            assert!(components(title).is_err(), "{title:?}");
        }
        assert!(components(&"x".repeat(256)).is_err());
        assert!(components(&"x".repeat(255)).is_ok());
        assert!(components(&"x/".repeat(crate::MAX_DEPTH + 1)).is_err());
    }
}
