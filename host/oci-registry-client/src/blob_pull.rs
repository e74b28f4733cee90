//! Pulling blobs.

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::header::{CONTENT_RANGE, HeaderValue, RANGE};
use hyper::{HeaderMap, Method, Response, StatusCode, body::Incoming};

use crate::access::Access;
use crate::client::Client;
use crate::error::Error;
use crate::manifest::Descriptor;
use crate::response;
use crate::retry::Backoff;
use crate::streams::Sender;

impl Client {
    /// Streams a blob into a channel. After a cut, the transfer continues where it ended. The
    /// receiver compares the content with the digest.
    ///
    /// # Errors
    /// When there is no such blob, it is not allowed, the receiver went away, or patience ends.
    pub async fn pull_blob(&self, repository: &str, blob: &Descriptor, to: &Sender) -> Result<(), Error> {
        self.pull_blob_from(repository, blob, 0, to).await
    }

    /// As [`Client::pull_blob`], from an offset in bytes.
    ///
    /// # Errors
    /// As [`Client::pull_blob`].
    pub async fn pull_blob_from(
        &self,
        repository: &str,
        blob: &Descriptor,
        mut offset: u64,
        to: &Sender,
    ) -> Result<(), Error> {
        blob.checked_digest()?;
        let mut backoff = Backoff::new(self.policy());
        loop {
            let before = offset;
            let result = self.pull_from(repository, blob, &mut offset, to).await;
            if offset > before {
                backoff.progress();
            }
            match result {
                Ok(()) => return to.end().await,
                Err(error) => backoff.wait(error).await?,
            }
        }
    }

    /// Reads a small blob into memory, and compares it with its digest. `limit` is the largest size
    /// that is accepted, in bytes.
    ///
    /// # Errors
    /// When there is no such blob, it is not allowed, larger than `limit` or damaged, or patience
    /// ends.
    pub async fn read_blob(&self, repository: &str, blob: &Descriptor, limit: usize) -> Result<Bytes, Error> {
        let digest = blob.checked_digest()?;
        let what = format!("blob {digest} of {repository}");
        if usize::try_from(blob.size).map_or(true, |size| size > limit) {
            let why = format!("it has {} bytes, and at most {limit} are read", blob.size);
            return Err(Error::protocol(&what, why));
        }
        let access = Access::pull(repository);
        let url = self.endpoint().at(&format!("/v2/{repository}/blobs/{digest}"));
        let read = || async {
            let none = HeaderMap::new();
            let sent = self.request(&access, &Method::GET, &url, &none);
            let response = self.within_stall_limit(&url, sent).await?;
            let response = self.succeeded(&what, &access, response).await?;
            self.read_body(response, limit).await
        };
        let bytes = self.patiently(read).await?;
        if !digest.matches(&bytes) {
            return Err(Error::protocol(&what, "its content is damaged: it has another digest"));
        }
        Ok(bytes)
    }

    /// Streams a blob from an offset, which is moved as bytes arrive.
    async fn pull_from(
        &self,
        repository: &str,
        blob: &Descriptor,
        offset: &mut u64,
        to: &Sender,
    ) -> Result<(), Error> {
        if *offset == blob.size && *offset > 0 {
            return Ok(());
        }
        let what = format!("blob {} of {repository}", blob.digest);
        let access = Access::pull(repository);
        let url = self.endpoint().at(&format!("/v2/{repository}/blobs/{}", blob.digest));
        let mut headers = HeaderMap::new();
        if *offset > 0
            && let Ok(range) = HeaderValue::from_str(&format!("bytes={offset}-"))
        {
            headers.insert(RANGE, range);
        }
        let sent = self.request(&access, &Method::GET, &url, &headers);
        let response = self.within_stall_limit(&url, sent).await?;
        let response = self.succeeded(&what, &access, response).await?;
        // A registry that does not know ranges sends the beginning again, which is skipped.
        let mut skip = match response.status() {
            StatusCode::PARTIAL_CONTENT => {
                let start = range_start(&response).and_then(|start| offset.checked_sub(start));
                start.ok_or_else(|| {
                    Error::protocol(&what, "the registry answered with another range than asked for")
                })?
            }
            _ => *offset,
        };
        let mut body = response.into_body();
        loop {
            let frame = match tokio::time::timeout(self.policy().stall, body.frame()).await {
                Err(_) => return Err(self.stalled(&url)),
                Ok(None) => break,
                Ok(Some(frame)) => frame.map_err(|error| self.unreachable(&url, &error))?,
            };
            let Ok(mut bytes) = frame.into_data() else { continue };
            let skipped = usize::try_from(skip).unwrap_or(usize::MAX).min(bytes.len());
            skip -= skipped as u64;
            let bytes = bytes.split_off(skipped);
            if !bytes.is_empty() {
                *offset += bytes.len() as u64;
                if *offset > blob.size {
                    let why = format!("it is longer than the {} bytes of its descriptor", blob.size);
                    return Err(Error::protocol(&what, why));
                }
                to.send(bytes).await?;
            }
        }
        if *offset < blob.size {
            let why = format!("the answer ended after {offset} of {} bytes", blob.size);
            return Err(Error::Unreachable { endpoint: self.endpoint().to_string(), why });
        }
        Ok(())
    }
}

/// The first byte of a partial answer, as in `bytes 5-9/10` (RFC 9110, 14.4).
fn range_start(response: &Response<Incoming>) -> Option<u64> {
    let range = response::header(response.headers(), CONTENT_RANGE)?;
    range.trim().strip_prefix("bytes")?.trim_start().split('-').next()?.parse().ok()
}
