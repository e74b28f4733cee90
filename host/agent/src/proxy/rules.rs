//! The requests that pass: those that a step needs for the artifacts that it declares
//! (distribution-spec 1.1, "Endpoints").

use hyper::Method;
use oci_registry_client::{Access, ArtifactReference};
use orascache_api::reference::is_digest;
use orascache_api::reuse::is_key_tag;
use std::collections::{BTreeMap, BTreeSet};

/// What a step declares.
#[derive(Clone, Debug, Default)]
pub struct Declared {
    /// The artifacts that it pulls.
    pub pulls: Vec<ArtifactReference>,
    /// The artifacts that it pushes.
    pub pushes: Vec<ArtifactReference>,
    /// Whether it may reuse outputs: then it also reads and writes the tags of keys in the
    /// repositories that it pushes to.
    pub reuses: bool,
}

/// The artifacts that a step declares, by their repositories. There may be thousands of them.
#[derive(Debug)]
pub struct Rules {
    repositories: BTreeMap<String, Repository>,
    reuses: bool,
    /// Whether there are credentials for reading. Where there are none, outputs are read with those
    /// for writing.
    has_pull_secret: bool,
}

/// What a step declares of one repository.
#[derive(Debug, Default)]
struct Repository {
    /// Tags and digests of the artifacts that are pulled.
    pulled: BTreeSet<String>,
    /// Tags of the artifacts that are pushed.
    pushed: BTreeSet<String>,
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
    Referrers,
}

