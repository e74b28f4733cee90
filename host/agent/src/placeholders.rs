//! Artifacts and paths with placeholders, which stand for values that the downward API gives to the
//! pod, and with ranges, which stand for many artifacts.

use oci_registry_client::ArtifactReference;
use orascache_api::flags::{FlagError, InputFlag, OutputFlag};
use orascache_api::reference::{Reference, split_scheme};
use orascache_api::template::{
    Artifacts, InputPathTemplate, InputPlaceholder, InputTemplate, PathTemplate, Placeholder, Template,
    TemplateError,
};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// An artifact to pull.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Its reference.
    pub reference: ArtifactReference,
    /// The directory that it is pulled into.
    pub into: PathBuf,
}

/// An artifact to push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its reference, which has no digest.
    pub reference: ArtifactReference,
    /// The file or directory that is pushed.
    pub path: PathBuf,
}

/// What a URI looks like.
const EXAMPLE: &str = "write it like flow/words:run-1, without a host";

/// A flag and its value, for messages.
#[derive(Clone, Copy)]
struct Given<'a> {
    flag: &'a str,
    value: &'a str,
}

impl Given<'_> {
    /// A sentence about what is wrong with the value.
    fn wrong(&self, why: &str) -> String {
        format!("{} is \"{}\", but {why}", self.flag, self.shown())
    }

    fn shown(&self) -> &str {
        // The text before an @ may be a password, which must not be shown.
        let is_secret = split_scheme(self.value).is_some_and(|(_, rest)| rest.contains('@'));
        if is_secret { "..." } else { self.value }
    }

    fn wrong_template(&self, error: TemplateError<'_>, placeholders: &str) -> String {
        match error {
            TemplateError::HasScheme { .. } => self.wrong(&format!("it begins like an address: {EXAMPLE}")),
            TemplateError::UnknownPlaceholder(text) => {
                self.wrong(&format!("{text} is no placeholder: write {placeholders}"))
            }
            TemplateError::Range(error) => self.wrong(&error.to_string()),
            TemplateError::NotAReference(why) => self.wrong(&format!("{why}: {EXAMPLE}")),
        }
    }

    fn wrong_flag(&self, error: FlagError<'_>, placeholders_of_path: &str) -> String {
        match error {
            FlagError::Reference(_, error) => self.wrong_template(error, Placeholder::LIST),
            FlagError::Path(_, error) => self.wrong_template(error, placeholders_of_path),
            FlagError::EmptyPath => {
                self.wrong("nothing stands behind \",path=\": write a path, or leave it out")
            }
            FlagError::UnknownPart(rest) => {
                self.wrong(&format!("\"{rest}\" is unknown: only \",path=\" and a path may stand there"))
            }
        }
    }

    /// Reads a text without placeholders as a reference.
    fn reference(&self, expanded: &str) -> Result<ArtifactReference, String> {
        ArtifactReference::parse(expanded).map_err(|why| {
            let (flag, shown) = (self.flag, self.shown());
            format!("{flag} is \"{shown}\", which is \"{expanded}\" here, but {why}: {EXAMPLE}")
        })
    }
}

/// Reads the values of `--input`. A range in a value stands for several artifacts, which follow
/// each other in its order. `default_path` is the value of `--input-path`, for inputs without a
/// path of their own; without one they go to the working directory. `most` is the largest number
/// of artifacts.
///
/// # Errors
/// A sentence that says what is wrong and what to write.
pub fn inputs(
    values: &[String],
    default_path: Option<&Path>,
    most: u64,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<Vec<Input>, String> {
    let flag = "--input";
    let mut flags = Vec::new();
    for value in values {
        let given = Given { flag, value };
        let parsed = InputFlag::parse(value);
        flags.push((given, parsed.map_err(|error| given.wrong_flag(error, InputPlaceholder::LIST))?));
    }
    check_number(flag, flags.iter().map(|(_, parsed)| parsed.input), most)?;
    let default_path = default_path.map(|path| InputPath::parse("--input-path", path)).transpose()?;
    let mut inputs = Vec::new();
    for (given, parsed) in flags {
        let own = parsed.path.map(|template| InputPath::Template(given, template));
        for expanded in artifacts(given, &parsed.input, &variable)? {
            let reference = given.reference(&expanded)?;
            let into = match own.as_ref().or(default_path.as_ref()) {
                Some(path) => path.expand(&expanded, &variable)?,
                None => PathBuf::from("."),
            };
            inputs.push(Input { reference, into });
        }
    }
    Ok(inputs)
}

/// Reads artifacts to pull that have no path, such as the values of `--pull`.
///
/// # Errors
/// As [`inputs`].
pub fn artifacts_to_pull(
    flag: &str,
    values: &[String],
    most: u64,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<Vec<ArtifactReference>, String> {
    let mut templates = Vec::new();
    for value in values {
        let given = Given { flag, value };
        let parsed = InputTemplate::parse(value);
        templates.push((given, parsed.map_err(|error| given.wrong_template(error, Placeholder::LIST))?));
    }
    check_number(flag, templates.iter().map(|(_, template)| *template), most)?;
    let mut references = Vec::new();
    for (given, template) in templates {
        for expanded in artifacts(given, &template, &variable)? {
            references.push(given.reference(&expanded)?);
        }
    }
    Ok(references)
}

fn check_number<'a>(
    flag: &str,
    inputs: impl Iterator<Item = InputTemplate<'a>>,
    most: u64,
) -> Result<(), String> {
    let number = inputs.fold(0_u64, |sum, input| sum.saturating_add(input.count()));
    if number <= most {
        return Ok(());
    }
    Err(format!("{flag} names {number} artifacts in all, and {most} are allowed: write shorter ranges"))
}

fn artifacts<'a>(
    given: Given<'_>,
    template: &InputTemplate<'a>,
    variable: &impl Fn(&str) -> Option<OsString>,
) -> Result<Artifacts<'a>, String> {
    let expanded = template.expand(|placeholder| value(placeholder, variable));
    expanded.map_err(|why| given.wrong(&why))
}

