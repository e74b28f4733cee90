//! The step that the annotations of a pod or Job ask for.

use super::artifact;
use super::step_values as values;
use crate::authority::Authority;
use crate::findings::Findings;
use crate::json::Json;
use crate::misspelt;
use crate::step_annotations::{self, KNOWN, MAX_ANNOTATIONS, NUMBERED, numbered};
use orascache_api::duration::Duration;
use orascache_api::endpoint::Endpoint;
use orascache_api::flags::{InputFlag, OutputFlag};
use orascache_api::steps::{ANNOTATION_PREFIX as PREFIX, annotation as name};
use orascache_api::template::{InputPathTemplate, PathTemplate, Placeholders};

/// A step: what to pull, where, and what to push.
#[derive(Debug, Default)]
pub(crate) struct Step<'a> {
    /// Name of the cache. Empty when it is missing or refused.
    pub(crate) cache: &'a str,
    pub(crate) container: Option<&'a str>,
    /// A registry other than the cache's.
    pub(crate) registry: Option<Endpoint<'a>>,
    /// The authority of that registry.
    pub(crate) authority: Option<Authority<'a>>,
    /// Secret with credentials, as annotated.
    pub(crate) credentials: Option<&'a str>,
    /// What is pulled, in numeric order.
    pub(crate) inputs: Vec<InputFlag<'a>>,
    /// Where inputs without a path of their own go.
    pub(crate) input_path: Option<InputPathTemplate<'a>>,
    /// How long the step waits for inputs.
    pub(crate) input_wait: Option<Duration>,
    /// Whether the later one of two inputs wins that hold the same file with different content.
    pub(crate) last_input_wins: bool,
    /// What is pushed, in numeric order.
    pub(crate) outputs: Vec<OutputFlag<'a>>,
    /// What is pushed to the output without a path of its own.
    pub(crate) output_path: Option<PathTemplate<'a>>,
    pub(crate) output_pipe: Option<PathTemplate<'a>>,
    pub(crate) reuse: Option<Reuse<'a>>,
    pub(crate) unpack: bool,
    /// Whether a pushed directory is compressed with Zstandard instead of gzip.
    pub(crate) zstd: bool,
    /// Whether a provenance statement is left beside each output.
    pub(crate) provenance: bool,
    pub(crate) debug: bool,
    /// Image that carries the agent.
    pub(crate) image: Option<&'a str>,
}

/// What counts for the reuse of a step besides what always does.
#[derive(Debug, Default)]
pub(crate) struct Reuse<'a> {
    pub(crate) salt: Option<&'a str>,
    pub(crate) files: Vec<PathTemplate<'a>>,
}

impl Step<'_> {
    /// Whether the step does nothing at all.
    pub(crate) fn is_idle(&self) -> bool {
        self.inputs.is_empty() && self.outputs.is_empty() && self.output_pipe.is_none()
    }

    /// Placeholders of all its templates.
    pub(crate) fn placeholders(&self) -> Placeholders {
        let inputs = self.inputs.iter().filter_map(|input| input.path).chain(self.input_path);
        let inputs = inputs.map(|path| path.placeholders());
        let outputs = self.outputs.iter().filter_map(|output| output.path);
        let files = self.reuse.iter().flat_map(|reuse| &reuse.files).copied();
        let others = outputs.chain(self.output_path).chain(self.output_pipe).chain(files);
        let others = others.map(|path| path.placeholders());
        inputs.chain(others).fold(self.placeholders_of_uris(), Placeholders::union)
    }

    /// Placeholders of its inputs and outputs alone, without those of paths.
    pub(crate) fn placeholders_of_uris(&self) -> Placeholders {
        let inputs = self.inputs.iter().map(|input| input.input.placeholders());
        let outputs = self.outputs.iter().map(|output| output.output.placeholders());
        inputs.chain(outputs).fold(Placeholders::default(), Placeholders::union)
    }
}

/// An annotation with an optional number.
#[derive(Clone, Copy)]
struct Numbered<'a> {
    number: Option<u32>,
    key: &'a str,
    /// Its value. `None` for one that was refused.
    text: Option<&'a str>,
}

/// The numbered annotations, each list in numeric order.
#[derive(Default)]
struct Lists<'a> {
    input_uris: Vec<Numbered<'a>>,
    input_paths: Vec<Numbered<'a>>,
    output_uris: Vec<Numbered<'a>>,
    output_paths: Vec<Numbered<'a>>,
}

/// The annotation with this number.
fn find<'a>(list: &[Numbered<'a>], number: Option<u32>) -> Option<Numbered<'a>> {
    let index = list.binary_search_by_key(&number, |one| one.number).ok()?;
    list.get(index).copied()
}

