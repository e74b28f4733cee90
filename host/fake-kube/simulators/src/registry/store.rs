//! Directories with blobs, and the routers that serve them.

use crate::StartError;
use axum::Router;
use ferro_blob_store::FsBlobStore;
use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// What a store lives and dies with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// A volume claim, by UID.
    Claim(String),
    /// A pod, by UID.
    Pod(String),
}

/// All stores below one directory.
pub(super) struct Stores {
    root: PathBuf,
    open: Mutex<HashMap<Place, Router>>,
}

impl Stores {
    pub(super) fn new(root: PathBuf) -> Result<Self, StartError> {
        std::fs::create_dir_all(&root)
            .map_err(|source| StartError::DataDirectory { path: root.display().to_string(), source })?;
        Ok(Self { root, open: Mutex::default() })
    }

    /// The router of a store; all who open the same one see the same content at once.
    pub(super) fn open(&self, place: &Place) -> io::Result<Router> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(router) = open.get(place) {
            return Ok(router.clone());
        }
        let directory = self.directory(place);
        std::fs::create_dir_all(&directory)?;
        let blobs = FsBlobStore::new(&directory).map_err(io::Error::other)?;
        let router = ferro_oci_server::build_app_persisted(Arc::new(blobs), &directory);
        open.insert(place.clone(), router.clone());
        Ok(router)
    }

    /// UIDs of the claims that have a store.
    pub(super) fn claims(&self) -> Vec<String> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let claim = |place: &Place| match place {
            Place::Claim(uid) => Some(uid.clone()),
            Place::Pod(_) => None,
        };
        open.keys().filter_map(claim).collect()
    }

    /// Removes a store with all its blobs.
    pub(super) fn remove(&self, place: &Place) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.remove(place).is_none() {
            return;
        }
        let directory = self.directory(place);
        if let Err(error) = std::fs::remove_dir_all(&directory) {
            tracing::warn!(directory = %directory.display(), %error, "a store could not be removed");
        }
    }

    fn directory(&self, place: &Place) -> PathBuf {
        match place {
            Place::Claim(uid) => self.root.join("claims").join(uid),
            Place::Pod(uid) => self.root.join("pods").join(uid),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, Stores};

    #[test]
    fn a_store_goes_with_what_it_belongs_to() {
        let folder = tempfile::tempdir().expect("a folder");
        let stores = Stores::new(folder.path().join("data")).expect("stores");
        let (claim, pod) = (Place::Claim("c".into()), Place::Pod("p".into()));
        let _ = stores.open(&claim).expect("open");
        let _ = stores.open(&pod).expect("open");
        assert_eq!(stores.claims(), ["c"]);
        assert!(folder.path().join("data/claims/c").is_dir());
        stores.remove(&pod);
        assert!(!folder.path().join("data/pods/p").exists());
        stores.remove(&claim);
        assert!(stores.claims().is_empty());
    }
}
