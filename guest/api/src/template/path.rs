//! Paths with placeholders.

use super::TemplateError;
use super::placeholder::{InputPlaceholder, Part, Placeholder, Placeholders, expand, parts};
use crate::range::{RangeError, is_range};

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
    /// [`TemplateError::UnknownPlaceholder`], or [`TemplateError::Range`].
    pub fn parse(text: &'a str) -> Result<Self, TemplateError<'a>> {
        let mut placeholders = Placeholders::default();
        for part in parts(text) {
            match part {
                Part::Text(_) => {}
                Part::Placeholder(placeholder) => placeholders.insert(placeholder),
                Part::Unknown(text) => return Err(unknown(text)),
            }
        }
        Ok(PathTemplate { text, placeholders })
    }

    /// The text as it was written.
    pub fn text(&self) -> &'a str {
        self.text
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

/// A path into which an input is pulled, checked: `/data/{repository}/{tag}`. Besides the
/// placeholders of other paths, it may have those of the input.
///
/// ```
/// use orascache_api::template::{InputPathTemplate, InputPlaceholder};
///
/// let template = InputPathTemplate::parse("/data/{tag}").unwrap();
/// assert!(template.has_tag());
/// let expanded = template.expand(|placeholder| {
///     assert_eq!(placeholder, InputPlaceholder::Tag);
///     Ok::<_, ()>("run-1".to_owned())
/// });
/// assert_eq!(expanded.as_deref(), Ok("/data/run-1"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputPathTemplate<'a> {
    text: &'a str,
    placeholders: Placeholders,
    has_tag: bool,
}

impl<'a> InputPathTemplate<'a> {
    /// Reads a path with placeholders in any place.
    ///
    /// # Errors
    /// [`TemplateError::UnknownPlaceholder`], or [`TemplateError::Range`].
    pub fn parse(text: &'a str) -> Result<Self, TemplateError<'a>> {
        let mut placeholders = Placeholders::default();
        let mut has_tag = false;
        for part in parts(text) {
            match part {
                Part::Text(_) | Part::Placeholder(InputPlaceholder::Repository) => {}
                Part::Placeholder(InputPlaceholder::OfPod(placeholder)) => placeholders.insert(placeholder),
                Part::Placeholder(InputPlaceholder::Tag) => has_tag = true,
                Part::Unknown(text) => return Err(unknown(text)),
            }
        }
        Ok(InputPathTemplate { text, placeholders, has_tag })
    }

    /// The text as it was written.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The placeholders whose values the pod has.
    pub fn placeholders(&self) -> Placeholders {
        self.placeholders
    }

    /// Whether `{tag}` occurs, which an input that is named by its digest alone does not have.
    pub fn has_tag(&self) -> bool {
        self.has_tag
    }

    /// The text with values in place of the placeholders. Values are not expanded again.
    ///
    /// # Errors
    /// The first error of `value`.
    pub fn expand<E>(&self, value: impl FnMut(InputPlaceholder) -> Result<String, E>) -> Result<String, E> {
        expand(self.text, value)
    }
}

fn unknown(text: &str) -> TemplateError<'_> {
    if is_range(text) {
        TemplateError::Range(RangeError::OutOfPlace(text))
    } else {
        TemplateError::UnknownPlaceholder(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::Reference;

    #[test]
    fn paths_of_inputs_know_their_input() {
        let template = InputPathTemplate::parse("/in/{repository}/{tag}-{pod}").unwrap();
        assert!(template.has_tag() && template.placeholders().contains(Placeholder::Pod));
        let input = Reference::parse("flow/words").unwrap();
        let expanded = template.expand(|placeholder| match placeholder {
            InputPlaceholder::OfPod(placeholder) => Ok(placeholder.name().to_owned()),
            of_input => of_input.value_of(&input).map(str::to_owned).ok_or(()),
        });
        assert_eq!(expanded.as_deref(), Ok("/in/flow/words/latest-pod"));
    }

    #[test]
    fn an_input_by_digest_alone_has_no_tag() {
        let digest = format!("a@sha256:{}", "0".repeat(64));
        assert_eq!(InputPlaceholder::Tag.value_of(&Reference::parse(&digest).unwrap()), None);
        let both = format!("a:1@sha256:{}", "0".repeat(64));
        assert_eq!(InputPlaceholder::Tag.value_of(&Reference::parse(&both).unwrap()), Some("1"));
    }

    #[test]
    fn other_paths_do_not_know_an_input() {
        assert_eq!(PathTemplate::parse("/{tag}"), Err(TemplateError::UnknownPlaceholder("{tag}")));
        for text in ["/{rank}", "/{", "/{}"] {
            assert!(matches!(PathTemplate::parse(text), Err(TemplateError::UnknownPlaceholder(_))), "{text}");
            assert!(
                matches!(InputPathTemplate::parse(text), Err(TemplateError::UnknownPlaceholder(_))),
                "{text}"
            );
        }
    }

    #[test]
    fn paths_have_no_ranges() {
        let error = TemplateError::Range(RangeError::OutOfPlace("{0..9}"));
        assert_eq!(PathTemplate::parse("/x/{0..9}"), Err(error));
        assert_eq!(InputPathTemplate::parse("/x/{0..9}"), Err(error));
        assert!(PathTemplate::parse("/x/../y..z").is_ok());
    }
}