/// Reads the step annotations. Refused annotations are left out of the step, so that the rest can
/// be checked too.
pub(crate) fn read<'a>(annotations: Option<&'a Json<'a>>, findings: &mut Findings) -> Step<'a> {
    if step_annotations::of(annotations).count() > MAX_ANNOTATIONS {
        findings.refuse(format!(
            "there are more than {MAX_ANNOTATIONS} annotations under {PREFIX}: write many inputs as one range, like {PREFIX}{}: flow/part:{{0..99}}, or pull one artifact with all files",
            name::INPUT_URI
        ));
        return Step::default();
    }
    let mut step = Step { unpack: true, provenance: true, ..Step::default() };
    let mut lists = Lists::default();
    let mut reuse = ReuseTexts::default();
    let mut has_cache = false;
    for (key, value) in step_annotations::of(annotations) {
        has_cache |= key == name::CACHE;
        let text = match value.as_str() {
            Some(text) if !text.trim().is_empty() => text,
            Some(_) => {
                findings.refuse(format!("{PREFIX}{key} is empty: give it a value or remove it"));
                lists.add_refused(key);
                continue;
            }
            None => {
                findings.refuse(format!("{PREFIX}{key} must be a string, not {}", value.type_name()));
                lists.add_refused(key);
                continue;
            }
        };
        // Values become arguments, variables and paths, which cannot hold all of these. Line ends
        // separate the paths of files.
        let is_wrong =
            |one: char| one.is_control() && !(key == name::REUSE_FILES && matches!(one, '\n' | '\r'));
        if text.chars().any(is_wrong) {
            findings.refuse(format!(
                "{PREFIX}{key} holds a control character, such as a line break or NUL: write it without"
            ));
            lists.add_refused(key);
            continue;
        }
        match key {
            name::CACHE => step.cache = values::cache_name(key, text, findings).unwrap_or_default(),
            name::CONTAINER => step.container = Some(text),
            name::ORAS_ENV => step.credentials = values::secret_name(key, text, findings),
            name::INPUT_WAIT => step.input_wait = values::duration(key, text, findings),
            name::INPUT_CONFLICTS => step.last_input_wins = values::last_wins(key, text, findings),
            name::OUTPUT_PIPE => step.output_pipe = values::path(key, text, findings),
            name::REGISTRY => step.registry = values::registry(key, text, findings),
            name::REGISTRY_CA => step.authority = Authority::read(key, text, findings),
            name::REUSE => reuse.asked = Some(values::boolean(key, text, findings).unwrap_or(false)),
            name::REUSE_SALT => reuse.salt = values::salt(key, text, findings),
            name::REUSE_FILES => reuse.files = Some(text),
            name::UNPACK => step.unpack = values::boolean(key, text, findings).unwrap_or(true),
            name::COMPRESSION => step.zstd = values::zstd(key, text, findings),
            name::PROVENANCE => step.provenance = values::boolean(key, text, findings).unwrap_or(true),
            name::DEBUG => step.debug = values::boolean(key, text, findings).unwrap_or(false),
            name::ORAS_CONTAINER => step.image = values::image(key, text, findings),
            name::ENTRYPOINT | name::ORAS_ENTRYPOINT => findings
                .warn(format!("{PREFIX}{key} is ignored: nothing is downloaded and run, so remove it")),
            _ => lists.add(key, text, findings),
        }
    }
    if !has_cache {
        findings.refuse(format!("{PREFIX}{} is missing: name the OrasCache to use", name::CACHE));
    }
    read_inputs(&lists, &mut step, findings);
    read_outputs(&lists, &mut step, findings);
    read_reuse(reuse, &mut step, findings);
    step
}

impl<'a> Lists<'a> {
    fn add(&mut self, key: &'a str, text: &'a str, findings: &mut Findings) {
        let Some((base, number)) = numbered(key) else {
            findings.refuse(format!("{PREFIX}{key} is unknown: {}", suggestion(key)));
            return;
        };
        self.insert(base, Numbered { number, key, text: Some(text) });
    }

    /// Remembers that an annotation is there, so that nobody is told to write it.
    fn add_refused(&mut self, key: &'a str) {
        if let Some((base, number)) = numbered(key) {
            self.insert(base, Numbered { number, key, text: None });
        }
    }

    /// Keeps the list in order. JSON may have a key twice: then both count.
    fn insert(&mut self, base: &str, one: Numbered<'a>) {
        let list = match base {
            name::INPUT_URI => &mut self.input_uris,
            name::INPUT_PATH => &mut self.input_paths,
            name::OUTPUT_URI => &mut self.output_uris,
            _ => &mut self.output_paths,
        };
        let index = list.partition_point(|other| other.number <= one.number);
        list.insert(index, one);
    }
}

/// What to write instead of an unknown annotation.
fn suggestion(key: &str) -> String {
    let has_number = |base: &str| key.strip_prefix(base).is_some_and(|rest| rest.starts_with('_'));
    if let Some(base) = NUMBERED.into_iter().find(|base| has_number(base)) {
        return format!(
            "write {base}, {base}_1, {base}_2 and so on, up to {} and without leading zeros",
            u32::MAX
        );
    }
    match misspelt::closest(key) {
        Some(known) => format!("write {known}"),
        None => format!("write one of {}, or remove it", KNOWN.join(", ")),
    }
}

