//! What can go wrong with a registry.

use std::time::Duration;

use hyper::StatusCode;
use thiserror::Error;

/// A request that did not succeed.
#[derive(Debug, Error)]
pub enum Error {
    /// Nobody answered, or the connection was lost. Passes by itself, perhaps.
    #[error("{endpoint} cannot be reached: {why}")]
    Unreachable {
        /// The registry.
        endpoint: String,
        /// What the system says.
        why: String,
    },
    /// The server cannot be spoken to, now or later: its certificate is not trusted, or it speaks no HTTP.
    #[error("{endpoint} cannot be spoken to: {why}")]
    Untrusted {
        /// The registry.
        endpoint: String,
        /// What is wrong with it.
        why: String,
    },
    /// A status that may pass: overload, a restart behind a load balancer.
    #[error("{what}: the registry answered {status}{detail}")]
    Busy {
        /// What was asked for.
        what: String,
        /// 408, 429 or 5xx.
        status: StatusCode,
        /// What the registry says, with a space in front.
        detail: String,
        /// When to ask again.
        after: Option<Duration>,
    },
    /// There is no such thing.
    #[error("{what} is not in the registry{detail}")]
    NotFound {
        /// What was asked for.
        what: String,
        /// What the registry says, with a space in front.
        detail: String,
    },
    /// Credentials are missing, wrong, or do not suffice.
    #[error("{what}: the registry refuses access ({status}{detail}): {hint}")]
    Denied {
        /// What was asked for.
        what: String,
        /// 401 or 403.
        status: StatusCode,
        /// What the registry says, with a space in front.
        detail: String,
        /// What to do.
        hint: &'static str,
    },
    /// Any other status that means failure.
    #[error("{what}: the registry answered {status}{detail}")]
    Refused {
        /// What was asked for.
        what: String,
        /// The status.
        status: StatusCode,
        /// What the registry says, with a space in front.
        detail: String,
    },
    /// The registry does not keep to the protocol, or holds something that is not understood.
    #[error("{what}: {why}")]
    Protocol {
        /// What was asked for.
        what: String,
        /// What is wrong with the answer.
        why: String,
    },
    /// The content to be sent could not be read.
    #[error("{0}")]
    Source(std::io::Error),
    /// The receiver of what was pulled wants no more. It knows why.
    #[error("the transfer was stopped")]
    Stopped,
}

impl Error {
    /// Whether the same request may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Error::Unreachable { .. } | Error::Busy { .. })
    }

    /// How long the registry asks to wait.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Error::Busy { after, .. } => *after,
            _ => None,
        }
    }

    pub(crate) fn protocol(what: &str, why: impl Into<String>) -> Self {
        Error::Protocol { what: what.to_owned(), why: why.into() }
    }
}

/// The causes of an error, innermost last, without repetition: hyper says "client error (Connect)" and the reason below.
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

/// Looks for an error of a type among the causes.
pub(crate) fn find<'e, E: std::error::Error + 'static>(
    error: &'e (dyn std::error::Error + 'static),
) -> Option<&'e E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        // An io::Error hides its payload from source(), and that may be another one.
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
        // As hyper-rustls nests them.
        let error = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, innermost.clone()));
        assert_eq!(find::<rustls::Error>(&error), Some(&innermost));
        assert!(find::<rustls::Error>(&io::Error::other("x")).is_none());
    }
}
