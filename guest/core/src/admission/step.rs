//! What the annotations of a pod or Job ask for.

use super::PREFIX;
use super::artifact::{Artifact, Direction, Placeholders};
use super::findings::Findings;
use super::names;
use crate::json::Json;
use crate::reference;
use orascache_api::names::KIND;
use orascache_api::steps::annotation as name;

/// A step: what to pull, where, and what to push.
#[derive(Debug, Default)]
pub(crate) struct Step<'a> {
    pub(crate) cache: &'a str,
    pub(crate) container: Option<&'a str>,
    pub(crate) registry: Option<Registry<'a>>,
    /// Secret with credentials, as annotated.
    pub(crate) credentials: Option<&'a str>,
    pub(crate) inputs: Vec<Artifact<'a>>,
    pub(crate) input_path: Option<&'a str>,
    pub(crate) output: Option<Artifact<'a>>,
    pub(crate) output_path: Option<&'a str>,
    pub(crate) output_pipe: Option<&'a str>,
    pub(crate) unpack: bool,
    pub(crate) debug: bool,
    /// Image that carries the agent.
    pub(crate) image: Option<&'a str>,
}

/// A registry that is not the cache's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Registry<'a> {
    pub(crate) host: &'a str,
    pub(crate) plain_http: bool,
}

impl Step<'_> {
    /// Whether the step does anything at all.
    pub(crate) fn is_idle(&self) -> bool {
        self.inputs.is_empty() && self.output.is_none() && self.output_pipe.is_none()
    }

    /// Placeholders of all its URIs.
    pub(crate) fn placeholders(&self) -> Placeholders {
        self.inputs
            .iter()
            .chain(&self.output)
            .fold(Placeholders::default(), |all, artifact| all.union(artifact.placeholders))
    }
}

/// The annotations under our prefix, without it.
pub(crate) fn ours<'a>(annotations: Option<&'a Json<'a>>) -> impl Iterator<Item = (&'a str, &'a Json<'a>)> {
    let members: &[_] = match annotations {
        Some(Json::Object(members)) => members,
        _ => &[],
    };
    members.iter().filter_map(|(key, value)| Some((key.strip_prefix(PREFIX)?, value)))
}

/// More annotations than any step needs. Every one is a request of the agent, and costs time here.
pub(crate) const MAX_ANNOTATIONS: usize = 256;

