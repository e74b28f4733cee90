//! Artifacts that a step pulls or pushes, as the annotations name them.

use crate::findings::Findings;
use orascache_api::reference::{is_host, names_a_host};
use orascache_api::steps::{ANNOTATION_PREFIX as PREFIX, annotation};
use orascache_api::template::{InputTemplate, Placeholder, Template, TemplateError};

/// Reads the input in the annotation `name`.
pub(crate) fn input<'a>(name: &str, uri: &'a str, findings: &mut Findings) -> Option<InputTemplate<'a>> {
    let template = match InputTemplate::parse(uri) {
        Ok(template) => template,
        Err(error) => {
            refuse(name, uri, error, findings);
            return None;
        }
    };
    warn(name, uri, template.has_tag() || template.has_digest(), findings);
    Some(template)
}

/// Reads the output in the annotation `name`.
pub(crate) fn output<'a>(name: &str, uri: &'a str, findings: &mut Findings) -> Option<Template<'a>> {
    let template = match Template::parse(uri) {
        Ok(template) => template,
        Err(error) => {
            refuse(name, uri, error, findings);
            return None;
        }
    };
    if template.has_digest() {
        findings.refuse(format!(
            "{PREFIX}{name} is \"{uri}\", but what is pushed has no digest yet: name a tag only"
        ));
        return None;
    }
    warn(name, uri, template.has_tag(), findings);
    Some(template)
}

fn refuse(name: &str, uri: &str, error: TemplateError<'_>, findings: &mut Findings) {
    findings.refuse(format!("{PREFIX}{name} is {}", refusal(name, uri, error, Placeholder::LIST)));
}

fn warn(name: &str, uri: &str, is_named: bool, findings: &mut Findings) {
    if !is_named {
        findings.warn(format!("{PREFIX}{name} has no tag, so that latest is meant"));
    }
    if let Some((first, path)) = uri.split_once('/')
        && names_a_host(first)
    {
        findings.warn(format!(
            "{PREFIX}{name} begins with {first}, which is taken as a part of the repository: if it is a host, {}",
            remedy(name, None, first, path)
        ));
    }
}

/// Says why a text is not a template, as the end of a sentence. `known` lists the placeholders that
/// exist.
pub(crate) fn refusal(name: &str, uri: &str, error: TemplateError<'_>, known: &str) -> String {
    match error {
        TemplateError::HasScheme { scheme, rest } => {
            // Messages do not repeat credentials: refusals end up in events.
            let (uri, rest) = match rest.rsplit_once('@') {
                Some((_, rest)) => ("...", rest),
                None => (uri, rest),
            };
            let (host, path) = rest.split_once('/').unwrap_or(("", rest));
            let remedy = if is_host(host) {
                remedy(name, Some(scheme), host, path)
            } else {
                format!("write {path}, and name a registry other than the cache in {PREFIX}registry")
            };
            format!("\"{uri}\", but takes neither {scheme}:// nor a host: {remedy}")
        }
        TemplateError::UnknownPlaceholder(placeholder) => {
            format!("\"{uri}\", but {placeholder} is no placeholder: write {known}")
        }
        TemplateError::Range(error) => format!("\"{uri}\", but {error}"),
        TemplateError::NotAReference(why) => {
            // What stands before an @ may be a password, unless a digest follows it.
            let has_credentials = uri.split_once('@').is_some_and(|(_, rest)| !rest.starts_with("sha"));
            let shown = if has_credentials { "..." } else { uri };
            match uri.split_once('/') {
                Some((host, path))
                    if names_a_host(host) && is_host(host) && InputTemplate::parse(path).is_ok() =>
                {
                    format!("\"{shown}\", but takes no host like {host}: {}", remedy(name, None, host, path))
                }
                _ => format!("\"{shown}\", but {why}: write it like flow/words:run-1, without a host"),
            }
        }
    }
}

