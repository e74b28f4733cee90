//! Reading and writing manifests.

use std::collections::BTreeMap;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Response, StatusCode};

use crate::access::Access;
use crate::client::Client;
use crate::digest::Digest;
use crate::error::Error;
use crate::manifest::{Descriptor, Manifest, media_type};
use crate::reference::ArtifactReference;
use crate::response;
use crate::retry::Backoff;

/// Largest manifest that is read: registries must accept 4 MiB (distribution-spec, "Pushing
/// Manifests").
pub(crate) const MAX_MANIFEST: usize = 4 << 20;
/// Types of manifests that can be read, or whose refusal can be explained.
const ACCEPTED: [&str; 5] = [
    media_type::MANIFEST,
    media_type::DOCKER_MANIFEST,
    media_type::ARTIFACT_MANIFEST,
    media_type::INDEX,
    media_type::DOCKER_LIST,
];

/// Digest of the content of an answer (distribution-spec, "Pulling manifests").
const DOCKER_CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

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

/// The bytes of a manifest that is written, and their digest.
///
/// ```
/// use oci_registry_client::{Digest, EncodedManifest, Manifest, media_type};
///
/// let manifest = Manifest::of_layers(media_type::UNKNOWN_ARTIFACT, Vec::new(), Default::default());
/// let encoded = EncodedManifest::of(&manifest).unwrap();
/// assert_eq!(encoded.digest(), &Digest::of(&serde_json::to_vec(&manifest).unwrap()));
/// ```
#[derive(Clone, Debug)]
pub struct EncodedManifest {
    bytes: Bytes,
    digest: Digest,
    media_type: String,
}

impl EncodedManifest {
    /// Encodes a manifest.
    ///
    /// # Errors
    /// [`Error::Protocol`], which no manifest that is made here leads to.
    pub fn of(manifest: &Manifest) -> Result<Self, Error> {
        let bytes = serde_json::to_vec(manifest)
            .map_err(|error| Error::protocol("the manifest", format!("it cannot be written: {error}")))?;
        let media_type = manifest.media_type.clone().unwrap_or_else(|| media_type::MANIFEST.to_owned());
        Ok(EncodedManifest { digest: Digest::of(&bytes), bytes: Bytes::from(bytes), media_type })
    }

    /// A manifest whose bytes are known already.
    pub fn of_bytes(bytes: impl Into<Bytes>, media_type: &str) -> Self {
        let bytes = bytes.into();
        EncodedManifest { digest: Digest::of(&bytes), bytes, media_type: media_type.to_owned() }
    }

    /// Digest of the bytes.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The media type.
    pub fn media_type(&self) -> &str {
        &self.media_type
    }

    /// A descriptor of the manifest, by which another one can refer to it.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor {
            media_type: self.media_type.clone(),
            digest: self.digest.to_string(),
            size: self.bytes.len() as u64,
            annotations: BTreeMap::new(),
        }
    }
}

impl From<FetchedManifest> for EncodedManifest {
    fn from(fetched: FetchedManifest) -> Self {
        let media_type = fetched.manifest.media_type.unwrap_or_else(|| media_type::MANIFEST.to_owned());
        EncodedManifest { bytes: fetched.bytes, digest: fetched.digest, media_type }
    }
}

/// The media type that a manifest says of itself.
fn named_media_type(bytes: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Named {
        media_type: Option<String>,
    }
    serde_json::from_slice::<Named>(bytes).ok()?.media_type
}

/// A manifest, or a list of manifests, before it is read.
pub(crate) struct RawManifest {
    pub(crate) digest: Digest,
    pub(crate) bytes: Bytes,
    pub(crate) content_type: String,
}

impl Client {
    /// Reads the manifest of an artifact. Where the reference has a digest, the manifest is
    /// compared with it.
    ///
    /// # Errors
    /// When there is none, it is not allowed, or patience ends.
    pub async fn manifest(&self, reference: &ArtifactReference) -> Result<FetchedManifest, Error> {
        let access = Access::pull(&reference.repository);
        self.patiently(|| self.get_manifest(&access, reference)).await
    }

