//! Manifests: read, written, and tags moved.

use bytes::Bytes;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, Method, Response, body::Incoming};

use crate::auth::Access;
use crate::client::Client;
use crate::digest::Digest;
use crate::error::Error;
use crate::manifest::{Manifest, media_type};
use crate::reference::Reference;
use crate::retry::Backoff;

/// Largest manifest that is read: registries must accept 4 MiB (distribution-spec, "Pushing Manifests").
const MAX_MANIFEST: usize = 4 << 20;

/// A manifest as the registry has it.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// Digest of its bytes, computed here.
    pub digest: Digest,
    /// Its bytes.
    pub bytes: Bytes,
    /// What they say.
    pub manifest: Manifest,
}

impl Client {
    /// Reads the manifest of an artifact. By a digest, it is checked against it.
    ///
    /// # Errors
    /// When there is none, it is not allowed, or patience ends.
    pub async fn manifest(&self, reference: &Reference) -> Result<Fetched, Error> {
        let mut backoff = Backoff::new(self.policy().patience);
        loop {
            match self.manifest_once(reference).await {
                Ok(fetched) => return Ok(fetched),
                Err(error) => backoff.wait(error).await?,
            }
        }
    }

    async fn manifest_once(&self, reference: &Reference) -> Result<Fetched, Error> {
        let what = reference.to_string();
        let response = self.ask_for_manifest(&Method::GET, reference, reference.selector()).await?;
        let response = self.succeeded(&what, &Access::pull(&reference.repository), response).await?;
        let header = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = header.unwrap_or_default().to_owned();
        let bytes = self.bounded(response, MAX_MANIFEST).await?;
        let digest = match reference.digest.as_deref() {
            None => Digest::of(&bytes),
            Some(wanted) => {
                Digest::parse(wanted).filter(|digest| digest.matches(&bytes)).ok_or_else(|| {
                    Error::protocol(&what, "the registry answered with another manifest than this")
                })?
            }
        };
        let manifest = Manifest::parse(&what, &content_type, &bytes)?;
        Ok(Fetched { digest, bytes, manifest })
    }

    async fn ask_for_manifest(
        &self,
        method: &Method,
        reference: &Reference,
        selector: &str,
    ) -> Result<Response<Incoming>, Error> {
        let mut headers = HeaderMap::new();
        for accepted in
            [media_type::MANIFEST, media_type::DOCKER_MANIFEST, media_type::INDEX, media_type::DOCKER_LIST]
        {
            headers.append(ACCEPT, HeaderValue::from_static(accepted));
        }
        let url = self.endpoint().at(&format!("/v2/{}/manifests/{selector}", reference.repository));
        self.answer_in_time(self.ask(&Access::pull(&reference.repository), method, &url, &headers)).await
    }

    /// Writes a manifest by its digest, and then moves the tag to it: a cut in between leaves the tag where it was.
    ///
    /// # Errors
    /// When it is not allowed, or patience ends.
    pub async fn push_manifest(&self, reference: &Reference, manifest: &Manifest) -> Result<Digest, Error> {
        let bytes = serde_json::to_vec(manifest)
            .map_err(|error| Error::protocol(&reference.to_string(), format!("its manifest: {error}")))?;
        let digest = Digest::of(&bytes);
        let bytes = Bytes::from(bytes);
        for selector in [digest.as_str(), reference.tag()] {
            let mut backoff = Backoff::new(self.policy().patience);
            while let Err(error) = self.put_manifest(reference, selector, bytes.clone()).await {
                backoff.wait(error).await?;
            }
        }
        Ok(digest)
    }

    async fn put_manifest(&self, reference: &Reference, selector: &str, bytes: Bytes) -> Result<(), Error> {
        let url = self.endpoint().at(&format!("/v2/{}/manifests/{selector}", reference.repository));
        let access = Access::push(&reference.repository);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type::MANIFEST));
        let sent = self.authorized(&access, &Method::PUT, &url, &headers, &bytes);
        let response = self.answer_in_time(sent).await?;
        let what = format!("writing {}:{selector}", reference.repository);
        self.succeeded(&what, &access, response).await.map(drop)
    }
}
