//! Directories with blobs, and the routers that serve them.

use axum::Router;
use ferro_blob_store::FsBlobStore;
use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Why the directory for the blobs cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(
    "the directory {path} for registry blobs cannot be used: {source}; choose a directory that can be written"
)]
pub struct DataDirectoryError {
    path: String,
    source: io::Error,
}

/// What a store belongs to, and is deleted with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum StoreOwner {
    /// A volume claim, by UID.
    Claim(String),
    /// A pod, by UID.
    Pod(String),
}

/// All stores below one directory.
pub(crate) struct Stores {
    root: PathBuf,
    open: Mutex<HashMap<StoreOwner, Router>>,
}

impl Stores {
    pub(crate) fn new(root: PathBuf) -> Result<Self, DataDirectoryError> {
        std::fs::create_dir_all(&root)
            .map_err(|source| DataDirectoryError { path: root.display().to_string(), source })?;
        Ok(Self { root, open: Mutex::default() })
    }

    /// The router of a store. All who open the same store see the same content at once.
    pub(crate) fn open(&self, owner: &StoreOwner) -> io::Result<Router> {
        let mut open = self.lock();
        if let Some(router) = open.get(owner) {
            return Ok(router.clone());
        }
        let directory = self.directory(owner);
        std::fs::create_dir_all(&directory)?;
        let blobs = FsBlobStore::new(&directory).map_err(io::Error::other)?;
        let router = ferro_oci_server::build_app_persisted(Arc::new(blobs), &directory);
        open.insert(owner.clone(), router.clone());
        Ok(router)
    }

    /// UIDs of the claims that have a store.
    pub(crate) fn claims(&self) -> Vec<String> {
        let claim = |owner: &StoreOwner| match owner {
            StoreOwner::Claim(uid) => Some(uid.clone()),
            StoreOwner::Pod(_) => None,
        };
        self.lock().keys().filter_map(claim).collect()
    }

    /// Deletes a store with all its blobs.
    pub(crate) fn remove(&self, owner: &StoreOwner) {
        let mut open = self.lock();
        if open.remove(owner).is_none() {
            return;
        }
        let directory = self.directory(owner);
        if let Err(error) = std::fs::remove_dir_all(&directory) {
            tracing::warn!(directory = %directory.display(), %error, "a store could not be deleted");
        }
    }

    fn directory(&self, owner: &StoreOwner) -> PathBuf {
        match owner {
            StoreOwner::Claim(uid) => self.root.join("claims").join(uid),
            StoreOwner::Pod(uid) => self.root.join("pods").join(uid),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<StoreOwner, Router>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{StoreOwner, Stores};

    #[test]
    fn a_store_is_deleted_with_its_owner() {
        let folder = tempfile::tempdir().expect("a folder");
        let stores = Stores::new(folder.path().join("data")).expect("stores");
        let (claim, pod) = (StoreOwner::Claim("c".into()), StoreOwner::Pod("p".into()));
        let _ = stores.open(&claim).expect("open");
        let _ = stores.open(&pod).expect("open");
        assert_eq!(stores.claims(), ["c"]);
        assert!(folder.path().join("data/claims/c").is_dir());
        stores.remove(&pod);
        assert!(!folder.path().join("data/pods/p").exists());
        stores.remove(&claim);
        assert!(stores.claims().is_empty());
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_named() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let error = Stores::new(file.path().join("data")).err().expect("a file has no folders").to_string();
        assert!(error.contains(&file.path().join("data").display().to_string()), "{error}");
    }
}
