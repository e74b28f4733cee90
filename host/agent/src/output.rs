//! The file or directory that a step pushes.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Whether this path is written as the root of the file system.
pub fn is_root(path: &Path) -> bool {
    path.as_os_str().as_bytes().iter().all(|byte| *byte == b'/')
}

/// Checks that the command has left a file or directory at `path`. Returns the title of its layer:
/// its name, or the real name of the directory where the path ends in a slash or a dot.
///
/// # Errors
/// A sentence.
pub fn title(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => format!(
            "the command succeeded but left nothing at {shown}, so that nothing is pushed: let it write its output there, or name another output-path"
        ),
        _ => format!("the command succeeded, but its output at {shown} cannot be read: {error}"),
    };
    fs::metadata(path).map_err(failed)?;
    let canonical;
    let name = match written_name(path) {
        Some(name) => name,
        None => {
            canonical = fs::canonicalize(path).map_err(failed)?;
            canonical.file_name().ok_or_else(|| {
                format!("{shown} is the root of the file system, which is not pushed: name a file or directory below it as output-path")
            })?
        }
    };
    let title = name.to_str().ok_or_else(|| {
        format!("the name of {shown} is not UTF-8, so that it cannot be the title of an artifact: rename it")
    })?;
    Ok(title.to_owned())
}

/// The name as it is written, where it is one.
fn written_name(path: &Path) -> Option<&OsStr> {
    let last = path.as_os_str().as_bytes().rsplit(|byte| *byte == b'/').next()?;
    (!matches!(last, b"" | b"." | b"..")).then(|| OsStr::from_bytes(last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn titles_are_written_names_or_real_ones() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().join("run-1");
        fs::create_dir(&real).unwrap();
        symlink(&real, folder.path().join("latest")).unwrap();
        for (written, expected) in [
            ("run-1", "run-1"),
            ("run-1/", "run-1"),
            ("latest", "latest"),
            ("latest/", "run-1"),
            ("latest/.", "run-1"),
            ("run-1/../latest", "latest"),
        ] {
            assert_eq!(title(&folder.path().join(written)).as_deref(), Ok(expected), "{written}");
        }
    }

    #[test]
    fn errors_name_the_output() {
        let folder = tempfile::tempdir().unwrap();
        let said = title(&folder.path().join("x")).unwrap_err();
        assert!(said.contains("succeeded but left nothing at /"), "{said}");
        assert!(title(Path::new("/usr/..")).unwrap_err().contains("root of the file system"));
        let odd = folder.path().join(OsStr::from_bytes(b"a\xff"));
        fs::write(&odd, "").unwrap();
        assert!(title(&odd).unwrap_err().contains("not UTF-8"));
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(title(&file.join("below")).unwrap_err().contains("cannot be read"));
    }

    #[test]
    fn roots_are_recognised() {
        assert!(["", "/", "//"].into_iter().all(|path| is_root(Path::new(path))));
        assert!([".", "/a", "a"].into_iter().all(|path| !is_root(Path::new(path))));
    }
}
