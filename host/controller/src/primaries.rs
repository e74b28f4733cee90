//! Primaries for those who decide about other objects: as the cache has them, or as the API has them now.

use crate::apply;
use crate::cache::Cache;
use crate::contract::Kind;
use crate::object::Key;
use kube::Client;
use std::sync::Arc;

/// A view of the controller's primaries. It outlives the controller, but is not kept current then.
#[derive(Clone)]
pub struct Primaries {
    pub(crate) cache: Arc<Cache>,
    pub(crate) client: Client,
    pub(crate) kind: Kind,
    pub(crate) field_manager: String,
}

impl Primaries {
    /// What kind of object they are.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Primaries of a namespace as the cache has them, JSON text; `None` when there are more than that.
    pub fn in_namespace(&self, namespace: &str, at_most: usize) -> Option<Vec<Arc<str>>> {
        let found = self.cache.primaries_in(namespace, at_most.saturating_add(1));
        (found.len() <= at_most).then_some(found)
    }

    /// One primary as the cache has it, JSON text.
    pub fn cached(&self, namespace: &str, name: &str) -> Option<Arc<str>> {
        self.cache.get(0, &Key::new(namespace, name)).map(|stored| stored.text)
    }

    /// One primary as the API has it now, JSON text; `None` when it does not exist. Caches lag behind the API.
    ///
    /// # Errors
    /// When the API does not answer, or refuses.
    pub async fn read(&self, namespace: &str, name: &str) -> Result<Option<Arc<str>>, kube::Error> {
        let found = apply::api(&self.client, &self.kind, namespace).get_opt(name).await?;
        Ok(found.and_then(|object| object.store(&self.kind, &self.field_manager)).map(|stored| stored.text))
    }
}
