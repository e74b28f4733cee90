//! Pulling blobs.

use http_body_util::BodyExt;
use hyper::header::{CONTENT_RANGE, HeaderValue, RANGE};
use hyper::{HeaderMap, Method, Response, StatusCode, body::Incoming};

use crate::auth::Access;
use crate::client::Client;
use crate::error::Error;
use crate::manifest::Descriptor;
use crate::reader::Sender;
use crate::retry::Backoff;

impl Client {
    /// Streams a blob into a channel. What was cut goes on where it ended. The receiver checks the digest.
    ///
    /// # Errors
    /// When there is no such blob, it is not allowed, the receiver went away, or patience ends.
    pub async fn pull_blob(&self, repository: &str, blob: &Descriptor, to: &Sender) -> Result<(), Error> {
        blob.checked_digest()?;
        let mut backoff = Backoff::new(self.policy().patience);
        let mut offset = 0;
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
        let response = self.answer_in_time(self.ask(&access, &Method::GET, &url, &headers)).await?;
        let response = self.succeeded(&what, &access, response).await?;
        let mut skip = match response.status() {
            StatusCode::PARTIAL_CONTENT => match range_start(&response) {
                Some(start) if start <= *offset => *offset - start,
                _ => {
                    return Err(Error::protocol(
                        &what,
                        "the registry answered with another range than asked for",
                    ));
                }
            },
            _ => *offset,
        };
        let mut body = response.into_body();
        loop {
            let frame = match tokio::time::timeout(self.policy().stall, body.frame()).await {
                Err(_) => return Err(self.stalled()),
                Ok(None) => break,
                Ok(Some(frame)) => frame.map_err(|error| self.unreachable(&error))?,
            };
            let Ok(mut bytes) = frame.into_data() else { continue };
            let skipped = usize::try_from(skip).unwrap_or(usize::MAX).min(bytes.len());
            skip -= skipped as u64;
            let bytes = bytes.split_off(skipped);
            if !bytes.is_empty() {
                *offset += bytes.len() as u64;
                if *offset > blob.size {
                    return Err(Error::protocol(
                        &what,
                        format!("it is longer than the {} bytes of its descriptor", blob.size),
                    ));
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

/// First byte of a partial answer: `bytes 5-9/10` (RFC 9110, 14.4).
fn range_start(response: &Response<Incoming>) -> Option<u64> {
    let range = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    range.trim().strip_prefix("bytes")?.trim_start().split('-').next()?.parse().ok()
}
