//! Reading and writing manifests.

use bytes::Bytes;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, Method};

use crate::access::Access;
use crate::client::Client;
use crate::digest::Digest;
use crate::error::Error;
use crate::manifest::{Manifest, media_type};
use crate::reference::ArtifactReference;
use crate::response;
use crate::retry::Backoff;

/// Largest manifest that is read: registries must accept 4 MiB (distribution-spec, "Pushing
/// Manifests").
const MAX_MANIFEST: usize = 4 << 20;
/// Types of manifests that can be read, or whose refusal can be explained.
const ACCEPTED: [&str; 5] = [
    media_type::MANIFEST,
    media_type::DOCKER_MANIFEST,
    media_type::ARTIFACT_MANIFEST,
    media_type::INDEX,
    media_type::DOCKER_LIST,
];

/// A manifest as the registry has it.
#[derive(Clone, Debug)]
pub struct FetchedManifest {
    /// Digest of its bytes, computed here.
    pub digest: Digest,
    /// Its bytes.
    pub bytes: Bytes,
    /// Its content.
    pub manifest: Manifest,
}

impl Client {
    /// Reads the manifest of an artifact. Where the reference has a digest, the manifest is
    /// compared with it.
    ///
    /// # Errors
    /// When there is none, it is not allowed, or patience ends.
    pub async fn manifest(&self, reference: &ArtifactReference) -> Result<FetchedManifest, Error> {
        let mut backoff = Backoff::new(self.policy().patience);
        loop {
            match self.get_manifest(&Access::pull(&reference.repository), reference).await {
                Ok(fetched) => return Ok(fetched),
                Err(error) => backoff.wait(error).await?,
            }
        }
    }

    async fn get_manifest(
        &self,
        access: &Access,
        reference: &ArtifactReference,
    ) -> Result<FetchedManifest, Error> {
        let what = reference.to_string();
        let mut headers = HeaderMap::new();
        for accepted in ACCEPTED {
            headers.append(ACCEPT, HeaderValue::from_static(accepted));
        }
        let path = format!("/v2/{}/manifests/{}", reference.repository, reference.selector());
        let url = self.endpoint().at(&path);
        let sent = self.request(access, &Method::GET, &url, &headers);
        let response = self.within_stall_limit(&url, sent).await?;
        let response = self.succeeded(&what, access, response).await?;
        let content_type = response::header(response.headers(), CONTENT_TYPE).unwrap_or_default().to_owned();
        let bytes = self.read_body(response, MAX_MANIFEST).await?;
        let digest = match reference.digest.as_deref() {
            None => Digest::of(&bytes),
            Some(wanted) => {
                Digest::parse(wanted).filter(|digest| digest.matches(&bytes)).ok_or_else(|| {
                    Error::protocol(&what, "the registry answered with another manifest than this")
                })?
            }
        };
        let manifest = Manifest::parse(&what, &content_type, &bytes)?;
        Ok(FetchedManifest { digest, bytes, manifest })
    }

    /// Writes a manifest by its digest, and then moves the tag to it: a cut in between leaves the
    /// tag where it was. A tag that must not be changed and has this digest already counts as
    /// written.
    ///
    /// # Errors
    /// When it is not allowed, or patience ends. [`Error::BlobsUnknown`] says that the blobs must
    /// be pushed again.
    pub async fn push_manifest(
        &self,
        reference: &ArtifactReference,
        manifest: &Manifest,
    ) -> Result<Digest, Error> {
        let bytes = serde_json::to_vec(manifest).map_err(|error| {
            Error::protocol(&reference.to_string(), format!("its manifest cannot be written: {error}"))
        })?;
        let digest = Digest::of(&bytes);
        let bytes = Bytes::from(bytes);
        for selector in [digest.as_str(), reference.tag()] {
            let mut backoff = Backoff::new(self.policy().patience);
            while let Err(error) = self.put_manifest(reference, selector, bytes.clone()).await {
                let is_refused = matches!(error, Error::Refused { .. } | Error::Denied { .. });
                if is_refused && self.has_manifest(reference, selector, &digest).await {
                    break;
                }
                backoff.wait(error).await?;
            }
        }
        Ok(digest)
    }

    async fn put_manifest(
        &self,
        reference: &ArtifactReference,
        selector: &str,
        bytes: Bytes,
    ) -> Result<(), Error> {
        let url = self.endpoint().at(&format!("/v2/{}/manifests/{selector}", reference.repository));
        let access = Access::push(&reference.repository);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type::MANIFEST));
        let sent = self.request_with(&access, &Method::PUT, &url, &headers, &bytes);
        let response = self.within_stall_limit(&url, sent).await?;
        let what = format!("writing {}:{selector}", reference.repository);
        self.succeeded(&what, &access, response).await.map(drop)
    }

    /// Whether a tag or digest of the repository has this manifest. Any failure means no.
    async fn has_manifest(&self, reference: &ArtifactReference, selector: &str, digest: &Digest) -> bool {
        let mut existing = ArtifactReference { digest: None, ..reference.clone() };
        match Digest::parse(selector) {
            Some(digest) => existing.digest = Some(digest.to_string()),
            None => existing.tag = Some(selector.to_owned()),
        }
        let access = Access::push(&reference.repository);
        self.get_manifest(&access, &existing).await.is_ok_and(|fetched| fetched.digest == *digest)
    }
}
