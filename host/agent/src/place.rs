//! Repositories of a registry, as people name them for a copy or a clean-up.

use oci_registry_client::{Endpoint, RemoteArtifact};
use orascache_api::pattern::{REPOSITORY_PATTERN, is_repository_pattern, matches};

/// A registry, and a repository of it or a pattern of repositories.
#[derive(Clone, Debug)]
pub struct Place {
    /// The registry.
    pub endpoint: Endpoint,
    /// The repository or the pattern. Empty where only the registry was named.
    pub path: String,
}

impl Place {
    /// Reads `[http://|https://]host[:port][/repository]`.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        let behind_scheme = text.find("://").map_or(0, |at| at + 3);
        let slash = text.get(behind_scheme..).and_then(|rest| rest.find('/'));
        let (host, path) = match slash.and_then(|at| text.split_at_checked(behind_scheme + at)) {
            Some((host, path)) => (host, path.trim_start_matches('/')),
            None => (text, ""),
        };
        // The grammar of hosts is that of artifacts.
        let endpoint = RemoteArtifact::parse(&format!("{host}/x"), false)
            .map_err(|_| {
                format!("\"{text}\" does not begin with the host of a registry: write it like registry.example.org/flow/words")
            })?
            .endpoint;
        if !path.is_empty() && !is_repository_pattern(path) {
            return Err(format!("\"{path}\" in \"{text}\" {REPOSITORY_PATTERN}, without tag and digest"));
        }
        Ok(Place { endpoint, path: path.to_owned() })
    }

    /// Whether it may stand for several repositories.
    pub fn is_pattern(&self) -> bool {
        self.path.is_empty() || self.path.contains(['*', '?'])
    }

    /// Whether a repository is one of them.
    pub fn holds(&self, repository: &str) -> bool {
        self.path.is_empty() || matches(&self.path, repository)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_registry_with_or_without_repositories() {
        for (text, endpoint, path) in [
            ("localhost:5000", "http://localhost:5000", ""),
            ("http://cache:5000/", "http://cache:5000", ""),
            ("http://cache.lab.svc:5000/flow/*", "http://cache.lab.svc:5000", "flow/*"),
            ("ghcr.io/lab/words", "https://ghcr.io", "lab/words"),
        ] {
            let place = Place::parse(text).unwrap();
            assert_eq!(
                (place.endpoint.to_string().as_str(), place.path.as_str()),
                (endpoint, path),
                "{text}"
            );
        }
        let place = Place::parse("localhost:5000/flow/*").unwrap();
        assert!(place.is_pattern() && place.holds("flow/words") && !place.holds("other"));
        assert!(!Place::parse("localhost:5000/flow").unwrap().is_pattern());
    }

    #[test]
    fn errors_name_the_part_that_is_wrong() {
        for (text, why) in [
            ("words", "does not begin with the host"),
            ("ftp://x.org/a", "does not begin with the host"),
            ("ghcr.io/a:1", "without tag and digest"),
            ("ghcr.io/Lab/*", "lower case"),
        ] {
            let sentence = Place::parse(text).unwrap_err();
            assert!(sentence.contains(why), "{sentence}");
        }
    }
}
