//! Where a registry answers.

use std::path::{Path, PathBuf};

use thiserror::Error;
use url::Url;

/// The address of a registry, and how to get there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    url: Url,
    socket: Option<PathBuf>,
}

/// An address that is none.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "the registry is \"{given}\", but {why}: write it like https://registry.example.org or http://cache:5000"
)]
pub struct EndpointError {
    given: String,
    why: &'static str,
}

impl Endpoint {
    /// Takes `http://HOST[:PORT]` or `https://HOST[:PORT]`.
    ///
    /// # Errors
    /// For anything else.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        // What stands before an @ may be a password, and is not repeated.
        let given = if text.contains('@') { "...".to_owned() } else { text.to_owned() };
        let wrong = |why| EndpointError { given: given.clone(), why };
        let url = Url::parse(text).map_err(|_| wrong("that is no URL"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("neither http:// nor https:// stands in front"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("credentials do not belong there"));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("something stands behind the host"));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(wrong("it names no host"));
        }
        Ok(Endpoint { url, socket: None })
    }

    /// The same registry, reached through a proxy on a Unix socket.
    pub fn through(self, socket: PathBuf) -> Self {
        Endpoint { socket: Some(socket), ..self }
    }

    /// The proxy's socket.
    pub fn socket(&self) -> Option<&Path> {
        self.socket.as_deref()
    }

    /// Host and port, as in a reference to an image.
    pub fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        match self.url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// The address of a path, which starts with `/`, and may have a query.
    pub fn at(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        url.set_path(path);
        url.set_query(query);
        url
    }

    /// Completes a `Location`. Registries behind a proxy may name the right host with a wrong scheme.
    pub fn locate(&self, location: &str, base: &Url) -> Option<Url> {
        let mut url = base.join(location).ok()?;
        let is_here = url.host_str() == self.url.host_str();
        if is_here && url.scheme() == "http" && self.url.scheme() == "https" && url.port().is_none() {
            url.set_scheme("https").ok()?;
        }
        matches!(url.scheme(), "http" | "https").then_some(url)
    }

    /// Whether an address is the registry's own, so that credentials may go there.
    pub(crate) fn is_own(&self, url: &Url) -> bool {
        self.url.origin() == url.origin()
    }

    /// Whether everything is encrypted on the way.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.url.scheme() == "https"
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.url.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_with_and_without_ports() {
        let cache = Endpoint::parse("http://cache-0.cache.lab.svc:5000").unwrap();
        assert_eq!(cache.host(), "cache-0.cache.lab.svc:5000");
        assert_eq!(cache.to_string(), "http://cache-0.cache.lab.svc:5000");
        assert_eq!(
            cache.at("/v2/a/blobs/uploads/?mount=x").as_str(),
            "http://cache-0.cache.lab.svc:5000/v2/a/blobs/uploads/?mount=x"
        );
        assert_eq!(Endpoint::parse("https://[::1]:8443").unwrap().host(), "[::1]:8443");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for (text, why) in [
            ("cache:5000", "neither http://"),
            ("ftp://x", "neither http://"),
            ("https://x/path", "behind the host"),
            ("https://u:secret@x", "credentials do not belong"),
            ("http://", "no URL"),
        ] {
            let sentence = Endpoint::parse(text).unwrap_err().to_string();
            assert!(sentence.contains(why), "{sentence}");
            assert!(!sentence.contains("secret"), "{sentence}");
        }
    }

    #[test]
    fn locations_are_completed() {
        let endpoint = Endpoint::parse("https://r.example.org").unwrap();
        let base = endpoint.at("/v2/a/blobs/uploads/");
        for (location, wanted) in [
            ("/v2/a/blobs/uploads/1", "https://r.example.org/v2/a/blobs/uploads/1"),
            ("http://r.example.org/v2/x?y=z", "https://r.example.org/v2/x?y=z"),
            ("https://store.example.org/x", "https://store.example.org/x"),
        ] {
            assert_eq!(endpoint.locate(location, &base).unwrap().as_str(), wanted);
        }
        assert_eq!(endpoint.locate("file:///etc/passwd", &base), None);
        assert!(endpoint.is_own(&base));
        assert!(!endpoint.is_own(&Url::parse("https://store.example.org/").unwrap()));
        assert!(!endpoint.is_own(&Url::parse("http://r.example.org/").unwrap()));
    }
}
