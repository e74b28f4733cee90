//! Notices changes of the component's file by its content. It may be written in place, renamed
//! over, or reached through a symbolic link that is replaced (ConfigMaps, image volumes), and not
//! every file system reports that.

use crate::digest::digest;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::AsyncReadExt;

/// Largest component that is read, in bytes. OrasCache's has a quarter of a mebibyte.
const FILE_BYTES: u64 = 64 << 20;

/// The content of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) bytes: Vec<u8>,
    /// Digest of the bytes, as OCI writes digests.
    pub(super) digest: String,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("the component {path} cannot be read: {source}", path = path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("the component {path} is larger than {FILE_BYTES} bytes", path = path.display())]
    TooLarge { path: PathBuf },
}

/// The content of the file when its digest is not `known`, once it stays the same for `pause`: a
/// file that is written in place is incomplete for a while.
pub(super) async fn changed(path: &Path, known: &str, pause: Duration) -> Result<Option<Content>, FileError> {
    let mut seen = read(path).await?;
    loop {
        if seen.digest == known {
            return Ok(None);
        }
        tokio::time::sleep(pause).await;
        let again = read(path).await?;
        if again.digest == seen.digest {
            return Ok(Some(again));
        }
        seen = again;
    }
}

async fn read(path: &Path) -> Result<Content, FileError> {
    let failed = |source| FileError::Read { path: path.to_owned(), source };
    let file = tokio::fs::File::open(path).await.map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES + 1).read_to_end(&mut bytes).await.map_err(failed)?;
    if bytes.len() as u64 > FILE_BYTES {
        return Err(FileError::TooLarge { path: path.to_owned() });
    }
    let digest = digest(&bytes);
    Ok(Content { bytes, digest })
}

#[cfg(test)]
mod tests {
    use super::{FileError, changed};
    use crate::digest::digest;
    use std::os::unix::fs::symlink;
    use std::time::Duration;

    const PAUSE: Duration = Duration::from_millis(1);

    #[tokio::test]
    async fn changes_are_noticed_however_they_are_made() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let found = async |known: &str| {
            let content = changed(&at("data/guest.wasm"), known, PAUSE).await.expect("readable");
            content.map(|content| String::from_utf8(content.bytes).expect("text"))
        };
        for version in ["one", "two"] {
            std::fs::create_dir(at(version)).expect("made");
            std::fs::write(at(version).join("guest.wasm"), version).expect("written");
        }
        symlink(at("one"), at("data")).expect("linked");
        assert_eq!(found("").await.as_deref(), Some("one"));
        assert_eq!(found(&digest(b"one")).await, None);
        // The kubelet makes a new link and renames it over the old one.
        symlink(at("two"), at("next")).expect("linked");
        std::fs::rename(at("next"), at("data")).expect("renamed");
        assert_eq!(found(&digest(b"one")).await.as_deref(), Some("two"));
        std::fs::write(at("data/guest.wasm"), "six").expect("written in place, of the same length");
        assert_eq!(found(&digest(b"two")).await.as_deref(), Some("six"));
        std::fs::write(at("new"), "ten").expect("written");
        std::fs::rename(at("new"), at("two/guest.wasm")).expect("renamed");
        assert_eq!(found(&digest(b"six")).await.as_deref(), Some("ten"));
        std::fs::remove_file(at("data")).expect("removed");
        let error = changed(&at("data/guest.wasm"), "", PAUSE).await.expect_err("gone");
        assert!(matches!(error, FileError::Read { .. }), "{error}");
    }

    #[tokio::test]
    async fn half_written_content_is_not_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("guest.wasm");
        std::fs::write(&path, "ha").expect("written");
        let writer = async {
            // Runs while `changed` sleeps.
            tokio::task::yield_now().await;
            std::fs::write(&path, "half").expect("written");
        };
        let (found, ()) = tokio::join!(changed(&path, "", Duration::from_millis(200)), writer);
        assert_eq!(found.expect("readable").expect("changed").bytes, b"half");
    }
}
