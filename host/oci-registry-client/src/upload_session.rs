//! One session of an upload: begun, continued and ended (distribution-spec, "Pushing a blob in
//! chunks").

use std::io::{self, Read};

use http_body_util::BodyExt;
use hyper::header::{CONTENT_RANGE, CONTENT_TYPE, HeaderValue, LOCATION, RANGE};
use hyper::{HeaderMap, Method, Response, StatusCode, body::Incoming};
use url::Url;

use crate::access::Access;
use crate::client::Client;
use crate::digest::Digest;
use crate::error::Error;
use crate::response;
use crate::streams::{BodyProgress, ReaderBody};
use crate::transport::{Body, empty};

/// Content to be pushed.
pub struct Blob<'a> {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Opens it at an offset in bytes, as often as needed.
    pub open: &'a (dyn Fn(u64) -> io::Result<Box<dyn Read + Send>> + Sync),
}

/// The state of an upload.
pub(crate) struct UploadSession {
    location: Url,
    /// How many bytes the registry has.
    pub(crate) offset: u64,
    /// The largest offset up to which bytes were sent.
    sent: u64,
    /// Whether the offset is known. After a cut, the registry is asked for it.
    pub(crate) is_sure: bool,
    /// Whether the offset was taken from an answer of the registry.
    pub(crate) is_resumed: bool,
}

const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");
/// Smallest body that is tried where larger ones are refused, in bytes.
const MIN_CHUNK: u64 = 64 * 1024;

impl Client {
    /// Opens a session. None where the blob could be mounted from another repository, `source`.
    pub(crate) async fn begin_upload(
        &self,
        access: &Access,
        digest: &Digest,
        source: Option<&str>,
    ) -> Result<Option<UploadSession>, Error> {
        let what = format!("uploading to {}", access.repository);
        let path = format!("/v2/{}/blobs/uploads/", access.repository);
        let (url, access) = match source {
            None => (self.endpoint().at(&path), access.clone()),
            Some(source) => {
                let url = self.endpoint().at(&format!("{path}?mount={digest}&from={source}"));
                (url, Access { from: Some(source.to_owned()), ..access.clone() })
            }
        };
        let none = HeaderMap::new();
        let sent = self.request(&access, &Method::POST, &url, &none);
        let response = self.within_stall_limit(&url, sent).await?;
        if source.is_some() {
            match response.status() {
                StatusCode::CREATED => return Ok(None),
                StatusCode::ACCEPTED => {}
                // Mounting only saves time. Where it fails for any reason, the content is sent.
                _ => {
                    let access = Access { from: None, ..access };
                    return Box::pin(self.begin_upload(&access, digest, None)).await;
                }
            }
        }
        let response = self.succeeded(&what, &access, response).await?;
        let location = self.upload_location(&what, &response, &url)?;
        Ok(Some(UploadSession { location, offset: 0, sent: 0, is_sure: true, is_resumed: false }))
    }

