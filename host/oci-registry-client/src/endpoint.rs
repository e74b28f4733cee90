//! The endpoint of a registry.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use thiserror::Error;
use url::Url;

/// The address of a registry, and the way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    url: Url,
    socket: Option<PathBuf>,
}

/// Text that is no address of a registry.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "the registry is \"{given}\", but {why}: write it like https://registry.example.org or http://cache:5000"
)]
pub struct EndpointError {
    given: String,
    why: &'static str,
}

/// Names of Docker Hub in references to images.
const DOCKER_HUB_NAMES: [&str; 2] = ["docker.io", "index.docker.io"];
/// The host that serves the registry API of Docker Hub (docs.docker.com, "Docker Hub registry
/// API").
pub(crate) const DOCKER_HUB: &str = "registry-1.docker.io";

impl Endpoint {
    /// Reads `http://HOST[:PORT]` or `https://HOST[:PORT]`. `docker.io` means
    /// `registry-1.docker.io`, as for all clients.
    ///
    /// # Errors
    /// For anything else.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        // The text before an @ may be a password, which must not be shown.
        let given = if text.contains('@') { "...".to_owned() } else { text.to_owned() };
        let wrong = |why| EndpointError { given: given.clone(), why };
        let mut url = Url::parse(text).map_err(|_| wrong("that is no URL"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("neither http:// nor https:// stands in front"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("credentials do not belong there"));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("something stands behind the host"));
        }
        match url.host_str() {
            None | Some("") => return Err(wrong("it names no host")),
            Some(host) if DOCKER_HUB_NAMES.contains(&host) => {
                url.set_host(Some(DOCKER_HUB)).map_err(|_| wrong("it names no host"))?;
            }
            Some(_) => {}
        }
        Ok(Endpoint { url, socket: None })
    }

    /// The same registry, through a proxy that listens on a Unix socket.
    pub fn through(self, socket: PathBuf) -> Self {
        Endpoint { socket: Some(socket), ..self }
    }

    /// The socket of the proxy.
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

    /// The address of a path, which starts with `/` and may have a query.
    pub fn at(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        url.set_path(path);
        url.set_query(query.filter(|query| !query.is_empty()));
        url
    }

    /// The address that a redirect leads to. Registries behind a proxy may name the right host with
    /// the scheme that they see themselves. None where it is no address of HTTP.
    pub(crate) fn redirect(&self, location: &str, base: &Url) -> Option<Url> {
        let mut url = base.join(location).ok()?;
        let is_here = url.host_str() == self.url.host_str();
        if is_here && url.scheme() == "http" && self.is_encrypted() && url.port().is_none() {
            url.set_scheme("https").ok()?;
        }
        matches!(url.scheme(), "http" | "https").then_some(url)
    }

    /// The address at which an upload continues. A registry behind a proxy may name the right host
    /// with a wrong scheme, or leave out the port: such an address is completed to the registry's
    /// own. Another host is left as it is.
    ///
    /// # Errors
    /// The rest of a sentence, where it is no address, or leads from an encrypted registry to a
    /// host that is not.
    pub fn upload_location(&self, location: &str, base: &Url) -> Result<Url, String> {
        let mut url = base.join(location).map_err(|_| format!("\"{location}\" is no address"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("\"{location}\" is no address of HTTP"));
        }
        let is_here = url.host_str() == self.url.host_str();
        let is_downgrade = self.is_encrypted() && url.scheme() == "http";
        let lacks_port = url.port().is_none() && url.scheme() == self.url.scheme();
        if is_here && (is_downgrade || lacks_port) {
            let completed = url
                .set_scheme(self.url.scheme())
                .and_then(|()| url.set_port(self.url.port()))
                .map(|()| url.clone());
            return completed.map_err(|()| format!("\"{location}\" is no address of HTTP"));
        }
        if is_downgrade {
            let address = url.origin().ascii_serialization();
            return Err(format!(
                "the registry sends the content to {address}, which is not encrypted although the registry is"
            ));
        }
        Ok(url)
    }

    /// Whether an address is the registry's own, so that credentials may go there.
    pub(crate) fn is_own(&self, url: &Url) -> bool {
        self.url.origin() == url.origin()
    }

    /// Whether the registry is spoken to over TLS.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.url.scheme() == "https"
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        Endpoint::parse(text)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.url.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(text: &str) -> Endpoint {
        Endpoint::parse(text).unwrap()
    }

    #[test]
    fn hosts_have_a_port_or_none() {
        let cache = endpoint("http://cache-0.cache.lab.svc:5000");
        assert_eq!(cache.host(), "cache-0.cache.lab.svc:5000");
        assert_eq!(cache.to_string(), "http://cache-0.cache.lab.svc:5000");
        assert_eq!(
            cache.at("/v2/a/blobs/uploads/?mount=x").as_str(),
            "http://cache-0.cache.lab.svc:5000/v2/a/blobs/uploads/?mount=x"
        );
        assert_eq!(cache.at("/v2/?").as_str(), "http://cache-0.cache.lab.svc:5000/v2/");
        assert_eq!(endpoint("https://[::1]:8443").host(), "[::1]:8443");
    }

    #[test]
    fn docker_io_is_the_host_of_its_registry() {
        for name in ["https://docker.io", "https://index.docker.io", "https://registry-1.docker.io"] {
            assert_eq!(endpoint(name).to_string(), "https://registry-1.docker.io", "{name}");
        }
    }

    #[test]
    fn text_that_is_no_address_is_refused() {
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
    fn redirects_keep_the_scheme_of_the_registry() {
        let endpoint = endpoint("https://r.example.org");
        let base = endpoint.at("/v2/a/blobs/1");
        for (location, wanted) in [
            ("/v2/a/blobs/2", "https://r.example.org/v2/a/blobs/2"),
            ("http://r.example.org/v2/x?y=z", "https://r.example.org/v2/x?y=z"),
            ("https://store.example.org/x", "https://store.example.org/x"),
        ] {
            assert_eq!(endpoint.redirect(location, &base).unwrap().as_str(), wanted);
        }
        assert_eq!(endpoint.redirect("file:///etc/passwd", &base), None);
        assert!(endpoint.is_own(&base));
        assert!(!endpoint.is_own(&Url::parse("https://store.example.org/").unwrap()));
        assert!(!endpoint.is_own(&Url::parse("http://r.example.org/").unwrap()));
    }

    #[test]
    fn upload_locations_are_completed_to_the_registry() {
        for (registry, location, wanted) in [
            ("https://r:8443", "/u/1?s=2", "https://r:8443/u/1?s=2"),
            ("https://r:8443", "http://r:8443/u", "https://r:8443/u"),
            ("https://r:8443", "http://r/u", "https://r:8443/u"),
            ("https://r:8443", "https://r/u", "https://r:8443/u"),
            ("https://r", "http://r:80/u", "https://r/u"),
            ("https://r", "http://r:5000/u", "https://r/u"),
            ("http://r:5000", "http://r/u", "http://r:5000/u"),
            ("http://r:5000", "https://r/u", "https://r/u"),
            ("http://r:5000", "http://r:5001/u", "http://r:5001/u"),
            ("https://r", "https://store/u", "https://store/u"),
            ("http://r", "http://store/u", "http://store/u"),
        ] {
            let endpoint = endpoint(registry);
            let located = endpoint.upload_location(location, &endpoint.at("/v2/a/blobs/uploads/"));
            assert_eq!(located.unwrap().as_str(), wanted, "{registry} {location}");
        }
    }

    #[test]
    fn uploads_never_lead_from_https_to_http() {
        let endpoint = endpoint("https://r.example.org");
        for (location, why) in [
            ("http://store.example.org/u", "not encrypted although the registry is"),
            ("ftp://r.example.org/u", "no address of HTTP"),
            ("http://[", "no address"),
        ] {
            let sentence = endpoint.upload_location(location, &endpoint.at("/")).unwrap_err();
            assert!(sentence.contains(why), "{sentence}");
        }
    }
}
