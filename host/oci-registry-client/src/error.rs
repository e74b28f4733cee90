//! What can go wrong with a registry.

use std::time::Duration;

use hyper::StatusCode;
use thiserror::Error;

/// A request that did not succeed. The texts are for people; those in `detail` come from the
/// registry.
#[derive(Debug, Error)]
pub enum Error {
    /// There was no answer, or the connection was lost. Another attempt may succeed.
    #[error("{endpoint} cannot be reached: {why}")]
    Unreachable {
        /// The address that was tried.
        endpoint: String,
        /// What the system says.
        why: String,
    },
    /// The certificate of the server is not trusted, or the server does not speak HTTP. Waiting
    /// does not help.
    #[error("{endpoint} cannot be spoken to: {why}")]
    Untrusted {
        /// The address that was tried.
        endpoint: String,
        /// What is wrong with it.
        why: String,
    },
    /// A status that may pass, such as overload or a restart behind a load balancer.
    #[error("{what}: the registry answered {status}{detail}")]
    Busy {
        /// What was requested.
        what: String,
        /// 408, 429 or 5xx; or 405 of a registry that takes no writes for some time.
        status: StatusCode,
        /// What the registry says, with a space in front.
        detail: String,
        /// How long the registry asks to wait.
        after: Option<Duration>,
    },
    /// The registry does not have it.
    #[error("{what} is not in the registry{detail}")]
    NotFound {
        /// What was requested.
        what: String,
        /// What the registry says, in parentheses, with a space in front.
        detail: String,
    },
    /// Credentials are missing, wrong, or not sufficient.
    #[error("{what}: the registry refuses access ({status}{detail}): {hint}")]
    Denied {
        /// What was requested.
        what: String,
        /// 401 or 403.
        status: StatusCode,
        /// What the registry says, with a space in front.
        detail: String,
        /// What to do.
        hint: &'static str,
    },
    /// The registry does not have the blobs that a manifest names, although they were pushed: it
    /// has lost its data. Pushing the blobs again helps.
    #[error("{what}: the registry does not have all blobs of the manifest, although they were pushed")]
    BlobsUnknown {
        /// What was requested.
        what: String,
    },
    /// The body of a request was larger than the registry, or a proxy in front of it, allows.
    #[error("{what}: the registry does not take a body of this size")]
    TooLarge {
        /// What was requested.
        what: String,
    },
    /// Any other status that means failure.
    #[error("{what}: the registry answered {status}{detail}")]
    Refused {
        /// What was requested.
        what: String,
        /// The status.
        status: StatusCode,
        /// What the registry says, with a space in front.
        detail: String,
    },
    /// The registry violates the protocol, or holds something that this client does not understand.
    #[error("{what}: {why}")]
    Protocol {
        /// What was requested.
        what: String,
        /// What is wrong with the answer.
        why: String,
    },
    /// The content to be sent could not be read.
    #[error("{0}")]
    Source(std::io::Error),
    /// The receiver of a blob stopped reading. The receiver reports the reason.
    #[error("the transfer was stopped")]
    Stopped,
}

impl Error {
    /// Whether the same request may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Error::Unreachable { .. } | Error::Busy { .. })
    }

    /// Whether the registry takes no writes for some time.
    pub(crate) fn is_read_only(&self) -> bool {
        matches!(self, Error::Busy { status: StatusCode::METHOD_NOT_ALLOWED, .. })
    }

    /// How long the registry asks to wait before the next request.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Error::Busy { after, .. } => *after,
            _ => None,
        }
    }

    pub(crate) fn protocol(what: &str, why: impl Into<String>) -> Self {
        Error::Protocol { what: what.to_owned(), why: why.into() }
    }
}

/// The causes of an error, innermost last. A text that is a part of one before it is left out:
/// hyper repeats itself.
pub(crate) fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut sentence = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if !sentence.contains(&text) {
            if !sentence.is_empty() {
                sentence.push_str(": ");
            }
            sentence.push_str(&text);
        }
        next = error.source();
    }
    sentence
}

/// The first error of a type among the causes of an error.
pub(crate) fn find<'e, E: std::error::Error + 'static>(
    error: &'e (dyn std::error::Error + 'static),
) -> Option<&'e E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        // `source()` of an `io::Error` skips its payload, which may be the error that is looked
        // for.
        if let Some(inner) = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref)
            && let Some(found) = find(inner)
        {
            return Some(found);
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn errors_are_found_below_others() {
        let innermost = rustls::Error::DecryptError;
        // The way in which hyper-rustls nests errors.
        let error = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, innermost.clone()));
        assert_eq!(find::<rustls::Error>(&error), Some(&innermost));
        assert!(find::<rustls::Error>(&io::Error::other("x")).is_none());
    }
}
