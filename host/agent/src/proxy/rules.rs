//! The requests that pass: those that a step needs for the artifacts that it declares
//! (distribution-spec 1.1, "Endpoints").

use hyper::Method;
use oci_registry_client::{Access, ArtifactReference};
use orascache_api::reference::is_digest;

/// The artifacts that a step declares.
#[derive(Debug)]
pub struct Rules {
    pulls: Vec<ArtifactReference>,
    push: Option<ArtifactReference>,
    /// Whether there are credentials for reading. Where there are none, the output is read with
    /// those for writing.
    has_pull_secret: bool,
}

/// What the proxy does with a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Route {
    /// The request asks whether this is a registry. The proxy answers it itself.
    Ping,
    /// The request is passed on to the registry, at the same path.
    Pass(Access),
    /// The request opens an upload. The query holds only parameters that were checked.
    Begin { access: Access, query: String },
    /// The request continues the upload of this name.
    Continue { access: Access, session: String, query: String },
    /// The request is refused: the step does not declare it. A sentence says so.
    Refuse(String),
}

/// A path under `/v2/`.
enum Target<'a> {
    Manifest(&'a str),
    Blob,
    Uploads,
    Upload(&'a str),
}

impl Rules {
    pub fn new(
        pulls: Vec<ArtifactReference>,
        push: Option<ArtifactReference>,
        has_pull_secret: bool,
    ) -> Self {
        Rules { pulls, push, has_pull_secret }
    }

    /// Decides where a request goes.
    pub fn route(&self, method: &Method, path: &str, query: Option<&str>) -> Route {
        let reads = matches!(*method, Method::GET | Method::HEAD);
        if reads && matches!(path, "/v2/" | "/v2") {
            return Route::Ping;
        }
        let Some((repository, target)) = split_path(path) else {
            return Route::Refuse(format!("{method} {path} is no request that a step needs"));
        };
        let undeclared = |what: &str| {
            Route::Refuse(format!(
                "{method} {path} does not pass: the step declares no {what}, which its annotations input-uri and output-uri do"
            ))
        };
        if reads && matches!(target, Target::Manifest(_) | Target::Blob) {
            if let Target::Manifest(selector) = target
                && !self.is_named(repository, selector)
            {
                return undeclared(&format!("artifact {repository}:{selector}"));
            }
            return match self.reading(repository) {
                Some(access) => Route::Pass(access),
                None => undeclared(&format!("artifact of {repository}")),
            };
        }
        let Some(push) = self.push.as_ref().filter(|push| push.repository == repository) else {
            return undeclared(&format!("output to {repository}"));
        };
        let access = Access::push(repository);
        let parameter = |name: &str| parameter(query, name);
        match (method, target) {
            (&Method::PUT, Target::Manifest(selector)) if selector == push.tag() || is_digest(selector) => {
                Route::Pass(access)
            }
            (&Method::PUT, Target::Manifest(selector)) => {
                undeclared(&format!("output to the tag {selector}"))
            }
            (&Method::POST, Target::Uploads) => {
                match (parameter("mount"), parameter("from")) {
                    (Some(digest), Some(from)) if is_digest(&digest) && self.reading(&from).is_some() => {
                        let query = format!("mount={digest}&from={from}");
                        Route::Begin { access: Access { from: Some(from), ..access }, query }
                    }
                    // Registries that cannot mount a blob open an upload instead. So does the
                    // proxy.
                    _ => Route::Begin { access, query: String::new() },
                }
            }
            (&Method::PUT, Target::Upload(session)) => match parameter("digest") {
                Some(digest) if is_digest(&digest) => {
                    let query = format!("digest={digest}");
                    Route::Continue { access, session: session.to_owned(), query }
                }
                _ => Route::Refuse(format!("PUT {path} ends an upload without a digest")),
            },
            (&Method::GET | &Method::PATCH | &Method::DELETE, Target::Upload(session)) => {
                Route::Continue { access, session: session.to_owned(), query: String::new() }
            }
            _ => Route::Refuse(format!("{method} {path} is no request that a step needs")),
        }
    }

    /// Whether this is the tag of a declared artifact. Any digest is allowed, since a step knows
    /// digests only from declared artifacts.
    fn is_named(&self, repository: &str, selector: &str) -> bool {
        let mut declared = self.pulls.iter().chain(&self.push);
        is_digest(selector)
            || declared.any(|artifact| artifact.repository == repository && artifact.selector() == selector)
    }

    fn reading(&self, repository: &str) -> Option<Access> {
        let is_pulled = self.pulls.iter().any(|pull| pull.repository == repository);
        let is_pushed = self.push.as_ref().is_some_and(|push| push.repository == repository);
        if is_pushed && !(is_pulled && self.has_pull_secret) {
            return Some(Access::push(repository));
        }
        is_pulled.then(|| Access::pull(repository))
    }
}

/// The repository and the target in it. The path is read from its end, since a repository may have
/// components with the names of endpoints.
fn split_path(path: &str) -> Option<(&str, Target<'_>)> {
    let path = path.strip_prefix("/v2/")?;
    if let Some((repository, session)) = path.rsplit_once("/blobs/uploads/") {
        if session.contains('/') {
            return None;
        }
        return Some((
            repository,
            if session.is_empty() { Target::Uploads } else { Target::Upload(session) },
        ));
    }
    let (head, last) = path.rsplit_once('/')?;
    if let Some(repository) = head.strip_suffix("/manifests") {
        return (!last.is_empty()).then_some((repository, Target::Manifest(last)));
    }
    let repository = head.strip_suffix("/blobs")?;
    is_digest(last).then_some((repository, Target::Blob))
}

fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    let mut pairs = oci_registry_client::query_pairs(query.unwrap_or_default());
    pairs.find(|(key, _)| key == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn rules(has_pull_secret: bool) -> Rules {
        let reference = |text| ArtifactReference::parse(text).unwrap();
        let pulls = vec![reference("flow/words:run-1"), reference("flow/both:x"), reference("a/blobs/b:1")];
        Rules::new(pulls, Some(reference("flow/both:run-2")), has_pull_secret)
    }

    fn route(method: &str, path: &str) -> Route {
        let path = path.replace("DIGEST", DIGEST);
        let (path, query) =
            path.split_once('?').map_or((path.as_str(), None), |(path, query)| (path, Some(query)));
        rules(true).route(&method.parse().unwrap(), path, query)
    }

    #[test]
    fn declared_artifacts_may_be_read() {
        assert_eq!(route("GET", "/v2/"), Route::Ping);
        for path in ["/v2/flow/words/manifests/run-1", "/v2/flow/words/blobs/DIGEST"] {
            for method in ["GET", "HEAD"] {
                assert_eq!(route(method, path), Route::Pass(Access::pull("flow/words")));
            }
        }
        assert_eq!(route("GET", "/v2/a/blobs/b/manifests/1"), Route::Pass(Access::pull("a/blobs/b")));
        // An upload checks which blobs exist, so that the output may be read with the credentials
        // for writing.
        assert_eq!(route("HEAD", "/v2/flow/both/blobs/DIGEST"), Route::Pass(Access::pull("flow/both")));
        let without = rules(false).route(&Method::HEAD, &format!("/v2/flow/both/blobs/{DIGEST}"), None);
        assert_eq!(without, Route::Pass(Access::push("flow/both")));
    }

    #[test]
    fn the_declared_output_may_be_written() {
        let access = Access::push("flow/both");
        assert_eq!(route("PUT", "/v2/flow/both/manifests/run-2"), Route::Pass(access.clone()));
        assert_eq!(route("PUT", "/v2/flow/both/manifests/DIGEST"), Route::Pass(access.clone()));
        assert_eq!(
            route("POST", "/v2/flow/both/blobs/uploads/"),
            Route::Begin { access: access.clone(), query: String::new() }
        );
        assert_eq!(
            route("POST", "/v2/flow/both/blobs/uploads/?mount=DIGEST&from=flow%2Fwords&x=y"),
            Route::Begin {
                access: Access { from: Some("flow/words".to_owned()), ..access.clone() },
                query: format!("mount={DIGEST}&from=flow/words"),
            }
        );
        assert_eq!(
            route("POST", "/v2/flow/both/blobs/uploads/?mount=DIGEST&from=secret/x"),
            Route::Begin { access: access.clone(), query: String::new() },
            "blobs of other repositories are not mounted"
        );
        let query = format!("digest={DIGEST}");
        let session = "7".to_owned();
        assert_eq!(
            route("PUT", "/v2/flow/both/blobs/uploads/7?digest=DIGEST"),
            Route::Continue { access, session, query }
        );
    }

    #[test]
    fn everything_else_is_refused() {
        for (method, path) in [
            ("GET", "/v2/_catalog"),
            ("GET", "/v2/flow/words/tags/list"),
            ("GET", "/v2/flow/other/manifests/1"),
            ("GET", "/v2/flow/words/manifests/run-2"),
            ("GET", "/v2/flow/words/../other/manifests/1"),
            ("GET", "/v2/flow/words/blobs/x"),
            ("GET", "/v2/flow/words/referrers/DIGEST"),
            ("GET", "/metrics"),
            ("GET", "/v2/flow%2Fwords/manifests/1"),
            ("PUT", "/v2/flow/words/manifests/run-1"),
            ("PUT", "/v2/flow/both/manifests/latest"),
            ("DELETE", "/v2/flow/both/manifests/run-2"),
            ("DELETE", "/v2/flow/both/blobs/DIGEST"),
            ("POST", "/v2/flow/words/blobs/uploads/"),
            ("PATCH", "/v2/flow/words/blobs/uploads/7"),
            ("PATCH", "/v2/flow/both/blobs/uploads/7/8"),
            ("PUT", "/v2/flow/both/blobs/uploads/7"),
            ("PUT", "/v2/flow/both/blobs/uploads/7?digest=x"),
            ("CONNECT", "/v2/flow/both/blobs/uploads/7"),
        ] {
            assert!(matches!(route(method, path), Route::Refuse(_)), "{method} {path}");
        }
    }
}
