//! Artifacts as people name them: with the host of the registry in front.

use std::fmt;
use std::net::IpAddr;

use crate::endpoint::Endpoint;
use crate::reference::ArtifactReference;

/// A registry, and an artifact in it.
#[derive(Clone, Debug)]
pub struct RemoteArtifact {
    /// The registry.
    pub endpoint: Endpoint,
    /// The artifact in it.
    pub reference: ArtifactReference,
}

impl RemoteArtifact {
    /// Reads `[http://|https://]host[:port]/repository[:tag][@digest]`. Without a scheme,
    /// registries on the loopback interface are spoken to without TLS, as Docker and ORAS do it,
    /// and so are all with `plain_http`.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what to write.
    pub fn parse(text: &str, plain_http: bool) -> Result<Self, String> {
        let wrong = |why: &str| {
            format!(
                "the artifact is \"{text}\", but {why}: write it like registry.example.org/flow/words:run-1"
            )
        };
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme @ ("http" | "https"), rest)) => (Some(scheme), rest),
            Some(_) => return Err(wrong("neither http nor https stands in front of ://")),
            None => (None, text),
        };
        let (host, artifact) =
            rest.split_once('/').ok_or_else(|| wrong("it names no repository behind the host"))?;
        if scheme.is_none() && !(host.contains(['.', ':']) || host == "localhost") {
            return Err(wrong("it does not begin with the host of a registry"));
        }
        let is_plain = match scheme {
            Some(scheme) => scheme == "http",
            None => plain_http || is_local(host),
        };
        let scheme = if is_plain { "http" } else { "https" };
        let endpoint = Endpoint::parse(&format!("{scheme}://{host}")).map_err(|error| error.to_string())?;
        let reference = ArtifactReference::parse(artifact).map_err(wrong)?;
        Ok(RemoteArtifact { endpoint, reference })
    }
}

/// Whether a host is this machine.
fn is_local(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

impl fmt::Display for RemoteArtifact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.endpoint.host(), self.reference)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_on_loopback_are_plain_unless_a_scheme_is_written() {
        for (text, plain_http, endpoint) in [
            ("ghcr.io/a/b:1", false, "https://ghcr.io"),
            ("ghcr.io/a/b:1", true, "http://ghcr.io"),
            ("http://cache.lab.svc:5000/a", false, "http://cache.lab.svc:5000"),
            ("localhost/a", false, "http://localhost"),
            ("127.0.0.1:5000/a", false, "http://127.0.0.1:5000"),
            ("[::1]:5000/a", false, "http://[::1]:5000"),
            ("https://localhost:5000/a", false, "https://localhost:5000"),
        ] {
            let remote = RemoteArtifact::parse(text, plain_http).unwrap();
            assert_eq!(remote.endpoint.to_string(), endpoint, "{text}");
        }
        let remote = RemoteArtifact::parse("localhost:5000/flow/words:run-1", false).unwrap();
        assert_eq!(remote.reference.to_string(), "flow/words:run-1");
    }

    #[test]
    fn errors_name_the_part_that_is_wrong() {
        for (text, why) in [
            ("flow/words:run-1", "does not begin with the host"),
            ("ghcr.io", "names no repository"),
            ("oci://ghcr.io/a", "neither http nor https"),
            ("ghcr.io/A", "lower case"),
            ("user@ghcr.io/a", "credentials do not belong"),
        ] {
            let sentence = RemoteArtifact::parse(text, false).unwrap_err();
            assert!(sentence.contains(why), "{sentence}");
        }
    }
}
