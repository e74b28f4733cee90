//! Deleting manifests and tags (distribution-spec 1.1, "Content Management").

use hyper::{HeaderMap, Method, StatusCode};

use crate::access::Access;
use crate::client::Client;
use crate::digest::Digest;
use crate::error::Error;

/// What became of something that was to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// The registry deleted it.
    Done,
    /// It was not there.
    Missing,
    /// The registry does not delete such things.
    Unsupported,
}

impl Client {
    /// Deletes a manifest by its digest. Registries take all tags of the manifest away with it.
    ///
    /// # Errors
    /// When it is not allowed, or patience ends.
    pub async fn delete_manifest(&self, repository: &str, digest: &Digest) -> Result<Deleted, Error> {
        self.delete(repository, digest.as_str(), &format!("deleting {repository}@{digest}")).await
    }

    /// Deletes a tag, and leaves its manifest. Many registries cannot.
    ///
    /// # Errors
    /// As [`Client::delete_manifest`].
    pub async fn delete_tag(&self, repository: &str, tag: &str) -> Result<Deleted, Error> {
        self.delete(repository, tag, &format!("deleting {repository}:{tag}")).await
    }

    async fn delete(&self, repository: &str, selector: &str, what: &str) -> Result<Deleted, Error> {
        let access = Access::delete(repository);
        let url = self.endpoint().at(&format!("/v2/{repository}/manifests/{selector}"));
        let none = HeaderMap::new();
        self.patiently(async || {
            let sent = self.request(&access, &Method::DELETE, &url, &none);
            let response = self.within_stall_limit(&url, sent).await?;
            match self.succeeded(what, &access, response).await {
                Ok(_) => Ok(Deleted::Done),
                Err(Error::NotFound { .. }) => Ok(Deleted::Missing),
                Err(Error::Refused { status, .. }) if is_unsupported(status) => Ok(Deleted::Unsupported),
                Err(error) => Err(error),
            }
        })
        .await
    }
}

/// Distribution answers 405 where deletion is off, and 400 where a tag stands in place of a digest.
fn is_unsupported(status: StatusCode) -> bool {
    matches!(status, StatusCode::METHOD_NOT_ALLOWED | StatusCode::BAD_REQUEST | StatusCode::NOT_IMPLEMENTED)
}