    /// Reads a manifest or an index as it is, so that it can be written elsewhere with the same
    /// digest.
    ///
    /// # Errors
    /// As [`Client::manifest`].
    pub async fn encoded_manifest(&self, reference: &ArtifactReference) -> Result<EncodedManifest, Error> {
        let access = Access::pull(&reference.repository);
        let raw = self.patiently(async || self.get_raw(&access, reference).await).await?;
        let named = named_media_type(&raw.bytes);
        let media_type =
            named.or_else(|| raw.content_type.split(';').next().map(|text| text.trim().to_owned()));
        let media_type = media_type.filter(|text| !text.is_empty());
        let media_type = media_type.unwrap_or_else(|| media_type::MANIFEST.to_owned());
        Ok(EncodedManifest { bytes: raw.bytes, digest: raw.digest, media_type })
    }

    /// The digest of the manifest that a repository has under a tag or digest, with the credentials
    /// for writing. None where it has none.
    ///
    /// # Errors
    /// When it is not allowed, or patience ends.
    pub async fn held_manifest(&self, reference: &ArtifactReference) -> Result<Option<Digest>, Error> {
        let access = Access::push(&reference.repository);
        match self.patiently(async || self.head_manifest(&access, reference).await).await {
            Ok(digest) => Ok(Some(digest)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The digest of the manifest that a reference selects now. Only the head of the manifest is
    /// requested, which registries do not count as a pull.
    ///
    /// # Errors
    /// As [`Client::manifest`].
    pub async fn manifest_digest(&self, reference: &ArtifactReference) -> Result<Digest, Error> {
        self.patiently(|| self.find_manifest(reference)).await
    }

    /// As [`Client::manifest_digest`], by one attempt: nothing is repeated, so that the caller
    /// decides what to wait for.
    ///
    /// # Errors
    /// When there is no such manifest, it is not allowed, or the registry does not answer.
    pub async fn find_manifest(&self, reference: &ArtifactReference) -> Result<Digest, Error> {
        self.head_manifest(&Access::pull(&reference.repository), reference).await
    }

    async fn head_manifest(&self, access: &Access, reference: &ArtifactReference) -> Result<Digest, Error> {
        let response = self.request_manifest(access, &Method::HEAD, reference).await?;
        let status = response.status();
        if matches!(status, StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED) {
            return self.get_raw(access, reference).await.map(|raw| raw.digest);
        }
        let response = self.succeeded(&reference.to_string(), access, response).await?;
        let known = reference.digest.as_deref();
        let named = known.or_else(|| response::header(response.headers(), DOCKER_CONTENT_DIGEST));
        match named.and_then(Digest::parse) {
            Some(digest) => Ok(digest),
            None => self.get_raw(access, reference).await.map(|raw| raw.digest),
        }
    }

    async fn get_manifest(
        &self,
        access: &Access,
        reference: &ArtifactReference,
    ) -> Result<FetchedManifest, Error> {
        let RawManifest { digest, bytes, content_type } = self.get_raw(access, reference).await?;
        let manifest = Manifest::parse(&reference.to_string(), &content_type, &bytes)?;
        Ok(FetchedManifest { digest, bytes, manifest })
    }

    /// Reads a manifest or a list of manifests, by one attempt.
    pub(crate) async fn get_raw(
        &self,
        access: &Access,
        reference: &ArtifactReference,
    ) -> Result<RawManifest, Error> {
        let what = reference.to_string();
        let response = self.request_manifest(access, &Method::GET, reference).await?;
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
        Ok(RawManifest { digest, bytes, content_type })
    }

    async fn request_manifest(
        &self,
        access: &Access,
        method: &Method,
        reference: &ArtifactReference,
    ) -> Result<Response<Incoming>, Error> {
        let mut headers = HeaderMap::new();
        for accepted in ACCEPTED {
            headers.append(ACCEPT, HeaderValue::from_static(accepted));
        }
        let path = format!("/v2/{}/manifests/{}", reference.repository, reference.selector());
        let url = self.endpoint().at(&path);
        self.within_stall_limit(&url, self.request(access, method, &url, &headers)).await
    }

    /// Writes a manifest by its digest, and then moves the tag to it: a cut in between leaves the
    /// tag where it was.
    ///
    /// # Errors
    /// As [`Client::put_manifest`] and [`Client::tag_manifest`].
    pub async fn push_manifest(
        &self,
        reference: &ArtifactReference,
        manifest: &Manifest,
    ) -> Result<Digest, Error> {
        let encoded = EncodedManifest::of(manifest)?;
        self.put_manifest(&reference.repository, &encoded).await?;
        self.tag_manifest(reference, &encoded).await?;
        Ok(encoded.digest)
    }

    /// Writes a manifest by its digest. No tag is moved.
    ///
    /// # Errors
    /// When it is not allowed, or patience ends. [`Error::BlobsUnknown`] says that the blobs must
    /// be pushed again.
    pub async fn put_manifest(&self, repository: &str, manifest: &EncodedManifest) -> Result<(), Error> {
        self.put_under(repository, manifest.digest.as_str(), manifest).await
    }

    /// Moves the tag of a reference to a manifest. A tag that must not be changed and has this
    /// manifest already counts as moved.
    ///
    /// # Errors
    /// As [`Client::put_manifest`].
    pub async fn tag_manifest(
        &self,
        reference: &ArtifactReference,
        manifest: &EncodedManifest,
    ) -> Result<(), Error> {
        self.put_under(&reference.repository, reference.tag(), manifest).await
    }

    async fn put_under(
        &self,
        repository: &str,
        selector: &str,
        manifest: &EncodedManifest,
    ) -> Result<(), Error> {
        let mut backoff = Backoff::new(self.policy());
        while let Err(error) = self.put_once(repository, selector, manifest).await {
            let is_refused = matches!(error, Error::Refused { .. } | Error::Denied { .. });
            if is_refused && self.has_manifest(repository, selector, &manifest.digest).await {
                break;
            }
            backoff.wait(error).await?;
        }
        Ok(())
    }

    async fn put_once(
        &self,
        repository: &str,
        selector: &str,
        manifest: &EncodedManifest,
    ) -> Result<(), Error> {
        let what = format!("writing {repository}:{selector}");
        let url = self.endpoint().at(&format!("/v2/{repository}/manifests/{selector}"));
        let access = Access::push(repository);
        let mut headers = HeaderMap::new();
        let media_type = HeaderValue::from_str(&manifest.media_type)
            .map_err(|_| Error::protocol(&what, "the media type of its manifest fits into no header"))?;
        headers.insert(CONTENT_TYPE, media_type);
        let sent = self.request_with(&access, &Method::PUT, &url, &headers, &manifest.bytes);
        let response = self.within_stall_limit(&url, sent).await?;
        self.succeeded(&what, &access, response).await.map(drop)
    }

    /// Whether a tag or digest of the repository has this manifest. Any failure means no.
    async fn has_manifest(&self, repository: &str, selector: &str, digest: &Digest) -> bool {
        let (tag, named) = match Digest::parse(selector) {
            Some(digest) => (None, Some(digest.to_string())),
            None => (Some(selector.to_owned()), None),
        };
        let existing = ArtifactReference { repository: repository.to_owned(), tag, digest: named };
        let access = Access::push(repository);
        self.get_manifest(&access, &existing).await.is_ok_and(|fetched| fetched.digest == *digest)
    }

    /// Repeats a request as long as its failure may pass and patience lasts.
    pub(crate) async fn patiently<T, F>(&self, mut request: impl FnMut() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let mut backoff = Backoff::new(self.policy());
        loop {
            match request().await {
                Ok(done) => return Ok(done),
                Err(error) => backoff.wait(error).await?,
            }
        }
    }
}