    /// Sends the content from the offset of the session to the end, in one request or in as many as
    /// the registry's limit for bodies needs.
    pub(crate) async fn send_content(
        &self,
        access: &Access,
        blob: &Blob<'_>,
        session: &mut UploadSession,
    ) -> Result<(), Error> {
        let what = format!("uploading {} to {}", blob.digest, access.repository);
        while session.offset < blob.size {
            let length = (blob.size - session.offset).min(self.body_limit());
            let end = session.offset + length;
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, OCTETS);
            let is_whole = length == blob.size;
            if !is_whole && let Ok(range) = format!("{}-{}", session.offset, end - 1).parse() {
                headers.insert(CONTENT_RANGE, range);
            }
            session.sent = session.sent.max(end);
            let url = session.location.clone();
            let sent = self.stream(access, &Method::PATCH, &url, headers, blob, session.offset..end);
            let response = self.accepted(&what, access, sent.await?, length).await?;
            // The registry has accepted what was sent, whatever its Range says: some count wrong.
            session.offset = end;
            session.location = self.upload_location(&what, &response, &url)?;
        }
        Ok(())
    }

    /// Ends a session, with the rest of the content.
    pub(crate) async fn end_upload(
        &self,
        access: &Access,
        blob: &Blob<'_>,
        session: &UploadSession,
    ) -> Result<(), Error> {
        let what = format!("uploading {} to {}", blob.digest, access.repository);
        let mut url = session.location.clone();
        url.query_pairs_mut().append_pair("digest", blob.digest.as_str());
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, OCTETS);
        let sent = self.stream(access, &Method::PUT, &url, headers, blob, session.offset..blob.size);
        self.accepted(&what, access, sent.await?, blob.size - session.offset).await.map(drop)
    }

    /// Asks how many bytes of the session the registry has.
    pub(crate) async fn resume_upload(
        &self,
        access: &Access,
        session: &mut UploadSession,
    ) -> Result<(), Error> {
        let none = HeaderMap::new();
        let url = session.location.clone();
        let asked = self.request(access, &Method::GET, &url, &none);
        let response = self.within_stall_limit(&url, asked).await?;
        let what = format!("the upload to {}", access.repository);
        // Another session may succeed where this one is refused for any reason.
        let lost = |detail| Error::NotFound { what: what.clone(), detail };
        let response = match self.succeeded(&what, access, response).await {
            Err(Error::Refused { detail, .. }) => return Err(lost(detail)),
            other => other?,
        };
        let offset = range_end(&response).filter(|offset| *offset <= session.sent);
        session.offset = offset.ok_or_else(|| lost(" (it counts wrong)".to_owned()))?;
        if response.headers().contains_key(LOCATION) {
            session.location = self.upload_location(&what, &response, &url)?;
        }
        session.is_sure = true;
        session.is_resumed = true;
        Ok(())
    }

    /// Sends a part of the content, as long as bytes are transferred.
    async fn stream(
        &self,
        access: &Access,
        method: &Method,
        url: &Url,
        headers: HeaderMap,
        blob: &Blob<'_>,
        part: std::ops::Range<u64>,
    ) -> Result<Response<Incoming>, Error> {
        let length = part.end.saturating_sub(part.start);
        let progress = BodyProgress::default();
        let body: Body = if length == 0 {
            empty()
        } else {
            let reader = (blob.open)(part.start).map_err(Error::Source)?;
            // The blob ends where its size says; a longer source is an error, which a part must not
            // hide.
            let reader: Box<dyn Read + Send> =
                if part.end == blob.size { reader } else { Box::new(reader.take(length)) };
            ReaderBody::start(reader, length, progress.clone()).boxed_unsync()
        };
        let sent = self.send_once(access, method, url, headers, body);
        tokio::pin!(sent);
        let mut before = 0;
        let answer = loop {
            match tokio::time::timeout(self.policy().stall, &mut sent).await {
                Ok(answer) => break answer,
                Err(_) if progress.sent() == before => return Err(self.stalled(url)),
                Err(_) => before = progress.sent(),
            }
        };
        // Where the source fails, the connection fails as a consequence.
        if let Some(failure) = progress.failure() {
            return Err(Error::Source(failure));
        }
        let (response, is_worth_another) = answer?;
        if is_worth_another {
            let status = response.status();
            let what = format!("uploading to {}", access.repository);
            let detail = " and wants another token".to_owned();
            return Err(Error::Busy { what, status, detail, after: None });
        }
        Ok(response)
    }

    /// The answer to a body of `length` bytes. One that is too large for the registry, or for a
    /// proxy in front of it, is remembered, so that smaller ones are sent from then on.
    async fn accepted(
        &self,
        what: &str,
        access: &Access,
        response: Response<Incoming>,
        length: u64,
    ) -> Result<Response<Incoming>, Error> {
        if response.status() == StatusCode::PAYLOAD_TOO_LARGE && length > MIN_CHUNK {
            self.limit_bodies((length / 2).max(MIN_CHUNK));
            return Err(Error::TooLarge { what: what.to_owned() });
        }
        self.succeeded(what, access, response).await
    }

    fn upload_location(&self, what: &str, response: &Response<Incoming>, base: &Url) -> Result<Url, Error> {
        let location = response::header(response.headers(), LOCATION)
            .ok_or_else(|| Error::protocol(what, "the registry does not say where to send it"))?;
        let located = self.endpoint().upload_location(location, base);
        located.map_err(|why| Error::protocol(what, why))
    }
}

/// How many bytes a session has: `0-N` with N inclusive, or `bytes=0-N`.
fn range_end(response: &Response<Incoming>) -> Option<u64> {
    let (_, end) = response::header(response.headers(), RANGE)?.rsplit_once('-')?;
    let end: u64 = end.trim().parse().ok()?;
    // `0-0` can mean an empty session or one with a single byte. Registries send it for an empty
    // one.
    Some(if end == 0 { 0 } else { end.checked_add(1)? })
}
