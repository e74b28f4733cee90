//! Folders of pods on this machine.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Creates a folder with this mode, whatever the umask is.
pub(crate) fn make(path: &Path, mode: u32) -> io::Result<()> {
    fs::create_dir_all(path)?;
    fs::set_permissions(path, Permissions::from_mode(mode))
}

/// Deletes a folder with everything in it, also what containers have made read-only.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_up(path)?;
            fs::remove_dir_all(path)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Makes all folders writable for their owner. Links are not followed.
fn open_up(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_up(&entry.path())?;
        }
    }
    Ok(())
}

/// As [`remove`], where nobody can do anything about a failure.
pub(crate) fn remove_or_log(path: &Path) {
    if let Err(error) = remove(path) {
        tracing::warn!(folder = %path.display(), %error, "a folder of a pod could not be deleted");
    }
}

#[cfg(test)]
mod tests {
    use super::remove;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn folders_that_nobody_may_write_are_deleted() {
        let folder = tempfile::tempdir().expect("a folder");
        let outside = folder.path().join("outside");
        fs::create_dir_all(&outside).expect("a folder");
        let inner = folder.path().join("pod/deep");
        fs::create_dir_all(&inner).expect("a folder");
        fs::write(inner.join("file"), "x").expect("a file");
        symlink(&outside, inner.join("link")).expect("a link");
        fs::set_permissions(&inner, Permissions::from_mode(0o500)).expect("a mode");
        remove(&folder.path().join("pod")).expect("deleted");
        assert!(!folder.path().join("pod").exists() && outside.exists());
        remove(&folder.path().join("pod")).expect("it is gone already");
    }
}
