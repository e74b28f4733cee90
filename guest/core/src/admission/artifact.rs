//! URIs of artifacts: `repository[:tag][@digest]` without a host, with placeholders.

use super::findings::Findings;
use crate::reference::{self, Reference};

/// Which placeholders a URI has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Placeholders {
    pub(crate) index: bool,
    pub(crate) pod: bool,
    pub(crate) job: bool,
    pub(crate) namespace: bool,
}

impl Placeholders {
    pub(crate) fn union(self, other: Self) -> Self {
        Placeholders {
            index: self.index || other.index,
            pod: self.pod || other.pod,
            job: self.job || other.job,
            namespace: self.namespace || other.namespace,
        }
    }
}

/// An artifact as the user wrote it, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Artifact<'a> {
    pub(crate) uri: &'a str,
    pub(crate) placeholders: Placeholders,
}

/// What happens to the artifact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Pull,
    Push,
}

impl<'a> Artifact<'a> {
    /// Checks the value of the annotation `name`; what is wrong goes to the findings.
    pub(crate) fn read(
        name: &str,
        uri: &'a str,
        direction: Direction,
        findings: &mut Findings,
    ) -> Option<Self> {
        if let Some((scheme, rest)) = reference::split_scheme(uri) {
            // Credentials are not repeated: refusals end up in events.
            let (uri, rest) = if rest.contains('@') {
                ("...", rest.rsplit('@').next().unwrap_or_default())
            } else {
                (uri, rest)
            };
            let rest = rest.split_once('/').map_or(rest, |(_, path)| path);
            findings.refuse("@% is \"%\", but takes neither %:// nor a host: write %, and name a registry other than the cache in @registry", &[name, uri, scheme, rest]);
            return None;
        }
        let (example, placeholders) = match without_placeholders(uri) {
            Ok(found) => found,
            Err(unknown) => {
                findings.refuse(
                    "@% is \"%\", but % is no placeholder: write {index}, {pod}, {job} or {namespace}",
                    &[name, uri, unknown],
                );
                return None;
            }
        };
        let reference = match Reference::parse(&example) {
            Ok(reference) => reference,
            Err(why) => {
                findings.refuse(
                    "@% is \"%\", but %: write it like flow/words:run-1, without a host",
                    &[name, uri, why],
                );
                return None;
            }
        };
        if direction == Direction::Push && reference.digest.is_some() {
            findings
                .refuse("@% is \"%\", but what is pushed has no digest yet: name a tag only", &[name, uri]);
            return None;
        }
        if reference.tag.is_none() && reference.digest.is_none() {
            findings.warn("@% has no tag, so that latest is meant", &[name]);
        }
        if let Some((first, _)) = uri.split_once('/')
            && first.contains('.')
        {
            findings.warn("@% begins with %, which is taken as a part of the repository: name another registry in @registry", &[name, first]);
        }
        Some(Artifact { uri, placeholders })
    }
}

/// The URI with every placeholder replaced by a character that is allowed everywhere, and which there were; or
/// the first that is none.
fn without_placeholders(uri: &str) -> Result<(String, Placeholders), &str> {
    let mut example = String::with_capacity(uri.len());
    let mut found = Placeholders::default();
    let mut rest = uri;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, behind)) = after.split_once('}') else {
            return Err(uri.get(uri.len() - after.len() - 1..).unwrap_or(uri));
        };
        match name {
            "index" => found.index = true,
            "pod" => found.pod = true,
            "job" => found.job = true,
            "namespace" => found.namespace = true,
            _ => {
                let start = uri.len() - after.len() - 1;
                return Err(uri.get(start..start + name.len() + 2).unwrap_or(uri));
            }
        }
        example.push_str(before);
        example.push('0');
        rest = behind;
    }
    example.push_str(rest);
    Ok((example, found))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(uri: &str, direction: Direction) -> (Option<Placeholders>, Findings) {
        let mut findings = Findings::default();
        let read = Artifact::read("output-uri", uri, direction, &mut findings);
        (read.map(|artifact| artifact.placeholders), findings)
    }

    #[test]
    fn placeholders_may_stand_anywhere() {
        let (found, findings) = read("{namespace}/{job}-x:{index}", Direction::Push);
        assert_eq!(found, Some(Placeholders { index: true, job: true, namespace: true, pod: false }));
        assert!(findings.problems.is_empty() && findings.warnings.is_empty(), "{findings:?}");
    }

    #[test]
    fn each_refusal_says_what_to_write() {
        for (uri, wanted) in [
            ("a:{rank}", "{rank} is no placeholder: write {index}"),
            ("a:{pod", "{pod is no placeholder"),
            ("oras://host/a:1", "takes neither oras:// nor a host: write a:1"),
            ("Flow:1", "its repository may hold lower case"),
            ("host:5000/a:1", "without a host"),
            ("a@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "name a tag only"),
        ] {
            let (found, findings) = read(uri, Direction::Push);
            assert_eq!(found, None);
            let [problem] = findings.problems.as_slice() else { panic!("{uri}: {findings:?}") };
            assert!(
                problem.starts_with("oras.converged-computing.github.io/output-uri is \"")
                    && problem.contains(wanted),
                "{problem}"
            );
        }
    }

    #[test]
    fn the_odd_is_pulled_with_a_warning() {
        let (found, findings) = read("ghcr.io/lab/x", Direction::Pull);
        assert!(found.is_some() && findings.problems.is_empty());
        assert_eq!(findings.warnings.len(), 2, "{findings:?}");
    }
}
