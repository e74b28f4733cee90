//! URIs of artifacts with placeholders, which stand for values that the downward API gives to the
//! pod.

use oci_registry_client::ArtifactReference;
use orascache_api::reference::split_scheme;
use orascache_api::steps::env;
use std::ffi::OsString;

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
    let expanded = replace(uri, variable).map_err(|why| format!("{flag} is \"{shown}\", but {why}"))?;
    let reference = ArtifactReference::parse(&expanded).map_err(|why| {
        let meant = if expanded == uri { String::new() } else { format!(", which is \"{expanded}\" here") };
        format!("{flag} is \"{shown}\"{meant}, but {why}: write it like flow/words:run-1, without a host")
    })?;
    if direction == Direction::Push && reference.digest.is_some() {
        return Err(format!("{flag} is \"{shown}\", but an output has no digest yet: name a tag only"));
    }
    Ok(reference)
}

fn replace(uri: &str, variable: impl Fn(&str) -> Option<OsString>) -> Result<String, String> {
    let mut expanded = String::with_capacity(uri.len());
    let mut rest = uri;
    while let Some((before, after)) = rest.split_once('{') {
        let unknown = |text: &str| {
            format!("{{{text} is no placeholder: write {{index}}, {{pod}}, {{job}} or {{namespace}}")
        };
        let (name, behind) = after.split_once('}').ok_or_else(|| unknown(after))?;
        let key = match name {
            "pod" => env::POD,
            "namespace" => env::NAMESPACE,
            "job" => env::JOB,
            "index" => env::INDEX,
            _ => return Err(unknown(&format!("{name}}}"))),
        };
        let value = variable(key).filter(|value| !value.is_empty()).ok_or_else(|| {
            format!(
                "{{{name}}} is not known here, since {key} is not set: it is set in pods that have one, so write something else"
            )
        })?;
        let value = value.to_str().ok_or_else(|| format!("{key} is not UTF-8"))?;
        expanded.push_str(before);
        expanded.push_str(value);
        rest = behind;
    }
    expanded.push_str(rest);
    Ok(expanded)
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
            ("{pod}:-1", "\"words-3-x7k:-1\" here, but its tag may hold"),
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
