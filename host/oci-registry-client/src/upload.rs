//! Pushing blobs: not at all where the registry has them, by reference where another repository has them, and otherwise
//! in a session that goes on after a cut (distribution-spec, "Pushing a blob in chunks").

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderValue, LOCATION, RANGE};
use hyper::{HeaderMap, Method, Response, StatusCode, body::Incoming};
use url::Url;

use crate::auth::Access;
use crate::client::{Body, Client, empty};
use crate::digest::Digest;
use crate::error::Error;
use crate::manifest::Descriptor;
use crate::reader::{BodyOf, Watch};
use crate::retry::Backoff;

/// Content to be pushed.
pub struct Blob<'a> {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Opens it at an offset, as often as needed.
    pub open: &'a (dyn Fn(u64) -> io::Result<Box<dyn Read + Send>> + Sync),
}

/// How a blob got into the repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It was there.
    Existed,
    /// It was taken over from another repository.
    Mounted,
    /// It was sent.
    Sent,
}

/// A session of an upload.
struct Session {
    location: Url,
    /// What the registry has of it.
    offset: u64,
    /// False after a cut: the registry is asked how far it is.
    is_sure: bool,
}

/// Blobs up to here are sent with the request that ends the session: one round trip less.
const SMALL: u64 = 1 << 20;
/// How often an upload begins again because the registry forgot it.
const MAX_RESTARTS: u32 = 8;
const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");

impl Client {
    /// Makes sure that a repository has a blob. `sources` are repositories that may have it already.
    ///
    /// # Errors
    /// When it is not allowed, the content changed or cannot be read, or patience ends.
    pub async fn push_blob(
        &self,
        repository: &str,
        blob: &Blob<'_>,
        sources: &[&str],
    ) -> Result<Pushed, Error> {
        let access = Access::push(repository);
        let mut backoff = Backoff::new(self.policy().patience);
        let mut session: Option<Session> = None;
        let mut sources = sources.iter().copied().filter(|source| *source != repository);
        let mut restarts = 0;
        loop {
            let before = session.as_ref().map_or(0, |session| session.offset);
            let error = match self.advance(&access, blob, &mut session, sources.next()).await {
                Ok(pushed) => return Ok(pushed),
                Err(error) => error,
            };
            if session.as_ref().is_some_and(|session| session.offset > before) {
                backoff.progress();
            }
            if session.is_some() && is_lost(&error) {
                // The registry forgot the session, or does not go on with it: everything again.
                session = None;
                restarts += 1;
                if restarts <= MAX_RESTARTS {
                    continue;
                }
            }
            backoff.wait(error).await?;
            if let Some(session) = &mut session {
                session.is_sure = false;
            }
        }
    }

    /// Makes sure that a repository has a small blob, which is in memory. Returns what points to it.
    ///
    /// # Errors
    /// As [`Client::push_blob`].
    pub async fn push_bytes(
        &self,
        repository: &str,
        bytes: &[u8],
        media_type: &str,
    ) -> Result<Descriptor, Error> {
        let content = Bytes::copy_from_slice(bytes);
        let open = move |offset: u64| -> io::Result<Box<dyn Read + Send>> {
            let mut content = Cursor::new(content.clone());
            content.set_position(offset);
            Ok(Box::new(content))
        };
        let (digest, size) = (Digest::of(bytes), bytes.len() as u64);
        self.push_blob(repository, &Blob { digest: digest.clone(), size, open: &open }, &[]).await?;
        let (media_type, digest) = (media_type.to_owned(), digest.to_string());
        Ok(Descriptor { media_type, digest, size, annotations: BTreeMap::new() })
    }

    /// Does what is left to do.
    async fn advance(
        &self,
        access: &Access,
        blob: &Blob<'_>,
        session: &mut Option<Session>,
        source: Option<&str>,
    ) -> Result<Pushed, Error> {
        let open = match session {
            Some(open) => open,
            None => {
                if self.has_blob(access, &blob.digest).await? {
                    return Ok(Pushed::Existed);
                }
                match self.begin(access, blob, source).await? {
                    None => return Ok(Pushed::Mounted),
                    Some(new) => session.insert(new),
                }
            }
        };
        if !open.is_sure {
            self.resume(access, open).await?;
        }
        if blob.size > SMALL && open.offset < blob.size {
            self.patch(access, blob, open).await?;
        }
        self.finish(access, blob, open).await.map(|()| Pushed::Sent)
    }

