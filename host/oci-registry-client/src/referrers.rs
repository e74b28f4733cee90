//! Manifests that refer to another one, its subject (distribution-spec 1.1, "Listing Referrers").

use std::collections::{BTreeMap, BTreeSet};

use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, Method};
use serde::Deserialize;
use url::Url;

use crate::access::Access;
use crate::client::Client;
use crate::digest::Digest;
use crate::error::Error;
use crate::manifest::{annotations, media_type, null_as_default};
use crate::manifest_transfer::MAX_MANIFEST;
use crate::response;

/// Most pages of one list that are read.
const MAX_PAGES: usize = 20;

/// A manifest that refers to another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referrer {
    /// Digest of the manifest.
    pub digest: Digest,
    /// What kind of artifact it is.
    pub artifact_type: String,
    /// Annotations of the manifest, as the registry lists them.
    pub annotations: BTreeMap<String, String>,
}

impl Referrer {
    /// Whether a type of artifact is wanted: any, where none is named.
    fn is_of(&self, artifact_type: Option<&str>) -> bool {
        artifact_type.is_none_or(|wanted| self.artifact_type == wanted)
    }
}

/// A page of the list. Registries write more members than these.
#[derive(Deserialize)]
struct Page {
    #[serde(deserialize_with = "null_as_default")]
    manifests: Vec<Listed>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    digest: String,
    #[serde(default, deserialize_with = "null_as_default")]
    artifact_type: String,
    #[serde(default, deserialize_with = "annotations")]
    annotations: BTreeMap<String, String>,
}

impl Client {
    /// The manifests that refer to the manifest `subject`, of this artifact type or of all, in the
    /// order of the registry; of a long list its first twenty pages. None where the registry does
    /// not know referrers. The tags that replace them there (distribution-spec, "Referrers Tag
    /// Schema") are not looked for.
    ///
    /// # Errors
    /// When it is not allowed, or patience ends.
    pub async fn referrers(
        &self,
        repository: &str,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Option<Vec<Referrer>>, Error> {
        let mut url = self.endpoint().at(&format!("/v2/{repository}/referrers/{subject}"));
        if let Some(wanted) = artifact_type {
            url.query_pairs_mut().append_pair("artifactType", wanted);
        }
        let (mut all, mut seen) = (Vec::new(), BTreeSet::new());
        for _ in 0..MAX_PAGES {
            let Some((page, next)) = self.patiently(|| self.referrers_at(repository, &url)).await? else {
                return Ok(None);
            };
            // A registry need not apply the filter, and some list a manifest as often as it was
            // pushed.
            all.extend(
                page.into_iter()
                    .filter(|referrer| referrer.is_of(artifact_type) && seen.insert(referrer.digest.clone())),
            );
            let Some(next) = next else { break };
            url = next;
        }
        Ok(Some(all))
    }

    /// One page of a list, and the address of the next page. None where this is no list.
    async fn referrers_at(
        &self,
        repository: &str,
        url: &Url,
    ) -> Result<Option<(Vec<Referrer>, Option<Url>)>, Error> {
        let access = Access::pull(repository);
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(media_type::INDEX));
        let sent = self.request(&access, &Method::GET, url, &headers);
        let response = self.within_stall_limit(url, sent).await?;
        let response =
            match self.succeeded(&format!("the referrers in {repository}"), &access, response).await {
                Ok(response) => response,
                Err(Error::NotFound { .. } | Error::Refused { .. }) => return Ok(None),
                Err(error) => return Err(error),
            };
        let content_type = response::header(response.headers(), CONTENT_TYPE).unwrap_or_default();
        // Some servers answer any address with a page for people.
        if content_type.split(';').next().map(str::trim) != Some(media_type::INDEX) {
            return Ok(None);
        }
        let next = self.next_page(&response, url);
        let body = self.read_body(response, MAX_MANIFEST).await?;
        let Ok(Page { manifests }) = serde_json::from_slice(&body) else { return Ok(None) };
        let referrers = manifests.into_iter().filter_map(|Listed { digest, artifact_type, annotations }| {
            Some(Referrer { digest: Digest::parse(&digest)?, artifact_type, annotations })
        });
        Ok(Some((referrers.collect(), next)))
    }
}
