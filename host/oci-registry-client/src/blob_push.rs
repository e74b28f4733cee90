//! Pushing blobs: not at all where the registry has them, by reference where another repository has
//! them, and otherwise in a session that continues after a cut.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};

use bytes::Bytes;
use hyper::{HeaderMap, Method, StatusCode};

use crate::access::Access;
use crate::client::Client;
use crate::digest::Digest;
use crate::error::Error;
use crate::manifest::Descriptor;
use crate::retry::Backoff;
use crate::upload_session::{Blob, UploadSession};

/// How a blob got into the repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It was there already.
    Existed,
    /// The registry took it over from another repository.
    Mounted,
    /// It was sent.
    Sent,
}

/// Blobs up to this size, in bytes, are sent with the request that ends the session, which saves a
/// round trip.
const SMALL: u64 = 1 << 20;
/// How often an upload begins again because the registry lost its session.
const MAX_RESTARTS: u32 = 8;

impl Client {
    /// Makes sure that a repository has a blob. `sources` are repositories that may have it
    /// already.
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
        let mut backoff = Backoff::new(self.policy());
        let mut session: Option<UploadSession> = None;
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
            let is_lost = session.as_ref().is_some_and(|session| is_lost(&error, session));
            if is_lost {
                session = None;
                restarts += 1;
                if restarts <= MAX_RESTARTS {
                    continue;
                }
            }
            let is_too_large = matches!(error, Error::TooLarge { .. });
            if !is_too_large {
                backoff.wait(error).await?;
            }
            if let Some(session) = &mut session {
                session.is_sure = false;
            }
        }
    }

    /// Makes sure that a repository has a small blob, which is in memory. Returns the descriptor of
    /// the blob.
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

    /// Does what is left to do of an upload.
    async fn advance(
        &self,
        access: &Access,
        blob: &Blob<'_>,
        session: &mut Option<UploadSession>,
        source: Option<&str>,
    ) -> Result<Pushed, Error> {
        let open = match session {
            Some(open) => open,
            None => {
                if self.has_blob(access, &blob.digest).await? {
                    return Ok(Pushed::Existed);
                }
                match self.begin_upload(access, &blob.digest, source).await? {
                    None => return Ok(Pushed::Mounted),
                    Some(new) => session.insert(new),
                }
            }
        };
        if !open.is_sure {
            self.resume_upload(access, open).await?;
        }
        if blob.size > SMALL.min(self.body_limit()) {
            self.send_content(access, blob, open).await?;
        }
        self.end_upload(access, blob, open).await.map(|()| Pushed::Sent)
    }

    /// Whether the repository has a blob. An answer that does not say so leads to an upload, whose
    /// answer counts.
    async fn has_blob(&self, access: &Access, digest: &Digest) -> Result<bool, Error> {
        let url = self.endpoint().at(&format!("/v2/{}/blobs/{digest}", access.repository));
        let none = HeaderMap::new();
        let asked = self.request(access, &Method::HEAD, &url, &none);
        let response = self.within_stall_limit(&url, asked).await;
        match response {
            Ok(response) => Ok(response.status() == StatusCode::OK),
            // A redirect to an object store that cannot be reached says nothing about the registry.
            Err(Error::Protocol { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Whether a session cannot be continued: the registry does not know it any more, is at another
/// place in it, or has content that is not what was sent.
fn is_lost(error: &Error, session: &UploadSession) -> bool {
    match error {
        Error::NotFound { .. } => true,
        Error::Refused { status, .. } => match *status {
            StatusCode::RANGE_NOT_SATISFIABLE => true,
            StatusCode::BAD_REQUEST => session.is_resumed,
            _ => false,
        },
        _ => false,
    }
}
