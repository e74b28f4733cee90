//! Templates: references whose placeholders are replaced when a step runs.

use crate::reference::{Reference, split_scheme};
use crate::steps::env;

/// A part of a template that stands for something that only the running pod knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placeholder {
    /// `{index}`: the number of the pod in its indexed Job or StatefulSet.
    Index,
    /// `{pod}`: the name of the pod.
    Pod,
    /// `{job}`: the name of the Job.
    Job,
    /// `{namespace}`: the namespace of the pod.
    Namespace,
}

impl Placeholder {
    /// All of them.
    pub const ALL: [Placeholder; 4] = [Self::Index, Self::Pod, Self::Job, Self::Namespace];

    /// The word between the braces.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Pod => "pod",
            Self::Job => "job",
            Self::Namespace => "namespace",
        }
    }

    /// The environment variable in which the agent finds the value.
    pub const fn variable(self) -> &'static str {
        match self {
            Self::Index => env::INDEX,
            Self::Pod => env::POD,
            Self::Job => env::JOB,
            Self::Namespace => env::NAMESPACE,
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|placeholder| placeholder.name() == name)
    }
}

/// A set of placeholders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Placeholders(u8);

impl Placeholders {
    /// Whether the set contains this placeholder.
    pub const fn contains(self, placeholder: Placeholder) -> bool {
        self.0 & Self::bit(placeholder) != 0
    }

    /// The placeholders of both sets.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn bit(placeholder: Placeholder) -> u8 {
        1 << placeholder as u8
    }

    fn insert(&mut self, placeholder: Placeholder) {
        self.0 |= Self::bit(placeholder);
    }
}

/// Why a text is not a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplateError<'a> {
    /// The text has a scheme, as in `https://host/flow/words`.
    HasScheme {
        /// The text before `://`.
        scheme: &'a str,
        /// The text behind `://`.
        rest: &'a str,
    },
    /// The text has a placeholder that does not exist: `{rank}`, or `{pod` without its end.
    UnknownPlaceholder(&'a str),
    /// The text is not a reference. The value says why: it ends a sentence that begins with the
    /// text.
    NotAReference(&'static str),
}

/// A reference with placeholders, checked: `flow/words:{index}`.
///
/// ```
/// use orascache_api::template::{Placeholder, Template};
///
/// let template = Template::parse("flow/words:run-{index}").unwrap();
/// assert!(template.placeholders().contains(Placeholder::Index));
/// let expanded = template.expand(|_| Ok::<_, ()>("7".to_owned()));
/// assert_eq!(expanded.as_deref(), Ok("flow/words:run-7"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Template<'a> {
    text: &'a str,
    placeholders: Placeholders,
    has_tag: bool,
    has_digest: bool,
}

impl<'a> Template<'a> {
    /// Reads `repository[:tag][@digest]` with placeholders in any place.
    ///
    /// # Errors
    /// When it is not one.
    pub fn parse(text: &'a str) -> Result<Self, TemplateError<'a>> {
        if let Some((scheme, rest)) = split_scheme(text) {
            return Err(TemplateError::HasScheme { scheme, rest });
        }
        // A character that is allowed in every place of a reference, for each placeholder.
        let mut example = String::with_capacity(text.len());
        let mut placeholders = Placeholders::default();
        for part in parts(text) {
            match part {
                Part::Text(text) => example.push_str(text),
                Part::Placeholder(placeholder) => {
                    placeholders.insert(placeholder);
                    example.push('0');
                }
                Part::Unknown(text) => return Err(TemplateError::UnknownPlaceholder(text)),
            }
        }
        let reference = Reference::parse(&example).map_err(TemplateError::NotAReference)?;
        let (has_tag, has_digest) = (reference.tag.is_some(), reference.digest.is_some());
        Ok(Template { text, placeholders, has_tag, has_digest })
    }

    /// The text as it was written.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The placeholders in the template.
    pub fn placeholders(&self) -> Placeholders {
        self.placeholders
    }

    /// Whether a tag is written.
    pub fn has_tag(&self) -> bool {
        self.has_tag
    }

    /// Whether a digest is written.
    pub fn has_digest(&self) -> bool {
        self.has_digest
    }

    /// The text with values in place of the placeholders. Values are not expanded again. The result
    /// need not be a reference: a value may hold characters that references cannot.
    ///
    /// # Errors
    /// The first error of `value`.
    pub fn expand<E>(&self, value: impl FnMut(Placeholder) -> Result<String, E>) -> Result<String, E> {
        expand(self.text, value)
    }
}

/// A path with placeholders, checked: `/data/{pod}`.
///
/// ```
/// use orascache_api::template::{PathTemplate, Placeholder};
///
/// let template = PathTemplate::parse("/data/{index}/out").unwrap();
/// assert!(template.placeholders().contains(Placeholder::Index));
/// let expanded = template.expand(|_| Ok::<_, ()>("7".to_owned()));
/// assert_eq!(expanded.as_deref(), Ok("/data/7/out"));
/// assert!(PathTemplate::parse("/data/{rank}").is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathTemplate<'a> {
    text: &'a str,
    placeholders: Placeholders,
}