    /// Whether the repository has a blob.
    async fn has_blob(&self, access: &Access, digest: &Digest) -> Result<bool, Error> {
        let url = self.endpoint().at(&format!("/v2/{}/blobs/{digest}", access.repository));
        let response = self.answer_in_time(self.ask(access, &Method::HEAD, &url, &HeaderMap::new())).await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(false);
        }
        let what = format!("blob {digest} of {}", access.repository);
        self.succeeded(&what, access, response).await.map(|_| true)
    }

    /// Opens a session, or none where the blob could be mounted.
    async fn begin(
        &self,
        access: &Access,
        blob: &Blob<'_>,
        source: Option<&str>,
    ) -> Result<Option<Session>, Error> {
        let what = format!("uploading to {}", access.repository);
        let path = format!("/v2/{}/blobs/uploads/", access.repository);
        let (url, access) = match source {
            None => (self.endpoint().at(&path), access.clone()),
            Some(source) => {
                let url = self.endpoint().at(&format!("{path}?mount={}&from={source}", blob.digest));
                (url, Access { from: Some(source.to_owned()), ..access.clone() })
            }
        };
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        let response = self.answer_in_time(self.ask(&access, &Method::POST, &url, &headers)).await?;
        if source.is_some() {
            match response.status() {
                StatusCode::CREATED => return Ok(None),
                StatusCode::ACCEPTED => {}
                // Mounting is a favour: what goes wrong with it is not looked into.
                _ => return Box::pin(self.begin(&Access { from: None, ..access }, blob, None)).await,
            }
        }
        let response = self.succeeded(&what, &access, response).await?;
        let location = self.location(&what, &response, &url)?;
        Ok(Some(Session { location, offset: 0, is_sure: true }))
    }

    /// Sends everything from the session's offset.
    async fn patch(&self, access: &Access, blob: &Blob<'_>, session: &mut Session) -> Result<(), Error> {
        let what = format!("uploading {} to {}", blob.digest, access.repository);
        let length = blob.size - session.offset;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, OCTETS);
        if session.offset > 0
            && let Ok(range) = format!("{}-{}", session.offset, blob.size - 1).parse()
        {
            headers.insert(CONTENT_RANGE, range);
        }
        let response = self.stream(access, &Method::PATCH, &session.location, headers, blob, length).await?;
        let response = self.succeeded(&what, access, response).await?;
        session.offset = range_end(&response).unwrap_or(blob.size);
        session.location = self.location(&what, &response, &session.location)?;
        if session.offset != blob.size {
            let why = format!("the registry took {} of {} bytes", session.offset, blob.size);
            return Err(Error::Unreachable { endpoint: self.endpoint().to_string(), why });
        }
        Ok(())
    }

    /// Ends the session, with what is left of the content.
    async fn finish(&self, access: &Access, blob: &Blob<'_>, session: &Session) -> Result<(), Error> {
        let what = format!("uploading {} to {}", blob.digest, access.repository);
        let mut url = session.location.clone();
        url.query_pairs_mut().append_pair("digest", blob.digest.as_str());
        let length = blob.size - session.offset;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, OCTETS);
        let response = self.stream(access, &Method::PUT, &url, headers, blob, length).await?;
        self.succeeded(&what, access, response).await.map(drop)
    }

    /// Asks how far a session is.
    async fn resume(&self, access: &Access, session: &mut Session) -> Result<(), Error> {
        let none = HeaderMap::new();
        let asked = self.ask(access, &Method::GET, &session.location, &none);
        let response = self.answer_in_time(asked).await?;
        let what = format!("the upload to {}", access.repository);
        // Whatever it says against the session, another one may do.
        let lost = |detail| Error::NotFound { what: what.clone(), detail };
        let response = match self.succeeded(&what, access, response).await {
            Err(Error::Refused { detail, .. }) => return Err(lost(detail)),
            other => other?,
        };
        session.offset = range_end(&response).ok_or_else(|| lost(String::new()))?;
        if let Ok(location) = self.location(&what, &response, &session.location) {
            session.location = location;
        }
        session.is_sure = true;
        Ok(())
    }

    /// Sends the last `length` bytes of the content, as long as they move.
    async fn stream(
        &self,
        access: &Access,
        method: &Method,
        url: &Url,
        mut headers: HeaderMap,
        blob: &Blob<'_>,
        length: u64,
    ) -> Result<Response<Incoming>, Error> {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        let watch = Watch::default();
        let body: Body = if length == 0 {
            empty()
        } else {
            let reader = (blob.open)(blob.size - length).map_err(Error::Source)?;
            BodyOf::start(reader, length, watch.clone()).boxed_unsync()
        };
        let sent = self.send(access, method, url, headers, body);
        tokio::pin!(sent);
        let mut taken = 0;
        let answer = loop {
            match tokio::time::timeout(self.policy().stall, &mut sent).await {
                Ok(answer) => break answer,
                Err(_) if watch.taken() == taken => return Err(self.stalled()),
                Err(_) => taken = watch.taken(),
            }
        };
        // The source's failure is the cause of the connection's.
        if let Some(failure) = watch.failure() {
            return Err(Error::Source(failure));
        }
        let (response, is_worth_another) = answer?;
        if is_worth_another {
            let status = response.status();
            let what = format!("uploading to {}", access.repository);
            return Err(Error::Busy {
                what,
                status,
                detail: " and wants another token".to_owned(),
                after: None,
            });
        }
        Ok(response)
    }

    fn location(&self, what: &str, response: &Response<Incoming>, base: &Url) -> Result<Url, Error> {
        let header = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
        header
            .and_then(|location| self.endpoint().locate(location, base))
            .ok_or_else(|| Error::protocol(what, "the registry does not say where to send it"))
    }
}

/// Whether the registry does not know the session, or is at another place in it.
fn is_lost(error: &Error) -> bool {
    match error {
        Error::NotFound { .. } => true,
        Error::Refused { status, .. } => *status == StatusCode::RANGE_NOT_SATISFIABLE,
        _ => false,
    }
}

/// How many bytes a session has: `0-N` with N inclusive, or `bytes=0-N`.
fn range_end(response: &Response<Incoming>) -> Option<u64> {
    let range = response.headers().get(RANGE)?.to_str().ok()?;
    let (_, end) = range.rsplit_once('-')?;
    let end: u64 = end.trim().parse().ok()?;
    // An empty session says 0-0 as one with a single byte does; the former is what is met.
    Some(if end == 0 { 0 } else { end + 1 })
}
