//! The step that the annotations of a pod or Job ask for.

use super::artifact::{self, Direction};
use crate::findings::Findings;
use crate::json::Json;
use crate::names;
use crate::step_annotations::{self, MAX_ANNOTATIONS, input_number};
use orascache_api::endpoint::{Endpoint, EndpointError};
use orascache_api::names::KIND;
use orascache_api::reference;
use orascache_api::steps::{ANNOTATION_PREFIX as PREFIX, annotation as name};
use orascache_api::template::{Placeholders, Template};

/// A step: what to pull, where, and what to push.
#[derive(Debug, Default)]
pub(crate) struct Step<'a> {
    /// Name of the cache. Empty when it is missing or refused.
    pub(crate) cache: &'a str,
    pub(crate) container: Option<&'a str>,
    /// A registry other than the cache's.
    pub(crate) registry: Option<Endpoint<'a>>,
    /// Secret with credentials, as annotated.
    pub(crate) credentials: Option<&'a str>,
    pub(crate) inputs: Vec<Template<'a>>,
    pub(crate) input_path: Option<&'a str>,
    pub(crate) output: Option<Template<'a>>,
    pub(crate) output_path: Option<&'a str>,
    pub(crate) output_pipe: Option<&'a str>,
    pub(crate) unpack: bool,
    pub(crate) debug: bool,
    /// Image that carries the agent.
    pub(crate) image: Option<&'a str>,
}

impl Step<'_> {
    /// Whether the step does nothing at all.
    pub(crate) fn is_idle(&self) -> bool {
        self.inputs.is_empty() && self.output.is_none() && self.output_pipe.is_none()
    }

    /// Placeholders of all its templates.
    pub(crate) fn placeholders(&self) -> Placeholders {
        self.inputs
            .iter()
            .chain(&self.output)
            .fold(Placeholders::default(), |all, template| all.union(template.placeholders()))
    }
}