impl<'a> PathTemplate<'a> {
    /// Reads a path with placeholders in any place.
    ///
    /// # Errors
    /// [`TemplateError::UnknownPlaceholder`].
    pub fn parse(text: &'a str) -> Result<Self, TemplateError<'a>> {
        let mut placeholders = Placeholders::default();
        for part in parts(text) {
            match part {
                Part::Text(_) => {}
                Part::Placeholder(placeholder) => placeholders.insert(placeholder),
                Part::Unknown(text) => return Err(TemplateError::UnknownPlaceholder(text)),
            }
        }
        Ok(PathTemplate { text, placeholders })
    }

    /// The placeholders in the template.
    pub fn placeholders(&self) -> Placeholders {
        self.placeholders
    }

    /// The text with values in place of the placeholders. Values are not expanded again.
    ///
    /// # Errors
    /// The first error of `value`.
    pub fn expand<E>(&self, value: impl FnMut(Placeholder) -> Result<String, E>) -> Result<String, E> {
        expand(self.text, value)
    }
}

fn expand<E>(text: &str, mut value: impl FnMut(Placeholder) -> Result<String, E>) -> Result<String, E> {
    let mut expanded = String::with_capacity(text.len());
    for part in parts(text) {
        match part {
            Part::Text(text) | Part::Unknown(text) => expanded.push_str(text),
            Part::Placeholder(placeholder) => expanded.push_str(&value(placeholder)?),
        }
    }
    Ok(expanded)
}

enum Part<'a> {
    Text(&'a str),
    Placeholder(Placeholder),
    Unknown(&'a str),
}

fn parts(text: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let length = match rest.find('{') {
            // The text up to the next brace.
            Some(open) if open > 0 => open,
            Some(_) => rest.find('}').map_or(rest.len(), |close| close + 1),
            None => rest.len(),
        };
        let (part, behind) = rest.split_at(length);
        rest = behind;
        let Some(inner) = part.strip_prefix('{') else { return Some(Part::Text(part)) };
        let placeholder = inner.strip_suffix('}').and_then(Placeholder::from_name);
        Some(placeholder.map_or(Part::Unknown(part), Part::Placeholder))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_may_be_anywhere() {
        let template = Template::parse("{namespace}/{job}-x:{index}").unwrap();
        let found: Vec<_> =
            Placeholder::ALL.into_iter().filter(|one| template.placeholders().contains(*one)).collect();
        assert_eq!(found, [Placeholder::Index, Placeholder::Job, Placeholder::Namespace]);
        assert_eq!((template.has_tag(), template.has_digest()), (true, false));
    }

    #[test]
    fn texts_that_are_not_templates_are_told_apart() {
        for (text, wanted) in [
            ("a:{rank}", TemplateError::UnknownPlaceholder("{rank}")),
            ("a:{pod", TemplateError::UnknownPlaceholder("{pod")),
            ("a{}", TemplateError::UnknownPlaceholder("{}")),
            ("oras://host/a:1", TemplateError::HasScheme { scheme: "oras", rest: "host/a:1" }),
        ] {
            assert_eq!(Template::parse(text), Err(wanted));
        }
        for text in ["", "A", "a:}", "host:5000/a:1", "a{pod}:-"] {
            assert!(matches!(Template::parse(text), Err(TemplateError::NotAReference(_))), "{text}");
        }
    }

    #[test]
    fn values_are_not_expanded_again() {
        let template = Template::parse("{pod}/é-free:{index}");
        assert!(matches!(template, Err(TemplateError::NotAReference(_))));
        let template = Template::parse("{pod}/a:{index}").unwrap();
        let expanded = template.expand(|placeholder| Ok::<_, ()>(format!("<{{{}}}>", placeholder.name())));
        assert_eq!(expanded.unwrap(), "<{pod}>/a:<{index}>");
        assert_eq!(template.expand(|_| Err("no value")), Err("no value"));
    }
}