fn read_inputs<'a>(lists: &Lists<'a>, step: &mut Step<'a>, findings: &mut Findings) {
    let (uri, path) = (name::INPUT_URI, name::INPUT_PATH);
    for one in &lists.input_uris {
        let own_path = one.number.and_then(|number| find(&lists.input_paths, Some(number)));
        let own_path = own_path.and_then(|own| values::input_path(own.key, own.text?, findings));
        let input = one.text.and_then(|text| artifact::input(one.key, text, findings));
        if let Some(input) = input {
            step.inputs.push(InputFlag { input, path: own_path });
        }
    }
    step.input_path =
        find(&lists.input_paths, None).and_then(|one| values::input_path(one.key, one.text?, findings));
    refuse_without_uri(&lists.input_paths, &lists.input_uris, uri, findings);
    for input in &step.inputs {
        let has_tag = input.path.or(step.input_path).is_some_and(|path| path.has_tag());
        if has_tag && input.input.has_digest() && !input.input.has_tag() {
            findings.refuse(format!(
                "the path of the input \"{}\" holds {{tag}}, which this input does not have: write its tag in front of @, or a name into the path",
                input.input.text()
            ));
        }
    }
    if !lists.input_uris.is_empty() {
        return;
    }
    let present = [
        (path, find(&lists.input_paths, None).is_some()),
        (name::INPUT_WAIT, step.input_wait.is_some()),
        (name::INPUT_CONFLICTS, step.last_input_wins),
    ];
    for (key, _) in present.into_iter().filter(|(_, is_present)| *is_present) {
        findings.warn(format!("{PREFIX}{key} has no effect without {PREFIX}{uri}: nothing is pulled"));
    }
    step.input_path = None;
    step.input_wait = None;
    step.last_input_wins = false;
}

fn read_outputs<'a>(lists: &Lists<'a>, step: &mut Step<'a>, findings: &mut Findings) {
    let (uri, path) = (name::OUTPUT_URI, name::OUTPUT_PATH);
    for one in &lists.output_uris {
        let found = find(&lists.output_paths, one.number);
        if found.is_none() {
            let missing = one.key.replacen(uri, path, 1);
            findings.refuse(format!(
                "{PREFIX}{missing} is missing: name the file or directory that is pushed to {PREFIX}{}",
                one.key
            ));
        }
        let own_path = found.and_then(|own| values::output_path(own.key, own.text?, findings));
        let output = one.text.and_then(|text| artifact::output(one.key, text, findings));
        let Some(output) = output else { continue };
        // The path of the output without a number is the default of the agent.
        if one.number.is_none() {
            step.output_path = own_path;
        }
        step.outputs.push(OutputFlag { output, path: own_path.filter(|_| one.number.is_some()) });
    }
    refuse_without_uri(&lists.output_paths, &lists.output_uris, uri, findings);
    if find(&lists.output_paths, None).is_some() && find(&lists.output_uris, None).is_none() {
        findings.warn(format!("{PREFIX}{path} has no effect without {PREFIX}{uri}: nothing is pushed"));
    }
    let is_before = |(index, text): &(usize, &str)| {
        step.outputs.iter().take(*index).any(|other| other.output.text() == *text)
    };
    let mut texts = step.outputs.iter().map(|output| output.output.text()).enumerate();
    if let Some((_, twice)) = texts.find(is_before) {
        findings.refuse(format!(
            "two outputs are pushed to \"{twice}\", where one would replace the other: give each a tag of its own"
        ));
    }
}

/// Refuses paths whose number no URI has.
fn refuse_without_uri(paths: &[Numbered<'_>], uris: &[Numbered<'_>], base: &str, findings: &mut Findings) {
    for one in paths {
        if let Some(number) = one.number
            && find(uris, one.number).is_none()
        {
            findings.refuse(format!(
                "{PREFIX}{} belongs to {PREFIX}{base}_{number}, which is missing: write that too, or remove it",
                one.key
            ));
        }
    }
}

/// The annotations about reuse, before it is known whether they count.
#[derive(Default)]
struct ReuseTexts<'a> {
    /// `None` when the annotation is missing.
    asked: Option<bool>,
    salt: Option<&'a str>,
    files: Option<&'a str>,
}

fn read_reuse<'a>(texts: ReuseTexts<'a>, step: &mut Step<'a>, findings: &mut Findings) {
    let files = texts.files.map(|text| values::paths(name::REUSE_FILES, text, findings));
    if texts.asked == Some(true) && !step.outputs.is_empty() {
        step.reuse = Some(Reuse { salt: texts.salt, files: files.unwrap_or_default() });
        return;
    }
    let mut warn = |key, other| {
        findings.warn(format!("{PREFIX}{key} has no effect without {PREFIX}{other}: nothing is reused"));
    };
    if texts.asked == Some(true) {
        warn(name::REUSE, name::OUTPUT_URI);
    } else if texts.asked.is_none() {
        let present = [(name::REUSE_SALT, texts.salt.is_some()), (name::REUSE_FILES, files.is_some())];
        for (key, _) in present.into_iter().filter(|(_, is_present)| *is_present) {
            warn(key, name::REUSE);
        }
    }
}