impl Rules {
    pub fn new(declared: Declared, has_pull_secret: bool) -> Self {
        let mut repositories: BTreeMap<String, Repository> = BTreeMap::new();
        for pull in declared.pulls {
            let selector = pull.selector().to_owned();
            repositories.entry(pull.repository).or_default().pulled.insert(selector);
        }
        for push in declared.pushes {
            let tag = push.tag().to_owned();
            repositories.entry(push.repository).or_default().pushed.insert(tag);
        }
        Rules { repositories, reuses: declared.reuses, has_pull_secret }
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
        let Some(push) = self.repositories.get(repository).filter(|declared| declared.is_pushed()) else {
            return undeclared(&format!("output to {repository}"));
        };
        let access = Access::push(repository);
        let parameter = |name: &str| parameter(query, name);
        match (method, target) {
            (&Method::PUT, Target::Manifest(selector))
                if push.pushed.contains(selector) || is_digest(selector) || self.is_key(push, selector) =>
            {
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
            // Without the query, which would only filter the list.
            (&Method::GET, Target::Referrers) => Route::Pass(access),
            (&Method::GET | &Method::PATCH | &Method::DELETE, Target::Upload(session)) => {
                Route::Continue { access, session: session.to_owned(), query: String::new() }
            }
            _ => Route::Refuse(format!("{method} {path} is no request that a step needs")),
        }
    }

    /// Whether this is the tag of a declared artifact. Any digest is allowed, since a step knows
    /// digests only from declared artifacts.
    fn is_named(&self, repository: &str, selector: &str) -> bool {
        is_digest(selector)
            || self.repositories.get(repository).is_some_and(|declared| {
                declared.pulled.contains(selector)
                    || declared.pushed.contains(selector)
                    || self.is_key(declared, selector)
            })
    }

    /// Whether this is the tag of a key in a repository where the step may reuse outputs. The key
    /// is computed in the step, so that the proxy does not know which one it is.
    fn is_key(&self, declared: &Repository, selector: &str) -> bool {
        self.reuses && declared.is_pushed() && is_key_tag(selector)
    }

    fn reading(&self, repository: &str) -> Option<Access> {
        let declared = self.repositories.get(repository)?;
        if declared.is_pushed() && (declared.pulled.is_empty() || !self.has_pull_secret) {
            return Some(Access::push(repository));
        }
        Some(Access::pull(repository))
    }
}

impl Repository {
    fn is_pushed(&self) -> bool {
        !self.pushed.is_empty()
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
    if !is_digest(last) {
        return None;
    }
    match head.strip_suffix("/referrers") {
        Some(repository) => Some((repository, Target::Referrers)),
        None => head.strip_suffix("/blobs").map(|repository| (repository, Target::Blob)),
    }
}

fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    let mut pairs = oci_registry_client::query_pairs(query.unwrap_or_default());
    pairs.find(|(key, _)| key == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn declared() -> Declared {
        let references =
            |texts: &[&str]| texts.iter().map(|text| ArtifactReference::parse(text).unwrap()).collect();
        Declared {
            pulls: references(&["flow/words:run-1", "flow/both:x", "a/blobs/b:1", "flow/words:run-3"]),
            pushes: references(&["flow/both:run-2", "flow/log:run-2", "flow/log:last"]),
            reuses: false,
        }
    }

    fn rules(has_pull_secret: bool) -> Rules {
        Rules::new(declared(), has_pull_secret)
    }

    fn ask(rules: &Rules, method: &str, path: &str) -> Route {
        let key = format!("key-{}", "0a".repeat(32));
        let path = path.replace("DIGEST", DIGEST).replace("KEY", &key);
        let (path, query) =
            path.split_once('?').map_or((path.as_str(), None), |(path, query)| (path, Some(query)));
        rules.route(&method.parse().unwrap(), path, query)
    }

    fn route(method: &str, path: &str) -> Route {
        ask(&rules(true), method, path)
    }

    #[test]
    fn declared_artifacts_may_be_read() {
        assert_eq!(route("GET", "/v2/"), Route::Ping);
        for path in [
            "/v2/flow/words/manifests/run-1",
            "/v2/flow/words/manifests/run-3",
            "/v2/flow/words/manifests/DIGEST",
            "/v2/flow/words/blobs/DIGEST",
        ] {
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
    fn each_declared_output_may_be_written_and_no_other_tag_of_its_repository() {
        let access = Access::push("flow/log");
        for path in ["/v2/flow/log/manifests/run-2", "/v2/flow/log/manifests/last"] {
            assert_eq!(route("PUT", path), Route::Pass(access.clone()));
        }
        assert_eq!(
            route("POST", "/v2/flow/log/blobs/uploads/?mount=DIGEST&from=flow/both"),
            Route::Begin {
                access: Access { from: Some("flow/both".to_owned()), ..access },
                query: format!("mount={DIGEST}&from=flow/both"),
            }
        );
        for path in ["/v2/flow/log/manifests/run-1", "/v2/flow/both/manifests/last"] {
            assert!(matches!(route("PUT", path), Route::Refuse(_)), "{path}");
        }
    }

    #[test]
    fn tags_of_keys_pass_in_the_repositories_of_outputs_where_the_step_reuses() {
        let reusing = Rules::new(Declared { reuses: true, ..declared() }, true);
        for (repository, reading) in
            [("flow/both", Access::pull("flow/both")), ("flow/log", Access::push("flow/log"))]
        {
            let path = format!("/v2/{repository}/manifests/KEY");
            for method in ["GET", "HEAD"] {
                assert_eq!(ask(&reusing, method, &path), Route::Pass(reading.clone()));
            }
            assert_eq!(ask(&reusing, "PUT", &path), Route::Pass(Access::push(repository)));
            for method in ["GET", "HEAD", "PUT"] {
                assert!(
                    matches!(route(method, &path), Route::Refuse(_)),
                    "a step that does not reuse: {path}"
                );
            }
        }
        for (method, path) in [
            ("GET", "/v2/flow/words/manifests/KEY"),
            ("PUT", "/v2/flow/words/manifests/KEY"),
            ("GET", "/v2/flow/other/manifests/KEY"),
            ("DELETE", "/v2/flow/both/manifests/KEY"),
            ("PUT", "/v2/flow/both/manifests/key-1"),
            ("GET", "/v2/flow/both/manifests/key-"),
            ("PUT", "/v2/flow/both/manifests/KEYa"),
            ("PUT", "/v2/flow/both/manifests/xKEY"),
            ("GET", "/v2/flow/both/tags/list"),
        ] {
            assert!(matches!(ask(&reusing, method, path), Route::Refuse(_)), "{method} {path}");
        }
    }

    #[test]
    fn statements_about_outputs_may_be_listed() {
        for query in ["", "?artifactType=x%2By&n=1"] {
            let listed = route("GET", &format!("/v2/flow/both/referrers/DIGEST{query}"));
            assert_eq!(listed, Route::Pass(Access::push("flow/both")));
        }
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
            ("HEAD", "/v2/flow/both/referrers/DIGEST"),
            ("PUT", "/v2/flow/both/referrers/DIGEST"),
            ("GET", "/v2/flow/both/referrers/x"),
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
