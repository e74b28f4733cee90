//! Templates: references and paths whose placeholders are replaced when a step runs.

mod input;
mod path;
mod placeholder;

use crate::range::{RangeError, is_range};
use crate::reference::{Reference, split_scheme};
pub use input::{Artifacts, InputTemplate, total};
pub use path::{InputPathTemplate, PathTemplate};
pub use placeholder::{InputPlaceholder, Placeholder, Placeholders};
use placeholder::{Part, expand, parts};

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
    /// The text has a range that is wrong, or that may not be there.
    Range(RangeError<'a>),
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
    checked: Checked,
}

impl<'a> Template<'a> {
    /// Reads `repository[:tag][@digest]` with placeholders in any place, and without a range.
    ///
    /// # Errors
    /// When it is not one.
    pub fn parse(text: &'a str) -> Result<Self, TemplateError<'a>> {
        if let Some((scheme, rest)) = split_scheme(text) {
            return Err(TemplateError::HasScheme { scheme, rest });
        }
        Ok(Template { text, checked: check(text, None)? })
    }

    /// The text as it was written.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The placeholders in the template.
    pub fn placeholders(&self) -> Placeholders {
        self.checked.placeholders
    }

    /// Whether a tag is written.
    pub fn has_tag(&self) -> bool {
        self.checked.has_tag
    }

    /// Whether a digest is written.
    pub fn has_digest(&self) -> bool {
        self.checked.has_digest
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

/// What is known of a template once it is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Checked {
    placeholders: Placeholders,
    has_tag: bool,
    has_digest: bool,
}

/// Checks a reference with placeholders. `number` stands in place of a range, where one is allowed.
fn check<'a>(text: &'a str, number: Option<&str>) -> Result<Checked, TemplateError<'a>> {
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
            Part::Unknown(text) if is_range(text) => {
                example.push_str(number.ok_or(TemplateError::Range(RangeError::OutOfPlace(text)))?);
            }
            Part::Unknown(text) => return Err(TemplateError::UnknownPlaceholder(text)),
        }
    }
    let reference = Reference::parse(&example).map_err(TemplateError::NotAReference)?;
    let (has_tag, has_digest) = (reference.tag.is_some(), reference.digest.is_some());
    Ok(Checked { placeholders, has_tag, has_digest })
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
            ("a:{0..9}", TemplateError::Range(RangeError::OutOfPlace("{0..9}"))),
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
