//! The values of single step annotations. Each function refuses a wrong value by a sentence that
//! names the annotation `key`, and returns `None` for it.

use super::artifact;
use crate::findings::Findings;
use crate::names;
use orascache_api::duration::Duration;
use orascache_api::endpoint::{Endpoint, EndpointError};
use orascache_api::names::KIND;
use orascache_api::reference;
use orascache_api::reuse::{MAX_FILES, MAX_SALT_LENGTH};
use orascache_api::steps::{ANNOTATION_PREFIX as PREFIX, annotation as name};
use orascache_api::template::{InputPathTemplate, InputPlaceholder, PathTemplate, Placeholder};

pub(crate) fn boolean(key: &str, text: &str, findings: &mut Findings) -> Option<bool> {
    match text {
        "true" => Some(true),
        "false" => Some(false),
        _ => {
            findings
                .refuse(format!("{PREFIX}{key} is \"{text}\": write \"true\" or \"false\", with the quotes"));
            None
        }
    }
}

pub(crate) fn duration(key: &str, text: &str, findings: &mut Findings) -> Option<Duration> {
    match Duration::parse(text) {
        Ok(duration) => Some(duration),
        Err(error) => {
            findings.refuse(format!("{PREFIX}{key} is \"{text}\", which {error}"));
            None
        }
    }
}

/// Whether the later one of two inputs wins. A wrong value counts as no.
pub(crate) fn last_wins(key: &str, text: &str, findings: &mut Findings) -> bool {
    if !matches!(text, "refuse" | "last-wins") {
        findings.refuse(format!("{PREFIX}{key} is \"{text}\": write refuse or last-wins"));
    }
    text == "last-wins"
}

/// Whether the compression is Zstandard. A wrong value counts as gzip.
pub(crate) fn zstd(key: &str, text: &str, findings: &mut Findings) -> bool {
    if !matches!(text, "gzip" | "zstd") {
        findings.refuse(format!("{PREFIX}{key} is \"{text}\": write gzip or zstd"));
    }
    text == "zstd"
}

/// Messages do not repeat the text, which may be long.
pub(crate) fn salt<'a>(key: &str, text: &'a str, findings: &mut Findings) -> Option<&'a str> {
    if text.len() > MAX_SALT_LENGTH {
        findings.refuse(format!(
            "{PREFIX}{key} has {} bytes: write at most {MAX_SALT_LENGTH}, or a digest of the text",
            text.len()
        ));
        return None;
    }
    Some(text)
}

pub(crate) fn path<'a>(key: &str, text: &'a str, findings: &mut Findings) -> Option<PathTemplate<'a>> {
    match PathTemplate::parse(text) {
        Ok(path) => Some(path),
        Err(error) => {
            let why = artifact::refusal(key, text, error, Placeholder::LIST);
            findings.refuse(format!("{PREFIX}{key} is {why}"));
            None
        }
    }
}

/// Paths that are separated by commas or line ends.
pub(crate) fn paths<'a>(key: &str, text: &'a str, findings: &mut Findings) -> Vec<PathTemplate<'a>> {
    let paths = text.split([',', '\n', '\r']).map(str::trim).filter(|path| !path.is_empty());
    let paths: Vec<&str> = paths.collect();
    if paths.is_empty() {
        findings
            .refuse(format!("{PREFIX}{key} names no file: write paths, separated by commas or line ends"));
    }
    if paths.len() > MAX_FILES {
        findings.refuse(format!("{PREFIX}{key} names {} files: name at most {MAX_FILES}", paths.len()));
        return Vec::new();
    }
    paths.into_iter().filter_map(|one| path(key, one, findings)).collect()
}

pub(crate) fn input_path<'a>(
    key: &str,
    text: &'a str,
    findings: &mut Findings,
) -> Option<InputPathTemplate<'a>> {
    match InputPathTemplate::parse(text) {
        Ok(path) => Some(path),
        Err(error) => {
            let why = artifact::refusal(key, text, error, InputPlaceholder::LIST);
            findings.refuse(format!("{PREFIX}{key} is {why}"));
            None
        }
    }
}

pub(crate) fn output_path<'a>(key: &str, text: &'a str, findings: &mut Findings) -> Option<PathTemplate<'a>> {
    if text.bytes().all(|byte| byte == b'/') {
        findings.refuse(format!(
            "{PREFIX}{key} is the root of the file system: name a file or a directory below it"
        ));
        return None;
    }
    path(key, text, findings)
}

pub(crate) fn registry<'a>(key: &str, text: &'a str, findings: &mut Findings) -> Option<Endpoint<'a>> {
    let sentence = match Endpoint::parse(text) {
        Ok(endpoint) => return Some(endpoint),
        // The value is not repeated: it may hold a password.
        Err(EndpointError::HasCredentials) => format!(
            "{PREFIX}{key} holds user or password: write a host with an optional port only, and name a Secret with credentials in {PREFIX}{}",
            name::ORAS_ENV
        ),
        Err(EndpointError::UnknownScheme(scheme)) => format!(
            "{PREFIX}{key} is \"{text}\", but {scheme}:// is not spoken here: write a host with an optional port, or http:// in front of it for a registry without TLS"
        ),
        Err(EndpointError::NotAHost) => format!(
            "{PREFIX}{key} is \"{text}\", which is not a host with an optional port: write one like ghcr.io, and put paths into the URIs"
        ),
    };
    findings.refuse(sentence);
    None
}

pub(crate) fn image<'a>(key: &str, text: &'a str, findings: &mut Findings) -> Option<&'a str> {
    if !reference::is_image(text) {
        findings.refuse(format!(
            "{PREFIX}{key} is \"{text}\", which is not an image reference: write one like registry.example.org/name:tag"
        ));
        return None;
    }
    Some(text)
}

pub(crate) fn cache_name<'a>(key: &str, text: &'a str, findings: &mut Findings) -> Option<&'a str> {
    if !names::is_subdomain(text) {
        findings.refuse(format!(
            "{PREFIX}{key} is \"{text}\", which no {KIND} can be called: use lower case letters, digits, '-' and '.'"
        ));
        return None;
    }
    Some(text)
}

/// Messages do not repeat the text: it may be a password in the wrong place.
pub(crate) fn secret_name<'a>(key: &str, text: &'a str, findings: &mut Findings) -> Option<&'a str> {
    if !names::is_subdomain(text) {
        findings.refuse(format!(
            "{PREFIX}{key} is not the name of a Secret: use lower case letters, digits, '-' and '.'"
        ));
        return None;
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_depends_on_a_thousand_files_at_most() {
        let mut findings = Findings::default();
        let files = |number: usize| vec!["/f"; number].join(",");
        assert_eq!(paths(name::REUSE_FILES, &files(MAX_FILES), &mut findings).len(), MAX_FILES);
        assert!(findings.problems.is_empty());
        paths(name::REUSE_FILES, &files(MAX_FILES + 1), &mut findings);
        assert_eq!(
            findings.problems,
            ["oras.converged-computing.github.io/reuse-files names 1001 files: name at most 1000"]
        );
    }
}
