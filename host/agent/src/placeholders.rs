//! URIs of artifacts and paths with placeholders, which stand for values that the downward API
//! gives to the pod.

use oci_registry_client::ArtifactReference;
use orascache_api::reference::split_scheme;
use orascache_api::template::{PathTemplate, Placeholder, Template, TemplateError};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Whether an artifact is pulled or pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the registry.
    Pull,
    /// To the registry.
    Push,
}

impl Direction {
    fn flag(self) -> &'static str {
        match self {
            Direction::Pull => "--input",
            Direction::Push => "--output",
        }
    }
}

/// Replaces the placeholders of `uri` by the values of environment variables, and parses the
/// result.
///
/// # Errors
/// A sentence that says what is wrong and what to write.
pub fn expand(
    uri: &str,
    direction: Direction,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<ArtifactReference, String> {
    let flag = direction.flag();
    // The text before an @ may be a password, which must not be shown.
    let shown = if split_scheme(uri).is_some_and(|(_, rest)| rest.contains('@')) { "..." } else { uri };
    let wrong = |why: &str| format!("{flag} is \"{shown}\", but {why}");
    let unusable = |why: &str| wrong(&format!("{why}: {EXAMPLE}"));
    let template = Template::parse(uri).map_err(|error| match error {
        TemplateError::HasScheme { .. } => unusable("it begins like an address"),
        TemplateError::UnknownPlaceholder(text) => wrong(&unknown(text)),
        TemplateError::Range(error) => wrong(&error.to_string()),
        TemplateError::NotAReference(why) => unusable(why),
    })?;
    let expanded = template.expand(|placeholder| value(placeholder, &variable));
    let expanded = expanded.map_err(|why| wrong(&why))?;
    let reference = ArtifactReference::parse(&expanded).map_err(|why| {
        format!("{flag} is \"{shown}\", which is \"{expanded}\" here, but {why}: {EXAMPLE}")
    })?;
    if direction == Direction::Push && reference.digest.is_some() {
        return Err(wrong("an output has no digest yet: name a tag only"));
    }
    Ok(reference)
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
    let wrong = |why: String| format!("{flag} is \"{}\", but {why}", path.display());
    let Some(text) = path.to_str() else {
        if path.as_os_str().as_encoded_bytes().contains(&b'{') {
            return Err(wrong("it is not UTF-8, so that its placeholders cannot be replaced".to_owned()));
        }
        return Ok(path.to_owned());
    };
    let template = PathTemplate::parse(text).map_err(|error| match error {
        TemplateError::UnknownPlaceholder(text) => wrong(unknown(text)),
        TemplateError::Range(error) => wrong(error.to_string()),
        // A path is not checked as a reference.
        TemplateError::HasScheme { .. } | TemplateError::NotAReference(_) => {
            wrong("it is no path".to_owned())
        }
    })?;
    template.expand(|placeholder| value(placeholder, &variable)).map(PathBuf::from).map_err(wrong)
}

/// What a URI looks like.
const EXAMPLE: &str = "write it like flow/words:run-1, without a host";

fn unknown(text: &str) -> String {
    format!("{text} is no placeholder: write {{index}}, {{pod}}, {{job}} or {{namespace}}")
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
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    fn variable(name: &str) -> Option<OsString> {
        match name {
            "ORASCACHE_POD" => Some("words-3-x7k".into()),
            "ORASCACHE_NAMESPACE" => Some("flows".into()),
            "ORASCACHE_INDEX" => Some("3".into()),
            "ORASCACHE_JOB" => Some(OsString::new()),
            _ => None,
        }
    }

    fn pull(uri: &str) -> Result<String, String> {
        expand(uri, Direction::Pull, variable).map(|reference| reference.to_string())
    }

    #[test]
    fn placeholders_are_replaced() {
        assert_eq!(pull("{namespace}/words-{index}:{pod}").as_deref(), Ok("flows/words-3:words-3-x7k"));
        assert_eq!(pull("flow/words").as_deref(), Ok("flow/words:latest"));
    }

    #[test]
    fn values_are_not_searched_for_placeholders() {
        let nested = expand("a:{pod}", Direction::Pull, |_| Some("{index}".into()));
        assert!(nested.unwrap_err().contains("\"a:{index}\" here, but its tag may hold"));
    }

    #[test]
    fn errors_say_what_to_write() {
        for (uri, part) in [
            ("a:{jobs}", "{jobs} is no placeholder: write {index}, {pod}, {job} or {namespace}"),
            ("a:{pod", "{pod is no placeholder"),
            ("a:{}", "{} is no placeholder"),
            ("a:{job}", "{job} is not known here, since ORASCACHE_JOB is not set"),
            ("Words", "\"Words\", but its repository may hold"),
            ("{pod}:-1", "\"{pod}:-1\", but its tag may hold"),
            ("a:}", "but its tag may hold"),
            ("", "but its repository may hold"),
            ("https://host/a", "without a host"),
        ] {
            let said = pull(uri).unwrap_err();
            assert!(said.contains(part) && said.starts_with("--input is \""), "{said}");
        }
        let bytes = expand("a:{pod}", Direction::Pull, |_| Some(OsString::from_vec(vec![b'a', 0xff])));
        assert!(bytes.unwrap_err().contains("ORASCACHE_POD is not UTF-8"));
    }

    #[test]
    fn placeholders_in_paths_are_replaced() {
        let path = |text: &str| expand_path("--output-path", Path::new(text), variable);
        assert_eq!(path("/x/{pod}/{index}"), Ok(PathBuf::from("/x/words-3-x7k/3")));
        assert_eq!(path("/x/A B:y"), Ok(PathBuf::from("/x/A B:y")));
        for (text, why) in [
            ("/x/{rank}", "--output-path is \"/x/{rank}\", but {rank} is no placeholder: write {index}"),
            ("/x/{job}", "{job} is not known here, since ORASCACHE_JOB is not set"),
        ] {
            let sentence = path(text).unwrap_err();
            assert!(sentence.contains(why), "{sentence}");
        }
        let odd = PathBuf::from(OsString::from_vec(b"/x/\xff".to_vec()));
        assert_eq!(expand_path("--input-path", &odd, variable), Ok(odd.clone()));
        assert!(expand_path("--input-path", &odd.join("{pod}"), variable).is_err());
    }

    #[test]
    fn errors_show_no_credentials() {
        let said = pull("https://user:secret@host/a").unwrap_err();
        assert!(!said.contains("secret"), "{said}");
    }

    #[test]
    fn only_an_input_may_have_a_digest() {
        let uri = format!("a@sha256:{}", "0".repeat(64));
        assert_eq!(pull(&uri).as_deref(), Ok(uri.as_str()));
        assert!(expand(&uri, Direction::Push, variable).unwrap_err().contains("--output"));
    }
}
