//! Artifacts that a step pulls or pushes, as the annotations name them.

use crate::findings::Findings;
use orascache_api::steps::ANNOTATION_PREFIX as PREFIX;
use orascache_api::template::{Template, TemplateError};

/// What happens to an artifact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Pull,
    Push,
}

/// Reads the template in the annotation `name`.
pub(crate) fn read<'a>(
    name: &str,
    uri: &'a str,
    direction: Direction,
    findings: &mut Findings,
) -> Option<Template<'a>> {
    let template = match Template::parse(uri) {
        Ok(template) => template,
        Err(error) => {
            findings.refuse(format!("{PREFIX}{name} is {}", refusal(uri, error)));
            return None;
        }
    };
    if direction == Direction::Push && template.has_digest() {
        findings.refuse(format!(
            "{PREFIX}{name} is \"{uri}\", but what is pushed has no digest yet: name a tag only"
        ));
        return None;
    }
    if !template.has_tag() && !template.has_digest() {
        findings.warn(format!("{PREFIX}{name} has no tag, so that latest is meant"));
    }
    if let Some((first, _)) = uri.split_once('/')
        && first.contains('.')
    {
        findings.warn(format!(
            "{PREFIX}{name} begins with {first}, which is taken as a part of the repository: name another registry in {PREFIX}registry"
        ));
    }
    Some(template)
}

/// Says why a text is not a template, as the end of a sentence.
fn refusal(uri: &str, error: TemplateError<'_>) -> String {
    match error {
        TemplateError::HasScheme { scheme, rest } => {
            // Messages do not repeat credentials: refusals end up in events.
            let (uri, rest) = match rest.rsplit_once('@') {
                Some((_, rest)) => ("...", rest),
                None => (uri, rest),
            };
            let path = rest.split_once('/').map_or(rest, |(_, path)| path);
            format!(
                "\"{uri}\", but takes neither {scheme}:// nor a host: write {path}, and name a registry other than the cache in {PREFIX}registry"
            )
        }
        TemplateError::UnknownPlaceholder(placeholder) => format!(
            "\"{uri}\", but {placeholder} is no placeholder: write {{index}}, {{pod}}, {{job}} or {{namespace}}"
        ),
        TemplateError::Range(error) => format!("\"{uri}\", but {error}"),
        TemplateError::NotAReference(why) => {
            format!("\"{uri}\", but {why}: write it like flow/words:run-1, without a host")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let mut findings = Findings::default();
            assert_eq!(read("output-uri", uri, Direction::Push, &mut findings), None);
            let [problem] = findings.problems.as_slice() else { panic!("{uri}: {findings:?}") };
            assert!(
                problem.starts_with("oras.converged-computing.github.io/output-uri is \"")
                    && problem.contains(wanted),
                "{problem}"
            );
        }
    }

    #[test]
    fn messages_do_not_repeat_credentials() {
        let mut findings = Findings::default();
        read("input-uri", "oras://user:p4ss@host/a:1", Direction::Pull, &mut findings);
        assert!(findings.problems[0].contains("write a:1"), "{findings:?}");
        assert!(!findings.problems[0].contains("p4ss"), "{findings:?}");
    }

    #[test]
    fn an_odd_reference_is_pulled_with_warnings() {
        let mut findings = Findings::default();
        assert!(read("input-uri", "ghcr.io/lab/x", Direction::Pull, &mut findings).is_some());
        assert!(findings.problems.is_empty());
        assert_eq!(findings.warnings.len(), 2, "{findings:?}");
    }
}
