//! The file by which other programs reach the API server.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::StartError;

/// A kubeconfig file.
pub(crate) struct KubeconfigFile {
    path: PathBuf,
    /// Deleted when this is dropped, unless the caller chose the path.
    _folder: Option<TempDir>,
}

impl KubeconfigFile {
    /// Writes the text to `path`, or into a temporary folder.
    pub(crate) fn write(path: Option<PathBuf>, text: &str) -> Result<Self, StartError> {
        let (path, folder) = match path {
            Some(path) => (std::path::absolute(&path).unwrap_or(path), None),
            None => {
                let folder = tempfile::Builder::new().prefix("fake-kube-").tempdir();
                let folder =
                    folder.map_err(|source| StartError::Kubeconfig { path: std::env::temp_dir(), source })?;
                (folder.path().join("kubeconfig"), Some(folder))
            }
        };
        write_private(&path, text).map_err(|source| StartError::Kubeconfig { path: path.clone(), source })?;
        Ok(Self { path, _folder: folder })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Writes a file that only its owner can read: it gives access to the API server.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}
