//! Inputs: references with placeholders and at most one range.

use super::placeholder::{Placeholder, Placeholders, expand};
use super::{Checked, TemplateError, check};
use crate::range::Range;
use crate::reference::split_scheme;

/// The artifacts of one input, checked: `flow/words:{index}`, or `flow/part:{0..99}` for a hundred.
///
/// ```
/// use orascache_api::template::InputTemplate;
///
/// let template = InputTemplate::parse("flow/{job}:part-{00..02}").unwrap();
/// assert_eq!(template.count(), 3);
/// let expanded = template.expand(|_| Ok::<_, ()>("words".to_owned())).unwrap();
/// assert!(expanded.eq(["flow/words:part-00", "flow/words:part-01", "flow/words:part-02"]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputTemplate<'a> {
    text: &'a str,
    range: Option<Range<'a>>,
    checked: Checked,
}

impl<'a> InputTemplate<'a> {
    /// Reads `repository[:tag][@digest]` with placeholders in any place, and one range.
    ///
    /// # Errors
    /// When it is not one.
    pub fn parse(text: &'a str) -> Result<Self, TemplateError<'a>> {
        if let Some((scheme, rest)) = split_scheme(text) {
            return Err(TemplateError::HasScheme { scheme, rest });
        }
        let range = Range::find(text).map_err(TemplateError::Range)?;
        let checked = match &range {
            None => check(text, None)?,
            Some(range) => {
                // Both ends are right, and the texts between them are neither shorter than the
                // first nor longer than the last: so they are right too.
                check(text, Some(&range.first()))?;
                check(text, Some(&range.last()))?
            }
        };
        Ok(InputTemplate { text, range, checked })
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

    /// Whether a range is written.
    pub fn has_range(&self) -> bool {
        self.range.is_some()
    }

    /// The number of artifacts: one without a range.
    pub fn count(&self) -> u64 {
        self.range.map_or(1, |range| range.count())
    }

    /// The artifacts in the order of the range, with values in place of the placeholders. Values
    /// are not expanded again. The results need not be references: a value may hold characters that
    /// references cannot.
    ///
    /// Whoever collects them asks for [`InputTemplate::count`] first.
    ///
    /// # Errors
    /// The first error of `value`.
    pub fn expand<E>(
        &self,
        mut value: impl FnMut(Placeholder) -> Result<String, E>,
    ) -> Result<Artifacts<'a>, E> {
        let (before, behind) = self.range.map_or((self.text, ""), |range| range.surroundings());
        let (before, behind) = (expand(before, &mut value)?, expand(behind, &mut value)?);
        Ok(Artifacts { before, range: self.range, behind, left: 0..self.count() })
    }
}

/// The artifacts of one input. Each text is made when it is asked for.
#[derive(Clone, Debug)]
pub struct Artifacts<'a> {
    before: String,
    range: Option<Range<'a>>,
    behind: String,
    /// Which of them are left, by their places.
    left: std::ops::Range<u64>,
}

impl Iterator for Artifacts<'_> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let place = self.left.next()?;
        let number = self.range.map(|range| range.number_at(place)).unwrap_or_default();
        Some(format!("{}{number}{}", self.before, self.behind))
    }
}

/// The number of artifacts that some inputs are together.
pub fn total<'t, 'a: 't>(inputs: impl IntoIterator<Item = &'t InputTemplate<'a>>) -> u64 {
    inputs.into_iter().fold(0, |total, input| total.saturating_add(input.count()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::range::RangeError;
    use crate::reference::Reference;
    use crate::template::Template;
    use proptest::prelude::*;

    fn expanded(text: &str) -> Vec<String> {
        let value = |placeholder: Placeholder| Ok::<_, ()>(format!("<{}>", placeholder.name()));
        InputTemplate::parse(text).unwrap().expand(value).unwrap().collect()
    }

    #[test]
    fn one_input_without_a_range_is_one_artifact() {
        assert_eq!(expanded("flow/{job}:1"), ["flow/<job>:1"]);
        assert_eq!(InputTemplate::parse("a").unwrap().count(), 1);
    }

    #[test]
    fn a_range_may_be_anywhere_beside_placeholders() {
        assert_eq!(expanded("{pod}/p{1..2}:{index}"), ["<pod>/p1:<index>", "<pod>/p2:<index>"]);
        assert_eq!(expanded("a:{9..10}"), ["a:9", "a:10"]);
    }

    #[test]
    fn texts_that_are_not_inputs_are_told_apart() {
        for (text, wanted) in [
            ("a:{rank}", TemplateError::UnknownPlaceholder("{rank}")),
            ("a:{0..1}-{rank}", TemplateError::UnknownPlaceholder("{rank}")),
            ("a:{1..0}", TemplateError::Range(RangeError::Descending("{1..0}"))),
            ("a{0..1}:{0..1}", TemplateError::Range(RangeError::Second("{0..1}"))),
            ("http://h/a:{0..1}", TemplateError::HasScheme { scheme: "http", rest: "h/a:{0..1}" }),
        ] {
            assert_eq!(InputTemplate::parse(text), Err(wanted), "{text}");
        }
        let too_long = format!("a:{}{{9..10}}", "x".repeat(127));
        assert!(matches!(InputTemplate::parse(&too_long), Err(TemplateError::NotAReference(_))));
        let of_unequal_length = format!("a@sha256:{}{{9..10}}", "0".repeat(63));
        assert!(matches!(InputTemplate::parse(&of_unequal_length), Err(TemplateError::NotAReference(_))));
    }

    #[test]
    fn the_total_does_not_overflow() {
        let huge = InputTemplate::parse("a:{0..999999999999999999}").unwrap();
        assert_eq!(total([&huge; 30]), u64::MAX);
        assert_eq!(
            total([&InputTemplate::parse("a:{0..9}").unwrap(), &InputTemplate::parse("b").unwrap()]),
            11
        );
    }

    proptest! {
        #[test]
        fn every_artifact_of_an_input_is_a_reference(
            before in "[a-z0-9]{1,3}(/[a-z]{1,3})?:[a-zA-Z_]{0,3}",
            first in 0_u64..1200, length in 0_u64..40, width in 1_usize..5,
            behind in "[a-z.-]{0,2}",
        ) {
            let text = format!("{before}{{{first:0width$}..{}}}{behind}", first + length);
            if let Ok(template) = InputTemplate::parse(&text) {
                let all: Vec<String> = template.expand(|_| Ok::<_, ()>(String::new())).unwrap().collect();
                prop_assert_eq!(all.len() as u64, template.count());
                for one in &all {
                    prop_assert!(Reference::parse(one).is_ok(), "{}", one);
                }
            }
        }

        #[test]
        fn without_a_range_an_input_is_what_an_output_is(text in "[a-z{}:@/]{0,6}(\\{pod\\})?[a-z0-9:]{0,4}") {
            let input = InputTemplate::parse(&text).map(|input| (input.placeholders(), input.has_tag()));
            let output = Template::parse(&text).map(|output| (output.placeholders(), output.has_tag()));
            prop_assert_eq!(input, output);
        }
    }
}
