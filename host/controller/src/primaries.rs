//! Primaries for decisions about other objects: from the cache, or read from the API server.

use crate::cache::Cache;
use crate::object::Key;
use crate::requests::api;
use crate::watches::PRIMARY;
use kube::Client;
use orascache_contract::Kind;
use std::sync::Arc;

/// A view of the controller's primaries. It may outlive the controller; the cache is not kept
/// current then.
#[derive(Clone)]
pub struct Primaries {
    pub(crate) cache: Arc<Cache>,
    pub(crate) client: Client,
}

impl Primaries {
    /// The same, with another client for what is read: connections belong to the runtime that opens
    /// them.
    pub fn with_client(self, client: Client) -> Self {
        Self { client, ..self }
    }

    /// Their kind.
    pub fn kind(&self) -> &Kind {
        self.cache.primary_kind()
    }

    /// All primaries of a namespace in the cache, JSON text; `None` when there are more than
    /// `at_most`.
    pub fn in_namespace(&self, namespace: &str, at_most: usize) -> Option<Vec<Arc<str>>> {
        self.cache.primaries_in(namespace, at_most)
    }

    /// One primary from the cache, JSON text.
    pub fn cached(&self, namespace: &str, name: &str) -> Option<Arc<str>> {
        self.cache.primary_text(&Key::new(namespace, name))
    }

    /// One primary as the API server has it now, JSON text; `None` when there is none. The cache
    /// may lag behind.
    ///
    /// # Errors
    /// When the API server does not answer, or refuses.
    pub async fn read(&self, namespace: &str, name: &str) -> Result<Option<Arc<str>>, kube::Error> {
        let found = api(&self.client, self.kind(), namespace).get_opt(name).await?;
        Ok(found.and_then(|object| self.cache.decode(PRIMARY, object)).map(|stored| stored.text()))
    }
}