/// Reads the step annotations. Refused annotations are left out of the step, so that the rest can
/// be checked too.
pub(crate) fn read<'a>(annotations: Option<&'a Json<'a>>, findings: &mut Findings) -> Step<'a> {
    if step_annotations::of(annotations).count() > MAX_ANNOTATIONS {
        findings.refuse(format!(
            "there are more than {MAX_ANNOTATIONS} annotations under {PREFIX}: pull one artifact with all files instead of many"
        ));
        return Step::default();
    }
    let mut step = Step { unpack: true, ..Step::default() };
    let mut inputs: Vec<(Option<u32>, Template<'a>)> = Vec::new();
    for (key, value) in step_annotations::of(annotations) {
        let Some(text) = value.as_str() else {
            findings.refuse(format!("{PREFIX}{key} must be a string, not {}", value.type_name()));
            continue;
        };
        if text.trim().is_empty() {
            findings.refuse(format!("{PREFIX}{key} is empty: give it a value or remove it"));
            continue;
        }
        // Values become arguments, variables and paths, which cannot hold all of these.
        if text.chars().any(char::is_control) {
            findings.refuse(format!(
                "{PREFIX}{key} holds a control character, such as a line break or NUL: write it without"
            ));
            continue;
        }
        match key {
            name::CACHE => step.cache = cache_name(key, text, findings).unwrap_or_default(),
            name::CONTAINER => step.container = Some(text),
            name::ORAS_ENV => step.credentials = secret_name(key, text, findings),
            name::INPUT_PATH => step.input_path = Some(text),
            name::OUTPUT_PATH => step.output_path = output_path(key, text, findings),
            name::OUTPUT_PIPE => step.output_pipe = Some(text),
            name::OUTPUT_URI => step.output = artifact::read(key, text, Direction::Push, findings),
            name::REGISTRY => step.registry = registry(key, text, findings),
            // The scheduling gate and the agent read it.
            name::INPUT_WAIT => {}
            name::UNPACK => step.unpack = flag(key, text, findings).unwrap_or(true),
            name::DEBUG => step.debug = flag(key, text, findings).unwrap_or(false),
            name::ORAS_CONTAINER => step.image = image(key, text, findings),
            name::ENTRYPOINT | name::ORAS_ENTRYPOINT => findings
                .warn(format!("{PREFIX}{key} is ignored: nothing is downloaded and run, so remove it")),
            _ => match input_number(key) {
                Some(number) => {
                    if let Some(template) = artifact::read(key, text, Direction::Pull, findings) {
                        inputs.push((number, template));
                    }
                }
                None => findings.refuse(format!("{PREFIX}{key} is unknown: {}", suggestion(key))),
            },
        }
    }
    inputs.sort_by_key(|(number, _)| *number);
    step.inputs = inputs.into_iter().map(|(_, template)| template).collect();
    check_combinations(&step, annotations, findings);
    step
}

/// Rules between annotations.
fn check_combinations(step: &Step<'_>, annotations: Option<&Json<'_>>, findings: &mut Findings) {
    let has = |wanted: &str| step_annotations::of(annotations).any(|(key, _)| key == wanted);
    let (input_path, input_uri) = (name::INPUT_PATH, name::INPUT_URI);
    let (output_path, output_uri) = (name::OUTPUT_PATH, name::OUTPUT_URI);
    if step.cache.is_empty() && !has(name::CACHE) {
        findings.refuse(format!("{PREFIX}{} is missing: name the OrasCache to use", name::CACHE));
    }
    if has(output_uri) && !has(output_path) {
        findings.refuse(format!(
            "{PREFIX}{output_path} is missing: name the file or directory that is pushed to {PREFIX}{output_uri}"
        ));
    }
    if has(output_path) && !has(output_uri) {
        findings.warn(format!(
            "{PREFIX}{output_path} has no effect without {PREFIX}{output_uri}: nothing is pushed"
        ));
    }
    let has_input = step_annotations::of(annotations).any(|(key, _)| step_annotations::is_input(key));
    if has(input_path) && !has_input {
        findings.warn(format!(
            "{PREFIX}{input_path} has no effect without {PREFIX}{input_uri}: nothing is pulled"
        ));
    }
}

fn suggestion(key: &str) -> &'static str {
    if key.starts_with("input") {
        "more inputs are input-uri_1, input-uri_2 and so on, up to 4294967295 and without leading zeros"
    } else {
        "write one of oras-cache, input-uri, input-uri_N, input-path, output-uri, output-path, output-pipe, container, registry, oras-env, unpack, oras-container and debug"
    }
}

fn flag(key: &str, text: &str, findings: &mut Findings) -> Option<bool> {
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

fn output_path<'a>(key: &str, text: &'a str, findings: &mut Findings) -> Option<&'a str> {
    if text.bytes().all(|byte| byte == b'/') {
        findings.refuse(format!(
            "{PREFIX}{key} is the root of the file system: name a file or a directory below it"
        ));
        return None;
    }
    Some(text)
}

fn registry<'a>(key: &str, text: &'a str, findings: &mut Findings) -> Option<Endpoint<'a>> {
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

fn image<'a>(key: &str, text: &'a str, findings: &mut Findings) -> Option<&'a str> {
    if !reference::is_image(text) {
        findings.refuse(format!(
            "{PREFIX}{key} is \"{text}\", which is not an image reference: write one like registry.example.org/name:tag"
        ));
        return None;
    }
    Some(text)
}

fn cache_name<'a>(key: &str, text: &'a str, findings: &mut Findings) -> Option<&'a str> {
    if !names::is_subdomain(text) {
        findings.refuse(format!(
            "{PREFIX}{key} is \"{text}\", which no {KIND} can be called: use lower case letters, digits, '-' and '.'"
        ));
        return None;
    }
    Some(text)
}

/// Messages do not repeat the text: it may be a password in the wrong place.
fn secret_name<'a>(key: &str, text: &'a str, findings: &mut Findings) -> Option<&'a str> {
    if !names::is_subdomain(text) {
        findings.refuse(format!(
            "{PREFIX}{key} is not the name of a Secret: use lower case letters, digits, '-' and '.'"
        ));
        return None;
    }
    Some(text)
}