/// What to write instead of a URI with a host.
fn remedy(name: &str, scheme: Option<&str>, host: &str, path: &str) -> String {
    let (http, or_https) = match scheme {
        Some("http") => ("http://", ""),
        // Registries on this machine and at addresses seldom have TLS.
        None if is_local(host) => ("http://", " (without http:// where it has TLS)"),
        _ => ("", ""),
    };
    format!("write {PREFIX}{}: {http}{host}{or_https} and {PREFIX}{name}: {path}", annotation::REGISTRY)
}

/// Whether a host is an address, this machine, or a Service of the cluster.
fn is_local(host: &str) -> bool {
    let name = host.split_once(':').map_or(host, |(name, _)| name);
    let is_address = host.starts_with('[') || name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    is_address || !name.contains('.') || name.split('.').any(|label| label == "svc")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(read: impl FnOnce(&mut Findings) -> bool) -> String {
        let mut findings = Findings::default();
        assert!(!read(&mut findings));
        let [problem] = findings.problems.as_slice() else { panic!("{findings:?}") };
        problem.clone()
    }

    #[test]
    fn each_refusal_says_what_to_write() {
        for (uri, wanted) in [
            ("a:{rank}", "{rank} is no placeholder: write {index}, {pod}, {job} or {namespace}"),
            ("a:{pod", "{pod is no placeholder"),
            ("a:{0..9}", "{0..9} is a range, which only the URI of an input may have"),
            ("oras://host_/a:1", "takes neither oras:// nor a host: write a:1"),
            ("Flow:1", "its repository may hold lower case"),
            ("a@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "name a tag only"),
        ] {
            let problem = problem(|findings| output("output-uri", uri, findings).is_some());
            assert!(
                problem.starts_with("oras.converged-computing.github.io/output-uri is \"")
                    && problem.contains(wanted),
                "{problem}"
            );
        }
    }

    #[test]
    fn a_uri_with_a_host_is_split_into_two_annotations() {
        for (uri, registry, rest) in [
            (
                "127.0.0.1:5000/flow/o:1",
                "http://127.0.0.1:5000 (without http:// where it has TLS)",
                "flow/o:1",
            ),
            ("localhost:5000/o:{pod}", "http://localhost:5000 (without http:// where it has TLS)", "o:{pod}"),
            ("[fd00::1]:5000/o:1", "http://[fd00::1]:5000 (without http:// where it has TLS)", "o:1"),
            ("ghcr.io:443/flow/o:{0..9}", "ghcr.io:443", "flow/o:{0..9}"),
            ("http://ghcr.io/o:1", "http://ghcr.io", "o:1"),
            ("https://ghcr.io/o:1", "ghcr.io", "o:1"),
            ("oras://localhost:5000/o:1", "localhost:5000", "o:1"),
        ] {
            let problem = problem(|findings| input("input-uri_3", uri, findings).is_some());
            let wanted = format!("write {PREFIX}registry: {registry} and {PREFIX}input-uri_3: {rest}");
            assert!(problem.ends_with(&wanted), "{problem}");
        }
    }

    #[test]
    fn messages_do_not_repeat_credentials() {
        for (uri, wanted) in [
            ("oras://user:p4ss@host/a:1", "input-uri: a:1"),
            ("user:p4ss@host/a:1", "without a host"),
            ("user:p4ss@host:5000/a:1", "without a host"),
        ] {
            let problem = problem(|findings| input("input-uri", uri, findings).is_some());
            assert!(problem.contains(wanted) && !problem.contains("p4ss"), "{problem}");
        }
    }

    #[test]
    fn an_odd_reference_is_pulled_with_warnings() {
        let mut findings = Findings::default();
        assert!(input("input-uri", "ghcr.io/lab/x", &mut findings).is_some());
        assert!(findings.problems.is_empty());
        assert_eq!(findings.warnings.len(), 2, "{findings:?}");
        assert!(findings.warnings[1].contains("registry: ghcr.io and "), "{findings:?}");
    }
}