/// Reads a value of `--output`, or of another flag with an artifact to push. `default_path` is the
/// value of `--output-path`.
///
/// # Errors
/// As [`inputs`], and when there is no path.
pub fn output(
    text: &str,
    default_path: Option<&Path>,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<Output, String> {
    let given = Given { flag: "--output", value: text };
    let parsed = OutputFlag::parse(text).map_err(|error| given.wrong_flag(error, Placeholder::LIST))?;
    let reference = to_push(given, &parsed.output, &variable)?;
    let path = match (parsed.path, default_path) {
        (Some(template), _) => {
            let expanded = template.expand(|placeholder| value(placeholder, &variable));
            PathBuf::from(expanded.map_err(|why| given.wrong(&why))?)
        }
        (None, Some(path)) => expand_path("--output-path", path, &variable)?,
        (None, None) => {
            let why = "it has no path: write ,path=<PATH> behind it, or --output-path=<PATH> for all outputs";
            return Err(given.wrong(why));
        }
    };
    Ok(Output { reference, path })
}

/// Reads an artifact to push that has no path, such as the value of `--push`.
///
/// # Errors
/// As [`inputs`].
pub fn artifact_to_push(
    flag: &str,
    text: &str,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<ArtifactReference, String> {
    let given = Given { flag, value: text };
    let template = Template::parse(text).map_err(|error| given.wrong_template(error, Placeholder::LIST))?;
    to_push(given, &template, &variable)
}

fn to_push(
    given: Given<'_>,
    template: &Template<'_>,
    variable: &impl Fn(&str) -> Option<OsString>,
) -> Result<ArtifactReference, String> {
    let expanded = template.expand(|placeholder| value(placeholder, variable));
    let reference = given.reference(&expanded.map_err(|why| given.wrong(&why))?)?;
    match reference.digest {
        Some(_) => Err(given.wrong("an output has no digest yet: name a tag only")),
        None => Ok(reference),
    }
}

/// A directory for inputs.
enum InputPath<'a> {
    Template(Given<'a>, InputPathTemplate<'a>),
    /// A path that is not UTF-8 has no placeholders.
    Plain(&'a Path),
}

impl<'a> InputPath<'a> {
    fn parse(flag: &'a str, path: &'a Path) -> Result<Self, String> {
        let Some(text) = text_of(flag, path)? else { return Ok(InputPath::Plain(path)) };
        let given = Given { flag, value: text };
        let template = InputPathTemplate::parse(text);
        let template = template.map_err(|error| given.wrong_template(error, InputPlaceholder::LIST))?;
        Ok(InputPath::Template(given, template))
    }

    /// The directory for an input.
    fn expand(&self, input: &str, variable: &impl Fn(&str) -> Option<OsString>) -> Result<PathBuf, String> {
        let (given, template) = match self {
            InputPath::Template(given, template) => (given, template),
            InputPath::Plain(path) => return Ok(path.to_path_buf()),
        };
        let reference = Reference::parse(input).map_err(|why| given.wrong(why))?;
        let expanded = template.expand(|placeholder| match placeholder {
            InputPlaceholder::OfPod(placeholder) => value(placeholder, variable),
            of_input => of_input
                .value_of(&reference)
                .map(str::to_owned)
                .ok_or_else(|| format!("{input} has no {}: name it with its tag too", of_input.name())),
        });
        expanded.map(PathBuf::from).map_err(|why| given.wrong(&why))
    }
}

/// Replaces the placeholders of a path. `flag` is the flag that it was given with.
///
/// # Errors
/// A sentence that says what is wrong and what to write.
pub fn expand_path(
    flag: &str,
    path: &Path,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<PathBuf, String> {
    let Some(text) = text_of(flag, path)? else { return Ok(path.to_owned()) };
    let given = Given { flag, value: text };
    let template = PathTemplate::parse(text);
    let template = template.map_err(|error| given.wrong_template(error, Placeholder::LIST))?;
    let expanded = template.expand(|placeholder| value(placeholder, &variable));
    expanded.map(PathBuf::from).map_err(|why| given.wrong(&why))
}

/// The text of a path. None where it is not UTF-8, and then it must have no placeholders.
fn text_of<'a>(flag: &str, path: &'a Path) -> Result<Option<&'a str>, String> {
    let text = path.to_str();
    if text.is_none() && path.as_os_str().as_encoded_bytes().contains(&b'{') {
        let why = "but it is not UTF-8, so that its placeholders cannot be replaced";
        return Err(format!("{flag} is \"{}\", {why}", path.display()));
    }
    Ok(text)
}

/// The value of a placeholder in this pod.
fn value(placeholder: Placeholder, variable: &impl Fn(&str) -> Option<OsString>) -> Result<String, String> {
    let (name, key) = (placeholder.name(), placeholder.variable());
    let value = variable(key).filter(|value| !value.is_empty()).ok_or_else(|| {
        format!(
            "{{{name}}} is not known here, since {key} is not set: it is set in pods that have one, so write something else"
        )
    })?;
    value.into_string().map_err(|_| format!("{key} is not UTF-8"))
}

#[cfg(test)]
mod tests;