/// Reads the contract. What is refused is among the findings and left out, so that the rest can be checked too.
pub(crate) fn read<'a>(annotations: Option<&'a Json<'a>>, findings: &mut Findings) -> Step<'a> {
    if ours(annotations).count() > MAX_ANNOTATIONS {
        findings.refuse(
            "there are more than % annotations under @: pull one artifact with all files instead of many",
            &[&MAX_ANNOTATIONS.to_string()],
        );
        return Step::default();
    }
    let mut step = Step { unpack: true, ..Step::default() };
    let mut inputs: Vec<(Option<u32>, Artifact<'a>)> = Vec::new();
    for (key, value) in ours(annotations) {
        let Some(text) = value.as_str() else {
            findings.refuse("@% must be a string, not %", &[key, value.type_name()]);
            continue;
        };
        if text.trim().is_empty() {
            findings.refuse("@% is empty: give it a value or remove it", &[key]);
            continue;
        }
        match key {
            name::CACHE => step.cache = object_name(key, text, KIND, findings).unwrap_or_default(),
            name::CONTAINER => step.container = Some(text),
            name::ORAS_ENV => step.credentials = object_name(key, text, "Secret", findings),
            name::INPUT_PATH => step.input_path = Some(text),
            name::OUTPUT_PATH => step.output_path = output_path(key, text, findings),
            name::OUTPUT_PIPE => step.output_pipe = Some(text),
            name::OUTPUT_URI => step.output = Artifact::read(key, text, Direction::Push, findings),
            name::REGISTRY => step.registry = registry(key, text, findings),
            name::UNPACK => step.unpack = flag(key, text, findings).unwrap_or(true),
            name::DEBUG => step.debug = flag(key, text, findings).unwrap_or(false),
            name::ORAS_CONTAINER => step.image = image(key, text, findings),
            name::ENTRYPOINT | name::ORAS_ENTRYPOINT => {
                findings.warn("@% is ignored: nothing is downloaded and run, so remove it", &[key]);
            }
            _ => match input_number(key) {
                Some(number) => {
                    if let Some(artifact) = Artifact::read(key, text, Direction::Pull, findings) {
                        let place = inputs.partition_point(|(other, _)| *other < number);
                        inputs.insert(place, (number, artifact));
                    }
                }
                None => findings.refuse("@% is unknown%", &[key, suggestion(key)]),
            },
        }
    }
    step.inputs = inputs.into_iter().map(|(_, artifact)| artifact).collect();
    agree(&step, annotations, findings);
    step
}

/// Rules between annotations.
fn agree(step: &Step<'_>, annotations: Option<&Json<'_>>, findings: &mut Findings) {
    let says = |wanted: &str| ours(annotations).any(|(key, _)| key == wanted);
    if step.cache.is_empty() && !says(name::CACHE) {
        findings.refuse("@% is missing: name the OrasCache to use", &[name::CACHE]);
    }
    if says(name::OUTPUT_URI) && !says(name::OUTPUT_PATH) {
        findings.refuse(
            "@% is missing: name the file or directory that is pushed to @%",
            &[name::OUTPUT_PATH, name::OUTPUT_URI],
        );
    }
    if says(name::OUTPUT_PATH) && !says(name::OUTPUT_URI) {
        findings
            .warn("@% has no effect without @%: nothing is pushed", &[name::OUTPUT_PATH, name::OUTPUT_URI]);
    }
    if says(name::INPUT_PATH) && !ours(annotations).any(|(key, _)| input_number(key).is_some()) {
        findings.warn("@% has no effect without @%: nothing is pulled", &[name::INPUT_PATH, name::INPUT_URI]);
    }
}

/// `input-uri` comes first, then `input-uri_N` in numeric order. One number has one spelling, so that no two
/// annotations claim the same place.
fn input_number(key: &str) -> Option<Option<u32>> {
    let rest = key.strip_prefix(name::INPUT_URI)?;
    if rest.is_empty() {
        return Some(None);
    }
    let digits = rest.strip_prefix('_')?;
    let is_canonical = digits == "0" || !digits.starts_with('0');
    (is_canonical && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| digits.parse().ok())
        .flatten()
        .map(Some)
}

/// Whether an annotation, without our prefix, is another input.
pub(crate) fn is_input(key: &str) -> bool {
    input_number(key).is_some()
}

/// Whether a step can have an annotation, without our prefix.
pub(crate) fn is_known(key: &str) -> bool {
    let others = [
        name::CACHE,
        name::CONTAINER,
        name::ORAS_ENV,
        name::INPUT_PATH,
        name::OUTPUT_PATH,
        name::OUTPUT_PIPE,
        name::OUTPUT_URI,
        name::REGISTRY,
        name::UNPACK,
        name::DEBUG,
        name::ORAS_CONTAINER,
    ];
    is_input(key) || others.contains(&key)
}

fn suggestion(key: &str) -> &'static str {
    if key.starts_with("input") {
        ": more inputs are input-uri_1, input-uri_2 and so on, up to 4294967295 and without leading zeros"
    } else {
        ": write one of oras-cache, input-uri, input-uri_N, input-path, output-uri, output-path, output-pipe, container, registry, oras-env, unpack, oras-container and debug"
    }
}

fn flag(key: &str, text: &str, findings: &mut Findings) -> Option<bool> {
    match text {
        "true" => Some(true),
        "false" => Some(false),
        _ => {
            findings.refuse("@% is \"%\": write \"true\" or \"false\", with the quotes", &[key, text]);
            None
        }
    }
}

fn output_path<'a>(key: &str, text: &'a str, findings: &mut Findings) -> Option<&'a str> {
    if text.bytes().all(|byte| byte == b'/') {
        findings.refuse("@% is the root of the file system: name a file or a directory below it", &[key]);
        return None;
    }
    Some(text)
}

fn registry<'a>(key: &str, text: &'a str, findings: &mut Findings) -> Option<Registry<'a>> {
    if text.contains('@') {
        // The value is not repeated: it may hold a password.
        findings.refuse("@% holds user or password: write a host with an optional port only, and name a Secret with credentials in @%", &[key, name::ORAS_ENV]);
        return None;
    }
    let (host, plain_http) = match reference::split_scheme(text) {
        Some(("http", host)) => (host, true),
        Some(("https", host)) => (host, false),
        None => (text, false),
        Some((scheme, _)) => {
            findings.refuse("@% is \"%\", but %:// is not spoken here: write a host with an optional port, or http:// in front of it for a registry without TLS", &[key, text, scheme]);
            return None;
        }
    };
    if !reference::is_host(host) {
        findings.refuse("@% is \"%\", which is not a host with an optional port: write one like ghcr.io, and put paths into the URIs", &[key, text]);
        return None;
    }
    Some(Registry { host, plain_http })
}

fn image<'a>(key: &str, text: &'a str, findings: &mut Findings) -> Option<&'a str> {
    if !reference::is_image(text) {
        findings.refuse(
            "@% is \"%\", which is not an image reference: write one like registry.example.org/name:tag",
            &[key, text],
        );
        return None;
    }
    Some(text)
}

fn object_name<'a>(key: &str, text: &'a str, kind: &str, findings: &mut Findings) -> Option<&'a str> {
    if !names::is_subdomain(text) {
        findings.refuse(
            "@% is \"%\", which no % can be called: use lower case letters, digits, '-' and '.'",
            &[key, text, kind],
        );
        return None;
    }
    Some(text)
}
