//! What passes: the requests that a step needs for the artifacts that it declared (distribution-spec 1.1, "Endpoints").

use hyper::Method;
use oci_registry_client::{Access, Reference};
use orascache_api::reference::is_digest;

/// What a step declared.
#[derive(Debug)]
pub struct Rules {
    pulls: Vec<Reference>,
    push: Option<Reference>,
    /// Whether there are credentials for reading. Where there are none, those for writing serve for what is written.
    has_pull_secret: bool,
}

/// What becomes of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Whether this is a registry: answered here.
    Ping,
    /// To the registry, at the same path.
    Pass(Access),
    /// Opens an upload. The query holds only what was looked at.
    Begin { access: Access, query: String },
    /// Goes on with an upload of this name.
    Continue { access: Access, session: String, query: String },
    /// Nothing that the step declared. A sentence says so.
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
    pub fn new(pulls: Vec<Reference>, push: Option<Reference>, has_pull_secret: bool) -> Self {
        Rules { pulls, push, has_pull_secret }
    }

    /// Decides about a request.
    pub fn judge(&self, method: &Method, path: &str, query: Option<&str>) -> Verdict {
        let reads = matches!(*method, Method::GET | Method::HEAD);
        if reads && matches!(path, "/v2/" | "/v2") {
            return Verdict::Ping;
        }
        let Some((repository, target)) = take_apart(path) else {
            return Verdict::Refuse(format!("{method} {path} is nothing that a step needs"));
        };
        let undeclared = |what: &str| {
            Verdict::Refuse(format!(
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
                Some(access) => Verdict::Pass(access),
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
                Verdict::Pass(access)
            }
            (&Method::PUT, Target::Manifest(selector)) => {
                undeclared(&format!("output to the tag {selector}"))
            }
            (&Method::POST, Target::Uploads) => {
                match (parameter("mount"), parameter("from")) {
                    (Some(digest), Some(from)) if is_digest(&digest) && self.reading(&from).is_some() => {
                        let query = format!("mount={digest}&from={from}");
                        Verdict::Begin { access: Access { from: Some(from), ..access }, query }
                    }
                    // A registry that does not mount opens an upload, and so does this one.
                    _ => Verdict::Begin { access, query: String::new() },
                }
            }
            (&Method::PUT, Target::Upload(session)) => match parameter("digest") {
                Some(digest) if is_digest(&digest) => {
                    let query = format!("digest={digest}");
                    Verdict::Continue { access, session: session.to_owned(), query }
                }
                _ => Verdict::Refuse(format!("PUT {path} ends an upload without a digest")),
            },
            (&Method::GET | &Method::PATCH | &Method::DELETE, Target::Upload(session)) => {
                Verdict::Continue { access, session: session.to_owned(), query: String::new() }
            }
            _ => Verdict::Refuse(format!("{method} {path} is nothing that a step needs")),
        }
    }

    /// Whether this is the tag of a declared artifact. Digests are known only to whoever has them from one.
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

/// The repository and what of it is meant. Repositories may have components named like endpoints, so that it is read from
/// the end.
fn take_apart(path: &str) -> Option<(&str, Target<'_>)> {
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
        let reference = |text| Reference::parse(text).unwrap();
        let pulls = vec![reference("flow/words:run-1"), reference("flow/both:x"), reference("a/blobs/b:1")];
        Rules::new(pulls, Some(reference("flow/both:run-2")), has_pull_secret)
    }

    fn judge(method: &str, path: &str) -> Verdict {
        let path = path.replace("DIGEST", DIGEST);
        let (path, query) =
            path.split_once('?').map_or((path.as_str(), None), |(path, query)| (path, Some(query)));
        rules(true).judge(&method.parse().unwrap(), path, query)
    }

    #[test]
    fn declared_artifacts_are_read() {
        assert_eq!(judge("GET", "/v2/"), Verdict::Ping);
        for path in ["/v2/flow/words/manifests/run-1", "/v2/flow/words/blobs/DIGEST"] {
            for method in ["GET", "HEAD"] {
                assert_eq!(judge(method, path), Verdict::Pass(Access::pull("flow/words")));
            }
        }
        assert_eq!(judge("GET", "/v2/a/blobs/b/manifests/1"), Verdict::Pass(Access::pull("a/blobs/b")));
        // The output may be read with the credentials for it: uploads look for what is there.
        assert_eq!(judge("HEAD", "/v2/flow/both/blobs/DIGEST"), Verdict::Pass(Access::pull("flow/both")));
        let without = rules(false).judge(&Method::HEAD, &format!("/v2/flow/both/blobs/{DIGEST}"), None);
        assert_eq!(without, Verdict::Pass(Access::push("flow/both")));
    }

    #[test]
    fn the_declared_output_is_written() {
        let access = Access::push("flow/both");
        assert_eq!(judge("PUT", "/v2/flow/both/manifests/run-2"), Verdict::Pass(access.clone()));
        assert_eq!(judge("PUT", "/v2/flow/both/manifests/DIGEST"), Verdict::Pass(access.clone()));
        assert_eq!(
            judge("POST", "/v2/flow/both/blobs/uploads/"),
            Verdict::Begin { access: access.clone(), query: String::new() }
        );
        assert_eq!(
            judge("POST", "/v2/flow/both/blobs/uploads/?mount=DIGEST&from=flow%2Fwords&x=y"),
            Verdict::Begin {
                access: Access { from: Some("flow/words".to_owned()), ..access.clone() },
                query: format!("mount={DIGEST}&from=flow/words"),
            }
        );
        assert_eq!(
            judge("POST", "/v2/flow/both/blobs/uploads/?mount=DIGEST&from=secret/x"),
            Verdict::Begin { access: access.clone(), query: String::new() },
            "nothing is mounted from elsewhere"
        );
        let query = format!("digest={DIGEST}");
        let session = "7".to_owned();
        assert_eq!(
            judge("PUT", "/v2/flow/both/blobs/uploads/7?digest=DIGEST"),
            Verdict::Continue { access, session, query }
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
            assert!(matches!(judge(method, path), Verdict::Refuse(_)), "{method} {path}");
        }
    }
}
